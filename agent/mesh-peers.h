// The peers of this node's mesh as the region gives them: a full list, then deltas (GET /v1/mesh). Pure; setting them
// in the kernel is netconf's business.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"
#include "netconf/netconf.h"

enum { MESH_MAX_BYTES = 8 << 20, MESH_MAX_PEERS = NETCONF_MAX_PEERS };

struct mesh_peer {
	char *name, *public_key, *endpoint; // endpoint may be NULL
	char **allowed_ips;
	size_t n_allowed_ips;
	uint16_t keepalive_sec;
};
struct mesh_peers {
	char generation[64]; // "" before the first answer
	size_t n;
	struct mesh_peer *peers;
};
void mesh_peers_done(struct mesh_peers *peers);
/* Apply one answer: all or nothing. -EINVAL with a diag; @peers is then as before. */
int mesh_peers_update(struct mesh_peers *peers, const char *json, size_t n, struct diag *reterr);
// The whole list in the form of a full answer, for STATE; the caller frees.
char *mesh_peers_to_json(const struct mesh_peers *peers);
// Borrowed views for netconf_set_peers(); the caller frees the array. NULL: out of memory (or no peers).
struct netconf_peer *mesh_peers_view(const struct mesh_peers *peers);
// The peer whose allowed-ips hold exactly the address @address (a /32 or /128), or NULL.
const struct mesh_peer *mesh_peer_with_address(const struct mesh_peers *peers, const char *address);
