// SPDX-License-Identifier: Apache-2.0
#include "region/restore.h"

#include <errno.h>

int restore_report_check(const struct value *body, struct diag *reterr)
{
	static const char *const states[] = { "stopping", "stopped", "restoring", "restored",
		"failed" };
	const struct value *report = value_find(body, "k3sRestore");
	const char *state, *sentence;
	int64_t number;
	bool known = false;
	if (!report || report->type == VALUE_NULL)
		return 0;
	if (report->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "k3sRestore", "must be an object");
	int r = value_int(value_find(report, "n"), "k3sRestore.n", 1, 1 << 30, &number, reterr);
	if (r < 0 ||
		(r = value_string(
			 value_find(report, "state"), "k3sRestore.state", &state, reterr)) < 0 ||
		(r = value_string(value_find(report, "sentence"), "k3sRestore.sentence", &sentence,
			 reterr)) < 0)
		return r;
	for (size_t i = 0; i < N_ELEMENTS(states); i++)
		known |= str_equal(states[i], state);
	if (!known)
		return diag_set(reterr, -EINVAL, "k3sRestore.state",
			"must be stopping, stopped, restoring, restored or failed, not \"%.40s\"",
			state);
	if (strlen(sentence) > RESTORE_MAX_SENTENCE)
		return diag_set(reterr, -EINVAL, "k3sRestore.sentence",
			"must be at most %d bytes, not %zu", RESTORE_MAX_SENTENCE,
			strlen(sentence));
	return 0;
}

bool restore_report_find(const struct value *status, int64_t number, struct restore_report *ret)
{
	const struct value *report = value_find(status, "k3sRestore");
	struct restore_report found = { .state = value_text(value_find(report, "state")),
		.sentence = value_text(value_find(report, "sentence")) };
	if (!found.state || !found.sentence ||
		value_int(value_find(report, "n"), "n", 1, 1 << 30, &found.number, NULL) < 0 ||
		found.number != number)
		return false;
	*ret = found;
	return true;
}

const char *restore_state_name(int64_t state)
{
	static const char *const names[] = { "stopping", "running", "done", "failed", "undone" };
	return state >= 0 && (size_t)state < N_ELEMENTS(names) ? names[state] : "unknown";
}

bool restore_holds(const struct restore *restore)
{
	return restore && restore->state != RESTORE_DONE && restore->state != RESTORE_UNDONE;
}

static enum restore_action decide_stopping(
	const struct restore *restore, const struct restore_facts *facts, char **ret_sentence)
{
	if (facts->running) {
		*ret_sentence = str_format("waiting for server %s to stop its K3s; when it is "
					   "gone for good: hearth-region revoke %s --force",
			facts->running, facts->running);
		return RESTORE_WAIT;
	}
	if (!str_equal(facts->report.state, "stopped")) {
		*ret_sentence = str_format("waiting for server %s to stop its K3s%s", facts->name,
			facts->silent ? "; it is silent: look at its screen" : "");
		return RESTORE_WAIT;
	}
	*ret_sentence = str_format("every server that is heard has stopped its K3s; %s restores %s",
		facts->name, restore->snapshot);
	return RESTORE_BEGIN;
}

enum restore_action restore_decide(
	const struct restore *restore, const struct restore_facts *facts, char **ret_sentence)
{
	if (!facts->name) {
		*ret_sentence = str_format("the server that restores it was revoked; name another "
					   "one: hearth-region cluster restore");
		return RESTORE_FAIL;
	}
	if (str_equal(facts->report.state, "failed")) {
		*ret_sentence = str_format("%s could not restore %s: %.600s", facts->name,
			restore->snapshot, facts->report.sentence);
		return RESTORE_FAIL;
	}
	if (str_equal(facts->report.state, "restored")) {
		*ret_sentence = str_format("%s restored %s; the other servers join it one by one",
			facts->name, restore->snapshot);
		return RESTORE_END;
	}
	if (restore->state == RESTORE_STOPPING && facts->away_sec) {
		*ret_sentence = str_format("the region was away for %lld s since it was ordered, and may come from a backup: "
			"nothing was begun; order it again (hearth-region cluster restore) or give it up (cluster undo)",
			(long long)facts->away_sec);
		return RESTORE_FAIL;
	}
	if (restore->state == RESTORE_STOPPING)
		return decide_stopping(restore, facts, ret_sentence);
	*ret_sentence = str_format("%s restores %s%s%.300s%s", facts->name, restore->snapshot,
		facts->report.state && facts->report.sentence[0] ? ": " : "",
		facts->report.state ? facts->report.sentence : "",
		facts->silent ? "; it is silent: look at its screen" : "");
	return RESTORE_WAIT;
}
