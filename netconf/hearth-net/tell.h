// How a command ends: sentences for a person, and on a program's request one JSON object on stdout.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/hearth-net/command.h"

#include "base/json.h"

struct ending {
	const char *result;       // of --json: "confirmed", "undone" ...
	const char *words;        // the same for a person, on stdout; NULL: nothing
	const struct plan *plan;  // what was, or would be, changed; NULL: nothing
	const struct diag *error; // NULL, or without a message: none
	const char *note;         // something to know besides; NULL: nothing
};
// Says it (reasons on stderr), and returns @status.
int tell_ending(const struct arguments *arguments, const struct ending *ending, int status);
// It ended before anything was changed, for this reason; EXIT_FAILED.
int tell_failure(const struct arguments *arguments, const struct diag *diag, int error);
// Wrong use, with one sentence; EXIT_USAGE.
int tell_wrong_use(bool json, const char *format, ...) PRINTF_LIKE(2, 3);
// The member "notes", if there are any.
void tell_notes(struct json_out *out, const struct plan *plan, const char *note);
void tell_plan_notes(const struct plan *plan); // on stderr, for a person
bool tell_json(struct json_out *out); // one line on stdout; false: memory ran out
