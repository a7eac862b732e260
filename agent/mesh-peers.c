// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-peers.h"
#include "base/crypto.h"
#include "base/json.h"
#include <errno.h>

static void peer_done(struct mesh_peer *peer)
{
	free(peer->name);
	free(peer->public_key);
	free(peer->endpoint);
	for (size_t i = 0; i < peer->n_allowed_ips; i++)
		free(peer->allowed_ips[i]);
	free(peer->allowed_ips);
	*peer = (struct mesh_peer){ 0 };
}

void mesh_peers_done(struct mesh_peers *peers)
{
	for (size_t i = 0; i < peers->n; i++)
		peer_done(&peers->peers[i]);
	free(peers->peers);
	*peers = (struct mesh_peers){ 0 };
}

static bool is_wg_key(const char *text)
{
	uint8_t *bytes AUTO_FREE = NULL;
	size_t n = 0;
	return base64_decode(text, &bytes, &n) == 0 && n == 32;
}

static int decode_allowed(const struct value *list, struct mesh_peer *peer, struct diag *reterr)
{
	if (!list || list->type != VALUE_ARRAY || list->n > NETCONF_MAX_ALLOWED)
		return diag_set(reterr, -EINVAL, "allowedIps", "must be a list of at most %d ranges", NETCONF_MAX_ALLOWED);
	peer->allowed_ips = calloc(list->n + 1, sizeof(char *));
	if (!peer->allowed_ips)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		const char *text;
		int r = value_string(&list->items[i], "allowedIps", &text, reterr);
		if (r < 0)
			return r;
		if (!(peer->allowed_ips[peer->n_allowed_ips] = strdup(text)))
			return -ENOMEM;
		peer->n_allowed_ips++;
	}
	return 0;
}

static int decode_peer(const struct value *object, struct mesh_peer *peer, struct diag *reterr)
{
	const char *key = NULL, *name = value_text(value_find(object, "name"));
	const struct value *endpoint = value_find(object, "endpoint"), *keepalive = value_find(object, "keepaliveSec");
	int64_t sec = 0;
	int r = value_string(value_find(object, "publicKey"), "publicKey", &key, reterr);
	if (r < 0)
		return r;
	if (!is_wg_key(key))
		return diag_set(reterr, -EINVAL, "publicKey", "must be base64 of 32 bytes");
	if (keepalive && (r = value_int(keepalive, "keepaliveSec", 0, 65535, &sec, reterr)) < 0)
		return r;
	if (endpoint && endpoint->type != VALUE_NULL) {
		const char *text;
		if ((r = value_string(endpoint, "endpoint", &text, reterr)) < 0)
			return r;
		if (!(peer->endpoint = strdup(text)))
			return -ENOMEM;
	}
	peer->keepalive_sec = (uint16_t)sec;
	peer->public_key = strdup(key);
	peer->name = strdup(name ? name : "");
	if (!peer->public_key || !peer->name)
		return -ENOMEM;
	return decode_allowed(value_find(object, "allowedIps"), peer, reterr);
}

static size_t peer_find(const struct mesh_peers *peers, const char *key)
{
	size_t i = 0;
	while (i < peers->n && !str_equal(peers->peers[i].public_key, key))
		i++;
	return i;
}

// The @fresh peers (consumed) over those of @peers that are not in @removed.
static int merge(struct mesh_peers *peers, struct mesh_peers *fresh, const struct value *removed, struct diag *reterr)
{
	struct mesh_peer *grown = reallocarray(peers->peers, peers->n + fresh->n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	peers->peers = grown;
	for (size_t i = 0; removed && i < removed->n; i++) {
		const char *key = value_text(&removed->items[i]);
		size_t at = key ? peer_find(peers, key) : peers->n;
		if (at == peers->n)
			continue;
		peer_done(&peers->peers[at]);
		peers->peers[at] = peers->peers[--peers->n];
	}
	for (size_t i = 0; i < fresh->n; i++) {
		size_t at = peer_find(peers, fresh->peers[i].public_key);
		if (at < peers->n)
			peer_done(&peers->peers[at]);
		else
			peers->n++;
		peers->peers[at] = fresh->peers[i];
	}
	free(fresh->peers);
	*fresh = (struct mesh_peers){ 0 };
	return 0;
}

int mesh_peers_update(struct mesh_peers *peers, const char *json, size_t n, struct diag *reterr)
{
	struct value *document CLEANUP(value_freep) = NULL;
	struct mesh_peers fresh CLEANUP(mesh_peers_done) = { 0 };
	const char *generation = NULL;
	bool full = false;
	int r = json_parse(json, n, MESH_MAX_BYTES, &document, reterr);
	if (r < 0 || (r = value_string(value_find(document, "generation"), "generation", &generation, reterr)) < 0 ||
		(r = value_bool(value_find(document, "full"), "full", &full, reterr)) < 0)
		return r;
	const struct value *list = value_find(document, "peers"), *removed = value_find(document, "removed");
	if (!list || list->type != VALUE_ARRAY || list->n > MESH_MAX_PEERS)
		return diag_set(reterr, -EINVAL, "peers", "must be a list of at most %d peers", MESH_MAX_PEERS);
	if (removed && removed->type != VALUE_ARRAY)
		return diag_set(reterr, -EINVAL, "removed", "must be a list");
	if (strlen(generation) >= sizeof(peers->generation))
		return diag_set(reterr, -EINVAL, "generation", "is too long");
	if (!full && peers->n + list->n > MESH_MAX_PEERS)
		return diag_set(reterr, -EINVAL, "peers", "more than %d in one mesh", MESH_MAX_PEERS);
	fresh.peers = calloc(list->n + 1, sizeof(*fresh.peers));
	if (!fresh.peers)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		fresh.n = i + 1;
		if ((r = decode_peer(&list->items[i], &fresh.peers[i], reterr)) < 0)
			return r;
	}
	if (full) {
		mesh_peers_done(peers);
		*peers = fresh;
		fresh = (struct mesh_peers){ 0 };
	} else if ((r = merge(peers, &fresh, removed, reterr)) < 0) {
		return r;
	}
	memcpy(peers->generation, generation, strlen(generation) + 1);
	return 0;
}

char *mesh_peers_to_json(const struct mesh_peers *peers)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_member(&out, "generation", peers->generation);
	json_out_member_bool(&out, "full", true);
	json_out_key(&out, "peers");
	json_out_array_begin(&out);
	for (size_t i = 0; i < peers->n; i++) {
		const struct mesh_peer *peer = &peers->peers[i];
		json_out_object_begin(&out);
		json_out_member(&out, "name", peer->name);
		json_out_member(&out, "publicKey", peer->public_key);
		json_out_member(&out, "endpoint", peer->endpoint);
		json_out_key(&out, "allowedIps");
		json_out_array_begin(&out);
		for (size_t j = 0; j < peer->n_allowed_ips; j++)
			json_out_string(&out, peer->allowed_ips[j]);
		json_out_array_end(&out);
		json_out_member_int(&out, "keepaliveSec", peer->keepalive_sec);
		json_out_object_end(&out);
	}
	json_out_array_end(&out);
	json_out_object_end(&out);
	return json_out_take(&out);
}

struct netconf_peer *mesh_peers_view(const struct mesh_peers *peers)
{
	if (!peers->n)
		return NULL;
	struct netconf_peer *view = calloc(peers->n, sizeof(*view));
	for (size_t i = 0; view && i < peers->n; i++)
		view[i] = (struct netconf_peer){
			.public_key = peers->peers[i].public_key,
			.endpoint = peers->peers[i].endpoint,
			.allowed_ips = (const char *const *)peers->peers[i].allowed_ips,
			.n_allowed_ips = peers->peers[i].n_allowed_ips,
			.keepalive_sec = peers->peers[i].keepalive_sec,
		};
	return view;
}

const struct mesh_peer *mesh_peer_with_address(const struct mesh_peers *peers, const char *address)
{
	size_t n = strlen(address);
	for (size_t i = 0; i < peers->n; i++)
		for (size_t j = 0; j < peers->peers[i].n_allowed_ips; j++) {
			const char *range = peers->peers[i].allowed_ips[j];
			if (strncmp(range, address, n) == 0 && (str_equal(range + n, "/32") || str_equal(range + n, "/128")))
				return &peers->peers[i];
		}
	return NULL;
}
