// How far each declared link is, and the sentence for the person who waits.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/online.h"

#include "base/file.h"
#include "base/time.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

struct netconf_online *netconf_online_free(struct netconf_online *online)
{
	if (online)
		free(online->links);
	free(online);
	return NULL;
}

static void look(const struct claim *claim, const struct kernel *kernel, bool lease, struct netconf_online_link *ret)
{
	const struct declaration *declaration = claim->declaration;
	const struct kernel_link *one = claim->link;
	size_t n, first = kernel_addresses_of(kernel, one->index, &n);
	for (size_t i = first; i < first + n && !ret->address[0]; i++) {
		const struct kernel_address *address = &kernel->addresses[i];
		if (address->scope == RT_SCOPE_UNIVERSE && !ip_is_link_local(&address->address.ip) &&
			!(address->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)))
			(void)address_format(&address->address, ret->address);
	}
	for (size_t i = 0; i < kernel->n_routes && !ret->gateway[0]; i++) {
		const struct kernel_route *route = &kernel->routes[i];
		if (route->link_index == one->index && route->route.destination.prefix == 0 &&
			route->route.type == RTN_UNICAST && route->route.gateway.family)
			(void)ip_format(&route->route.gateway, ret->gateway);
	}
	ret->dhcp = declaration->dhcp4 || declaration->dhcp6;
	ret->lease = lease;
	if (!one->carrier)
		ret->reach = NETCONF_DOWN;
	else if (ret->address[0])
		ret->reach = ret->gateway[0] ? NETCONF_GATEWAY : NETCONF_ADDRESS;
	else
		ret->reach = ret->dhcp ? NETCONF_NO_LEASE : NETCONF_NO_ADDRESS;
}

static uint64_t since(const struct netconf_online *previous, const struct netconf_online_link *now, uint64_t now_usec)
{
	for (size_t i = 0; previous && i < previous->n; i++)
		if (str_equal(previous->links[i].name, now->name) && previous->links[i].reach == now->reach)
			return previous->links[i].since_usec;
	return now_usec;
}

// --- which links count ---

static bool asks(const struct declaration *declaration)
{
	return declaration->dhcp4 || declaration->dhcp6 || declaration->n_addresses ||
	       (declaration->has_accept_ra && declaration->accept_ra);
}

static bool stands_below(const struct network *network, const struct declaration *declaration)
{
	for (size_t i = 0; i < network->n; i++)
		if (str_equal(network->declarations[i].parent, declaration->id))
			return true;
	return false;
}

static bool is_port(const struct network *network, const struct declaration *declaration)
{
	const struct declaration *master = declaration->master ? network_find(network, declaration->master) : NULL;
	return master && master->kind != DECLARATION_VRF;
}

/* The links by which this machine may reach others first: ports, and bonds, bridges and VLANs that ask for an address.
 * Not a port whose traffic is a bond's or a VLAN's: that one tells the story. */
static bool counts(const struct network *network, const struct declaration *declaration)
{
	switch (declaration->kind) {
	case DECLARATION_ETHERNET:
		return asks(declaration) ||
		       (!is_port(network, declaration) && !stands_below(network, declaration));
	case DECLARATION_BOND:
	case DECLARATION_BRIDGE:
	case DECLARATION_VLAN:
		return asks(declaration);
	case DECLARATION_DUMMY:
	case DECLARATION_WIREGUARD:
	case DECLARATION_VRF:
	case N_DECLARATION_KINDS:
		break;
	}
	return false;
}

// A VLAN waits for what it stands on: that is what a person has to look for.
static const char *missing_id(const struct network *network, const struct declaration *declaration)
{
	for (size_t i = 0; declaration->parent && i < network->n; i++) {
		const struct declaration *parent = network_find(network, declaration->parent);
		if (!parent)
			break;
		declaration = parent;
	}
	return declaration->id;
}

int online_make(const struct network *network, const struct kernel *kernel, const bool leases[],
	const struct netconf_online *previous, uint64_t now_usec, struct netconf_online **ret, struct diag *reterr)
{
	CLEANUP(claims_done) struct claims claims = {0};
	CLEANUP(netconf_online_freep) struct netconf_online *online = calloc(1, sizeof(*online));
	if (!online)
		return -ENOMEM;
	int error = claims_make(network, kernel, &claims, reterr);
	if (error < 0)
		return error;
	online->links = calloc(claims.n + network->n + 1, sizeof(*online->links));
	if (!online->links)
		return -ENOMEM;
	for (size_t i = 0; i < network->n; i++) {
		const struct declaration *declaration = &network->declarations[i];
		size_t n_before = online->n;
		if (!counts(network, declaration))
			continue;
		for (size_t j = 0; j < claims.n; j++) {
			const struct claim *claim = &claims.claims[j];
			if (claim->declaration != declaration || !claim->link)
				continue;
			struct netconf_online_link *added = &online->links[online->n++];
			memcpy(added->name, claim->name, sizeof(added->name));
			added->optional = declaration->optional;
			look(claim, kernel, leases[claim->link - kernel->links], added);
		}
		if (online->n == n_before) {
			struct netconf_online_link *added = &online->links[online->n++];
			(void)snprintf(added->name, sizeof(added->name), "%.15s", missing_id(network, declaration));
			added->optional = declaration->optional;
			added->reach = NETCONF_MISSING;
		}
	}
	for (size_t i = 0; i < online->n; i++) {
		online->links[i].since_usec = since(previous, &online->links[i], now_usec);
		online->has_address |= online->links[i].reach >= NETCONF_ADDRESS;
		online->has_gateway |= online->links[i].reach == NETCONF_GATEWAY;
	}
	*ret = TAKE_PTR(online);
	return 0;
}

int netconf_online(const struct network *network, const struct netconf_online *previous, uint64_t now_usec,
	struct netconf_online **ret, struct diag *reterr)
{
	CLEANUP(kernel_freep) struct kernel *kernel = NULL;
	int error = kernel_read(KERNEL_LINKS | KERNEL_ADDRESSES | KERNEL_ROUTES, &kernel, reterr);
	if (error < 0)
		return error;
	AUTO_FREE bool *leases = calloc(kernel->n_links + 1, sizeof(*leases));
	if (!leases)
		return -ENOMEM;
	for (size_t i = 0; i < kernel->n_links; i++) {
		char path[64];
		(void)snprintf(path, sizeof(path), "/run/systemd/netif/leases/%d", kernel->links[i].index);
		leases[i] = file_exists(path);
	}
	return online_make(network, kernel, leases, previous, now_usec, ret, reterr);
}

// The link whose story a person should read: the one that is furthest.
static const struct netconf_online_link *furthest(const struct netconf_online *online)
{
	const struct netconf_online_link *best = NULL;
	for (size_t i = 0; i < online->n; i++)
		if (!best || online->links[i].reach > best->reach)
			best = &online->links[i];
	return best;
}

bool netconf_online_sentence(const struct netconf_online *online, uint64_t now_usec, char *buffer, size_t n_buffer)
{
	const struct netconf_online_link *best = furthest(online);
	if (!best) {
		(void)snprintf(buffer, n_buffer, "no network port is declared; check the network part of the seed");
		return true;
	}
	unsigned long long sec = now_usec > best->since_usec ? (now_usec - best->since_usec) / USEC_PER_SEC : 0;
	switch (best->reach) {
	case NETCONF_MISSING:
		(void)snprintf(buffer, n_buffer,
			"no port fits \"%s\" for %llu s; check match in the network settings, or the card and its driver",
			best->name, sec);
		return true;
	case NETCONF_DOWN:
		if (online->n > 1)
			(void)snprintf(buffer, n_buffer,
				"none of the %zu ports has carrier for %llu s; check the cables and the switch", online->n, sec);
		else
			(void)snprintf(buffer, n_buffer, "%s has no carrier for %llu s; check the cable and the switch port",
				best->name, sec);
		return true;
	case NETCONF_NO_LEASE:
		(void)snprintf(buffer, n_buffer, "%s has carrier but no DHCP answer for %llu s; ask the network team",
			best->name, sec);
		return true;
	case NETCONF_NO_ADDRESS:
		(void)snprintf(buffer, n_buffer,
			"%s has carrier but no address for %llu s, and neither DHCP nor an address is declared for it",
			best->name, sec);
		return true;
	case NETCONF_ADDRESS:
		(void)snprintf(buffer, n_buffer, "%s has address %s but there is no default route; declare one, or let DHCP "
						 "give one",
			best->name, best->address);
		return true;
	case NETCONF_GATEWAY:
		break;
	}
	buffer[0] = '\0';
	return false;
}
