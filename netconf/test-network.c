// netplan documents: what is taken, and what is refused with which words.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/yaml.h"
#include "netconf/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>

static int decode(const char *yaml, struct network **ret, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *document = NULL;
	int error = yaml_parse(yaml, strlen(yaml), 0, "n.yaml", &document, reterr);
	return error < 0 ? error : netconf_decode(document, ret, reterr);
}

static struct network *taken(const char *yaml)
{
	struct network *network = NULL;
	struct diag diag = {0};
	if (decode(yaml, &network, &diag) < 0)
		fail_msg("refused: %s\n%s", diag_text(&diag), yaml);
	return network;
}

static void documents_are_refused_by_name_and_place(void **state)
{
	static const struct {
		const char *yaml, *where, *words;
	} rows[] = {
		{"network: {version: 1}\n", "1:20", "version: must be 2"},
		{"version: 1\nconfig: []\n", "1:10", "version: must be 2, not \"1\""},
		{"network: {network: {}}\n", "1:11", "network: unknown key \"network\""},
		{"networks: {ethernets: {}}\n", "1:1", "did you mean \"network\"?"},
		{"ethernets:\n  eth0:\n    dns: [1.1.1.1]\n", "3:5", "unknown key \"dns\"; did you mean \"nameservers\"?"},
		{"ethernets:\n  <<: {eth0: {}}\n", "n.yaml:2:3", "merge keys (<<)"},
		{"ethernets:\n  eth0:\n    '<<': {mtu: 1500}\n", "3:5", "unknown key \"<<\""},
		{"ethernets:\n  eth0:\n    <<: {mtu: 1500}\n", "n.yaml:3:5", "merge keys (<<) are not supported; write the keys out"},
		{"ethernets: {eth0: {gateway: 10.0.0.1}}\n", "1:20", "did you mean \"gateway4\"?"},
		{"ethernets: {eth0: {routes: [{to: default, gateway: 10.0.0.1}]}}\n", "1:43", "did you mean \"via\"?"},
		{"bonds: {b: {parameters: {miimon: 100}}}\n", "1:26", "did you mean \"mii-monitor-interval\"?"},
		{"bonds: {b: {parameters: {xmit_hash_policy: layer2}}}\n", "1:26", "did you mean \"transmit-hash-policy\"?"},
		{"ethernets: {eth0: {nameservers: {timeout: 3}}}\n", "1:34", "unknown key \"timeout\"; known are addresses, search"},
		{"wifis:\n  w0: {}\n", "1:1", "wifis: is not supported"},
		{"version: 2\nethernet: {}\n", "2:1", "unknown key \"ethernet\"; did you mean \"ethernets\"?"},
		{"version: 2\nbond: {}\n", "2:1", "network: unknown key \"bond\"; did you mean \"bonds\"?"},
		{"version: 2\nethernets:\n  eth0:\n    dhpc4: true\n", "4:5",
			"ethernets.eth0: unknown key \"dhpc4\"; did you mean \"dhcp4\"?"},
		{"version: 2\nethernets:\n  eth0: {dhcp4: maybe}\n", "3:17", "ethernets.eth0.dhcp4"},
		{"version: 2\nethernets:\n  eth0: {addresses: 10.0.0.1/24}\n", "3:21", "must be a list"},
		{"version: 2\nethernets:\n  eth0: {addresses: [10.0.0.1]}\n", "3:22",
			"ethernets.eth0.addresses[0]: must be ADDRESS/PREFIX like 10.0.0.2/24, not \"10.0.0.1\""},
		{"version: 2\nethernets:\n  eth0: {addresses: [10.0.0.1/33]}\n", "3:22", "not \"10.0.0.1/33\""},
		{"version: 2\nethernets:\n  eth0: {addresses: [10.0.0.1/24: {label: x}]}\n", "",
			"addresses[0].label: is not supported"},
		{"version: 2\nethernets:\n  eth0: {addresses: [10.0.0.1/24, 10.0.0.1/16]}\n", "3:35",
			"address 10.0.0.1/16 is there twice, as 10.0.0.1/24 at 3:22"},
		{"version: 2\nethernets:\n  eth0: {mtu: 67}\n", "3:15", "ethernets.eth0.mtu: must be a number 68-65536"},
		{"version: 2\nethernets:\n  eth0: {mtu: 1000, addresses: ['fd00::1/64']}\n", "3:9", "at least 1280"},
		{"version: 2\nethernets:\n  eth0: {routes: [{via: 10.0.0.1}]}\n", "3:19", "routes[0]: needs the key to"},
		{"version: 2\nethernets:\n  eth0: {routes: [{to: default}]}\n", "3:24", "default needs via"},
		{"version: 2\nethernets:\n  eth0: {routes: [{to: 10.0.0.0/8, via: 'fd00::1'}]}\n", "3:19",
			"of one address family"},
		{"version: 2\nethernets:\n  eth0: {routes: [{to: 10.0.0.0/8, via: gw}]}\n", "3:41", "not \"gw\""},
		{"version: 2\nethernets:\n  eth0: {routes: [{to: 10.0.0.0/8, type: thrown}]}\n", "3:42", "not \"thrown\""},
		{"version: 2\nethernets:\n  a: {routes: [{to: 10.0.0.0/8}]}\n  b: {routes: [{to: 10.0.0.0/8}]}\n", "4:16",
			"are those of the route at 3:16 (a)"},
		{"version: 2\nethernets:\n  lan: {set-name: lan0}\n", "3:8", "set-name needs match"},
		{"version: 2\nethernets:\n  \"eth*\": {}\n", "3:11", "eth*: without match the id is the link's name: must be 1-15 visible"},
		{"version: 2\nbridges:\n  \"a:b\": {}\n", "3:10", "a:b: the id is the link's name: must be 1-15 visible"},
		{"version: 2\nbridges:\n  \"42\": {}\n", "3:9", "42: the id is the link's name: must be 1-15 visible"},
		{"version: 2\nbridges:\n  all: {}\n", "3:8", "all: the id is the link's name: must be 1-15 visible"},
		{"version: 2\nethernets:\n  lan: {match: {macaddress: 52:54:00}}\n", "3:29", "not \"52:54:00\""},
		{"version: 2\nethernets:\n  a-name-that-is-far-too-long: {}\n", "3:32", "must be 1-15 visible"},
		{"version: 2\nethernets:\n  'eth0/../x': {}\n", "3:16", "must be 1-15 visible"},
		{"version: 2\nethernets:\n  eth0: {nameservers: {addresses: [dns.example]}}\n", "3:36", "not \"dns.example\""},
		{"version: 2\nethernets:\n  eth0: {renderer: NetworkManager}\n", "3:20", "must be networkd"},
		{"version: 2\nethernets:\n  eth0:\n", "", "is empty"},
		{"version: 2\nethernets:\n  x0: {}\ndummy-devices:\n  x0: {}\n", "5:7", "another kind of link at 3:7"},
		{"version: 2\ndummy-devices:\n  d0: {set-name: d1}\n", "3:8", "unknown key \"set-name\"; known are accept-ra, "},
		{"version: 2\ntunnels:\n  t0: {mode: gre, key: /k}\n", "3:14", "must be wireguard"},
		{"version: 2\ntunnels:\n  t0: {mode: wireguard}\n", "3:7", "tunnels.t0: needs key"},
		{"version: 2\ntunnels:\n  t0: {mode: wireguard, key: /k, port: 65536}\n", "3:40", "tunnels.t0.port"},
		{"version: 2\ntunnels:\n  t0: {mode: wireguard, key: /k, peers: [{endpoint: '1.2.3.4:5'}]}\n", "3:42",
			"peers[0]: needs the key keys"},
		{"version: 2\ntunnels:\n  t0: {mode: wireguard, key: /k, peers: [{keys: {public: AAAA}}]}\n", "3:58",
			"44 characters of base64"},
		{"version: 2\ntunnels:\n  t0: {mode: wireguard, key: /k, peers: [{keys: {public: "
		 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=}, endpoint: 'a.example:51820'}]}\n",
			"3:115", "names are not resolved"},
		{"version: 2\ntunnels:\n  t0:\n    mode: wireguard\n    key: /k\n    peers:\n"
		 "    - keys: {public: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=}\n      allowed-ips: [10.0.0.1/8]\n"
		 "    - keys: {public: AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=}\n      allowed-ips: [10.2.0.0/8]\n",
			"4:5", "allowed address 10.0.0.0/8 can belong to one peer only"},
	};
	size_t n_wrong = 0;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(network_freep) struct network *network = NULL;
		struct diag diag = {0};
		int error = decode(rows[i].yaml, &network, &diag);
		if (error != -EINVAL || (rows[i].where[0] && !str_equal(diag.where, rows[i].where)) || !diag.where[0] ||
			!strstr(diag.message, rows[i].words))
			print_error("row %zu: %d %s\n%s", i, error, diag_text(&diag), rows[i].yaml), n_wrong++;
	}
	assert_int_equal(n_wrong, 0);
}

static void a_key_in_the_document_is_refused_and_never_shown(void **state)
{
	CLEANUP(network_freep) struct network *network = NULL;
	struct diag diag = {0};
	assert_int_equal(decode("version: 2\ntunnels:\n  t0: {mode: wireguard, key: YAr0T2ZW2fCgCOZkBhZ9K8XnW3FXOsyzIzKRyyEsQ0o=}\n",
				 &network, &diag),
		-EINVAL);
	assert_string_equal(diag.where, "3:30");
	assert_non_null(strstr(diag.message, "tunnels.t0.key: must be the absolute path"));
	assert_null(strstr(diag.message, "YAr0T2"));
}

static void an_assignment_is_taken_as_it_comes(void **state)
{
	CLEANUP(network_freep) struct network *network = taken(
		"{\"version\": 2, \"tunnels\": {\"hearth0\": {\"mode\": \"wireguard\", \"key\": \"/state/hearth/identity/wg.key\", "
		"\"port\": 51820, \"addresses\": [\"10.66.0.11/16\"], \"mtu\": 1420}}, "
		"\"dummy-devices\": {\"hearth-api\": {\"addresses\": [\"10.66.0.1/32\"]}}}");
	const struct declaration *mesh = network_find(network, "hearth0"), *api = network_find(network, "hearth-api");
	assert_non_null(mesh);
	assert_non_null(api);
	assert_int_equal(mesh->kind, DECLARATION_WIREGUARD);
	assert_string_equal(mesh->key_file, "/state/hearth/identity/wg.key");
	assert_int_equal(mesh->port, 51820);
	assert_false(mesh->has_peers);
	assert_int_equal(api->addresses[0].prefix, 32);
}

static void what_netplan_users_write_is_taken(void **state)
{
	static const char *const rows[] = {
		"network:\n  version: 2\n",
		"network:\n  version: 2\n  renderer: networkd\n  ethernets:\n    renderer: networkd\n    eth0: {dhcp4: yes}\n",
		"version: 2\nethernets:\n  all: {match: {name: 'en*'}, dhcp4: true, dhcp6: off, optional: true}\n",
		"version: 2\nethernets:\n  lan: {match: {macaddress: '52:54:00:AB:cd:01'}, set-name: lan0, link-local: []}\n",
		"version: 2\nethernets:\n  lan: {match: {driver: [virtio_net, 'mlx*']}, accept-ra: no, dhcp-identifier: mac}\n",
		"version: 2\nethernets:\n  eth0: {addresses: [10.0.0.2/24], gateway4: 10.0.0.1}\n",
		"version: 2\nethernets:\n  eth0: {nameservers: {addresses: [1.1.1.1, '2606:4700::1'], search: [a.example]}}\n",
		"version: 2\nethernets:\n  eth0: {routes: [{to: 0.0.0.0/0, via: 10.0.0.1, on-link: true, metric: 100}]}\n",
		"version: 2\ndummy-devices: {}\ntunnels: {}\n",
		"version: 2\ntunnels:\n  wg0: {mode: wireguard, keys: {private: /k}, mark: 42, peers: []}\n",
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(network_freep) struct network *network = taken(rows[i]);
		assert_non_null(network);
	}
}

static void routes_are_as_the_kernel_will_show_them(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("version: 2\nethernets:\n  eth0:\n    routes:\n"
							       "    - {to: default, via: 'fd00::1'}\n"
							       "    - {to: 10.1.2.3/8}\n"
							       "    - {to: 10.9.9.9, via: 10.1.1.1}\n");
	const struct route *routes = network->declarations[0].routes;
	char text[ROUTE_TEXT];
	assert_int_equal(network->declarations[0].n_routes, 3);
	assert_string_equal(route_format(&routes[0], text), "::/0 via fd00::1 metric 1024");
	assert_string_equal(route_format(&routes[1], text), "10.0.0.0/8");
	assert_int_equal(routes[1].scope, RT_SCOPE_LINK);
	assert_string_equal(route_format(&routes[2], text), "10.9.9.9/32 via 10.1.1.1");
	struct route whole = routes[2];
	whole.source = whole.gateway;
	whole.scope = RT_SCOPE_LINK;
	whole.on_link = true;
	whole.metric = whole.table = whole.mtu = whole.cwnd = whole.rwnd = UINT32_MAX;
	assert_string_equal(route_format(&whole, text), "10.9.9.9/32 via 10.1.1.1 from 10.1.1.1 on-link scope link "
							"metric 4294967295 table 4294967295 mtu 4294967295 "
							"congestion-window 4294967295 advertised-receive-window 4294967295");
	assert_int_equal(routes[2].scope, RT_SCOPE_UNIVERSE);
}

static void later_documents_extend_earlier_ones(void **state)
{
	static const char *const files[] = {
		"version: 2\nethernets:\n  eth0: {dhcp4: true, mtu: 1400, addresses: [10.0.0.2/24]}\n",
		"version: 2\nethernets:\n  eth0: {dhcp4: false, addresses: [10.0.0.3/24]}\n",
	};
	CLEANUP(network_freep) struct network *network = calloc(1, sizeof(*network));
	struct diag diag = {0};
	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		CLEANUP(value_freep) struct value *document = NULL;
		assert_int_equal(yaml_parse(files[i], strlen(files[i]), 0, "f", &document, &diag), 0);
		assert_int_equal(network_decode(network, document, NULL, &diag), 0);
	}
	assert_int_equal(network_validate(network, &diag), 0);
	assert_int_equal(network->n, 1);
	assert_false(network->declarations[0].dhcp4);
	assert_int_equal(network->declarations[0].mtu, 1400);
	assert_int_equal(network->declarations[0].n_addresses, 2);
}

// @n documents under the names a.yaml, b.yaml ... of /etc/netplan.
static int decode_files(const char *const files[], size_t n, struct network **ret, struct diag *reterr)
{
	CLEANUP(network_freep) struct network *network = calloc(1, sizeof(*network));
	int error = 0;
	assert_non_null(network);
	for (size_t i = 0; error == 0 && i < n; i++) {
		CLEANUP(value_freep) struct value *document = NULL;
		AUTO_FREE char *name = str_format("/etc/netplan/%c.yaml", (char)('a' + i));
		assert_non_null(name);
		assert_int_equal(yaml_parse(files[i], strlen(files[i]), 0, name, &document, reterr), 0);
		error = network_decode(network, document, name, reterr);
	}
	if (error == 0)
		error = network_validate(network, reterr);
	if (error == 0)
		*ret = TAKE_PTR(network);
	return error;
}

static void errors_across_documents_name_their_files(void **state)
{
	static const struct {
		const char *files[2], *text;
	} rows[] = {
		{{"ethernets: {}\n", "ethernets:\n  eth0: {mtu: many}\n"}, "/etc/netplan/b.yaml:2:15: ethernets.eth0.mtu"},
		{{"ethernets:\n  eth0: {}\n", "bonds:\n  eth0: {}\n"},
			"/etc/netplan/b.yaml:2:9: eth0: is declared as another kind of link at /etc/netplan/a.yaml:2:9"},
		{{"ethernets:\n  eth0: {routes: [{to: default, via: 10.0.0.1}]}\n",
			"ethernets:\n  eth1: {gateway4: 10.1.0.1}\n"},
			"/etc/netplan/b.yaml:2:20: route 0.0.0.0/0 via 10.1.0.1 of eth1: destination, table and metric are those of "
			"the route at /etc/netplan/a.yaml:2:19 (eth0)"},
		{{"ethernets:\n  eth0: {addresses: [10.0.0.1/24]}\n", "ethernets:\n  eth0: {addresses: [10.0.0.1/16]}\n"},
			"/etc/netplan/b.yaml:2:22: eth0: address 10.0.0.1/16 is there twice, as 10.0.0.1/24 at "
			"/etc/netplan/a.yaml:2:22"},
		{{"bonds:\n  bond0: {interfaces: [eth0]}\n", "ethernets:\n  eth1: {}\n"},
			"/etc/netplan/a.yaml:2:24: bonds.bond0.interfaces: eth0 is not declared"},
		{{"ethernets:\n  eth0: {}\nvrfs:\n  red: {table: 5, interfaces: [eth0]}\n",
			"vrfs:\n  red: {routes: [{to: 10.0.0.0/8, via: 10.1.0.1, table: 6}]}\n"},
			"/etc/netplan/b.yaml:2:18: vrfs.red.routes[0].table"},
		{{"ethernets:\n  eth0: {mtu: 1000}\n", "ethernets:\n  eth0: {dhcp6: true}\n"},
			"/etc/netplan/a.yaml:2:9: eth0: mtu must be at least 1280"},
		{{"ethernets:\n  eth0: {mtu: 1000}\n", "vlans:\n  v5: {id: 5, link: eth0}\n  v6: {id: 6, link: eth0, dhcp6: true}\n"},
			"/etc/netplan/a.yaml:2:9: eth0: mtu must be at least 1280 with IPv6 on v6, not 1000"},
		{{"ethernets:\n  eth0: {mtu: 1279}\n", "bridges:\n  br0: {interfaces: [eth0], accept-ra: true}\n"},
			"/etc/netplan/a.yaml:2:9: eth0: mtu must be at least 1280 with IPv6 on br0, not 1279"},
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct network *network = NULL;
		struct diag diag = {0};
		assert_int_equal(decode_files(rows[i].files, N_ELEMENTS(rows[i].files), &network, &diag), -EINVAL);
		if (strncmp(diag_text(&diag), rows[i].text, strlen(rows[i].text)) != 0)
			fail_msg("%s\nis not\n%s", diag_text(&diag), rows[i].text);
	}
}

static void a_key_file_that_is_wrong_is_told_with_its_tunnel(void **state)
{
	CLEANUP(network_freep) struct network *network =
		taken("tunnels:\n  wg0: {mode: wireguard, key: /nonexistent/wg.key, addresses: [10.9.0.1/24]}\n");
	struct diag diag = {0};
	assert_int_equal(network_load_keys(network, &diag), -ENOENT);
	assert_non_null(strstr(diag_text(&diag), "2:8: wg0: key file /nonexistent/wg.key: "));
}

static void a_layer_below_keeps_the_names_of_its_files(void **state)
{
	static const char *const above[] = {"ethernets:\n  eth0: {}\n"}, *const under[] = {"ethernets: {}\n",
		"ethernets:\n  eth1: {}\n"};
	CLEANUP(network_freep) struct network *network = NULL;
	struct network *below = NULL;
	struct diag diag = {0};
	char where[DIAG_WHERE_MAX];
	assert_int_equal(decode_files(above, N_ELEMENTS(above), &network, &diag), 0);
	assert_int_equal(decode_files(under, N_ELEMENTS(under), &below, &diag), 0);
	assert_int_equal(netconf_layer(network, below), 0);
	assert_string_equal(place_text(&network_find(network, "eth1")->where, where), "/etc/netplan/b.yaml:2:9");
}

static void a_long_path_is_cut_and_its_line_is_not(void **state)
{
	char path[2 * DIAG_WHERE_MAX], where[DIAG_WHERE_MAX];
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	struct place place = {.file = path, .line = 4000000000, .column = 4000000000};
	assert_string_equal(strchr(place_text(&place, where), ':'), ":4000000000:4000000000");
}

static void addresses_keep_the_order_of_the_document(void **state)
{
	CLEANUP(network_freep) struct network *network = taken(
		"ethernets:\n  eth0: {addresses: [10.0.0.9/24, 10.0.0.2/24, 10.0.0.9/24, 10.0.0.1/24]}\n");
	static const char *const rest[] = {"10.0.0.9/24", "10.0.0.2/24", "10.0.0.1/24"};
	const struct declaration *eth0 = &network->declarations[0];
	char text[ADDRESS_TEXT];
	assert_int_equal(eth0->n_addresses, N_ELEMENTS(rest));
	for (size_t i = 0; i < N_ELEMENTS(rest); i++)
		assert_string_equal(address_format(&eth0->addresses[i], text), rest[i]);
	assert_int_equal(eth0->addresses_where[2].column, 61);
}

static void ethernets_are_asked_in_the_order_of_networkds_files(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("ethernets: {zz: {match: {name: 'e*'}}, en0: {}, en-a: {}, en: {}}\n"
							       "dummy-devices: {d1: {}, d0: {}}\n");
	static const char *const order[] = {"en-a", "en", "en0", "zz", "d1", "d0"};
	assert_int_equal(network->n, N_ELEMENTS(order));
	for (size_t i = 0; i < N_ELEMENTS(order); i++)
		assert_string_equal(network->declarations[i].id, order[i]);
}

static void a_layer_below_keeps_only_what_is_not_declared_above(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("version: 2\nethernets:\n  eth0: {mtu: 1400}\n");
	struct network *below = taken("version: 2\nethernets:\n  eth0: {dhcp4: true}\n  eth1: {dhcp4: true}\n");
	assert_int_equal(netconf_layer(network, below), 0);
	assert_int_equal(network->n, 2);
	assert_false(network_find(network, "eth0")->dhcp4);
	assert_true(network_find(network, "eth1")->dhcp4);
}

// What is declared anew above has the ports that it says there, and none of the layer below beside them.
static void a_layer_below_gives_no_port_to_what_is_declared_above(void **state)
{
	CLEANUP(network_freep) struct network *network = taken("ethernets: {eth0: {}}\nbonds: {bond0: {interfaces: [eth0]}}\n");
	struct network *below = taken("ethernets: {eth0: {}, eth1: {}, eth2: {}}\n"
				      "bonds: {bond0: {interfaces: [eth0, eth1]}, bond1: {interfaces: [eth2]}}\n");
	assert_int_equal(netconf_layer(network, below), 0);
	assert_string_equal(network_find(network, "eth0")->master, "bond0");
	assert_null(network_find(network, "eth1")->master);
	assert_string_equal(network_find(network, "eth2")->master, "bond1");
}

static void a_big_document_is_decoded(void **state)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	assert_non_null(out);
	fprintf(out, "version: 2\nethernets:\n  eth0:\n    addresses:\n");
	for (int i = 0; i < 1000; i++)
		fprintf(out, "    - 10.1.%d.%d/16\n", i >> 8, i & 255);
	fprintf(out, "    routes:\n");
	for (int i = 0; i < 5000; i++)
		fprintf(out, "    - {to: 10.%d.%d.0/24, via: 10.1.0.1}\n", 100 + (i >> 8), i & 255);
	fclose(out);
	CLEANUP(network_freep) struct network *network = taken(text);
	free(text);
	assert_int_equal(network->declarations[0].n_addresses, 1000);
	assert_int_equal(network->declarations[0].n_routes, 5000);
}

static void endpoints_and_prefixes_are_exact(void **state)
{
	static const char *const bad_endpoints[] = {"1.2.3.4", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:01", "fd00::1:5",
		"[fd00::1]", "[1.2.3.4]:5", "[fd00::1]:", ":5", "", "1.2.3.4:5 "};
	static const char *const bad_prefixes[] = {"10.0.0.1/", "10.0.0.1/33", "10.0.0.1/01", "10.0.0/8", "fd00::/129",
		"10.0.0.1/-1", "10.0.0.1/8/8", "", "/8"};
	struct ip ip;
	uint16_t port;
	struct address address;
	char text[ADDRESS_TEXT];
	for (size_t i = 0; i < N_ELEMENTS(bad_endpoints); i++)
		if (endpoint_parse(bad_endpoints[i], &ip, &port) != -EINVAL)
			fail_msg("taken: %s", bad_endpoints[i]);
	for (size_t i = 0; i < N_ELEMENTS(bad_prefixes); i++)
		if (address_parse(bad_prefixes[i], false, &address) != -EINVAL)
			fail_msg("taken: %s", bad_prefixes[i]);
	assert_int_equal(endpoint_parse("[2001:db8::1]:51820", &ip, &port), 0);
	assert_string_equal(endpoint_format(&ip, port, text), "[2001:db8::1]:51820");
	assert_int_equal(address_parse("10.255.255.255/9", true, &address), 0);
	address_mask(&address);
	assert_string_equal(address_format(&address, text), "10.128.0.0/9");
	assert_int_equal(address_parse("ffff:ffff::1/0", true, &address), 0);
	address_mask(&address);
	assert_string_equal(address_format(&address, text), "::/0");
}

static void addresses_read_as_libc_writes_them(void **state)
{
	for (int i = 0; i < 256; i++) {
		struct address address = {.ip = {.family = AF_INET, .bytes = {(uint8_t)i, 0, (uint8_t)(255 - i), 10}},
			.prefix = (uint8_t)(i % 33)};
		char text[ADDRESS_TEXT], wanted[INET_ADDRSTRLEN], with_prefix[ADDRESS_TEXT];
		assert_non_null(inet_ntop(AF_INET, address.ip.bytes, wanted, sizeof(wanted)));
		assert_string_equal(ip_format(&address.ip, text), wanted);
		(void)snprintf(with_prefix, sizeof(with_prefix), "%s/%d", wanted, i % 33);
		assert_string_equal(address_format(&address, text), with_prefix);
	}
	struct address none = {0};
	char text[ADDRESS_TEXT];
	assert_string_equal(address_format(&none, text), "none/0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_are_refused_by_name_and_place),
		cmocka_unit_test(a_key_in_the_document_is_refused_and_never_shown),
		cmocka_unit_test(an_assignment_is_taken_as_it_comes),
		cmocka_unit_test(what_netplan_users_write_is_taken),
		cmocka_unit_test(routes_are_as_the_kernel_will_show_them),
		cmocka_unit_test(later_documents_extend_earlier_ones),
		cmocka_unit_test(errors_across_documents_name_their_files),
		cmocka_unit_test(a_key_file_that_is_wrong_is_told_with_its_tunnel),
		cmocka_unit_test(a_layer_below_keeps_the_names_of_its_files),
		cmocka_unit_test(a_long_path_is_cut_and_its_line_is_not),
		cmocka_unit_test(addresses_keep_the_order_of_the_document),
		cmocka_unit_test(ethernets_are_asked_in_the_order_of_networkds_files),
		cmocka_unit_test(a_layer_below_keeps_only_what_is_not_declared_above),
		cmocka_unit_test(a_layer_below_gives_no_port_to_what_is_declared_above),
		cmocka_unit_test(a_big_document_is_decoded),
		cmocka_unit_test(endpoints_and_prefixes_are_exact),
		cmocka_unit_test(addresses_read_as_libc_writes_them),
	};
	return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
