// The MTU of the mesh link, computed along the chain and probed. The chain: what the region assigned, at most what the links
// below carry less the mesh's own 80 bytes (Cilium takes its tunnel and its encryption off what the mesh carries, by itself).
// The probe: packets of a size through the mesh that nobody may fragment, to one peer after another; a smaller path than
// the chain says lowers the MTU. Pure: sending is agent-mesh-mtu.c's.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	MESH_MTU_OVERHEAD = 80, // IPv6 40, UDP 8, WireGuard 32; one over IPv4 has 20 to spare
	MESH_MTU_MIN = 1280,    // IPv6's least
	MESH_MTU_SMALL = 576,   // what every path carries: does the peer answer at all?
	MESH_MTU_TRIES = 3,
	MESH_MTU_NEAR = 8,      // as near as a search comes
};
// @link_mtu: the smallest of the links below; 0: not known. Never below MESH_MTU_MIN.
unsigned mesh_mtu_of_chain(unsigned assigned, unsigned link_mtu);

enum mesh_mtu_end {
	MESH_MTU_GOES_ON,
	MESH_MTU_UNKNOWN, // the peer answers nothing
	MESH_MTU_FITS,
	MESH_MTU_SMALLER, // ret of mesh_mtu_answer()
	MESH_MTU_TOO_SMALL, // not even MESH_MTU_MIN: that is what the link gets, and large packets are lost
};
struct mesh_mtu_search { // of one path
	unsigned size; // of the packet to be sent now
	unsigned mtu;  // of the link
	unsigned low, high; // carries low, not high; 0: not known
	unsigned n_tries;
	bool again; // the search has ended, and the packet that got lost at first is sent once more
};
void mesh_mtu_begin(struct mesh_mtu_search *search, unsigned mtu);
/* The packet of search->size arrived, or got no answer in time. Sends go on with search->size while MESH_MTU_GOES_ON. *ret_mtu: what
 * the path carries, with MESH_MTU_SMALLER and MESH_MTU_TOO_SMALL. */
enum mesh_mtu_end mesh_mtu_answer(struct mesh_mtu_search *search, bool arrived, unsigned *ret_mtu);
