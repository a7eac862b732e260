// Parts of a node's status with a shape of their own: its volumes, what the platform's GitOps
// engine says, and that it refuses its network (docs/contracts.md). Checked when the status comes; clipped when people are shown
// them. Pure. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/json.h"

struct status_volume {
	const char *path, *sentence; // borrowed; sentence may be ""
	int64_t n_bytes;
	bool ready;
};

// The shapes and limits of "volumes", "platform" and "networkRefused" of the status @body. 0; -EINVAL with the rule.
int status_parts_check(const struct value *body, struct diag *reterr);
// @volumes: "volumes" of a status that was checked. False: there is none of that name.
bool status_volume_find(const struct value *volumes, const char *name, struct status_volume *ret);
// Did what servers are told of this node's volumes change? Texts of statuses; @before may be NULL.
bool status_volumes_changed(const char *before, const struct value *now);
// "platform", "volumes", "jobs" and "networkRefused" of @status for people, clipped; members that are not there are
// left out. @status may be NULL.
void status_parts_put(const struct value *status, struct json_out *out);
