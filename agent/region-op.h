// One question to the region: when it may be asked again, and what any answer to any question says of the region and of us.
// Shared by region-client.c, which asks, and region-op.c.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/region-client.h"

// Neither under way nor waiting for its backoff.
bool region_op_idle(const struct region_op_state *op);
// Not before @delay_usec.
void region_op_wait(struct region_op_state *op, uint64_t delay_usec);
// Not before its backoff, or the seconds of a Retry-After (may be NULL). @problem is copied.
void region_op_failed(struct region_op_state *op, const char *problem, const char *retry_after);
/* Every answer passes here first. True: 2xx or 304, and the asker may read it. Else what it means is noted and the question
 * backs off. */
bool region_op_answered(struct region_op_state *op, const struct http_response *response);

// region-client.c: look again at what to ask; the same after telling the owner; no hello holds any more.
void region_client_kick(struct region_client *client);
void region_client_changed(struct region_client *client);
void region_client_forget_hello(struct region_client *client);
