// Routes as values.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>

static const struct {
	uint8_t type;
	const char *word;
} route_types[] = {
	{RTN_UNICAST, "unicast"},
	{RTN_BLACKHOLE, "blackhole"},
	{RTN_UNREACHABLE, "unreachable"},
	{RTN_PROHIBIT, "prohibit"},
	{RTN_THROW, "throw"},
	{RTN_LOCAL, "local"},
	{RTN_BROADCAST, "broadcast"},
	{RTN_ANYCAST, "anycast"},
	{RTN_MULTICAST, "multicast"},
};

int route_compare_key(const struct route *a, const struct route *b)
{
	if (a->table != b->table)
		return a->table < b->table ? -1 : 1;
	int order = address_compare(&a->destination, &b->destination);
	if (order)
		return order;
	return a->metric == b->metric ? 0 : a->metric < b->metric ? -1 : 1;
}

bool route_equal(const struct route *a, const struct route *b)
{
	return a->type == b->type && a->scope == b->scope && a->on_link == b->on_link &&
	       ip_compare(&a->gateway, &b->gateway) == 0 && ip_compare(&a->source, &b->source) == 0 &&
	       a->mtu == b->mtu && a->cwnd == b->cwnd && a->rwnd == b->rwnd;
}

uint8_t route_default_scope(const struct route *route)
{
	if (route->destination.ip.family != AF_INET)
		return RT_SCOPE_UNIVERSE;
	switch (route->type) {
	case RTN_LOCAL:
		return RT_SCOPE_HOST;
	case RTN_UNICAST:
		return route->gateway.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	case RTN_BROADCAST:
	case RTN_ANYCAST:
	case RTN_MULTICAST:
		return RT_SCOPE_LINK;
	default:
		return RT_SCOPE_UNIVERSE;
	}
}

bool route_needs_link(const struct route *route)
{
	return route->type != RTN_BLACKHOLE && route->type != RTN_UNREACHABLE && route->type != RTN_PROHIBIT &&
	       route->type != RTN_THROW;
}

int route_type_parse(const char *word)
{
	for (size_t i = 0; i < N_ELEMENTS(route_types); i++)
		if (str_equal(word, route_types[i].word))
			return route_types[i].type;
	return -EINVAL;
}

const char *route_type_word(uint8_t type)
{
	for (size_t i = 0; i < N_ELEMENTS(route_types); i++)
		if (type == route_types[i].type)
			return route_types[i].word;
	return NULL;
}

const char *route_format(const struct route *route, char buffer[static ROUTE_TEXT])
{
	static const char *const scopes[256] = {[RT_SCOPE_UNIVERSE] = "global", [RT_SCOPE_LINK] = "link", [RT_SCOPE_HOST] = "host"};
	const struct {
		const char *word;
		uint32_t value, usual;
	} numbers[] = {
		{"metric", route->metric, 0}, {"table", route->table, RT_TABLE_MAIN}, {"mtu", route->mtu, 0},
		{"congestion-window", route->cwnd, 0}, {"advertised-receive-window", route->rwnd, 0}};
	char text[ADDRESS_TEXT], gateway[ADDRESS_TEXT + 8] = "", source[ADDRESS_TEXT + 8] = "", type[24] = "", scope[24] = "";
	const char *word = route_type_word(route->type);
	if (route->type != RTN_UNICAST)
		(void)snprintf(type, sizeof(type), "%s ", word ? word : "special");
	if (route->gateway.family)
		(void)snprintf(gateway, sizeof(gateway), " via %s", ip_format(&route->gateway, text));
	if (route->source.family)
		(void)snprintf(source, sizeof(source), " from %s", ip_format(&route->source, text));
	if (route->scope != route_default_scope(route))
		(void)snprintf(scope, sizeof(scope), " scope %s", scopes[route->scope] ? scopes[route->scope] : "special");
	int n = snprintf(buffer, ROUTE_TEXT, "%s%s%s%s%s%s", type, address_format(&route->destination, text), gateway, source,
		route->on_link ? " on-link" : "", scope);
	for (size_t i = 0; i < N_ELEMENTS(numbers); i++)
		if (numbers[i].value != numbers[i].usual)
			n += snprintf(buffer + n, ROUTE_TEXT - (size_t)n, " %s %u", numbers[i].word, numbers[i].value);
	return buffer;
}
