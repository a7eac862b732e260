// When a revoked node leaves the mesh of the others: at once, but for a server whose etcd talks
// over the mesh. Its member can be removed only while a majority is heard, so it stays until its
// job forget-node is gone, MESH_LEAVE_SEC at most. All of it under the region's lock.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/region.h"

enum { MESH_LEAVE_SEC = 600 }; // a revoked key that is stolen must not stay for long

/* Still a member of etcd that the others have to reach by the mesh: what @job, a job of the
 * cluster, says of its node. Pure. */
bool mesh_leave_waits(const struct job *job, bool over_lan, int64_t now_sec);
// @node was revoked, and its job is made if it has one.
int mesh_leave(struct region *region, const struct node *node);
// The job @job ends: its node's time, too.
int mesh_leave_job(struct region *region, const struct job *job);
// Another node is given the number, and with it the address: by name, as others get another one.
int mesh_leave_place(struct region *region, int64_t number);
// Whose time is over; called every few seconds.
int mesh_leave_step(struct region *region);
// Revoked servers that are still in the mesh. node_list_free().
int mesh_leaving_list(struct region *region, struct node ***ret, size_t *ret_n);
