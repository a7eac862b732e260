// GET /v1/mesh: the peers of the node that asks, all or what changed since. Which endpoints those are
// is mesh-place.h's and mesh-offer.h's to say. SPDX-License-Identifier: Apache-2.0
#include "region/api.h"

#include "region/key-rotation-run.h"
#include "region/mesh-leave.h"
#include "region/mesh-offer.h"
#include "region/mesh-peer.h"
#include "region/mesh-reach.h"

#include <errno.h>

// The generation in "EPOCH.GEN" of this epoch, or -1 when everything has to be told: it is unknown,
// or removals since then are forgotten.
static int64_t since_generation(const struct region *region, const char *since, int64_t newest)
{
	size_t n = strlen(region->epoch);
	char *end;
	if (!since || strncmp(since, region->epoch, n) != 0 || since[n] != '.' ||
		since[n + 1] < '0' || since[n + 1] > '9')
		return -1;
	long long generation = strtoll(since + n + 1, &end, 10);
	return *end || generation > newest || generation < store_removal_forgotten(region->store)
		       ? -1
		       : generation;
}

// Peers outside reach servers alone (docs/security.md), so nobody else has them.
static int put_outside_peers(
	struct region *region, int64_t since, struct json_out *out, size_t *n_put)
{
	struct mesh_peer **peers;
	size_t n;
	int r = store_mesh_peer_list(region->store, since, &peers, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = mesh_peer_put(region->config, peers[i], out);
	mesh_peer_list_free(peers, n);
	*n_put += n;
	return r;
}

// Whom the answer is for.
struct asker {
	struct region *region;
	const struct node *node;
	struct mesh_place place;
	struct key_rotation **rotations; // whose next keys it gets
	size_t n_rotations;
	int64_t since;
	struct json_out *out;
	size_t n_put;
};

static int put_peer(struct asker *asker, const struct mesh_node *peer)
{
	struct region *region = asker->region;
	struct mesh_place place;
	char own[MESH_ENDPOINT_TEXT], back[MESH_ENDPOINT_TEXT];
	bool has_guess;
	const char *endpoint = own;
	int r = mesh_reach_place(region, peer->id, peer->place, &place, NULL);
	if (r < 0)
		return r;
	if (!mesh_place_choose(&asker->place, &place, own)) {
		has_guess = mesh_place_guess(&asker->place, &place, own);
		endpoint = mesh_offers_endpoint(region->offers, asker->node->id, peer->id, has_guess ? own : NULL);
	}
	bool keeps_alive = endpoint && !mesh_place_choose(&place, &asker->place, back);
	asker->n_put++;
	return assign_mesh_peer(region->config, peer,
		key_rotation_announced(asker->rotations, asker->n_rotations, peer->id), endpoint,
		keeps_alive ? MESH_KEEPALIVE_SEC : 0, asker->out);
}

// Servers whose etcd still has one that left as a member; in a delta it is just not removed yet.
static int put_leaving_peers(struct asker *asker)
{
	struct node **nodes;
	size_t n;
	int r = mesh_leaving_list(asker->region, &nodes, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++) {
		struct mesh_node peer = { .number = nodes[i]->number };
		(void)snprintf(peer.id, sizeof(peer.id), "%s", nodes[i]->id);
		(void)snprintf(peer.name, sizeof(peer.name), "%s", nodes[i]->name);
		(void)snprintf(peer.wg_public, sizeof(peer.wg_public), "%s", nodes[i]->wg_public);
		(void)snprintf(peer.pod_cidr, sizeof(peer.pod_cidr), "%s", nodes[i]->pod_cidr);
		r = put_peer(asker, &peer);
	}
	node_list_free(nodes, n);
	return r;
}

// Peers whose record did not change, but what this node is offered of them.
static int put_offered_peers(struct asker *asker)
{
	size_t n;
	const struct mesh_offer *offers = mesh_offers_of(asker->region->offers, asker->node->id, &n);
	int r = 0;
	for (size_t i = 0; i < n && r >= 0; i++) {
		CLEANUP(mesh_node_freep) struct mesh_node *peer = NULL;
		if (offers[i].generation <= asker->since)
			continue;
		r = store_mesh_node_by_id(asker->region->store, offers[i].peer, &peer);
		if (r >= 0 && peer->mesh_generation <= asker->since)
			r = put_peer(asker, peer);
		else if (r == -ENOENT)
			r = 0; // revoked
	}
	return r;
}

static int put_peers(struct asker *asker)
{
	struct mesh_node **nodes;
	size_t n;
	int r = store_mesh_node_list(asker->region->store, asker->since, &nodes, &n);
	if (r < 0)
		return r;
	json_out_key(asker->out, "peers");
	json_out_array_begin(asker->out);
	for (size_t i = 0; i < n && r >= 0; i++)
		if (!str_equal(nodes[i]->id, asker->node->id))
			r = put_peer(asker, nodes[i]);
	mesh_node_list_free(nodes, n);
	if (r >= 0 && asker->since >= 0)
		r = put_offered_peers(asker);
	if (r >= 0 && asker->node->is_server && asker->since < 0)
		r = put_leaving_peers(asker);
	if (r >= 0 && asker->node->is_server)
		r = put_outside_peers(asker->region, asker->since, asker->out, &asker->n_put);
	json_out_array_end(asker->out);
	return r;
}

static int put_removed(struct region *region, int64_t since, struct json_out *out, size_t *ret_n)
{
	struct mesh_removal **removals = NULL;
	size_t n = 0;
	int r = since < 0 ? 0 : store_removal_list(region->store, since, &removals, &n);
	if (r < 0)
		return r;
	json_out_key(out, "removed");
	json_out_array_begin(out);
	for (size_t i = 0; i < n; i++)
		json_out_string(out, removals[i]->public_key);
	json_out_array_end(out);
	mesh_removal_list_free(removals, n);
	*ret_n = n;
	return 0;
}

int mesh_answer(struct region *region, const struct node *node, const char *since, char **ret)
{
	struct json_out out = { 0 };
	struct asker asker = { .region = region, .node = node, .out = &out };
	char generation[48];
	size_t n_removed = 0;
	int64_t view_generation;
	int r = mesh_reach_place(region, node->id, NULL, &asker.place, &view_generation);
	if (r < 0)
		return r;
	int64_t newest = store_meta_int(region->store, "generation", 0);
	asker.since = since_generation(region, since, newest);
	if ((r = key_rotation_fetched(region, node, asker.since)) < 0)
		return r;
	if (asker.since < view_generation)
		asker.since = -1; // it sees all others from another place now
	(void)snprintf(generation, sizeof(generation), "%s.%lld", region->epoch, (long long)newest);
	if ((r = store_key_rotation_list_announced(region->store, &asker.rotations, &asker.n_rotations)) < 0)
		return r;
	json_out_object_begin(&out);
	json_out_member(&out, "generation", generation);
	json_out_member_bool(&out, "full", asker.since < 0);
	r = put_peers(&asker);
	key_rotation_list_free(asker.rotations, asker.n_rotations);
	if (r >= 0)
		r = put_removed(region, asker.since, &out, &n_removed);
	json_out_object_end(&out);
	char *text = json_out_take(&out);
	bool news = asker.since < 0 || asker.n_put || n_removed;
	if (r < 0 || !news || !text) {
		free(text);
		return r < 0 ? r : text ? 0 : -ENOMEM;
	}
	*ret = text;
	return 1;
}

int api_mesh(struct region *region, struct request *request)
{
	AUTO_FREE char *answer = NULL;
	if (!api_node_heard(region, request))
		return 0;
	int r = mesh_answer(region, request->node, request_query(request, "since"), &answer);
	if (r > 0) {
		size_t n = strlen(answer);
		return request_answer_bytes(request, 200, "application/json", TAKE_PTR(answer), n);
	}
	if (r < 0 || request_wait(request, "cluster", MAX_WAIT_SEC))
		return r;
	return request_answer_empty(request, 304);
}
