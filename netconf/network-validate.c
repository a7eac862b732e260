// What holds across the keys of a definition and across definitions.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/network-validate.h"

#include <errno.h>
#include <linux/rtnetlink.h>

enum { IPV6_MIN_MTU = 1280 };

// --- routes ---

struct located_route {
	struct route *route;
	const struct declaration *declaration;
	const struct place *where;
};

static int compare_located(const void *a, const void *b)
{
	const struct located_route *one = a, *other = b;
	int order = route_compare_key(one->route, other->route);
	if (order == 0 && one->declaration != other->declaration)
		order = one->declaration < other->declaration ? -1 : 1;
	if (order == 0)
		order = one->route < other->route ? -1 : one->route > other->route;
	return order;
}

// What says no table gets one.
static int complete_tables(const struct network *network, struct declaration *declaration, struct diag *reterr)
{
	uint32_t main_table = network_default_table(network, declaration, RTN_UNICAST);
	uint32_t local_table = network_default_table(network, declaration, RTN_LOCAL);
	for (size_t i = 0; i < declaration->n_routes; i++) {
		struct route *route = &declaration->routes[i];
		bool is_local = route->type == RTN_LOCAL || route->type == RTN_BROADCAST || route->type == RTN_ANYCAST;
		if (route->table == 0)
			route->table = is_local ? local_table : main_table;
		if (declaration->kind == DECLARATION_VRF && route->table != declaration->vrf_table)
			return place_refuse(reterr, -EINVAL, &declaration->routes_where[i],
				"vrfs.%s.routes[%zu].table: must be the VRF's own, %u, not %u", declaration->id, i,
				declaration->vrf_table, route->table);
	}
	for (size_t i = 0; i < declaration->n_rules; i++) {
		struct rule *rule = &declaration->rules[i];
		if (rule->table == 0)
			rule->table = declaration->kind == DECLARATION_VRF ? declaration->vrf_table : RT_TABLE_MAIN;
		if (declaration->kind == DECLARATION_VRF && rule->table != declaration->vrf_table)
			return place_refuse(reterr, -EINVAL, &declaration->rules_where[i],
				"vrfs.%s.routing-policy[%zu].table: must be the VRF's own, %u, not %u", declaration->id, i,
				declaration->vrf_table, rule->table);
	}
	return 0;
}

// Routes without a family were there twice and go; the order of the document stays.
static void drop_repeated_routes(struct declaration *declaration)
{
	size_t n = 0;
	for (size_t i = 0; i < declaration->n_routes; i++) {
		if (!declaration->routes[i].destination.ip.family)
			continue;
		for (size_t j = 0; j < 2; j++)
			if (declaration->gateway_routes[j] == i + 1)
				declaration->gateway_routes[j] = n + 1;
		declaration->routes[n] = declaration->routes[i];
		declaration->routes_where[n] = declaration->routes_where[i];
		n++;
	}
	declaration->n_routes = n;
}

static int validate_routes(struct network *network, struct diag *reterr)
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
				&declaration->routes_where[j]};
	}
	sort_items(all, n, sizeof(*all), compare_located);
	const struct located_route *first = n ? &all[0] : NULL; // of those with the same key
	bool has_repeated = false;
	for (size_t i = 1; i < n; i++) {
		char text[ROUTE_TEXT], other[DIAG_WHERE_MAX];
		if (route_compare_key(first->route, all[i].route) != 0) {
			first = &all[i];
			continue;
		}
		if (first->declaration != all[i].declaration || !route_equal(first->route, all[i].route))
			return place_refuse(reterr, -EINVAL, all[i].where,
				"route %s of %s: destination, table and metric are those of the route at %s (%s); the kernel "
				"keeps one of them",
				route_format(all[i].route, text), all[i].declaration->id, place_text(first->where, other),
				first->declaration->id);
		all[i].route->destination.ip.family = AF_UNSPEC; // said twice: netplan takes it as one, too
		has_repeated = true;
	}
	for (size_t i = 0; has_repeated && i < network->n; i++)
		drop_repeated_routes(&network->declarations[i]);
	return 0;
}

// --- rules ---

static int compare_rule_pointers(const void *a, const void *b)
{
	const struct rule *const *one = a, *const *other = b;
	int order = rule_compare(*one, *other);
	return order ? order : *one < *other ? -1 : *one > *other;
}

// The kernel has a rule once, whichever links declare it; one of them stays.
static int drop_repeated_rules(struct network *network)
{
	size_t n = 0;
	for (size_t i = 0; i < network->n; i++)
		n += network->declarations[i].n_rules;
	AUTO_FREE struct rule **all = calloc(n ? n : 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < network->n; i++)
		for (size_t j = 0; j < network->declarations[i].n_rules; j++)
			all[n++] = &network->declarations[i].rules[j];
	sort_items(all, n, sizeof(struct rule *), compare_rule_pointers);
	const struct rule *first = n ? all[0] : NULL;
	for (size_t i = 1; i < n; i++) {
		if (rule_compare(first, all[i]) == 0)
			all[i]->family = AF_UNSPEC;
		else
			first = all[i];
	}
	for (size_t i = 0; i < network->n; i++) {
		struct declaration *declaration = &network->declarations[i];
		size_t n_kept = 0;
		for (size_t j = 0; j < declaration->n_rules; j++) {
			if (declaration->rules[j].family == AF_UNSPEC)
				continue;
			declaration->rules[n_kept] = declaration->rules[j];
			declaration->rules_where[n_kept++] = declaration->rules_where[j];
		}
		declaration->n_rules = n_kept;
	}
	return 0;
}

// --- one definition ---

static int compare_address_pointers(const void *a, const void *b)
{
	const struct address *const *one = a, *const *other = b;
	int order = ip_compare(&(*one)->ip, &(*other)->ip);
	return order ? order : *one < *other ? -1 : *one > *other;
}

// The order of the document stays. What is said twice goes: netplan takes it as one, too.
static int validate_addresses(struct declaration *declaration, struct diag *reterr)
{
	char text[ADDRESS_TEXT], other[ADDRESS_TEXT], where[DIAG_WHERE_MAX];
	struct address *addresses = declaration->addresses;
	size_t n = declaration->n_addresses, n_kept = 0;
	AUTO_FREE struct address **sorted = calloc(n + 1, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &addresses[i];
	sort_items(sorted, n, sizeof(*sorted), compare_address_pointers);
	const struct address *first = sorted[0]; // of those with the same IP
	for (size_t i = 1; i < n; i++) {
		if (ip_compare(&first->ip, &sorted[i]->ip) != 0) {
			first = sorted[i];
			continue;
		}
		if (first->prefix != sorted[i]->prefix)
			return place_refuse(reterr, -EINVAL, &declaration->addresses_where[sorted[i] - addresses],
				"%s: address %s is there twice, as %s at %s", declaration->id,
				address_format(sorted[i], text), address_format(first, other),
				place_text(&declaration->addresses_where[first - addresses], where));
		sorted[i]->prefix = 0; // no address has that: it is one that goes
	}
	for (size_t i = 0; i < n; i++) {
		if (addresses[i].prefix == 0)
			continue;
		declaration->addresses_where[n_kept] = declaration->addresses_where[i];
		addresses[n_kept++] = addresses[i];
	}
	declaration->n_addresses = n_kept;
	return 0;
}

static bool has_ipv6(const struct declaration *declaration)
{
	bool yes = declaration->dhcp6 || (declaration->has_accept_ra && declaration->accept_ra) ||
		   (declaration->has_link_local && declaration->link_local6);
	for (size_t i = 0; i < declaration->n_addresses; i++)
		yes |= declaration->addresses[i].ip.family == AF_INET6;
	for (size_t i = 0; i < declaration->n_routes; i++)
		yes |= declaration->routes[i].destination.ip.family == AF_INET6;
	return yes;
}

static int refuse_mtu(const struct declaration *below, const struct declaration *declaration, struct diag *reterr)
{
	return place_refuse(reterr, -EINVAL, &below->where, "%s: mtu must be at least %d with IPv6 on %s, not %u", below->id,
		IPV6_MIN_MTU, declaration->id, below->mtu);
}

// A VLAN has no larger packets than what it stands on, a bridge without an MTU of its own the smallest of its ports'.
static int validate_mtu_below(const struct network *network, const struct declaration *declaration, struct diag *reterr)
{
	const struct declaration *below = declaration;
	if (!has_ipv6(declaration))
		return 0;
	while (below->kind == DECLARATION_VLAN && (below = network_find(network, below->parent)))
		if (below->mtu && below->mtu < IPV6_MIN_MTU)
			return refuse_mtu(below, declaration, reterr);
	for (size_t i = 0; declaration->kind == DECLARATION_BRIDGE && !declaration->mtu && i < declaration->n_ports; i++)
		if ((below = network_find(network, declaration->ports[i])) && below->mtu && below->mtu < IPV6_MIN_MTU)
			return refuse_mtu(below, declaration, reterr);
	return 0;
}

static int validate_wireguard(struct declaration *declaration, struct diag *reterr)
{
	if (!declaration->has_mode)
		return place_refuse(reterr, -EINVAL, &declaration->where, "tunnels.%s: needs the key mode: wireguard",
			declaration->id);
	if (!declaration->key_file)
		return place_refuse(reterr, -EINVAL, &declaration->where, "tunnels.%s: needs key, the path of its key file",
			declaration->id);
	struct diag rule = {0};
	int error = peer_table_check(&declaration->peers, &rule);
	if (error == -EINVAL)
		return place_refuse(reterr, error, &declaration->where, "tunnels.%s: %s", declaration->id, rule.message);
	return error;
}

static int validate_declaration(struct declaration *declaration, struct diag *reterr)
{
	int error = validate_addresses(declaration, reterr);
	if (error < 0)
		return error;
	if (!declaration->has_match && !link_name_valid(declaration->id))
		return place_refuse(reterr, -EINVAL, &declaration->where,
			"%s: %sthe id is the link's name: must be %s", declaration->id,
			declaration->kind == DECLARATION_ETHERNET ? "without match " : "", LINK_NAME_RULE);
	if (declaration->set_name && !declaration->has_match)
		return place_refuse(reterr, -EINVAL, &declaration->where, "%s: set-name needs match", declaration->id);
	if (declaration->mtu && declaration->mtu < IPV6_MIN_MTU && has_ipv6(declaration))
		return place_refuse(reterr, -EINVAL, &declaration->where, "%s: mtu must be at least %d with IPv6, not %u",
			declaration->id, IPV6_MIN_MTU, declaration->mtu);
	if (declaration->kind == DECLARATION_BOND)
		return bond_validate(declaration, reterr);
	if (declaration->kind == DECLARATION_BRIDGE)
		return bridge_validate(declaration, reterr);
	return declaration->kind == DECLARATION_WIREGUARD ? validate_wireguard(declaration, reterr) : 0;
}

// --- the whole ---

// networkd reads 10-netplan-ID.network in the order of these names, and the first that fits a link has it.
static int compare_ids(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return (uint8_t)(*a ? *a : '.') - (uint8_t)(*b ? *b : '.');
}

// Few, and mostly in order already. The other kinds keep their order.
static void sort_ethernets(struct network *network)
{
	for (size_t i = 1; i < network->n; i++) {
		struct declaration moved = network->declarations[i];
		size_t to = i;
		if (moved.kind != DECLARATION_ETHERNET)
			continue;
		for (size_t j = i; j-- > 0 && (network->declarations[j].kind != DECLARATION_ETHERNET ||
						      compare_ids(network->declarations[j].id, moved.id) > 0);)
			to = network->declarations[j].kind == DECLARATION_ETHERNET ? j : to;
		memmove(&network->declarations[to + 1], &network->declarations[to], (i - to) * sizeof(moved));
		network->declarations[to] = moved;
	}
}

int network_validate(struct network *network, struct diag *reterr)
{
	sort_ethernets(network);
	int error = network_resolve(network, reterr);
	for (size_t i = 0; error == 0 && i < network->n; i++)
		error = validate_declaration(&network->declarations[i], reterr);
	for (size_t i = 0; error == 0 && i < network->n; i++)
		error = validate_mtu_below(network, &network->declarations[i], reterr);
	for (size_t i = 0; error == 0 && i < network->n; i++)
		error = complete_tables(network, &network->declarations[i], reterr);
	if (error == 0)
		error = validate_routes(network, reterr);
	return error < 0 ? error : drop_repeated_rules(network);
}
