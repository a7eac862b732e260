// Would this bootstrap come up? Everything of it that is known to wait for something which never comes, or comes later:
// claims without volumes, kinds without CRDs, sources without secrets, circles, missing folders, pods without a network.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "image/bundle.h"
#include "image/cluster-facts.h"

struct preflight {
	struct words problems; // would hang or be refused: one sentence each
	struct words advice;
};
void preflight_done(struct preflight *preflight);
/* Judge @bundle. @tree: checkout of the sync's source, whose Kustomizations' folders are read into @bundle; NULL: not
 * known, then what it holds is not judged. 0 whatever is found; errors are of reading. */
int preflight_check(struct bundle *bundle, const struct cluster_facts *facts, const char *tree, struct preflight *ret,
	struct diag *reterr);

// Bytes of a Kubernetes quantity ("10Gi", "500M", "1073741824"); 0: it is none, or no whole number.
uint64_t quantity_bytes(const char *text);

// The parts, each in its file.
int preflight_volumes(const struct bundle *bundle, const struct cluster_facts *facts, struct preflight *preflight);
int preflight_order(const struct bundle *bundle, const struct cluster_facts *facts, struct preflight *preflight);
int preflight_flux(const struct bundle *bundle, struct preflight *preflight);
/* Is what objects[@group] applies there before what objects[@later] applies begins? Both are Flux Kustomizations; by
 * dependsOn, or because it brings it. */
bool preflight_before(const struct bundle *bundle, size_t group, size_t later);
