// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-answers.h"
#include "agent/mesh-path.h"
#include "base/time.h"

enum { ASK_BYTES = 64 }; // of a packet, with its headers: any path carries it

void mesh_answers_done(struct mesh_answers *answers)
{
	for (size_t i = 0; i < answers->n; i++)
		(void)close(answers->questions[i].fd); // a socket of ours; nothing to be done about it
	*answers = (struct mesh_answers){ 0 };
}

static bool is_over(uint64_t since_usec, uint64_t now_usec)
{
	return now_usec - since_usec >= MESH_ANSWERS_SEC * USEC_PER_SEC;
}

// When it was asked since this began, 0: not.
static uint64_t asked_usec(const struct mesh_answers *answers, const struct mesh_peer *peer)
{
	return peer->proof_usec >= answers->since_usec ? peer->proof_usec : 0;
}

static bool can_be_asked(const struct mesh_answers *answers, const struct mesh_peer *peer, uint64_t now_usec)
{
	uint64_t asked = asked_usec(answers, peer);
	return peer->in_kernel && peer->n_allowed_ips && !peer->quiet_usec && peer->handshake_ago_sec >= 0 &&
	       (!asked || is_over(asked, now_usec));
}

// Who was not asked comes before who was, then who was heard last.
static bool is_before(const struct mesh_answers *answers, const struct mesh_peer *one, const struct mesh_peer *other)
{
	uint64_t asked = asked_usec(answers, one), other_asked = asked_usec(answers, other);
	return asked != other_asked ? asked < other_asked : one->heard_usec > other->heard_usec;
}

static struct mesh_peer *next_peer(const struct mesh_answers *answers, struct mesh_peers *peers, uint64_t now_usec)
{
	struct mesh_peer *next = NULL;
	for (size_t i = 0; i < peers->n; i++) {
		struct mesh_peer *peer = &peers->peers[i];
		if (can_be_asked(answers, peer, now_usec) && (!next || is_before(answers, peer, next)))
			next = peer;
	}
	return next;
}

static void ask_more(struct mesh_answers *answers, struct mesh_peers *peers, const char *link, uint64_t now_usec)
{
	struct mesh_peer *peer;
	// a link that just went refuses all of them: the others are asked the next time
	for (size_t i = 0; i < 2 * MESH_ANSWERS_MAX && answers->n < MESH_ANSWERS_MAX && (peer = next_peer(answers, peers, now_usec)); i++) {
		struct mesh_question *question = &answers->questions[answers->n];
		char address[MESH_ADDRESS_TEXT];
		peer->proof_usec = now_usec;
		mesh_peer_address(peer, address);
		question->since_usec = now_usec;
		answers->n += mesh_path_open(address, link, &question->fd) == 0; // else another one
	}
}

// Nobody may be there, the way to it may be closed, or the link be another one by now: the others may answer all the same.
static void end_question(struct mesh_answers *answers, size_t at)
{
	(void)close(answers->questions[at].fd); // as above
	answers->questions[at] = answers->questions[--answers->n];
}

bool mesh_answers_look(struct mesh_answers *answers, struct mesh_peers *peers, const char *link, uint64_t now_usec)
{
	if (!answers->since_usec)
		answers->since_usec = now_usec;
	for (size_t i = answers->n; i-- > 0;) {
		int heard = mesh_path_heard(answers->questions[i].fd);
		if (heard == 1)
			return true;
		if (heard < 0 || is_over(answers->questions[i].since_usec, now_usec))
			end_question(answers, i);
	}
	ask_more(answers, peers, link, now_usec);
	for (size_t i = answers->n; i-- > 0;)
		if (mesh_path_send(answers->questions[i].fd, ASK_BYTES) < 0)
			end_question(answers, i);
	return false;
}
