// What the region knows of where its nodes are in the mesh: each node's place (mesh-place.h) in the
// store, what nodes say of each other (mesh-offer.h) in memory. All of it under the region's lock.
// What it costs with N nodes: a place is made from facts when a node's facts or address changed,
// once; a full answer of GET /v1/mesh is N rows of some 150 bytes and two choices each, a delta
// only those that changed; a node that moved is one row for everybody, and a full answer for itself
// alone. When all of them move at once (another `lan` in cluster.yaml), all is told to all: N * N rows,
// once. What a node says of its peers costs one look-up per peer that it names.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/mesh-place.h"
#include "region/region.h"

/* @node said where it is by @facts, coming from node->remote. When that is new, its place is
 * written down, everybody is told of it and it is told everything anew; the caller puts the node. What is new
 * by the latter alone has to stand for a while (mesh-sight.h). */
int mesh_reach_settle(struct region *region, struct node *node, const struct value *facts);
// The place of a node, made from its record when there is none; and since when it sees others by
// it.
int mesh_reach_place(struct region *region, const char *id, const char *text,
	struct mesh_place *ret, int64_t *ret_view_generation);
/* What @node says of its peers ("mesh" of its status): who has a session with a node that nobody
 * can reach first tells where that one is; who has none is offered that. */
int mesh_reach_report(struct region *region, const struct node *node, const struct value *mesh);
/* The answer of GET /v1/mesh to @node, JSON that the caller frees: everything, or what is new since
 * @since ("EPOCH.GEN" or NULL). 1; 0: there is nothing new, *ret is as it was; negative errno.
 * (api-mesh.c) */
int mesh_answer(struct region *region, const struct node *node, const char *since, char **ret);
// @node left. region->offers is there.
void mesh_reach_forget(struct region *region, const struct node *node);
int mesh_reach_step(struct region *region); // offers whose time is over; every few seconds
