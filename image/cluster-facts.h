// What a bootstrap has to know of cluster.yaml (docs/cluster.md). The region checks that file; here only these keys are
// looked at, and the rest may be anything.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"
#include "image/words.h"

struct cluster_facts {
	bool known;              // there was a cluster.yaml
	bool over_lan;           // k3s.over: lan; else mesh
	bool own_cni;            // k3s.cni: bridge, hearthd's own
	int64_t servers;
	char storage_kind[16];   // "static", "local-path", "none"
	char storage_class[64];  // the default class that the storage choice makes; "" when it makes none
	uint64_t largest_bytes;  // of the static volumes whose size is written; 0: unknown
	size_t n_volumes;        // static: on each node
	struct words variables;  // that hearthd substitutes in this cluster
};
void cluster_facts_done(struct cluster_facts *facts);
// @path NULL: what holds for a cluster that nobody described. Errors of the file.
int cluster_facts_load(const char *path, struct cluster_facts *ret, struct diag *reterr);
