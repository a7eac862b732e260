// The stable API address: nftables table `inet hearth` sends API:6443 to the node's own apiserver or to another
// server, for processes of this node and for pods (DESIGN 7). The only file with libnftables. hearthd owns the table.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

struct api_nat {
	const char *api_address;    // first host address of the mesh range, on the dummy link hearth-api: "10.66.0.1"
	const char *target_address; // own or another server's: "10.66.0.12"; same family as api_address
	const char *mesh_address;   // of this node in the servers' net (mesh or LAN): what forwarded connections come from
	uint16_t port;              // 0: 6443
	const char *more_chains;    // whole chains in nft syntax that belong into the same table, or NULL
};
/* The ruleset as one transaction that replaces the table. Pure; the caller frees *ret.
 * -EINVAL: an address is none, or the families differ. */
int api_nat_render(const struct api_nat *nat, char **ret, struct diag *reterr);
/* Load it. Connections under way keep their server. 0 when the table stands; -EPERM; -EIO with nft's own words. */
int api_nat_apply(const struct api_nat *nat, struct diag *reterr);
int api_nat_remove(struct diag *reterr); // no table is success
