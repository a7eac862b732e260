// The cluster's members over time: who is admitted, by which server it joins, what healthy servers
// have to do, and the rollout. The deciding is admission.h, job.h and rollout.h; this keeps it in
// the store. All of it under the region's lock. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/admission.h"
#include "region/member-report.h"
#include "region/region.h"

// What is said of a quarantined server: its node is answered 409, so it can do nothing for the
// cluster.
#define QUARANTINE_SENTENCE "two machines speak with its key: hearth-region release or revoke it"

// Everything a decision needs. The servers are those that were admitted and not revoked, by number.
struct membership {
	struct cluster *cluster;
	size_t n_servers, n_jobs;
	struct node **nodes;
	struct member **members;
	struct admission_server *servers; // texts borrowed from nodes and statuses
	struct value **statuses;	  // of those that are not up; else NULL
	struct job **jobs;
};
int membership_load(struct region *region, struct membership *ret);
int membership_reload(struct region *region, struct membership *membership);
void membership_done(struct membership *membership);
// Index of the server with node id @id; SIZE_MAX.
size_t membership_server(const struct membership *membership, const char *id);

/* The member record of @node: admitted just now if it may be, its join server replaced when that
 * left and another one is there. *ret NULL: it has to wait, *ret_waiting says for what (the caller
 * frees both). *ret_changed: something was written that must be durable before it is told. */
int membership_settle(struct region *region, struct membership *membership, const struct node *node,
	struct member **ret, char **ret_waiting, bool *ret_changed);
// Keep what @node's status says. @was_ready: before this status.
int membership_report(struct region *region, const struct node *node, bool was_ready,
	const struct member_report *report);
/* @node was revoked: its record goes; a server is asked to remove it from the cluster. A first
 * server that was never Ready takes the cluster that it made with it: whoever comes next is first.
 * @cluster is written, too. */
int membership_leave(
	struct region *region, struct cluster *cluster, const struct node *node, const char *actor);
/* A person gives the cluster up, though it was Ready once: every member is forgotten and the next
 * server makes it anew. -EBUSY while a server is admitted, -EALREADY when it was never Ready. */
int membership_anew(struct region *region, const char *actor, struct diag *reterr);
// 0; -EBUSY with rule and values when etcd would lose its majority without @node.
int membership_may_leave(struct region *region, const struct node *node, struct diag *reterr);
/* Give jobs to servers that can do them, take the rollout as far as it goes. Called when something
 * was told and every few seconds. */
int membership_step(struct region *region);
