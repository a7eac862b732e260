// Ends of commands. Reasons go to stderr in any case, so that a log has them; stdout has the result.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/hearth-net/tell.h"

#include <stdarg.h>

// "FILE:LINE:COLUMN", "FILE:LINE" or a file alone; what else stands there is no file.
static void tell_where(struct json_out *out, const struct arguments *arguments, const char *where)
{
	char text[DIAG_WHERE_MAX];
	unsigned long numbers[2];
	size_t n = 0;
	(void)snprintf(text, sizeof(text), "%s", where); // as large
	for (char *colon; n < 2 && (colon = strrchr(text, ':')); n++) {
		size_t n_digits = strspn(colon + 1, "0123456789");
		if (n_digits == 0 || n_digits > 9 || colon[1 + n_digits])
			break;
		numbers[n] = strtoul(colon + 1, NULL, 10);
		*colon = '\0';
	}
	if (n == 0 && text[0] && text[0] != '/' && !str_equal(text, arguments->file)) {
		json_out_member(out, "where", text);
		return;
	}
	if (text[0])
		json_out_member(out, "file", text);
	if (n > 0)
		json_out_member_int(out, "line", (int64_t)numbers[n - 1]);
	if (n > 1)
		json_out_member_int(out, "column", (int64_t)numbers[0]);
}

static void tell_diag(struct json_out *out, const struct arguments *arguments, const struct diag *diag)
{
	json_out_member(out, "error", diag->message);
	tell_where(out, arguments, diag->where);
}

void tell_notes(struct json_out *out, const struct plan *plan, const char *note)
{
	const char *waits = plan ? plan_waits_for(plan) : NULL;
	AUTO_FREE char *taken = plan && !plan->outcome.n_failed ? plan_taken_over(plan) : NULL; // the last thing that is done
	if (!waits && !note && !taken && !(plan && plan->n_notes))
		return;
	json_out_key(out, "notes");
	json_out_array_begin(out);
	if (taken)
		json_out_string(out, taken);
	for (size_t i = 0; plan && i < plan->n_notes; i++)
		json_out_string(out, plan->notes[i]);
	if (waits)
		json_out_string(out, waits);
	if (note)
		json_out_string(out, note);
	json_out_array_end(out);
}

bool tell_json(struct json_out *out)
{
	AUTO_FREE char *text = json_out_take(out);
	if (text)
		puts(text);
	else
		fprintf(stderr, "hearth-net: out of memory\n");
	(void)fflush(stdout);
	return text != NULL;
}

static size_t n_told(const struct plan_outcome *outcome)
{
	size_t n = outcome->failures ? outcome->n_failed : 0;
	return n < PLAN_MAX_FAILURES ? n : PLAN_MAX_FAILURES;
}

static void tell_outcome(struct json_out *out, const struct arguments *arguments, const struct plan_outcome *outcome)
{
	json_out_member_int(out, "done", (int64_t)outcome->n_done);
	json_out_member_int(out, "failed", (int64_t)outcome->n_failed);
	json_out_member_int(out, "left", (int64_t)outcome->n_left);
	json_out_key(out, "errors");
	json_out_array_begin(out);
	for (size_t i = 0; i < n_told(outcome); i++) {
		json_out_object_begin(out);
		tell_diag(out, arguments, &outcome->failures[i]);
		json_out_object_end(out);
	}
	json_out_array_end(out);
}

void tell_plan_notes(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_notes; i++)
		fprintf(stderr, "hearth-net: %s\n", plan->notes[i]);
	if (plan_waits_for(plan))
		fprintf(stderr, "hearth-net: %s\n", plan_waits_for(plan));
}

static void print_reasons(const struct ending *ending)
{
	const struct plan_outcome *outcome = ending->plan ? &ending->plan->outcome : NULL;
	for (size_t i = 0; outcome && i < n_told(outcome); i++)
		fprintf(stderr, "hearth-net: %s\n", diag_text(&outcome->failures[i]));
	if (outcome && outcome->n_failed > PLAN_MAX_FAILURES)
		fprintf(stderr, "hearth-net: and %zu more failed\n", outcome->n_failed - PLAN_MAX_FAILURES);
	if (ending->error && ending->error->message[0])
		fprintf(stderr, "hearth-net: %s\n", diag_text(ending->error));
	if (ending->plan)
		tell_plan_notes(ending->plan);
	if (ending->note)
		fprintf(stderr, "hearth-net: %s\n", ending->note);
}

int tell_ending(const struct arguments *arguments, const struct ending *ending, int status)
{
	struct json_out out = {0};
	print_reasons(ending);
	if (!arguments->json) {
		if (ending->words)
			puts(ending->words);
		return status;
	}
	json_out_object_begin(&out);
	json_out_member(&out, "result", ending->result);
	if (ending->plan)
		json_out_member_int(&out, "changes", (int64_t)plan_n_changes(ending->plan));
	if (ending->plan && (ending->plan->outcome.n_failed || status == EXIT_PARTLY)) // also when all else failed, as a file
		tell_outcome(&out, arguments, &ending->plan->outcome);
	if (ending->error && ending->error->message[0])
		tell_diag(&out, arguments, ending->error);
	tell_notes(&out, ending->plan, ending->note);
	json_out_object_end(&out);
	return tell_json(&out) ? status : EXIT_FAILED;
}

int tell_failure(const struct arguments *arguments, const struct diag *diag, int error)
{
	struct diag unnamed = {0};
	if (!diag->message[0])
		(void)diag_set(&unnamed, error, "", "%s", strerror(-error));
	const struct ending ending = {.result = "failed", .error = diag->message[0] ? diag : &unnamed};
	return tell_ending(arguments, &ending, EXIT_FAILED);
}

int tell_wrong_use(bool json, const char *format, ...)
{
	struct arguments arguments = {.json = json};
	struct diag diag = {0};
	char message[DIAG_MESSAGE_MAX];
	va_list values;
	va_start(values, format);
	(void)vsnprintf(message, sizeof(message), format, values); // a longer one is cut
	va_end(values);
	(void)diag_set(&diag, 0, "", "%s", message);
	const struct ending ending = {.result = "wrong-use", .error = &diag};
	return tell_ending(&arguments, &ending, EXIT_USAGE);
}
