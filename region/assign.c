// SPDX-License-Identifier: Apache-2.0
#include "region/assign.h"

#include "region/assign-extra.h"
#include "region/restore.h"
#include "region/settings.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>

int assign_mesh_address(const struct cluster_config *config, int64_t number, struct cidr *ret)
{
	if (number < 1 || number > UINT32_MAX - ADDRESS_OFFSET)
		return -ERANGE;
	return cidr_host(&config->mesh, (uint32_t)number + ADDRESS_OFFSET, ret);
}

int assign_lan_address(const struct cluster_config *config, int64_t number, struct cidr *ret)
{
	if (!config->has_lan || number < 1 || number > UINT32_MAX - ADDRESS_OFFSET)
		return -ERANGE;
	return cidr_host(&config->lan, (uint32_t)number + ADDRESS_OFFSET, ret);
}

int assign_api_address(const struct cluster_config *config, struct cidr *ret)
{
	return cidr_host(&config->mesh, 1, ret);
}

static bool lower_mac(const char *mac, char ret[static 18])
{
	if (!mac || strlen(mac) != 17)
		return false;
	for (size_t i = 0; i < 17; i++) {
		if (i % 3 == 2 ? mac[i] != ':' : !isxdigit((unsigned char)mac[i]))
			return false;
		ret[i] = (char)tolower((unsigned char)mac[i]);
	}
	ret[17] = '\0';
	return true;
}

static bool is_lan_mac(const struct cluster_config *config, const char *mac)
{
	return config->has_lan && str_starts(mac, config->lan_mac_prefix);
}

int assign_lan_mac(
	const struct cluster_config *config, const struct value *facts, char ret[static 18])
{
	const struct value *nics = value_find(facts, "nics");
	for (size_t i = 0; nics && i < nics->n; i++)
		if (lower_mac(value_text(value_find(&nics->items[i], "mac")), ret) &&
			is_lan_mac(config, ret))
			return 0;
	return -ENOENT;
}

static void put_addresses(struct json_out *out, const struct cidr *cidr, unsigned length)
{
	char text[CIDR_TEXT];
	struct cidr shown = *cidr;
	shown.length = length;
	cidr_format(&shown, text);
	json_out_key(out, "addresses");
	json_out_array_begin(out);
	json_out_string(out, text);
	json_out_array_end(out);
}

static void put_match(struct json_out *out, const char *mac)
{
	json_out_key(out, "match");
	json_out_object_begin(out);
	json_out_member(out, "macaddress", mac);
	json_out_object_end(out);
}

// The first ethernet by its id has a card: the LAN's goes before all that cluster.yaml says, as K3s may depend on it.
static void put_lan(const struct cidr *lan, unsigned length, const char *mac, struct json_out *out)
{
	json_out_key(out, LAN_ID);
	json_out_object_begin(out);
	put_match(out, mac);
	put_addresses(out, lan, length);
	json_out_member_bool(out, "optional", true);
	json_out_object_end(out);
}

// Pods of other nodes are behind the mesh; each peer's allowed-ips say which are whose.
static void put_pod_route(const struct cluster_config *config, struct json_out *out)
{
	char text[CIDR_TEXT];
	cidr_format(&config->pod, text);
	json_out_key(out, "routes");
	json_out_array_begin(out);
	json_out_object_begin(out);
	json_out_member(out, "to", text);
	json_out_member(out, "scope", "link");
	json_out_object_end(out);
	json_out_array_end(out);
}

static void put_mesh_link(const struct cluster_config *config, const struct cidr *mesh, struct json_out *out)
{
	json_out_key(out, "hearth0");
	json_out_object_begin(out);
	json_out_member(out, "mode", "wireguard");
	json_out_member(out, "key", "/state/hearth/identity/wg.key");
	json_out_member_int(out, "port", MESH_PORT);
	put_addresses(out, mesh, config->mesh.length);
	json_out_member_int(out, "mtu", MESH_MTU);
	if (str_equal(config->cni, "bridge"))
		put_pod_route(config, out);
	json_out_object_end(out);
}

static void put_api_link(const struct cidr *api, struct json_out *out)
{
	json_out_key(out, "hearth-api");
	json_out_object_begin(out);
	put_addresses(out, api, api->length);
	json_out_object_end(out);
}

static void put_definitions(const struct value *definitions, struct json_out *out)
{
	for (size_t i = 0; definitions && i < definitions->n; i++) {
		json_out_key(out, definitions->keys[i]);
		json_out_value(out, &definitions->items[i]);
	}
}

/* cluster.yaml's document for this node, and the port of the LAN, the mesh and the API's address. Of the ports that neither names
 * nothing is said: they stay as at first contact, which is by the seed, by the VLAN that a person picked or by DHCP; only the node
 * knows that. */
static void put_network(const struct cluster_config *config, const struct node *node,
	const struct value *facts, const struct cidr *mesh, const struct cidr *api,
	struct json_out *out)
{
	static const char *const sections[] = { "ethernets", "bonds", "bridges", "vlans", "vrfs", "tunnels", "dummy-devices" };
	const struct value *network = config_network_of(&config->networks, node->name);
	char mac[18];
	struct cidr lan;
	bool has_lan = assign_lan_mac(config, facts, mac) >= 0 && assign_lan_address(config, node->number, &lan) >= 0;
	json_out_key(out, "network");
	json_out_object_begin(out);
	json_out_member_int(out, "version", 2);
	for (size_t i = 0; i < N_ELEMENTS(sections); i++) {
		const struct value *definitions = value_find(network, sections[i]);
		bool is_lan = has_lan && str_equal(sections[i], "ethernets"), is_mesh = str_equal(sections[i], "tunnels"),
		     is_api = str_equal(sections[i], "dummy-devices");
		if (!is_lan && !is_mesh && !is_api && (!definitions || definitions->n == 0))
			continue;
		json_out_key(out, sections[i]);
		json_out_object_begin(out);
		put_definitions(definitions, out);
		if (is_lan)
			put_lan(&lan, config->lan.length, mac, out);
		if (is_mesh)
			put_mesh_link(config, mesh, out);
		if (is_api)
			put_api_link(api, out);
		json_out_object_end(out);
	}
	json_out_object_end(out);
}

static void put_cluster(
	const struct cluster_config *config, const struct cidr *api, struct json_out *out)
{
	const struct naming *naming = &config->naming;
	const struct {
		const char *key;
		const struct cidr *cidr;
	} ranges[] = { { "podCidr", &config->pod }, { "serviceCidr", &config->service },
		{ "meshCidr", &config->mesh } };
	char text[CIDR_TEXT];
	json_out_key(out, "cluster");
	json_out_object_begin(out);
	json_out_member(out, "name", config->name);
	json_out_member(out, "domain", config->domain);
	json_out_member(out, "provider", naming->provider);
	json_out_member(out, "region", naming->region);
	json_out_member(out, "buildingBlock", naming->block);
	json_out_member(out, "envType", naming->env);
	for (size_t i = 0; i < N_ELEMENTS(ranges); i++) {
		cidr_format(ranges[i].cidr, text);
		json_out_member(out, ranges[i].key, text);
	}
	cidr_format_address(api, text);
	json_out_member(out, "apiAddress", text);
	json_out_object_end(out);
}

static void put_labels(const struct cluster_config *config, struct json_out *out)
{
	json_out_key(out, "labels");
	json_out_object_begin(out);
	json_out_member(out, "openova.io/provider", config->naming.provider);
	json_out_member(out, "openova.io/region", config->naming.region);
	json_out_member(out, "openova.io/building-block", config->naming.block);
	json_out_member(out, "openova.io/env-type", config->naming.env);
	json_out_member(out, "openova.io/cluster", config->name);
	json_out_member(out, "openova.io/managed-by", "hearth");
	json_out_object_end(out);
}

static void put_tls_sans(const struct assignment_input *input, const struct cidr *api,
	const struct cidr *mesh, struct json_out *out)
{
	char text[CIDR_TEXT];
	struct cidr lan;
	json_out_key(out, "tlsSan");
	json_out_array_begin(out);
	cidr_format_address(api, text);
	json_out_string(out, text);
	cidr_format_address(mesh, text);
	json_out_string(out, text);
	if (assign_lan_address(input->config, input->node->number, &lan) >= 0) {
		cidr_format_address(&lan, text);
		json_out_string(out, text);
	}
	json_out_string(out, input->node->name);
	settings_put_names(input->settings, out);
	json_out_array_end(out);
}

// The address that K3s of node @number is reached at: mesh or LAN.
static int k3s_address(
	const struct cluster_config *config, int64_t number, char ret[static CIDR_TEXT])
{
	struct cidr address;
	int r = config->over_lan ? assign_lan_address(config, number, &address)
				 : assign_mesh_address(config, number, &address);
	if (r >= 0)
		cidr_format_address(&address, ret);
	return r;
}

static int put_servers(const struct assignment_input *input, struct json_out *out)
{
	char address[CIDR_TEXT];
	int r = 0;
	json_out_key(out, "servers");
	json_out_array_begin(out);
	for (size_t i = 0; i < input->n_servers && r >= 0; i++) {
		r = k3s_address(input->config, input->servers[i]->number, address);
		if (r < 0)
			break;
		json_out_object_begin(out);
		json_out_member(out, "name", input->servers[i]->name);
		json_out_member(out, "address", address);
		json_out_object_end(out);
	}
	json_out_array_end(out);
	return r;
}

// The oldest ones: the others follow as those are done.
static void put_jobs(const struct assignment_input *input, struct json_out *out)
{
	size_t n = 0;
	json_out_key(out, "jobs");
	json_out_array_begin(out);
	for (size_t i = 0; i < input->n_jobs && n < ASSIGNMENT_JOBS_MAX; i++) {
		const struct job *job = input->jobs[i];
		if (!str_equal(job->server, input->node->id) || job->state == JOB_FAILED)
			continue;
		n++;
		json_out_object_begin(out);
		json_out_member(out, "id", job->id);
		json_out_member(out, "kind", job->kind);
		json_out_member(out, "node", job->node);
		json_out_member_int(out, "createdSec", job->created_sec);
		json_out_object_end(out);
	}
	json_out_array_end(out);
}

/* "https://ADDRESS:6443" of the server that the node joins by: one of now, or the last one that was
 * there. Nodes of before records were kept have none: then the address of the API, which every node
 * leads to the servers. An agent takes no assignment without. */
static int join_url(
	const struct assignment_input *input, const struct cidr *api, char *ret, size_t n_ret)
{
	const struct node *by = input->joined_by;
	char address[CIDR_TEXT];
	int r = 0;
	for (size_t i = 0; i < input->n_servers; i++)
		if (str_equal(input->servers[i]->id, input->member->server))
			by = input->servers[i];
	if (by)
		r = k3s_address(input->config, by->number, address);
	else
		cidr_format_address(api, address);
	if (r >= 0)
		(void)snprintf(ret, n_ret,
			strchr(address, ':') ? "https://[%s]:%d" : "https://%s:%d", address,
			API_PORT);
	return r;
}

/* A server's part in a restore: it does the one that goes on, or joins a restored cluster with an empty database. Who did
 * that remembers the number, so it may be told for ever. */
static void put_restore(const struct assignment_input *input, struct json_out *out)
{
	const struct restore *restore = input->restore;
	if (!input->node->is_server)
		return;
	if (!restore_holds(restore) || !str_equal(restore->node, input->node->id)) {
		if (input->rejoin && !str_equal(input->cluster->first_server, input->node->id))
			json_out_member_int(out, "rejoin", input->rejoin);
		return;
	}
	json_out_key(out, "restore");
	json_out_object_begin(out);
	json_out_member_int(out, "n", restore->n);
	json_out_member(out, "snapshot", restore->snapshot);
	json_out_member_bool(out, "begin", restore->state == RESTORE_RUNNING);
	json_out_object_end(out);
}

static int put_k3s(const struct assignment_input *input, const struct cidr *api,
	const struct cidr *mesh, struct json_out *out, struct diag *reterr)
{
	const struct cluster_config *config = input->config;
	const struct node *node = input->node;
	bool first = str_equal(input->cluster->first_server, node->id);
	char own[CIDR_TEXT], url[CIDR_TEXT + 32];
	json_out_key(out, "k3s");
	if (!input->member) {
		json_out_null(out);
		json_out_member(out, "waitingFor", input->waiting_for);
		if (node->is_server && input->restore) // also who was off when it was restored
			json_out_member_int(out, "stopK3s", input->restore->n);
		return 0;
	}
	int r = k3s_address(config, node->number, own);
	if (r >= 0)
		r = join_url(input, api, url, sizeof(url));
	if (r < 0)
		return diag_set(reterr, r, "k3s", "no address is left in the range for node %s",
			node->name);
	json_out_object_begin(out);
	json_out_member_bool(out, "first", first);
	if (first)
		json_out_member_bool(out, "everReady", input->cluster->ever_ready);
	if (input->renew_kubeconfig)
		json_out_member_bool(out, "renewKubeconfig", true);
	json_out_member(out, "server", first ? NULL : url);
	if ((r = put_servers(input, out)) < 0)
		return diag_set(reterr, r, "k3s", "no address is left in the range for a server");
	json_out_member(out, "nodeIp", own);
	json_out_member(out, "over", config->over_lan ? "lan" : "mesh");
	put_labels(config, out);
	put_tls_sans(input, api, mesh, out);
	settings_put_k3s(input->settings, out);
	json_out_member_int(out, "restart", input->member->restart);
	put_restore(input, out);
	if (input->tokens)
		json_out_member_int(out, "tokens", input->tokens);
	json_out_member(out, "cni", config->cni);
	json_out_member_bool(out, "watchPodCidrs", node->is_server);
	json_out_object_end(out);
	return 0;
}

static void put_variables(
	const struct cluster_config *config, const struct cidr *api, struct json_out *out)
{
	char api_text[CIDR_TEXT], pod[CIDR_TEXT], service[CIDR_TEXT];
	cidr_format_address(api, api_text);
	cidr_format(&config->pod, pod);
	cidr_format(&config->service, service);
	const struct {
		const char *name, *text;
	} own[] = { { "SOVEREIGN_FQDN", config->domain }, { "CLUSTER_NAME", config->name },
		{ "CLUSTER_API_ADDRESS", api_text }, { "CLUSTER_POD_CIDR", pod },
		{ "CLUSTER_SERVICE_CIDR", service } };
	json_out_key(out, "variables");
	json_out_object_begin(out);
	for (size_t i = 0; i < N_ELEMENTS(own); i++)
		if (!value_find(config->bootstrap_variables, own[i].name))
			json_out_member(out, own[i].name, own[i].text);
	for (size_t i = 0; config->bootstrap_variables && i < config->bootstrap_variables->n; i++)
		json_out_member(out, config->bootstrap_variables->keys[i],
			value_text(&config->bootstrap_variables->items[i]));
	json_out_object_end(out);
}

static void put_artifacts(
	const struct assignment_input *input, const struct cidr *api, struct json_out *out)
{
	const struct cluster_config *config = input->config;
	const char *digest = input->cluster->bootstrap_digest[0] ? input->cluster->bootstrap_digest
								 : config->bootstrap_digest;
	json_out_key(out, "bootstrap");
	if (digest || config->bootstrap_tag) {
		json_out_object_begin(out);
		if (config->bootstrap_registry)
			json_out_member(out, "registry", config->bootstrap_registry);
		json_out_member(out, "repository",
			config->bootstrap_repository ? config->bootstrap_repository
						     : "hearth/bootstrap");
		// what was set by hand is newer than cluster.yaml
		json_out_member(
			out, digest ? "digest" : "tag", digest ? digest : config->bootstrap_tag);
		if (config->bootstrap_come_back_sec >= 0)
			json_out_member_int(out, "comeBackSec", config->bootstrap_come_back_sec);
		put_variables(config, api, out);
		json_out_key(out, "signingKeys");
		json_out_array_begin(out);
		for (size_t i = 0; i < config->n_signing_keys; i++)
			json_out_string(out, config->signing_keys[i]);
		json_out_array_end(out);
		json_out_object_end(out);
	} else {
		json_out_null(out);
	}
	settings_put_payload(input->settings, out);
}

static void put_region(const struct assignment_input *input, struct json_out *out)
{
	json_out_key(out, "region");
	json_out_object_begin(out);
	json_out_key(out, "urls");
	json_out_array_begin(out);
	for (size_t i = 0; i < input->config->n_urls; i++)
		json_out_string(out, input->config->urls[i]);
	json_out_array_end(out);
	json_out_key(out, "pins");
	json_out_array_begin(out);
	json_out_string(out, input->ca_pin);
	json_out_array_end(out);
	json_out_object_end(out);
}

// By which key peers know the node, and which one it is to have.
static void put_mesh_key(const struct assignment_input *input, struct json_out *out)
{
	const struct key_rotation *rotation = input->rotation;
	if (input->node->wg_public[0])
		json_out_member(out, "publicKey", input->node->wg_public);
	if (!rotation || !(rotation->state == KEY_ROTATION_PREPARING || rotation->state == KEY_ROTATION_PEERS ||
				 rotation->state == KEY_ROTATION_SWITCHING))
		return;
	json_out_key(out, "rotation");
	json_out_object_begin(out);
	json_out_member(out, "to", rotation->state == KEY_ROTATION_SWITCHING ? rotation->announced : NULL);
	json_out_object_end(out);
}

int assignment_build(const struct assignment_input *input, char **ret, struct diag *reterr)
{
	const struct cluster_config *config = input->config;
	const struct node *node = input->node;
	CLEANUP(value_freep) struct value *facts = NULL;
	struct json_out out = { 0 };
	struct cidr mesh, api;
	char mesh_text[CIDR_TEXT];
	int r = assign_mesh_address(config, node->number, &mesh);
	if (r < 0 || (r = assign_api_address(config, &api)) < 0)
		return diag_set(
			reterr, r, "ranges.mesh", "no address is left for node %s", node->name);
	if (node->facts)
		(void)json_parse(node->facts, strlen(node->facts), 0, &facts,
			NULL); // stored facts were checked; none is fine
	json_out_object_begin(&out);
	json_out_member(&out, "generation", input->generation);
	json_out_key(&out, "node");
	json_out_object_begin(&out);
	json_out_member(&out, "id", node->id);
	json_out_member(&out, "name", node->name);
	json_out_object_end(&out);
	put_cluster(config, &api, &out);
	json_out_member(&out, "role", node->is_server ? "server" : "worker");
	put_region(input, &out);
	put_network(config, node, facts, &mesh, &api, &out);
	json_out_key(&out, "mesh");
	json_out_object_begin(&out);
	json_out_member(&out, "link", "hearth0");
	cidr_format_address(&mesh, mesh_text);
	json_out_member(&out, "address", mesh_text);
	json_out_member_int(&out, "port", MESH_PORT);
	put_mesh_key(input, &out);
	json_out_object_end(&out);
	r = put_k3s(input, &api, &mesh, &out, reterr);
	put_artifacts(input, &api, &out);
	assign_put_extra(input, &out);
	if (node->is_server)
		put_jobs(input, &out);
	json_out_key(&out, "ntp");
	json_out_array_begin(&out);
	for (size_t i = 0; i < config->n_ntp; i++)
		json_out_string(&out, config->ntp[i]);
	json_out_array_end(&out);
	json_out_object_end(&out);
	if (r < 0) {
		json_out_done(&out);
		return r;
	}
	*ret = json_out_take(&out);
	return *ret ? 0 : -ENOMEM;
}

int assign_mesh_peer(const struct cluster_config *config, const struct mesh_node *node,
	const char *next_key, const char *endpoint, unsigned keepalive_sec, struct json_out *out)
{
	char text[CIDR_TEXT];
	struct cidr mesh;
	int r = assign_mesh_address(config, node->number, &mesh);
	if (r < 0)
		return r;
	json_out_object_begin(out);
	json_out_member(out, "name", node->name);
	json_out_member(out, "publicKey", node->wg_public);
	if (next_key)
		json_out_member(out, "nextPublicKey", next_key);
	json_out_member(out, "endpoint", endpoint);
	json_out_key(out, "allowedIps");
	json_out_array_begin(out);
	cidr_format(&mesh, text);
	json_out_string(out, text);
	if (node->pod_cidr[0])
		json_out_string(out, node->pod_cidr);
	json_out_array_end(out);
	json_out_member_int(out, "keepaliveSec", keepalive_sec);
	json_out_object_end(out);
	return 0;
}

bool assign_is_server(const struct cluster_config *config, size_t n_servers, bool may_be_server)
{
	return may_be_server && n_servers < (size_t)config->n_servers;
}
