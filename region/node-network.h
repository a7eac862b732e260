// The networks of nodes in cluster.yaml: `network`, a netplan document for every node, and `nodeNetworks`, one for a single node in
// its place. What the documents mean is the nodes' business, which refuse what they cannot do before they touch anything; here only
// their outline is checked. Pure. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"
#include "region/naming.h"

#define LAN_ID "00-lan" // of the port of cluster.yaml's `lan`

struct config_networks {
	const struct value *all;   // what is inside of `network:`, borrowed from cluster.yaml; NULL: none
	const struct value *nodes; // object: node name -> document; NULL: none
};

// @document is cluster.yaml. 0; -EINVAL with line, key, rule and value.
int config_networks_decode(const struct value *document, const struct naming *naming, struct config_networks *ret,
	struct diag *reterr);
// The document of node @name, without an outer `network:`; NULL: none. Borrowed.
const struct value *config_network_of(const struct config_networks *networks, const char *name);
