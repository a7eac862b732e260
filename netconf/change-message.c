// Changes as netlink messages.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/change-message.h"

#include "netconf/plan-parts.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

static struct nl_msg *finish(struct nl_msg *message, bool is_whole)
{
	if (message && is_whole)
		return message;
	if (message)
		nlmsg_free(message);
	return NULL;
}

// --- links ---

static struct nl_msg *link_header(uint16_t type, uint16_t flags, int index, unsigned up_or_down, bool changes_state)
{
	struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = up_or_down,
		.ifi_change = changes_state ? IFF_UP : 0};
	return netlink_message(type, flags, &header, sizeof(header));
}

struct nl_msg *change_message_remove(const struct change *change)
{
	return link_header(RTM_DELLINK, 0, change->link_index, 0, false);
}

struct nl_msg *change_message_updown(const struct change *change, bool up)
{
	return link_header(RTM_NEWLINK, 0, change->link_index, up ? IFF_UP : 0, true);
}

struct nl_msg *change_message_alias(const struct change *change)
{
	struct nl_msg *message = link_header(RTM_NEWLINK, 0, 0, 0, false); // by name: its number is not known yet
	return finish(message, message && nla_put_string(message, IFLA_IFNAME, change->name) == 0 &&
				       nla_put_string(message, IFLA_IFALIAS, HEARTH_ALIAS) == 0);
}

struct nl_msg *change_message_mac(const struct change *change)
{
	struct nl_msg *message = link_header(RTM_NEWLINK, 0, change->link_index, 0, false);
	return finish(message, message && nla_put(message, IFLA_ADDRESS, sizeof(change->set.mac), change->set.mac) == 0);
}

static struct nl_msg *other_name_message(uint16_t type, uint16_t flags, int link_index, const char *name)
{
	struct nl_msg *message = link_header(type, flags, link_index, 0, false);
	struct nlattr *list = message ? nla_nest_start(message, IFLA_PROP_LIST) : NULL;
	bool is_whole = list && nla_put_string(message, IFLA_ALT_IFNAME, name) == 0;
	if (is_whole)
		(void)nla_nest_end(message, list);
	return finish(message, is_whole);
}

struct nl_msg *change_message_drop_other_name(const struct change *change)
{
	return other_name_message(RTM_DELLINKPROP, 0, change->link_index, change->name);
}

struct nl_msg *change_message_other_name(int link_index, const char *name)
{
	return other_name_message(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_APPEND, link_index, name);
}

static struct nl_msg *rename_message(const struct change *change)
{
	struct nl_msg *message = link_header(RTM_NEWLINK, 0, change->link_index, 0, false);
	return finish(message, message && nla_put_string(message, IFLA_IFNAME, change->name) == 0);
}

static struct nl_msg *master_message(const struct change *change)
{
	struct nl_msg *message = link_header(RTM_NEWLINK, 0, change->link_index, 0, false);
	return finish(message, message && nla_put_u32(message, IFLA_MASTER, (uint32_t)change->master.index) == 0);
}

static struct nl_msg *set_message(const struct change *change)
{
	struct nl_msg *message = link_header(RTM_NEWLINK, 0, change->link_index, change->set.up ? IFF_UP : 0,
		change->set.up || change->set.down);
	bool is_whole = message && (!change->set.mtu || nla_put_u32(message, IFLA_MTU, change->set.mtu) == 0);
	return finish(message, is_whole && (!change->set.has_mac || nla_put(message, IFLA_ADDRESS,
							    sizeof(change->set.mac), change->set.mac) == 0));
}

static bool put_options(struct nl_msg *message, enum link_option_kind kind, const struct link_options *options)
{
	size_t n;
	const struct link_option *table = link_options_of(kind, &n);
	for (size_t i = 0; i < n; i++) {
		uint32_t value = options->value[i];
		if (!link_options_have(options, i))
			continue;
		int error = table[i].n_bytes == 1   ? nla_put_u8(message, table[i].attribute, (uint8_t)value)
			    : table[i].n_bytes == 2 ? nla_put_u16(message, table[i].attribute, (uint16_t)value)
						    : nla_put_u32(message, table[i].attribute, value);
		if (error < 0)
			return false;
	}
	return true;
}

static bool put_arp_targets(struct nl_msg *message, const struct declaration *declaration)
{
	struct nlattr *list = nla_nest_start(message, IFLA_BOND_ARP_IP_TARGET);
	for (size_t i = 0; list && i < declaration->n_arp_targets; i++)
		if (nla_put(message, (int)i, 4, declaration->arp_targets[i].bytes) < 0)
			return false;
	return list && nla_nest_end_keep_empty(message, list) == 0; // none: those that are there go
}

// What only this kind of link has, as it is made.
static bool put_kind(struct nl_msg *message, const struct change *change)
{
	const struct declaration *declaration = change->declaration;
	struct link_options options;
	switch (declaration->kind) {
	case DECLARATION_BOND:
		plan_wanted_options(declaration, NULL, &options);
		return put_options(message, LINK_OPTION_BOND, &options) &&
		       (declaration->n_arp_targets == 0 || put_arp_targets(message, declaration));
	case DECLARATION_BRIDGE:
		return put_options(message, LINK_OPTION_BRIDGE, &declaration->options);
	case DECLARATION_VLAN:
		return nla_put_u16(message, IFLA_VLAN_ID, declaration->vlan_id) == 0;
	case DECLARATION_VRF:
		return nla_put_u32(message, IFLA_VRF_TABLE, declaration->vrf_table) == 0;
	case DECLARATION_ETHERNET:
	case DECLARATION_DUMMY:
	case DECLARATION_WIREGUARD:
	case N_DECLARATION_KINDS:
		break;
	}
	return true;
}

static struct nl_msg *create_message(const struct change *change)
{
	struct nl_msg *message = link_header(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, 0, false);
	struct nlattr *info = NULL, *data = NULL;
	const struct declaration *declaration = change->declaration;
	const uint8_t *mac = declaration->has_mac ? declaration->mac : change->parent.has_mac ? change->parent.mac : NULL;
	bool is_whole = message && nla_put_string(message, IFLA_IFNAME, change->name) == 0 &&
			// at once: udev gives a link that has none of somebody's one of its own
			(!mac || nla_put(message, IFLA_ADDRESS, sizeof(declaration->mac), mac) == 0) &&
			(!change->parent.index ||
				nla_put_u32(message, IFLA_LINK, (uint32_t)change->parent.index) == 0) &&
			(info = nla_nest_start(message, IFLA_LINKINFO)) != NULL &&
			nla_put_string(message, IFLA_INFO_KIND, declaration_link_kind(change->declaration->kind)) == 0 &&
			(data = nla_nest_start(message, IFLA_INFO_DATA)) != NULL && put_kind(message, change) &&
			nla_nest_end(message, data) == 0 && nla_nest_end(message, info) == 0;
	return finish(message, is_whole);
}

static struct nl_msg *options_message(const struct change *change)
{
	bool is_port = change->options.kind == LINK_OPTION_BRIDGE_PORT;
	struct nl_msg *message = link_header(RTM_NEWLINK, 0, change->link_index, 0, false);
	struct nlattr *info = NULL, *data = NULL;
	bool is_whole =
		message && (info = nla_nest_start(message, IFLA_LINKINFO)) != NULL &&
		nla_put_string(message, is_port ? IFLA_INFO_SLAVE_KIND : IFLA_INFO_KIND,
			change->options.kind == LINK_OPTION_BOND ? "bond" : "bridge") == 0 &&
		(data = nla_nest_start(message, is_port ? IFLA_INFO_SLAVE_DATA : IFLA_INFO_DATA)) != NULL &&
		put_options(message, change->options.kind, &change->options.values) &&
		(!change->options.has_primary ||
			nla_put_u32(message, IFLA_BOND_PRIMARY, (uint32_t)change->options.primary_index) == 0) &&
		(!change->options.has_arp_targets || put_arp_targets(message, change->declaration)) &&
		nla_nest_end(message, data) == 0 && nla_nest_end(message, info) == 0;
	return finish(message, is_whole);
}

// --- addresses, routes, rules ---

static struct nl_msg *address_message(const struct change *change)
{
	const struct address *address = &change->address;
	bool is_removal = change->type != CHANGE_ADDRESS_ADD;
	bool is_tunnel = change->declaration && change->declaration->kind == DECLARATION_WIREGUARD; // it has no broadcasts
	struct ifaddrmsg header = {.ifa_family = (uint8_t)address->ip.family, .ifa_prefixlen = address->prefix,
		.ifa_index = (uint32_t)change->link_index,
		.ifa_scope = ip_is_link_local(&address->ip) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE};
	int n = (int)ip_n_bytes(address->ip.family);
	struct nl_msg *message = netlink_message(is_removal ? RTM_DELADDR : RTM_NEWADDR,
		is_removal ? 0 : NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof(header));
	bool is_whole = message && nla_put(message, IFA_LOCAL, n, address->ip.bytes) == 0 &&
			nla_put(message, IFA_ADDRESS, n, address->ip.bytes) == 0;
	if (is_whole && !is_removal) {
		is_whole = nla_put_u8(message, IFA_PROTO, change->protocol) == 0;
		if (is_whole && address->ip.family == AF_INET && address->prefix < 31 && !is_tunnel) {
			uint8_t broadcast[4];
			address_broadcast(address, broadcast);
			is_whole = nla_put(message, IFA_BROADCAST, 4, broadcast) == 0;
		}
	}
	return finish(message, is_whole);
}

// @all: those that the route has not, too, as zeros.
static bool put_metrics(struct nl_msg *message, const struct route *route, bool all)
{
	struct nlattr *list;
	if (!all && !route->mtu && !route->cwnd && !route->rwnd)
		return true;
	return (list = nla_nest_start(message, RTA_METRICS)) != NULL &&
	       ((!all && !route->mtu) || nla_put_u32(message, RTAX_MTU, route->mtu) == 0) &&
	       ((!all && !route->cwnd) || nla_put_u32(message, RTAX_INITCWND, route->cwnd) == 0) &&
	       ((!all && !route->rwnd) || nla_put_u32(message, RTAX_INITRWND, route->rwnd) == 0) &&
	       nla_nest_end(message, list) == 0;
}

/* Two of IPv4 stand beside each other, even if one came after the plan was made: a new one goes before others. Two of IPv6
 * become one, which nobody asked for. */
static uint16_t route_flags(const struct change *change)
{
	if (change->type == CHANGE_ROUTE_REMOVE)
		return 0;
	if (change->type == CHANGE_ROUTE_REPLACE)
		return NLM_F_CREATE | NLM_F_REPLACE;
	if (change->is_last)
		return NLM_F_CREATE | NLM_F_APPEND;
	return change->route.destination.ip.family == AF_INET ? NLM_F_CREATE : NLM_F_CREATE | NLM_F_EXCL;
}

static struct nl_msg *route_message(const struct change *change)
{
	const struct route *route = &change->route;
	bool is_removal = change->type == CHANGE_ROUTE_REMOVE;
	struct rtmsg header = {.rtm_family = (uint8_t)route->destination.ip.family,
		.rtm_dst_len = route->destination.prefix, .rtm_protocol = change->protocol, .rtm_type = route->type,
		.rtm_scope = route->scope, .rtm_table = route->table < 256 ? (uint8_t)route->table : RT_TABLE_COMPAT,
		.rtm_flags = route->on_link ? RTNH_F_ONLINK : 0};
	int n = (int)ip_n_bytes(route->destination.ip.family);
	struct nl_msg *message = netlink_message(is_removal ? RTM_DELROUTE : RTM_NEWROUTE, route_flags(change), &header,
		sizeof(header));
	bool is_whole = message && nla_put_u32(message, RTA_TABLE, route->table) == 0;
	if (is_whole && route->destination.prefix)
		is_whole = nla_put(message, RTA_DST, n, route->destination.ip.bytes) == 0;
	if (is_whole && route->gateway.family)
		is_whole = nla_put(message, RTA_GATEWAY, n, route->gateway.bytes) == 0;
	if (is_whole && route->source.family)
		is_whole = nla_put(message, RTA_PREFSRC, n, route->source.bytes) == 0;
	if (is_whole && route->metric)
		is_whole = nla_put_u32(message, RTA_PRIORITY, route->metric) == 0;
	if (is_whole && change->link_index)
		is_whole = nla_put_u32(message, RTA_OIF, (uint32_t)change->link_index) == 0;
	// two of IPv4 may differ in these alone: the one that goes is named whole
	bool has_metrics = !is_removal || route->destination.ip.family == AF_INET;
	return finish(message, is_whole && (!has_metrics || put_metrics(message, route, is_removal)));
}

static bool put_end(struct nl_msg *message, int type, const struct address *end)
{
	return !end->ip.family || end->prefix == 0 ||
	       nla_put(message, type, (int)ip_n_bytes(end->ip.family), end->ip.bytes) == 0;
}

static struct nl_msg *rule_message(const struct change *change)
{
	const struct rule *rule = &change->rule;
	bool is_removal = change->type == CHANGE_RULE_REMOVE;
	struct fib_rule_hdr header = {.family = (uint8_t)rule->family,
		.src_len = rule->from.ip.family ? rule->from.prefix : 0,
		.dst_len = rule->to.ip.family ? rule->to.prefix : 0, .tos = rule->tos,
		.table = rule->table < 256 ? (uint8_t)rule->table : RT_TABLE_COMPAT, .action = FR_ACT_TO_TBL};
	// without NLM_F_EXCL: what a rule does not say is any, so that one from anywhere would be there if one from somewhere is
	struct nl_msg *message = netlink_message(is_removal ? RTM_DELRULE : RTM_NEWRULE, is_removal ? 0 : NLM_F_CREATE, &header,
		sizeof(header));
	bool is_whole = message && nla_put_u32(message, FRA_TABLE, rule->table) == 0 &&
			nla_put_u8(message, FRA_PROTOCOL, change->protocol) == 0 &&
			put_end(message, FRA_SRC, &rule->from) && put_end(message, FRA_DST, &rule->to);
	if (is_whole && rule->has_priority)
		is_whole = nla_put_u32(message, FRA_PRIORITY, rule->priority) == 0;
	if (is_whole && rule->mark)
		is_whole = nla_put_u32(message, FRA_FWMARK, rule->mark) == 0;
	return finish(message, is_whole);
}

// --- all ---

struct nl_msg *change_message(const struct change *change)
{
	switch (change->type) {
	case CHANGE_LINK_RENAME:
		return rename_message(change);
	case CHANGE_LINK_REPLACE:
	case CHANGE_LINK_CREATE:
		return create_message(change);
	case CHANGE_LINK_OPTIONS:
		return options_message(change);
	case CHANGE_LINK_MASTER:
		return master_message(change);
	case CHANGE_LINK_SET:
		return set_message(change);
	case CHANGE_LINK_REMOVE:
		return change_message_remove(change);
	case CHANGE_ADDRESS_REPREFIX:
	case CHANGE_ADDRESS_ADD:
	case CHANGE_ADDRESS_REMOVE:
		return address_message(change);
	case CHANGE_ROUTE_ADD:
	case CHANGE_ROUTE_REPLACE:
	case CHANGE_ROUTE_REMOVE:
		return route_message(change);
	case CHANGE_RULE_ADD:
	case CHANGE_RULE_REMOVE:
		return rule_message(change);
	case CHANGE_WIREGUARD:
	case CHANGE_PEERS:
	case CHANGE_FILE_WRITE:
	case CHANGE_FILE_REMOVE:
	case CHANGE_NETWORKD:
		break;
	}
	return NULL;
}
