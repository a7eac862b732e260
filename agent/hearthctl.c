// hearthctl: ask hearthd, over D-Bus. One table of commands; each is one function below.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include <errno.h>
#include <systemd/sd-bus.h>

#define BUS_NAME "io.hearth.Agent1"
#define BUS_PATH "/io/hearth/Agent1"

struct call {
	sd_bus *bus;
	bool json;
	int n_args;
	char **args;
};

static int fail(const char *what, int error, const sd_bus_error *bus_error)
{
	if (bus_error && sd_bus_error_has_name(bus_error, SD_BUS_ERROR_SERVICE_UNKNOWN))
		fprintf(stderr, "hearthctl: hearthd does not run\n");
	else
		fprintf(stderr, "hearthctl: %s: %s\n", what, bus_error && bus_error->message ? bus_error->message : strerror(-error));
	return 1;
}

// A property that holds JSON: as text, and parsed when @ret_value is given. 0 or the exit status.
static int get_json(const struct call *call, const char *property, char **ret_text, struct value **ret_value)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_get_property_string(call->bus, BUS_NAME, BUS_PATH, BUS_NAME, property, &error, ret_text);
	if (r >= 0 && ret_value)
		r = json_parse(*ret_text, strlen(*ret_text), 0, ret_value, NULL);
	int rc = r < 0 ? fail("cannot ask hearthd", r, &error) : 0;
	sd_bus_error_free(&error);
	return rc;
}

static const char *text_of(const struct value *object, const char *key)
{
	const char *text = value_text(value_find(object, key));
	return text ? text : "";
}

// Each setting with who says so, and what is known against it.
static void print_settings(const struct value *settings)
{
	for (size_t i = 0; settings && settings->type == VALUE_ARRAY && i < settings->n; i++) {
		const struct value *setting = &settings->items[i];
		printf("k3s:        %s=%s (%s)\n", text_of(setting, "key"), text_of(setting, "value"), text_of(setting, "origin"));
		if (*text_of(setting, "advice"))
			printf("            advice: %s\n", text_of(setting, "advice"));
	}
}

static void print_jobs(const struct value *jobs)
{
	for (size_t i = 0; jobs && jobs->type == VALUE_OBJECT && i < jobs->n; i++)
		printf("job:        %s %s%s%s\n", jobs->keys[i], text_of(&jobs->items[i], "state"),
			*text_of(&jobs->items[i], "sentence") ? ": " : "", text_of(&jobs->items[i], "sentence"));
}

static void print_platform(const struct value *status)
{
	const struct value *platform = value_find(status, "platform"), *items = value_find(platform, "items");
	int64_t n = 0, n_ready = 0, age_sec = 0;
	if (*text_of(status, "platformWatchedBy"))
		printf("platform:   watched by %s\n", text_of(status, "platformWatchedBy"));
	if (!platform || value_int(value_find(platform, "n"), "n", 0, INT64_MAX, &n, NULL) < 0 ||
		value_int(value_find(platform, "nReady"), "nReady", 0, INT64_MAX, &n_ready, NULL) < 0)
		return;
	printf("platform:   %lld of %lld objects of Flux are ready\n", (long long)n_ready, (long long)n);
	for (size_t i = 0; items && i < items->n; i++) {
		const struct value *item = &items->items[i];
		if (value_int(value_find(item, "ageSec"), "ageSec", 0, INT64_MAX, &age_sec, NULL) < 0)
			age_sec = 0;
		printf("not ready:  %s %s/%s, %lld s: %s\n", text_of(item, "kind"), text_of(item, "namespace"), text_of(item, "name"),
			(long long)age_sec, text_of(item, "message"));
	}
}

static int run_status(const struct call *call)
{
	char *text AUTO_FREE = NULL;
	struct value *status CLEANUP(value_freep) = NULL;
	int rc = get_json(call, "Status", &text, &status);
	if (rc)
		return rc;
	if (call->json) {
		puts(text);
		return 0;
	}
	const char *name = text_of(status, "name"), *code = text_of(status, "code");
	printf("node:       %s\n", *name ? name : text_of(status, "serial"));
	printf("phase:      %s\n", text_of(status, "phase"));
	printf("waits for:  %s\n", text_of(status, "sentence"));
	if (*code)
		printf("code:       %s\n", code);
	printf("seed:       %s\n", text_of(status, "seedSource"));
	printf("kubernetes: %s\n", text_of(status, "kubernetes"));
	print_platform(status);
	const struct value *warnings = value_find(status, "warnings");
	for (size_t i = 0; warnings && i < warnings->n; i++)
		printf("warning:    %s\n", value_text(&warnings->items[i]));
	print_jobs(value_find(status, "jobs"));
	print_settings(value_find(status, "k3sSettings"));
	const struct value *mesh = value_find(status, "mesh");
	for (size_t i = 0; mesh && i < mesh->n; i++) {
		int64_t ago = -1;
		(void)value_int(value_find(&mesh->items[i], "handshakeAgoSec"), "handshakeAgoSec", -1, INT64_MAX, &ago, NULL);
		printf("peer:       %s %s", text_of(&mesh->items[i], "publicKey"), text_of(&mesh->items[i], "endpoint"));
		bool answers = true;
		(void)value_bool(value_find(&mesh->items[i], "answers"), "answers", &answers, NULL); // an older hearthd does not say
		if (!answers)
			printf(", does not answer");
		if (ago < 0)
			printf(", no handshake yet\n");
		else
			printf(", handshake %lld s ago\n", (long long)ago);
	}
	return 0;
}

static void print_tries(const struct call *call)
{
	char *text AUTO_FREE = NULL;
	struct value *status CLEANUP(value_freep) = NULL;
	if (get_json(call, "Status", &text, &status) != 0)
		return; // it said why
	const struct value *tries = value_find(status, "networkTries");
	for (size_t i = 0; tries && tries->type == VALUE_ARRAY && i < tries->n; i++) {
		int64_t at = 0;
		if (value_int(value_find(&tries->items[i], "atUsec"), "atUsec", 0, INT64_MAX, &at, NULL) == 0)
			printf("%snetwork %-9s %8.2f s  %s\n", i == 0 ? "\n" : "", text_of(&tries->items[i], "network"),
				(double)at / 1e6, text_of(&tries->items[i], "text"));
	}
}

static int run_timeline(const struct call *call)
{
	char *text AUTO_FREE = NULL;
	struct value *timeline CLEANUP(value_freep) = NULL;
	int rc = get_json(call, "Timeline", &text, &timeline);
	if (rc)
		return rc;
	if (call->json) {
		puts(text);
		return 0;
	}
	printf("%-16s %10s %10s\n", "rung", "first", "last");
	for (size_t i = 0; i < timeline->n; i++) {
		int64_t first = 0, last = 0;
		const struct value *row = &timeline->items[i];
		if (value_int(value_find(row, "firstUsec"), "firstUsec", 0, INT64_MAX, &first, NULL) < 0 ||
			value_int(value_find(row, "lastUsec"), "lastUsec", 0, INT64_MAX, &last, NULL) < 0)
			continue;
		printf("%-16s %8.2f s %8.2f s\n", text_of(row, "rung"), (double)first / 1e6, (double)last / 1e6);
	}
	print_tries(call);
	return 0;
}

static int call_method(const struct call *call, const char *method, const char *argument, bool print)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	const char *text = NULL;
	int r = argument ? sd_bus_call_method(call->bus, BUS_NAME, BUS_PATH, BUS_NAME, method, &error, &reply, "s", argument)
			 : sd_bus_call_method(call->bus, BUS_NAME, BUS_PATH, BUS_NAME, method, &error, &reply, NULL);
	if (r >= 0 && print)
		r = sd_bus_message_read(reply, "s", &text);
	int rc = r < 0 ? fail(method, r, &error) : 0;
	if (text && call->json) {
		struct json_out out = { 0 };
		json_out_object_begin(&out);
		json_out_member(&out, "sentence", text);
		json_out_object_end(&out);
		char *json AUTO_FREE = json_out_take(&out);
		puts(json ? json : "{}");
	} else if (text) {
		puts(text);
	}
	sd_bus_message_unref(reply);
	sd_bus_error_free(&error);
	return rc;
}

static int run_explain(const struct call *call)
{
	return call_method(call, "Explain", NULL, true);
}

static int run_reset(const struct call *call)
{
	bool clock = false;
	for (int i = 0; i < call->n_args; i++)
		clock |= str_equal(call->args[i], "clock");
	if (!clock || call->n_args != 1) {
		fprintf(stderr, "hearthctl: reset: say what: --clock\n");
		return 2;
	}
	return call_method(call, "Reset", "clock", false);
}

static int run_confirm(const struct call *call)
{
	if (call->n_args != 1) {
		fprintf(stderr, "hearthctl: confirm: takes the code, as shown by the region's page\n");
		return 2;
	}
	return call_method(call, "Confirm", call->args[0], false);
}

static int run_hurry(const struct call *call)
{
	return call_method(call, "Hurry", NULL, false);
}

static const struct command {
	const char *name;
	int (*run)(const struct call *call);
	const char *help;
	int n_args;
} commands[] = {
	{ "status", run_status, "what this node is and what it waits for", 0 },
	{ "timeline", run_timeline, "when each rung of the ladder first and last began to hold (seconds since boot)", 0 },
	{ "explain", run_explain, "the one sentence: what is waited for, why, who can mend it", 0 },
	{ "hurry", run_hurry, "try everything again now, a network that was refused, too", 0 },
	{ "confirm", run_confirm, "CODE: this is the region I see on its page (only for a seed without a pin)", 1 },
	{ "reset", run_reset, "--clock: forget the last time heard from the region", 1 },
};

static void usage(FILE *out)
{
	fprintf(out, "hearthctl [--json] COMMAND\n\n");
	for (size_t i = 0; i < N_ELEMENTS(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
}

static int run_command(const struct command *command, bool json, int n_args, char **args)
{
	struct call call = { .json = json, .n_args = n_args, .args = args };
	if (n_args > command->n_args) {
		fprintf(stderr, "hearthctl: %s: takes %s, not \"%s\" as well\n", command->name,
			command->n_args ? "one word" : "nothing", args[command->n_args]);
		return 2;
	}
	int r = sd_bus_open_system(&call.bus);
	if (r < 0)
		return fail("the system bus cannot be reached", r, NULL);
	int rc = command->run(&call);
	sd_bus_flush_close_unref(call.bus);
	return rc;
}

int main(int argc, char *argv[])
{
	bool json = false;
	char *words[8];
	int n = 0;
	for (int i = 1; i < argc; i++) {
		if (str_equal(argv[i], "--json")) {
			json = true;
		} else if (str_equal(argv[i], "--help") || str_equal(argv[i], "-h")) {
			usage(stdout);
			return 0;
		} else if (str_equal(argv[i], "--version")) {
			puts("hearthctl " HEARTH_VERSION);
			return 0;
		} else if (n < (int)N_ELEMENTS(words)) {
			words[n++] = str_starts(argv[i], "--") ? argv[i] + 2 : argv[i];
		}
	}
	for (size_t i = 0; n > 0 && i < N_ELEMENTS(commands); i++)
		if (str_equal(commands[i].name, words[0]))
			return run_command(&commands[i], json, n - 1, words + 1);
	if (n == 0)
		usage(stderr);
	else
		fprintf(stderr, "hearthctl: no command \"%s\"; try --help\n", words[0]);
	return 2;
}
