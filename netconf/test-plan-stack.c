// Plans of links that stand on each other.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/test-model.h"

#define TWO_PORTS "version: 2\nethernets: {eth0: {}, eth1: {}}\n"
#define BOND(parameters) "bonds:\n  bond0: {interfaces: [eth0, eth1], parameters: {" parameters "}, addresses: [10.0.0.2/24]}\n"
#define RACK                                                                                       \
	TWO_PORTS "bonds:\n  bond0: {interfaces: [eth0, eth1], parameters: {mode: active-backup, primary: eth1}, mtu: 9000}\n" \
		  "vlans:\n  v100: {id: 100, link: bond0, mtu: 1400, addresses: [10.1.0.2/24, 'fd00::2/64'],\n"            \
		  "         routes: [{to: default, via: 10.1.0.1, table: 100}, {to: 'fd01::/64', via: 'fd00::1', table: 100}]}\n" \
		  "vrfs:\n  blue: {table: 100, interfaces: [v100]}\n"

static void a_rack_is_made_in_the_order_in_which_it_stands(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	plan_is(kernel, RACK,
		"bond0: make a bond link\nblue: make a VRF link, table 100\nv100: make a VLAN link, id 100 on bond0\n"
		"bond0: set primary eth1\neth0: becomes a port of bond0 (stops traffic)\n"
		"eth1: becomes a port of bond0 (stops traffic)\nv100: becomes a port of blue\n"
		"bond0: set mtu 9000 up\nblue: set up\nv100: set mtu 1400 up\n"
		"v100: add address 10.1.0.2/24\nv100: add address fd00::2/64\n"
		"v100: add route 0.0.0.0/0 via 10.1.0.1 table 100\nv100: add route fd01::/64 via fd00::1 metric 1024 table 100\n");
}

static void a_rack_goes_from_the_top(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, RACK);
	becomes(kernel, TWO_PORTS);
	assert_int_equal(kernel->n_links, 2);
	assert_true(kernel->links[0].flags & kernel->links[1].flags & IFF_UP);
	assert_int_equal(kernel->n_addresses + kernel->n_routes, 0);
}

static void a_port_that_is_not_there_yet_is_waited_for(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, RACK);
	assert_int_equal(link_named(kernel, "eth0")->master_index, link_named(kernel, "bond0")->index);
	has_link(kernel, "eth1", "");
	plan_is(kernel, RACK, "bond0: set primary eth1\neth1: becomes a port of bond0\n");
}

static void a_vlan_that_a_bridge_without_ports_gave_no_mac_is_made_anew(void **state)
{
	static const char yaml[] = "version: 2\nethernets: {eth0: {}}\nbridges: {br0: {interfaces: [eth0]}}\n"
				   "vlans: {v7: {id: 7, link: br0}}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, yaml);
	struct kernel_link *vlan = link_named(kernel, "v7"), *bridge = link_named(kernel, "br0");
	memset(vlan->mac, 0, sizeof(vlan->mac));
	plan_is(kernel, yaml, ""); // it is up: it will get one with its bridge
	memset(bridge->mac, 0, sizeof(bridge->mac));
	vlan->flags &= ~(unsigned)IFF_UP;
	plan_is(kernel, yaml, "v7: set up\n"); // made anew it would have none either
	bridge->mac[5] = 1;
	vlan->flags &= ~(unsigned)IFF_UP;
	plan_is(kernel, yaml, "v7: remove, and make anew as a VLAN link, id 7 on br0 (stops traffic)\nv7: set up\n");
}

static void a_vlan_waits_for_what_it_stands_on(void **state)
{
	static const char yaml[] = "version: 2\nethernets: {eth9: {}}\nvlans:\n  v1: {id: 1, link: eth9}\n"
				   "  v2: {id: 2, link: v1, addresses: [10.0.0.1/24]}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	plan_is(kernel, yaml, "");
	has_link(kernel, "eth9", "");
	plan_is(kernel, yaml,
		"v1: make a VLAN link, id 1 on eth9\nv2: make a VLAN link, id 2 on v1\neth9: set up\nv1: set up\nv2: set up\n"
		"v2: add address 10.0.0.1/24\n");
}

// Whatever the ports are called: the first one that joins gives the bond its MAC.
static void ports_join_a_bond_as_it_lists_them(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(3);
	plan_is(kernel, "version: 2\nethernets: {eth0: {}, eth1: {}, z: {match: {name: eth2}}}\n"
			"bonds: {bond0: {interfaces: [z, eth1, eth0], parameters: {mode: balance-rr}}}\n",
		"bond0: make a bond link\neth2: becomes a port of bond0 (stops traffic)\neth1: becomes a port of bond0 (stops traffic)\n"
		"eth0: becomes a port of bond0 (stops traffic)\nbond0: set up\n");
}

static void a_port_that_leaves_a_bond_is_brought_up_again(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, TWO_PORTS BOND("mode: active-backup"));
	plan_is(kernel, TWO_PORTS "bonds:\n  bond0: {interfaces: [eth0], parameters: {mode: active-backup}, "
				  "addresses: [10.0.0.2/24]}\n",
		"eth1: is a port no longer (stops traffic)\neth1: set up\n");
}

static void a_port_that_nobody_declares_any_more_leaves(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, TWO_PORTS BOND("mode: active-backup"));
	plan_is(kernel, "version: 2\nethernets: {eth0: {}}\nbonds:\n  bond0: {interfaces: [eth0], "
			"parameters: {mode: active-backup}, addresses: [10.0.0.2/24]}\n",
		"eth1: is a port no longer (stops traffic)\n");
}

static void a_mode_changes_without_ports_and_they_come_back(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, TWO_PORTS BOND("mode: active-backup"));
	plan_is(kernel, TWO_PORTS BOND("mode: balance-xor"),
		"eth0: is a port no longer (stops traffic)\neth1: is a port no longer (stops traffic)\n"
		"bond0: set mode balance-xor, down meanwhile (stops traffic)\n"
		"eth0: becomes a port of bond0 (stops traffic)\neth1: becomes a port of bond0 (stops traffic)\n");
}

static void an_option_that_a_bond_takes_while_up_touches_nothing_else(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, TWO_PORTS BOND("mode: active-backup, mii-monitor-interval: 100"));
	plan_is(kernel, TWO_PORTS BOND("mode: active-backup, mii-monitor-interval: 200"),
		"bond0: set mii-monitor-interval 200\n");
}

static void what_a_bond_loses_while_it_is_down_comes_back(void **state)
{
	static const char before[] = RACK, slow[] = TWO_PORTS
		"bonds:\n  bond0: {interfaces: [eth0, eth1], parameters: {mode: 802.3ad, lacp-rate: slow}}\n"
		"vlans:\n  v1: {id: 1, link: bond0, addresses: [10.1.0.2/24, 'fd00::2/64'], routes: [{to: default, via: 10.1.0.1}]}\n",
		fast[] = TWO_PORTS
		"bonds:\n  bond0: {interfaces: [eth0, eth1], parameters: {mode: 802.3ad, lacp-rate: fast}}\n"
		"vlans:\n  v1: {id: 1, link: bond0, addresses: [10.1.0.2/24, 'fd00::2/64'], routes: [{to: default, via: 10.1.0.1}]}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, slow);
	plan_is(kernel, fast,
		"bond0: set lacp-rate fast, down meanwhile (stops traffic)\nv1: add address fd00::2/64\n"
		"v1: replace route 0.0.0.0/0 via 10.1.0.1\n");
	becomes(kernel, before);
}

static void a_vlan_of_another_id_is_made_anew_with_all_above_it(void **state)
{
	static const char vlans[] = "version: 2\nethernets: {eth0: {}}\nvlans:\n  v1: {id: %d, link: eth0, addresses: [10.1.0.2/24]}\n"
				    "  v2: {id: 2, link: v1, addresses: [10.2.0.2/24], routes: [{to: default, via: 10.2.0.1}]}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	AUTO_FREE char *first = str_format(vlans, 1), *second = str_format(vlans, 3);
	becomes(kernel, first);
	plan_is(kernel, second,
		"v1: remove, and make anew as a VLAN link, id 3 on eth0 (stops traffic)\n"
		"v2: remove, and make anew as a VLAN link, id 2 on v1 (stops traffic)\nv1: set up\nv2: set up\n"
		"v1: add address 10.1.0.2/24\nv2: add address 10.2.0.2/24\nv2: replace route 0.0.0.0/0 via 10.2.0.1\n");
}

#define VLANS                                                                                      \
	"version: 2\nethernets: {eth0: {}}\nvlans:\n"                                              \
	"  %s: {id: 1, link: eth0, addresses: [10.1.0.2/24], routes: [{to: default, via: 10.1.0.1}]}\n" \
	"  %s: {id: 2, link: %s, addresses: ['fd00::2/64']}\n"

static void vlans_that_are_declared_by_other_names_get_them_and_nothing_else_changes(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	AUTO_FREE char *first = str_format(VLANS, "v1", "v2", "v1"), *second = str_format(VLANS, "lan", "top", "lan");
	becomes(kernel, first);
	plan_is(kernel, second, "v1: rename to lan\nv2: rename to top\n");
}

static void vlans_whose_names_are_those_of_others_are_made_anew(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	AUTO_FREE char *first = str_format(VLANS, "v1", "v2", "v1"), *second = str_format(VLANS, "lan", "v1", "lan");
	becomes(kernel, first);
	becomes(kernel, second);
	becomes(kernel, "version: 2\nethernets: {eth0: {}}\nvlans: {a: {id: 1, link: eth0}, b: {id: 2, link: eth0}}\n");
	plan_is(kernel, "version: 2\nethernets: {eth0: {}}\nvlans: {a: {id: 2, link: eth0}}\n",
		"b: remove the link (stops traffic)\n"
		"a: remove, and make anew as a VLAN link, id 2 on eth0 (stops traffic)\na: set up\n");
}

static void a_vlan_moves_to_a_bond_that_is_made_with_it(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, "version: 2\nethernets: {eth0: {}}\nvlans: {v1: {id: 1, link: eth0, addresses: [10.1.0.2/24]}}\n");
	plan_is(kernel, "version: 2\nethernets: {eth0: {}}\nbonds: {bond0: {interfaces: [eth0]}}\n"
			"vlans: {v1: {id: 1, link: bond0, addresses: [10.1.0.2/24]}}\n",
		"bond0: make a bond link\nv1: remove, and make anew as a VLAN link, id 1 on bond0 (stops traffic)\n"
		"eth0: becomes a port of bond0 (stops traffic)\nbond0: set up\nv1: set up\nv1: add address 10.1.0.2/24\n");
}

static void a_name_that_one_of_ours_leaves_is_free(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, "version: 2\nethernets: {eth0: {}}\nbridges: {lan0: {interfaces: [eth0], addresses: [10.0.0.2/24]}}\n");
	plan_is(kernel, "version: 2\nethernets: {lan: {match: {macaddress: '52:54:00:00:00:02'}, set-name: lan0, addresses: [10.0.0.2/24]}}\n",
		"lan0: remove the link (stops traffic)\neth0: rename to lan0\nlan0: is a port no longer (stops traffic)\n"
		"lan0: add address 10.0.0.2/24\n");
}

static void a_vlan_of_others_with_another_id_is_not_touched(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	struct kernel_link *vlan = has_link(kernel, "v1", "vlan");
	vlan->vlan_id = 7;
	vlan->parent_index = 2;
	plan_fails(kernel, "version: 2\nethernets: {eth0: {}}\nvlans:\n  v1: {id: 1, link: eth0}\n", -EEXIST,
		"v1: a vlan link of that name with another id or link below it is there, and it is not Hearth's");
}

static void a_vrf_with_another_table_takes_its_ports_along(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, "version: 2\nethernets: {eth0: {addresses: ['fd00::2/64', 10.0.0.2/24]}}\n"
			"vrfs: {blue: {table: 100, interfaces: [eth0]}}\n");
	plan_is(kernel, "version: 2\nethernets: {eth0: {addresses: ['fd00::2/64', 10.0.0.2/24]}}\n"
			"vrfs: {blue: {table: 200, interfaces: [eth0]}}\n",
		"blue: remove, and make anew as a VRF link, table 200 (stops traffic)\n"
		"eth0: becomes a port of blue (stops traffic)\nblue: set up\neth0: add address fd00::2/64\n");
}

static void mtus_grow_from_below_and_shrink_from_above(void **state)
{
	static const char yaml[] = "version: 2\nethernets: {eth0: {mtu: %d}}\nvlans:\n  v1: {id: 1, link: eth0, mtu: %d}\n"
				   "  v2: {id: 2, link: v1, mtu: %d}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	AUTO_FREE char *small = str_format(yaml, 1500, 1500, 1400), *big = str_format(yaml, 9000, 9000, 8000);
	becomes(kernel, small);
	plan_is(kernel, big, "eth0: set mtu 9000\nv1: set mtu 9000\nv2: set mtu 8000\n");
	plan_is(kernel, small, "v2: set mtu 1400\nv1: set mtu 1500\neth0: set mtu 1500\n");
}

static void a_bridge_has_the_mtu_that_is_said_whatever_its_ports_have(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, TWO_PORTS "bridges: {br0: {interfaces: [eth0]}}\n");
	plan_is(kernel, "ethernets: {eth0: {mtu: 9000}, eth1: {}}\nbridges: {br0: {interfaces: [eth0], mtu: 1500}}\n",
		"eth0: set mtu 9000\nbr0: set mtu 1500\n");
	plan_is(kernel, "ethernets: {eth0: {mtu: 9000}, eth1: {}}\nbridges: {br0: {interfaces: [eth0, eth1], mtu: 1500}}\n",
		"eth1: becomes a port of br0 (stops traffic)\n");
	becomes(kernel, TWO_PORTS);
	becomes(kernel, "ethernets: {eth0: {mtu: 9000}, eth1: {}}\nbridges: {br0: {interfaces: [eth0], mtu: 1500}}\n"); // made
	becomes(kernel, "ethernets: {eth0: {mtu: 1400}, eth1: {}}\nbridges: {br1: {interfaces: [eth0]}}\n");
	becomes(kernel, "ethernets: {eth0: {mtu: 1400}, eth1: {}}\nbridges: {br1: {interfaces: [eth0, eth1], mtu: 1500}}\n");
}

// Rows of: what there was, what comes.
static void a_bridges_mtu_stays_whatever_its_ports_do(void **state)
{
	static const char *const cases[][2] = {
		{"ethernets: {eth0: {}, eth1: {mtu: 1400}}\nbridges: {br0: {interfaces: [eth0, eth1]}}\n",
			"ethernets: {eth0: {}}\nbridges: {br0: {interfaces: [eth0], mtu: 1400}}\n"},
		{"ethernets: {eth0: {mtu: 9000}, eth1: {}}\nbridges: {br0: {interfaces: [eth0]}}\n",
			"ethernets: {eth0: {mtu: 9000}, eth1: {mtu: 9000}}\nbridges: {br0: {interfaces: [eth0, eth1], mtu: 1500}}\n"},
		{"ethernets: {eth0: {mtu: 9000}, eth1: {}}\nbridges: {br0: {interfaces: [eth0]}}\nvlans: {v5: {id: 5, link: br0, mtu: 9000}}\n",
			"ethernets: {eth0: {mtu: 9000}, eth1: {}}\nbridges: {br0: {interfaces: [eth0, eth1], mtu: 9000}}\n"
			"vlans: {v5: {id: 5, link: br0, mtu: 9000}}\n"},
		{"ethernets: {eth0: {mtu: 9000}, eth1: {}}\nbridges: {br0: {interfaces: [eth0]}}\nvlans: {v5: {id: 5, link: br0, mtu: 1500}}\n",
			"ethernets: {eth0: {mtu: 9000}, eth1: {}}\nbridges: {br0: {interfaces: [eth0, eth1], mtu: 9000}}\n"
			"vlans: {v5: {id: 5, link: br0, mtu: 5000}}\n"},
	};
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
		becomes(kernel, cases[i][0]);
		becomes(kernel, cases[i][1]);
	}
}

static void a_vlan_keeps_its_mtu_when_the_bridge_below_gets_other_ports(void **state)
{
	static const char cards[] = "ethernets: {eth0: {mtu: 9000}, eth1: {mtu: 9000}}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	AUTO_FREE char *one = str_format("%sbridges: {br0: {interfaces: [eth0]}}\nvlans: {v5: {id: 5, link: br0, mtu: 9000}, v6: {id: 6, link: v5}}\n", cards);
	AUTO_FREE char *other = str_format("%sbridges: {br0: {interfaces: [eth1]}}\nvlans: {v5: {id: 5, link: br0, mtu: 9000}, v6: {id: 6, link: v5}}\n", cards);
	becomes(kernel, one);
	plan_is(kernel, other, "eth0: is a port no longer (stops traffic)\neth1: becomes a port of br0 (stops traffic)\n"
			       "v5: set mtu 9000\nv6: set mtu 9000\n");
	assert_int_equal(link_named(kernel, "v6")->mtu, 9000);
}

static void what_we_made_is_no_card_that_was_renamed(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, "ethernets: {eth0: {}}\nbridges: {lan0: {addresses: [10.9.0.5/24]}}\n");
	becomes(kernel, "ethernets: {c: {match: {name: eth0}, set-name: lan0, addresses: [10.9.0.5/24]}}\n");
	assert_string_equal(link_named(kernel, "lan0")->kind, "");
}

static void a_new_vlan_has_the_mtu_that_its_parent_gets(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, "version: 2\nethernets: {eth0: {mtu: 9000}}\nvlans: {v1: {id: 1, link: eth0}}\n");
	assert_int_equal(link_named(kernel, "v1")->mtu, 9000);
}

static void what_a_port_has_of_its_bond_goes_when_it_leaves(void **state)
{
	static const char port[] = "version: 2\nethernets: {eth0: {mtu: 9000, macaddress: '02:00:00:00:00:99'}}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	AUTO_FREE char *bond = str_format("%sbonds: {bond0: {interfaces: [eth0], mtu: 9000, macaddress: '02:00:00:00:00:99'}}\n",
		port);
	becomes(kernel, bond);
	becomes(kernel, port); // the MTU and the MAC of the bond were those that it shall have
	assert_int_equal(link_named(kernel, "eth0")->mtu, 9000);
	becomes(kernel, bond);
	AUTO_FREE char *bridge = str_format("%sbridges: {br0: {interfaces: [eth0]}}\n", port);
	becomes(kernel, bridge);
	assert_int_equal(link_named(kernel, "eth0")->mtu, 9000);
}

static void a_vlan_has_the_mtu_that_is_said_when_the_port_below_leaves_a_bond(void **state)
{
	static const char bond[] = "ethernets: {eth0: {mtu: 9000}, eth1: {}}\nbonds: {bond0: {interfaces: [eth0], mtu: 9000}}\n";
	static const char vlan[] = "ethernets: {eth0: {%s}, eth1: {}}\nvlans: {v1: {id: 1, link: eth0%s}, v2: {id: 2, link: v1%s}}\n";
	static const struct {
		const char *eth0, *v1, *v2;
		uint32_t mtu1, mtu2;
	} rows[] = {{"mtu: 9000", ", mtu: 9000", ", mtu: 4000", 9000, 4000}, {"mtu: 9000", "", "", 9000, 9000}, {"", "", "", 1500, 1500},
		{"mtu: 4000", ", mtu: 4000", ", mtu: 1400", 4000, 1400}};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
		AUTO_FREE char *free_port = str_format(vlan, rows[i].eth0, rows[i].v1, rows[i].v2);
		AUTO_FREE char *on_port = str_format("%s%s", bond, strstr(free_port, "vlans:"));
		becomes(kernel, bond);
		becomes(kernel, free_port);
		assert_int_equal(link_named(kernel, "v1")->mtu, rows[i].mtu1);
		assert_int_equal(link_named(kernel, "v2")->mtu, rows[i].mtu2);
		becomes(kernel, on_port); // the kernel takes a VLAN on a bond's port
		becomes(kernel, free_port);
		assert_int_equal(link_named(kernel, "v1")->mtu, rows[i].mtu1);
		assert_int_equal(link_named(kernel, "v2")->mtu, rows[i].mtu2);
	}
}

static void a_vlan_grows_with_a_bridge_that_loses_its_least_port(void **state)
{
	static const char small[] = "ethernets: {eth0: {}}\ndummy-devices: {d7: {mtu: 1400}}\nbridges: {br0: {interfaces: [eth0, d7]}}\nvlans: {v5: {id: 5, link: br0}}\n";
	static const char big[] = "ethernets: {eth0: {}}\nbridges: {br0: {interfaces: [eth0]}}\nvlans: {v5: {id: 5, link: br0, mtu: 1500}}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, small);
	assert_int_equal(link_named(kernel, "v5")->mtu, 1400);
	becomes(kernel, big);
	assert_int_equal(link_named(kernel, "v5")->mtu, 1500);
}

static void a_port_has_its_own_mac_before_it_joins_a_bond(void **state)
{
	static const char port[] = "ethernets: {eth0: {macaddress: '02:00:00:00:00:99'}}\n", plain[] = "ethernets: {eth0: {}}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	AUTO_FREE char *bond = str_format("%sbonds: {bond0: {interfaces: [eth0]}}\n", port);
	plan_is(kernel, bond, "bond0: make a bond link\neth0: set macaddress 02:00:00:00:00:99 (stops traffic)\n"
			      "eth0: becomes a port of bond0 (stops traffic)\nbond0: set up\n");
	plan_is(kernel, port, "eth0: is a port no longer (stops traffic)\neth0: set macaddress 02:00:00:00:00:99 up (stops traffic)\n"
			      "bond0: remove the link (stops traffic)\n");
	becomes(kernel, bond);
	becomes(kernel, plain);
	assert_int_equal(link_named(kernel, "eth0")->mac[5], 0x99);
}

static void what_we_made_of_another_kind_is_made_anew(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, TWO_PORTS "bonds: {lan: {interfaces: [eth0, eth1], addresses: [10.0.0.2/24]}}\n");
	plan_is(kernel, TWO_PORTS "bridges: {lan: {interfaces: [eth0], addresses: [10.0.0.2/24]}}\n",
		"lan: remove, and make anew as a bridge link (stops traffic)\neth1: is a port no longer (stops traffic)\n"
		"eth0: becomes a port of lan (stops traffic)\neth1: set up\nlan: set up\neth0: set up\n"
		"lan: add address 10.0.0.2/24\n");
	plan_is(kernel, TWO_PORTS "vlans: {lan: {id: 7, link: eth0}}\n",
		"lan: remove, and make anew as a VLAN link, id 7 on eth0 (stops traffic)\n"
		"eth0: is a port no longer (stops traffic)\nlan: set up\n");
	plan_is(kernel, "version: 2\nethernets: {eth9: {}}\ndummy-devices: {lan: {}}\n",
		"lan: remove, and make anew as a dummy link (stops traffic)\nlan: set up\n");
	plan_is(kernel, "version: 2\nethernets: {eth9: {}}\nvlans: {lan: {id: 7, link: eth9}}\n", "lan: remove the link (stops traffic)\n");
}

// The kernel counts them in intervals of the monitor, so they change with it.
static void delays_stay_when_the_monitors_interval_changes(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, TWO_PORTS BOND("mode: active-backup, mii-monitor-interval: 100, up-delay: 200, down-delay: 400"));
	plan_is(kernel, TWO_PORTS BOND("mode: active-backup, mii-monitor-interval: 200, up-delay: 200, down-delay: 400"),
		"bond0: set mii-monitor-interval 200 up-delay 200 down-delay 400\n");
	plan_is(kernel, TWO_PORTS BOND("mode: active-backup, mii-monitor-interval: 200, up-delay: 200"), "");
	becomes(kernel, TWO_PORTS BOND("mode: active-backup, arp-interval: 500, arp-ip-targets: [10.0.0.9]"));
	becomes(kernel, TWO_PORTS BOND("mode: active-backup, mii-monitor-interval: 100, up-delay: 0, down-delay: 0"));
}

static void what_arp_has_to_prove_stays_when_the_mode_changes(void **state)
{
	static const char arp[] = "arp-interval: 500, arp-ip-targets: [10.0.0.9], arp-validate: all";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	AUTO_FREE char *backup = str_format(TWO_PORTS BOND("mode: active-backup, %s"), arp);
	AUTO_FREE char *xor = str_format(TWO_PORTS BOND("mode: balance-xor, %s"), arp);
	becomes(kernel, backup);
	becomes(kernel, xor);
	assert_int_equal(kernel_link_by_name(kernel, "bond0")->options.value[link_option_find(LINK_OPTION_BOND, "arp-validate")], 3);
}

static void undoing_leaves_no_primary_and_no_targets(void **state)
{
	static const char plain[] = TWO_PORTS BOND("mode: active-backup");
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, plain);
	becomes(kernel, TWO_PORTS BOND("mode: active-backup, primary: eth1, arp-interval: 500, arp-ip-targets: [10.0.0.9]"));
	plan_is(kernel, TWO_PORTS BOND("mode: active-backup, arp-interval: 0"), "bond0: set arp-interval 0\n");
	assert_int_equal(kernel_link_by_name(kernel, "bond0")->n_arp_targets, 1);
	is_way_back = true;
	plan_is(kernel, plain, "bond0: set primary none arp-ip-targets none\n");
	becomes(kernel, TWO_PORTS BOND("mode: active-backup, primary: eth1, arp-interval: 500, arp-ip-targets: [10.0.0.9]"));
	becomes(kernel, TWO_PORTS BOND("mode: balance-rr, arp-interval: 0")); // which knows no primary
}

#define STP(parameters) TWO_PORTS "bridges: {br0: {interfaces: [eth0], parameters: {stp: true" parameters "}}}\n"

// Its own are shown nowhere, and mean nothing until it is the root itself.
static void timers_of_the_root_are_no_difference(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, STP(", forward-delay: 4, hello-time: 1, max-age: 10"));
	struct kernel_link *bridge = link_named(kernel, "br0");
	bridge->options.has &= ~link_options_of_root();
	bridge->has_root = true;
	plan_is(kernel, STP(", forward-delay: 4, hello-time: 1, max-age: 10"), "");
	plan_is(kernel, STP(", forward-delay: 5"), "");
	plan_is(kernel, STP(", forward-delay: 5, priority: 100"), "br0: set priority 100 forward-delay 5\n"); // it may be the root then
	bridge->has_root = false;
	plan_is(kernel, STP(", forward-delay: 4, priority: 100"), "br0: set forward-delay 4\n");
}

static void a_vlan_that_is_off_stays_so_when_its_parent_comes_up(void **state)
{
	static const char off[] = "ethernets: {eth0: {}}\nvlans: {v5: {id: 5, link: eth0, activation-mode: 'off'}, "
				  "v6: {id: 6, link: v5, activation-mode: 'off'}, v7: {id: 7, link: eth0}}\n";
	static const char manual[] = "ethernets: {eth0: {}}\nvlans: {v5: {id: 5, link: eth0, activation-mode: manual}, "
				     "v6: {id: 6, link: v5, activation-mode: 'off'}, v7: {id: 7, link: eth0}}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	AUTO_FREE char *in_vrf = str_format("%svrfs: {blue: {table: 9, interfaces: [eth0]}}\n", off);
	kernel->links[0].flags = 0;
	plan_is(kernel, off, "v5: make a VLAN link, id 5 on eth0\nv7: make a VLAN link, id 7 on eth0\nv6: make a VLAN link, id 6 on v5\n"
			     "eth0: set up\nv5: set down\nv7: set up\n");
	becomes(kernel, in_vrf); // which takes eth0 down for a moment
	assert_false(link_named(kernel, "v5")->flags & IFF_UP);
	assert_false(link_named(kernel, "v6")->flags & IFF_UP);
	becomes(kernel, off);
	assert_false(link_named(kernel, "v5")->flags & IFF_UP);
	goes_down(kernel, link_named(kernel, "eth0"));
	becomes(kernel, manual);
	assert_false(link_named(kernel, "v6")->flags & IFF_UP);
}

static void stp_is_off_before_there_is_no_forward_delay(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_new();
	static const char slow[] = "version: 2\nbridges: {br0: {parameters: {stp: true, forward-delay: 12, priority: 4096}}}\n";
	becomes(kernel, slow);
	plan_is(kernel, "version: 2\nbridges: {br0: {parameters: {stp: false, forward-delay: 0, priority: 0}}}\n",
		"br0: set stp false\nbr0: set priority 0 forward-delay 0\n");
	plan_is(kernel, slow, "br0: set stp true priority 4096 forward-delay 12\n");
}

static void foreign_ports_of_our_bridge_stay_in_it(void **state)
{
	static const char yaml[] = TWO_PORTS "bridges: {br0: {interfaces: [eth0], parameters: {path-cost: {eth0: 50}}}}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, yaml);
	joins(kernel, has_link(kernel, "vnet0", "tun"), link_named(kernel, "br0"));
	plan_is(kernel, yaml, "");
	assert_int_equal(link_named(kernel, "vnet0")->master_index, link_named(kernel, "br0")->index);
}

static void a_declared_port_stays_in_the_bridge_of_others(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	struct kernel_link *bridge = has_link(kernel, "docker0", "bridge");
	joins(kernel, &kernel->links[0], bridge);
	plan_is(kernel, "version: 2\nethernets: {eth0: {}}\n", "");
}

static void a_bridges_port_is_set_once_it_is_one(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	plan_is(kernel, "version: 2\nethernets: {eth0: {}}\nbridges:\n"
			"  br0: {interfaces: [eth0], parameters: {stp: false, path-cost: {eth0: 50}}}\n",
		"br0: make a bridge link\neth0: becomes a port of br0 (stops traffic)\neth0: set path-cost 50\nbr0: set up\n");
}

static void a_bond_in_a_bridge_has_its_ports_first(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	plan_is(kernel, "version: 2\nethernets: {eth0: {}}\nbonds: {bond0: {interfaces: [eth0]}}\n"
			"bridges: {br0: {interfaces: [bond0]}}\n",
		"br0: make a bridge link\nbond0: make a bond link\neth0: becomes a port of bond0 (stops traffic)\n"
		"bond0: becomes a port of br0\nbr0: set up\nbond0: set up\n");
}

static void names_that_went_round_go_back(void **state)
{
	static const char yaml[] =
		"version: 2\nethernets:\n  a: {match: {macaddress: '52:54:00:00:00:02'}, set-name: eth1, addresses: [10.0.0.1/24]}\n"
		"  b: {match: {macaddress: '52:54:00:00:00:03'}, set-name: eth0}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	plan_is(kernel, yaml,
		"eth0: rename to hearth-0\neth1: rename to eth0\nhearth-0: rename to eth1\neth1: add address 10.0.0.1/24\n");
}

static void a_port_is_known_by_the_mac_that_it_was_given(void **state)
{
	static const char yaml[] = "version: 2\nethernets:\n  a: {match: {macaddress: '52:54:00:00:00:02'}, "
				   "macaddress: '02:00:00:00:00:99', set-name: lan0}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	kernel->links[0].has_permanent_mac = false;
	plan_is(kernel, yaml, "eth0: rename to lan0\nlan0: set macaddress 02:00:00:00:00:99 (stops traffic)\n");
}

static void what_is_switched_off_goes_down_and_loses_its_routes(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, "version: 2\nethernets: {eth0: {addresses: [10.0.0.2/24, 'fd00::2/64'], routes: [{to: default, via: 10.0.0.1}]}}\n");
	plan_is(kernel, "version: 2\nethernets: {eth0: {activation-mode: 'off', addresses: [10.0.0.2/24, 'fd00::2/64'], "
			"routes: [{to: default, via: 10.0.0.1}]}}\n",
		"eth0: set down (stops traffic)\neth0: add address fd00::2/64\n");
}

static void a_static_address_moves_from_a_port_to_the_bond_it_joins(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, "version: 2\nethernets: {eth0: {addresses: [10.0.0.2/24], routes: [{to: default, via: 10.0.0.1}]}}\n");
	plan_is(kernel, "version: 2\nethernets: {eth0: {}}\nbonds:\n  bond0: {interfaces: [eth0], addresses: [10.0.0.2/24], "
			"routes: [{to: default, via: 10.0.0.1}]}\n",
		"bond0: make a bond link\neth0: becomes a port of bond0 (stops traffic)\nbond0: set up\n"
		"bond0: add address 10.0.0.2/24\nbond0: replace route 0.0.0.0/0 via 10.0.0.1\n"
		"eth0: remove address 10.0.0.2/24 (stops traffic)\n");
}

#define UNNUMBERED(addresses, routes) \
	"version: 2\ndummy-devices: {d0: {" addresses "routes: [{to: 10.9.0.0/24, scope: link}, {to: 'fd09::/64'}" routes "]}}\n" \
	"vrfs: {blue: {table: 9, interfaces: [%s]}}\n"

static void routes_come_after_the_last_ipv4_address_is_gone(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_new();
	AUTO_FREE char *numbered = str_format(UNNUMBERED("addresses: [10.1.0.2/24, 10.2.0.2/24, 'fd01::1/64'], ", ""), "");
	AUTO_FREE char *unnumbered = str_format(UNNUMBERED("addresses: ['fd01::1/64'], ", ", {to: 10.8.0.0/24, scope: link}"), "");
	AUTO_FREE char *in_vrf = str_format(UNNUMBERED("", ""), "d0");
	becomes(kernel, numbered);
	plan_is(kernel, unnumbered, "d0: remove address 10.2.0.2/24 (stops traffic)\n"
		"d0: remove address 10.1.0.2/24 (stops traffic)\nd0: add route 10.8.0.0/24\nd0: replace route 10.9.0.0/24\n");
	plan_is(kernel, unnumbered, "");
	becomes(kernel, numbered);
	becomes(kernel, in_vrf); // which takes the link down for a moment, and all routes with it
	plan_is(kernel, in_vrf, "");
}

// The kernel would keep it where the gateway was before.
static void a_route_of_a_vrf_goes_with_the_subnet_of_its_gateway(void **state)
{
	static const char rack[] = "ethernets: {eth0: {addresses: [%s]}, eth1: {addresses: [%s]%s}}\nvrfs: {blue: {table: 9, interfaces: [eth0, eth1], "
				   "routes: [{to: default, via: 10.1.0.1}, {to: 'fd09::/64', via: 'fd01::1'}]}}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	AUTO_FREE char *on_eth0 = str_format(rack, "10.1.0.2/24, 'fd01::2/64'", "10.2.0.2/24", "");
	AUTO_FREE char *on_eth1 = str_format(rack, "10.2.0.2/24", "10.1.0.2/24, 'fd01::2/64'", "");
	AUTO_FREE char *on_both = str_format(rack, "10.1.0.2/24, 'fd01::2/64'", "10.1.0.3/24, 'fd01::3/64'", "");
	AUTO_FREE char *longest = str_format(rack, "10.0.0.2/8, 'fd01::2/64'", "10.1.0.2/24", "");
	AUTO_FREE char *leased = str_format(rack, "10.0.0.2/8, 'fd01::2/64'", "10.2.0.2/24", ", dhcp4: true"); // maybe in a subnet of that
	becomes(kernel, on_eth0);
	plan_is(kernel, on_eth1, "eth0: take off address fd01::2/64, it moves to another link (stops traffic)\neth0: add address 10.2.0.2/24\n"
				 "eth1: add address 10.1.0.2/24\neth1: add address fd01::2/64\n"
				 "eth1: replace route 0.0.0.0/0 via 10.1.0.1 table 9\neth1: replace route fd09::/64 via fd01::1 metric 1024 table 9\n"
				 "eth1: remove address 10.2.0.2/24 (stops traffic)\neth0: remove address 10.1.0.2/24 (stops traffic)\n");
	becomes(kernel, on_both);
	becomes(kernel, longest);
	assert_int_equal(kernel->routes[0].link_index, link_named(kernel, "eth1")->index);
	becomes(kernel, leased);
	assert_int_equal(kernel->routes[0].link_index, link_named(kernel, "eth1")->index);
}

// With the address that a link had which is made anew or is in the way the kernel takes the routes from it, through whatever link.
static void a_route_comes_again_with_the_link_of_its_source(void **state)
{
	static const char rack[] = "ethernets: {eth0: {}, eth1: {addresses: [10.2.0.2/24], routes: [{to: 10.50.0.0/16, via: 10.2.0.1, from: 10.9.0.5}, "
				   "{to: 10.60.0.0/16, via: 10.2.0.1}]}}\nvlans: {v5: {id: %d, link: eth0, addresses: [10.9.0.5/24]}}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	AUTO_FREE char *five = str_format(rack, 5), *six = str_format(rack, 6);
	becomes(kernel, five);
	plan_is(kernel, six, "v5: remove, and make anew as a VLAN link, id 6 on eth0 (stops traffic)\nv5: set up\nv5: add address 10.9.0.5/24\n"
			     "eth1: replace route 10.50.0.0/16 via 10.2.0.1 from 10.9.0.5\n");
}

// The kernel asks on the new link whether somebody has it, and the old one would answer.
static void an_ipv6_address_goes_before_it_comes_on_another_link(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, "version: 2\nethernets: {eth0: {addresses: ['fd00::2/64', 'fd00::3/64', 10.0.0.2/24]}, eth1: {}}\n");
	plan_is(kernel, "version: 2\nethernets: {eth0: {}, eth1: {addresses: ['fd00::2/64', 10.0.0.2/24]}}\n",
		"eth0: take off address fd00::2/64, it moves to another link (stops traffic)\n"
		"eth1: add address fd00::2/64\neth1: add address 10.0.0.2/24\n"
		"eth0: remove address fd00::3/64 (stops traffic)\neth0: remove address 10.0.0.2/24 (stops traffic)\n");
	becomes(kernel, "version: 2\nethernets: {eth0: {}, eth1: {}}\nbridges: {br0: {addresses: ['fd00::2/64']}}\n");
	plan_is(kernel, "version: 2\nethernets: {eth0: {}, eth1: {addresses: ['fd00::2/64']}}\n",
		"br0: take off address fd00::2/64, it moves to another link (stops traffic)\n"
		"eth1: add address fd00::2/64\nbr0: remove the link (stops traffic)\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rack_is_made_in_the_order_in_which_it_stands),
		cmocka_unit_test(a_rack_goes_from_the_top),
		cmocka_unit_test(a_port_that_is_not_there_yet_is_waited_for),
		cmocka_unit_test(a_vlan_that_a_bridge_without_ports_gave_no_mac_is_made_anew),
		cmocka_unit_test(a_vlan_waits_for_what_it_stands_on),
		cmocka_unit_test(ports_join_a_bond_as_it_lists_them),
		cmocka_unit_test(a_port_that_leaves_a_bond_is_brought_up_again),
		cmocka_unit_test(a_port_that_nobody_declares_any_more_leaves),
		cmocka_unit_test(a_mode_changes_without_ports_and_they_come_back),
		cmocka_unit_test(an_option_that_a_bond_takes_while_up_touches_nothing_else),
		cmocka_unit_test(what_a_bond_loses_while_it_is_down_comes_back),
		cmocka_unit_test(a_vlan_of_another_id_is_made_anew_with_all_above_it),
		cmocka_unit_test(vlans_that_are_declared_by_other_names_get_them_and_nothing_else_changes),
		cmocka_unit_test(vlans_whose_names_are_those_of_others_are_made_anew),
		cmocka_unit_test(a_vlan_moves_to_a_bond_that_is_made_with_it),
		cmocka_unit_test(a_name_that_one_of_ours_leaves_is_free),
		cmocka_unit_test(a_vlan_of_others_with_another_id_is_not_touched),
		cmocka_unit_test(a_vrf_with_another_table_takes_its_ports_along),
		cmocka_unit_test(mtus_grow_from_below_and_shrink_from_above),
		cmocka_unit_test(a_bridge_has_the_mtu_that_is_said_whatever_its_ports_have),
		cmocka_unit_test(a_bridges_mtu_stays_whatever_its_ports_do),
		cmocka_unit_test(a_vlan_keeps_its_mtu_when_the_bridge_below_gets_other_ports),
		cmocka_unit_test(what_we_made_is_no_card_that_was_renamed),
		cmocka_unit_test(a_new_vlan_has_the_mtu_that_its_parent_gets),
		cmocka_unit_test(what_a_port_has_of_its_bond_goes_when_it_leaves),
		cmocka_unit_test(a_vlan_has_the_mtu_that_is_said_when_the_port_below_leaves_a_bond),
		cmocka_unit_test(a_vlan_grows_with_a_bridge_that_loses_its_least_port),
		cmocka_unit_test(a_port_has_its_own_mac_before_it_joins_a_bond),
		cmocka_unit_test(what_we_made_of_another_kind_is_made_anew),
		cmocka_unit_test(delays_stay_when_the_monitors_interval_changes),
		cmocka_unit_test(what_arp_has_to_prove_stays_when_the_mode_changes),
		cmocka_unit_test(undoing_leaves_no_primary_and_no_targets),
		cmocka_unit_test(timers_of_the_root_are_no_difference),
		cmocka_unit_test(a_vlan_that_is_off_stays_so_when_its_parent_comes_up),
		cmocka_unit_test(stp_is_off_before_there_is_no_forward_delay),
		cmocka_unit_test(foreign_ports_of_our_bridge_stay_in_it),
		cmocka_unit_test(a_declared_port_stays_in_the_bridge_of_others),
		cmocka_unit_test(a_bridges_port_is_set_once_it_is_one),
		cmocka_unit_test(a_bond_in_a_bridge_has_its_ports_first),
		cmocka_unit_test(names_that_went_round_go_back),
		cmocka_unit_test(a_port_is_known_by_the_mac_that_it_was_given),
		cmocka_unit_test(what_is_switched_off_goes_down_and_loses_its_routes),
		cmocka_unit_test(a_static_address_moves_from_a_port_to_the_bond_it_joins),
		cmocka_unit_test(routes_come_after_the_last_ipv4_address_is_gone),
		cmocka_unit_test(a_route_of_a_vrf_goes_with_the_subnet_of_its_gateway),
		cmocka_unit_test(a_route_comes_again_with_the_link_of_its_source),
		cmocka_unit_test(an_ipv6_address_goes_before_it_comes_on_another_link),
	};
	return cmocka_run_group_tests_name("plan-stack", tests, NULL, NULL);
}
