// When each rung first and last began to hold in this boot (CLOCK_BOOTTIME). Kept in /run, so that a restarted hearthd
// goes on with the same timeline.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/ladder.h"
#include "base/json.h"

enum { TIMELINE_MAX_TRIES = 16, TIMELINE_TRY_MAX = 256 };
struct timeline_try { // one network that was tried, or what came of it
	uint64_t at_usec;
	char candidate[16], text[TIMELINE_TRY_MAX];
};

struct timeline {
	uint64_t first_usec[N_RUNGS], last_usec[N_RUNGS]; // 0: never held
	bool holds[N_RUNGS];
	struct timeline_try tries[TIMELINE_MAX_TRIES]; // oldest first
	size_t n_tries;
};
/* All rungs below @rung hold now (and RUNG_STEADY itself when it is the answer). True when something began to hold. */
bool timeline_record(struct timeline *timeline, enum rung rung, uint64_t now_usec);
// The array `timeline` of status (docs/contracts.md).
void timeline_to_json(const struct timeline *timeline, struct json_out *out);
// Take @array (the same form) back; entries that make no sense are skipped.
void timeline_from_value(struct timeline *timeline, const struct value *array);
// Remember a try; the oldest goes when there is no room, and the same once more counts once.
void timeline_note_try(struct timeline *timeline, const char *candidate, const char *text, uint64_t now_usec);
// The array `networkTries` of status, and back.
void timeline_tries_to_json(const struct timeline *timeline, struct json_out *out);
void timeline_tries_from_value(struct timeline *timeline, const struct value *array);
