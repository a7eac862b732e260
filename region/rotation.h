// K3s' tokens become others. The server token: K3s itself takes the new one first, by a job of one
// server (it encrypts with it what a server needs to join), then it is the region's, and every
// server starts anew with it in a rollout. The agent token: the region's at once; a rollout brings
// it to the servers, then to the workers. All of it under the region's lock. Source: docs.k3s.io
// "k3s token". SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/membership.h"

#define ROTATION_SERVER_TOKEN "k3s-server-token"
#define ROTATION_AGENT_TOKEN "k3s-agent-token"

/* Begin. Refused with a sentence when a server is not well, or a rollout, a restore or another
 * rotation goes on. *ret_next: what happens now, for a person; the caller frees. */
int rotation_start(struct region *region, const char *actor, const char *name, char **ret_next,
	struct diag *reterr);
/* The job of @node is done: K3s has the new server token. */
int rotation_taken(struct region *region, const struct node *node);
// How often nodes were to fetch their tokens anew; 0: never.
int64_t rotation_number(struct region *region);
// When the server token was rotated last, 0: never. A snapshot of before opens with another one.
int64_t rotation_server_sec(struct region *region);
/* Is @token (K10<hash>::server:SECRET) one that this cluster's K3s has, will have or had? */
bool rotation_knows(struct region *region, const char *token);
/* The member "secretsToRotate" of the open object: names of secrets that a revoked node may know.
 */
int rotation_put(struct region *region, struct json_out *out);
// Mark what @node, which was revoked, may know.
int rotation_mark(struct region *region, const struct node *node);
