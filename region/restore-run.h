// The restore of a cluster in the store (restore.h decides). All of it under the region's lock.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/membership.h"
#include "region/restore.h"

/* Take the cluster back to @snapshot, which lies on @node. Refused with a sentence when that server
 * does not report it or was not heard, while a rollout or a restore goes on, and without @force,
 * which says what is lost. */
int restore_start(struct region *region, const char *actor, const struct node *node,
	const char *snapshot, bool force, struct diag *reterr);
/* A person gives up a restore that did not begin, or that failed: the servers that voted before it
 * start K3s with the database that they have; the one that failed, or had none, leaves the cluster
 * and joins it again. -EINVAL when there is nothing to give up, or nobody who could go on. */
int restore_undo(struct region *region, const char *actor, struct diag *reterr);
// As far as it goes. *ret_changed: something happened.
int restore_go_on(struct region *region, bool *ret_changed);
// The last one; -ENOENT: there never was any.
int restore_load(struct region *region, struct restore **ret);
// The restore for which @node has to join with an empty database, once; 0: none.
int64_t restore_rejoins(struct region *region, const struct node *node);
// The cluster is given up: what was to be restored is of no use to the next one.
int restore_forget(struct region *region);
/* *ret_waiting: why no node is admitted now; NULL: a restore is no reason. Returns 0: there never
 * was any, 1: there was, negative errno. */
int restore_hinders(struct region *region, char **ret_waiting);
