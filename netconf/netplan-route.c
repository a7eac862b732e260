// The keys of addresses and routes; routes get what the kernel would fill in.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/netplan-keys.h"
#include "netconf/netplan-value.h"

#include <errno.h>
#include <linux/rtnetlink.h>

int netplan_decode_addresses(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	int error = netplan_need_type(value, VALUE_ARRAY, what, reterr);
	if (error < 0)
		return error;
	for (size_t i = 0; i < value->n; i++) {
		const struct value *item = &value->items[i];
		struct address address;
		if (item->type == VALUE_OBJECT)
			return netplan_refuse(item, reterr,
				"%s[%zu]: options of an address (label, lifetime) are not supported", what, i);
		if (!netplan_scalar(item) || address_parse(netplan_scalar(item), true, &address) < 0)
			return netplan_refuse(item, reterr,
				"%s[%zu]: must be ADDRESS/PREFIX like 10.0.0.2/24, not \"%s\"", what, i,
				netplan_scalar(item) ? netplan_scalar(item) : "");
		if (declaration->n_addresses == NETWORK_MAX_ADDRESSES)
			return netplan_refuse(item, reterr, "%s: at most %d addresses on one link", what,
				NETWORK_MAX_ADDRESSES);
		if (netplan_grow((void **)&declaration->addresses, declaration->n_addresses, sizeof(address)) < 0)
			return -ENOMEM;
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
	netplan_at_text(at, declaration->routes_where[declaration->n_routes]);
	declaration->routes[declaration->n_routes++] = *route;
	return 0;
}

// What the kernel fills in when it is not said: metric 1024 for IPv6, scope link for IPv4 without a gateway.
static void route_complete(struct route *route, bool has_scope)
{
	bool is_v4 = route->destination.ip.family == AF_INET;
	if (!is_v4)
		route->scope = RT_SCOPE_UNIVERSE;
	else if (!has_scope)
		route->scope = route->gateway.family || !route_needs_link(route) ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	if (!is_v4 && route->metric == 0)
		route->metric = 1024;
}

static int decode_route_to(const struct value *to, const struct route *route, struct address *ret, const char *what,
	struct diag *reterr)
{
	const char *text = netplan_scalar(to);
	if (!text)
		return netplan_refuse(to, reterr, "%s.to: must be a prefix, an address or default", what);
	if (str_equal(text, "default")) {
		if (!route->gateway.family)
			return netplan_refuse(to, reterr, "%s.to: default needs via; say 0.0.0.0/0 or ::/0 without one",
				what);
		*ret = (struct address){.ip.family = route->gateway.family};
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
	static const char *const known[] = {"to", "via", "metric", "table", "on-link", "type", "from", "scope", NULL};
	char path[NETPLAN_PATH_TEXT];
	int64_t number;
	struct route route = {.table = RT_TABLE_MAIN, .type = RTN_UNICAST};
	int error = netplan_need_type(item, VALUE_OBJECT, what, reterr);
	if (error == 0)
		error = value_only_keys(item, what, known, reterr);
	if (error == 0)
		error = decode_route_ip(item, "via", what, &route.gateway, reterr);
	if (error == 0)
		error = decode_route_ip(item, "from", what, &route.source, reterr);
	if (error < 0)
		return error;
	const struct value *to = value_find(item, "to"), *metric = value_find(item, "metric");
	const struct value *table = value_find(item, "table"), *on_link = value_find(item, "on-link");
	const struct value *type = value_find(item, "type"), *scope = value_find(item, "scope");
	if (!to)
		return netplan_refuse(item, reterr, "%s: needs the key to", what);
	error = decode_route_to(to, &route, &route.destination, what, reterr);
	if (error < 0)
		return error;
	netplan_path_set(path, "%s.metric", what);
	if (metric && (error = value_int(metric, path, 0, UINT32_MAX, &number, reterr)) < 0)
		return error;
	route.metric = metric ? (uint32_t)number : 0;
	netplan_path_set(path, "%s.table", what);
	if (table && (error = value_int(table, path, 1, UINT32_MAX, &number, reterr)) < 0)
		return error;
	route.table = table ? (uint32_t)number : RT_TABLE_MAIN;
	if (route.table == RT_TABLE_LOCAL)
		return netplan_refuse(table, reterr, "%s: table 255 is the kernel's own", what);
	netplan_path_set(path, "%s.on-link", what);
	if (on_link && (error = value_bool(on_link, path, &route.on_link, reterr)) < 0)
		return error;
	if (type) {
		int number_of_type = netplan_scalar(type) ? route_type_parse(netplan_scalar(type)) : -EINVAL;
		if (number_of_type < 0)
			return netplan_refuse(type, reterr,
				"%s.type: must be unicast, blackhole, unreachable or prohibit, not \"%s\"",
				what, netplan_scalar(type) ? netplan_scalar(type) : "");
		route.type = (uint8_t)number_of_type;
	}
	if (scope) {
		const char *word = netplan_scalar(scope);
		if (!str_equal(word, "global") && !str_equal(word, "link") && !str_equal(word, "host"))
			return netplan_refuse(scope, reterr, "%s.scope: must be global, link or host, not \"%s\"", what,
				word ? word : "");
		route.scope = str_equal(word, "link") ? RT_SCOPE_LINK : str_equal(word, "host") ? RT_SCOPE_HOST
												: RT_SCOPE_UNIVERSE;
	}
	if ((route.gateway.family && route.gateway.family != route.destination.ip.family) ||
		(route.source.family && route.source.family != route.destination.ip.family))
		return netplan_refuse(item, reterr, "%s: to, via and from must be of one address family", what);
	if (!route_needs_link(&route) && route.gateway.family)
		return netplan_refuse(item, reterr, "%s: a %s route has no via", what, route_type_word(route.type));
	if (route.on_link && !route.gateway.family)
		return netplan_refuse(item, reterr, "%s: on-link needs via", what);
	route_complete(&route, scope != NULL);
	return add_route(declaration, &route, item);
}

int netplan_decode_routes(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	char path[NETPLAN_PATH_TEXT];
	int error = netplan_need_type(value, VALUE_ARRAY, what, reterr);
	if (error == 0 && declaration->n_routes + value->n > NETWORK_MAX_ROUTES)
		return netplan_refuse(value, reterr, "%s: at most %d routes on one link", what, NETWORK_MAX_ROUTES);
	for (size_t i = 0; error == 0 && i < value->n; i++) {
		netplan_path_set(path, "%s[%zu]", what, i);
		error = decode_route(declaration, &value->items[i], path, reterr);
	}
	return error;
}

int netplan_decode_gateway(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	sa_family_t family = what[strlen(what) - 1] == '4' ? AF_INET : AF_INET6; // gateway4, gateway6
	struct route route = {.table = RT_TABLE_MAIN, .type = RTN_UNICAST, .destination.ip.family = family};
	if (!netplan_scalar(value) || ip_parse(netplan_scalar(value), &route.gateway) < 0 ||
		route.gateway.family != family)
		return netplan_refuse(value, reterr, "%s: must be an IPv%d address, not \"%s\"", what,
			family == AF_INET ? 4 : 6, netplan_scalar(value) ? netplan_scalar(value) : "");
	route_complete(&route, false);
	return add_route(declaration, &route, value);
}
