// The machine's links as facts.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/kernel.h"
#include "netconf/netconf.h"

#include "base/file.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

struct netconf_links *netconf_links_free(struct netconf_links *links)
{
	if (!links)
		return NULL;
	for (size_t i = 0; i < links->n; i++)
		free(links->links[i].addresses);
	free(links->links);
	free(links);
	return NULL;
}

static uint32_t read_speed(const char *name)
{
	char path[64 + IFNAMSIZ];
	AUTO_FREE char *text = NULL;
	(void)snprintf(path, sizeof(path), "/sys/class/net/%s/speed", name);
	if (file_read(path, 32, &text, NULL, NULL) < 0)
		return 0; // not known while the link is down
	long speed = strtol(text, NULL, 10);
	return speed > 0 ? (uint32_t)speed : 0;
}

static void name_of(const struct kernel *kernel, int link_index, char ret[static IFNAMSIZ])
{
	const struct kernel_link *one = link_index ? kernel_link_by_index(kernel, link_index) : NULL;
	if (one)
		memcpy(ret, one->name, IFNAMSIZ);
}

static int describe(const struct kernel *kernel, const struct kernel_link *one, struct netconf_link *ret)
{
	size_t n, first = kernel_addresses_of(kernel, one->index, &n);
	ret->index = one->index;
	memcpy(ret->name, one->name, sizeof(ret->name));
	memcpy(ret->kind, one->kind, sizeof(ret->kind));
	memcpy(ret->driver, one->driver, sizeof(ret->driver));
	if (one->has_mac)
		(void)mac_format(one->mac, ret->mac);
	if (one->has_permanent_mac)
		(void)mac_format(one->permanent_mac, ret->permanent_mac);
	ret->up = (one->flags & IFF_UP) != 0;
	ret->carrier = one->carrier;
	ret->wired = kernel_link_is_wired(one);
	ret->mtu = one->mtu;
	name_of(kernel, one->master_index, ret->master);
	memcpy(ret->port_kind, one->port_kind, sizeof(ret->port_kind));
	name_of(kernel, one->parent_index, ret->parent);
	ret->vlan_id = one->vlan_id;
	ret->speed_mbit = ret->wired ? read_speed(one->name) : 0;
	ret->addresses = calloc(n ? n : 1, sizeof(*ret->addresses));
	if (!ret->addresses)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct kernel_address *address = &kernel->addresses[first + i];
		(void)address_format(&address->address, ret->addresses[i].text);
		ret->addresses[i].permanent = (address->flags & IFA_F_PERMANENT) != 0;
		ret->addresses[i].global =
			address->scope == RT_SCOPE_UNIVERSE && !ip_is_link_local(&address->address.ip);
	}
	ret->n_addresses = n;
	return 0;
}

int netconf_links(struct netconf_links **ret, struct diag *reterr)
{
	CLEANUP(kernel_freep) struct kernel *kernel = NULL;
	CLEANUP(netconf_links_freep) struct netconf_links *links = calloc(1, sizeof(*links));
	if (!links)
		return -ENOMEM;
	int error = kernel_read(KERNEL_LINKS | KERNEL_ADDRESSES, &kernel, reterr);
	if (error < 0)
		return error;
	links->links = calloc(kernel->n_links ? kernel->n_links : 1, sizeof(*links->links));
	if (!links->links)
		return -ENOMEM;
	for (size_t i = 0; error == 0 && i < kernel->n_links; i++, links->n++)
		error = describe(kernel, &kernel->links[i], &links->links[i]);
	if (error < 0)
		return error;
	*ret = TAKE_PTR(links);
	return 0;
}
