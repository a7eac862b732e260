// hearth-region mesh-key: the nodes' WireGuard keys become others.
// SPDX-License-Identifier: Apache-2.0
#include "region/command.h"

#include "base/json.h"

static char *node_argument(const struct command_options *options)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	if (options->n_arguments > 1)
		json_out_member(&out, "node", options->arguments[1]);
	json_out_object_end(&out);
	return json_out_take(&out);
}

static void print_names(const struct value *names)
{
	for (size_t i = 0; names && i < names->n; i++)
		printf("%s%s", i ? ", " : "", value_text(&names->items[i]));
}

static int rotate(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	int code = command_ask(options, "mesh-key-rotate", node_argument(options), &answer);
	if (code)
		return code;
	if (options->json) {
		command_print_json(answer);
		return 0;
	}
	const struct value *names = value_find(answer, "rotates"), *outside = value_find(answer, "peersOutside");
	if (!names || !names->n) {
		printf("every node rotates its key already\n");
		return 0;
	}
	print_names(names);
	printf(": the WireGuard key becomes another one, one node at a time: hearth-region mesh-key status\n");
	if (outside && outside->n) {
		printf("the files of peers outside (");
		print_names(outside);
		printf(") have the old keys of servers: put what hearth-region peer servers prints in\n"
		       "place of their [Peer] sections when it is done\n");
	}
	return 0;
}

static int status(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	int code = command_ask(options, "mesh-key-status", node_argument(options), &answer);
	const struct value *keys = value_find(answer, "meshKeys");
	if (code)
		return code;
	if (options->json) {
		command_print_json(keys);
		return 0;
	}
	command_make_printable(answer);
	printf("%-20s %-10s %-24s %-46s %s\n", "NODE", "STATE", "SINCE", "PUBLIC KEY", "");
	for (size_t i = 0; keys && i < keys->n; i++) {
		static const char *const names[] = { "node", "state", "since", "publicKey", "sentence" };
		const char *texts[N_ELEMENTS(names)];
		for (size_t k = 0; k < N_ELEMENTS(names); k++) {
			texts[k] = value_text(value_find(&keys->items[i], names[k]));
			texts[k] = texts[k] ? texts[k] : "-";
		}
		printf("%-20s %-10s %-24s %-46s %s\n", texts[0], texts[1], texts[2], texts[3], texts[4]);
	}
	return 0;
}

int cmd_mesh_key(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	const char *what = options->n_arguments ? options->arguments[0] : "";
	if (str_equal(what, "rotate") && options->n_arguments == 2)
		return rotate(options);
	if (str_equal(what, "status") && options->n_arguments == 1)
		return status(options);
	if (!str_equal(what, "stop") || options->n_arguments != 2)
		return command_wrong_use("mesh-key is rotate NODE|all, status, or stop NODE");
	if (options->json)
		return command_wrong_use("--json is for mesh-key rotate and status");
	int code = command_ask(options, "mesh-key-stop", node_argument(options), &answer);
	if (code)
		return code;
	if (str_equal(value_text(value_find(answer, "state")), "stopping"))
		printf("%s is told to keep its WireGuard key, and says when it does: hearth-region mesh-key status\n",
			options->arguments[1]);
	else
		printf("%s keeps its WireGuard key\n", options->arguments[1]);
	return 0;
}
