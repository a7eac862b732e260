// SPDX-License-Identifier: Apache-2.0
#include "region/mesh-peer.h"

#include "region/mesh-place.h"

#include <arpa/inet.h>
#include <errno.h>

// The last host of the mesh range, as far as 32 bits count.
static uint32_t last_host(const struct cidr *range)
{
	unsigned bits = (range->family == AF_INET ? 32 : 128) - range->length;
	struct cidr host;
	uint32_t last = bits >= 32 ? UINT32_MAX : (UINT32_C(1) << bits) - 1;
	while (last > 0 && cidr_host(range, last, &host) < 0)
		last--; // the broadcast address of IPv4
	return last;
}

static bool is_taken(uint32_t host, const unsigned *node_numbers, size_t n_nodes,
	struct mesh_peer *const *peers, size_t n_peers)
{
	for (size_t i = 0; i < n_nodes; i++)
		if ((uint64_t)node_numbers[i] + ADDRESS_OFFSET == host)
			return true;
	for (size_t i = 0; i < n_peers; i++)
		if (peers[i]->host == host)
			return true;
	return false;
}

int mesh_peer_address(const struct cluster_config *config, const unsigned *node_numbers,
	size_t n_nodes, struct mesh_peer *const *peers, size_t n_peers, int64_t *ret_host)
{
	for (uint32_t host = last_host(&config->mesh); host > 1; host--) // the first is the API's
		if (!is_taken(host, node_numbers, n_nodes, peers, n_peers)) {
			*ret_host = host;
			return 0;
		}
	return -ERANGE;
}

int mesh_peer_check_name(const struct cluster_config *config, const char *name, struct diag *reterr)
{
	if (!dns_label_valid(name))
		return diag_set(reterr, -EINVAL, "name",
			"must be a DNS label (1-63 of a-z, 0-9 and -, no - at either end), not "
			"\"%s\"",
			name);
	if (naming_node_number(&config->naming, name) > 0)
		return diag_set(reterr, -EINVAL, "name",
			"must not be the name of a node of this cluster, like \"%s\"", name);
	return 0;
}

static void put_server(FILE *f, const struct cluster_config *config, const struct node *server,
	const char *endpoint, bool has_api)
{
	char own[CIDR_TEXT] = "", text[CIDR_TEXT];
	struct cidr mesh, api;
	if (assign_mesh_address(config, server->number, &mesh) >= 0)
		cidr_format(&mesh, own);
	fprintf(f, "\n# %s\n[Peer]\nPublicKey = %s\nEndpoint = %s\nAllowedIPs = %s", server->name,
		server->wg_public, endpoint, own);
	if (has_api && assign_api_address(config, &api) >= 0) {
		cidr_format(&api, text);
		fprintf(f, ", %s", text);
	}
	fprintf(f, "\nPersistentKeepalive = %d\n", MESH_PEER_KEEPALIVE_SEC);
}

static void server_endpoint(
	const struct cluster_config *config, const struct node *server, char ret[static 80])
{
	ret[0] = '\0';
	if (server->state != NODE_REVOKED && !server->quarantined && server->is_server)
		mesh_place_for_outside(config, server, ret);
}

int mesh_peer_file(const struct cluster_config *config, const char *name, int64_t host,
	const char *private_key, struct node *const *servers, size_t n_servers, char **ret,
	struct diag *reterr)
{
	char endpoint[80], text[CIDR_TEXT];
	struct cidr address;
	size_t n = 0, n_reachable = 0, with_api = n_servers;
	for (size_t i = 0; i < n_servers; i++) {
		server_endpoint(config, servers[i], endpoint);
		if (!endpoint[0])
			continue;
		if (n_reachable++ == 0 || (servers[i]->ready && !servers[with_api]->ready))
			with_api = i;
	}
	if (n_reachable == 0)
		return diag_set(reterr, -EAGAIN, "",
			"no server has an endpoint yet that a peer outside could reach; a server "
			"gets one by its address in cluster.yaml's lan, or by a global address");
	int r = cidr_host(&config->mesh, (uint32_t)host, &address);
	if (r < 0)
		return r;
	char *file = NULL;
	FILE *f = open_memstream(&file, &n);
	if (!f)
		return -ENOMEM;
	cidr_format(&address, text);
	if (private_key)
		fprintf(f,
			"# %s, a peer of cluster %s. This private key is nowhere else: keep the "
			"file to yourself.\n"
			"[Interface]\nPrivateKey = %s\nAddress = %s\n",
			name, config->name, private_key, text);
	for (size_t i = 0; i < n_servers; i++) {
		server_endpoint(config, servers[i], endpoint);
		if (endpoint[0])
			put_server(f, config, servers[i], endpoint, i == with_api);
	}
	if (fclose(f) != 0) {
		free(file);
		return -ENOMEM;
	}
	*ret = file;
	return 0;
}

int mesh_peer_put(
	const struct cluster_config *config, const struct mesh_peer *peer, struct json_out *out)
{
	struct cidr address;
	char text[CIDR_TEXT];
	int r = cidr_host(&config->mesh, (uint32_t)peer->host, &address);
	if (r < 0)
		return r;
	cidr_format(&address, text);
	json_out_object_begin(out);
	json_out_member(out, "name", peer->name);
	json_out_member(out, "publicKey", peer->public_key);
	json_out_member(out, "endpoint", NULL); // it calls, from wherever it is
	json_out_key(out, "allowedIps");
	json_out_array_begin(out);
	json_out_string(out, text);
	json_out_array_end(out);
	json_out_member_int(out, "keepaliveSec", 0);
	json_out_object_end(out);
	return 0;
}
