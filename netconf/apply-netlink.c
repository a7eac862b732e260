// Doing what a plan says: rtnetlink batches, WireGuard settings and peers.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/apply-netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

struct apply {
	struct plan *plan;
	struct netlink *netlink;
	int error; // the first
	struct diag *reterr;
};

static bool is_gone(const struct change *change, int error)
{
	bool is_removal = change->type == CHANGE_ROUTE_REMOVE || change->type == CHANGE_ADDRESS_REMOVE ||
			  change->type == CHANGE_LINK_REMOVE || change->type == CHANGE_ADDRESS_REPREFIX;
	return is_removal && (error == -ESRCH || error == -EADDRNOTAVAIL || error == -ENODEV || error == -ENOENT);
}

static void on_error(size_t tag, int error, const char *kernel_words, void *user)
{
	struct apply *apply = user;
	const struct change *change = &apply->plan->changes[tag];
	char sentence[512];
	if (is_gone(change, error) || apply->error < 0)
		return;
	apply->error = diag_set(apply->reterr, error, change->name, "cannot do \"%s\": %s%s%s%s",
		change_format(change, sentence, sizeof(sentence)), strerror(-error), kernel_words[0] ? " (" : "", kernel_words,
		kernel_words[0] ? ")" : "");
}

// --- messages: NULL when memory ran out ---

static struct nl_msg *finish(struct nl_msg *message, bool is_whole)
{
	if (message && is_whole)
		return message;
	if (message)
		nlmsg_free(message);
	return NULL;
}

static struct nl_msg *link_message(const struct change *change)
{
	struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = change->link_index};
	if (change->type == CHANGE_LINK_SET && change->set.up)
		header.ifi_flags = header.ifi_change = IFF_UP;
	struct nl_msg *message = netlink_message(change->type == CHANGE_LINK_REMOVE ? RTM_DELLINK : RTM_NEWLINK,
		change->type == CHANGE_LINK_CREATE ? NLM_F_CREATE | NLM_F_EXCL : 0, &header, sizeof(header));
	bool is_whole = message != NULL;
	if (!is_whole || change->type == CHANGE_LINK_REMOVE)
		return message;
	if (change->type == CHANGE_LINK_RENAME)
		is_whole = nla_put_string(message, IFLA_IFNAME, change->name) == 0;
	if (change->type == CHANGE_LINK_SET && change->set.mtu)
		is_whole = nla_put_u32(message, IFLA_MTU, change->set.mtu) == 0;
	if (is_whole && change->type == CHANGE_LINK_SET && change->set.alias)
		is_whole = nla_put_string(message, IFLA_IFALIAS, HEARTH_ALIAS) == 0;
	if (change->type == CHANGE_LINK_CREATE) {
		struct nlattr *info;
		is_whole = nla_put_string(message, IFLA_IFNAME, change->name) == 0 &&
			   (info = nla_nest_start(message, IFLA_LINKINFO)) != NULL &&
			   nla_put_string(message, IFLA_INFO_KIND,
				   change->declaration->kind == DECLARATION_DUMMY ? "dummy" : "wireguard") == 0 &&
			   nla_nest_end(message, info) == 0;
	}
	return finish(message, is_whole);
}

static struct nl_msg *address_message(const struct change *change)
{
	const struct address *address = &change->address;
	bool is_removal = change->type != CHANGE_ADDRESS_ADD;
	struct ifaddrmsg header = {.ifa_family = (uint8_t)address->ip.family, .ifa_prefixlen = address->prefix,
		.ifa_index = (uint32_t)change->link_index,
		.ifa_scope = ip_is_link_local(&address->ip) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE};
	int n = (int)ip_n_bytes(address->ip.family);
	struct nl_msg *message = netlink_message(is_removal ? RTM_DELADDR : RTM_NEWADDR,
		is_removal ? 0 : NLM_F_CREATE | NLM_F_REPLACE, &header, sizeof(header));
	bool is_whole = message && nla_put(message, IFA_LOCAL, n, address->ip.bytes) == 0 &&
			nla_put(message, IFA_ADDRESS, n, address->ip.bytes) == 0;
	if (is_whole && !is_removal) {
		is_whole = nla_put_u8(message, IFA_PROTO, HEARTH_PROTOCOL) == 0;
		if (is_whole && address->ip.family == AF_INET && address->prefix < 31) {
			uint8_t broadcast[4];
			for (unsigned i = 0; i < 4; i++) {
				unsigned bits = address->prefix > i * 8 ? address->prefix - i * 8 : 0;
				broadcast[i] = address->ip.bytes[i] | (uint8_t)(bits < 8 ? 0xff >> bits : 0);
			}
			is_whole = nla_put(message, IFA_BROADCAST, 4, broadcast) == 0;
		}
	}
	return finish(message, is_whole);
}

static struct nl_msg *route_message(const struct change *change)
{
	const struct route *route = &change->route;
	bool is_removal = change->type == CHANGE_ROUTE_REMOVE;
	struct rtmsg header = {.rtm_family = (uint8_t)route->destination.ip.family,
		.rtm_dst_len = route->destination.prefix, .rtm_protocol = HEARTH_PROTOCOL, .rtm_type = route->type,
		.rtm_scope = route->scope, .rtm_table = route->table < 256 ? (uint8_t)route->table : RT_TABLE_COMPAT,
		.rtm_flags = route->on_link ? RTNH_F_ONLINK : 0};
	int n = (int)ip_n_bytes(route->destination.ip.family);
	uint16_t flags = is_removal ? 0 : change->type == CHANGE_ROUTE_REPLACE ? NLM_F_CREATE | NLM_F_REPLACE
									       : NLM_F_CREATE | NLM_F_EXCL;
	struct nl_msg *message =
		netlink_message(is_removal ? RTM_DELROUTE : RTM_NEWROUTE, flags, &header, sizeof(header));
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
	return finish(message, is_whole);
}

static struct nl_msg *change_message(const struct change *change)
{
	switch (change->type) {
	case CHANGE_LINK_RENAME:
	case CHANGE_LINK_CREATE:
	case CHANGE_LINK_SET:
	case CHANGE_LINK_REMOVE:
		return link_message(change);
	case CHANGE_ADDRESS_REPREFIX:
	case CHANGE_ADDRESS_ADD:
	case CHANGE_ADDRESS_REMOVE:
		return address_message(change);
	case CHANGE_ROUTE_ADD:
	case CHANGE_ROUTE_REPLACE:
	case CHANGE_ROUTE_REMOVE:
		return route_message(change);
	case CHANGE_WIREGUARD:
	case CHANGE_PEERS:
	case CHANGE_FILE_WRITE:
	case CHANGE_FILE_REMOVE:
	case CHANGE_NETWORKD:
		return NULL;
	}
	return NULL;
}

// --- order ---

static bool needs_link(const struct change *change)
{
	return change->type != CHANGE_LINK_CREATE && change->name[0] && change->link_index == 0;
}

/* Without this the kernel takes every address of a subnet away when its first one goes, also those that stay. */
static void keep_secondaries(const char *name)
{
	char path[96];
	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/promote_secondaries", name);
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)!write(fd, "1", 1); // read-only in some containers: then the next apply puts them back
}

// One run of the plan: everything of types [from, to].
static int apply_types(struct apply *apply, enum change_type from, enum change_type to)
{
	const struct change *last_added = NULL;
	char last_name[IFNAMSIZ] = "", last_promoted[IFNAMSIZ] = "";
	int last_index = 0, error = 0;
	for (size_t i = 0; error == 0 && i < apply->plan->n; i++) {
		struct change *change = &apply->plan->changes[i];
		if (change->type < from || change->type > to)
			continue;
		if (needs_link(change)) { // made a moment ago
			if (!str_equal(last_name, change->name)) {
				memcpy(last_name, change->name, IFNAMSIZ);
				last_index = (int)if_nametoindex(last_name);
			}
			change->link_index = last_index;
			if (!last_index) {
				on_error(i, -ENODEV, "", apply);
				continue;
			}
		}
		if (change->type == CHANGE_ADDRESS_REMOVE && change->address.ip.family == AF_INET &&
			!str_equal(last_promoted, change->name)) {
			memcpy(last_promoted, change->name, IFNAMSIZ);
			keep_secondaries(last_promoted);
		}
		if (change->type == CHANGE_WIREGUARD || change->type == CHANGE_PEERS) {
			struct diag diag = {0};
			error = netlink_batch_end(apply->netlink, on_error, apply);
			int result = error < 0 ? error
					       : wireguard_set(change->link_index,
							 change->type == CHANGE_WIREGUARD ? &change->wireguard : NULL,
							 change->type == CHANGE_PEERS ? &change->peers : NULL, &diag);
			if (result < 0)
				on_error(i, result, diag.message, apply);
			continue;
		}
		error = netlink_batch_add(apply->netlink, change_message(change), i, on_error, apply);
		last_added = change;
	}
	if (error == 0)
		error = netlink_batch_end(apply->netlink, on_error, apply);
	if (error < 0 && apply->error == 0)
		apply->error = diag_set(apply->reterr, error, last_added ? last_added->name : "netlink",
			"the kernel does not answer: %s", strerror(-error));
	return error;
}

int apply_netlink(struct plan *plan, struct diag *reterr)
{
	CLEANUP(netlink_freep) struct netlink *netlink = NULL;
	int error = netlink_open(NETLINK_ROUTE, &netlink, reterr);
	if (error < 0)
		return error;
	struct apply apply = {.plan = plan, .netlink = netlink, .reterr = reterr};
	// links first: the others need their numbers, and a port before it comes up
	if (apply_types(&apply, CHANGE_LINK_RENAME, CHANGE_LINK_CREATE) == 0 &&
		apply_types(&apply, CHANGE_WIREGUARD, CHANGE_WIREGUARD) == 0)
		(void)apply_types(&apply, CHANGE_LINK_SET, CHANGE_LINK_REMOVE); // its error is in apply.error
	return apply.error;
}
