// When each rung first and last began to hold in this boot (CLOCK_BOOTTIME). Kept in /run, so that a restarted hearthd
// goes on with the same timeline.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/ladder.h"
#include "base/json.h"

struct timeline {
	uint64_t first_usec[N_RUNGS], last_usec[N_RUNGS]; // 0: never held
	bool holds[N_RUNGS];
};
/* All rungs below @rung hold now (and RUNG_STEADY itself when it is the answer). True when something began to hold. */
bool timeline_record(struct timeline *timeline, enum rung rung, uint64_t now_usec);
// The array `timeline` of status (docs/contracts.md).
void timeline_to_json(const struct timeline *timeline, struct json_out *out);
// Take @array (the same form) back; entries that make no sense are skipped.
void timeline_from_value(struct timeline *timeline, const struct value *array);
