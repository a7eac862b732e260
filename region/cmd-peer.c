// hearth-region peer: an administrator's laptop as a peer of the mesh.
// SPDX-License-Identifier: Apache-2.0
#include "region/command.h"

#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "region/qr-text.h"
#include "region/region.h"

#include <errno.h>
#include <sys/ioctl.h>

static char *name_argument(const struct command_options *options)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	if (options->n_arguments > 1)
		json_out_member(&out, "name", options->arguments[1]);
	json_out_object_end(&out);
	return json_out_take(&out);
}

// For a phone's camera, where there is a screen to point it at.
static void show_qr(const char *file)
{
	struct winsize window = { 0 };
	unsigned columns = 0;
	if (!isatty(STDOUT_FILENO))
		return;
	CLEANUP(secret_text_free) char *qr = qr_text(file, &columns);
	if (!qr)
		return; // the file stands above
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 &&
		window.ws_col < columns)
		printf("# The QR code needs a terminal of %u columns; this one has %u.\n", columns,
			window.ws_col);
	else
		printf("\n%s", qr);
}

static int peer_add(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	struct diag diag = { 0 };
	int code = command_ask(options, "peer-add", name_argument(options), &answer);
	if (code)
		return code;
	const struct value *member = value_find(answer, "file");
	const char *file = value_text(member), *address = value_text(value_find(answer, "address"));
	if (!file)
		return command_failed(&diag, -EPROTO);
	int r = 0;
	if (options->out) {
		r = file_write_atomic(options->out, file, strlen(file), 0600, &diag);
		if (r >= 0)
			printf("%s is a peer at %s; wg-quick up %s\n", options->arguments[1],
				address ? address : "?", options->out);
	} else {
		fputs(file, stdout);
		show_qr(file);
	}
	crypto_wipe(member->text, strlen(member->text));
	if (r >= 0)
		return 0;
	// Nobody has the private key now: the name is free for another try.
	CLEANUP(value_freep) struct value *removed = NULL;
	(void)command_failed(&diag, r);
	(void)command_ask(options, "peer-remove", name_argument(options), &removed);
	return 1;
}

static int peer_list(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	int code = command_ask(options, "peer-list", name_argument(options), &answer);
	const struct value *peers = value_find(answer, "peers");
	if (code)
		return code;
	if (options->json) {
		command_print_json(peers);
		return 0;
	}
	printf("%-20s %-16s %-24s %-20s %s\n", "NAME", "ADDRESS", "ADDED", "BY", "PUBLIC KEY");
	for (size_t i = 0; peers && i < peers->n; i++) {
		static const char *const keys[] = { "name", "address", "added", "by", "publicKey" };
		const char *texts[N_ELEMENTS(keys)];
		for (size_t k = 0; k < N_ELEMENTS(keys); k++) {
			texts[k] = value_text(value_find(&peers->items[i], keys[k]));
			texts[k] = texts[k] ? texts[k] : "-";
		}
		printf("%-20s %-16s %-24s %-20s %s\n", texts[0], texts[1], texts[2], texts[3],
			texts[4]);
	}
	return 0;
}

// To be put in place of the [Peer] sections of a file that was given away.
static int peer_servers(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	int code = command_ask(options, "peer-servers", name_argument(options), &answer);
	const char *file = value_text(value_find(answer, "file"));
	if (!code)
		fputs(file ? file : "", stdout);
	return code;
}

int cmd_peer(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	const char *what = options->n_arguments ? options->arguments[0] : "";
	if (str_equal(what, "list") && options->n_arguments == 1) {
		if (options->out)
			return command_wrong_use("peer list takes no --out");
		return peer_list(options);
	}
	if (options->json)
		return command_wrong_use("--json is for peer list");
	if (str_equal(what, "servers") && options->n_arguments == 1 && !options->out)
		return peer_servers(options);
	if (str_equal(what, "add") && options->n_arguments == 2)
		return peer_add(options);
	if (!str_equal(what, "remove") || options->n_arguments != 2)
		return command_wrong_use("peer is add NAME, list, servers, or remove NAME");
	if (options->out)
		return command_wrong_use("peer remove takes no --out");
	int code = command_ask(options, "peer-remove", name_argument(options), &answer);
	if (!code)
		printf("%s is no peer any more\n", options->arguments[1]);
	return code;
}
