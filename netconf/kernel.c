// The kernel's links, addresses and routes.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/kernel.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

struct kernel *kernel_free(struct kernel *kernel)
{
	if (!kernel)
		return NULL;
	for (size_t i = 0; i < kernel->n_links; i++)
		wireguard_device_done(&kernel->links[i].wireguard);
	free(kernel->links);
	free(kernel->addresses);
	free(kernel->routes);
	free(kernel);
	return NULL;
}

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

static int decode_link(struct kernel *kernel, const struct nlmsghdr *message)
{
	struct nlattr *fields[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
	const struct ifinfomsg *header = nlmsg_data(message);
	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)message, sizeof(*header), fields, IFLA_MAX, NULL) < 0)
		return -EBADMSG;
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
	uint8_t carrier = 0;
	// Without IFF_UP the carrier is not known; IFLA_CARRIER says 0 then on most drivers.
	added->carrier = get_u8(fields[IFLA_CARRIER], &carrier) && carrier && (added->flags & IFF_UP);
	if (fields[IFLA_LINKINFO] && nla_parse_nested(info, IFLA_INFO_MAX, fields[IFLA_LINKINFO], NULL) == 0)
		get_text(info[IFLA_INFO_KIND], added->kind, sizeof(added->kind));
	return 0;
}

static int decode_address(struct kernel *kernel, const struct nlmsghdr *message)
{
	struct nlattr *fields[IFA_MAX + 1];
	const struct ifaddrmsg *header = nlmsg_data(message);
	struct ip ip;
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
	added->flags = header->ifa_flags;
	(void)get_u32(fields[IFA_FLAGS], &added->flags);   // absent: the 8 bits of the header
	(void)get_u8(fields[IFA_PROTO], &added->protocol); // absent: not said
	return 0;
}

static int decode_route(struct kernel *kernel, const struct nlmsghdr *message)
{
	struct nlattr *fields[RTA_MAX + 1];
	const struct rtmsg *header = nlmsg_data(message);
	struct kernel_route route = {0};
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
	if (inner->table == RT_TABLE_LOCAL || header->rtm_type == RTN_MULTICAST || header->rtm_type == RTN_ANYCAST)
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

int kernel_decode(struct kernel *kernel, const struct nlmsghdr *message)
{
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
		return decode_link(kernel, message);
	case RTM_NEWADDR:
		return decode_address(kernel, message);
	case RTM_NEWROUTE:
		return decode_route(kernel, message);
	default:
		return 0;
	}
}

static int compare_links(const void *a, const void *b)
{
	int one = ((const struct kernel_link *)a)->index, other = ((const struct kernel_link *)b)->index;
	return one < other ? -1 : one > other;
}

static int compare_addresses(const void *a, const void *b)
{
	const struct kernel_address *one = a, *other = b;
	if (one->link_index != other->link_index)
		return one->link_index < other->link_index ? -1 : 1;
	return address_compare(&one->address, &other->address);
}

static int compare_routes(const void *a, const void *b)
{
	return route_compare_key(&((const struct kernel_route *)a)->route, &((const struct kernel_route *)b)->route);
}

void kernel_sort(struct kernel *kernel)
{
	if (kernel->n_links)
		qsort(kernel->links, kernel->n_links, sizeof(*kernel->links), compare_links);
	if (kernel->n_addresses)
		qsort(kernel->addresses, kernel->n_addresses, sizeof(*kernel->addresses), compare_addresses);
	if (kernel->n_routes)
		qsort(kernel->routes, kernel->n_routes, sizeof(*kernel->routes), compare_routes);
}

struct kernel_link *kernel_link_by_name(const struct kernel *kernel, const char *name)
{
	for (size_t i = 0; i < kernel->n_links; i++)
		if (str_equal(kernel->links[i].name, name))
			return &kernel->links[i];
	return NULL;
}

struct kernel_link *kernel_link_by_index(const struct kernel *kernel, int index)
{
	struct kernel_link key = {.index = index};
	if (!kernel->n_links)
		return NULL;
	return bsearch(&key, kernel->links, kernel->n_links, sizeof(key), compare_links);
}

size_t kernel_addresses_of(const struct kernel *kernel, int link_index, size_t *ret_n)
{
	size_t low = 0, high = kernel->n_addresses;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (kernel->addresses[middle].link_index < link_index)
			low = middle + 1;
		else
			high = middle;
	}
	size_t n = 0;
	while (low + n < kernel->n_addresses && kernel->addresses[low + n].link_index == link_index)
		n++;
	*ret_n = n;
	return low;
}

bool kernel_link_is_wired(const struct kernel_link *link)
{
	static const char *const not_a_port[] = { // USB functions of BMCs, phones and gadgets
		"cdc_ether", "cdc_ncm", "cdc_eem", "cdc_subset", "cdc_mbim", "rndis_host", "g_ether", "usb0", NULL};
	if (link->type != ARPHRD_ETHER || link->kind[0] || link->wireless || (link->flags & IFF_LOOPBACK))
		return false;
	for (size_t i = 0; not_a_port[i]; i++)
		if (str_equal(link->driver, not_a_port[i]))
			return false;
	return !str_starts(link->name, "usb"); // a gadget's own end
}

// --- reading ---

static int on_message(const struct nlmsghdr *message, void *user)
{
	return kernel_decode(user, message);
}

static struct nl_msg *dump_request(unsigned what)
{
	struct ifinfomsg link_header = {.ifi_family = AF_UNSPEC};
	struct ifaddrmsg address_header = {.ifa_family = AF_UNSPEC};
	struct rtmsg route_header = {.rtm_family = AF_UNSPEC};
	if (what == KERNEL_ADDRESSES)
		return netlink_message(RTM_GETADDR, 0, &address_header, sizeof(address_header));
	if (what == KERNEL_ROUTES)
		return netlink_message(RTM_GETROUTE, 0, &route_header, sizeof(route_header));
	struct nl_msg *request = netlink_message(RTM_GETLINK, 0, &link_header, sizeof(link_header));
	if (request)
		(void)nla_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS); // only makes the answer smaller
	return request;
}

// Forget a part that was read while the kernel changed.
static void drop_part(struct kernel *kernel, unsigned what)
{
	if (what == KERNEL_LINKS) {
		free(TAKE_PTR(kernel->links));
		kernel->n_links = 0;
	} else if (what == KERNEL_ADDRESSES) {
		free(TAKE_PTR(kernel->addresses));
		kernel->n_addresses = 0;
	} else {
		free(TAKE_PTR(kernel->routes));
		kernel->n_routes = 0;
	}
}

static int read_part(struct netlink *netlink, unsigned what, struct kernel *kernel)
{
	int error = -EAGAIN;
	for (int attempt = 0; error == -EAGAIN && attempt < 10; attempt++) {
		drop_part(kernel, what);
		error = netlink_dump(netlink, dump_request(what), on_message, kernel);
	}
	return error;
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
	CLEANUP(netlink_freep) struct netlink *netlink = NULL;
	CLEANUP(kernel_freep) struct kernel *kernel = calloc(1, sizeof(*kernel));
	static const unsigned parts[] = {KERNEL_LINKS, KERNEL_ADDRESSES, KERNEL_ROUTES};
	if (!kernel)
		return -ENOMEM;
	int error = netlink_open(NETLINK_ROUTE, &netlink, reterr);
	if (error < 0)
		return error;
	for (size_t i = 0; error == 0 && i < N_ELEMENTS(parts); i++)
		if (what & parts[i])
			error = read_part(netlink, parts[i], kernel);
	if (error < 0)
		return diag_set(reterr, error, "kernel", "its network cannot be read: %s", strerror(-error));
	read_drivers(kernel);
	kernel_sort(kernel);
	*ret = TAKE_PTR(kernel);
	return 0;
}
