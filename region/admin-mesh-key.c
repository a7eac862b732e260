// Administrators and the nodes' WireGuard keys: rotate them, see how far that is, give it up.
// SPDX-License-Identifier: Apache-2.0
#include "region/admin.h"

#include "region/key-rotation-run.h"

#include <errno.h>

static int begin(const struct admin_request *request, const struct node *node, struct diag *reterr)
{
	int r = key_rotation_start(request->region, request->actor, node, reterr);
	if (r >= 0)
		json_out_string(request->out, node->name);
	return r;
}

// All that are in the mesh and rotate none yet, one after another.
static int begin_all(const struct admin_request *request)
{
	struct node **nodes;
	size_t n;
	int r = store_node_list(request->region->store, &nodes, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++)
		if (nodes[i]->state != NODE_REVOKED && !nodes[i]->quarantined &&
			(r = begin(request, nodes[i], NULL)) == -EALREADY)
			r = 0;
	node_list_free(nodes, n);
	return r;
}

static int begin_named(const struct admin_request *request, const char *word, struct diag *reterr)
{
	CLEANUP(node_freep) struct node *node = NULL;
	int r = admin_find_node(request->region, word, &node, reterr);
	return r < 0 ? r : begin(request, node, reterr);
}

// Files of peers outside name servers by their keys, and nothing but a person can change them.
static int put_stale_files(const struct admin_request *request)
{
	struct mesh_peer **peers;
	size_t n;
	int r = store_mesh_peer_list(request->region->store, 0, &peers, &n);
	if (r < 0)
		return r;
	json_out_key(request->out, "peersOutside");
	json_out_array_begin(request->out);
	for (size_t i = 0; i < n; i++)
		json_out_string(request->out, peers[i]->name);
	json_out_array_end(request->out);
	mesh_peer_list_free(peers, n);
	return 0;
}

int admin_mesh_key_rotate(const struct admin_request *request, struct diag *reterr)
{
	const char *word;
	int r = value_string(value_find(request->args, "node"), "node", &word, reterr);
	if (r < 0)
		return r;
	json_out_key(request->out, "rotates");
	json_out_array_begin(request->out);
	r = str_equal(word, "all") ? begin_all(request) : begin_named(request, word, reterr);
	json_out_array_end(request->out);
	if (r < 0 || (r = put_stale_files(request)) < 0)
		return r;
	return key_rotation_step(request->region);
}

int admin_mesh_key_status(const struct admin_request *request, struct diag *reterr)
{
	(void)reterr; // there is nothing to refuse
	return key_rotation_put(request->region, request->out);
}

int admin_mesh_key_stop(const struct admin_request *request, struct diag *reterr)
{
	CLEANUP(key_rotation_freep) struct key_rotation *rotation = NULL;
	CLEANUP(node_freep) struct node *node = NULL;
	const char *word;
	int r = value_string(value_find(request->args, "node"), "node", &word, reterr);
	if (r < 0 || (r = admin_find_node(request->region, word, &node, reterr)) < 0 ||
		(r = key_rotation_stop(request->region, request->actor, node, reterr)) < 0)
		return r;
	json_out_member(request->out, "stopped", node->name);
	if ((r = store_key_rotation_get(request->region->store, node->id, &rotation)) < 0)
		return r;
	json_out_member(request->out, "state", key_rotation_state_name(rotation->state));
	return key_rotation_step(request->region);
}
