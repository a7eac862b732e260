// Subcommands about machines: list, show, approve, deny, revoke, release.
// SPDX-License-Identifier: Apache-2.0
#include "region/command.h"

#include "base/json.h"
#include "base/time.h"

static char *arguments_of(const struct command_options *options)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	if (options->n_arguments > 0)
		json_out_member(&out, "node", options->arguments[0]);
	if (options->n_arguments > 1)
		json_out_member(&out, "code", options->arguments[1]);
	if (options->role)
		json_out_member(&out, "role", options->role);
	if (options->name)
		json_out_member(&out, "name", options->name);
	if (options->force)
		json_out_member_bool(&out, "force", true);
	json_out_object_end(&out);
	return json_out_take(&out);
}

// For people; --json escapes by itself.
static int ask(const struct command_options *options, const char *call, struct value **ret)
{
	int code = command_ask(options, call, arguments_of(options), ret);
	if (!code && !options->json)
		command_make_printable(*ret);
	return code;
}

static const char *text_of(const struct value *object, const char *key, const char *fallback)
{
	const char *text = value_text(value_find(object, key));
	return text && text[0] ? text : fallback;
}

static bool is_true(const struct value *object, const char *key)
{
	const struct value *value = value_find(object, key);
	return value && value->type == VALUE_BOOL && value->boolean;
}

static long long seconds_since(const struct value *object, const char *key)
{
	const struct value *value = value_find(object, key);
	return value && value->text ? time_wall_msec() / 1000 - strtoll(value->text, NULL, 10) : 0;
}

static void print_machine(const struct value *machine)
{
	bool is_node = str_equal(text_of(machine, "kind", ""), "node");
	printf("%-20s %-11s %-7s %-20s %5llds  %s\n",
		text_of(machine, is_node ? "name" : "id", "-"), text_of(machine, "state", "-"),
		is_node ? text_of(machine, "role", "-") : "-",
		text_of(machine, "serial", text_of(machine, "uuid", "-")),
		seconds_since(machine, "seenSec"),
		is_node ? text_of(machine, "phase", "no status yet")
		: !str_equal(text_of(machine, "state", ""), "pending") ? ""
		: is_true(machine, "hasCode")			       ? "waits for its code"
								       : "starts its exchange");
	if (text_of(machine, "sentence", NULL))
		printf("%20s %s\n", "", text_of(machine, "sentence", ""));
	if (text_of(machine, "replaces", NULL))
		printf("%20s WARNING: claims the hardware of %s; approving it revokes that node\n",
			"", text_of(machine, "replaces", ""));
	if (text_of(machine, "certificateWarning", NULL))
		printf("%20s WARNING: %s\n", "", text_of(machine, "certificateWarning", ""));
	if (is_true(machine, "unauthenticatedBoot"))
		printf("%20s WARNING: booted over plain HTTP without Secure Boot\n", "");
}

static void print_machines(const struct value *list)
{
	for (size_t i = 0; list && i < list->n; i++)
		print_machine(&list->items[i]);
}

int cmd_list(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	if (options->n_arguments)
		return command_wrong_use("list takes no arguments");
	int code = ask(options, "list", &answer);
	if (code)
		return code;
	if (options->json) {
		command_print_json(answer);
		return 0;
	}
	printf("%-20s %-11s %-7s %-20s %6s  %s\n", "NAME", "STATE", "ROLE", "SERIAL", "SEEN",
		"PHASE");
	print_machines(value_find(answer, "nodes"));
	print_machines(value_find(answer, "enrolments"));
	command_print_cluster(answer);
	return 0;
}

static void print_timeline(const struct value *timeline)
{
	for (size_t i = 0; timeline && i < timeline->n; i++) {
		const char *first = value_text(value_find(&timeline->items[i], "firstUsec"));
		const struct value *number = value_find(&timeline->items[i], "firstUsec");
		if (!first && number)
			first = number->text;
		printf("  %8.2f s  %s\n", first ? (double)strtoll(first, NULL, 10) / 1e6 : 0.0,
			text_of(&timeline->items[i], "rung", "?"));
	}
}

int cmd_show(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	if (options->n_arguments != 1)
		return command_wrong_use("show needs one NODE: a name, id, serial, UUID or MAC");
	int code = ask(options, "show", &answer);
	if (code)
		return code;
	const struct value *machine = value_find(answer, "machine");
	if (options->json) {
		command_print_json(machine);
		return 0;
	}
	print_machine(machine);
	print_timeline(value_find(machine, "timeline"));
	return 0;
}

int cmd_approve(const struct command_options *options)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	if (options->n_arguments != 2)
		return command_wrong_use("approve needs NODE and the CODE on its screen");
	int code = ask(options, "approve", &answer);
	if (code)
		return code;
	const struct value *machine = value_find(answer, "machine");
	if (options->json)
		command_print_json(machine);
	else
		printf("%s is approved as %s of the cluster\n", text_of(machine, "name", "?"),
			text_of(machine, "role", "?"));
	if (!options->json && text_of(answer, "hint", NULL))
		printf("%s\n", text_of(answer, "hint", ""));
	return 0;
}

static int one_node(const struct command_options *options, const char *call, const char *said)
{
	CLEANUP(value_freep) struct value *answer = NULL;
	if (options->n_arguments != 1)
		return command_wrong_use("this needs one NODE: a name, id, serial, UUID or MAC");
	int code = command_ask(options, call, arguments_of(options), &answer);
	if (!code)
		printf("%s is %s\n", options->arguments[0], said);
	return code;
}

int cmd_deny(const struct command_options *options)
{
	return one_node(options, "deny", "denied");
}

int cmd_revoke(const struct command_options *options)
{
	return one_node(options, "revoke", "revoked; the secrets it received are to be rotated");
}

int cmd_release(const struct command_options *options)
{
	return one_node(options, "release", "out of quarantine");
}
