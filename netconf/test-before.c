// The document that a change is undone by says what show leaves out because it is usual.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/test-wants.h"

#include "base/file.h"
#include "base/yaml.h"
#include "netconf/before.h"

#include <linux/if_arp.h>
#include <sys/stat.h>

#define KEYS "/tmp/hearth-before-keys"

static struct kernel_link *add_link(struct kernel *kernel, const char *name, const char *kind, uint32_t flags)
{
	struct kernel_link *one = &kernel->links[kernel->n_links++];
	*one = (struct kernel_link){.index = (int)kernel->n_links + 1, .type = ARPHRD_ETHER, .mtu = 1500, .flags = flags,
		.carrier = true, .has_mac = true, .mac = {0x52, 0x54, 0, 0, 0, (uint8_t)kernel->n_links}};
	(void)snprintf(one->name, sizeof(one->name), "%s", name);
	(void)snprintf(one->kind, sizeof(one->kind), "%s", kind);
	if (!kind[0]) {
		one->has_permanent_mac = true;
		memcpy(one->permanent_mac, one->mac, sizeof(one->mac));
	}
	return one;
}

static struct kernel *empty(void)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	kernel->links = calloc(8, sizeof(*kernel->links));
	kernel->addresses = calloc(8, sizeof(*kernel->addresses));
	return kernel;
}

static void add_address(struct kernel *kernel, int link_index, const char *text, uint8_t protocol)
{
	struct kernel_address *added = &kernel->addresses[kernel->n_addresses++];
	*added = (struct kernel_address){.link_index = link_index, .protocol = protocol, .flags = 0x80}; // permanent
	assert_int_equal(address_parse(text, true, &added->address), 0);
}

static struct network *before_of_confirmed(struct kernel *kernel, const char *tried_yaml, const char *confirmed_yaml)
{
	CLEANUP(network_freep) struct network *tried = wants(tried_yaml), *confirmed = confirmed_yaml ? wants(confirmed_yaml) : NULL;
	AUTO_FREE char *document = NULL;
	struct network *before = NULL;
	struct diag diag = {0};
	kernel_sort(kernel);
	if (before_document(kernel, tried, confirmed, KEYS, &document, &before, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	network_free(before);
	return wants(document); // what the journal has is the text
}

static struct network *before_of(struct kernel *kernel, const char *tried_yaml)
{
	return before_of_confirmed(kernel, tried_yaml, NULL);
}

// 5 is what a card of 1 Gbit/s has by itself.
static void a_usual_cost_is_said_where_a_document_says_one(void **state)
{
	static const char cost_said[] = "ethernets: {eth0: {}}\nbridges: {br0: {interfaces: [eth0], parameters: {path-cost: {eth0: 7}}}}";
	static const char no_cost[] = "ethernets: {eth0: {}}\nbridges: {br0: {interfaces: [eth0]}}";
	static const struct {
		const char *tried, *confirmed;
		bool is_wireless, is_said;
	} cases[] = {{"bridges: {br0: {}}", cost_said, false, true}, {cost_said, no_cost, false, true}, {cost_said, NULL, false, true},
		{"bridges: {br0: {}}", no_cost, false, false}, {"bridges: {br0: {}}", NULL, false, false},
		{no_cost, "ethernets: {eth0: {}}", false, false}, {no_cost, cost_said, true, false}}; // show names no Wi-Fi
	size_t cost = (size_t)link_option_find(LINK_OPTION_BRIDGE_PORT, "path-cost");
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		CLEANUP(kernel_freep) struct kernel *kernel = empty();
		struct kernel_link *port = add_link(kernel, "eth0", "", IFF_UP), *bridge = add_link(kernel, "br0", "bridge", IFF_UP);
		(void)snprintf(bridge->alias, sizeof(bridge->alias), HEARTH_ALIAS);
		port->wireless = cases[i].is_wireless;
		port->master_index = bridge->index;
		(void)snprintf(port->port_kind, sizeof(port->port_kind), "bridge");
		link_options_set(&port->port_options, cost, 5);
		CLEANUP(network_freep) struct network *before = before_of_confirmed(kernel, cases[i].tried, cases[i].confirmed);
		const struct declaration *found = network_find(before, "br0");
		assert_int_equal(found && found->n_bridge_ports, cases[i].is_said);
		if (cases[i].is_said)
			assert_int_equal(found->bridge_ports[0].options.value[cost], 5);
	}
}

static void a_bond_without_a_monitor_has_none_afterwards(void **state)
{
	size_t mode = (size_t)link_option_find(LINK_OPTION_BOND, "mode"), monitor = (size_t)link_option_find(LINK_OPTION_BOND, "mii-monitor-interval");
	CLEANUP(kernel_freep) struct kernel *kernel = empty();
	struct kernel_link *bond = add_link(kernel, "bond0", "bond", IFF_UP);
	(void)snprintf(bond->alias, sizeof(bond->alias), HEARTH_ALIAS);
	link_options_set(&bond->options, mode, 1);
	link_options_set(&bond->options, monitor, 0);
	CLEANUP(network_freep) struct network *before = before_of(kernel, "bonds: {bond0: {parameters: {mode: 802.3ad}}}");
	const struct declaration *found = network_find(before, "bond0");
	assert_true(found && link_options_have(&found->options, monitor));
	assert_int_equal(found->options.value[monitor], 0);
	assert_int_equal(found->options.value[mode], 1);
}

// Said, it would follow the ports no more.
static void mtu_of_a_bridge_is_said_when_it_is_its_own(void **state)
{
	static const struct {
		const char *tried;
		uint32_t bridge_mtu, said;
	} rows[] = {{"bridges: {br0: {}}", 1400, 0}, {"bridges: {br0: {mtu: 9000}}", 1400, 1400}, {"bridges: {}", 1300, 1300}, {"bridges: {}", 1400, 0}};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(kernel_freep) struct kernel *kernel = empty();
		struct kernel_link *port = add_link(kernel, "eth0", "", IFF_UP), *bridge = add_link(kernel, "br0", "bridge", IFF_UP);
		(void)snprintf(bridge->alias, sizeof(bridge->alias), HEARTH_ALIAS);
		port->master_index = bridge->index;
		(void)snprintf(port->port_kind, sizeof(port->port_kind), "bridge");
		port->mtu = 1400;
		bridge->mtu = rows[i].bridge_mtu;
		CLEANUP(network_freep) struct network *before = before_of(kernel, rows[i].tried);
		assert_int_equal(network_find(before, "br0")->mtu, rows[i].said);
	}
}

static void mac_that_a_bond_without_ports_has_is_not_said(void **state)
{
	static const char mac[] = "bonds: {bond0: {macaddress: '52:54:00:00:00:01'}}", none[] = "bonds: {bond0: {}}";
	static const struct {
		const char *tried, *confirmed;
		bool is_said;
	} rows[] = {{none, none, false}, {"bonds: {}", NULL, false}, {none, mac, true}, {mac, none, true},
		{"ethernets: {eth0: {}}\nbonds: {bond0: {interfaces: [eth0], macaddress: '52:54:00:00:00:01'}}", none, false}};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(kernel_freep) struct kernel *kernel = empty();
		(void)snprintf(add_link(kernel, "bond0", "bond", IFF_UP)->alias, 32, HEARTH_ALIAS);
		CLEANUP(network_freep) struct network *before = before_of_confirmed(kernel, rows[i].tried, rows[i].confirmed);
		assert_int_equal(network_find(before, "bond0")->has_mac, rows[i].is_said);
	}
}

static void usual_mtu_and_state_are_said(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = empty();
	add_link(kernel, "eth0", "", IFF_UP);
	add_link(kernel, "eth1", "", 0); // down and bare: show does not know it
	CLEANUP(network_freep) struct network *before =
		before_of(kernel, "ethernets: {eth0: {mtu: 9000}, eth1: {mtu: 9000, addresses: [10.0.0.1/24]}}");
	const struct declaration *first = network_find(before, "eth0"), *second = network_find(before, "eth1");
	assert_non_null(first);
	assert_int_equal(first->mtu, 1500);
	assert_int_equal(first->activation, ACTIVATION_UP);
	assert_non_null(second);
	assert_int_equal(second->mtu, 1500);
	assert_int_equal(second->activation, ACTIVATION_OFF);
	assert_int_equal(second->n_addresses, 0);
}

static void link_of_a_container_counts_once_it_is_named(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = empty();
	int named = add_link(kernel, "veth0", "veth", IFF_UP)->index;
	int ours = add_link(kernel, "veth1", "veth", IFF_UP)->index;
	int other = add_link(kernel, "veth2", "veth", IFF_UP)->index;
	add_address(kernel, named, "10.0.0.1/24", 0);
	add_address(kernel, ours, "10.1.0.1/24", HEARTH_PROTOCOL);
	add_address(kernel, other, "10.2.0.1/24", 0);
	CLEANUP(network_freep) struct network *before = before_of(kernel, "ethernets: {veth0: {addresses: [10.9.0.1/24]}}");
	assert_int_equal(network_find(before, "veth0")->n_addresses, 1);
	assert_int_equal(network_find(before, "veth1")->n_addresses, 1); // else it would be removed as not wanted
	assert_null(network_find(before, "veth2"));
}

static void renamed_link_is_found_by_the_mac_that_is_its_own(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = empty();
	struct kernel_link *card = add_link(kernel, "eth0", "", IFF_UP);
	card->has_permanent_mac = true;
	memcpy(card->permanent_mac, card->mac, sizeof(card->permanent_mac));
	add_link(kernel, "eth1", "", IFF_UP);
	CLEANUP(network_freep) struct network *before =
		before_of(kernel, "ethernets: {up: {match: {macaddress: \"52:54:00:00:00:01\"}, set-name: wan0}}");
	const struct declaration *renamed = network_find(before, "eth0");
	assert_string_equal(renamed->match_mac, "52:54:00:00:00:01");
	assert_string_equal(renamed->set_name, "eth0");
	assert_null(network_find(before, "eth1")->set_name);
}

// A veth has none, and the MAC that it has now may be another one then.
static void renamed_link_without_such_a_mac_is_found_by_its_new_name(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = empty();
	add_link(kernel, "eth0", "veth", IFF_UP);
	CLEANUP(network_freep) struct network *before = before_of(kernel, "ethernets: {up: {match: {name: eth0}, set-name: wan0}}");
	const struct declaration *renamed = network_find(before, "eth0");
	assert_null(renamed->match_mac);
	assert_string_equal(renamed->match_name, "wan0");
	assert_string_equal(renamed->set_name, "eth0");
}

static void vlan_with_another_name_is_found_by_what_it_is(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = empty();
	int below = add_link(kernel, "eth0", "", IFF_UP)->index;
	struct kernel_link *vlan = add_link(kernel, "mgmt", "vlan", IFF_UP);
	vlan->parent_index = below;
	vlan->vlan_id = 7;
	(void)snprintf(vlan->alias, sizeof(vlan->alias), HEARTH_ALIAS);
	CLEANUP(network_freep) struct network *before = before_of(kernel, "ethernets: {eth0: {}}\nvlans: {lan: {id: 7, link: eth0}}");
	const struct declaration *found = network_find(before, "mgmt");
	assert_non_null(found);
	assert_int_equal(found->kind, DECLARATION_VLAN);
	assert_int_equal(found->vlan_id, 7);
	assert_null(found->set_name);
}

static void mac_is_said_when_the_tried_one_says_it(void **state)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0, 0, 0, 1};
	CLEANUP(kernel_freep) struct kernel *kernel = empty();
	add_link(kernel, "eth0", "", IFF_UP);
	CLEANUP(network_freep) struct network *before = before_of(kernel, "ethernets: {eth0: {macaddress: \"02:00:00:00:00:99\"}}");
	assert_true(network_find(before, "eth0")->has_mac);
	assert_memory_equal(network_find(before, "eth0")->mac, mac, sizeof(mac));
}

// What is a port has the MAC that it has by itself; a bond's gets that before it joins again.
static void mac_of_a_port_is_its_own(void **state)
{
	static const char *const kinds[] = {"vrf", "bridge", "bond"};
	static const uint8_t own[6] = {0x52, 0x54, 0, 0, 0, 0x77};
	for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
		CLEANUP(kernel_freep) struct kernel *kernel = empty();
		struct kernel_link *port = add_link(kernel, "eth0", "", IFF_UP), *master = add_link(kernel, "m", kinds[i], IFF_UP);
		(void)snprintf(master->alias, sizeof(master->alias), HEARTH_ALIAS);
		master->vrf_table = 9;
		port->master_index = master->index;
		(void)snprintf(port->port_kind, sizeof(port->port_kind), "%s", kinds[i]);
		bool is_of_bond = str_equal(kinds[i], "bond");
		memcpy(is_of_bond ? port->own_mac : port->mac, own, sizeof(own));
		port->has_own_mac = is_of_bond;
		CLEANUP(network_freep) struct network *before = before_of(kernel, "ethernets: {eth0: {macaddress: \"02:00:00:00:00:99\"}}");
		assert_true(network_find(before, "eth0")->has_mac);
		assert_memory_equal(network_find(before, "eth0")->mac, own, sizeof(own));
	}
}

static void what_the_kernel_does_of_advertisements_is_said(void **state)
{
	for (int i = 0; i < 3; i++) {
		CLEANUP(kernel_freep) struct kernel *kernel = empty();
		struct kernel_link *one = add_link(kernel, "eth0", "", IFF_UP);
		one->has_ra = i < 2;
		one->takes_ra = i == 1;
		CLEANUP(network_freep) struct network *before = before_of(kernel, "ethernets: {eth0: {accept-ra: false}}");
		assert_int_equal(network_find(before, "eth0")->has_accept_ra, i < 2);
		assert_int_equal(network_find(before, "eth0")->accept_ra, i == 1);
	}
}

static void a_link_that_is_removed_comes_back_with_its_mac(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = empty();
	struct kernel_link *one = add_link(kernel, "service1", "dummy", IFF_UP), *bridge = add_link(kernel, "br0", "bridge", IFF_UP);
	struct kernel_link *empty_one = add_link(kernel, "br1", "bridge", IFF_UP);
	(void)snprintf(one->alias, sizeof(one->alias), "hearth");
	(void)snprintf(bridge->alias, sizeof(bridge->alias), "hearth");
	(void)snprintf(empty_one->alias, sizeof(empty_one->alias), "hearth");
	memset(empty_one->mac, 0, sizeof(empty_one->mac));
	struct kernel_link *port = add_link(kernel, "eth0", "", IFF_UP); // which show takes its MAC for
	port->master_index = bridge->index;
	(void)snprintf(port->port_kind, sizeof(port->port_kind), "bridge");
	memcpy(bridge->mac, port->mac, sizeof(bridge->mac));
	CLEANUP(network_freep) struct network *before = before_of(kernel, "dummy-devices: {}");
	const struct declaration *found = network_find(before, "service1"), *found_bridge = network_find(before, "br0");
	assert_true(found && found->has_mac && found_bridge && found_bridge->has_mac);
	assert_memory_equal(found->mac, one->mac, 6);
	assert_memory_equal(found_bridge->mac, bridge->mac, 6);
	assert_false(network_find(before, "br1")->has_mac);
}

static void keys_are_copied_for_nobody_else(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = empty();
	struct kernel_link *one = add_link(kernel, "wg0", "wireguard", IFF_UP);
	one->has_mac = false;
	one->type = ARPHRD_NONE;
	one->mtu = 1420;
	one->wireguard.present = true;
	memset(one->wireguard.private_key, 0x48, sizeof(one->wireguard.private_key));
	kernel_sort(kernel);
	CLEANUP(network_freep) struct network *tried = wants("ethernets: {}"), *before = NULL;
	AUTO_FREE char *document = NULL, *text = NULL;
	struct stat st;
	assert_int_equal(before_document(kernel, tried, NULL, KEYS, &document, &before, NULL), 0);
	assert_null(strstr(document, "SEhISEhI")); // the key itself
	assert_int_equal(file_make_folders(KEYS, 0700), 0);
	assert_int_equal(before_save_keys(before, kernel, NULL), 0);
	assert_int_equal(file_read(KEYS "/wg0.key", 100, &text, NULL, NULL), 0);
	assert_string_equal(text, "SEhISEhISEhISEhISEhISEhISEhISEhISEhISEhISEg=");
	assert_int_equal(stat(KEYS "/wg0.key", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(network_load_keys(before, NULL), 0);
	assert_int_equal(unlink(KEYS "/wg0.key"), 0);
	assert_int_equal(rmdir(KEYS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usual_mtu_and_state_are_said),
		cmocka_unit_test(mtu_of_a_bridge_is_said_when_it_is_its_own),
		cmocka_unit_test(mac_that_a_bond_without_ports_has_is_not_said),
		cmocka_unit_test(a_bond_without_a_monitor_has_none_afterwards),
		cmocka_unit_test(a_usual_cost_is_said_where_a_document_says_one),
		cmocka_unit_test(link_of_a_container_counts_once_it_is_named),
		cmocka_unit_test(renamed_link_is_found_by_the_mac_that_is_its_own),
		cmocka_unit_test(renamed_link_without_such_a_mac_is_found_by_its_new_name),
		cmocka_unit_test(vlan_with_another_name_is_found_by_what_it_is),
		cmocka_unit_test(mac_is_said_when_the_tried_one_says_it),
		cmocka_unit_test(mac_of_a_port_is_its_own),
		cmocka_unit_test(what_the_kernel_does_of_advertisements_is_said),
		cmocka_unit_test(a_link_that_is_removed_comes_back_with_its_mac),
		cmocka_unit_test(keys_are_copied_for_nobody_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
