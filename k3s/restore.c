// SPDX-License-Identifier: Apache-2.0
#include "k3s/restore.h"
#include "base/json.h"
#include <errno.h>

int restore_note_parse(const char *text, size_t n, struct restore_note *ret, struct diag *reterr)
{
	struct value *document CLEANUP(value_freep) = NULL;
	struct restore_note note = {0};
	const char *why = "";
	const struct {
		const char *key;
		int64_t *number;
	} numbers[] = {{"restored", &note.restored}, {"rejoined", &note.rejoined}, {"begun", &note.begun}, {"tries", &note.tries},
		{"failed", &note.failed}};
	int r = json_parse(text, n, RESTORE_NOTE_MAX_BYTES, &document, reterr);

	for (size_t i = 0; r == 0 && i < N_ELEMENTS(numbers); i++)
		r = value_int(value_find(document, numbers[i].key), numbers[i].key, 0, RESTORE_MAX_NUMBER, numbers[i].number, reterr);
	if (r == 0)
		r = value_string(value_find(document, "why"), "why", &why, reterr);
	if (r < 0)
		return r;
	snprintf(note.why, sizeof(note.why), "%s", why);
	*ret = note;
	return 0;
}

char *restore_note_format(const struct restore_note *note)
{
	struct json_out out = {0};

	json_out_object_begin(&out);
	json_out_member_int(&out, "restored", note->restored);
	json_out_member_int(&out, "rejoined", note->rejoined);
	json_out_member_int(&out, "begun", note->begun);
	json_out_member_int(&out, "tries", note->tries);
	json_out_member_int(&out, "failed", note->failed);
	json_out_member(&out, "why", note->why);
	json_out_object_end(&out);
	return json_out_take(&out);
}

// What has to be stopped first, or is.
static enum restore_step when_down(const struct restore_facts *facts, enum restore_step then)
{
	switch (facts->unit) {
	case RESTORE_UNIT_UP:
		return RESTORE_STOP;
	case RESTORE_UNIT_CHANGES:
		return RESTORE_WAIT;
	case RESTORE_UNIT_DOWN:
		return then;
	}
	return RESTORE_WAIT;
}

static enum restore_step restore_here(const struct restore_note *note, const struct restore_facts *facts)
{
	bool begun = note->begun == facts->restore;

	if (note->failed == facts->restore)
		return begun ? when_down(facts, RESTORE_FAILED) : RESTORE_NOTHING; // refused before anything was touched
	if (!begun && !facts->has_snapshot)
		return RESTORE_REFUSE;
	enum restore_step down = when_down(facts, RESTORE_RUN);
	if (down != RESTORE_RUN || !facts->begin)
		return down == RESTORE_RUN ? RESTORE_WAIT : down;
	if (begun && facts->try_is_ours)
		return RESTORE_RUN;
	return begun && note->tries >= RESTORE_MAX_TRIES ? RESTORE_GIVE_UP : RESTORE_BEGIN;
}

enum restore_step restore_next(const struct restore_note *note, const struct restore_facts *facts)
{
	if (facts->stop > note->rejoined) // who has rejoined runs the restored database
		return when_down(facts, RESTORE_WAIT);
	if (facts->restore > note->restored)
		return restore_here(note, facts);
	if (facts->rejoin > note->rejoined)
		return when_down(facts, RESTORE_MOVE);
	return RESTORE_NOTHING;
}
