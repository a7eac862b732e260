// The assignment and the mesh peer from cluster.yaml and a node's record: pure, so that every rule
// has its case here. SPDX-License-Identifier: Apache-2.0
#include "region/assign.h"
#include "region/settings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "region/test-config.h"

static char facts[] = "{\"nics\":[{\"name\":\"eth0\",\"mac\":\"52:54:00:AA:00:01\",\"addresses\":["
		      "\"10.0.2.15/24\",\"192.0.2.7/24\"]},"
		      "{\"name\":\"eth1\",\"mac\":\"52:54:77:00:00:0B\",\"addresses\":[]},{"
		      "\"name\":\"eth2\",\"mac\":\"52:54:77:00:00:0C\"},"
		      "{\"name\":\"bad\",\"mac\":\"zz\"}]}";

struct site {
	struct cluster_config *config;
	struct cluster cluster;
	struct node first, second;
	bool renew_kubeconfig;
};

static struct site site_of(const char *more)
{
	struct site site = { .config = test_config(more),
		.first = { .id = "n-1",
			.name = "hzfsnr-k8s-1p",
			.number = 1,
			.is_server = 1,
			.facts = facts,
			.wg_public = "A=" },
		.second = { .id = "n-2",
			.name = "hzfsnr-k8s-2p",
			.number = 2,
			.facts = facts,
			.wg_public = "B=" },
		.cluster = { .name = "hz-fsn-rtz-prod", .first_server = "n-1" } };
	return site;
}

#define LAN "lan: {prefix: 10.77.0.0/24, macPrefix: '52:54:77'}"

static struct value *build(
	const struct site *site, const struct node *node, const struct node *first)
{
	AUTO_FREE char *settings_text = settings_newest(site->config, node->name);
	CLEANUP(value_freep) struct value *settings = NULL;
	assert_int_equal(json_parse(settings_text, strlen(settings_text), 0, &settings, NULL), 0);
	struct node *servers[] = { (struct node *)first };
	struct member member = { .restart = 3 };
	(void)snprintf(member.server, sizeof(member.server), "%s", first ? first->id : "");
	bool waits = !first || (node != first && !site->cluster.handed_over);
	struct job mine = { .id = "j-1",
		.kind = "drain",
		.node = "hzfsnr-k8s-2p",
		.server = "n-1", .created_sec = 1795600800 },
		   failed = { .id = "j-2", .server = "n-1", .state = JOB_FAILED },
		   others = { .id = "j-3", .server = "n-9" };
	struct job *jobs[] = { &mine, &failed, &others };
	const struct assignment_input input = { .config = site->config,
		.cluster = &site->cluster,
		.node = node,
		.member = waits ? NULL : &member,
		.waiting_for = "waits for a test",
		.settings = settings,
		.servers = servers,
		.n_servers = first != NULL,
		.jobs = jobs,
		.n_jobs = N_ELEMENTS(jobs),
		.renew_kubeconfig = site->renew_kubeconfig,
		.ca_pin = "sha256:00",
		.generation = "e.7" };
	AUTO_FREE char *text = NULL;
	struct value *document;
	struct diag diag = { 0 };
	if (assignment_build(&input, &text, &diag) < 0 ||
		json_parse(text, strlen(text), 0, &document, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	return document;
}

#define assert_text(document, expected, ...)                                                       \
	assert_string_equal(value_text(value_path(document, __VA_ARGS__, NULL)), expected)

static void the_first_server_makes_the_cluster(void **state)
{
	struct site site = site_of(LAN);
	CLEANUP(value_freep) struct value *document = build(&site, &site.first, &site.first);
	assert_text(document, "e.7", "generation");
	assert_text(document, "server", "role");
	assert_text(document, "10.66.0.11", "k3s", "nodeIp");
	assert_text(document, "10.66.0.1", "cluster", "apiAddress");
	assert_true(value_path(document, "k3s", "first", NULL)->boolean);
	assert_int_equal(value_path(document, "k3s", "server", NULL)->type, VALUE_NULL);
	assert_true(value_path(document, "k3s", "watchPodCidrs", NULL)->boolean);
	assert_false(value_path(document, "k3s", "everReady", NULL)->boolean);
	site.cluster.ever_ready = 1;
	CLEANUP(value_freep) struct value *later = build(&site, &site.first, &site.first);
	assert_true(value_path(later, "k3s", "everReady", NULL)->boolean);
	assert_null(value_path(later, "k3s", "renewKubeconfig", NULL));
	site.renew_kubeconfig = true;
	CLEANUP(value_freep) struct value *asked = build(&site, &site.first, &site.first);
	assert_true(value_path(asked, "k3s", "renewKubeconfig", NULL)->boolean);
	assert_text(document, "hetzner", "k3s", "labels", "openova.io/provider");
	assert_int_equal(value_find(document, "bootstrap")->type, VALUE_NULL);
	assert_null(value_find(document, "waitingFor"));
	const struct value *servers = value_path(document, "k3s", "servers", NULL);
	assert_int_equal(servers->n, 1);
	assert_text(&servers->items[0], "hzfsnr-k8s-1p", "name");
	assert_text(&servers->items[0], "10.66.0.11", "address");
	assert_string_equal(value_path(document, "k3s", "restart", NULL)->text, "3");
	assert_text(document, "documented", "k3s", "profile");
	const struct value *jobs = value_find(document, "jobs");
	assert_int_equal(jobs->n, 1); // its own, and none that failed
	assert_text(&jobs->items[0], "j-1", "id");
	assert_text(&jobs->items[0], "drain", "kind");
	assert_string_equal(value_find(&jobs->items[0], "createdSec")->text, "1795600800");
	cluster_config_free(site.config);
}

// A node refuses an assignment with more; when 40 nodes leave at once, the oldest jobs come first.
static void a_server_is_given_32_jobs_at_most(void **state)
{
	struct site site = site_of(LAN);
	struct member member = { .restart = 0 };
	struct job all[40] = { 0 }, *jobs[40];
	AUTO_FREE char *text = NULL;
	CLEANUP(value_freep) struct value *document = NULL;
	for (size_t i = 0; i < N_ELEMENTS(all); i++) {
		(void)snprintf(all[i].id, sizeof(all[i].id), "j-%zu", i);
		(void)snprintf(all[i].server, sizeof(all[i].server), "n-1");
		jobs[i] = &all[i];
	}
	const struct assignment_input input = { .config = site.config,
		.cluster = &site.cluster,
		.node = &site.first,
		.member = &member,
		.jobs = jobs,
		.n_jobs = N_ELEMENTS(jobs),
		.ca_pin = "",
		.generation = "" };
	assert_int_equal(assignment_build(&input, &text, NULL), 0);
	assert_int_equal(json_parse(text, strlen(text), 0, &document, NULL), 0);
	const struct value *told = value_find(document, "jobs");
	assert_int_equal(told->n, 32);
	assert_text(&told->items[31], "j-31", "id");
	cluster_config_free(site.config);
}

static void a_worker_waits_until_it_handed_over(void **state)
{
	struct site site = site_of(LAN);
	CLEANUP(value_freep) struct value *before = build(&site, &site.second, &site.first);
	assert_int_equal(value_find(before, "k3s")->type, VALUE_NULL);
	assert_text(before, "waits for a test", "waitingFor");
	assert_null(value_find(before, "jobs")); // work for servers alone
	site.cluster.handed_over = 1;
	CLEANUP(value_freep) struct value *after = build(&site, &site.second, &site.first);
	assert_text(after, "https://10.66.0.11:6443", "k3s", "server");
	assert_text(after, "10.66.0.12", "k3s", "nodeIp");
	assert_false(value_path(after, "k3s", "watchPodCidrs", NULL)->boolean);
	assert_null(value_path(
		after, "k3s", "everReady", NULL)); // whoever joins has nothing to start over
	cluster_config_free(site.config);
}

static void while_no_server_is_left_the_old_one_stays_named(void **state)
{
	struct site site = site_of(LAN);
	struct member member = { .server = "n-1" };
	site.cluster.handed_over = site.cluster.ever_ready = 1;
	struct assignment_input input = { .config = site.config,
		.cluster = &site.cluster,
		.node = &site.second,
		.member = &member,
		.joined_by = &site.first,
		.ca_pin = "",
		.generation = "" };
	for (int i = 0; i < 2; i++) {
		AUTO_FREE char *text = NULL;
		CLEANUP(value_freep) struct value *document = NULL;
		assert_int_equal(assignment_build(&input, &text, NULL), 0);
		assert_int_equal(json_parse(text, strlen(text), 0, &document, NULL), 0);
		assert_text(document, i ? "https://10.66.0.1:6443" : "https://10.66.0.11:6443",
			"k3s", "server");
		input.joined_by = NULL; // it was never recorded
		member.server[0] = '\0';
	}
	cluster_config_free(site.config);
}

static void over_the_lan_everything_is_a_lan_address(void **state)
{
	struct site site = site_of(LAN ", k3s: {over: lan, cni: bridge}");
	site.cluster.handed_over = 1;
	CLEANUP(value_freep) struct value *document = build(&site, &site.second, &site.first);
	assert_text(document, "https://10.77.0.11:6443", "k3s", "server");
	assert_text(document, "10.77.0.12", "k3s", "nodeIp");
	assert_text(document, "bridge", "k3s", "cni");
	cluster_config_free(site.config);
}

static void one_nic_is_the_lan_and_nothing_is_said_of_the_others(void **state)
{
	struct site site = site_of(LAN);
	CLEANUP(value_freep) struct value *document = build(&site, &site.first, &site.first);
	const struct value *ethernets = value_path(document, "network", "ethernets", NULL);
	assert_int_equal(ethernets->n, 1); // the first NIC with the prefix; "zz" is no MAC
	assert_text(ethernets, "52:54:77:00:00:0b", "00-lan", "match", "macaddress");
	assert_string_equal(value_text(&value_path(ethernets, "00-lan", "addresses", NULL)->items[0]),
		"10.77.0.11/24");
	const struct value *tunnel = value_path(document, "network", "tunnels", "hearth0", NULL);
	assert_text(tunnel, "/state/hearth/identity/wg.key", "key");
	assert_null(value_find(tunnel, "peers"));
	cluster_config_free(site.config);
}

static void networks_of_cluster_yaml_stand_beside_what_the_region_adds(void **state)
{
	struct site site = site_of(LAN ", network: {version: 2, bonds: {bond0: {interfaces: [a, b], mtu: 9000}}, ethernets: {a: {}, b: {}}},"
					" nodeNetworks: {hzfsnr-k8s-2p: {network: {vlans: {v7: {id: 7, link: x}}, ethernets: {x: {dhcp4: yes}}}}}");
	CLEANUP(value_freep) struct value *all = build(&site, &site.first, &site.first);
	assert_int_equal(value_path(all, "network", "ethernets", NULL)->n, 3);
	assert_text(all, "52:54:77:00:00:0b", "network", "ethernets", "00-lan", "match", "macaddress");
	assert_string_equal(value_path(all, "network", "bonds", "bond0", "mtu", NULL)->text, "9000");
	assert_int_equal(value_path(all, "network", "tunnels", NULL)->n, 1);
	CLEANUP(value_freep) struct value *single = build(&site, &site.second, &site.first);
	assert_null(value_path(single, "network", "bonds", NULL)); // its own is in place of the general one
	assert_string_equal(value_path(single, "network", "vlans", "v7", "id", NULL)->text, "7");
	assert_non_null(value_path(single, "network", "ethernets", "00-lan", NULL));
	assert_non_null(value_path(single, "network", "dummy-devices", "hearth-api", NULL));
	cluster_config_free(site.config);
}

static void pods_of_other_nodes_are_reached_through_the_mesh(void **state)
{
	struct site site = site_of(LAN ", k3s: {cni: bridge}");
	CLEANUP(value_freep) struct value *document = build(&site, &site.first, &site.first);
	const struct value *routes =
		value_path(document, "network", "tunnels", "hearth0", "routes", NULL);
	assert_int_equal(routes->n, 1);
	assert_text(&routes->items[0], "10.64.0.0/16", "to");
	assert_text(&routes->items[0], "link", "scope");
	cluster_config_free(site.config);
}

static void a_cni_of_ones_own_brings_its_own_routes(void **state)
{
	struct site site = site_of("k3s: {cni: none}");
	CLEANUP(value_freep) struct value *document = build(&site, &site.first, &site.first);
	assert_null(value_path(document, "network", "tunnels", "hearth0", "routes", NULL));
	cluster_config_free(site.config);
}

static void a_registry_is_named_to_nodes(void **state)
{
	struct site site = site_of("bootstrap: {registry: \"r.example.org:5000\", repository: a/b, tag: v1}");
	CLEANUP(value_freep) struct value *named = build(&site, &site.first, &site.first);
	assert_text(named, "r.example.org:5000", "bootstrap", "registry");
	cluster_config_free(site.config);
}

static void a_tag_counts_until_a_digest_is_set(void **state)
{
	struct site site = site_of("bootstrap: {repository: a/b, tag: v1, comeBackSec: 600}");
	CLEANUP(value_freep) struct value *tagged = build(&site, &site.first, &site.first);
	assert_text(tagged, "v1", "bootstrap", "tag");
	int64_t sec = 0;
	assert_int_equal(value_int(value_path(tagged, "bootstrap", "comeBackSec", NULL), "sec", 0,
				 INT64_MAX, &sec, NULL),
		0);
	assert_int_equal(sec, 600);
	assert_null(value_path(tagged, "bootstrap", "digest", NULL));
	assert_null(value_path(tagged, "bootstrap", "registry", NULL));
	(void)snprintf(site.cluster.bootstrap_digest, sizeof(site.cluster.bootstrap_digest),
		"sha256:%064d", 7);
	CLEANUP(value_freep) struct value *set = build(&site, &site.first, &site.first);
	assert_null(value_path(set, "bootstrap", "tag", NULL));
	assert_non_null(value_path(set, "bootstrap", "digest", NULL));
	cluster_config_free(site.config);
}

static void the_bootstrap_needs_a_digest(void **state)
{
	struct site site = site_of(
		"bootstrap: {repository: a/b, variables: {TEAM: blue, CLUSTER_NAME: mine}}");
	(void)snprintf(site.cluster.bootstrap_digest, sizeof(site.cluster.bootstrap_digest),
		"sha256:%064d", 7);
	CLEANUP(value_freep) struct value *document = build(&site, &site.first, &site.first);
	assert_text(document, "a/b", "bootstrap", "repository");
	assert_text(document, "blue", "bootstrap", "variables", "TEAM");
	assert_text(document, "mine", "bootstrap", "variables", "CLUSTER_NAME");
	assert_text(document, "example.org", "bootstrap", "variables", "SOVEREIGN_FQDN");
	assert_text(document, "10.64.0.0/16", "bootstrap", "variables", "CLUSTER_POD_CIDR");
	cluster_config_free(site.config);
}

static void a_peer_is_its_address_and_its_pods(void **state)
{
	struct site site = site_of(LAN);
	struct json_out out = { 0 };
	const struct mesh_node peer = { .name = "hzfsnr-k8s-2p",
		.number = 2,
		.wg_public = "B=",
		.pod_cidr = "10.64.1.0/24" };
	assert_int_equal(assign_mesh_peer(site.config, &peer, NULL, "10.77.0.12:51820", 25, &out), 0);
	AUTO_FREE char *text = json_out_take(&out);
	assert_string_equal(text,
		"{\"name\":\"hzfsnr-k8s-2p\",\"publicKey\":\"B=\",\"endpoint\":\"10.77.0.12:"
		"51820\","
		"\"allowedIps\":[\"10.66.0.12/32\",\"10.64.1.0/24\"],\"keepaliveSec\":25}");
	cluster_config_free(site.config);
}

static void a_full_range_is_said(void **state)
{
	struct site site = site_of("ranges: {mesh: 10.66.0.0/28}");
	struct cidr address;
	AUTO_FREE char *text = NULL;
	struct diag diag = { 0 };
	site.second.number = 5;
	assert_int_equal(assign_mesh_address(site.config, 4, &address), 0);
	assert_int_equal(assign_mesh_address(site.config, 5, &address), -ERANGE);
	const struct assignment_input input = { .config = site.config,
		.cluster = &site.cluster,
		.node = &site.second,
		.ca_pin = "",
		.generation = "" };
	assert_int_equal(assignment_build(&input, &text, &diag), -ERANGE);
	assert_non_null(strstr(diag_text(&diag), "no address is left"));
	cluster_config_free(site.config);
}

static void the_first_nodes_become_servers(void **state)
{
	struct site site = site_of("servers: 3");
	assert_true(assign_is_server(site.config, 0, true));
	assert_true(assign_is_server(site.config, 2, true));
	assert_false(assign_is_server(site.config, 3, true));
	assert_false(assign_is_server(site.config, 0, false));
	cluster_config_free(site.config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_server_makes_the_cluster),
		cmocka_unit_test(a_server_is_given_32_jobs_at_most),
		cmocka_unit_test(a_worker_waits_until_it_handed_over),
		cmocka_unit_test(while_no_server_is_left_the_old_one_stays_named),
		cmocka_unit_test(over_the_lan_everything_is_a_lan_address),
		cmocka_unit_test(one_nic_is_the_lan_and_nothing_is_said_of_the_others),
		cmocka_unit_test(networks_of_cluster_yaml_stand_beside_what_the_region_adds),
		cmocka_unit_test(pods_of_other_nodes_are_reached_through_the_mesh),
		cmocka_unit_test(a_cni_of_ones_own_brings_its_own_routes),
		cmocka_unit_test(a_registry_is_named_to_nodes),
		cmocka_unit_test(a_tag_counts_until_a_digest_is_set),
		cmocka_unit_test(the_bootstrap_needs_a_digest),
		cmocka_unit_test(a_peer_is_its_address_and_its_pods),
		cmocka_unit_test(a_full_range_is_said),
		cmocka_unit_test(the_first_nodes_become_servers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
