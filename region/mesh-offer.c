// SPDX-License-Identifier: Apache-2.0
#include "region/mesh-offer.h"
#include "region/sorted.h"

#include "base/time.h"

#include <errno.h>

struct mesh_offer_node {
	char id[ID_TEXT];
	char seen[64]; // its endpoint as others see it; "": not seen
	uint64_t seen_usec;
	struct mesh_offer *offers; // what it is told of others
	size_t n, n_alloc;
};

void mesh_offers_done(struct mesh_offers *offers)
{
	for (size_t i = 0; i < offers->n; i++)
		free(offers->nodes[i].offers);
	free(offers->nodes);
	*offers = (struct mesh_offers){ 0 };
}

static struct mesh_offer_node *node_find(const struct mesh_offers *offers, const char *id)
{
	bool there;
	size_t at = sorted_place(offers->nodes, offers->n, sizeof(*offers->nodes), id, &there);
	return there ? &offers->nodes[at] : NULL;
}

static bool is_over_long_ago(const struct mesh_offer *offer, uint64_t now_usec)
{
	return offer->state == MESH_OFFER_WITHDRAWN &&
	       now_usec - offer->since_usec >= MESH_OFFER_AGAIN_SEC * USEC_PER_SEC;
}

// What would be tried anew in any case.
static void forget_offers(
	struct mesh_offers *offers, struct mesh_offer_node *node, uint64_t now_usec)
{
	size_t n = 0;
	for (size_t i = 0; i < node->n; i++)
		if (!is_over_long_ago(&node->offers[i], now_usec))
			node->offers[n++] = node->offers[i];
	offers->n_offers -= node->n - n;
	node->n = n;
}

// Nodes that nobody sees and that are offered nothing: most of them left the cluster.
static void forget_nodes(struct mesh_offers *offers, uint64_t now_usec)
{
	size_t n = 0;
	for (size_t i = 0; i < offers->n; i++) {
		struct mesh_offer_node *node = &offers->nodes[i];
		forget_offers(offers, node, now_usec);
		if (node->n || now_usec - node->seen_usec < MESH_SEEN_SEC * USEC_PER_SEC)
			offers->nodes[n++] = *node;
		else
			free(node->offers);
	}
	offers->n = n;
}

static int node_get(
	struct mesh_offers *offers, const char *id, uint64_t now_usec, struct mesh_offer_node **ret)
{
	bool there;
	if (offers->n == MESH_OFFER_NODES)
		forget_nodes(offers, now_usec);
	size_t at = sorted_place(offers->nodes, offers->n, sizeof(*offers->nodes), id, &there);
	if (!there) {
		if (offers->n == MESH_OFFER_NODES)
			return -ENOSPC;
		if (offers->n == offers->n_alloc) {
			size_t n = offers->n_alloc ? offers->n_alloc * 2 : 16;
			struct mesh_offer_node *more =
				reallocarray(offers->nodes, n, sizeof(*more));
			if (!more)
				return -ENOMEM;
			offers->nodes = more;
			offers->n_alloc = n;
		}
		memmove(&offers->nodes[at + 1], &offers->nodes[at],
			(offers->n - at) * sizeof(*offers->nodes));
		offers->nodes[at] = (struct mesh_offer_node){ 0 };
		(void)snprintf(offers->nodes[at].id, ID_TEXT, "%s", id);
		offers->n++;
	}
	*ret = &offers->nodes[at];
	return 0;
}

static struct mesh_offer *offer_find(const struct mesh_offer_node *node, const char *peer)
{
	for (size_t i = 0; node && i < node->n; i++)
		if (str_equal(node->offers[i].peer, peer))
			return &node->offers[i];
	return NULL;
}

static int offer_add(struct mesh_offers *offers, struct mesh_offer_node *node, const char *peer,
	uint64_t now_usec, struct mesh_offer **ret)
{
	if (node->n == MESH_OFFER_EACH)
		forget_offers(offers, node, now_usec);
	if (node->n == MESH_OFFER_EACH || offers->n_offers == MESH_OFFERS_MAX)
		return -ENOSPC;
	if (node->n == node->n_alloc) {
		size_t n = node->n_alloc ? node->n_alloc * 2 : 4;
		struct mesh_offer *more = reallocarray(node->offers, n, sizeof(*more));
		if (!more)
			return -ENOMEM;
		node->offers = more;
		node->n_alloc = n;
	}
	*ret = &node->offers[node->n++];
	**ret = (struct mesh_offer){ .state = MESH_OFFER_WITHDRAWN };
	(void)snprintf((*ret)->peer, ID_TEXT, "%s", peer);
	offers->n_offers++;
	return 0;
}

int mesh_offers_see(
	struct mesh_offers *offers, const char *id, const char *endpoint, uint64_t now_usec)
{
	struct mesh_offer_node *node;
	int r = node_get(offers, id, now_usec, &node);
	if (r < 0)
		return r;
	(void)snprintf(node->seen, sizeof(node->seen), "%s", endpoint);
	node->seen_usec = now_usec;
	return 0;
}

// What was tried since @tried_usec, in vain, may be tried once more.
static bool is_long_ago(uint64_t tried_usec, uint64_t now_usec)
{
	return !tried_usec || now_usec - tried_usec >= (MESH_OFFER_SEC + MESH_OFFER_AGAIN_SEC) * USEC_PER_SEC;
}

static void note_try(struct mesh_offer *offer, uint64_t now_usec)
{
	offer->state = MESH_OFFER_TRYING;
	offer->since_usec = now_usec;
	*(offer->is_guess ? &offer->guess_tried_usec : &offer->seen_tried_usec) = now_usec;
}

// What is offered next, if anything is: what others see, then the guess, each once in a while.
static bool try_next(struct mesh_offer *offer, const struct mesh_offer_node *peer, bool seen, bool has_guess,
	uint64_t now_usec)
{
	bool trying = offer->state == MESH_OFFER_TRYING;
	bool is_other = seen && !str_equal(offer->endpoint, peer->seen);
	if (trying && (offer->is_guess || !is_other))
		return false;
	if (seen && (is_other || is_long_ago(offer->seen_tried_usec, now_usec))) {
		(void)snprintf(offer->endpoint, sizeof(offer->endpoint), "%s", peer->seen);
		offer->is_guess = false;
		return true;
	}
	if (!has_guess || !is_long_ago(offer->guess_tried_usec, now_usec))
		return false;
	offer->is_guess = true;
	return true;
}

int mesh_offers_fail(struct mesh_offers *offers, const char *id, const char *peer_id, bool has_guess,
	int64_t generation, uint64_t now_usec)
{
	struct mesh_offer_node *node = node_find(offers, id), *peer = node_find(offers, peer_id);
	struct mesh_offer *offer = offer_find(node, peer_id);
	bool seen =
		peer && peer->seen[0] && now_usec - peer->seen_usec < MESH_SEEN_SEC * USEC_PER_SEC;
	if (offer && offer->state == MESH_OFFER_HELD) // no longer
		note_try(offer, now_usec);
	if (!seen && !has_guess)
		return 0;
	if (!offer) {
		int r = node_get(offers, id, now_usec, &node);
		if (r < 0 || (r = offer_add(offers, node, peer_id, now_usec, &offer)) < 0)
			return r;
		peer = node_find(offers, peer_id); // moved, perhaps
	}
	if (!try_next(offer, peer, seen, has_guess, now_usec))
		return 0;
	note_try(offer, now_usec);
	offer->generation = generation;
	return 1;
}

void mesh_offers_hold(struct mesh_offers *offers, const char *id, const char *peer)
{
	struct mesh_offer *offer = offer_find(node_find(offers, id), peer);
	if (offer && offer->state == MESH_OFFER_TRYING)
		offer->state = MESH_OFFER_HELD;
}

static bool is_over(const struct mesh_offer *offer, uint64_t now_usec)
{
	return offer->state == MESH_OFFER_TRYING &&
	       now_usec - offer->since_usec >= MESH_OFFER_SEC * USEC_PER_SEC;
}

bool mesh_offers_step(struct mesh_offers *offers, int64_t generation, uint64_t now_usec)
{
	bool changed = false;
	for (size_t i = 0; i < offers->n; i++)
		for (size_t j = 0; j < offers->nodes[i].n; j++) {
			struct mesh_offer *offer = &offers->nodes[i].offers[j];
			if (!is_over(offer, now_usec))
				continue;
			offer->state = MESH_OFFER_WITHDRAWN;
			offer->since_usec = now_usec;
			offer->generation = generation;
			changed = true;
		}
	return changed;
}

bool mesh_offers_due(const struct mesh_offers *offers, uint64_t now_usec)
{
	for (size_t i = 0; i < offers->n; i++)
		for (size_t j = 0; j < offers->nodes[i].n; j++)
			if (is_over(&offers->nodes[i].offers[j], now_usec))
				return true;
	return false;
}

const struct mesh_offer *mesh_offers_of(
	const struct mesh_offers *offers, const char *id, size_t *ret_n)
{
	const struct mesh_offer_node *node = node_find(offers, id);
	*ret_n = node ? node->n : 0;
	return node ? node->offers : NULL;
}

const char *mesh_offers_endpoint(
	const struct mesh_offers *offers, const char *id, const char *peer, const char *guess)
{
	const struct mesh_offer *offer = offer_find(node_find(offers, id), peer);
	if (!offer || offer->state == MESH_OFFER_WITHDRAWN)
		return NULL;
	return offer->is_guess ? guess : offer->endpoint;
}

void mesh_offers_forget(struct mesh_offers *offers, const char *id)
{
	size_t n = 0;
	for (size_t i = 0; i < offers->n; i++) {
		struct mesh_offer_node *node = &offers->nodes[i];
		struct mesh_offer *offer = offer_find(node, id);
		if (str_equal(node->id, id)) {
			offers->n_offers -= node->n;
			free(node->offers);
			continue;
		}
		if (offer) {
			*offer = node->offers[--node->n];
			offers->n_offers--;
		}
		offers->nodes[n++] = *node;
	}
	offers->n = n;
}
