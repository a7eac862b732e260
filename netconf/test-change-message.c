// Changes as bytes. The kernel takes in what it gives out: what is sent is read again as the kernel's answers are.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/test-wants.h"

#include "netconf/change-message.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

// The message of @change, which has @type and @flags, as the kernel would show what it asks for.
static struct kernel *sent(const struct change *change, uint16_t type, uint16_t flags)
{
	CLEANUP(nl_msgp) struct nl_msg *message = change_message(change);
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	assert_non_null(message);
	assert_non_null(kernel);
	struct nlmsghdr *header = nlmsg_hdr(message);
	assert_int_equal(header->nlmsg_type, type);
	assert_int_equal(header->nlmsg_flags, flags);
	assert_int_equal(kernel_decode(kernel, header), 0);
	return kernel;
}

static struct nlattr *attribute_of(struct nl_msg *message, int n_header, int type)
{
	return nlmsg_find_attr(nlmsg_hdr(message), n_header, type);
}

static struct address address_of(const char *text)
{
	struct address address;
	assert_int_equal(address_parse(text, true, &address), 0);
	return address;
}

static struct ip ip_of(const char *text)
{
	struct ip ip;
	assert_int_equal(ip_parse(text, &ip), 0);
	return ip;
}

// --- addresses ---

static void an_address_is_ours_and_has_its_broadcast(void **state)
{
	static const struct {
		const char *address, *broadcast; // NULL: none
		uint8_t scope;
	} cases[] = {
		{"10.1.2.3/24", "10.1.2.255", RT_SCOPE_UNIVERSE},
		{"10.1.2.3/12", "10.15.255.255", RT_SCOPE_UNIVERSE},
		{"10.1.2.3/30", "10.1.2.3", RT_SCOPE_UNIVERSE},
		{"10.1.2.3/31", NULL, RT_SCOPE_UNIVERSE},
		{"10.1.2.3/32", NULL, RT_SCOPE_UNIVERSE},
		{"169.254.7.7/16", "169.254.255.255", RT_SCOPE_LINK},
		{"fd00::2/64", NULL, RT_SCOPE_UNIVERSE},
		{"fe80::7/64", NULL, RT_SCOPE_LINK},
	};
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct change change = {.type = CHANGE_ADDRESS_ADD, .protocol = HEARTH_PROTOCOL, .name = "eth0", .link_index = 7,
			.address = address_of(cases[i].address)};
		CLEANUP(kernel_freep) struct kernel *kernel = sent(&change, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
		CLEANUP(nl_msgp) struct nl_msg *message = change_message(&change);
		assert_int_equal(kernel->n_addresses, 1);
		assert_int_equal(address_compare(&kernel->addresses[0].address, &change.address), 0);
		assert_int_equal(kernel->addresses[0].link_index, 7);
		assert_int_equal(kernel->addresses[0].protocol, HEARTH_PROTOCOL);
		assert_int_equal(kernel->addresses[0].scope, cases[i].scope);
		assert_false(kernel->addresses[0].has_peer);
		struct nlattr *broadcast = attribute_of(message, sizeof(struct ifaddrmsg), IFA_BROADCAST);
		assert_int_equal(broadcast != NULL, cases[i].broadcast != NULL);
		if (broadcast)
			assert_memory_equal(nla_data(broadcast), ip_of(cases[i].broadcast).bytes, 4);
	}
}

static void a_tunnel_has_no_broadcast(void **state)
{
	const struct declaration tunnel = {.kind = DECLARATION_WIREGUARD};
	struct change change = {.type = CHANGE_ADDRESS_ADD, .name = "wg0", .link_index = 7, .declaration = &tunnel,
		.address = address_of("10.1.2.3/24")};
	CLEANUP(nl_msgp) struct nl_msg *message = change_message(&change);
	assert_null(attribute_of(message, sizeof(struct ifaddrmsg), IFA_BROADCAST));
}

static void an_address_that_goes_is_named_whole(void **state)
{
	static const enum change_type types[] = {CHANGE_ADDRESS_REMOVE, CHANGE_ADDRESS_REPREFIX};
	for (size_t i = 0; i < N_ELEMENTS(types); i++) {
		struct change change = {.type = types[i], .link_index = 7, .address = address_of("fd00::2/64")};
		CLEANUP(nl_msgp) struct nl_msg *message = change_message(&change);
		struct nlmsghdr *header = nlmsg_hdr(message);
		const struct ifaddrmsg *inner = nlmsg_data(header);
		assert_int_equal(header->nlmsg_type, RTM_DELADDR);
		assert_int_equal(header->nlmsg_flags, 0);
		assert_int_equal(inner->ifa_prefixlen, 64);
		assert_int_equal(inner->ifa_index, 7);
		assert_memory_equal(nla_data(attribute_of(message, sizeof(*inner), IFA_LOCAL)), change.address.ip.bytes, 16);
		assert_null(attribute_of(message, sizeof(*inner), IFA_PROTO));
	}
}

// --- routes ---

static void every_part_of_a_route_is_sent(void **state)
{
	static const struct {
		enum change_type type;
		uint16_t flags;
	} adds[] = {{CHANGE_ROUTE_ADD, NLM_F_CREATE}, {CHANGE_ROUTE_REPLACE, NLM_F_CREATE | NLM_F_REPLACE}};
	struct route routes[] = {
		{.table = RT_TABLE_MAIN, .type = RTN_UNICAST, .destination = address_of("0.0.0.0/0"), .gateway = ip_of("10.0.0.1")},
		{.table = 100000, .metric = 77, .type = RTN_UNICAST, .destination = address_of("10.9.0.0/16"),
			.gateway = ip_of("10.0.0.1"), .source = ip_of("10.0.0.2"), .on_link = true, .mtu = 1400, .cwnd = 11, .rwnd = 22},
		{.table = 255, .type = RTN_LOCAL, .scope = RT_SCOPE_HOST, .destination = address_of("10.9.9.9/32")},
		{.table = RT_TABLE_MAIN, .type = RTN_UNICAST, .scope = RT_SCOPE_LINK, .destination = address_of("10.8.0.0/24")},
		{.table = 7, .metric = 1024, .type = RTN_UNICAST, .destination = address_of("fd01::/64"), .gateway = ip_of("fd00::1")},
		{.table = 7, .metric = 1024, .type = RTN_BLACKHOLE, .destination = address_of("fd02::/64")},
	};
	for (size_t i = 0; i < N_ELEMENTS(routes) * N_ELEMENTS(adds); i++) {
		const struct route *route = &routes[i / 2];
		struct change change = {.type = adds[i % 2].type, .protocol = HEARTH_PROTOCOL,
			.link_index = route_needs_link(route) ? 7 : 0, .route = *route};
		bool is_v6_add = i % 2 == 0 && route->destination.ip.family == AF_INET6; // a second one would be one with the first
		uint16_t flags = adds[i % 2].flags | (is_v6_add ? NLM_F_EXCL : 0);
		CLEANUP(kernel_freep) struct kernel *kernel = sent(&change, RTM_NEWROUTE, flags);
		assert_int_equal(kernel->n_routes, 1);
		assert_int_equal(route_compare_key(&kernel->routes[0].route, route), 0);
		assert_true(route_equal(&kernel->routes[0].route, route));
		assert_int_equal(kernel->routes[0].link_index, change.link_index);
		assert_int_equal(kernel->routes[0].protocol, HEARTH_PROTOCOL);
		assert_false(kernel->routes[0].has_other_shape || kernel->routes[0].has_other_metrics);
	}
}

static void a_route_that_goes_is_ours_alone(void **state)
{
	struct change change = {.type = CHANGE_ROUTE_REMOVE, .protocol = HEARTH_PROTOCOL, .link_index = 7,
		.route = {.table = 300, .metric = 5, .type = RTN_UNICAST, .destination = address_of("10.9.0.0/16"), .mtu = 1400}};
	CLEANUP(nl_msgp) struct nl_msg *message = change_message(&change);
	const struct rtmsg *inner = nlmsg_data(nlmsg_hdr(message));
	assert_int_equal(nlmsg_hdr(message)->nlmsg_type, RTM_DELROUTE);
	assert_int_equal(inner->rtm_protocol, HEARTH_PROTOCOL); // the kernel finds none of others' by it
	assert_int_equal(inner->rtm_dst_len, 16);
	assert_int_equal(nla_get_u32(attribute_of(message, sizeof(*inner), RTA_TABLE)), 300);
	assert_int_equal(nla_get_u32(attribute_of(message, sizeof(*inner), RTA_PRIORITY)), 5);
	assert_int_equal(nla_get_u32(attribute_of(message, sizeof(*inner), RTA_OIF)), 7);
	struct nlattr *metrics = attribute_of(message, sizeof(*inner), RTA_METRICS);
	assert_int_equal(nla_get_u32(nla_find(nla_data(metrics), nla_len(metrics), RTAX_MTU)), 1400);
	assert_int_equal(nla_get_u32(nla_find(nla_data(metrics), nla_len(metrics), RTAX_INITCWND)), 0); // not one that has it
	change.route.destination = address_of("fd00::/16");
	CLEANUP(nl_msgp) struct nl_msg *of_ipv6 = change_message(&change);
	assert_null(attribute_of(of_ipv6, sizeof(*inner), RTA_METRICS)); // there they are no part of what names it
}

static void a_route_comes_behind_others_when_it_was_there(void **state)
{
	struct change change = {.type = CHANGE_ROUTE_ADD, .link_index = 7, .protocol = HEARTH_PROTOCOL, .is_last = true,
		.route = {.destination = address_of("10.1.0.0/16"), .table = RT_TABLE_MAIN, .type = RTN_UNICAST}};
	CLEANUP(kernel_freep) struct kernel *kernel = sent(&change, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND);
	assert_int_equal(kernel->n_routes, 1);
}

// --- rules ---

static void every_part_of_a_rule_is_sent(void **state)
{
	struct rule rules[] = {
		{.family = AF_INET, .from = address_of("10.1.0.0/16"), .table = 100, .priority = 50, .has_priority = true},
		{.family = AF_INET, .to = address_of("10.2.0.0/16"), .table = 70000, .mark = 9, .tos = 16, .priority = 51,
			.has_priority = true},
		{.family = AF_INET6, .to = address_of("fd00::/8"), .table = 254, .priority = 52, .has_priority = true},
		{.family = AF_INET6, .table = 254, .priority = 0, .has_priority = true},
	};
	for (size_t i = 0; i < N_ELEMENTS(rules); i++) {
		struct change change = {.type = CHANGE_RULE_ADD, .protocol = HEARTH_PROTOCOL, .rule = rules[i]};
		CLEANUP(kernel_freep) struct kernel *kernel = sent(&change, RTM_NEWRULE, NLM_F_CREATE);
		assert_int_equal(kernel->n_rules, 1);
		assert_int_equal(kernel->rules[0].protocol, HEARTH_PROTOCOL);
		assert_int_equal(rule_compare(&kernel->rules[0].rule, &rules[i]), 0);
		change.type = CHANGE_RULE_REMOVE;
		CLEANUP(nl_msgp) struct nl_msg *message = change_message(&change);
		assert_int_equal(nlmsg_hdr(message)->nlmsg_type, RTM_DELRULE);
	}
	struct change change = {.type = CHANGE_RULE_ADD, .rule = {.family = AF_INET, .table = 5}};
	CLEANUP(nl_msgp) struct nl_msg *message = change_message(&change);
	assert_null(attribute_of(message, sizeof(struct fib_rule_hdr), FRA_PRIORITY)); // the kernel chooses
}

// --- whose they are ---

static void what_comes_back_is_whose_it_was(void **state)
{
	struct change address = {.type = CHANGE_ADDRESS_ADD, .link_index = 7, .address = address_of("fd00::2/64")};
	struct change route = {.type = CHANGE_ROUTE_ADD, .link_index = 7, .protocol = RTPROT_STATIC,
		.route = {.destination = address_of("10.1.0.0/16"), .table = RT_TABLE_MAIN, .type = RTN_UNICAST}};
	struct change rule = {.type = CHANGE_RULE_ADD, .protocol = RTPROT_BOOT, .rule = {.family = AF_INET, .table = 5}};
	CLEANUP(kernel_freep) struct kernel *one = sent(&address, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
	CLEANUP(kernel_freep) struct kernel *two = sent(&route, RTM_NEWROUTE, NLM_F_CREATE);
	CLEANUP(kernel_freep) struct kernel *three = sent(&rule, RTM_NEWRULE, NLM_F_CREATE);
	assert_int_equal(one->addresses[0].protocol, IFAPROT_UNSPEC);
	assert_int_equal(two->routes[0].protocol, RTPROT_STATIC);
	assert_int_equal(three->rules[0].protocol, RTPROT_BOOT);
}

// --- links ---

static struct change made(const struct network *network, const char *id)
{
	struct change change = {.type = CHANGE_LINK_CREATE, .declaration = network_find(network, id)};
	assert_non_null(change.declaration);
	(void)snprintf(change.name, sizeof(change.name), "%s", id);
	return change;
}

static const char *option_is(const struct link_options *options, enum link_option_kind kind, const char *key, char text[static 32])
{
	size_t n;
	int at = link_option_find(kind, key);
	assert_true(at >= 0);
	return link_options_have(options, (size_t)at)
		       ? link_option_format(&link_options_of(kind, &n)[at], options->value[at], text)
		       : "none";
}

static void a_bond_is_made_with_all_its_options(void **state)
{
	CLEANUP(network_freep) struct network *network =
		wants("version: 2\nbonds:\n  bond0: {parameters: {mode: active-backup, arp-interval: 300, "
		      "arp-ip-targets: [10.0.0.1, 10.0.0.9], arp-validate: all, gratuitous-arp: 3, lacp-rate: fast}}\n");
	struct change change = made(network, "bond0");
	CLEANUP(kernel_freep) struct kernel *kernel = sent(&change, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	const struct kernel_link *bond = &kernel->links[0];
	char text[32];
	assert_string_equal(bond->name, "bond0");
	assert_string_equal(bond->kind, "bond");
	assert_string_equal(option_is(&bond->options, LINK_OPTION_BOND, "mode", text), "active-backup");
	assert_string_equal(option_is(&bond->options, LINK_OPTION_BOND, "arp-interval", text), "300");
	assert_string_equal(option_is(&bond->options, LINK_OPTION_BOND, "arp-validate", text), "all");
	assert_string_equal(option_is(&bond->options, LINK_OPTION_BOND, "gratuitous-arp", text), "3");
	assert_string_equal(option_is(&bond->options, LINK_OPTION_BOND, "lacp-rate", text), "none"); // no meaning in this mode
	assert_int_equal(bond->n_arp_targets, 2);
	assert_int_equal(ip_compare(&bond->arp_targets[1], &change.declaration->arp_targets[1]), 0);
}

static void a_link_is_made_with_the_mac_that_it_is_given(void **state)
{
	static const uint8_t mac[6] = {0x02, 0, 0, 0, 0, 0x99};
	CLEANUP(network_freep) struct network *network =
		wants("version: 2\ndummy-devices: {d0: {macaddress: \"02:00:00:00:00:99\"}, d1: {}}\n");
	struct change given = made(network, "d0"), other = made(network, "d1");
	CLEANUP(kernel_freep) struct kernel *one = sent(&given, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	CLEANUP(kernel_freep) struct kernel *two = sent(&other, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	assert_true(one->links[0].has_mac);
	assert_memory_equal(one->links[0].mac, mac, sizeof(mac));
	assert_false(two->links[0].has_mac);
}

static void a_vlan_a_vrf_and_a_dummy_are_made(void **state)
{
	CLEANUP(network_freep) struct network *network =
		wants("version: 2\nethernets: {eth0: {}}\nvlans: {v7: {id: 7, link: eth0}}\nvrfs: {blue: {table: 100000}}\n"
		      "dummy-devices: {d0: {}}\n");
	struct change vlan = made(network, "v7"), vrf = made(network, "blue"), dummy = made(network, "d0");
	vlan.parent.index = 3;
	CLEANUP(kernel_freep) struct kernel *one = sent(&vlan, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	CLEANUP(kernel_freep) struct kernel *two = sent(&vrf, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	CLEANUP(kernel_freep) struct kernel *three = sent(&dummy, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	assert_int_equal(one->links[0].vlan_id, 7);
	assert_int_equal(one->links[0].parent_index, 3);
	assert_string_equal(two->links[0].kind, "vrf");
	assert_int_equal(two->links[0].vrf_table, 100000);
	assert_string_equal(three->links[0].kind, "dummy");
}

static void options_go_to_the_link_or_to_the_port(void **state)
{
	struct change change = {.type = CHANGE_LINK_OPTIONS, .link_index = 5,
		.options = {.kind = LINK_OPTION_BOND, .has_primary = true, .primary_index = 9}};
	char text[32];
	link_options_set(&change.options.values, (size_t)link_option_find(LINK_OPTION_BOND, "min-links"), 2);
	CLEANUP(kernel_freep) struct kernel *bond = sent(&change, RTM_NEWLINK, 0);
	assert_int_equal(bond->links[0].index, 5);
	assert_int_equal(bond->links[0].primary_index, 9);
	assert_string_equal(option_is(&bond->links[0].options, LINK_OPTION_BOND, "min-links", text), "2");
	change = (struct change){.type = CHANGE_LINK_OPTIONS, .link_index = 5, .options = {.kind = LINK_OPTION_BRIDGE_PORT}};
	link_options_set(&change.options.values, (size_t)link_option_find(LINK_OPTION_BRIDGE_PORT, "path-cost"), 70000);
	link_options_set(&change.options.values, (size_t)link_option_find(LINK_OPTION_BRIDGE_PORT, "port-priority"), 63);
	CLEANUP(kernel_freep) struct kernel *port = sent(&change, RTM_NEWLINK, 0);
	assert_string_equal(port->links[0].kind, "");
	assert_string_equal(port->links[0].port_kind, "bridge");
	assert_string_equal(option_is(&port->links[0].port_options, LINK_OPTION_BRIDGE_PORT, "path-cost", text), "70000");
	assert_string_equal(option_is(&port->links[0].port_options, LINK_OPTION_BRIDGE_PORT, "port-priority", text), "63");
}

static unsigned state_asked(struct nl_msg *message_take, unsigned *ret_mask)
{
	CLEANUP(nl_msgp) struct nl_msg *message = message_take;
	const struct ifinfomsg *header = nlmsg_data(nlmsg_hdr(message));
	*ret_mask = header->ifi_change;
	return header->ifi_flags;
}

static void a_link_is_set_to_what_is_said_and_no_more(void **state)
{
	struct change change = {.type = CHANGE_LINK_SET, .link_index = 5,
		.set = {.mtu = 9000, .up = true, .has_mac = true, .mac = {2, 0, 0, 0, 0, 9}}};
	unsigned mask;
	CLEANUP(kernel_freep) struct kernel *all = sent(&change, RTM_NEWLINK, 0);
	assert_int_equal(all->links[0].mtu, 9000);
	assert_true(all->links[0].has_mac);
	assert_memory_equal(all->links[0].mac, change.set.mac, 6);
	assert_int_equal(state_asked(change_message(&change), &mask), IFF_UP);
	assert_int_equal(mask, IFF_UP);
	change = (struct change){.type = CHANGE_LINK_SET, .link_index = 5, .set = {.mtu = 1400}};
	CLEANUP(kernel_freep) struct kernel *mtu = sent(&change, RTM_NEWLINK, 0);
	assert_false(mtu->links[0].has_mac);
	assert_int_equal(state_asked(change_message(&change), &mask), 0);
	assert_int_equal(mask, 0); // up or down, it stays
	change.set.down = true;
	assert_int_equal(state_asked(change_message(&change), &mask), 0);
	assert_int_equal(mask, IFF_UP);
	assert_int_equal(state_asked(change_message_updown(&change, true), &mask), IFF_UP);
	assert_int_equal(mask, IFF_UP);
}

static void a_port_a_name_and_the_mark_of_ours(void **state)
{
	struct change master = {.type = CHANGE_LINK_MASTER, .link_index = 5, .master = {.name = "br0", .index = 9}};
	struct change rename = {.type = CHANGE_LINK_RENAME, .name = "lan0", .link_index = 5};
	CLEANUP(kernel_freep) struct kernel *joins = sent(&master, RTM_NEWLINK, 0);
	CLEANUP(kernel_freep) struct kernel *renamed = sent(&rename, RTM_NEWLINK, 0);
	assert_int_equal(joins->links[0].master_index, 9);
	assert_int_equal(renamed->links[0].index, 5);
	assert_string_equal(renamed->links[0].name, "lan0");
	master = (struct change){.type = CHANGE_LINK_MASTER, .link_index = 5};
	CLEANUP(nl_msgp) struct nl_msg *leaves = change_message(&master), *alias = change_message_alias(&rename);
	assert_int_equal(nla_get_u32(attribute_of(leaves, sizeof(struct ifinfomsg), IFLA_MASTER)), 0); // said, not left out
	assert_string_equal(nla_get_string(attribute_of(alias, sizeof(struct ifinfomsg), IFLA_IFALIAS)), HEARTH_ALIAS);
	assert_int_equal(((struct ifinfomsg *)nlmsg_data(nlmsg_hdr(alias)))->ifi_index, 0); // by its name
}

static const char *other_name_in(struct nl_msg *message, uint16_t type)
{
	struct nlattr *list = attribute_of(message, sizeof(struct ifinfomsg), IFLA_PROP_LIST);
	assert_int_equal(nlmsg_hdr(message)->nlmsg_type, type);
	assert_int_equal(((struct ifinfomsg *)nlmsg_data(nlmsg_hdr(message)))->ifi_index, 5);
	assert_non_null(list);
	return nla_get_string(nla_find(nla_data(list), nla_len(list), IFLA_ALT_IFNAME));
}

static void another_name_goes_and_comes(void **state)
{
	struct change rename = {.type = CHANGE_LINK_RENAME, .name = "lan0", .link_index = 5};
	CLEANUP(nl_msgp) struct nl_msg *goes = change_message_drop_other_name(&rename), *comes = change_message_other_name(5, "lan0");
	assert_string_equal(other_name_in(goes, RTM_DELLINKPROP), "lan0");
	assert_string_equal(other_name_in(comes, RTM_NEWLINKPROP), "lan0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_ours_and_has_its_broadcast),
		cmocka_unit_test(a_tunnel_has_no_broadcast),
		cmocka_unit_test(an_address_that_goes_is_named_whole),
		cmocka_unit_test(every_part_of_a_route_is_sent),
		cmocka_unit_test(a_route_that_goes_is_ours_alone),
		cmocka_unit_test(a_route_comes_behind_others_when_it_was_there),
		cmocka_unit_test(every_part_of_a_rule_is_sent),
		cmocka_unit_test(what_comes_back_is_whose_it_was),
		cmocka_unit_test(a_bond_is_made_with_all_its_options),
		cmocka_unit_test(a_link_is_made_with_the_mac_that_it_is_given),
		cmocka_unit_test(a_vlan_a_vrf_and_a_dummy_are_made),
		cmocka_unit_test(options_go_to_the_link_or_to_the_port),
		cmocka_unit_test(a_link_is_set_to_what_is_said_and_no_more),
		cmocka_unit_test(a_port_a_name_and_the_mark_of_ours),
		cmocka_unit_test(another_name_goes_and_comes),
	};
	return cmocka_run_group_tests_name("change-message", tests, NULL, NULL);
}
