// Administrators and the mesh: peers outside, an administrator's laptop (mesh-peer.h).
// SPDX-License-Identifier: Apache-2.0
#include "region/admin.h"

#include "base/time.h"
#include "region/mesh-peer.h"

#include <errno.h>

static int wanted_name(const struct admin_request *request, const char **ret, struct diag *reterr)
{
	return value_string(value_find(request->args, "name"), "name", ret, reterr);
}

static int choose_host(struct region *region, int64_t *ret_host, struct diag *reterr)
{
	struct mesh_peer **peers;
	unsigned *numbers = NULL;
	size_t n_peers, n_numbers, n_servers;
	int r = store_mesh_peer_list(region->store, 0, &peers, &n_peers);
	if (r < 0)
		return r;
	r = store_node_places(region->store, &numbers, &n_numbers, &n_servers);
	if (r >= 0 && n_peers >= MESH_PEER_MAX)
		r = diag_set(reterr, -ENOSPC, "",
			"there are %d peers outside the cluster already, as many as may be; remove "
			"one first",
			MESH_PEER_MAX);
	if (r >= 0 && n_numbers + n_peers >= MESH_SEGMENT_MAX)
		r = diag_set(reterr, -ENOSPC, "",
			"a cluster has at most %d nodes and peers outside: its mesh is one segment",
			MESH_SEGMENT_MAX);
	if (r >= 0) {
		r = mesh_peer_address(region->config, numbers, n_numbers, peers, n_peers, ret_host);
		if (r < 0)
			r = diag_set(reterr, r, "ranges.mesh", "no address is left for a peer");
	}
	free(numbers);
	mesh_peer_list_free(peers, n_peers);
	return r;
}

// *ret: the wg-quick file, with the private key that nobody keeps; the caller wipes and frees.
static int make_file(
	const struct region *region, struct mesh_peer *peer, char **ret, struct diag *reterr)
{
	uint8_t private_key[32], public_key[32];
	CLEANUP(secret_text_free) char *private_text = NULL;
	AUTO_FREE char *public_text = NULL;
	struct node **nodes = NULL;
	size_t n = 0;
	wg_key_generate(private_key);
	int r = wg_key_public(private_key, public_key);
	private_text = base64_encode(private_key, sizeof(private_key));
	public_text = base64_encode(public_key, sizeof(public_key));
	crypto_wipe(private_key, sizeof(private_key));
	if (r < 0 || !private_text || !public_text)
		return r < 0 ? r : -ENOMEM;
	(void)snprintf(peer->public_key, sizeof(peer->public_key), "%s", public_text);
	if ((r = store_node_list(region->store, &nodes, &n)) < 0)
		return r;
	r = mesh_peer_file(
		region->config, peer->name, peer->host, private_text, nodes, n, ret, reterr);
	node_list_free(nodes, n);
	return r;
}

static void put_address(const struct region *region, int64_t host, struct json_out *out)
{
	struct cidr address;
	char text[CIDR_TEXT];
	if (cidr_host(&region->config->mesh, (uint32_t)host, &address) < 0)
		return;
	cidr_format_address(&address, text);
	json_out_member(out, "address", text);
}

// A file that names a key which is about to be another one is not worth giving away.
static int check_no_rotation(struct region *region, struct diag *reterr)
{
	struct key_rotation **rotations;
	size_t n;
	int r = store_key_rotation_list_open(region->store, &rotations, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++) {
		CLEANUP(node_freep) struct node *node = NULL;
		if (rotations[i]->state == KEY_ROTATION_WAITING)
			continue;
		r = store_node_by_id(region->store, rotations[i]->id, &node);
		if (r >= 0 && node->is_server)
			r = diag_set(reterr, -EAGAIN, node->name,
				"gets another WireGuard key, which has to stand in the file: try "
				"again when hearth-region mesh-key status says done");
		r = r == -ENOENT ? 0 : r;
	}
	key_rotation_list_free(rotations, n);
	return r;
}

int admin_peer_servers(const struct admin_request *request, struct diag *reterr)
{
	AUTO_FREE char *file = NULL;
	struct node **nodes;
	size_t n;
	int r = check_no_rotation(request->region, reterr);
	if (r < 0 || (r = store_node_list(request->region->store, &nodes, &n)) < 0)
		return r;
	r = mesh_peer_file(request->region->config, "", 1, NULL, nodes, n, &file, reterr);
	node_list_free(nodes, n);
	if (r >= 0)
		json_out_member(request->out, "file", file);
	return r;
}

int admin_peer_add(const struct admin_request *request, struct diag *reterr)
{
	struct region *region = request->region;
	CLEANUP(mesh_peer_freep) struct mesh_peer *old = NULL;
	CLEANUP(secret_text_free) char *file = NULL;
	struct mesh_peer peer = { .created_sec = region_now_sec(region) };
	const char *name;
	int r = wanted_name(request, &name, reterr);
	if (r < 0 || (r = mesh_peer_check_name(region->config, name, reterr)) < 0)
		return r;
	if (store_mesh_peer_get(region->store, name, &old) >= 0)
		return diag_set(reterr, -EEXIST, name,
			"is a peer already, and its private key is not kept: hearth-region peer "
			"remove %s, then add it again",
			name);
	(void)snprintf(peer.name, sizeof(peer.name), "%s", name);
	(void)snprintf(peer.actor, sizeof(peer.actor), "%s", request->actor);
	if ((r = check_no_rotation(region, reterr)) < 0 ||
		(r = choose_host(region, &peer.host, reterr)) < 0 ||
		(r = make_file(region, &peer, &file, reterr)) < 0)
		return r;
	peer.generation = store_next_generation(region->store);
	if (peer.generation < 0)
		return (int)peer.generation;
	if ((r = store_removal_forget(region->store, peer.public_key)) < 0 ||
		(r = store_mesh_peer_put(region->store, &peer)) < 0)
		return r;
	region_wake(region, "cluster");
	region_audit(region, request->actor, "peer add", name, "WireGuard key %s", peer.public_key);
	json_out_member(request->out, "name", name);
	put_address(region, peer.host, request->out);
	json_out_member(request->out, "file", file);
	return 0;
}

int admin_peer_list(const struct admin_request *request, struct diag *reterr)
{
	struct mesh_peer **peers;
	char when[32];
	size_t n;
	int r = store_mesh_peer_list(request->region->store, 0, &peers, &n);
	if (r < 0)
		return r;
	json_out_key(request->out, "peers");
	json_out_array_begin(request->out);
	for (size_t i = 0; i < n; i++) {
		json_out_object_begin(request->out);
		json_out_member(request->out, "name", peers[i]->name);
		put_address(request->region, peers[i]->host, request->out);
		json_out_member(request->out, "publicKey", peers[i]->public_key);
		json_out_member(
			request->out, "added", time_format_utc(peers[i]->created_sec, when));
		json_out_member(request->out, "by", peers[i]->actor);
		json_out_object_end(request->out);
	}
	json_out_array_end(request->out);
	mesh_peer_list_free(peers, n);
	return 0;
}

int admin_peer_remove(const struct admin_request *request, struct diag *reterr)
{
	CLEANUP(mesh_peer_freep) struct mesh_peer *peer = NULL;
	struct region *region = request->region;
	const char *name;
	int r = wanted_name(request, &name, reterr);
	if (r < 0)
		return r;
	if ((r = store_mesh_peer_get(region->store, name, &peer)) == -ENOENT)
		return diag_set(reterr, r, name,
			"is no peer outside the cluster (hearth-region "
			"peer list)");
	if (r < 0 || (r = store_mesh_peer_remove(region->store, name)) < 0 ||
		(r = region_mesh_remove(region, peer->public_key)) < 0)
		return r;
	region_audit(
		region, request->actor, "peer remove", name, "WireGuard key %s", peer->public_key);
	json_out_member(request->out, "removed", name);
	return 0;
}
