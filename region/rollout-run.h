// The rollout in the store: facts for rollout.h, and what that decides done.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/membership.h"
#include "region/rollout.h"

// The number of the newest rollout: what new members are given.
int64_t rollout_number(struct region *region);
// The region starts: the time in which it was away counts for no step.
int rollout_loaded(struct region *region);
/* Take a running rollout one action further. *ret_changed: something was done, call again. */
int rollout_go_on(struct region *region, const struct membership *membership,
	struct rollout *rollout, bool *ret_changed);
// How many members run older settings than cluster.yaml has.
int rollout_count_older(struct region *region, size_t *ret);

// Member @node_id gets its turn in the next rollout, or in the one that goes on, whatever settings it has.
int rollout_mark(struct region *region, const char *node_id);

// What people ask for. -EALREADY, -ENOENT with a sentence.
int rollout_start(struct region *region, const char *actor, bool all, int64_t timeout_sec,
	struct diag *reterr);
int rollout_stop(struct region *region, const char *actor, struct diag *reterr);
int rollout_resume(struct region *region, const char *actor, struct diag *reterr);
