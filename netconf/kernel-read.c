// Reading the kernel's network: dumps over rtnetlink, drivers over ethtool, WireGuard devices over generic netlink.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/kernel.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

enum { READ_ATTEMPTS = 16 }; // the kernel changes under a dump, or runs out of buffers: read again, not for ever

static int on_message(const struct nlmsghdr *message, void *user)
{
	return kernel_decode(user, message);
}

static struct nl_msg *dump_request(unsigned what)
{
	struct ifinfomsg link_header = {.ifi_family = AF_UNSPEC};
	struct ifaddrmsg address_header = {.ifa_family = AF_UNSPEC};
	struct rtmsg route_header = {.rtm_family = AF_UNSPEC};
	struct fib_rule_hdr rule_header = {.family = AF_UNSPEC};
	if (what == KERNEL_ADDRESSES)
		return netlink_message(RTM_GETADDR, 0, &address_header, sizeof(address_header));
	if (what == KERNEL_ROUTES)
		return netlink_message(RTM_GETROUTE, 0, &route_header, sizeof(route_header));
	if (what == KERNEL_RULES)
		return netlink_message(RTM_GETRULE, 0, &rule_header, sizeof(rule_header));
	struct nl_msg *request = netlink_message(RTM_GETLINK, 0, &link_header, sizeof(link_header));
	if (request)
		(void)nla_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS); // only makes the answer smaller
	return request;
}

// Forget a part that was read while the kernel changed.
static void drop_part(struct kernel *kernel, unsigned what)
{
	if (what == KERNEL_LINKS) {
		kernel_drop_links(kernel);
	} else if (what == KERNEL_ADDRESSES) {
		free(TAKE_PTR(kernel->addresses));
		kernel->n_addresses = 0;
	} else if (what == KERNEL_ROUTES) {
		free(TAKE_PTR(kernel->routes));
		kernel->n_routes = 0;
	} else {
		free(TAKE_PTR(kernel->rules));
		kernel->n_rules = 0;
	}
}

// A socket of its own per attempt: after ENOBUFS the old one still has the rest of a dump to give.
static int read_part(unsigned what, struct kernel *kernel, struct diag *reterr)
{
	int error = -EAGAIN;
	for (int attempt = 0; (error == -EAGAIN || error == -ENOBUFS) && attempt < READ_ATTEMPTS; attempt++) {
		CLEANUP(netlink_freep) struct netlink *netlink = NULL;
		drop_part(kernel, what);
		error = netlink_open(NETLINK_ROUTE, &netlink, reterr);
		if (error < 0)
			return error;
		error = netlink_dump(netlink, dump_request(what), on_message, kernel);
	}
	if (error < 0)
		return diag_set(reterr, error, "kernel", "its network cannot be read: %s",
			error == -EAGAIN ? "it never stops changing" : strerror(-error));
	return 0;
}

// Drivers of hardware links, by the ethtool ioctl of our own network namespace.
static void read_drivers(struct kernel *kernel)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	for (size_t i = 0; i < kernel->n_links; i++) {
		struct kernel_link *one = &kernel->links[i];
		struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
		struct ifreq request = {.ifr_data = (char *)&info};
		char path[64 + IFNAMSIZ];
		if (one->kind[0] || one->type != ARPHRD_ETHER)
			continue;
		memcpy(request.ifr_name, one->name, IFNAMSIZ);
		if (ioctl(fd, SIOCETHTOOL, &request) == 0)
			(void)snprintf(one->driver, sizeof(one->driver), "%.31s", info.driver);
		(void)snprintf(path, sizeof(path), "/sys/class/net/%s/phy80211", one->name);
		one->wireless = access(path, F_OK) == 0;
	}
}

int kernel_read(unsigned what, struct kernel **ret, struct diag *reterr)
{
	CLEANUP(kernel_freep) struct kernel *kernel = calloc(1, sizeof(*kernel));
	static const unsigned parts[] = {KERNEL_LINKS, KERNEL_ADDRESSES, KERNEL_ROUTES, KERNEL_RULES};
	if (!kernel)
		return -ENOMEM;
	for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
		int error = what & parts[i] ? read_part(parts[i], kernel, reterr) : 0;
		if (error < 0)
			return error;
	}
	read_drivers(kernel);
	kernel_sort(kernel);
	*ret = TAKE_PTR(kernel);
	return 0;
}

int kernel_read_wireguard(struct kernel *kernel, struct diag *reterr)
{
	int first = 0;
	for (size_t i = 0; i < kernel->n_links; i++) {
		struct kernel_link *one = &kernel->links[i];
		if (!str_equal(one->kind, "wireguard"))
			continue;
		int error = wireguard_get(one->index, &one->wireguard, first ? NULL : reterr);
		first = first ? first : error;
	}
	return first;
}
