// Subcommand snapshot: have one of etcd made, list those there are. SPDX-License-Identifier:
// Apache-2.0
#include "region/command.h"

#include "base/json.h"
#include "base/time.h"

static const char *text_of(const struct value *object, const char *key)
{
	const char *text = value_text(value_find(object, key));
	return text ? text : "?";
}

static long long number_of(const struct value *object, const char *key)
{
	const struct value *value = value_find(object, key);
	return value && value->type == VALUE_NUMBER ? strtoll(value->text, NULL, 10) : 0;
}

static void print_list(const struct value *list)
{
	char when[32];
	if (!list || list->n == 0) {
		printf("no server has a snapshot of etcd: hearth-region snapshot makes one\n");
		return;
	}
	printf("%-20s %-20s %10s  %s\n", "SERVER", "MADE", "SIZE", "SNAPSHOT");
	for (size_t i = 0; i < list->n; i++) {
		const struct value *one = &list->items[i];
		printf("%-20s %-20s %6.1f MiB  %s\n", text_of(one, "node"),
			time_format_utc(number_of(one, "createdSec"), when),
			(double)number_of(one, "bytes") / (1 << 20), text_of(one, "name"));
	}
}

int cmd_snapshot(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	struct json_out out = { 0 };
	const char *word = options->n_arguments ? options->arguments[0] : NULL;
	bool list = str_equal(word, "list");
	if (options->n_arguments > 1)
		return command_wrong_use(
			"snapshot takes list, or the NODE (a server) to make one on");
	json_out_object_begin(&out);
	if (word && !list)
		json_out_member(&out, "node", word);
	json_out_object_end(&out);
	int code = command_ask(
		options, list ? "snapshot-list" : "snapshot-make", json_out_take(&out), &answer);
	if (code)
		return code;
	if (options->json) {
		command_print_json(answer);
	} else if (list) {
		print_list(value_find(
			answer, "snapshots")); // their names are plain: the region checked
	} else {
		printf("%s makes a snapshot of etcd (job %s): hearth-region snapshot list shows it "
		       "when "
		       "it is there, hearth-region list when that fails\n",
			text_of(answer, "node"), text_of(answer, "job"));
	}
	return 0;
}
