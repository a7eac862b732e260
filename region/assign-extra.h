// Parts of the assignment that follow from cluster.yaml's storage, proxy and registries, and from
// the volumes that nodes say they have made. Pure, like assign.h; called by it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/assign.h"

// Members "storage", "proxy" and "registries" of the open object.
void assign_put_extra(const struct assignment_input *input, struct json_out *out);
/* The volumes that @nodes made, as the array `storage.all` of a server's assignment: JSON text, the
 * caller frees; NULL when memory ran out. A node's word counts for the volumes that cluster.yaml
 * gives to it, while it is neither revoked nor quarantined. The order follows @nodes and
 * cluster.yaml alone; at most 256, as many as a server takes. */
char *assign_volumes_made(const struct cluster_config *config, struct node *const *nodes, size_t n);
