// One walk over the stages of a bootstrap: lay stage after stage when this server holds the Lease, ask the API object by
// object, stop at the first that is not ready. When to walk again is the caller's business.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "k3s/kube.h"
#include "k3s/lease.h"
#include "k3s/stages.h"

#define STAGE_WALK_LEASE "hearth-bootstrap" // who lays
#define STAGE_WALK_ADDONS "/apis/k3s.cattle.io/v1/namespaces/kube-system/addons" // what K3s applied, by whichever server

struct stage_walk_result {
	bool holder;         // this server holds the Lease
	bool someone_lays;   // it or another server does
	enum stage_id stage; // the first that is not ready, N_STAGES when all are
	size_t at;           // how many objects of all stages were ready before the one that it ended at
	bool not_its_own;    // the artifact is not to blame: the API is away, a secret is not set, the Lease is lost
	int error;           // 0, or why the walk could not go on
	uint64_t took_usec;
	char sentence[1024]; // what @stage waits for and why; zeroed to its end
};
struct stage_walk_config {
	struct kube *kube;            // these five are borrowed and outlive the walk
	struct lease *lease;
	const struct stages *stages;
	const char *self;             // name of this node, the Lease holder
	const char *manifests_folder; // K3s' own
	unsigned prune_sec;           // how long an emptied file stays; K3s surely looks at the folder within half of it
	void (*on_end)(const struct stage_walk_result *result, void *user);
	void *user;
};
struct stage_walk;
int stage_walk_new(const struct stage_walk_config *config, struct stage_walk **ret);
struct stage_walk *stage_walk_free(struct stage_walk *walk);
DEFINE_CLEANUP(stage_walk)
// Begin at the first stage; nothing while one is under way. on_end may come before it returns.
void stage_walk_start(struct stage_walk *walk);
