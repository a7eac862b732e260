// When a node changes its WireGuard key (DESIGN 6). The region orders it in the assignment's `mesh`: make a next key and
// report it; then, when the peers have it, switch to it. A key that was switched to stands once the region has it on
// record or a peer shook hands with it; else the node goes back to the old one, which its peers still have. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/mesh-keys.h"
#include <stdbool.h>
#include <stdint.h>

enum { MESH_ROTATION_PROOF_SEC = 30 }; // a switch in which nobody answers is undone after so long

enum mesh_rotation_step {
	MESH_ROTATION_KEEP,
	MESH_ROTATION_MAKE_NEXT,
	MESH_ROTATION_DROP_NEXT, // the rotation was given up
	MESH_ROTATION_SWITCH,
	MESH_ROTATION_PROVEN, // the old key may go
	MESH_ROTATION_GO_BACK,
};
struct mesh_rotation_facts {
	const struct mesh_keys *keys;
	/* The region's word in this start, and it was heard lately. What the stored assignment says alone moves nothing: it
	 * may be older than the keys. */
	bool region_answers;
	const char *recorded;  // the key that the region has on record, which peers have; NULL: it does not say
	bool rotates;          // it wants another one
	const char *to;        // that one, to be switched to; NULL: not yet
	bool may_switch;       // the mesh is up and no network is on trial
	bool shook_hands;      // a peer did, since the switch
	uint64_t switched_usec; // when the kernel got the current key, or this start
	uint64_t now_usec;
};
enum mesh_rotation_step mesh_rotation_next(const struct mesh_rotation_facts *facts);
