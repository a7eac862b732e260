// Administrators and snapshots of etcd: another one, and which lie where. SPDX-License-Identifier:
// Apache-2.0
#include "region/admin.h"

#include "region/snapshot.h"

#include <errno.h>

int admin_snapshot_make(const struct admin_request *request, struct diag *reterr)
{
	CLEANUP(node_freep) struct node *node = NULL;
	const struct value *named = value_find(request->args, "node");
	const char *word;
	char id[ID_TEXT], name[STORE_NAME_TEXT];
	int r = named ? value_string(named, "node", &word, reterr) : 0;
	if (r >= 0 && named)
		r = admin_find_node(request->region, word, &node, reterr);
	if (r >= 0)
		r = snapshot_make(request->region, request->actor, node, id, name, reterr);
	if (r < 0)
		return r;
	json_out_member(request->out, "job", id);
	json_out_member(request->out, "node", name);
	return 0;
}

static void put_snapshots(struct json_out *out, const struct node *node)
{
	CLEANUP(value_freep) struct value *status = NULL;
	struct snapshot snapshot;
	if (!node->status || !strstr(node->status, "\"snapshots\"") ||
		json_parse(node->status, strlen(node->status), 0, &status, NULL) < 0)
		return;
	for (size_t i = 0; snapshot_at(status, i, &snapshot); i++) {
		json_out_object_begin(out);
		json_out_member(out, "node", node->name);
		json_out_member(out, "name", snapshot.name);
		json_out_member_int(out, "bytes", snapshot.n_bytes);
		json_out_member_int(out, "createdSec", snapshot.created_sec);
		json_out_object_end(out);
	}
}

int admin_snapshot_list(const struct admin_request *request, struct diag *reterr)
{
	struct node **nodes;
	size_t n;
	int r = store_node_list_servers(request->region->store, &nodes, &n);
	if (r < 0)
		return r;
	json_out_key(request->out, "snapshots");
	json_out_array_begin(request->out);
	for (size_t i = 0; i < n; i++)
		put_snapshots(request->out, nodes[i]);
	json_out_array_end(request->out);
	node_list_free(nodes, n);
	return 0;
}
