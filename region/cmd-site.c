// Subcommands about the site: token, seed, kubeconfig, secret, bootstrap, audit, clock.
// SPDX-License-Identifier: Apache-2.0
#include "region/command.h"

#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/time.h"

#include <errno.h>

enum { MAX_SECRET = 64 << 10 };

static int print_member(const struct command_options *options, const char *call, char *args_take,
	const char *member)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	struct diag diag = { 0 };
	int code = command_ask(options, call, args_take, &answer);
	if (code)
		return code;
	const char *text = value_text(value_find(answer, member)),
		   *warning = value_text(value_find(answer, "warning"));
	if (!text)
		return command_failed(&diag, -EPROTO);
	if (warning)
		fprintf(stderr, "hearth-region: WARNING: %s\n", warning);
	if (options->out) {
		int r = file_write_atomic(options->out, text, strlen(text), 0600, &diag);
		return r < 0 ? command_failed(&diag, r) : 0;
	}
	printf("%s%s", text, text[0] && text[strlen(text) - 1] == '\n' ? "" : "\n");
	return 0;
}

int cmd_token(const struct command_options *options)
{
	struct json_out out = { 0 };
	if (options->n_arguments)
		return command_wrong_use("token takes options only");
	json_out_object_begin(&out);
	if (options->node)
		json_out_member(&out, "node", options->node);
	if (options->role)
		json_out_member(&out, "role", options->role);
	if (options->count)
		json_out_member_int(&out, "count", options->count);
	if (options->ttl_sec)
		json_out_member_int(&out, "ttlSec", options->ttl_sec);
	json_out_object_end(&out);
	return print_member(options, "token", json_out_take(&out), "token");
}

int cmd_seed(const struct command_options *options)
{
	struct json_out out = { 0 };
	if (options->n_arguments)
		return command_wrong_use("seed takes options only");
	json_out_object_begin(&out);
	json_out_member_bool(&out, "withToken", !options->no_token);
	if (options->role)
		json_out_member(&out, "role", options->role);
	json_out_key(&out, "urls");
	json_out_array_begin(&out);
	for (size_t i = 0; i < options->n_urls; i++)
		json_out_string(&out, options->urls[i]);
	json_out_array_end(&out);
	json_out_object_end(&out);
	return print_member(options, "seed", json_out_take(&out), "seed");
}

int cmd_kubeconfig(const struct command_options *options)
{
	struct json_out out = { 0 };
	if (options->n_arguments != 1)
		return command_wrong_use("kubeconfig needs the name of a CLUSTER");
	json_out_object_begin(&out);
	json_out_member(&out, "cluster", options->arguments[0]);
	if (options->server)
		json_out_member(&out, "server", options->server);
	json_out_object_end(&out);
	return print_member(options, "kubeconfig", json_out_take(&out), "kubeconfig");
}

static int secret_rotate(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_member(&out, "name", options->arguments[1]);
	json_out_object_end(&out);
	int code = command_ask(options, "secret-rotate", json_out_take(&out), &answer);
	const char *next = value_text(value_find(answer, "next"));
	if (!code)
		printf("%s\n", next ? next : "");
	return code;
}

int cmd_secret(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	struct json_out out = { 0 };
	if (options->n_arguments == 2 && str_equal(options->arguments[0], "rotate"))
		return secret_rotate(options);
	if (options->n_arguments != 2 || !str_equal(options->arguments[0], "set"))
		return command_wrong_use(
			"secret needs set NAME (the value comes from standard input), or rotate "
			"k3s-server-token|k3s-agent-token");
	AUTO_FREE char *text = calloc(1, MAX_SECRET + 2);
	if (!text)
		return 1;
	size_t n = fread(text, 1, MAX_SECRET + 1, stdin);
	if (n > MAX_SECRET)
		return command_wrong_use("a secret is at most 64 KiB");
	if (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	json_out_object_begin(&out);
	json_out_member(&out, "name", options->arguments[1]);
	json_out_member(&out, "value", text);
	json_out_object_end(&out);
	crypto_wipe(text, n);
	int code = command_ask(options, "secret-set", json_out_take(&out), &answer);
	if (!code)
		printf("secret %s is set\n", options->arguments[1]);
	return code;
}

int cmd_bootstrap(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	struct json_out out = { 0 };
	if (options->n_arguments != 2 || !str_equal(options->arguments[0], "set"))
		return command_wrong_use("bootstrap set needs a DIGEST (sha256:...), or none");
	json_out_object_begin(&out);
	json_out_member(&out, "digest", options->arguments[1]);
	json_out_object_end(&out);
	int code = command_ask(options, "bootstrap-set", json_out_take(&out), &answer);
	if (!code && str_equal(options->arguments[1], "none"))
		printf("bootstrap is what cluster.yaml says\n");
	else if (!code)
		printf("bootstrap is %s\n", options->arguments[1]);
	return code;
}

int cmd_audit(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	struct json_out out = { 0 };
	if (options->n_arguments)
		return command_wrong_use("audit takes options only");
	json_out_object_begin(&out);
	if (options->max)
		json_out_member_int(&out, "max", options->max);
	json_out_object_end(&out);
	int code = command_ask(options, "audit", json_out_take(&out), &answer);
	const struct value *entries = value_find(answer, "audit");
	for (size_t i = 0; !code && entries && i < entries->n; i++) {
		const struct value *entry = &entries->items[i];
		const char *detail = value_text(value_find(entry, "detail"));
		printf("%s  %-20s %-16s %-24s %s\n", value_text(value_find(entry, "time")),
			value_text(value_find(entry, "actor")),
			value_text(value_find(entry, "action")),
			value_text(value_find(entry, "subject")), detail ? detail : "");
	}
	return code;
}

// A region that refuses its clock does not run, so this leaves a note for its next start instead of
// asking it.
int cmd_clock(const struct command_options *options)
{
	struct diag diag = { 0 };
	char text[32], when[32];
	if (options->n_arguments != 1 || !str_equal(options->arguments[0], "accept"))
		return command_wrong_use("clock accept takes no more");
	AUTO_FREE char *path = str_format("%s/clock.accepted", options->dir);
	int64_t now_sec = time_wall_msec() / 1000;
	(void)snprintf(text, sizeof(text), "%lld\n", (long long)now_sec);
	int r = path ? file_write_atomic(path, text, strlen(text), 0600, &diag) : -ENOMEM;
	if (r < 0)
		return command_failed(&diag, r);
	printf("%s is accepted as the time for a start within the next hour\n",
		time_format_utc(now_sec, when));
	return 0;
}
