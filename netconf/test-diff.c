// A plan seen as the difference between the document and the kernel.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/diff.h"

#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>

// --- a kernel, a network and a plan by hand ---

static struct kernel_link links[] = {
	{.index = 2, .name = "eth0", .flags = IFF_UP, .mtu = 1500, .type = ARPHRD_ETHER, .has_mac = true,
		.mac = {2, 0, 0, 0, 0, 2}, .master_index = 5},
	{.index = 3, .name = "eth1", .type = ARPHRD_ETHER},
	{.index = 5, .name = "bond0", .kind = "bond", .flags = IFF_UP, .mtu = 1500, .primary_index = 2},
	{.index = 6, .name = "v7", .kind = "vlan", .vlan_id = 7, .parent_index = 2},
	{.index = 9, .name = "wg0", .kind = "wireguard", .wireguard = {.port = 4000, .mark = 3}},
};
static struct declaration declarations[] = {
	{.kind = DECLARATION_ETHERNET, .id = (char *)"eth0"},
	{.kind = DECLARATION_BOND, .id = (char *)"bond0", .primary = (char *)"eth1"},
	{.kind = DECLARATION_VLAN, .id = (char *)"v7", .vlan_id = 8, .parent = (char *)"eth1"},
	{.kind = DECLARATION_WIREGUARD, .id = (char *)"wg0", .key_file = (char *)"/k"},
};
enum { ETH0, BOND0, V7, WG0 };

static struct address address_of(const char *text)
{
	struct address address;
	assert_int_equal(address_parse(text, true, &address), 0);
	return address;
}

static struct change change_of(enum change_type type, const char *name, int index, int declaration)
{
	struct change change = {.type = type, .link_index = index,
		.declaration = declaration < 0 ? NULL : &declarations[declaration]};
	(void)snprintf(change.name, sizeof(change.name), "%s", name);
	return change;
}

static void diff_of(struct kernel *kernel, struct change *changes, size_t n, const char *wanted)
{
	struct network network = {.declarations = declarations, .n = N_ELEMENTS(declarations)};
	struct plan plan = {.changes = changes, .n = n};
	kernel->links = links;
	kernel->n_links = N_ELEMENTS(links);
	AUTO_FREE char *text = diff_text(&network, kernel, &plan);
	assert_non_null(text);
	assert_string_equal(text, wanted);
}

#define HEAD "--- kernel\n+++ document\n"

static void what_does_not_differ_is_empty(void **state)
{
	struct kernel kernel = {0};
	diff_of(&kernel, NULL, 0, "");
}

static void a_link_shows_both_sides(void **state)
{
	struct kernel kernel = {0};
	struct change set = change_of(CHANGE_LINK_SET, "eth0", 2, ETH0);
	set.set.mtu = 9000;
	set.set.down = set.set.has_mac = true;
	memcpy(set.set.mac, "\2\0\0\0\0\3", 6);
	struct change rename = change_of(CHANGE_LINK_RENAME, "eth0", 2, ETH0);
	(void)snprintf(rename.old_name, sizeof(rename.old_name), "enp1s0");
	struct change master = change_of(CHANGE_LINK_MASTER, "eth0", 2, ETH0);
	(void)snprintf(master.master.name, sizeof(master.master.name), "br0");
	struct change changes[] = {rename, master, set};
	diff_of(&kernel, changes, N_ELEMENTS(changes),
		HEAD " eth0:\n"
		     "-  name: enp1s0\n"
		     "+  name: eth0\n"
		     "-  port of: bond0\n"
		     "+  port of: br0\n"
		     "-  mtu: 1500\n"
		     "+  mtu: 9000\n"
		     "-  macaddress: 02:00:00:00:00:02\n"
		     "+  macaddress: 02:00:00:00:00:03\n"
		     "-  state: up\n"
		     "+  state: down\n");
}

static void a_port_that_leaves_and_comes_back_is_no_difference(void **state)
{
	struct kernel kernel = {0};
	struct change changes[] = {change_of(CHANGE_LINK_MASTER, "eth0", 2, ETH0), change_of(CHANGE_LINK_MASTER, "eth0", 2, ETH0)};
	(void)snprintf(changes[1].master.name, sizeof(changes[1].master.name), "bond0");
	diff_of(&kernel, changes, 2, "");
	diff_of(&kernel, changes, 1, HEAD " eth0:\n-  port of: bond0\n");
}

static void a_link_that_is_made_anew_shows_what_it_was(void **state)
{
	struct kernel kernel = {0};
	struct change changes[] = {change_of(CHANGE_LINK_REPLACE, "v7", 6, V7), change_of(CHANGE_LINK_CREATE, "wg0", 0, WG0),
		change_of(CHANGE_LINK_REMOVE, "bond0", 5, -1)};
	diff_of(&kernel, changes, N_ELEMENTS(changes),
		HEAD " v7:\n"
		     "-  vlan: id 7 on eth0\n"
		     "+  vlan: id 8 on eth1\n"
		     " wg0:\n"
		     "+  kind: wireguard\n"
		     " bond0:\n"
		     "-  kind: bond\n");
}

static void options_are_in_the_documents_words(void **state)
{
	struct kernel kernel = {0};
	struct change change = change_of(CHANGE_LINK_OPTIONS, "bond0", 5, BOND0);
	size_t mode = (size_t)link_option_find(LINK_OPTION_BOND, "mode");
	size_t interval = (size_t)link_option_find(LINK_OPTION_BOND, "mii-monitor-interval");
	links[2].options = (struct link_options){0};
	link_options_set(&links[2].options, mode, 0);
	change.options.kind = LINK_OPTION_BOND;
	link_options_set(&change.options.values, mode, 1);
	link_options_set(&change.options.values, interval, 100);
	change.options.has_primary = change.options.has_arp_targets = true;
	(void)snprintf(change.options.primary, sizeof(change.options.primary), "eth1");
	declarations[BOND0].n_arp_targets = 2;
	assert_int_equal(ip_parse("10.0.0.1", &declarations[BOND0].arp_targets[0]), 0);
	assert_int_equal(ip_parse("10.0.0.2", &declarations[BOND0].arp_targets[1]), 0);
	diff_of(&kernel, &change, 1,
		HEAD " bond0:\n"
		     "-  mode: balance-rr\n"
		     "+  mode: active-backup\n"
		     "+  mii-monitor-interval: 100\n"
		     "-  primary: eth0\n"
		     "+  primary: eth1\n"
		     "-  arp-ip-targets: []\n"
		     "+  arp-ip-targets: [10.0.0.1, 10.0.0.2]\n");
}

static void addresses_and_routes_stand_with_their_link(void **state)
{
	struct kernel_address addresses[] = {
		{.link_index = 2, .address = address_of("10.0.0.2/24")}, // a lease
		{.link_index = 2, .address = address_of("10.9.9.9/24"), .flags = IFA_F_PERMANENT},
	};
	struct kernel_route routes[] = {
		{.link_index = 2, .protocol = RTPROT_BIRD, .route = {.destination = address_of("0.0.0.0/0"), .table = 254,
			.type = RTN_UNICAST}},
		{.link_index = 3, .protocol = HEARTH_PROTOCOL, .route = {.destination = address_of("0.0.0.0/0"), .table = 254,
			.type = RTN_UNICAST, .gateway = address_of("10.0.0.254/32").ip}},
	};
	struct kernel kernel = {.addresses = addresses, .n_addresses = 2, .routes = routes, .n_routes = 2};
	struct change changes[] = {change_of(CHANGE_ADDRESS_ADD, "eth0", 2, ETH0),
		change_of(CHANGE_ROUTE_REPLACE, "eth0", 2, ETH0), change_of(CHANGE_RULE_ADD, "", 0, ETH0),
		change_of(CHANGE_ROUTE_REMOVE, "", 0, -1), change_of(CHANGE_ADDRESS_REMOVE, "eth0", 2, -1)};
	changes[0].address = address_of("10.0.0.2/24");
	changes[1].route = routes[1].route;
	changes[1].route.gateway = address_of("10.0.0.1/32").ip;
	changes[2].rule = (struct rule){.family = AF_INET, .from = address_of("10.1.0.0/16"), .table = 100};
	changes[3].route = (struct route){.destination = address_of("10.6.0.0/16"), .table = 254, .type = RTN_BLACKHOLE};
	changes[4].address = address_of("10.9.9.9/24");
	char rule[RULE_TEXT];
	AUTO_FREE char *wanted = str_format(HEAD " eth0:\n"
						 "-  address: 10.0.0.2/24, which expires\n"
						 "+  address: 10.0.0.2/24\n"
						 "-  route: 0.0.0.0/0 via 10.0.0.254 dev eth1\n"
						 "+  route: 0.0.0.0/0 via 10.0.0.1\n"
						 "-  address: 10.9.9.9/24\n"
						 " rules:\n"
						 "+  rule: %s\n"
						 " routes:\n"
						 "-  route: blackhole 10.6.0.0/16\n",
		rule_format(&changes[2].rule, rule));
	diff_of(&kernel, changes, N_ELEMENTS(changes), wanted);
}

static void no_key_is_ever_shown(void **state)
{
	struct peer wanted = {.keepalive_sec = 25, .endpoint_port = 51820, .endpoint = address_of("10.0.0.9/32").ip};
	struct peer have = {.keepalive_sec = 0};
	struct kernel kernel = {0};
	memset(wanted.public_key, 1, PEER_KEY_BYTES);
	memset(wanted.preshared_key, 0x53, PEER_KEY_BYTES);
	memset(have.public_key, 1, PEER_KEY_BYTES);
	links[4].wireguard.peers = (struct peer_table){.peers = &have, .n = 1, .n_room = 1};
	struct peer_change peers[2] = {
		{.what = PEER_REMOVE},
		{.what = PEER_KEEPALIVE | PEER_PRESHARED | PEER_ENDPOINT, .wanted = &wanted},
	};
	memset(peers[0].public_key, 2, PEER_KEY_BYTES);
	memset(peers[1].public_key, 1, PEER_KEY_BYTES);
	struct change changes[] = {change_of(CHANGE_WIREGUARD, "wg0", 9, WG0), change_of(CHANGE_PEERS, "wg0", 9, WG0)};
	changes[0].wireguard = (struct wireguard_settings){.set_private_key = true, .set_port = true, .port = 51820,
		.set_mark = true};
	changes[1].peers = (struct peer_plan){.changes = peers, .n = 2};
	diff_of(&kernel, changes, 2,
		HEAD " wg0:\n"
		     "-  key: another one\n"
		     "+  key: /k\n"
		     "-  port: 4000\n"
		     "+  port: 51820\n"
		     "-  mark: 3\n"
		     "+  mark: 0\n"
		     "-  peer: AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\n"
		     "-  peer: AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=, keepalive 0, another preshared key\n"
		     "+  peer: AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=, endpoint 10.0.0.9:51820, keepalive 25, another "
		     "preshared key\n");
	links[4].wireguard.peers = (struct peer_table){0};
}

static void networkds_files_are_named(void **state)
{
	struct kernel kernel = {0};
	struct change changes[] = {change_of(CHANGE_FILE_WRITE, "", 0, -1), change_of(CHANGE_FILE_REMOVE, "", 0, -1),
		change_of(CHANGE_NETWORKD, "", 0, -1)};
	changes[0].file.name = (char *)"10-hearth-eth0.network";
	changes[1].file.name = (char *)"10-hearth-eth9.network";
	diff_of(&kernel, changes, N_ELEMENTS(changes),
		HEAD " networkd:\n"
		     "+  file: 10-hearth-eth0.network\n"
		     "-  file: 10-hearth-eth9.network\n"
		     "+  read: its files as they are\n");
}

static void a_port_that_is_not_there_is_named(void **state)
{
	struct declaration missing = {.kind = DECLARATION_ETHERNET, .id = (char *)"eth9", .where = {.line = 5, .column = 3}};
	struct network network = {.declarations = &missing, .n = 1};
	struct kernel kernel = {.links = links, .n_links = N_ELEMENTS(links)};
	struct plan plan = {0};
	AUTO_FREE char *text = diff_text(&network, &kernel, &plan), *json = diff_json(&network, &kernel, &plan);
	assert_string_equal(text, HEAD " eth9:\n+  link: declared at 5:3, and not there\n");
	assert_string_equal(json, "[{\"link\":\"eth9\",\"side\":\"document\",\"what\":\"link: declared at 5:3, and not there\"}]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_does_not_differ_is_empty),
		cmocka_unit_test(a_link_shows_both_sides),
		cmocka_unit_test(a_port_that_leaves_and_comes_back_is_no_difference),
		cmocka_unit_test(a_link_that_is_made_anew_shows_what_it_was),
		cmocka_unit_test(options_are_in_the_documents_words),
		cmocka_unit_test(addresses_and_routes_stand_with_their_link),
		cmocka_unit_test(no_key_is_ever_shown),
		cmocka_unit_test(networkds_files_are_named),
		cmocka_unit_test(a_port_that_is_not_there_is_named),
	};
	return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}
