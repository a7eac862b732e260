// Who of the mesh answers, by what the kernel counts per peer: which endpoint is put right, whom to ask for a handshake, what
// the region is told and a person reads. A peer answers while its last handshake is young and what is sent to it is not left
// without an answer: WireGuard itself answers data within 10 s. What keeps a way open asks for no answer and is not counted. Pure: no clock, no kernel. With N peers a look is one sort and
// one pass.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/mesh-peers.h"
#include "base/json.h"

enum {
	MESH_FRESH_SEC = 180,     // REJECT_AFTER_TIME: an older handshake is no session
	MESH_UNANSWERED_SEC = 15, // KEEPALIVE_TIMEOUT and REKEY_TIMEOUT
	MESH_SILENT_SEC = 5,      // a handshake is tried anew after so long
	MESH_ASK_SEC = 5,
	MESH_IDLE_SEC = 30,    // one that says nothing for so long is asked whether it is there
	MESH_IDLE_PER_SEC = 50, // so many at most: 5,000 peers have their turn in 100 s
	MESH_IDLE_MAX = 500,    // at once: of the longest time between two ticks
};

struct mesh_view { // of one look
	size_t n_answer, n_silent;
	bool restless; // somebody became quiet less than a minute ago: look again soon
	bool lost;     // the kernel lacks a peer that it was given: everything has to be set anew
	uint64_t mark; // changes with who is silent and where peers are: worth telling
};
/* Take what the kernel says (@status is sorted in place) into @peers. An endpoint of the region's that the kernel has not, of a
 * peer that does not answer, becomes a change of that peer. */
void mesh_health_look(struct mesh_peers *peers, struct netconf_peer_status *status, size_t n, uint64_t now_usec,
	struct mesh_view *ret);
// It was asked, has had MESH_SILENT_SEC to answer, and has not.
bool mesh_peer_is_silent(const struct mesh_peer *peer, uint64_t now_usec);
/* The next peer from @from on that is to be asked for a handshake now: it has an endpoint, here or in the kernel, and does not
 * answer, or (@all) whether it does or not. It counts as asked. peers->n: none. */
size_t mesh_health_next(struct mesh_peers *peers, size_t from, bool all, uint64_t now_usec);
/* The next peer from @from on that seems to answer and of which nothing was heard for MESH_IDLE_SEC: that the way to it is dead
 * is found out only by sending something. It counts as asked, and has MESH_UNANSWERED_SEC. peers->n: none. */
size_t mesh_health_next_idle(struct mesh_peers *peers, size_t from, uint64_t now_usec);
// How many of those may be asked now, when it was done last at @last_usec (0: never).
size_t mesh_health_idle_max(uint64_t last_usec, uint64_t now_usec);
/* The sentence about those with an endpoint that are silent, at most three by name; "" when there is none. */
void mesh_health_sentence(const struct mesh_peers *peers, uint64_t now_usec, char *ret, size_t n_ret);
/* `mesh` of the status: an array, at most @max peers, first those that are silent or elsewhere than the region says. @decided:
 * without those that were never heard and are not silent yet: "answers" would say too much of them, and its opposite, too. */
void mesh_health_to_json(const struct mesh_peers *peers, size_t max, bool decided, uint64_t now_usec, struct json_out *out);
