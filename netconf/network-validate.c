// What holds across the keys of a definition and across definitions.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/network.h"

#include <errno.h>

struct located_route {
	const struct route *route;
	const struct declaration *declaration;
	const char *where;
};

static int compare_located(const void *a, const void *b)
{
	const struct located_route *one = a, *other = b;
	return route_compare_key(one->route, other->route);
}

static int validate_routes(const struct network *network, struct diag *reterr)
{
	size_t n = 0;
	for (size_t i = 0; i < network->n; i++)
		n += network->declarations[i].n_routes;
	AUTO_FREE struct located_route *all = calloc(n ? n : 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < network->n; i++) {
		const struct declaration *declaration = &network->declarations[i];
		for (size_t j = 0; j < declaration->n_routes; j++)
			all[n++] = (struct located_route){&declaration->routes[j], declaration,
				declaration->routes_where[j]};
	}
	if (n)
		qsort(all, n, sizeof(*all), compare_located);
	for (size_t i = 1; i < n; i++) {
		char text[ROUTE_TEXT];
		if (compare_located(&all[i - 1], &all[i]) == 0)
			return diag_set(reterr, -EINVAL, all[i].where,
				"route %s of %s: destination, table and metric are those of the route at %s (%s); the kernel "
				"keeps one of them",
				route_format(all[i].route, text), all[i].declaration->id, all[i - 1].where,
				all[i - 1].declaration->id);
	}
	return 0;
}

static int compare_address_pointers(const void *a, const void *b)
{
	return address_compare(a, b);
}

static int validate_declaration(struct declaration *declaration, struct diag *reterr)
{
	char text[ADDRESS_TEXT];
	if (declaration->n_addresses)
		qsort(declaration->addresses, declaration->n_addresses, sizeof(*declaration->addresses),
			compare_address_pointers);
	for (size_t i = 1; i < declaration->n_addresses; i++)
		if (ip_compare(&declaration->addresses[i - 1].ip, &declaration->addresses[i].ip) == 0)
			return diag_set(reterr, -EINVAL, declaration->where, "%s: address %s is there twice", declaration->id,
				ip_format(&declaration->addresses[i].ip, text));
	if (!declaration->has_match && !link_name_valid(declaration->id))
		return diag_set(reterr, -EINVAL, declaration->where,
			"%s: without match the id is a link's name: 1-15 letters, digits and . _ - @", declaration->id);
	if (declaration->set_name && !declaration->has_match)
		return diag_set(reterr, -EINVAL, declaration->where, "%s: set-name needs match", declaration->id);
	if (declaration->mtu && declaration->mtu < 1280) {
		for (size_t i = 0; i < declaration->n_addresses; i++)
			if (declaration->addresses[i].ip.family == AF_INET6)
				return diag_set(reterr, -EINVAL, declaration->where,
					"%s: mtu must be at least 1280 with IPv6 addresses, not %u", declaration->id,
					declaration->mtu);
	}
	if (declaration->kind != DECLARATION_WIREGUARD)
		return 0;
	if (!declaration->key_file)
		return diag_set(reterr, -EINVAL, declaration->where, "tunnels.%s: needs key, the path of its key file",
			declaration->id);
	int error = peer_table_check(&declaration->peers, reterr);
	if (error == -EINVAL && reterr)
		(void)snprintf(reterr->where, sizeof(reterr->where), "%s", declaration->where);
	return error;
}

int network_validate(struct network *network, struct diag *reterr)
{
	for (size_t i = 0; i < network->n; i++) {
		int error = validate_declaration(&network->declarations[i], reterr);
		if (error < 0)
			return error;
	}
	return validate_routes(network, reterr);
}
