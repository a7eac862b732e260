// Subcommands about the cluster's life: rollout, job and cluster. Also the lines that `list` ends
// with. SPDX-License-Identifier: Apache-2.0
#include "region/command.h"

#include "base/json.h"

static const char *text_of(const struct value *object, const char *key, const char *fallback)
{
	const char *text = value_text(value_find(object, key));
	return text && text[0] ? text : fallback;
}

static long long number_of(const struct value *object, const char *key)
{
	const struct value *value = value_find(object, key);
	return value && value->type == VALUE_NUMBER ? strtoll(value->text, NULL, 10) : 0;
}

static void print_rollout(const struct value *rollout)
{
	if (!rollout || rollout->type != VALUE_OBJECT)
		return;
	printf("rollout: %s, %lld nodes done\n", text_of(rollout, "state", "?"),
		number_of(rollout, "nDone"));
	if (text_of(rollout, "sentence", NULL))
		printf("%20s %s\n", "", text_of(rollout, "sentence", ""));
}

static void print_restore(const struct value *restore)
{
	const char *state = text_of(restore, "state", "done");
	if (str_equal(state, "done") || str_equal(state, "undone"))
		return;
	printf("restore of %s on %s: %s\n", text_of(restore, "snapshot", "?"),
		text_of(restore, "node", "?"), state);
	if (text_of(restore, "sentence", NULL))
		printf("%20s %s\n", "", text_of(restore, "sentence", ""));
}

static void print_secrets(const struct value *names)
{
	for (size_t i = 0; names && i < names->n; i++) {
		const char *name = value_text(&names->items[i]);
		printf("WARNING: a revoked node may know the secret %s: hearth-region secret %s %s\n",
			name ? name : "?", name && str_starts(name, "k3s-") ? "rotate" : "set",
			name ? name : "NAME");
	}
}

static void print_jobs(const struct value *jobs)
{
	for (size_t i = 0; jobs && i < jobs->n; i++) {
		const struct value *job = &jobs->items[i];
		bool failed = str_equal(text_of(job, "state", ""), "failed");
		printf("job %s: %s %s, %s%s%s\n", text_of(job, "id", "?"),
			text_of(job, "kind", "?"), text_of(job, "node", "?"),
			text_of(job, "state", "?"), text_of(job, "server", NULL) ? ", by " : "",
			text_of(job, "server", ""));
		if (text_of(job, "sentence", NULL))
			printf("%20s %s\n", "", text_of(job, "sentence", ""));
		if (failed)
			printf("%20s WARNING: mend that, then hearth-region job retry %s\n", "",
				text_of(job, "id", "?"));
	}
}

// Who does not use the network of cluster.yaml, as it does not hold there.
static void print_refused_networks(const struct value *nodes)
{
	size_t n = 0;
	for (size_t i = 0; nodes && i < nodes->n; i++)
		n += value_find(&nodes->items[i], "networkRefused") != NULL;
	if (n)
		printf("WARNING: %zu of %zu nodes refuse the network of cluster.yaml and keep another; mend `network` or "
		       "`nodeNetworks`, or what it needs:\n", n, nodes->n);
	for (size_t i = 0; n && i < nodes->n; i++) {
		const struct value *node = &nodes->items[i], *refused = value_find(node, "networkRefused");
		if (refused)
			printf("%20s %s, %lld times: %s\n", "", text_of(node, "name", "?"), number_of(refused, "times"),
				text_of(refused, "reason", "it gave no reason"));
	}
}

void command_print_cluster(const struct value *answer)
{
	const struct value *rollout = value_find(answer, "rollout");
	long long n_older = number_of(answer, "nOlderSettings");
	bool running = str_equal(text_of(rollout, "state", ""), "running");
	print_jobs(value_find(answer, "jobs"));
	print_restore(value_find(answer, "restore"));
	print_secrets(value_find(answer, "secretsToRotate"));
	print_refused_networks(value_find(answer, "nodes"));
	if (!str_equal(text_of(rollout, "state", "done"), "done"))
		print_rollout(rollout);
	if (n_older > 0 && !running)
		printf("%lld node%s older settings: hearth-region rollout start\n", n_older,
			n_older == 1 ? " runs" : "s run");
}

static char *rollout_arguments(const struct command_options *options)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	if (options->restart)
		json_out_member_bool(&out, "restart", true);
	if (options->timeout_sec)
		json_out_member_int(&out, "timeoutSec", options->timeout_sec);
	json_out_object_end(&out);
	return json_out_take(&out);
}

int cmd_rollout(const struct command_options *options)
{
	static const struct {
		const char *word, *call;
	} words[] = { { "start", "rollout-start" }, { "status", "rollout-status" },
		{ "stop", "rollout-stop" }, { "resume", "rollout-resume" } };
	CLEANUP(value_freep) struct value *answer = NULL;
	const char *call = NULL, *word = options->n_arguments == 1 ? options->arguments[0] : "";
	for (size_t i = 0; i < N_ELEMENTS(words); i++)
		if (str_equal(words[i].word, word))
			call = words[i].call;
	if (!call || ((options->restart || options->timeout_sec) && !str_equal(word, "start")))
		return command_wrong_use(
			"rollout needs start [--restart] [--timeout SEC], status, stop or resume");
	int code = command_ask(options, call, rollout_arguments(options), &answer);
	if (code)
		return code;
	if (options->json) {
		command_print_json(answer);
		return 0;
	}
	command_make_printable(answer);
	print_rollout(value_find(answer, "rollout"));
	if (!str_equal(word, "status"))
		return 0;
	print_jobs(value_find(answer, "jobs"));
	if (number_of(answer, "nOlderSettings") > 0)
		printf("%lld with older settings\n", number_of(answer, "nOlderSettings"));
	else if (value_find(answer, "rollout") && value_find(answer, "rollout")->type == VALUE_NULL)
		printf("there was no rollout yet, and every node runs the newest settings\n");
	return 0;
}

int cmd_job(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	struct json_out out = { 0 };
	bool drop = options->n_arguments == 2 && str_equal(options->arguments[0], "drop");
	if (options->n_arguments != 2 || (!drop && !str_equal(options->arguments[0], "retry")))
		return command_wrong_use("job needs retry ID or drop ID");
	json_out_object_begin(&out);
	json_out_member(&out, "job", options->arguments[1]);
	json_out_object_end(&out);
	int code =
		command_ask(options, drop ? "job-drop" : "job-retry", json_out_take(&out), &answer);
	if (!code && drop)
		printf("job %s is dropped: nobody does it any more\n", options->arguments[1]);
	else if (!code)
		printf("job %s is done again as %s\n", options->arguments[1],
			text_of(answer, "job", "?"));
	return code;
}

static int cluster_anew(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_member(&out, "cluster", options->arguments[1]);
	json_out_object_end(&out);
	int code = command_ask(options, "cluster-anew", json_out_take(&out), &answer);
	if (!code)
		printf("cluster %s is given up: the next server that is approved makes it anew\n",
			options->arguments[1]);
	return code;
}

static int cluster_restore(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_member(&out, "node", options->arguments[1]);
	json_out_member(&out, "snapshot", options->arguments[2]);
	if (options->force)
		json_out_member_bool(&out, "force", true);
	json_out_object_end(&out);
	int code = command_ask(options, "cluster-restore", json_out_take(&out), &answer);
	if (!code)
		printf("the cluster goes back to %s: every server stops its K3s, %s restores, the others "
		       "join it again; hearth-region list shows how far it is\n",
			options->arguments[2], options->arguments[1]);
	return code;
}

static int cluster_undo(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_object_end(&out);
	int code = command_ask(options, "cluster-undo", json_out_take(&out), &answer);
	if (!code)
		printf("the restore is given up: the other servers start with the database that they "
		       "have\n");
	return code;
}

int cmd_cluster(const struct command_options *options)
{
	const char *word = options->n_arguments ? options->arguments[0] : "";
	if (str_equal(word, "anew") && options->n_arguments == 2 && !options->force)
		return cluster_anew(options);
	if (str_equal(word, "restore") && options->n_arguments == 3)
		return cluster_restore(options);
	if (str_equal(word, "undo") && options->n_arguments == 1 && !options->force)
		return cluster_undo(options);
	return command_wrong_use(
		"cluster needs anew CLUSTER, restore NODE SNAPSHOT [--force], or undo");
}
