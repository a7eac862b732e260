// The kernel's messages, built by libnl as the kernel builds them, become links, addresses, routes and rules.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <sched.h>

// --- messages ---

static struct nl_msg *link_message(int index, const char *name)
{
	struct ifinfomsg header = {.ifi_index = index, .ifi_type = ARPHRD_ETHER, .ifi_flags = IFF_UP};
	struct nl_msg *message = netlink_message(RTM_NEWLINK, 0, &header, sizeof(header));
	assert_non_null(message);
	assert_int_equal(nla_put_string(message, IFLA_IFNAME, name), 0);
	assert_int_equal(nla_put_u32(message, IFLA_MTU, 1500), 0);
	return message;
}

static struct nlattr *begin(struct nl_msg *message, int type)
{
	struct nlattr *nest = nla_nest_start(message, type);
	assert_non_null(nest);
	return nest;
}

static void put_u32(struct nl_msg *message, int type, uint32_t value)
{
	assert_int_equal(nla_put_u32(message, type, value), 0);
}

static void put_u16(struct nl_msg *message, int type, uint16_t value)
{
	assert_int_equal(nla_put_u16(message, type, value), 0);
}

static void put_u8(struct nl_msg *message, int type, uint8_t value)
{
	assert_int_equal(nla_put_u8(message, type, value), 0);
}

static void put_ip(struct nl_msg *message, int type, const char *text)
{
	struct ip ip;
	assert_int_equal(ip_parse(text, &ip), 0);
	assert_int_equal(nla_put(message, type, (int)ip_n_bytes(ip.family), ip.bytes), 0);
}

// The kind with what put() adds to its settings.
static struct nl_msg *link_of_kind(int index, const char *name, const char *kind, void (*put)(struct nl_msg *message))
{
	struct nl_msg *message = link_message(index, name);
	struct nlattr *info = begin(message, IFLA_LINKINFO);
	assert_int_equal(nla_put_string(message, IFLA_INFO_KIND, kind), 0);
	struct nlattr *settings = begin(message, IFLA_INFO_DATA);
	put(message);
	nla_nest_end(message, settings);
	nla_nest_end(message, info);
	return message;
}

static void put_bond(struct nl_msg *message)
{
	put_u8(message, IFLA_BOND_MODE, 1);
	put_u32(message, IFLA_BOND_MIIMON, 0);
	put_u32(message, IFLA_BOND_ARP_INTERVAL, 250);
	put_u32(message, IFLA_BOND_PRIMARY, 3);
	struct nlattr *targets = begin(message, IFLA_BOND_ARP_IP_TARGET);
	put_ip(message, 0, "10.0.0.1");
	put_ip(message, 3, "10.0.0.2");
	nla_nest_end(message, targets);
}

static void put_many_targets(struct nl_msg *message)
{
	struct nlattr *targets = begin(message, IFLA_BOND_ARP_IP_TARGET);
	for (int i = 0; i < BOND_MAX_ARP_TARGETS + 4; i++)
		put_ip(message, i, "10.0.0.1");
	nla_nest_end(message, targets);
}

static void put_bridge(struct nl_msg *message)
{
	put_u32(message, IFLA_BR_FORWARD_DELAY, 400);
	put_u32(message, IFLA_BR_STP_STATE, 1);
	put_u16(message, IFLA_BR_PRIORITY, 4096);
}

static void put_vlan(struct nl_msg *message)
{
	put_u16(message, IFLA_VLAN_ID, 1234);
	put_u16(message, IFLA_VLAN_PROTOCOL, htons(ETH_P_8021Q));
}

static void put_provider_vlan(struct nl_msg *message)
{
	put_u16(message, IFLA_VLAN_ID, 7);
	put_u16(message, IFLA_VLAN_PROTOCOL, htons(ETH_P_8021AD));
}

static void put_vrf(struct nl_msg *message)
{
	put_u32(message, IFLA_VRF_TABLE, 1001);
}

static struct nl_msg *bridge_port(void)
{
	struct nl_msg *message = link_message(4, "eth1");
	put_u32(message, IFLA_MASTER, 9);
	struct nlattr *info = begin(message, IFLA_LINKINFO);
	assert_int_equal(nla_put_string(message, IFLA_INFO_SLAVE_KIND, "bridge"), 0);
	struct nlattr *settings = begin(message, IFLA_INFO_SLAVE_DATA);
	put_u16(message, IFLA_BRPORT_PRIORITY, 20);
	put_u32(message, IFLA_BRPORT_COST, 77);
	nla_nest_end(message, settings);
	nla_nest_end(message, info);
	return message;
}

static struct nl_msg *rule_message(sa_family_t family, uint32_t table)
{
	struct fib_rule_hdr header = {.family = (uint8_t)family, .action = FR_ACT_TO_TBL};
	struct nl_msg *message = netlink_message(RTM_NEWRULE, 0, &header, sizeof(header));
	assert_non_null(message);
	put_u32(message, FRA_TABLE, table);
	put_u32(message, FRA_SUPPRESS_PREFIXLEN, UINT32_MAX); // the kernel says so always
	put_u8(message, FRA_PROTOCOL, RTPROT_STATIC);
	put_u32(message, FRA_PRIORITY, 100);
	return message;
}

static struct fib_rule_hdr *rule_header(struct nl_msg *message)
{
	return nlmsg_data(nlmsg_hdr(message));
}

static struct nl_msg *rule_from(sa_family_t family, const char *from, uint8_t prefix)
{
	struct nl_msg *message = rule_message(family, 100);
	rule_header(message)->src_len = prefix;
	put_ip(message, FRA_SRC, from);
	return message;
}

static struct nl_msg *route_message(void)
{
	struct rtmsg header = {.rtm_family = AF_INET, .rtm_dst_len = 16, .rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC, .rtm_type = RTN_UNICAST};
	struct nl_msg *message = netlink_message(RTM_NEWROUTE, 0, &header, sizeof(header));
	assert_non_null(message);
	put_ip(message, RTA_DST, "10.8.0.0");
	put_ip(message, RTA_GATEWAY, "10.0.0.1");
	put_u32(message, RTA_OIF, 2);
	struct nlattr *metrics = begin(message, RTA_METRICS);
	put_u32(message, RTAX_MTU, 1400);
	put_u32(message, RTAX_INITCWND, 20);
	put_u32(message, RTAX_INITRWND, 30);
	put_u32(message, RTAX_LOCK, 0);
	nla_nest_end(message, metrics);
	return message;
}

static struct nl_msg *address_message(const char *local, const char *far_end)
{
	struct ifaddrmsg header = {.ifa_family = AF_INET, .ifa_prefixlen = 30, .ifa_index = 2};
	struct nl_msg *message = netlink_message(RTM_NEWADDR, 0, &header, sizeof(header));
	assert_non_null(message);
	put_ip(message, IFA_LOCAL, local);
	put_ip(message, IFA_ADDRESS, far_end);
	put_u32(message, IFA_FLAGS, IFA_F_PERMANENT);
	put_u8(message, IFA_PROTO, HEARTH_PROTOCOL);
	return message;
}

// --- decoding ---

static void take(struct kernel *kernel, struct nl_msg *message_take)
{
	CLEANUP(nl_msgp) struct nl_msg *message = message_take;
	assert_int_equal(kernel_decode(kernel, nlmsg_hdr(message)), 0);
}

static struct kernel *kernel_of(struct nl_msg *message_take)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	assert_non_null(kernel);
	take(kernel, message_take);
	return kernel;
}

static void option_is(enum link_option_kind kind, const struct link_options *options, const char *key, uint32_t value)
{
	int at = link_option_find(kind, key);
	assert_true(at >= 0);
	assert_true(link_options_have(options, (size_t)at));
	assert_int_equal(options->value[at], value);
}

static void a_bond_has_mode_times_primary_and_targets(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(link_of_kind(5, "bond0", "bond", put_bond));
	const struct kernel_link *bond = kernel_link_by_name(kernel, "bond0");
	char text[ADDRESS_TEXT];
	assert_string_equal(bond->kind, "bond");
	option_is(LINK_OPTION_BOND, &bond->options, "mode", 1);
	option_is(LINK_OPTION_BOND, &bond->options, "mii-monitor-interval", 0);
	option_is(LINK_OPTION_BOND, &bond->options, "arp-interval", 250);
	assert_false(link_options_have(&bond->options, (size_t)link_option_find(LINK_OPTION_BOND, "up-delay")));
	assert_int_equal(bond->primary_index, 3);
	assert_int_equal(bond->n_arp_targets, 2);
	assert_string_equal(ip_format(&bond->arp_targets[1], text), "10.0.0.2");
}

static void targets_over_the_limit_are_dropped(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(link_of_kind(5, "bond0", "bond", put_many_targets));
	assert_int_equal(kernel->links[0].n_arp_targets, BOND_MAX_ARP_TARGETS);
}

static void put_bridge_below(struct nl_msg *message, uint8_t last_of_root)
{
	struct ifla_bridge_id own = {{0x10, 0}, {0x52, 0x54, 0, 0, 0, 9}}, root = own;
	root.addr[5] = last_of_root;
	put_bridge(message);
	assert_int_equal(nla_put(message, IFLA_BR_ROOT_ID, sizeof(root), &root), 0);
	assert_int_equal(nla_put(message, IFLA_BR_BRIDGE_ID, sizeof(own), &own), 0);
}

static void put_root(struct nl_msg *message)
{
	put_bridge_below(message, 9);
}

static void put_bridge_below_another(struct nl_msg *message)
{
	put_bridge_below(message, 8);
}

static void the_timers_of_a_bridge_are_its_own_when_it_is_the_root(void **state)
{
	CLEANUP(kernel_freep) struct kernel *root = kernel_of(link_of_kind(9, "br0", "bridge", put_root));
	CLEANUP(kernel_freep) struct kernel *other = kernel_of(link_of_kind(9, "br0", "bridge", put_bridge_below_another));
	size_t delay = (size_t)link_option_find(LINK_OPTION_BRIDGE, "forward-delay");
	assert_false(root->links[0].has_root);
	option_is(LINK_OPTION_BRIDGE, &root->links[0].options, "forward-delay", 400);
	assert_true(other->links[0].has_root);
	assert_false(link_options_have(&other->links[0].options, delay));
	option_is(LINK_OPTION_BRIDGE, &other->links[0].options, "priority", 4096);
}

static void a_bridge_and_its_port_have_their_options(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(link_of_kind(9, "br0", "bridge", put_bridge));
	take(kernel, bridge_port());
	kernel_sort(kernel);
	const struct kernel_link *bridge = kernel_link_by_name(kernel, "br0");
	const struct kernel_link *port = kernel_link_by_name(kernel, "eth1");
	option_is(LINK_OPTION_BRIDGE, &bridge->options, "forward-delay", 400);
	option_is(LINK_OPTION_BRIDGE, &bridge->options, "stp", 1);
	option_is(LINK_OPTION_BRIDGE, &bridge->options, "priority", 4096);
	assert_int_equal(port->master_index, 9);
	assert_string_equal(port->port_kind, "bridge");
	assert_string_equal(port->kind, "");
	option_is(LINK_OPTION_BRIDGE_PORT, &port->port_options, "path-cost", 77);
	option_is(LINK_OPTION_BRIDGE_PORT, &port->port_options, "port-priority", 20);
}

static void a_port_may_say_its_options_outside_its_kind(void **state)
{
	struct nl_msg *message = link_message(4, "eth1");
	struct nlattr *info = begin(message, IFLA_LINKINFO);
	assert_int_equal(nla_put_string(message, IFLA_INFO_SLAVE_KIND, "bridge"), 0);
	nla_nest_end(message, info);
	struct nlattr *settings = begin(message, IFLA_PROTINFO);
	put_u32(message, IFLA_BRPORT_COST, 5);
	nla_nest_end(message, settings);
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(message);
	option_is(LINK_OPTION_BRIDGE_PORT, &kernel->links[0].port_options, "path-cost", 5);
}

static void a_bridges_own_view_of_a_port_is_no_link(void **state)
{
	struct nl_msg *message = link_message(4, "eth1");
	((struct ifinfomsg *)nlmsg_data(nlmsg_hdr(message)))->ifi_family = AF_BRIDGE;
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(message);
	assert_int_equal(kernel->n_links, 0);
}

static void a_vlan_has_id_protocol_and_parent(void **state)
{
	struct nl_msg *message = link_of_kind(7, "eth0.1234", "vlan", put_vlan);
	put_u32(message, IFLA_LINK, 2);
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(message);
	take(kernel, link_of_kind(8, "q", "vlan", put_provider_vlan));
	assert_int_equal(kernel->links[0].vlan_id, 1234);
	assert_false(kernel->links[0].vlan_is_8021ad);
	assert_int_equal(kernel->links[0].parent_index, 2);
	assert_int_equal(kernel->links[1].vlan_id, 7);
	assert_true(kernel->links[1].vlan_is_8021ad);
	assert_int_equal(kernel->links[1].parent_index, 0);
}

static void a_parent_in_another_namespace_is_none_of_ours(void **state)
{
	struct nl_msg *message = link_message(7, "eth0");
	put_u32(message, IFLA_LINK, 2);
	assert_int_equal(nla_put_s32(message, IFLA_LINK_NETNSID, 0), 0);
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(message);
	assert_int_equal(kernel->links[0].parent_index, 0);
}

static void every_other_name_of_a_link_is_kept(void **state)
{
	struct nl_msg *message = link_message(7, "eth0");
	struct nlattr *names = begin(message, IFLA_PROP_LIST);
	assert_int_equal(nla_put_string(message, IFLA_ALT_IFNAME, "enp1s0f0"), 0);
	put_u32(message, IFLA_ALT_IFNAME + 1, 7); // what a newer kernel may have there
	assert_int_equal(nla_put(message, IFLA_ALT_IFNAME, 3, "enx"), 0); // without its NUL
	nla_nest_end(message, names);
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(message), *other = kernel_of(link_message(7, "eth0"));
	assert_memory_equal(kernel->links[0].other_names, "enp1s0f0\0enx\0", 14);
	assert_null(other->links[0].other_names);
}

static void a_link_takes_router_advertisements_as_accept_ra_says(void **state)
{
	static const struct {
		int32_t value;
		size_t n_values; // how many the kernel tells
		bool has_ra, takes_ra, takes_ra_forwarding;
	} cases[] = {{1, 60, true, true, false}, {2, 60, true, true, true}, {0, 60, true, false, false}, {10, 60, true, true, false},
		{-1, 60, true, true, false}, {1, DEVCONF_ACCEPT_RA, false, false, false},
		{1, DEVCONF_ACCEPT_RA + 1, true, true, false}, {1, 0, false, false, false}};
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		int32_t values[60] = {0};
		values[DEVCONF_ACCEPT_RA] = cases[i].value;
		struct nl_msg *message = link_message(7, "eth0");
		struct nlattr *families = begin(message, IFLA_AF_SPEC), *family = begin(message, AF_INET6);
		if (cases[i].n_values)
			assert_int_equal(nla_put(message, IFLA_INET6_CONF, (int)(cases[i].n_values * sizeof(*values)), values), 0);
		nla_nest_end(message, family);
		nla_nest_end(message, families);
		CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(message);
		assert_int_equal(kernel->links[0].has_ra, cases[i].has_ra);
		assert_int_equal(kernel->links[0].takes_ra, cases[i].takes_ra);
		assert_int_equal(kernel->links[0].takes_ra_forwarding, cases[i].takes_ra_forwarding);
	}
}

static void a_link_that_had_a_carrier_asks_for_addresses(void **state)
{
	static const struct {
		uint32_t flags;
		bool is_told, asks;
	} cases[] = {{0x80000000, true, true}, {0x80000030, true, true}, {0x30, true, false}, {0, false, false}};
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct nl_msg *message = link_message(7, "eth0");
		struct nlattr *families = begin(message, IFLA_AF_SPEC), *family = begin(message, AF_INET6);
		if (cases[i].is_told)
			put_u32(message, IFLA_INET6_FLAGS, cases[i].flags);
		nla_nest_end(message, family);
		nla_nest_end(message, families);
		CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(message);
		assert_int_equal(kernel->links[0].asks_for_addresses, cases[i].asks);
	}
}

static void a_link_does_not_stand_on_itself(void **state)
{
	struct nl_msg *message = link_message(7, "tun0");
	put_u32(message, IFLA_LINK, 7);
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(message);
	assert_int_equal(kernel->links[0].parent_index, 0);
}

static void a_vrf_has_its_table(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(link_of_kind(6, "blue", "vrf", put_vrf));
	assert_int_equal(kernel->links[0].vrf_table, 1001);
}

static void options_of_another_width_are_not_read(void **state)
{
	struct nl_msg *message = link_message(9, "br0");
	struct nlattr *info = begin(message, IFLA_LINKINFO);
	assert_int_equal(nla_put_string(message, IFLA_INFO_KIND, "bridge"), 0);
	struct nlattr *settings = begin(message, IFLA_INFO_DATA);
	put_u8(message, IFLA_BR_FORWARD_DELAY, 4);
	nla_nest_end(message, settings);
	nla_nest_end(message, info);
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(message);
	assert_int_equal(kernel->links[0].options.has, 0);
}

static void a_route_has_its_metrics(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(route_message());
	const struct kernel_route *route = &kernel->routes[0];
	assert_int_equal(route->route.mtu, 1400);
	assert_int_equal(route->route.cwnd, 20);
	assert_int_equal(route->route.rwnd, 30);
	assert_false(route->has_other_metrics);
	assert_false(route->has_other_shape);
}

static void a_metric_that_is_nobodys_is_marked(void **state)
{
	struct nl_msg *message = route_message();
	struct nlattr *metrics = begin(message, RTA_METRICS); // the last one counts
	put_u32(message, RTAX_ADVMSS, 1300);
	nla_nest_end(message, metrics);
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(message);
	assert_true(kernel->routes[0].has_other_metrics);
	message = route_message();
	metrics = begin(message, RTA_METRICS);
	assert_int_equal(nla_put_string(message, RTAX_CC_ALGO, "bbr"), 0);
	nla_nest_end(message, metrics);
	take(kernel, message);
	assert_true(kernel->routes[1].has_other_metrics);
}

static void local_routes_are_read_unless_the_kernel_made_them(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(route_message());
	for (int i = 0; i < 4; i++) {
		struct nl_msg *message = route_message();
		struct rtmsg *header = nlmsg_data(nlmsg_hdr(message));
		header->rtm_protocol = i & 1 ? RTPROT_KERNEL : HEARTH_PROTOCOL;
		header->rtm_type = i & 2 ? RTN_MULTICAST : RTN_LOCAL;
		header->rtm_table = i & 2 ? RT_TABLE_MAIN : RT_TABLE_LOCAL;
		take(kernel, message);
	}
	assert_int_equal(kernel->n_routes, 3);
	assert_int_equal(kernel->routes[1].route.type, RTN_LOCAL);
	assert_int_equal(kernel->routes[2].route.type, RTN_MULTICAST);
	assert_int_equal(kernel->routes[2].protocol, HEARTH_PROTOCOL);
}

static void an_address_with_a_far_end_is_marked(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(address_message("10.0.0.1", "10.0.0.1"));
	take(kernel, address_message("10.0.0.1", "10.0.0.2"));
	assert_false(kernel->addresses[0].has_peer);
	assert_int_equal(kernel->addresses[0].protocol, HEARTH_PROTOCOL);
	assert_true(kernel->addresses[1].has_peer);
}

static void an_address_with_a_label_or_another_broadcast_is_marked(void **state)
{
	static const struct {
		const char *label, *broadcast;
		bool has_more;
	} rows[] = {{"eth0", "10.0.0.3", false}, {"eth0:web", "10.0.0.3", true}, {"eth0", "10.0.0.255", true}, {NULL, NULL, false}};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct nl_msg *message = address_message("10.0.0.1", "10.0.0.1");
		if (rows[i].label)
			assert_int_equal(nla_put_string(message, IFA_LABEL, rows[i].label), 0);
		if (rows[i].broadcast)
			put_ip(message, IFA_BROADCAST, rows[i].broadcast);
		CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(message);
		assert_int_equal(kernel->addresses[0].has_more, rows[i].has_more);
	}
}

static void a_rule_is_read_whole(void **state)
{
	char text[ADDRESS_TEXT];
	struct nl_msg *message = rule_from(AF_INET, "10.1.2.3", 16); // the kernel masks; so do we
	rule_header(message)->dst_len = 8;
	rule_header(message)->tos = 0x10;
	put_ip(message, FRA_DST, "172.0.0.0");
	put_u32(message, FRA_FWMARK, 7);
	put_u32(message, FRA_FWMASK, UINT32_MAX);
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(message);
	const struct rule *rule = &kernel->rules[0].rule;
	assert_int_equal(rule->family, AF_INET);
	assert_string_equal(address_format(&rule->from, text), "10.1.0.0/16");
	assert_string_equal(address_format(&rule->to, text), "172.0.0.0/8");
	assert_int_equal(rule->table, 100);
	assert_int_equal(rule->priority, 100);
	assert_true(rule->has_priority);
	assert_int_equal(rule->mark, 7);
	assert_int_equal(rule->tos, 0x10);
	assert_int_equal(kernel->rules[0].protocol, RTPROT_STATIC);
	assert_false(kernel->rules[0].has_other_shape);
}

static void a_rule_for_all_has_neither_source_nor_destination(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(rule_message(AF_INET6, 254));
	take(kernel, rule_from(AF_INET6, "fd00::", 8));
	take(kernel, rule_message(129, 254)); // RTNL_FAMILY_IP6MR
	assert_int_equal(kernel->n_rules, 2);
	assert_int_equal(kernel->rules[0].rule.from.ip.family, 0);
	assert_int_equal(kernel->rules[0].rule.to.ip.family, 0);
	assert_int_equal(kernel->rules[1].rule.from.ip.family, AF_INET6);
	assert_false(kernel->rules[1].has_other_shape);
}

static void put_interface(struct nl_msg *message)
{
	assert_int_equal(nla_put_string(message, FRA_IIFNAME, "eth0"), 0);
}
static void put_goto(struct nl_msg *message)
{
	rule_header(message)->action = FR_ACT_GOTO;
}
static void put_invert(struct nl_msg *message)
{
	rule_header(message)->flags |= FIB_RULE_INVERT;
}
static void put_mask(struct nl_msg *message)
{
	put_u32(message, FRA_FWMARK, 7);
	put_u32(message, FRA_FWMASK, 0xff);
}
static void put_l3mdev(struct nl_msg *message)
{
	put_u8(message, FRA_L3MDEV, 1);
}
static void put_suppress(struct nl_msg *message)
{
	put_u32(message, FRA_SUPPRESS_IFGROUP, 1);
}
static void put_ports(struct nl_msg *message)
{
	struct fib_rule_port_range range = {80, 80};
	assert_int_equal(nla_put(message, FRA_DPORT_RANGE, sizeof(range), &range), 0);
}
static void put_from_a_newer_kernel(struct nl_msg *message)
{
	put_u32(message, FRA_MAX + 9, 1);
}

static void rules_of_another_shape_are_marked(void **state)
{
	static void (*const shapes[])(struct nl_msg *) = {put_interface, put_goto, put_invert, put_mask, put_l3mdev,
		put_suppress, put_ports, put_from_a_newer_kernel};
	for (size_t i = 0; i < N_ELEMENTS(shapes); i++) {
		struct nl_msg *message = rule_from(AF_INET, "10.0.0.0", 8);
		shapes[i](message);
		CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(message);
		if (!kernel->rules[0].has_other_shape)
			fail_msg("shape %zu is not marked", i);
	}
}

static void rules_come_in_the_kernels_order(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_of(rule_from(AF_INET6, "fd00::", 8));
	take(kernel, rule_from(AF_INET, "10.0.0.0", 8));
	struct nl_msg *early = rule_message(AF_INET, 254);
	*(uint32_t *)nla_data(nlmsg_find_attr(nlmsg_hdr(early), sizeof(struct fib_rule_hdr), FRA_PRIORITY)) = 5;
	take(kernel, early);
	kernel_sort(kernel);
	assert_int_equal(kernel->rules[0].rule.priority, 5);
	assert_int_equal(kernel->rules[1].rule.family, AF_INET);
	assert_int_equal(kernel->rules[2].rule.family, AF_INET6);
}

// --- bad bytes ---

static struct nl_msg *bond_again(void)
{
	return link_of_kind(5, "bond0", "bond", put_bond);
}
static struct nl_msg *bridge_again(void)
{
	return link_of_kind(9, "br0", "bridge", put_bridge);
}
static struct nl_msg *vlan_again(void)
{
	return link_of_kind(7, "v", "vlan", put_vlan);
}
static struct nl_msg *rule_again(void)
{
	return rule_from(AF_INET, "10.0.0.0", 8);
}
static struct nl_msg *address_again(void)
{
	return address_message("10.0.0.1", "10.0.0.2");
}

static struct nl_msg *(*const whole_messages[])(void) = {bond_again, bridge_again, vlan_again, bridge_port, rule_again,
	address_again, route_message};

// Decode a copy that is exactly @n bytes long, so that a sanitizer sees one byte too far.
static int decode_bytes(const void *bytes, size_t n)
{
	CLEANUP(kernel_freep) struct kernel *kernel = calloc(1, sizeof(*kernel));
	AUTO_FREE struct nlmsghdr *exact = malloc(n);
	assert_non_null(exact);
	memcpy(exact, bytes, n);
	exact->nlmsg_len = (uint32_t)n;
	int result = kernel_decode(kernel, exact);
	kernel_sort(kernel);
	return result;
}

static void a_cut_message_is_refused_or_read_as_far_as_it_goes(void **state)
{
	for (size_t i = 0; i < N_ELEMENTS(whole_messages); i++) {
		CLEANUP(nl_msgp) struct nl_msg *message = whole_messages[i]();
		const struct nlmsghdr *header = nlmsg_hdr(message);
		assert_int_equal(decode_bytes(header, header->nlmsg_len), 0);
		assert_int_equal(decode_bytes(header, NLMSG_HDRLEN), -EBADMSG);
		assert_int_equal(decode_bytes(header, NLMSG_HDRLEN + 4), -EBADMSG);
		for (size_t n = NLMSG_HDRLEN; n < header->nlmsg_len; n++) {
			int result = decode_bytes(header, n);
			assert_true(result == 0 || result == -EBADMSG);
		}
	}
}

static void a_wrong_byte_anywhere_does_no_harm(void **state)
{
	static const uint8_t wrong[] = {0, 1, 3, 5, 0x7f, 0xff};
	for (size_t i = 0; i < N_ELEMENTS(whole_messages); i++) {
		CLEANUP(nl_msgp) struct nl_msg *message = whole_messages[i]();
		uint8_t *bytes = (uint8_t *)nlmsg_hdr(message);
		size_t n = nlmsg_hdr(message)->nlmsg_len;
		for (size_t at = NLMSG_HDRLEN; at < n; at++) {
			uint8_t right = bytes[at];
			for (size_t j = 0; j < N_ELEMENTS(wrong); j++) {
				bytes[at] = wrong[j];
				int result = decode_bytes(bytes, n);
				assert_true(result == 0 || result == -EBADMSG);
			}
			bytes[at] = right;
		}
	}
}

static void a_prefix_that_is_too_long_is_refused(void **state)
{
	CLEANUP(nl_msgp) struct nl_msg *rule = rule_from(AF_INET, "10.0.0.0", 33);
	CLEANUP(nl_msgp) struct nl_msg *without = rule_message(AF_INET, 100);
	assert_int_equal(decode_bytes(nlmsg_hdr(rule), nlmsg_hdr(rule)->nlmsg_len), -EBADMSG);
	rule_header(without)->src_len = 8; // and no source
	assert_int_equal(decode_bytes(nlmsg_hdr(without), nlmsg_hdr(without)->nlmsg_len), -EBADMSG);
}

// --- a real kernel: needs the right to make a network namespace, else skipped ---

static void a_real_kernel_is_read(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = NULL;
	struct diag diag = {0};
	if (unshare(CLONE_NEWNET) < 0 || system("ip link set lo up && ip link add br0 type bridge stp_state 1 priority "
						"4096 forward_delay 500") != 0)
		skip();
	assert_int_equal(system("ip rule add from 10.0.0.0/8 fwmark 3 table 1000 priority 50 protocol 72 &&"
				"ip rule add iif lo table 5 priority 60 &&"
				"ip route add 10.8.0.0/16 dev lo mtu 1400 initcwnd 20 protocol 72"), 0);
	if (kernel_read(KERNEL_LINKS | KERNEL_ADDRESSES | KERNEL_ROUTES | KERNEL_RULES, &kernel, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	const struct kernel_link *bridge = kernel_link_by_name(kernel, "br0");
	option_is(LINK_OPTION_BRIDGE, &bridge->options, "stp", 1);
	option_is(LINK_OPTION_BRIDGE, &bridge->options, "priority", 4096);
	option_is(LINK_OPTION_BRIDGE, &bridge->options, "forward-delay", 500);
	size_t n_ours = 0, n_plain = 0;
	for (size_t i = 0; i < kernel->n_rules; i++) {
		const struct kernel_rule *rule = &kernel->rules[i];
		n_plain += !rule->has_other_shape;
		if (rule->protocol != HEARTH_PROTOCOL)
			continue;
		n_ours++;
		assert_int_equal(rule->rule.mark, 3);
		assert_int_equal(rule->rule.table, 1000);
		assert_int_equal(rule->rule.priority, 50);
		assert_false(rule->has_other_shape);
	}
	assert_int_equal(n_ours, 1);
	assert_int_equal(kernel->n_rules - n_plain, 1); // "iif lo"
	n_ours = 0;
	for (size_t i = 0; i < kernel->n_routes; i++) {
		if (kernel->routes[i].protocol != HEARTH_PROTOCOL)
			continue;
		n_ours++;
		assert_int_equal(kernel->routes[i].route.mtu, 1400);
		assert_int_equal(kernel->routes[i].route.cwnd, 20);
	}
	assert_int_equal(n_ours, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bond_has_mode_times_primary_and_targets),
		cmocka_unit_test(targets_over_the_limit_are_dropped),
		cmocka_unit_test(a_bridge_and_its_port_have_their_options),
		cmocka_unit_test(the_timers_of_a_bridge_are_its_own_when_it_is_the_root),
		cmocka_unit_test(a_port_may_say_its_options_outside_its_kind),
		cmocka_unit_test(a_bridges_own_view_of_a_port_is_no_link),
		cmocka_unit_test(a_vlan_has_id_protocol_and_parent),
		cmocka_unit_test(a_parent_in_another_namespace_is_none_of_ours),
		cmocka_unit_test(every_other_name_of_a_link_is_kept),
		cmocka_unit_test(a_link_takes_router_advertisements_as_accept_ra_says),
		cmocka_unit_test(a_link_that_had_a_carrier_asks_for_addresses),
		cmocka_unit_test(a_link_does_not_stand_on_itself),
		cmocka_unit_test(a_vrf_has_its_table),
		cmocka_unit_test(options_of_another_width_are_not_read),
		cmocka_unit_test(a_route_has_its_metrics),
		cmocka_unit_test(a_metric_that_is_nobodys_is_marked),
		cmocka_unit_test(local_routes_are_read_unless_the_kernel_made_them),
		cmocka_unit_test(an_address_with_a_far_end_is_marked),
		cmocka_unit_test(an_address_with_a_label_or_another_broadcast_is_marked),
		cmocka_unit_test(a_rule_is_read_whole),
		cmocka_unit_test(a_rule_for_all_has_neither_source_nor_destination),
		cmocka_unit_test(rules_of_another_shape_are_marked),
		cmocka_unit_test(rules_come_in_the_kernels_order),
		cmocka_unit_test(a_cut_message_is_refused_or_read_as_far_as_it_goes),
		cmocka_unit_test(a_wrong_byte_anywhere_does_no_harm),
		cmocka_unit_test(a_prefix_that_is_too_long_is_refused),
		cmocka_unit_test(a_real_kernel_is_read),
	};
	return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
