// The kernel's answers become links, addresses, routes and rules. Pure: bytes in, values out.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>

enum { NESTED_MAX = 63 }; // above every attribute of a bond, a bridge or a bridge's port

#define INET6_IS_READY 0x80000000u // IF_READY of the kernel's include/net/if_inet6.h, which no header for programs has

// One more zeroed element of @size bytes; arrays grow at powers of two.
static void *more(void **array, size_t *n, size_t size)
{
	if ((*n & (*n - 1)) == 0) {
		void *grown = realloc(*array, (*n ? *n * 2 : 1) * size);
		if (!grown)
			return NULL;
		*array = grown;
	}
	void *element = (char *)*array + (*n)++ * size;
	memset(element, 0, size);
	return element;
}

static bool get_u32(struct nlattr *attribute, uint32_t *ret)
{
	if (!attribute || nla_len(attribute) < 4)
		return false;
	*ret = nla_get_u32(attribute);
	return true;
}

static bool get_u8(struct nlattr *attribute, uint8_t *ret)
{
	if (!attribute || nla_len(attribute) < 1)
		return false;
	*ret = nla_get_u8(attribute);
	return true;
}

static bool get_u16(struct nlattr *attribute, uint16_t *ret)
{
	if (!attribute || nla_len(attribute) < 2)
		return false;
	*ret = nla_get_u16(attribute);
	return true;
}

static bool get_ip(struct nlattr *attribute, sa_family_t family, struct ip *ret)
{
	if (!attribute || (size_t)nla_len(attribute) < ip_n_bytes(family))
		return false;
	*ret = (struct ip){.family = family};
	memcpy(ret->bytes, nla_data(attribute), ip_n_bytes(family));
	return true;
}

static void get_text(struct nlattr *attribute, char *ret, size_t n)
{
	if (attribute)
		(void)nla_strlcpy(ret, attribute, n);
}

static bool get_mac(struct nlattr *attribute, uint8_t ret[static 6])
{
	if (!attribute || nla_len(attribute) != 6)
		return false;
	memcpy(ret, nla_data(attribute), 6);
	return true;
}

// --- links ---

static bool get_option(struct nlattr *attribute, uint8_t n_bytes, uint32_t *ret)
{
	uint16_t two;
	uint8_t one;
	if (n_bytes == 4)
		return get_u32(attribute, ret);
	if (n_bytes == 2 ? !get_u16(attribute, &two) : !get_u8(attribute, &one))
		return false;
	*ret = n_bytes == 2 ? two : one;
	return true;
}

static void decode_options(enum link_option_kind kind, struct nlattr *const fields[], struct link_options *ret)
{
	size_t n;
	const struct link_option *table = link_options_of(kind, &n);
	for (size_t i = 0; i < n; i++) {
		uint32_t value;
		if (table[i].attribute <= NESTED_MAX && get_option(fields[table[i].attribute], table[i].n_bytes, &value))
			link_options_set(ret, i, value);
	}
}

static void decode_bond(struct nlattr *const fields[], struct kernel_link *ret)
{
	uint32_t primary = 0;
	decode_options(LINK_OPTION_BOND, fields, &ret->options);
	(void)get_u32(fields[IFLA_BOND_PRIMARY], &primary); // absent: none
	ret->primary_index = (int)primary;
	struct nlattr *target;
	int left;
	if (!fields[IFLA_BOND_ARP_IP_TARGET])
		return;
	nla_for_each_nested(target, fields[IFLA_BOND_ARP_IP_TARGET], left)
		if (ret->n_arp_targets < BOND_MAX_ARP_TARGETS &&
			get_ip(target, AF_INET, &ret->arp_targets[ret->n_arp_targets]))
			ret->n_arp_targets++;
}

static void decode_bridge(struct nlattr *const fields[], struct kernel_link *ret)
{
	const struct nlattr *root = fields[IFLA_BR_ROOT_ID], *own = fields[IFLA_BR_BRIDGE_ID];
	const size_t n = sizeof(struct ifla_bridge_id);
	decode_options(LINK_OPTION_BRIDGE, fields, &ret->options);
	ret->has_root = root && own && (size_t)nla_len(root) >= n && (size_t)nla_len(own) >= n &&
			memcmp(nla_data(root), nla_data(own), n) != 0;
	if (ret->has_root)
		ret->options.has &= ~link_options_of_root();
}

static void decode_kind(struct nlattr *data, struct kernel_link *ret)
{
	struct nlattr *fields[NESTED_MAX + 1];
	uint16_t protocol = 0;
	if (!data || nla_parse_nested(fields, NESTED_MAX, data, NULL) < 0)
		return; // a kind without settings
	if (str_equal(ret->kind, "vlan")) {
		(void)get_u16(fields[IFLA_VLAN_ID], &ret->vlan_id); // always there
		ret->vlan_is_8021ad = get_u16(fields[IFLA_VLAN_PROTOCOL], &protocol) && protocol != htons(ETH_P_8021Q);
	} else if (str_equal(ret->kind, "vrf")) {
		(void)get_u32(fields[IFLA_VRF_TABLE], &ret->vrf_table); // always there
	} else if (str_equal(ret->kind, "bond")) {
		decode_bond(fields, ret);
	} else if (str_equal(ret->kind, "bridge")) {
		decode_bridge(fields, ret);
	}
}

static void decode_link_info(struct nlattr *const fields[], struct kernel_link *ret)
{
	struct nlattr *info[IFLA_INFO_MAX + 1], *port[NESTED_MAX + 1];
	if (!fields[IFLA_LINKINFO] || nla_parse_nested(info, IFLA_INFO_MAX, fields[IFLA_LINKINFO], NULL) < 0)
		return;
	get_text(info[IFLA_INFO_KIND], ret->kind, sizeof(ret->kind));
	get_text(info[IFLA_INFO_SLAVE_KIND], ret->port_kind, sizeof(ret->port_kind));
	decode_kind(info[IFLA_INFO_DATA], ret);
	// the same attributes: IFLA_PROTINFO is where kernels put them that do not say them with the port's kind
	struct nlattr *data = info[IFLA_INFO_SLAVE_DATA] ? info[IFLA_INFO_SLAVE_DATA] : fields[IFLA_PROTINFO];
	bool is_read = data && nla_parse_nested(port, NESTED_MAX, data, NULL) == 0;
	if (is_read && str_equal(ret->port_kind, "bridge"))
		decode_options(LINK_OPTION_BRIDGE_PORT, port, &ret->port_options);
	ret->has_own_mac = is_read && str_equal(ret->port_kind, "bond") && get_mac(port[IFLA_BOND_SLAVE_PERM_HWADDR], ret->own_mac);
}

static int decode_other_names(struct nlattr *list, struct kernel_link *ret)
{
	struct nlattr *name;
	int left;
	size_t n = 0;
	if (!list)
		return 0;
	ret->other_names = calloc(1, (size_t)nla_len(list) + 1); // an attribute is longer than its name with a NUL
	if (!ret->other_names)
		return -ENOMEM;
	nla_for_each_nested(name, list, left) {
		size_t n_name = nla_type(name) == IFLA_ALT_IFNAME ? strnlen(nla_data(name), (size_t)nla_len(name)) : 0;
		memcpy(ret->other_names + n, nla_data(name), n_name);
		n += n_name ? n_name + 1 : 0;
	}
	return 0;
}

/* Does the kernel take router advertisements, as accept_ra says? Absent: the link has no IPv6. Where the machine forwards, 1 is
 * as good as 0. */
static void decode_ipv6(struct nlattr *families, struct kernel_link *ret)
{
	struct nlattr *family = families ? nla_find(nla_data(families), nla_len(families), AF_INET6) : NULL;
	struct nlattr *settings = family ? nla_find(nla_data(family), nla_len(family), IFLA_INET6_CONF) : NULL;
	uint32_t flags = 0;
	int32_t value;
	(void)get_u32(family ? nla_find(nla_data(family), nla_len(family), IFLA_INET6_FLAGS) : NULL, &flags); // absent: no IPv6
	ret->asks_for_addresses = flags & INET6_IS_READY;
	if (!settings || (size_t)nla_len(settings) < (DEVCONF_ACCEPT_RA + 1) * sizeof(value))
		return;
	memcpy(&value, (const char *)nla_data(settings) + DEVCONF_ACCEPT_RA * sizeof(value), sizeof(value));
	ret->has_ra = true;
	ret->takes_ra = value != 0;
	ret->takes_ra_forwarding = value == 2;
}

static int decode_link(struct kernel *kernel, const struct nlmsghdr *message)
{
	struct nlattr *fields[IFLA_MAX + 1];
	const struct ifinfomsg *header = nlmsg_data(message);
	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)message, sizeof(*header), fields, IFLA_MAX, NULL) < 0)
		return -EBADMSG;
	if (header->ifi_family != AF_UNSPEC)
		return 0; // a bridge's own view of its port
	struct kernel_link *added = more((void **)&kernel->links, &kernel->n_links, sizeof(*added));
	if (!added)
		return -ENOMEM;
	added->index = header->ifi_index;
	added->flags = header->ifi_flags;
	added->type = header->ifi_type;
	get_text(fields[IFLA_IFNAME], added->name, sizeof(added->name));
	get_text(fields[IFLA_IFALIAS], added->alias, sizeof(added->alias));
	added->has_mac = get_mac(fields[IFLA_ADDRESS], added->mac);
	added->has_permanent_mac = get_mac(fields[IFLA_PERM_ADDRESS], added->permanent_mac);
	(void)get_u32(fields[IFLA_MTU], &added->mtu); // always there
	uint32_t master = 0, parent = 0;
	uint8_t carrier = 0;
	// Without IFF_UP the carrier is not known; IFLA_CARRIER says 0 then on most drivers.
	added->carrier = get_u8(fields[IFLA_CARRIER], &carrier) && carrier && (added->flags & IFF_UP);
	(void)get_u32(fields[IFLA_MASTER], &master); // absent: none
	added->master_index = (int)master;
	// with IFLA_LINK_NETNSID the number is that of a link in another namespace
	if (!fields[IFLA_LINK_NETNSID] && get_u32(fields[IFLA_LINK], &parent) && (int)parent != added->index)
		added->parent_index = (int)parent;
	decode_link_info(fields, added);
	decode_ipv6(fields[IFLA_AF_SPEC], added);
	return decode_other_names(fields[IFLA_PROP_LIST], added);
}

// --- addresses ---

// Linux takes the link's name for a label where none is given, and one of its own begins with that and a colon.
static bool has_label(const struct nlattr *label)
{
	return label && memchr(nla_data(label), ':', (size_t)nla_len(label));
}

static bool has_other_broadcast(const struct nlattr *broadcast, const struct address *address)
{
	uint8_t usual[4];
	address_broadcast(address, usual);
	return broadcast && nla_len(broadcast) == 4 && memcmp(nla_data(broadcast), usual, sizeof(usual)) != 0;
}

static int decode_address(struct kernel *kernel, const struct nlmsghdr *message)
{
	struct nlattr *fields[IFA_MAX + 1];
	const struct ifaddrmsg *header = nlmsg_data(message);
	struct ip ip, far_end;
	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)message, sizeof(*header), fields, IFA_MAX, NULL) < 0)
		return -EBADMSG;
	if (header->ifa_family != AF_INET && header->ifa_family != AF_INET6)
		return 0;
	if (header->ifa_prefixlen > ip_max_prefix(header->ifa_family))
		return -EBADMSG;
	// IFA_LOCAL is the own address; with a point-to-point peer IFA_ADDRESS is the other end's
	if (!get_ip(fields[IFA_LOCAL], header->ifa_family, &ip) && !get_ip(fields[IFA_ADDRESS], header->ifa_family, &ip))
		return -EBADMSG;
	struct kernel_address *added = more((void **)&kernel->addresses, &kernel->n_addresses, sizeof(*added));
	if (!added)
		return -ENOMEM;
	added->link_index = (int)header->ifa_index;
	added->address = (struct address){ip, header->ifa_prefixlen};
	added->scope = header->ifa_scope;
	added->has_peer = get_ip(fields[IFA_ADDRESS], header->ifa_family, &far_end) && ip_compare(&ip, &far_end) != 0;
	added->has_more = has_label(fields[IFA_LABEL]) || has_other_broadcast(fields[IFA_BROADCAST], &added->address);
	added->flags = header->ifa_flags;
	(void)get_u32(fields[IFA_FLAGS], &added->flags);   // absent: the 8 bits of the header
	(void)get_u8(fields[IFA_PROTO], &added->protocol); // absent: not said
	(void)get_u32(fields[IFA_RT_PRIORITY], &added->metric); // absent: 0
	return 0;
}

// --- routes ---

static void decode_metrics(struct nlattr *metrics, struct kernel_route *ret)
{
	struct nlattr *one;
	int left;
	if (!metrics)
		return;
	nla_for_each_nested(one, metrics, left) {
		uint32_t value = 0;
		if (nla_type(one) == RTAX_CC_ALGO) {
			ret->has_other_metrics = true; // a name
			continue;
		}
		if (!get_u32(one, &value) || value == 0)
			continue;
		if (nla_type(one) == RTAX_MTU)
			ret->route.mtu = value;
		else if (nla_type(one) == RTAX_INITCWND)
			ret->route.cwnd = value;
		else if (nla_type(one) == RTAX_INITRWND)
			ret->route.rwnd = value;
		else
			ret->has_other_metrics = true;
	}
}

// What no route of ours has, and what would be lost if it were made anew.
static bool has_more(struct nlattr *const fields[])
{
	uint8_t preference;
	bool ends = fields[RTA_CACHEINFO] && nla_len(fields[RTA_CACHEINFO]) >= (int)sizeof(struct rta_cacheinfo) &&
		    ((const struct rta_cacheinfo *)nla_data(fields[RTA_CACHEINFO]))->rta_expires != 0;
	return fields[RTA_FLOW] || ends || (get_u8(fields[RTA_PREF], &preference) && preference != 0); // 0: medium
}

static int decode_route(struct kernel *kernel, const struct nlmsghdr *message)
{
	struct nlattr *fields[RTA_MAX + 1];
	const struct rtmsg *header = nlmsg_data(message);
	struct kernel_route route = {.position = (uint32_t)kernel->n_routes};
	uint32_t link_index = 0;
	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)message, sizeof(*header), fields, RTA_MAX, NULL) < 0)
		return -EBADMSG;
	sa_family_t family = header->rtm_family;
	if ((family != AF_INET && family != AF_INET6) || (header->rtm_flags & RTM_F_CLONED))
		return 0;
	if (header->rtm_dst_len > ip_max_prefix(family))
		return -EBADMSG;
	struct route *inner = &route.route;
	inner->table = header->rtm_table;
	(void)get_u32(fields[RTA_TABLE], &inner->table); // absent: the 8 bits of the header
	bool is_local = inner->table == RT_TABLE_LOCAL || header->rtm_type == RTN_MULTICAST || header->rtm_type == RTN_ANYCAST;
	if (is_local && header->rtm_protocol == RTPROT_KERNEL) // comes and goes with addresses
		return 0;
	inner->type = header->rtm_type;
	inner->scope = family == AF_INET ? header->rtm_scope : RT_SCOPE_UNIVERSE;
	inner->on_link = (header->rtm_flags & RTNH_F_ONLINK) != 0;
	inner->destination = (struct address){{.family = family}, header->rtm_dst_len};
	(void)get_ip(fields[RTA_DST], family, &inner->destination.ip);    // absent: the default route
	(void)get_ip(fields[RTA_GATEWAY], family, &inner->gateway);       // absent: none
	(void)get_ip(fields[RTA_PREFSRC], family, &inner->source);        // absent: none
	(void)get_u32(fields[RTA_PRIORITY], &inner->metric);              // absent: 0
	(void)get_u32(fields[RTA_OIF], &link_index);                      // absent: none
	decode_metrics(fields[RTA_METRICS], &route);
	route.has_other_metrics |= has_more(fields);
	address_mask(&inner->destination);
	route.link_index = route_needs_link(inner) ? (int)link_index : 0;
	route.protocol = header->rtm_protocol;
	route.has_other_shape = fields[RTA_MULTIPATH] || fields[RTA_NH_ID] || fields[RTA_VIA] || fields[RTA_ENCAP] ||
				header->rtm_tos || header->rtm_src_len;
	struct kernel_route *added = more((void **)&kernel->routes, &kernel->n_routes, sizeof(*added));
	if (!added)
		return -ENOMEM;
	*added = route;
	return 0;
}

// --- rules ---

// Is the attribute one that a rule of ours has too, or one that says nothing?
static bool is_plain(struct nlattr *attribute)
{
	uint32_t number;
	switch (nla_type(attribute)) {
	case FRA_UNSPEC:
	case FRA_DST:
	case FRA_SRC:
	case FRA_PRIORITY:
	case FRA_FWMARK:
	case FRA_TABLE:
	case FRA_PAD:
	case FRA_PROTOCOL:
	case FRA_FWMASK: // it is compared with the mark
		return true;
	case FRA_SUPPRESS_IFGROUP:
	case FRA_SUPPRESS_PREFIXLEN:
		return get_u32(attribute, &number) && number == UINT32_MAX; // none
	default:
		return false; // another action, a link, a user, ports, or what only a newer kernel knows
	}
}

static int decode_rule(struct kernel *kernel, const struct nlmsghdr *message)
{
	struct nlattr *fields[FRA_MAX + 1], *attribute;
	const struct fib_rule_hdr *header = nlmsg_data(message);
	struct kernel_rule rule = {.position = (uint32_t)kernel->n_rules};
	uint32_t mask = 0;
	int left;
	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)message, sizeof(*header), fields, FRA_MAX, NULL) < 0)
		return -EBADMSG;
	sa_family_t family = header->family;
	if (family != AF_INET && family != AF_INET6)
		return 0; // multicast routing has rules, too
	if (header->dst_len > ip_max_prefix(family) || header->src_len > ip_max_prefix(family))
		return -EBADMSG;
	struct rule *inner = &rule.rule;
	inner->family = family;
	if ((header->src_len && !get_ip(fields[FRA_SRC], family, &inner->from.ip)) ||
		(header->dst_len && !get_ip(fields[FRA_DST], family, &inner->to.ip)))
		return -EBADMSG;
	inner->from.prefix = header->src_len;
	inner->to.prefix = header->dst_len;
	if (inner->from.ip.family)
		address_mask(&inner->from);
	if (inner->to.ip.family)
		address_mask(&inner->to);
	inner->table = header->table;
	(void)get_u32(fields[FRA_TABLE], &inner->table);       // absent: the 8 bits of the header
	(void)get_u32(fields[FRA_PRIORITY], &inner->priority); // absent: 0
	(void)get_u32(fields[FRA_FWMARK], &inner->mark);       // absent: any
	(void)get_u32(fields[FRA_FWMASK], &mask);              // absent: any
	(void)get_u8(fields[FRA_PROTOCOL], &rule.protocol);    // absent: not said
	inner->has_priority = true;
	inner->tos = header->tos;
	rule.has_other_shape = header->action != FR_ACT_TO_TBL || (header->flags & FIB_RULE_INVERT) ||
			       mask != (inner->mark ? UINT32_MAX : 0);
	nlmsg_for_each_attr(attribute, (struct nlmsghdr *)(uintptr_t)message, sizeof(*header), left)
		rule.has_other_shape |= !is_plain(attribute);
	struct kernel_rule *added = more((void **)&kernel->rules, &kernel->n_rules, sizeof(*added));
	if (!added)
		return -ENOMEM;
	*added = rule;
	return 0;
}

int kernel_decode(struct kernel *kernel, const struct nlmsghdr *message)
{
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
		return decode_link(kernel, message);
	case RTM_NEWADDR:
		return decode_address(kernel, message);
	case RTM_NEWROUTE:
		return decode_route(kernel, message);
	case RTM_NEWRULE:
		return decode_rule(kernel, message);
	default:
		return 0;
	}
}
