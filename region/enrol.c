// SPDX-License-Identifier: Apache-2.0
#include "region/enrol.h"

#include "base/contact.h"
#include "region/assign.h"
#include "region/enrol-token.h"
#include "region/key-rotation-run.h"
#include "region/membership.h"
#include "region/mesh-leave.h"
#include "region/mesh-reach.h"
#include "region/rotation.h"
#include "region/token.h"

#include <errno.h>

void id_generate(const char *prefix, char ret[static ID_TEXT])
{
	uint8_t random[8];
	char hex[17];
	crypto_random(random, sizeof(random));
	hex_encode(random, sizeof(random), hex);
	(void)snprintf(ret, ID_TEXT, "%s%s", prefix, hex);
}

const char *enrolment_state_name(int64_t state)
{
	static const char *const names[] = { "pending", "reserved", "approved", "denied",
		"closed" };
	return state >= 0 && (size_t)state < N_ELEMENTS(names) ? names[state] : "unknown";
}

const char *node_state_name(int64_t state)
{
	static const char *const names[] = { "reserved", "approved", "revoked" };
	return state >= 0 && (size_t)state < N_ELEMENTS(names) ? names[state] : "unknown";
}

int enrolment_code(
	const struct region *region, const struct enrolment *enrolment, char ret[static 10])
{
	AUTO_FREE uint8_t *spki = NULL, *node_nonce = NULL, *region_nonce = NULL;
	size_t n_spki, n_node, n_region;
	if (!enrolment->node_nonce[0])
		return -EAGAIN;
	if (base64_decode(enrolment->spki, &spki, &n_spki) < 0 ||
		base64_decode(enrolment->node_nonce, &node_nonce, &n_node) < 0 ||
		n_node != NONCE_BYTES ||
		base64_decode(enrolment->region_nonce, &region_nonce, &n_region) < 0 ||
		n_region != NONCE_BYTES)
		return -EBADMSG;
	enrol_code(spki, n_spki, region->ca_spki, region->n_ca_spki, node_nonce, region_nonce, ret);
	return 0;
}

// Take the first of @nodes that is kept for good and has another key; the others are freed.
static void take_other_durable(struct node **nodes, size_t n, const char *key, struct node **ret)
{
	for (size_t i = 0; i < n && !*ret; i++)
		if (nodes[i]->durable && !str_equal(nodes[i]->key, key))
			*ret = TAKE_PTR(nodes[i]);
	for (size_t i = 0; i < n; i++)
		node_free(nodes[i]);
	free(nodes);
}

int hardware_find(struct region *region, const char *key, const char *uuid, const char *serial,
	struct node **ret)
{
	struct node **nodes;
	size_t n;
	int r = 0;
	*ret = NULL;
	if (uuid[0]) {
		if ((r = store_node_list_uuid(region->store, uuid, &nodes, &n)) < 0)
			return r;
		take_other_durable(nodes, n, key, ret);
	}
	if (!*ret && serial[0]) {
		if ((r = store_node_list_serial(region->store, serial, &nodes, &n)) < 0)
			return r;
		take_other_durable(nodes, n, key, ret);
	}
	return 0;
}

// The same of the key that a node gets next.
static int next_key_holder(struct region *region, const char *wg_public, const char *key,
	char ret[static STORE_NAME_TEXT])
{
	CLEANUP(key_rotation_freep) struct key_rotation *rotation = NULL;
	CLEANUP(node_freep) struct node *node = NULL;
	int r = store_key_rotation_by_announced(region->store, wg_public, &rotation);
	if (r >= 0)
		r = store_node_by_id(region->store, rotation->id, &node);
	if (r >= 0 && !str_equal(node->key, key))
		(void)snprintf(ret, STORE_NAME_TEXT, "%s", node->name);
	return r == -ENOENT ? 0 : r;
}

int wg_key_holder(struct region *region, const char *wg_public, const char *key,
	const char *leaving, char ret[static STORE_NAME_TEXT])
{
	struct node **nodes;
	size_t n;
	CLEANUP(mesh_peer_freep) struct mesh_peer *peer = NULL;
	ret[0] = '\0';
	int r = store_mesh_peer_by_key(region->store, wg_public, &peer);
	if (r >= 0)
		(void)snprintf(ret, STORE_NAME_TEXT, "%s", peer->name);
	if (r != -ENOENT || (r = next_key_holder(region, wg_public, key, ret)) < 0 || ret[0] || (r = store_node_list_wg(region->store, wg_public, &nodes, &n)) < 0)
		return r;
	for (size_t i = 0; i < n && !ret[0]; i++)
		if (!str_equal(nodes[i]->key, key) && !str_equal(nodes[i]->key, leaving))
			(void)snprintf(ret, STORE_NAME_TEXT, "%s", nodes[i]->name);
	node_list_free(nodes, n);
	return 0;
}

int enrolment_check_wg_key(struct region *region, const struct enrolment *enrolment,
	const char *leaving, struct diag *reterr)
{
	char holder[STORE_NAME_TEXT];
	int r = wg_key_holder(region, enrolment->wg_public, enrolment->key, leaving, holder);
	if (r < 0 || !holder[0])
		return r;
	return diag_set(reterr, -EEXIST, "wgPublicKey",
		"is the WireGuard key of %s; if this is the same machine, revoke that node first",
		holder);
}

struct places {
	unsigned *numbers;
	size_t n_numbers, n_servers;
};

// No node gets the address of a peer outside: what the peers hold counts as taken numbers.
static int add_peer_places(struct region *region, struct places *places)
{
	struct mesh_peer **peers;
	size_t n;
	int r = store_mesh_peer_list(region->store, 0, &peers, &n);
	if (r < 0)
		return r;
	unsigned *more = realloc(places->numbers, (places->n_numbers + n + 1) * sizeof(*more));
	for (size_t i = 0; more && i < n; i++)
		if (peers[i]->host > ADDRESS_OFFSET)
			more[places->n_numbers++] = (unsigned)(peers[i]->host - ADDRESS_OFFSET);
	if (more)
		places->numbers = more;
	mesh_peer_list_free(peers, n);
	return more ? 0 : -ENOMEM;
}

// Nor does it get, by chance, the address of a server that left and has to be heard for a while.
static int add_leaving_places(struct region *region, struct places *places)
{
	struct node **nodes;
	size_t n;
	int r = mesh_leaving_list(region, &nodes, &n);
	if (r < 0)
		return r;
	unsigned *more = realloc(places->numbers, (places->n_numbers + n + 1) * sizeof(*more));
	for (size_t i = 0; more && i < n; i++)
		more[places->n_numbers++] = (unsigned)nodes[i]->number;
	if (more)
		places->numbers = more;
	node_list_free(nodes, n);
	return more ? 0 : -ENOMEM;
}

static int choose_number(const struct region *region, const struct places *places,
	const char *wished, int64_t *ret, struct diag *reterr)
{
	if (!wished || !wished[0]) {
		*ret = naming_lowest_free(places->numbers, places->n_numbers);
		return 0;
	}
	unsigned number = naming_node_number(&region->config->naming, wished);
	if (number == 0) {
		char example[NAME_TEXT];
		naming_node(&region->config->naming, 1, example);
		return diag_set(reterr, -EINVAL, "name",
			"must follow the naming of this cluster like %s, not \"%s\"", example,
			wished);
	}
	for (size_t i = 0; i < places->n_numbers; i++)
		if (places->numbers[i] == number)
			return diag_set(reterr, -EEXIST, "name",
				"%s is taken by another node, or its address by a peer outside",
				wished);
	*ret = number;
	return 0;
}

int enrolment_place(struct region *region, const char *wished, int64_t *ret_number,
	size_t *ret_n_servers, struct diag *reterr)
{
	struct places places = { 0 };
	int r = store_node_places(
		region->store, &places.numbers, &places.n_numbers, &places.n_servers);
	if (r >= 0)
		r = add_peer_places(region, &places);
	if (r >= 0 && !(wished && wished[0]))
		r = add_leaving_places(region, &places);
	if (r >= 0 && places.n_numbers >= MESH_SEGMENT_MAX)
		r = diag_set(reterr, -ERANGE, "",
			"a cluster has at most %d nodes and peers outside: its mesh is one segment; "
			"revoke some first, or make another cluster",
			MESH_SEGMENT_MAX);
	if (r >= 0)
		r = choose_number(region, &places, wished, ret_number, reterr);
	*ret_n_servers = places.n_servers;
	free(places.numbers);
	return r;
}

int node_revoke(struct region *region, struct node *node, const char *actor, const char *why)
{
	CLEANUP(cluster_freep) struct cluster *cluster = NULL;
	int r = region_cluster(region, &cluster);
	if (r < 0)
		return r;
	node->state = NODE_REVOKED;
	if ((r = store_node_put(region->store, node)) < 0 ||
		(r = membership_leave(region, cluster, node, actor)) < 0 ||
		(r = mesh_leave(region, node)) < 0 || (r = rotation_mark(region, node)) < 0 ||
		(r = key_rotation_forget(region, node)) < 0)
		return r;
	if (region->offers)
		mesh_reach_forget(region, node);
	region_audit(region, actor, "revoke", node->name,
		"%s; the secrets it received are to be rotated", why);
	return r;
}

static int revoke_replaced(struct region *region, const struct enrolment *enrolment,
	const char *actor, char *ret_name, bool *ret_server)
{
	CLEANUP(node_freep) struct node *old = NULL;
	if (!enrolment->replaces[0] ||
		store_node_by_id(region->store, enrolment->replaces, &old) < 0 ||
		old->state == NODE_REVOKED)
		return 0;
	(void)snprintf(ret_name, NAME_TEXT, "%s", old->name);
	*ret_server = old->is_server != 0;
	return node_revoke(region, old, actor,
		"its machine came back with a new key and a person approved that");
}

static int take_first_server(struct region *region, const struct node *node)
{
	CLEANUP(cluster_freep) struct cluster *cluster = NULL;
	int r = region_cluster(region, &cluster);
	if (r < 0 || !node->is_server || cluster->first_server[0])
		return r;
	(void)snprintf(cluster->first_server, sizeof(cluster->first_server), "%s", node->id);
	return store_cluster_put(region->store, cluster);
}

static int fill_node(struct region *region, const struct enrolment *enrolment,
	const struct admission *admission, const char *wished, bool replaces_server,
	struct node *node, struct diag *reterr)
{
	struct cidr address;
	size_t n_servers;
	int r = enrolment_place(region, wished, &node->number, &n_servers, reterr);
	if (r < 0)
		return r;
	if ((r = assign_mesh_address(region->config, node->number, &address)) < 0)
		return diag_set(reterr, r, "ranges.mesh", "no address is left for another node");
	id_generate("n-", node->id);
	naming_node(&region->config->naming, (unsigned)node->number, node->name);
	(void)snprintf(node->cluster, sizeof(node->cluster), "%s", region->config->name);
	(void)snprintf(node->key, sizeof(node->key), "%s", enrolment->key);
	(void)snprintf(node->uuid, sizeof(node->uuid), "%s", enrolment->uuid);
	(void)snprintf(node->serial, sizeof(node->serial), "%s", enrolment->serial);
	(void)snprintf(node->wg_public, sizeof(node->wg_public), "%s", enrolment->wg_public);
	(void)snprintf(node->remote, sizeof(node->remote), "%s", enrolment->remote);
	node->durable = admission->durable;
	node->state = admission->by_token && !admission->durable ? NODE_RESERVED : NODE_APPROVED;
	node->is_server = assign_is_server(region->config, n_servers,
		admission->may_be_server || (admission->keeps_role && replaces_server));
	node->approved_sec = node->seen_sec = region_now_sec(region);
	if (enrolment_code(region, enrolment, node->code) < 0)
		node->code[0] = '\0'; // by token before the exchange was opened: there is no code
	return (node->facts = strdup(enrolment->facts ? enrolment->facts : "{}")) ? 0 : -ENOMEM;
}

int enrolment_admit(struct region *region, struct enrolment *enrolment,
	const struct admission *admission, struct diag *reterr)
{
	CLEANUP(node_freep) struct node *node = calloc(1, sizeof(*node));
	CLEANUP(value_freep) struct value *facts = NULL;
	AUTO_FREE uint8_t *spki = NULL;
	char replaced_name[NAME_TEXT] = "";
	size_t n_spki;
	if (!node || base64_decode(enrolment->spki, &spki, &n_spki) < 0)
		return -ENOMEM;
	bool replaces_server = false;
	int r = revoke_replaced(
		region, enrolment, admission->actor, replaced_name, &replaces_server);
	if (r >= 0 && !admission->by_token)
		r = enrolment_claim_token(region, enrolment);
	if (r >= 0)
		r = enrolment_check_wg_key(region, enrolment, "", reterr);
	const char *wished = admission->node_name && admission->node_name[0] ? admission->node_name
									     : replaced_name;
	if (r >= 0)
		r = fill_node(
			region, enrolment, admission, wished, replaces_server, node, reterr);
	if (r >= 0)
		(void)json_parse(node->facts, strlen(node->facts), 0, &facts,
			NULL); // they were checked
	if (r < 0 ||
		(r = region_node_certificate(region, node, spki, n_spki, reterr)) < 0 ||
		(r = mesh_leave_place(region, node->number)) < 0 ||
		(r = mesh_reach_settle(region, node, facts)) < 0 ||
		(r = store_node_put(region->store, node)) < 0 ||
		(r = take_first_server(region, node)) < 0)
		return r;
	enrolment->state = node->state == NODE_RESERVED ? ENROLMENT_RESERVED : ENROLMENT_APPROVED;
	enrolment->durable = admission->durable;
	(void)snprintf(enrolment->node_id, sizeof(enrolment->node_id), "%s", node->id);
	if ((r = store_enrolment_put(region->store, enrolment)) < 0 ||
		(r = enrolment_name_token(region, enrolment, node->name)) < 0)
		return r;
	region_wake(region, enrolment->id);
	region_audit(region, admission->actor, "approve", node->name,
		"key %.16s, serial \"%s\", %s, %s%s%s", node->key, node->serial,
		node->is_server ? "server" : "worker", enrolment_state_name(enrolment->state),
		enrolment->unauthenticated ? ", booted without authentication" : "",
		replaced_name[0] ? ", replacement" : "");
	return 0;
}

static int burn_token(struct region *region, const struct enrolment *enrolment)
{
	CLEANUP(token_freep) struct token *token = NULL;
	struct token_use **uses;
	const struct token_use *own;
	size_t n;
	const struct token_question question = { enrolment->key, enrolment->uuid,
		region_now_sec(region), region->config->token_reserve_sec,
		region->config->takeover_silence_sec };
	int r = store_token_by_hash(region->store, enrolment->token_hash, &token);
	if (r < 0 ||
		(r = store_token_use_list(region->store, enrolment->token_hash, &uses, &n)) < 0)
		return r;
	r = token_decide(token, uses, n, &question, &own) == TOKEN_OWN ? 0 : -EEXIST;
	if (r >= 0) {
		struct token_use use = *own;
		use.burned = 1;
		r = store_token_use_put(region->store, &use);
	}
	token_use_list_free(uses, n);
	return r;
}

int enrolment_durable(struct region *region, struct enrolment *enrolment, struct node *node)
{
	int r = 0;
	if (node->durable)
		return 0;
	if (enrolment->token_hash[0] && (r = burn_token(region, enrolment)) < 0)
		return r;
	node->durable = enrolment->durable = 1;
	node->state = NODE_APPROVED;
	enrolment->state = ENROLMENT_APPROVED;
	if ((r = store_node_put(region->store, node)) < 0 ||
		(r = store_enrolment_put(region->store, enrolment)) < 0)
		return r;
	region_wake(region, enrolment->id);
	region_audit(region, node->name, "durable", node->name, "the node keeps its key now%s",
		enrolment->token_hash[0] ? "; its token is burned" : "");
	return 0;
}
