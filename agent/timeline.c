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
