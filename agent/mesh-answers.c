// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-answers.h"
#include "agent/mesh-path.h"

enum { ASK_BYTES = 64 }; // of a packet, with its headers: any path carries it

void mesh_answers_done(struct mesh_answers *answers)
{
	for (size_t i = 0; i < answers->n; i++)
		(void)close(answers->fds[i]); // a socket of ours; nothing to be done about it
	answers->n = 0;
	answers->stale = false;
}

static void choose(struct mesh_answers *answers, const struct mesh_peers *peers, const char *link)
{
	for (size_t i = 0; i < peers->n && answers->n < MESH_ANSWERS_MAX; i++) {
		const struct mesh_peer *peer = &peers->peers[i];
		char address[MESH_ADDRESS_TEXT];
		if (!peer->in_kernel || !peer->n_allowed_ips || peer->quiet_usec || peer->handshake_ago_sec < 0)
			continue;
		mesh_peer_address(peer, address);
		answers->n += mesh_path_open(address, link, &answers->fds[answers->n]) == 0; // else another one
	}
}

bool mesh_answers_look(struct mesh_answers *answers, const struct mesh_peers *peers, const char *link)
{
	for (size_t i = 0; i < answers->n; i++) {
		int heard = mesh_path_heard(answers->fds[i]);
		if (heard == 1)
			return true;
		answers->stale |= heard < 0;
	}
	if (answers->stale)
		mesh_answers_done(answers);
	if (!answers->n)
		choose(answers, peers, link);
	for (size_t i = 0; i < answers->n; i++)
		answers->stale |= mesh_path_send(answers->fds[i], ASK_BYTES) < 0;
	return false;
}
