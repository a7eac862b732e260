// The keys of addresses and routes; routes get what the kernel would fill in.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/netplan-keys.h"
#include "netconf/netplan-value.h"

#include <ctype.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <strings.h>

enum { ROUTE_MAX_MTU = 65535 - 15 }; // net/ipv4/metrics.c

// "10.0.0.2/24": {lifetime: forever} says what is so anyway; the rest is refused by name.
static int check_address_options(const struct value *item, const char *what, struct diag *reterr)
{
	static const char *const known[] = {"label", "lifetime", NULL};
	if (item->n != 1)
		return netplan_refuse(item, reterr, "%s: must be one address with its options", what);
	const struct value *options = &item->items[0];
	int error = netplan_need_type(options, VALUE_OBJECT, what, reterr);
	if (error == 0)
		error = netplan_only_keys(options, what, known, reterr);
	const struct value *label = value_find(options, "label"), *lifetime = value_find(options, "lifetime");
	if (error == 0 && label)
		return netplan_refuse_key(label, reterr, "%s.label: is not supported: Hearth's addresses have no labels", what);
	if (error == 0 && lifetime && (!netplan_scalar(lifetime) || strcasecmp(netplan_scalar(lifetime), "forever") != 0))
		return netplan_refuse(lifetime, reterr, "%s.lifetime: must be forever (others are not supported), not \"%s\"",
			what, netplan_scalar(lifetime) ? netplan_scalar(lifetime) : "");
	return error;
}

int netplan_decode_addresses(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	char path[NETPLAN_PATH_TEXT];
	int error = netplan_need_type(value, VALUE_ARRAY, what, reterr);
	if (error < 0)
		return error;
	for (size_t i = 0; i < value->n; i++) {
		const struct value *item = &value->items[i];
		struct address address;
		if (item->type == VALUE_OBJECT) {
			netplan_path_set_element(path, what, i);
			error = check_address_options(item, path, reterr);
			if (error < 0)
				return error;
		}
		const char *text = item->type == VALUE_OBJECT ? item->keys[0] : netplan_scalar(item);
		if (!text || address_parse(text, true, &address) < 0 || address.prefix == 0)
			return netplan_refuse(item, reterr,
				"%s[%zu]: must be ADDRESS/PREFIX like 10.0.0.2/24, not \"%s\"", what, i, text ? text : "");
		if (declaration->n_addresses == NETWORK_MAX_ADDRESSES)
			return netplan_refuse(item, reterr, "%s: at most %d addresses on one link", what,
				NETWORK_MAX_ADDRESSES);
		if (netplan_grow((void **)&declaration->addresses, declaration->n_addresses, sizeof(address)) < 0 ||
			netplan_grow((void **)&declaration->addresses_where, declaration->n_addresses,
				sizeof(*declaration->addresses_where)) < 0)
			return -ENOMEM;
		declaration->addresses_where[declaration->n_addresses] = netplan_place(declaration, item);
		declaration->addresses[declaration->n_addresses++] = address;
	}
	return 0;
}

static int add_route(struct declaration *declaration, const struct route *route, const struct value *at)
{
	if (netplan_grow((void **)&declaration->routes, declaration->n_routes, sizeof(*route)) < 0 ||
		netplan_grow((void **)&declaration->routes_where, declaration->n_routes,
			sizeof(*declaration->routes_where)) < 0)
		return -ENOMEM;
	declaration->routes_where[declaration->n_routes] = netplan_place(declaration, at);
	declaration->routes[declaration->n_routes++] = *route;
	return 0;
}

// What the kernel fills in when it is not said. The table stays 0 until network_validate() knows the VRF.
static void route_complete(struct route *route, bool has_scope)
{
	bool is_v4 = route->destination.ip.family == AF_INET;
	if (!is_v4 || !has_scope)
		route->scope = route_default_scope(route);
	if (!is_v4 && route->metric == 0)
		route->metric = 1024;
	if (!route->gateway.family)
		route->on_link = false; // netplan takes it; the kernel knows it of gateways only
}

static int decode_route_type(const struct value *value, const char *what, uint8_t *ret, struct diag *reterr)
{
	const char *text = netplan_scalar(value);
	char word[16] = "";
	(void)snprintf(word, sizeof(word), "%s", text ? text : ""); // a longer one is no type
	for (char *c = word; *c; c++)
		*c = (char)tolower((unsigned char)*c); // netplan takes any case
	int type = route_type_parse(word);
	if (str_equal(word, "nat") || str_equal(word, "xresolve"))
		return netplan_refuse(value, reterr, "%s.type: %s is not supported: the kernel refuses such routes", what, word);
	if (type < 0)
		return netplan_refuse(value, reterr,
			"%s.type: must be unicast, blackhole, unreachable, prohibit, throw, local, broadcast, anycast or "
			"multicast, not \"%s\"", what, text ? text : "");
	*ret = (uint8_t)type;
	return 0;
}

static int decode_route_scope(const struct value *value, const char *what, uint8_t *ret, struct diag *reterr)
{
	static const struct {
		const char *word;
		uint8_t scope;
	} scopes[] = {{"global", RT_SCOPE_UNIVERSE}, {"link", RT_SCOPE_LINK}, {"host", RT_SCOPE_HOST}};
	const char *word = netplan_scalar(value);
	for (size_t i = 0; word && i < N_ELEMENTS(scopes); i++) {
		if (strcasecmp(word, scopes[i].word) == 0) {
			*ret = scopes[i].scope;
			return 0;
		}
	}
	return netplan_refuse(value, reterr, "%s.scope: must be global, link or host, not \"%s\"", what, word ? word : "");
}

// The kernel's u32s. An MTU above what it takes becomes what it takes, which it would then show.
static int decode_route_numbers(const struct value *item, const char *what, struct route *route, struct diag *reterr)
{
	const struct {
		const char *key;
		uint32_t *field;
	} numbers[] = {{"metric", &route->metric}, {"table", &route->table}, {"mtu", &route->mtu},
		{"congestion-window", &route->cwnd}, {"advertised-receive-window", &route->rwnd}};
	char path[NETPLAN_PATH_TEXT];
	for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
		const struct value *value = value_find(item, numbers[i].key);
		if (!value) // most routes say none of them, and there are thousands
			continue;
		netplan_path_set(path, "%s.%s", what, numbers[i].key);
		int error = netplan_number(value, path, 0, UINT32_MAX, numbers[i].field, reterr);
		if (error < 0)
			return error;
	}
	if (route->mtu > ROUTE_MAX_MTU)
		route->mtu = ROUTE_MAX_MTU;
	return 0;
}

static int decode_route_to(const struct value *to, const struct route *route, struct address *ret, const char *what,
	struct diag *reterr)
{
	const char *text = netplan_scalar(to);
	if (!text)
		return netplan_refuse(to, reterr, "%s.to: must be a prefix, an address or default", what);
	if (str_equal(text, "default")) {
		sa_family_t family = route->gateway.family ? route->gateway.family : route->source.family;
		if (!family)
			return netplan_refuse(to, reterr, "%s.to: default needs via; say 0.0.0.0/0 or ::/0 without one",
				what);
		*ret = (struct address){.ip.family = family};
		return 0;
	}
	if (address_parse(text, false, ret) < 0)
		return netplan_refuse(to, reterr, "%s.to: must be a prefix, an address or default, not \"%s\"", what,
			text);
	address_mask(ret);
	return 0;
}

static int decode_route_ip(const struct value *item, const char *key, const char *what, struct ip *ret,
	struct diag *reterr)
{
	const struct value *value = value_find(item, key);
	if (!value)
		return 0;
	if (!netplan_scalar(value) || ip_parse(netplan_scalar(value), ret) < 0)
		return netplan_refuse(value, reterr, "%s.%s: must be an address, not \"%s\"", what, key,
			netplan_scalar(value) ? netplan_scalar(value) : "");
	return 0;
}

static int decode_route(struct declaration *declaration, const struct value *item, const char *what,
	struct diag *reterr)
{
	static const char *const known[] = {"to", "via", "from", "metric", "table", "on-link", "type", "scope", "mtu",
		"congestion-window", "advertised-receive-window", "advertised-mss", NULL};
	char path[NETPLAN_PATH_TEXT];
	struct route route = {.type = RTN_UNICAST};
	int error = netplan_need_type(item, VALUE_OBJECT, what, reterr);
	if (error == 0)
		error = netplan_only_keys(item, what, known, reterr);
	if (error == 0 && value_find(item, "advertised-mss"))
		return netplan_refuse_key(value_find(item, "advertised-mss"), reterr,
			"%s.advertised-mss: is not supported: TCP takes it from the route's mtu", what);
	if (error == 0)
		error = decode_route_ip(item, "via", what, &route.gateway, reterr);
	if (error == 0)
		error = decode_route_ip(item, "from", what, &route.source, reterr);
	if (error < 0)
		return error;
	const struct value *to = value_find(item, "to"), *on_link = value_find(item, "on-link");
	const struct value *type = value_find(item, "type"), *scope = value_find(item, "scope");
	if (!to)
		return netplan_refuse(item, reterr, "%s: needs the key to", what);
	error = decode_route_to(to, &route, &route.destination, what, reterr);
	if (error == 0)
		error = decode_route_numbers(item, what, &route, reterr);
	if (error == 0 && on_link) {
		netplan_path_set(path, "%s.on-link", what);
		error = netplan_bool(on_link, path, &route.on_link, reterr);
	}
	if (error == 0 && type)
		error = decode_route_type(type, what, &route.type, reterr);
	if (error == 0 && scope)
		error = decode_route_scope(scope, what, &route.scope, reterr);
	if (error < 0)
		return error;
	if ((route.gateway.family && route.gateway.family != route.destination.ip.family) ||
		(route.source.family && route.source.family != route.destination.ip.family))
		return netplan_refuse(item, reterr, "%s: to, via and from must be of one address family", what);
	if (!route_needs_link(&route)) // netplan takes a via here, the kernel knows none
		route.gateway = (struct ip){0};
	route_complete(&route, scope != NULL);
	return add_route(declaration, &route, item);
}

int netplan_decode_routes(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	char path[NETPLAN_PATH_TEXT];
	int error = netplan_need_type(value, VALUE_ARRAY, what, reterr);
	if (error == 0 && declaration->n_routes + value->n > NETWORK_MAX_ROUTES)
		return netplan_refuse(value, reterr, "%s: at most %d routes on one link, not %zu", what, NETWORK_MAX_ROUTES,
			declaration->n_routes + value->n);
	for (size_t i = 0; error == 0 && i < value->n; i++) {
		netplan_path_set_element(path, what, i);
		error = decode_route(declaration, &value->items[i], path, reterr);
	}
	return error;
}

int netplan_decode_gateway(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	sa_family_t family = what[strlen(what) - 1] == '4' ? AF_INET : AF_INET6; // gateway4, gateway6
	struct route route = {.type = RTN_UNICAST, .destination.ip.family = family};
	size_t *position = &declaration->gateway_routes[family == AF_INET ? 0 : 1];
	if (!netplan_scalar(value) || ip_parse(netplan_scalar(value), &route.gateway) < 0 ||
		route.gateway.family != family)
		return netplan_refuse(value, reterr, "%s: must be an IPv%d address, not \"%s\"", what,
			family == AF_INET ? 4 : 6, netplan_scalar(value) ? netplan_scalar(value) : "");
	route_complete(&route, false);
	if (*position) { // a later document's is instead of an earlier one's
		declaration->routes[*position - 1] = route;
		declaration->routes_where[*position - 1] = netplan_place(declaration, value);
		return 0;
	}
	int error = add_route(declaration, &route, value);
	if (error == 0)
		*position = declaration->n_routes;
	return error;
}
