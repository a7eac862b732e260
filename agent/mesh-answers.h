// Whether a peer of the mesh answers now: some are asked through the mesh's link, each by a byte to a port where nobody listens,
// and the peer's kernel says so (mesh-path.h). What comes back by that link is WireGuard's, of a session of both, so the way leads
// there and back. A session that is young has no reason to shake hands again, and answers all the same. Those that were heard last
// are asked first; one that does not answer in time, or cannot be reached, makes room for the next.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/mesh-peers.h"

enum { MESH_ANSWERS_MAX = 8, MESH_ANSWERS_SEC = 5 }; // peers at a time, and for how long: the time of a trial is for 48
struct mesh_answers { // whole-zero: nobody is asked
	uint64_t since_usec; // 0: not yet
	size_t n;
	struct mesh_question {
		int fd;
		uint64_t since_usec;
	} questions[MESH_ANSWERS_MAX];
};
void mesh_answers_done(struct mesh_answers *answers); // nobody is asked any more
/* At each tick: ask (first) the peers of @peers that have a session and are not silent, by the link @link. True: one has answered to
 * what was sent since mesh_answers_done(). */
bool mesh_answers_look(struct mesh_answers *answers, struct mesh_peers *peers, const char *link, uint64_t now_usec);
