// Rotations of nodes' WireGuard keys in the store: begun by people, moved on by what nodes report and
// fetch. All of it under the region's lock. What comes next is key-rotation.h's to say.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/json.h"
#include "region/key-rotation.h"
#include "region/region.h"

/* A rotation of @node is wanted. -EALREADY one goes on; -EINVAL the node is no part of the mesh. */
int key_rotation_start(
	struct region *region, const char *actor, const struct node *node, struct diag *reterr);
/* Give it up; -ENOENT with a sentence: none goes on. A node that was told to switch is told to keep its
 * key, and peers have both until it says that it does (KEY_ROTATION_STOPPING); to stop that one once
 * more ends it at once. @node may get another place among the changes of the mesh: it is put. */
int key_rotation_stop(
	struct region *region, const char *actor, struct node *node, struct diag *reterr);
/* What the status @body of @node says of its keys. 1: something became of it, @node may have another
 * key and another place among the changes of the mesh; the caller puts it, and calls key_rotation_step()
 * afterwards. 0: nothing did. The shape was checked. */
int key_rotation_report(struct region *region, struct node *node, const struct value *body);
// The shape of "meshKey" of the status @body. 0; -EINVAL with the rule.
int key_rotation_report_check(const struct value *body, struct diag *reterr);
// @node got another key by an enrolment: the rotation that goes on is done by it, or begins anew.
int key_rotation_key_changed(struct region *region, const struct node *node);
// @node has fetched all changes of the mesh up to @generation.
int key_rotation_fetched(struct region *region, const struct node *node, int64_t generation);
/* Every few seconds, and when something became of a rotation: it reads which nodes are heard, all of
 * them, so that it is not for each request. */
int key_rotation_step(struct region *region);
// @node is revoked.
int key_rotation_forget(struct region *region, const struct node *node);
/* The next key of the node @id that its peers get, or NULL. @rotations: store_key_rotation_announced().
 */
const char *key_rotation_announced(
	struct key_rotation *const *rotations, size_t n, const char *id);
// The member "meshKeys" of the open object: every rotation, the nodes' names with it.
int key_rotation_put(struct region *region, struct json_out *out);
