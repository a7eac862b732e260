// Whether a peer of the mesh has shaken hands since a moment. WireGuard says by the wall clock when each peer did last, and
// somebody may have set that clock since: a peer that did has another time than in that moment, whatever the clock says. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/netconf.h"

struct mesh_handshake {
	char public_key[NETCONF_KEY_TEXT];
	uint64_t mark; // netconf_peer_status.handshake_mark
};
struct mesh_handshakes {
	bool known; // the moment is taken
	bool seen;  // there was one since
	size_t n;
	struct mesh_handshake *before; // by public key
};
void mesh_handshakes_done(struct mesh_handshakes *handshakes); // nothing is known and nothing seen
/* What the kernel says now (@status in any order). The first look takes the moment, each later one compares with it; a peer that
 * was not there counts with its first handshake. -ENOMEM: this look did not happen. */
int mesh_handshakes_look(struct mesh_handshakes *handshakes, const struct netconf_peer_status *status, size_t n);
