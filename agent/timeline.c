// SPDX-License-Identifier: Apache-2.0
#include "agent/timeline.h"

bool timeline_record(struct timeline *timeline, enum rung rung, uint64_t now_usec)
{
	bool changed = false;
	for (int r = 0; r < N_RUNGS; r++) {
		bool holds = r < (int)rung || (r == RUNG_STEADY && rung == RUNG_STEADY);
		if (holds && !timeline->holds[r]) {
			if (!timeline->first_usec[r])
				timeline->first_usec[r] = now_usec;
			timeline->last_usec[r] = now_usec;
			changed = true;
		}
		timeline->holds[r] = holds;
	}
	return changed;
}

void timeline_to_json(const struct timeline *timeline, struct json_out *out)
{
	json_out_array_begin(out);
	for (int r = 0; r < N_RUNGS; r++) {
		if (!timeline->first_usec[r])
			continue;
		json_out_object_begin(out);
		json_out_member(out, "rung", rung_name(r));
		json_out_member_int(out, "firstUsec", (int64_t)timeline->first_usec[r]);
		json_out_member_int(out, "lastUsec", (int64_t)timeline->last_usec[r]);
		json_out_object_end(out);
	}
	json_out_array_end(out);
}

void timeline_from_value(struct timeline *timeline, const struct value *array)
{
	if (!array || array->type != VALUE_ARRAY)
		return;
	for (size_t i = 0; i < array->n; i++) {
		const char *name = value_text(value_find(&array->items[i], "rung"));
		int64_t first, last;
		if (!name || value_int(value_find(&array->items[i], "firstUsec"), "firstUsec", 1, INT64_MAX, &first, NULL) < 0 ||
			value_int(value_find(&array->items[i], "lastUsec"), "lastUsec", first, INT64_MAX, &last, NULL) < 0)
			continue;
		for (int r = 0; r < N_RUNGS; r++) {
			if (!str_equal(rung_name(r), name))
				continue;
			timeline->first_usec[r] = (uint64_t)first;
			timeline->last_usec[r] = (uint64_t)last;
			timeline->holds[r] = true; // the restarted hearthd takes the rung up where it was
		}
	}
}

void timeline_note_try(struct timeline *timeline, const char *candidate, const char *text, uint64_t now_usec)
{
	struct timeline_try *last = timeline->n_tries ? &timeline->tries[timeline->n_tries - 1] : NULL;
	if (last && str_equal(last->candidate, candidate) && strncmp(last->text, text, sizeof(last->text) - 1) == 0)
		return;
	if (timeline->n_tries == TIMELINE_MAX_TRIES)
		memmove(timeline->tries, timeline->tries + 1, --timeline->n_tries * sizeof(timeline->tries[0]));
	last = &timeline->tries[timeline->n_tries++];
	last->at_usec = now_usec;
	(void)snprintf(last->candidate, sizeof(last->candidate), "%s", candidate); // our own words: they fit
	(void)snprintf(last->text, sizeof(last->text), "%s", text); // a cut sentence is still one
}

void timeline_tries_to_json(const struct timeline *timeline, struct json_out *out)
{
	json_out_array_begin(out);
	for (size_t i = 0; i < timeline->n_tries; i++) {
		json_out_object_begin(out);
		json_out_member_int(out, "atUsec", (int64_t)timeline->tries[i].at_usec);
		json_out_member(out, "network", timeline->tries[i].candidate);
		json_out_member(out, "text", timeline->tries[i].text);
		json_out_object_end(out);
	}
	json_out_array_end(out);
}

void timeline_tries_from_value(struct timeline *timeline, const struct value *array)
{
	for (size_t i = 0; array && array->type == VALUE_ARRAY && i < array->n; i++) {
		const struct value *one = &array->items[i];
		const char *candidate = value_text(value_find(one, "network")), *text = value_text(value_find(one, "text"));
		int64_t at_usec;
		if (candidate && text && value_int(value_find(one, "atUsec"), "atUsec", 0, INT64_MAX, &at_usec, NULL) == 0)
			timeline_note_try(timeline, candidate, text, (uint64_t)at_usec);
	}
}
