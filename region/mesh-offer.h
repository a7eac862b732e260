// Endpoints of nodes that have none of their own (they are behind NAT), as their peers see them or as a
// prefix that two share makes one guess, and the pairs of nodes that are offered one: only where a node says that it has no answer of the
// peer, and not for longer than MESH_OFFER_SEC without a handshake. In memory alone: after a
// restart of the region it is seen and offered anew. Pure: no store, no clock of its own. What it
// costs: a search among MESH_OFFER_NODES for whoever asks or is seen, then among its offers,
// MESH_OFFER_EACH at most; 150 bytes per offer. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"
#include "region/store.h"

enum {
	MESH_OFFER_SEC = 30,	    // to shake hands in
	MESH_OFFER_AGAIN_SEC = 600, // until the same endpoint is offered once more
	MESH_SEEN_SEC = 180,	    // so long an endpoint counts: an older handshake is no session
	MESH_OFFER_NODES = 5000,    // a segment
	MESH_OFFER_EACH = 256,	    // of one node
	MESH_OFFERS_MAX = 65536,    // 10 MB
};

enum mesh_offer_state {
	MESH_OFFER_TRYING,    // since since_usec
	MESH_OFFER_HELD,      // they shook hands
	MESH_OFFER_WITHDRAWN, // the node is told that there is none, again
};
struct mesh_offer {
	char peer[ID_TEXT]; // node id
	char endpoint[64]; // what others saw, when that was offered last
	bool is_guess;	   // what is offered now is the guess, not that
	uint64_t seen_tried_usec, guess_tried_usec; // last; 0: never
	enum mesh_offer_state state;
	uint64_t since_usec;
	int64_t generation; // of the last change of what the node is told
};
struct mesh_offer_node;
struct mesh_offers {
	struct mesh_offer_node *nodes; // by id
	size_t n, n_alloc, n_offers;
};
void mesh_offers_done(struct mesh_offers *offers);

// A peer that has a session with node @id sees it at @endpoint. -ENOMEM, -ENOSPC.
int mesh_offers_see(
	struct mesh_offers *offers, const char *id, const char *endpoint, uint64_t now_usec);
/* Node @id says that it has no answer of @peer: offer what was seen of it last, and when that is nothing
 * or was tried, the guess (@has_guess: there is one). 1: @id is told something new, which is of generation
 * @generation; 0: nothing to offer, or it is being tried, or it was; -ENOMEM, -ENOSPC. */
int mesh_offers_fail(struct mesh_offers *offers, const char *id, const char *peer, bool has_guess,
	int64_t generation, uint64_t now_usec);
// Node @id says that it has a session with @peer: what it was offered stays.
void mesh_offers_hold(struct mesh_offers *offers, const char *id, const char *peer);
/* Withdraw what was tried for too long. True: somebody is told something new, of generation
 * @generation. */
bool mesh_offers_step(struct mesh_offers *offers, int64_t generation, uint64_t now_usec);
bool mesh_offers_due(const struct mesh_offers *offers, uint64_t now_usec); // would it?
// The offers of node @id, borrowed; NULL: none.
const struct mesh_offer *mesh_offers_of(
	const struct mesh_offers *offers, const char *id, size_t *ret_n);
// The endpoint of @peer that node @id is offered now, or NULL: @guess (may be NULL) when it is that.
const char *mesh_offers_endpoint(
	const struct mesh_offers *offers, const char *id, const char *peer, const char *guess);
// Node @id left: it is offered nothing, and nobody is offered it.
void mesh_offers_forget(struct mesh_offers *offers, const char *id);
