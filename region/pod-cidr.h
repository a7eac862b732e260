// When a node's pod range becomes part of its mesh peer. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/cidr.h"

enum pod_cidr_verdict {
	POD_CIDR_ACCEPTED,
	POD_CIDR_MALFORMED,
	POD_CIDR_OUTSIDE,     // not inside the cluster's pod range
	POD_CIDR_UNCONFIRMED, // no server has read the same from that Node object yet
	POD_CIDR_OVERLAPS,    // another node has it, or part of it
};

/*   range      the cluster's pod range
 *   reported   what the node says
 *   seen       what servers say they read from that Node object (NULL entries are fine)
 *   others     accepted ranges of all other nodes */
enum pod_cidr_verdict pod_cidr_decide(const struct cidr *range, const char *reported,
	const char *const *seen, size_t n_seen, const char *const *others, size_t n_others);
const char *pod_cidr_phrase(enum pod_cidr_verdict verdict);
