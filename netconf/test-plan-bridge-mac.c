// Which MAC a bridge gets for good when the document has none.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/plan.h"
#include "netconf/test-by-hand.h"
#include "netconf/test-wants.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#define CARDS "version: 2\nethernets: {eth0: {}, eth1: {}, eth2: {}}\n"

// eth0 to eth2 with the MACs 52:54:00:00:00:02 to 04, and br0 with @bridge_mac as the last byte of its own (0: no br0).
static struct kernel *machine(uint8_t bridge_mac, const char *port)
{
	struct kernel *kernel = kernel_new();
	for (int i = 0; i < 3; i++) {
		char name[] = {'e', 't', 'h', (char)('0' + i), '\0'};
		struct kernel_link *card = has_link(kernel, 2 + i, name, "");
		card->has_permanent_mac = true;
		memcpy(card->permanent_mac, card->mac, 6);
		if (bridge_mac && str_equal(name, port)) {
			card->master_index = 9;
			(void)snprintf(card->port_kind, sizeof(card->port_kind), "bridge");
		}
	}
	if (!bridge_mac)
		return kernel;
	struct kernel_link *bridge = has_link(kernel, 9, "br0", "bridge");
	bridge->mac[5] = bridge_mac;
	(void)snprintf(bridge->alias, sizeof(bridge->alias), HEARTH_ALIAS);
	return kernel;
}

// The last byte of the MAC that br0 is made with, or set to; 0: none.
static uint8_t gets(const char *yaml, struct kernel *kernel_take)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_take;
	CLEANUP(network_freep) struct network *network = wants(yaml);
	CLEANUP(plan_freep) struct plan *plan = NULL;
	uint8_t got = 0;
	struct diag diag = {0};
	kernel_sort(kernel);
	struct plan_input input = {.network = network, .kernel = kernel};
	if (plan_make(&input, &plan, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	for (size_t i = 0; i < plan->n; i++) {
		const struct change *change = &plan->changes[i];
		if (!str_equal(change->name, "br0"))
			continue;
		if (change->type == CHANGE_LINK_CREATE && change->parent.has_mac)
			got = change->parent.mac[5];
		if (change->type == CHANGE_LINK_SET && change->set.has_mac)
			got = change->set.mac[5];
	}
	return got;
}

static void a_bridge_is_made_with_the_mac_of_its_first_card(void **state)
{
	static const struct {
		const char *rest;
		uint8_t wanted;
	} cases[] = {
		{"bridges: {br0: {interfaces: [eth1, eth0]}}", 3},
		{"bridges: {br0: {interfaces: [eth9, eth2]}}", 4},
		{"vlans: {v7: {id: 7, link: eth2}}\nbridges: {br0: {interfaces: [v7, eth0]}}", 4},
		{"bonds: {bond0: {interfaces: [eth2, eth1]}}\nbridges: {br0: {interfaces: [bond0]}}", 4},
		{"dummy-devices: {d0: {}}\nbridges: {br0: {interfaces: [d0]}}", 0}, // the kernel's, until the dummy has one
		{"bridges: {br0: {interfaces: []}}", 0},
		{"bridges: {br0: {interfaces: [eth0], macaddress: \"02:00:00:00:00:07\"}}", 7}, // the document's
	};
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		bool has_eth9 = strstr(cases[i].rest, "eth9") != NULL;
		AUTO_FREE char *yaml = str_format("%s%s", has_eth9 ? "ethernets: {eth2: {}, eth9: {}}\n" : CARDS, cases[i].rest);
		assert_int_equal(gets(yaml, machine(0, NULL)), cases[i].wanted);
	}
}

static void a_bridge_with_ports_keeps_its_mac(void **state)
{
	static const char yaml[] = CARDS "bridges: {br0: {interfaces: [eth1, eth2]}}\n";
	assert_int_equal(gets(yaml, machine(3, "eth1")), 0);
	assert_int_equal(gets(yaml, machine(0x77, "eth1")), 0); // of a port that somebody put into it
	assert_int_equal(gets(yaml, machine(4, "eth2")), 0);    // of another port of its own
	assert_int_equal(gets(yaml, machine(0x77, NULL)), 3);   // its first port joins it now
	assert_int_equal(gets(yaml, machine(3, NULL)), 0);
}

// eth0 was its port and speaks for itself now.
static void a_bridge_does_not_keep_the_mac_of_a_card_that_left_it(void **state)
{
	static const char bond[] = CARDS "bonds: {bond0: {interfaces: [eth1, eth0]}}\nbridges: {br0: {interfaces: [bond0]}}\n";
	assert_int_equal(gets(CARDS "bridges: {br0: {interfaces: [eth1, eth2]}}\n", machine(2, "eth1")), 3);
	assert_int_equal(gets(bond, machine(2, "eth1")), 0); // it is below it still
	struct kernel *foreign = machine(2, "eth1");
	foreign->links[foreign->n_links - 1].alias[0] = '\0';
	assert_int_equal(gets(CARDS "bridges: {br0: {interfaces: [eth1, eth2]}}\n", foreign), 0);
}

static void a_bridge_waits_for_the_mac_of_a_port_that_is_made_with_it(void **state)
{
	static const struct {
		const char *rest;
		uint8_t bridge_mac;
		bool comes_in_two;
	} cases[] = {
		{"dummy-devices: {d0: {}}\nbridges: {br0: {interfaces: [d0]}}", 3, true}, // eth1's, which leaves it
		{"dummy-devices: {d0: {}}\nbridges: {br0: {interfaces: [d0]}}", 0x77, false}, // nobody else's
		{"dummy-devices: {d0: {}}\nbridges: {br0: {interfaces: [d0, eth1]}}", 3, false}, // eth1 stays: its own
		{"dummy-devices: {d0: {}}\nbridges: {br0: {interfaces: [d0, eth0]}}", 3, false}, // eth0's, at once
		{"dummy-devices: {d0: {macaddress: \"02:00:00:00:00:07\"}}\nbridges: {br0: {interfaces: [d0]}}", 3, false},
		{"dummy-devices: {d0: {}}\nbridges: {br0: {interfaces: [d0], macaddress: \"02:00:00:00:00:07\"}}", 3, false},
		{"dummy-devices: {d0: {}}\nvlans: {v7: {id: 7, link: d0}}\nbridges: {br0: {interfaces: [v7]}}", 3, true},
		{"dummy-devices: {d0: {}}\nbonds: {b0: {interfaces: [d0]}}\nbridges: {br0: {interfaces: [b0]}}", 3, true},
		{"bridges: {br1: {}, br0: {interfaces: [v7]}}\nvlans: {v7: {id: 7, link: br1}}", 3, true},
		{"bonds: {b0: {interfaces: []}}\nbridges: {br0: {interfaces: [b0]}}", 3, false}, // as many looks as one likes
	};
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CLEANUP(kernel_freep) struct kernel *kernel = machine(cases[i].bridge_mac, "eth1");
		AUTO_FREE char *yaml = str_format(CARDS "%s", cases[i].rest);
		CLEANUP(network_freep) struct network *network = wants(yaml);
		CLEANUP(plan_freep) struct plan *plan = NULL;
		kernel_sort(kernel);
		struct plan_input input = {.network = network, .kernel = kernel};
		assert_int_equal(plan_make(&input, &plan, NULL), 0);
		assert_int_equal(plan->comes_in_two, cases[i].comes_in_two);
	}
}

// The last byte of the MAC that somebody's br0 has for good once it is taken over; 0: it has what the kernel gives it.
static uint8_t keeps(const char *rest, uint8_t bridge_mac, const char *port)
{
	CLEANUP(kernel_freep) struct kernel *kernel = machine(bridge_mac, port);
	AUTO_FREE char *yaml = str_format(CARDS "%s", rest);
	CLEANUP(network_freep) struct network *network = wants(yaml);
	CLEANUP(plan_freep) struct plan *plan = NULL;
	kernel->links[kernel->n_links - 1].alias[0] = '\0';
	kernel_sort(kernel);
	struct plan_input input = {.network = network, .kernel = kernel};
	assert_int_equal(plan_make(&input, &plan, NULL), 0);
	assert_int_equal(plan->marks.n, 1);
	const struct mark *mark = &plan->marks.marks[0];
	CLEANUP(nl_msgp) struct nl_msg *message = mark_message(mark);
	const struct nlattr *mac = nlmsg_find_attr(nlmsg_hdr(message), sizeof(struct ifinfomsg), IFLA_ADDRESS);
	assert_int_equal(mac != NULL, mark->has_mac);
	return mac ? ((const uint8_t *)nla_data(mac))[5] : 0;
}

static void a_bridge_that_is_taken_over_keeps_its_mac(void **state)
{
	assert_int_equal(keeps("bridges: {br0: {interfaces: [eth1]}}", 3, "eth1"), 3);
	assert_int_equal(keeps("bridges: {br0: {interfaces: [eth1]}}", 0x77, "eth1"), 0x77); // whoever gave it that
	assert_int_equal(keeps("bridges: {br0: {macaddress: \"52:54:00:00:00:77\"}}", 0x77, NULL), 0x77);
	assert_int_equal(keeps("bridges: {br0: {macaddress: \"52:54:00:00:00:07\"}}", 0x77, NULL), 0); // it gets that
	assert_int_equal(keeps("bridges: {br0: {interfaces: [eth0]}}", 3, "eth1"), 0); // of a card that leaves it
	assert_int_equal(keeps("bridges: {br0: {}}", 0x77, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bridge_is_made_with_the_mac_of_its_first_card),
		cmocka_unit_test(a_bridge_with_ports_keeps_its_mac),
		cmocka_unit_test(a_bridge_waits_for_the_mac_of_a_port_that_is_made_with_it),
		cmocka_unit_test(a_bridge_that_is_taken_over_keeps_its_mac),
		cmocka_unit_test(a_bridge_does_not_keep_the_mac_of_a_card_that_left_it),
	};
	return cmocka_run_group_tests_name("plan-bridge-mac", tests, NULL, NULL);
}
