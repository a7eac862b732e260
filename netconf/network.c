// netplan's document becomes the desired network. Every key is known or refused by name, line and column.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/network.h"

#include "base/crypto.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>

static void declaration_done(struct declaration *declaration)
{
	for (size_t i = 0; i < declaration->n_match_drivers; i++)
		free(declaration->match_drivers[i]);
	for (size_t i = 0; i < declaration->n_search; i++)
		free(declaration->search[i]);
	for (size_t i = 0; i < declaration->n_preshared_files; i++)
		free(declaration->preshared_files[i]);
	free(declaration->match_drivers);
	free(declaration->search);
	free(declaration->preshared_files);
	free(declaration->preshared_owner);
	free(declaration->id);
	free(declaration->match_name);
	free(declaration->match_mac);
	free(declaration->set_name);
	free(declaration->addresses);
	free(declaration->routes);
	free(declaration->routes_where);
	free(declaration->key_file);
	peer_table_done(&declaration->peers);
	crypto_wipe(declaration->private_key, sizeof(declaration->private_key));
}

struct network *network_free(struct network *network)
{
	if (!network)
		return NULL;
	for (size_t i = 0; i < network->n; i++)
		declaration_done(&network->declarations[i]);
	free(network->declarations);
	free(network);
	return NULL;
}

const struct declaration *network_find(const struct network *network, const char *id)
{
	for (size_t i = 0; i < network->n; i++)
		if (str_equal(network->declarations[i].id, id))
			return &network->declarations[i];
	return NULL;
}

bool link_name_valid(const char *name)
{
	size_t n = strlen(name);
	if (n == 0 || n >= IFNAMSIZ || str_equal(name, ".") || str_equal(name, ".."))
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@") == n;
}

// --- decoding: every decoder gets the value and the path of keys that leads to it ---

enum { AT_TEXT = 24, PATH_TEXT = 160 };

// The keys that lead to a value; too long a path is cut, it is only for reading.
PRINTF_LIKE(2, 3) static void path_set(char path[static PATH_TEXT], const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(path, PATH_TEXT, format, arguments);
	va_end(arguments);
}

static void at_text(const struct value *value, char buffer[static AT_TEXT])
{
	(void)snprintf(buffer, AT_TEXT, "%u:%u", value ? value->line : 1, value ? value->column : 1);
}

PRINTF_LIKE(3, 4) static int refuse(const struct value *value, struct diag *reterr, const char *format, ...)
{
	char at[AT_TEXT], message[DIAG_MESSAGE_MAX];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	at_text(value, at);
	return diag_set(reterr, -EINVAL, at, "%s", message);
}

static int need_type(const struct value *value, enum value_type type, const char *what, struct diag *reterr)
{
	if (value->type == type)
		return 0;
	return refuse(value, reterr, "%s: must be %s", what, type == VALUE_OBJECT ? "a mapping" : "a list");
}

// The text of a scalar that is a word, a number or an address; NULL for the rest.
static const char *scalar(const struct value *value)
{
	if (value->type == VALUE_NUMBER || value->type == VALUE_STRING || value->type == VALUE_BOOL)
		return value->text;
	return NULL;
}

static int set_text(char **field, const struct value *value, const char *what, struct diag *reterr)
{
	const char *text = scalar(value);
	if (!text || !*text)
		return refuse(value, reterr, "%s: must be a text", what);
	char *copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static int append_text(char ***list, size_t *n, const char *text)
{
	char **grown = realloc(*list, (*n + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*list = grown;
	grown[*n] = text ? strdup(text) : NULL;
	if (text && !grown[*n])
		return -ENOMEM;
	(*n)++;
	return 0;
}

// Room for one more of @size bytes in an array that grows at powers of two.
static int grow(void **array, size_t n, size_t size)
{
	if (n & (n - 1))
		return 0;
	void *grown = realloc(*array, (n ? n * 2 : 1) * size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	return 0;
}

static int decode_match(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	static const char *const known[] = {"name", "macaddress", "driver", NULL};
	char path[PATH_TEXT];
	uint8_t mac[6];
	int error = need_type(value, VALUE_OBJECT, what, reterr);
	if (error == 0)
		error = value_only_keys(value, what, known, reterr);
	const struct value *name = value_find(value, "name"), *address = value_find(value, "macaddress");
	const struct value *driver = value_find(value, "driver");
	declaration->has_match = true;
	if (error == 0 && name) {
		path_set(path, "%s.name", what);
		error = set_text(&declaration->match_name, name, path, reterr);
	}
	if (error == 0 && address) {
		path_set(path, "%s.macaddress", what);
		error = set_text(&declaration->match_mac, address, path, reterr);
		if (error == 0 && mac_parse(declaration->match_mac, mac) < 0)
			return refuse(address, reterr, "%s: must be a MAC like 52:54:00:12:34:56, not \"%s\"", path,
				declaration->match_mac);
	}
	if (error < 0 || !driver)
		return error;
	size_t n = driver->type == VALUE_ARRAY ? driver->n : 1;
	for (size_t i = 0; i < n; i++) {
		const struct value *item = driver->type == VALUE_ARRAY ? &driver->items[i] : driver;
		if (!scalar(item) || !*scalar(item))
			return refuse(item, reterr, "%s.driver: must be the name of a driver", what);
		error = append_text(&declaration->match_drivers, &declaration->n_match_drivers, scalar(item));
		if (error < 0)
			return error;
	}
	return 0;
}

static int decode_addresses(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	int error = need_type(value, VALUE_ARRAY, what, reterr);
	if (error < 0)
		return error;
	for (size_t i = 0; i < value->n; i++) {
		const struct value *item = &value->items[i];
		struct address address;
		if (item->type == VALUE_OBJECT)
			return refuse(item, reterr, "%s[%zu]: options of an address (label, lifetime) are not supported",
				what, i);
		if (!scalar(item) || address_parse(scalar(item), true, &address) < 0)
			return refuse(item, reterr, "%s[%zu]: must be ADDRESS/PREFIX like 10.0.0.2/24, not \"%s\"", what,
				i, scalar(item) ? scalar(item) : "");
		if (declaration->n_addresses == NETWORK_MAX_ADDRESSES)
			return refuse(item, reterr, "%s: at most %d addresses on one link", what, NETWORK_MAX_ADDRESSES);
		if (grow((void **)&declaration->addresses, declaration->n_addresses, sizeof(address)) < 0)
			return -ENOMEM;
		declaration->addresses[declaration->n_addresses++] = address;
	}
	return 0;
}

static int add_route(struct declaration *declaration, const struct route *route, const struct value *at)
{
	if (grow((void **)&declaration->routes, declaration->n_routes, sizeof(*route)) < 0 ||
		grow((void **)&declaration->routes_where, declaration->n_routes, sizeof(*declaration->routes_where)) < 0)
		return -ENOMEM;
	at_text(at, declaration->routes_where[declaration->n_routes]);
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
	const char *text = scalar(to);
	if (!text)
		return refuse(to, reterr, "%s.to: must be a prefix, an address or default", what);
	if (str_equal(text, "default")) {
		if (!route->gateway.family)
			return refuse(to, reterr, "%s.to: default needs via; say 0.0.0.0/0 or ::/0 without one", what);
		*ret = (struct address){.ip.family = route->gateway.family};
		return 0;
	}
	if (address_parse(text, false, ret) < 0)
		return refuse(to, reterr, "%s.to: must be a prefix, an address or default, not \"%s\"", what, text);
	address_mask(ret);
	return 0;
}

static int decode_route_ip(const struct value *item, const char *key, const char *what, struct ip *ret,
	struct diag *reterr)
{
	const struct value *value = value_find(item, key);
	if (!value)
		return 0;
	if (!scalar(value) || ip_parse(scalar(value), ret) < 0)
		return refuse(value, reterr, "%s.%s: must be an address, not \"%s\"", what, key,
			scalar(value) ? scalar(value) : "");
	return 0;
}

static int decode_route(struct declaration *declaration, const struct value *item, const char *what,
	struct diag *reterr)
{
	static const char *const known[] = {"to", "via", "metric", "table", "on-link", "type", "from", "scope", NULL};
	char path[PATH_TEXT];
	int64_t number;
	struct route route = {.table = RT_TABLE_MAIN, .type = RTN_UNICAST};
	int error = need_type(item, VALUE_OBJECT, what, reterr);
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
		return refuse(item, reterr, "%s: needs the key to", what);
	error = decode_route_to(to, &route, &route.destination, what, reterr);
	if (error < 0)
		return error;
	path_set(path, "%s.metric", what);
	if (metric && (error = value_int(metric, path, 0, UINT32_MAX, &number, reterr)) < 0)
		return error;
	route.metric = metric ? (uint32_t)number : 0;
	path_set(path, "%s.table", what);
	if (table && (error = value_int(table, path, 1, UINT32_MAX, &number, reterr)) < 0)
		return error;
	route.table = table ? (uint32_t)number : RT_TABLE_MAIN;
	if (route.table == RT_TABLE_LOCAL)
		return refuse(table, reterr, "%s: table 255 is the kernel's own", what);
	path_set(path, "%s.on-link", what);
	if (on_link && (error = value_bool(on_link, path, &route.on_link, reterr)) < 0)
		return error;
	if (type) {
		int number_of_type = scalar(type) ? route_type_parse(scalar(type)) : -EINVAL;
		if (number_of_type < 0)
			return refuse(type, reterr, "%s.type: must be unicast, blackhole, unreachable or prohibit, not \"%s\"",
				what, scalar(type) ? scalar(type) : "");
		route.type = (uint8_t)number_of_type;
	}
	if (scope) {
		const char *word = scalar(scope);
		if (!str_equal(word, "global") && !str_equal(word, "link") && !str_equal(word, "host"))
			return refuse(scope, reterr, "%s.scope: must be global, link or host, not \"%s\"", what,
				word ? word : "");
		route.scope = str_equal(word, "link") ? RT_SCOPE_LINK : str_equal(word, "host") ? RT_SCOPE_HOST
												: RT_SCOPE_UNIVERSE;
	}
	if ((route.gateway.family && route.gateway.family != route.destination.ip.family) ||
		(route.source.family && route.source.family != route.destination.ip.family))
		return refuse(item, reterr, "%s: to, via and from must be of one address family", what);
	if (!route_needs_link(&route) && route.gateway.family)
		return refuse(item, reterr, "%s: a %s route has no via", what, route_type_word(route.type));
	if (route.on_link && !route.gateway.family)
		return refuse(item, reterr, "%s: on-link needs via", what);
	route_complete(&route, scope != NULL);
	return add_route(declaration, &route, item);
}

static int decode_routes(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	char path[PATH_TEXT];
	int error = need_type(value, VALUE_ARRAY, what, reterr);
	if (error == 0 && declaration->n_routes + value->n > NETWORK_MAX_ROUTES)
		return refuse(value, reterr, "%s: at most %d routes on one link", what, NETWORK_MAX_ROUTES);
	for (size_t i = 0; error == 0 && i < value->n; i++) {
		path_set(path, "%s[%zu]", what, i);
		error = decode_route(declaration, &value->items[i], path, reterr);
	}
	return error;
}

static int decode_gateway(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	sa_family_t family = what[strlen(what) - 1] == '4' ? AF_INET : AF_INET6; // gateway4, gateway6
	struct route route = {.table = RT_TABLE_MAIN, .type = RTN_UNICAST, .destination.ip.family = family};
	if (!scalar(value) || ip_parse(scalar(value), &route.gateway) < 0 || route.gateway.family != family)
		return refuse(value, reterr, "%s: must be an IPv%d address, not \"%s\"", what, family == AF_INET ? 4 : 6,
			scalar(value) ? scalar(value) : "");
	route_complete(&route, false);
	return add_route(declaration, &route, value);
}

static int decode_nameservers(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	static const char *const known[] = {"addresses", "search", NULL};
	int error = need_type(value, VALUE_OBJECT, what, reterr);
	if (error == 0)
		error = value_only_keys(value, what, known, reterr);
	const struct value *addresses = value_find(value, "addresses"), *search = value_find(value, "search");
	if (error == 0 && addresses)
		error = need_type(addresses, VALUE_ARRAY, "nameservers.addresses", reterr);
	if (error == 0 && search)
		error = need_type(search, VALUE_ARRAY, "nameservers.search", reterr);
	for (size_t i = 0; error == 0 && addresses && i < addresses->n; i++) {
		const struct value *item = &addresses->items[i];
		struct ip ip;
		if (!scalar(item) || ip_parse(scalar(item), &ip) < 0)
			return refuse(item, reterr, "%s.addresses[%zu]: must be an address, not \"%s\"", what, i,
				scalar(item) ? scalar(item) : "");
		if (declaration->n_servers == NETWORK_MAX_SERVERS)
			return refuse(item, reterr, "%s.addresses: at most %d servers on one link", what,
				NETWORK_MAX_SERVERS);
		declaration->servers[declaration->n_servers++] = ip;
	}
	for (size_t i = 0; error == 0 && search && i < search->n; i++) {
		const struct value *item = &search->items[i];
		const char *text = scalar(item);
		if (!text || !*text || strlen(text) > 253 || declaration->n_search == 32 ||
			strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != strlen(text))
			return refuse(item, reterr, "%s.search[%zu]: must be a domain name (32 at most), not \"%s\"", what,
				i, text ? text : "");
		error = append_text(&declaration->search, &declaration->n_search, text);
	}
	return error;
}

static int decode_link_local(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	int error = need_type(value, VALUE_ARRAY, what, reterr);
	declaration->has_link_local = true;
	declaration->link_local4 = declaration->link_local6 = false;
	for (size_t i = 0; error == 0 && i < value->n; i++) {
		const char *word = scalar(&value->items[i]);
		if (str_equal(word, "ipv4"))
			declaration->link_local4 = true;
		else if (str_equal(word, "ipv6"))
			declaration->link_local6 = true;
		else
			return refuse(&value->items[i], reterr, "%s[%zu]: must be ipv4 or ipv6, not \"%s\"", what, i,
				word ? word : "");
	}
	return error;
}

static int decode_mtu(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	int64_t mtu;
	int error = value_int(value, what, 68, 65535, &mtu, reterr);
	if (error == 0)
		declaration->mtu = (uint32_t)mtu;
	return error;
}

static int decode_dhcp4(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	return value_bool(value, what, &declaration->dhcp4, reterr);
}

static int decode_dhcp6(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	return value_bool(value, what, &declaration->dhcp6, reterr);
}

static int decode_accept_ra(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	declaration->has_accept_ra = true;
	return value_bool(value, what, &declaration->accept_ra, reterr);
}

static int decode_optional(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	return value_bool(value, what, &declaration->optional, reterr);
}

static int decode_set_name(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	int error = set_text(&declaration->set_name, value, what, reterr);
	if (error == 0 && !link_name_valid(declaration->set_name))
		return refuse(value, reterr, "%s: must be 1-15 letters, digits and . _ - @, not \"%s\"", what,
			declaration->set_name);
	return error;
}

static int decode_renderer(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	if (!str_equal(scalar(value), "networkd"))
		return refuse(value, reterr, "%s: must be networkd, not \"%s\"", what, scalar(value) ? scalar(value) : "");
	return 0;
}

static int decode_identifier(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	if (!str_equal(scalar(value), "mac"))
		return refuse(value, reterr, "%s: must be mac (the machine's id is new at every boot), not \"%s\"", what,
			scalar(value) ? scalar(value) : "");
	return 0;
}

// --- WireGuard ---

static int decode_mode(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	if (!str_equal(scalar(value), "wireguard"))
		return refuse(value, reterr, "%s: must be wireguard, other tunnels are not supported: \"%s\"", what,
			scalar(value) ? scalar(value) : "");
	return 0;
}

static int key_path(char **field, const struct value *value, const char *what, struct diag *reterr)
{
	const char *text = scalar(value);
	if (!text || text[0] != '/') // never show it: it may be a key
		return refuse(value, reterr, "%s: must be the absolute path of a file with the key, never the key itself",
			what);
	return set_text(field, value, what, reterr);
}

static int decode_key(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	return key_path(&declaration->key_file, value, what, reterr);
}

static int decode_keys(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	static const char *const known[] = {"private", NULL};
	int error = need_type(value, VALUE_OBJECT, what, reterr);
	if (error == 0)
		error = value_only_keys(value, what, known, reterr);
	if (error < 0 || value->n == 0)
		return error;
	return key_path(&declaration->key_file, &value->items[0], "keys.private", reterr);
}

static int decode_port(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	int64_t port;
	int error = value_int(value, what, 1, 65535, &port, reterr);
	if (error == 0) {
		declaration->port = (uint16_t)port;
		declaration->has_port = true;
	}
	return error;
}

static int decode_mark(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	int64_t mark;
	int error = value_int(value, what, 1, UINT32_MAX, &mark, reterr);
	if (error == 0) {
		declaration->mark = (uint32_t)mark;
		declaration->has_mark = true;
	}
	return error;
}

static int decode_peer_keys(struct declaration *declaration, struct peer *peer, const struct value *keys,
	const char *what, char **shared_file, struct diag *reterr)
{
	static const char *const known[] = {"public", "shared", NULL};
	char path[PATH_TEXT];
	if (!keys)
		return 0;
	int error = need_type(keys, VALUE_OBJECT, what, reterr);
	if (error == 0)
		error = value_only_keys(keys, what, known, reterr);
	if (error < 0)
		return error;
	const struct value *public_key = value_find(keys, "public"), *shared = value_find(keys, "shared");
	if (!public_key || !scalar(public_key) || peer_key_parse(scalar(public_key), peer->public_key) < 0)
		return refuse(public_key ? public_key : keys, reterr,
			"%s.keys.public: must be a public key, 44 characters of base64", what);
	path_set(path, "%s.keys.shared", what);
	return shared ? key_path(shared_file, shared, path, reterr) : 0;
}

static int decode_peer(struct declaration *declaration, const struct value *item, const char *what,
	struct diag *reterr)
{
	static const char *const known[] = {"keys", "endpoint", "allowed-ips", "keepalive", NULL};
	AUTO_FREE char *shared_file = NULL;
	char path[PATH_TEXT];
	int64_t number;
	int error = need_type(item, VALUE_OBJECT, what, reterr);
	if (error == 0)
		error = value_only_keys(item, what, known, reterr);
	if (error < 0)
		return error;
	struct peer *peer = peer_table_add(&declaration->peers);
	if (!peer)
		return -ENOMEM;
	const struct value *keys = value_find(item, "keys"), *endpoint = value_find(item, "endpoint");
	const struct value *allowed = value_find(item, "allowed-ips"), *keepalive = value_find(item, "keepalive");
	if (!keys)
		return refuse(item, reterr, "%s: needs the key keys", what);
	error = decode_peer_keys(declaration, peer, keys, what, &shared_file, reterr);
	if (error < 0)
		return error;
	if (endpoint && (!scalar(endpoint) ||
				endpoint_parse(scalar(endpoint), &peer->endpoint, &peer->endpoint_port) < 0))
		return refuse(endpoint, reterr,
			"%s.endpoint: must be ADDRESS:PORT or [IPV6]:PORT (names are not resolved), not \"%s\"", what,
			scalar(endpoint) ? scalar(endpoint) : "");
	path_set(path, "%s.keepalive", what);
	if (keepalive && (error = value_int(keepalive, path, 0, 65535, &number, reterr)) < 0)
		return error;
	peer->keepalive_sec = keepalive ? (uint16_t)number : 0;
	path_set(path, "%s.allowed-ips", what);
	if (allowed && (error = need_type(allowed, VALUE_ARRAY, path, reterr)) < 0)
		return error;
	for (size_t i = 0; allowed && i < allowed->n; i++) {
		const char *text = scalar(&allowed->items[i]);
		struct address address;
		if (!text || address_parse(text, false, &address) < 0)
			return refuse(&allowed->items[i], reterr, "%s[%zu]: must be ADDRESS/PREFIX, not \"%s\"", path, i,
				text ? text : "");
		error = peer_add_allowed(peer, &address);
		if (error == -E2BIG)
			return refuse(&allowed->items[i], reterr, "%s: at most %d", path, PEER_MAX_ALLOWED);
		if (error < 0)
			return error;
	}
	if (!shared_file)
		return 0;
	if (grow((void **)&declaration->preshared_owner, declaration->n_preshared_files, PEER_KEY_BYTES) < 0)
		return -ENOMEM;
	memcpy(declaration->preshared_owner[declaration->n_preshared_files], peer->public_key, PEER_KEY_BYTES);
	return append_text(&declaration->preshared_files, &declaration->n_preshared_files, shared_file);
}

static int decode_peers(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	char path[PATH_TEXT];
	int error = need_type(value, VALUE_ARRAY, what, reterr);
	if (error == 0 && declaration->peers.n + value->n > PEER_MAX)
		return refuse(value, reterr, "%s: at most %d peers", what, PEER_MAX);
	declaration->has_peers = true;
	for (size_t i = 0; error == 0 && i < value->n; i++) {
		path_set(path, "%s[%zu]", what, i);
		error = decode_peer(declaration, &value->items[i], path, reterr);
	}
	return error;
}

// --- definitions ---

enum { ON_ETHERNET = 1, ON_DUMMY = 2, ON_WIREGUARD = 4, ON_ALL = 7 };

static const struct {
	const char *key;
	unsigned on;
	int (*decode)(struct declaration *, const struct value *, const char *what, struct diag *);
} keys_of_definition[] = {
	{"accept-ra", ON_ETHERNET, decode_accept_ra},
	{"addresses", ON_ALL, decode_addresses},
	{"dhcp-identifier", ON_ETHERNET, decode_identifier},
	{"dhcp4", ON_ETHERNET, decode_dhcp4},
	{"dhcp6", ON_ETHERNET, decode_dhcp6},
	{"gateway4", ON_ETHERNET, decode_gateway},
	{"gateway6", ON_ETHERNET, decode_gateway},
	{"key", ON_WIREGUARD, decode_key},
	{"keys", ON_WIREGUARD, decode_keys},
	{"link-local", ON_ETHERNET, decode_link_local},
	{"mark", ON_WIREGUARD, decode_mark},
	{"match", ON_ETHERNET, decode_match},
	{"mode", ON_WIREGUARD, decode_mode},
	{"mtu", ON_ALL, decode_mtu},
	{"nameservers", ON_ALL, decode_nameservers},
	{"optional", ON_ALL, decode_optional},
	{"peers", ON_WIREGUARD, decode_peers},
	{"port", ON_WIREGUARD, decode_port},
	{"renderer", ON_ETHERNET, decode_renderer},
	{"routes", ON_ALL, decode_routes},
	{"set-name", ON_ETHERNET, decode_set_name},
};

static int decode_definition(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	const char *known[N_ELEMENTS(keys_of_definition) + 1];
	size_t n_known = 0;
	unsigned on = 1u << declaration->kind;
	char path[PATH_TEXT];
	for (size_t i = 0; i < N_ELEMENTS(keys_of_definition); i++)
		if (keys_of_definition[i].on & on)
			known[n_known++] = keys_of_definition[i].key;
	known[n_known] = NULL;
	int error = need_type(value, VALUE_OBJECT, what, reterr);
	if (error == 0)
		error = value_only_keys(value, what, known, reterr);
	for (size_t i = 0; error == 0 && i < N_ELEMENTS(keys_of_definition); i++) {
		const struct value *member = value_find(value, keys_of_definition[i].key);
		if (!member || !(keys_of_definition[i].on & on))
			continue;
		path_set(path, "%s.%s", what, keys_of_definition[i].key);
		error = keys_of_definition[i].decode(declaration, member, path, reterr);
	}
	return error;
}

static int find_or_add(struct network *network, const char *id, enum declaration_kind kind, const struct value *value,
	struct declaration **ret, struct diag *reterr)
{
	for (size_t i = 0; i < network->n; i++) {
		struct declaration *found = &network->declarations[i];
		if (!str_equal(found->id, id))
			continue;
		if (found->kind != kind)
			return refuse(value, reterr, "%s: is declared as another kind of link at %s", id, found->where);
		*ret = found;
		return 0;
	}
	if (network->n == NETWORK_MAX_DECLARATIONS)
		return refuse(value, reterr, "at most %d links can be declared", NETWORK_MAX_DECLARATIONS);
	struct declaration *grown = realloc(network->declarations, (network->n + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	network->declarations = grown;
	struct declaration *added = &grown[network->n];
	*added = (struct declaration){.kind = kind, .id = strdup(id)};
	if (!added->id)
		return -ENOMEM;
	at_text(value, added->where);
	network->n++;
	*ret = added;
	return 0;
}

static int decode_section(struct network *network, const struct value *section, const char *name,
	enum declaration_kind kind, struct diag *reterr)
{
	char path[PATH_TEXT];
	if (!section || section->type == VALUE_NULL)
		return 0;
	int error = need_type(section, VALUE_OBJECT, name, reterr);
	for (size_t i = 0; error == 0 && i < section->n; i++) {
		const struct value *value = &section->items[i];
		const char *id = section->keys[i];
		struct declaration *declaration = NULL;
		if (str_equal(id, "renderer")) { // netplan takes it beside the definitions too
			error = decode_renderer(NULL, value, "renderer", reterr);
			continue;
		}
		path_set(path, "%s.%.64s", name, id);
		if (value->type == VALUE_NULL)
			return refuse(value, reterr, "%s: is empty; {} declares a link without settings", path);
		error = find_or_add(network, id, kind, value, &declaration, reterr);
		if (error == 0)
			error = decode_definition(declaration, value, path, reterr);
	}
	return error;
}

int network_decode(struct network *network, const struct value *netplan, struct diag *reterr)
{
	static const char *const outer[] = {"network", NULL};
	static const char *const known[] = {
		"version", "renderer", "ethernets", "dummy-devices", "tunnels", NULL};
	int error = need_type(netplan, VALUE_OBJECT, "the document", reterr);
	if (error < 0)
		return error;
	if (value_find(netplan, "network")) {
		error = value_only_keys(netplan, "the document", outer, reterr);
		if (error < 0)
			return error;
		netplan = value_find(netplan, "network");
		if (netplan->type == VALUE_NULL)
			return 0;
		error = need_type(netplan, VALUE_OBJECT, "network", reterr);
	}
	if (error == 0)
		error = value_only_keys(netplan, "network", known, reterr);
	const struct value *renderer = value_find(netplan, "renderer");
	if (error == 0 && !value_find(netplan, "version"))
		return refuse(netplan, reterr, "network: needs version: 2");
	if (error == 0 && !str_equal(scalar(value_find(netplan, "version")), "2"))
		return refuse(value_find(netplan, "version"), reterr, "version: must be 2");
	if (error == 0 && renderer)
		error = decode_renderer(NULL, renderer, "renderer", reterr);
	if (error == 0)
		error = decode_section(network, value_find(netplan, "ethernets"), "ethernets", DECLARATION_ETHERNET, reterr);
	if (error == 0)
		error = decode_section(network, value_find(netplan, "dummy-devices"), "dummy-devices", DECLARATION_DUMMY,
			reterr);
	if (error == 0)
		error = decode_section(network, value_find(netplan, "tunnels"), "tunnels", DECLARATION_WIREGUARD, reterr);
	return error;
}

// --- across definitions ---

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

int network_load_keys(struct network *network, struct diag *reterr)
{
	for (size_t i = 0; i < network->n; i++) {
		struct declaration *declaration = &network->declarations[i];
		if (declaration->kind != DECLARATION_WIREGUARD)
			continue;
		int error = peer_key_load(declaration->key_file, declaration->private_key, reterr);
		if (error < 0)
			return error;
		declaration->private_key[0] &= 248; // Curve25519's clamp, as the kernel does: else we would never be equal
		declaration->private_key[31] = (declaration->private_key[31] & 127) | 64;
		declaration->has_private_key = true;
		for (size_t j = 0; j < declaration->n_preshared_files; j++) {
			// const of the search only: the table is ours
			struct peer *peer = (struct peer *)peer_table_find(&declaration->peers,
				declaration->preshared_owner[j]);
			error = peer ? peer_key_load(declaration->preshared_files[j], peer->preshared_key, reterr) : -EINVAL;
			if (error < 0)
				return error;
		}
	}
	return 0;
}

// --- netconf.h ---

int netconf_decode(const struct value *netplan, struct network **ret, struct diag *reterr)
{
	CLEANUP(network_freep) struct network *network = calloc(1, sizeof(*network));
	if (!network)
		return -ENOMEM;
	int error = network_decode(network, netplan, reterr);
	if (error == 0)
		error = network_validate(network, reterr);
	if (error < 0)
		return error;
	*ret = TAKE_PTR(network);
	return 0;
}

int netconf_default(struct network **ret)
{
	CLEANUP(network_freep) struct network *network = calloc(1, sizeof(*network));
	if (!network)
		return -ENOMEM;
	network->declarations = calloc(1, sizeof(*network->declarations));
	if (!network->declarations)
		return -ENOMEM;
	network->declarations[0] = (struct declaration){.kind = DECLARATION_ETHERNET, .id = strdup("wired"),
		.where = "default", .has_match = true, .match_wired = true, .dhcp4 = true, .dhcp6 = true,
		.has_accept_ra = true, .accept_ra = true, .optional = true};
	network->n = 1;
	if (!network->declarations[0].id)
		return -ENOMEM;
	*ret = TAKE_PTR(network);
	return 0;
}

int netconf_layer(struct network *network, struct network *below_take)
{
	struct declaration *grown = network->declarations;
	if (below_take && below_take->n) {
		grown = realloc(grown, (network->n + below_take->n) * sizeof(*grown));
		if (!grown) {
			network_free(below_take);
			return -ENOMEM;
		}
		network->declarations = grown;
		for (size_t i = 0; i < below_take->n; i++) {
			if (network_find(network, below_take->declarations[i].id))
				declaration_done(&below_take->declarations[i]); // declared anew above
			else
				grown[network->n++] = below_take->declarations[i];
		}
		below_take->n = 0;
	}
	network_free(below_take);
	return 0;
}
