// Whether a peer of the mesh answers now: some are asked through the mesh's link, each by a byte to a port where nobody listens,
// and the peer's kernel says so (mesh-path.h). What comes back by that link is WireGuard's, of a session of both, so the way leads
// there and back. A session that is young has no reason to shake hands again, and answers all the same.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/mesh-peers.h"

enum { MESH_ANSWERS_MAX = 8 }; // peers: one is enough
struct mesh_answers { // whole-zero: nobody is asked
	bool stale; // one of them cannot be asked: the link may be another one by now
	size_t n;
	int fds[MESH_ANSWERS_MAX];
};
void mesh_answers_done(struct mesh_answers *answers); // nobody is asked any more
/* At each tick: ask (first) the peers of @peers that have a session and are not silent, by the link @link. True: one has answered to
 * what was sent since mesh_answers_done(). */
bool mesh_answers_look(struct mesh_answers *answers, const struct mesh_peers *peers, const char *link);
