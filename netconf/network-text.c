// A network as a netplan document.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/network-text.h"

#include "base/utf8.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <strings.h>

// --- YAML ---

struct place { // where the next line goes
	FILE *out;
	int depth;     // two spaces each
	bool is_item;  // of a list: the first line has the dash, the others stand under its text
	bool has_dash; // already written
};

static void begin_line(struct place *at)
{
	(void)fprintf(at->out, "%*s%s", at->depth * 2, "", !at->is_item ? "" : at->has_dash ? "  " : "- ");
	at->has_dash = true;
}

static struct place below(const struct place *at)
{
	return (struct place){.out = at->out, .depth = at->depth + (at->is_item ? 2 : 1)};
}

static struct place item(const struct place *at)
{
	return (struct place){.out = at->out, .depth = at->depth + (at->is_item ? 1 : 0), .is_item = true};
}

// May @text stand without quotes, and is it a text then, for YAML 1.1 and 1.2?
static bool is_plain(const char *text)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/+-";
	static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n", NULL};
	size_t n = strlen(text), n_dots = 0;
	if (n == 0 || strspn(text, safe) != n || strchr("._+-", text[0]))
		return false;
	for (size_t i = 0; words[i]; i++)
		if (strcasecmp(text, words[i]) == 0)
			return false;
	for (size_t i = 0; i < n; i++)
		n_dots += text[i] == '.';
	// what begins with a digit is a number to somebody, but for addresses and what has a slash
	return text[0] < '0' || text[0] > '9' || n_dots > 2 || strchr(text, '/');
}

static void put_quoted(FILE *out, const char *text)
{
	(void)fputc('"', out);
	for (size_t left = strlen(text), n; left; text += n, left -= n) {
		uint32_t code = 0xfffd;
		n = utf8_sequence(text, left, &code);
		if (n == 0) {
			n = 1;
			code = 0xfffd; // no text at all: the sign for that
		}
		if (code == '"' || code == '\\')
			(void)fprintf(out, "\\%c", (char)code);
		else if (code >= 0x20 && code < 0x7f)
			(void)fputc((char)code, out);
		else
			(void)fprintf(out, code > 0xffff ? "\\U%08x" : "\\u%04x", code);
	}
	(void)fputc('"', out);
}

static void put_scalar(FILE *out, const char *text)
{
	if (is_plain(text))
		(void)fputs(text, out);
	else
		put_quoted(out, text);
}

static void put_key(struct place *at, const char *key)
{
	begin_line(at);
	put_scalar(at->out, key);
	(void)fputc(':', at->out);
}

static void put_text(struct place *at, const char *key, const char *text)
{
	put_key(at, key);
	(void)fputc(' ', at->out);
	put_scalar(at->out, text);
	(void)fputc('\n', at->out);
}

static void put_number(struct place *at, const char *key, uint32_t number)
{
	put_key(at, key);
	(void)fprintf(at->out, " %u\n", number);
}

static void put_bool(struct place *at, const char *key, bool yes)
{
	put_key(at, key);
	(void)fprintf(at->out, " %s\n", yes ? "true" : "false");
}

static void put_element(const struct place *at, const char *text)
{
	struct place element = item(at);
	begin_line(&element);
	put_scalar(at->out, text);
	(void)fputc('\n', at->out);
}

// A key with a list; put_element() follows, or "[]" stands there.
static void put_list(struct place *at, const char *key, size_t n)
{
	put_key(at, key);
	(void)fputs(n ? "\n" : " []\n", at->out);
}

static void put_texts(struct place *at, const char *key, char *const texts[], size_t n)
{
	put_list(at, key, n);
	for (size_t i = 0; i < n; i++)
		put_element(at, texts[i]);
}

static void put_ips(struct place *at, const char *key, const struct ip *ips, size_t n)
{
	char text[ADDRESS_TEXT];
	put_list(at, key, n);
	for (size_t i = 0; i < n; i++)
		put_element(at, ip_format(&ips[i], text));
}

static void put_addresses(struct place *at, const char *key, const struct address *addresses, size_t n)
{
	char text[ADDRESS_TEXT];
	put_list(at, key, n);
	for (size_t i = 0; i < n; i++)
		put_element(at, address_format(&addresses[i], text));
}

// --- a link itself ---

static void put_match(struct place *at, const struct declaration *declaration)
{
	if (declaration->match_wired)
		network_print_comment(at->out, "match here means every wired port, and no USB gadget");
	put_key(at, "match");
	bool is_empty = !declaration->match_name && !declaration->match_mac && !declaration->n_match_drivers;
	(void)fputs(is_empty ? " {}\n" : "\n", at->out);
	struct place inner = below(at);
	if (declaration->match_name)
		put_text(&inner, "name", declaration->match_name);
	if (declaration->match_mac)
		put_text(&inner, "macaddress", declaration->match_mac);
	if (declaration->n_match_drivers == 1)
		put_text(&inner, "driver", declaration->match_drivers[0]);
	else if (declaration->n_match_drivers)
		put_texts(&inner, "driver", declaration->match_drivers, declaration->n_match_drivers);
}

static void put_overrides(struct place *at, const char *key, const struct dhcp_overrides *overrides)
{
	if (!overrides->no_dns && !overrides->no_ntp && !overrides->no_hostname && !overrides->no_send_hostname &&
		!overrides->use_mtu && !overrides->no_routes && !overrides->hostname && !overrides->use_domains &&
		!overrides->has_metric)
		return;
	put_key(at, key);
	(void)fputc('\n', at->out);
	struct place inner = below(at);
	if (overrides->no_dns)
		put_bool(&inner, "use-dns", false);
	if (overrides->no_ntp)
		put_bool(&inner, "use-ntp", false);
	if (overrides->no_hostname)
		put_bool(&inner, "use-hostname", false);
	if (overrides->no_send_hostname)
		put_bool(&inner, "send-hostname", false);
	if (overrides->use_mtu)
		put_bool(&inner, "use-mtu", true);
	if (overrides->no_routes)
		put_bool(&inner, "use-routes", false);
	if (overrides->hostname)
		put_text(&inner, "hostname", overrides->hostname);
	if (str_equal(overrides->use_domains, "true") || str_equal(overrides->use_domains, "false"))
		put_bool(&inner, "use-domains", str_equal(overrides->use_domains, "true"));
	else if (overrides->use_domains)
		put_text(&inner, "use-domains", overrides->use_domains);
	if (overrides->has_metric)
		put_number(&inner, "route-metric", overrides->metric);
}

static void put_dynamic(struct place *at, const struct declaration *declaration)
{
	if (declaration->dhcp4)
		put_bool(at, "dhcp4", true);
	put_overrides(at, "dhcp4-overrides", &declaration->dhcp4_overrides);
	if (declaration->dhcp6)
		put_bool(at, "dhcp6", true);
	put_overrides(at, "dhcp6-overrides", &declaration->dhcp6_overrides);
	if (declaration->has_accept_ra)
		put_bool(at, "accept-ra", declaration->accept_ra);
	if (declaration->has_privacy)
		put_bool(at, "ipv6-privacy", declaration->privacy);
	if (declaration->has_link_local) {
		put_list(at, "link-local", declaration->link_local4 || declaration->link_local6);
		if (declaration->link_local4)
			put_element(at, "ipv4");
		if (declaration->link_local6)
			put_element(at, "ipv6");
	}
}

static void put_link(struct place *at, const struct declaration *declaration)
{
	static const char *const activations[] = {[ACTIVATION_MANUAL] = "manual", [ACTIVATION_OFF] = "off"};
	char mac[18];
	if (declaration->has_match)
		put_match(at, declaration);
	if (declaration->set_name)
		put_text(at, "set-name", declaration->set_name);
	if (declaration->has_mac)
		put_text(at, "macaddress", mac_format(declaration->mac, mac));
	if (declaration->mtu)
		put_number(at, "mtu", declaration->mtu);
	if (declaration->mtu6)
		put_number(at, "ipv6-mtu", declaration->mtu6);
	if (declaration->activation != ACTIVATION_UP)
		put_text(at, "activation-mode", activations[declaration->activation]);
	if (declaration->optional)
		put_bool(at, "optional", true);
	if (declaration->critical)
		put_bool(at, "critical", true);
	if (declaration->ignore_carrier)
		put_bool(at, "ignore-carrier", true);
	put_dynamic(at, declaration);
	if (declaration->n_addresses)
		put_addresses(at, "addresses", declaration->addresses, declaration->n_addresses);
	if (!declaration->n_servers && !declaration->n_search)
		return;
	put_key(at, "nameservers");
	(void)fputc('\n', at->out);
	struct place inner = below(at);
	if (declaration->n_search)
		put_texts(&inner, "search", declaration->search, declaration->n_search);
	if (declaration->n_servers)
		put_ips(&inner, "addresses", declaration->servers, declaration->n_servers);
}

// --- what it is made of ---

static bool has_parameters(const struct declaration *declaration)
{
	return declaration->options.has || declaration->primary || declaration->n_arp_targets ||
	       declaration->n_bridge_ports;
}

static void put_option(struct place *at, const char *key, const struct link_option *option, uint32_t value)
{
	char buffer[32];
	const char *text = link_option_format(option, value, buffer);
	if (option->words) {
		put_text(at, key, text);
		return;
	}
	put_key(at, key);
	(void)fprintf(at->out, " %s\n", text); // a number, true or false
}

// path-cost and port-priority stand with the bridge, the other options of a port with the port.
static bool stands_with_bridge(const struct link_option *option)
{
	return option->attribute == IFLA_BRPORT_COST || option->attribute == IFLA_BRPORT_PRIORITY;
}

static void put_bridge_ports(struct place *at, const struct declaration *declaration)
{
	size_t n;
	const struct link_option *table = link_options_of(LINK_OPTION_BRIDGE_PORT, &n);
	for (size_t i = 0; i < n; i++) {
		bool has_key = false;
		for (size_t j = 0; j < declaration->n_bridge_ports; j++) {
			const struct bridge_port *port = &declaration->bridge_ports[j];
			if (!link_options_have(&port->options, i) || !stands_with_bridge(&table[i]))
				continue;
			if (!has_key) {
				put_key(at, table[i].key);
				(void)fputc('\n', at->out);
				has_key = true;
			}
			struct place inner = below(at);
			put_option(&inner, port->port, &table[i], port->options.value[i]);
		}
	}
}

static void put_port_options(struct place *at, const struct network *network, const struct declaration *declaration)
{
	size_t n;
	const struct link_option *table = link_options_of(LINK_OPTION_BRIDGE_PORT, &n);
	struct link_options options = declaration->port_options;
	for (size_t i = 0; i < network->n; i++)
		for (size_t j = 0; j < network->declarations[i].n_bridge_ports; j++) {
			const struct bridge_port *port = &network->declarations[i].bridge_ports[j];
			for (size_t k = 0; k < n && str_equal(port->port, declaration->id); k++)
				if (link_options_have(&port->options, k))
					link_options_set(&options, k, port->options.value[k]);
		}
	for (size_t i = 0; i < n; i++)
		if (link_options_have(&options, i) && !stands_with_bridge(&table[i]))
			put_option(at, table[i].key, &table[i], options.value[i]);
}

static void put_parameters(struct place *at, const struct declaration *declaration)
{
	size_t n;
	const struct link_option *table = link_options_of(
		declaration->kind == DECLARATION_BOND ? LINK_OPTION_BOND : LINK_OPTION_BRIDGE, &n);
	if (!has_parameters(declaration))
		return;
	put_key(at, "parameters");
	(void)fputc('\n', at->out);
	struct place inner = below(at);
	for (size_t i = 0; i < n; i++)
		if (link_options_have(&declaration->options, i))
			put_option(&inner, table[i].key, &table[i], declaration->options.value[i]);
	if (declaration->n_arp_targets)
		put_ips(&inner, "arp-ip-targets", declaration->arp_targets, declaration->n_arp_targets);
	if (declaration->primary)
		put_text(&inner, "primary", declaration->primary);
	put_bridge_ports(&inner, declaration);
}

static const char *preshared_file(const struct declaration *declaration, const struct peer *peer)
{
	for (size_t i = 0; i < declaration->n_preshared_files; i++)
		if (memcmp(declaration->preshared_owner[i], peer->public_key, PEER_KEY_BYTES) == 0)
			return declaration->preshared_files[i];
	return NULL;
}

static void put_peer(const struct place *at, const struct declaration *declaration, const struct peer *peer)
{
	char text[ADDRESS_TEXT];
	const char *shared = preshared_file(declaration, peer);
	struct place element = item(at);
	put_key(&element, "keys");
	(void)fputc('\n', at->out);
	struct place keys = below(&element);
	put_text(&keys, "public", peer_key_format(peer->public_key, text));
	if (shared)
		put_text(&keys, "shared", shared);
	if (peer->endpoint.family)
		put_text(&element, "endpoint", endpoint_format(&peer->endpoint, peer->endpoint_port, text));
	if (peer->keepalive_sec)
		put_number(&element, "keepalive", peer->keepalive_sec);
	if (peer->n_allowed)
		put_addresses(&element, "allowed-ips", peer->allowed, peer->n_allowed);
}

static void put_wireguard(struct place *at, const struct declaration *declaration)
{
	put_text(at, "mode", "wireguard");
	if (declaration->key_file)
		put_text(at, "key", declaration->key_file);
	if (declaration->has_port)
		put_number(at, "port", declaration->port);
	if (declaration->has_mark)
		put_number(at, "mark", declaration->mark);
	if (!declaration->has_peers)
		return;
	put_list(at, "peers", declaration->peers.n);
	for (size_t i = 0; i < declaration->peers.n; i++)
		put_peer(at, declaration, &declaration->peers.peers[i]);
}

static void put_kind(struct place *at, const struct declaration *declaration)
{
	switch (declaration->kind) {
	case DECLARATION_BOND:
	case DECLARATION_BRIDGE:
		put_texts(at, "interfaces", declaration->ports, declaration->n_ports);
		put_parameters(at, declaration);
		break;
	case DECLARATION_VLAN:
		put_number(at, "id", declaration->vlan_id);
		if (declaration->parent)
			put_text(at, "link", declaration->parent);
		break;
	case DECLARATION_VRF:
		put_number(at, "table", declaration->vrf_table);
		put_texts(at, "interfaces", declaration->ports, declaration->n_ports);
		break;
	case DECLARATION_WIREGUARD:
		put_wireguard(at, declaration);
		break;
	case DECLARATION_ETHERNET:
	case DECLARATION_DUMMY:
	case N_DECLARATION_KINDS:
		break;
	}
}

// --- routes and rules ---

// Is the table worth a line? 0: nothing was said. In a VRF it always is: there it is not the one people think of.
static bool says_table(const struct network *network, const struct declaration *declaration, const struct route *route)
{
	uint32_t usual = network_default_table(network, declaration, route->type);
	return route->table && (route->table != usual || (usual != RT_TABLE_MAIN && usual != RT_TABLE_LOCAL));
}

static void put_route(const struct place *at, const struct route *route, bool has_table)
{
	char text[ADDRESS_TEXT];
	bool is_default = route->destination.prefix == 0 && route->gateway.family;
	const char *type = route_type_word(route->type);
	struct place element = item(at);
	put_text(&element, "to", is_default ? "default" : address_format(&route->destination, text));
	if (route->gateway.family)
		put_text(&element, "via", ip_format(&route->gateway, text));
	if (route->source.family)
		put_text(&element, "from", ip_format(&route->source, text));
	if (route->metric != (route->destination.ip.family == AF_INET6 ? 1024 : 0))
		put_number(&element, "metric", route->metric);
	if (has_table)
		put_number(&element, "table", route->table);
	if (route->on_link)
		put_bool(&element, "on-link", true);
	if (route->type != RTN_UNICAST && type)
		put_text(&element, "type", type);
	if (route->scope != route_default_scope(route))
		put_text(&element, "scope",
			route->scope == RT_SCOPE_LINK ? "link" : route->scope == RT_SCOPE_HOST ? "host" : "global");
	if (route->mtu)
		put_number(&element, "mtu", route->mtu);
	if (route->cwnd)
		put_number(&element, "congestion-window", route->cwnd);
	if (route->rwnd)
		put_number(&element, "advertised-receive-window", route->rwnd);
}

static void put_rule(const struct place *at, const struct rule *rule)
{
	char text[ADDRESS_TEXT];
	struct place element = item(at);
	if (rule->from.ip.family)
		put_text(&element, "from", address_format(&rule->from, text));
	else if (!rule->to.ip.family) // netplan wants one of the two
		put_text(&element, "from", rule->family == AF_INET6 ? "::/0" : "0.0.0.0/0");
	if (rule->to.ip.family)
		put_text(&element, "to", address_format(&rule->to, text));
	if (rule->table)
		put_number(&element, "table", rule->table);
	if (rule->has_priority)
		put_number(&element, "priority", rule->priority);
	if (rule->mark)
		put_number(&element, "mark", rule->mark);
	if (rule->tos)
		put_number(&element, "type-of-service", rule->tos);
}

// --- the whole ---

static int body_text(const struct network *network, const struct declaration *declaration, int depth, char **ret)
{
	AUTO_FREE char *body = NULL;
	size_t n_body = 0;
	struct place at = {.out = open_memstream(&body, &n_body), .depth = depth};
	if (!at.out)
		return -ENOMEM;
	put_kind(&at, declaration);
	put_link(&at, declaration);
	put_port_options(&at, network, declaration);
	if (declaration->n_routes)
		put_list(&at, "routes", declaration->n_routes);
	for (size_t i = 0; i < declaration->n_routes; i++)
		put_route(&at, &declaration->routes[i], says_table(network, declaration, &declaration->routes[i]));
	if (declaration->n_rules)
		put_list(&at, "routing-policy", declaration->n_rules);
	for (size_t i = 0; i < declaration->n_rules; i++)
		put_rule(&at, &declaration->rules[i]);
	if (fclose(at.out) != 0)
		return -ENOMEM;
	*ret = TAKE_PTR(body);
	return 0;
}

void network_print_comment(FILE *out, const char *text)
{
	(void)fputs("# ", out);
	for (const char *c = text; *c; c++)
		(void)fputc(*c >= 0x20 && *c < 0x7f ? *c : '?', out);
	(void)fputc('\n', out);
}

static int put_declaration(struct place *at, const struct network *network, const struct declaration *declaration,
	const char *comment)
{
	AUTO_FREE char *body = NULL;
	int error = body_text(network, declaration, at->depth + 1, &body);
	if (error < 0)
		return error;
	put_key(at, declaration->id);
	(void)fprintf(at->out, "%s%s", body[0] ? "" : " {}", comment ? " " : "\n");
	if (comment)
		network_print_comment(at->out, comment);
	(void)fputs(body, at->out);
	return 0;
}

int network_print(FILE *out, const struct network *network, char *const comments[])
{
	(void)fputs("network:\n  version: 2\n  renderer: networkd\n", out);
	for (enum declaration_kind kind = 0; kind < N_DECLARATION_KINDS; kind++) {
		bool has_section = false;
		struct place section = {.out = out, .depth = 1}, inner = below(&section);
		for (size_t i = 0; i < network->n; i++) {
			if (network->declarations[i].kind != kind)
				continue;
			if (!has_section)
				put_list(&section, declaration_section(kind), 1);
			has_section = true;
			int error = put_declaration(&inner, network, &network->declarations[i],
				comments ? comments[i] : NULL);
			if (error < 0)
				return error;
		}
	}
	return ferror(out) ? -ENOMEM : 0;
}

char *network_text(const struct network *network)
{
	AUTO_FREE char *text = NULL;
	size_t n_text = 0;
	FILE *out = open_memstream(&text, &n_text);
	if (!out)
		return NULL;
	int error = network_print(out, network, NULL);
	if (fclose(out) != 0 || error < 0)
		return NULL;
	return TAKE_PTR(text);
}
