// A network as a netplan document.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/network-text.h"
#include "netconf/yaml-out.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

// --- a link itself ---

static void put_match(struct yaml_place *at, const struct declaration *declaration)
{
	if (declaration->match_wired)
		network_print_comment(at->out, "match here means every wired port, and no USB gadget");
	yaml_put_key(at, "match");
	bool is_empty = !declaration->match_name && !declaration->match_mac && !declaration->n_match_drivers;
	(void)fputs(is_empty ? " {}\n" : "\n", at->out);
	struct yaml_place inner = yaml_below(at);
	if (declaration->match_name)
		yaml_put_text(&inner, "name", declaration->match_name);
	if (declaration->match_mac)
		yaml_put_text(&inner, "macaddress", declaration->match_mac);
	if (declaration->n_match_drivers == 1)
		yaml_put_text(&inner, "driver", declaration->match_drivers[0]);
	else if (declaration->n_match_drivers)
		yaml_put_texts(&inner, "driver", declaration->match_drivers, declaration->n_match_drivers);
}

static void put_overrides(struct yaml_place *at, const char *key, const struct dhcp_overrides *overrides)
{
	if (!overrides->no_dns && !overrides->no_ntp && !overrides->no_hostname && !overrides->no_send_hostname &&
		!overrides->no_mtu && !overrides->no_routes && !overrides->hostname && !overrides->use_domains &&
		!overrides->has_metric)
		return;
	yaml_put_key(at, key);
	(void)fputc('\n', at->out);
	struct yaml_place inner = yaml_below(at);
	if (overrides->no_dns)
		yaml_put_bool(&inner, "use-dns", false);
	if (overrides->no_ntp)
		yaml_put_bool(&inner, "use-ntp", false);
	if (overrides->no_hostname)
		yaml_put_bool(&inner, "use-hostname", false);
	if (overrides->no_send_hostname)
		yaml_put_bool(&inner, "send-hostname", false);
	if (overrides->no_mtu)
		yaml_put_bool(&inner, "use-mtu", false);
	if (overrides->no_routes)
		yaml_put_bool(&inner, "use-routes", false);
	if (overrides->hostname)
		yaml_put_text(&inner, "hostname", overrides->hostname);
	if (str_equal(overrides->use_domains, "true") || str_equal(overrides->use_domains, "false"))
		yaml_put_bool(&inner, "use-domains", str_equal(overrides->use_domains, "true"));
	else if (overrides->use_domains)
		yaml_put_text(&inner, "use-domains", overrides->use_domains);
	if (overrides->has_metric)
		yaml_put_number(&inner, "route-metric", overrides->metric);
}

static void put_dynamic(struct yaml_place *at, const struct declaration *declaration)
{
	if (declaration->dhcp4)
		yaml_put_bool(at, "dhcp4", true);
	put_overrides(at, "dhcp4-overrides", &declaration->dhcp4_overrides);
	if (declaration->dhcp6)
		yaml_put_bool(at, "dhcp6", true);
	put_overrides(at, "dhcp6-overrides", &declaration->dhcp6_overrides);
	if (declaration->has_accept_ra)
		yaml_put_bool(at, "accept-ra", declaration->accept_ra);
	if (declaration->has_privacy)
		yaml_put_bool(at, "ipv6-privacy", declaration->privacy);
	if (declaration->has_link_local) {
		yaml_put_list(at, "link-local", declaration->link_local4 || declaration->link_local6);
		if (declaration->link_local4)
			yaml_put_element(at, "ipv4");
		if (declaration->link_local6)
			yaml_put_element(at, "ipv6");
	}
}

static void put_link(struct yaml_place *at, const struct declaration *declaration)
{
	static const char *const activations[] = {[ACTIVATION_MANUAL] = "manual", [ACTIVATION_OFF] = "off"};
	char mac[18];
	if (declaration->has_match)
		put_match(at, declaration);
	if (declaration->set_name)
		yaml_put_text(at, "set-name", declaration->set_name);
	if (declaration->has_mac)
		yaml_put_text(at, "macaddress", mac_format(declaration->mac, mac));
	if (declaration->mtu)
		yaml_put_number(at, "mtu", declaration->mtu);
	if (declaration->mtu6)
		yaml_put_number(at, "ipv6-mtu", declaration->mtu6);
	if (declaration->activation != ACTIVATION_UP)
		yaml_put_text(at, "activation-mode", activations[declaration->activation]);
	if (declaration->optional)
		yaml_put_bool(at, "optional", true);
	if (declaration->critical)
		yaml_put_bool(at, "critical", true);
	if (declaration->ignore_carrier)
		yaml_put_bool(at, "ignore-carrier", true);
	put_dynamic(at, declaration);
	if (declaration->n_addresses)
		yaml_put_addresses(at, "addresses", declaration->addresses, declaration->n_addresses);
	if (!declaration->n_servers && !declaration->n_search)
		return;
	yaml_put_key(at, "nameservers");
	(void)fputc('\n', at->out);
	struct yaml_place inner = yaml_below(at);
	if (declaration->n_search)
		yaml_put_texts(&inner, "search", declaration->search, declaration->n_search);
	if (declaration->n_servers)
		yaml_put_ips(&inner, "addresses", declaration->servers, declaration->n_servers);
}

// --- what it is made of ---

static bool has_parameters(const struct declaration *declaration)
{
	return declaration->options.has || declaration->primary || declaration->n_arp_targets ||
	       declaration->n_bridge_ports;
}

static void put_option(struct yaml_place *at, const char *key, const struct link_option *option, uint32_t value)
{
	char buffer[32];
	const char *text = link_option_format(option, value, buffer);
	if (option->words) {
		yaml_put_text(at, key, text);
		return;
	}
	yaml_put_key(at, key);
	(void)fprintf(at->out, " %s\n", text); // a number, true or false
}

// path-cost and port-priority stand with the bridge, the other options of a port with the port.
static bool stands_with_bridge(const struct link_option *option)
{
	return option->attribute == IFLA_BRPORT_COST || option->attribute == IFLA_BRPORT_PRIORITY;
}

static void put_bridge_ports(struct yaml_place *at, const struct declaration *declaration)
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
				yaml_put_key(at, table[i].key);
				(void)fputc('\n', at->out);
				has_key = true;
			}
			struct yaml_place inner = yaml_below(at);
			put_option(&inner, port->port, &table[i], port->options.value[i]);
		}
	}
}

static void put_port_options(struct yaml_place *at, const struct network *network, const struct declaration *declaration)
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

static void put_parameters(struct yaml_place *at, const struct declaration *declaration)
{
	size_t n;
	const struct link_option *table = link_options_of(
		declaration->kind == DECLARATION_BOND ? LINK_OPTION_BOND : LINK_OPTION_BRIDGE, &n);
	if (!has_parameters(declaration))
		return;
	yaml_put_key(at, "parameters");
	(void)fputc('\n', at->out);
	struct yaml_place inner = yaml_below(at);
	for (size_t i = 0; i < n; i++)
		if (link_options_have(&declaration->options, i))
			put_option(&inner, table[i].key, &table[i], declaration->options.value[i]);
	if (declaration->n_arp_targets)
		yaml_put_ips(&inner, "arp-ip-targets", declaration->arp_targets, declaration->n_arp_targets);
	if (declaration->primary)
		yaml_put_text(&inner, "primary", declaration->primary);
	put_bridge_ports(&inner, declaration);
}

static const char *preshared_file(const struct declaration *declaration, const struct peer *peer)
{
	for (size_t i = 0; i < declaration->n_preshared_files; i++)
		if (memcmp(declaration->preshared_owner[i], peer->public_key, PEER_KEY_BYTES) == 0)
			return declaration->preshared_files[i];
	return NULL;
}

static void put_peer(const struct yaml_place *at, const struct declaration *declaration, const struct peer *peer)
{
	char text[ADDRESS_TEXT];
	const char *shared = preshared_file(declaration, peer);
	struct yaml_place element = yaml_item(at);
	yaml_put_key(&element, "keys");
	(void)fputc('\n', at->out);
	struct yaml_place keys = yaml_below(&element);
	yaml_put_text(&keys, "public", peer_key_format(peer->public_key, text));
	if (shared)
		yaml_put_text(&keys, "shared", shared);
	if (peer->endpoint.family)
		yaml_put_text(&element, "endpoint", endpoint_format(&peer->endpoint, peer->endpoint_port, text));
	if (peer->keepalive_sec)
		yaml_put_number(&element, "keepalive", peer->keepalive_sec);
	if (peer->n_allowed)
		yaml_put_addresses(&element, "allowed-ips", peer->allowed, peer->n_allowed);
}

static void put_wireguard(struct yaml_place *at, const struct declaration *declaration)
{
	yaml_put_text(at, "mode", "wireguard");
	if (declaration->key_file)
		yaml_put_text(at, "key", declaration->key_file);
	if (declaration->has_port)
		yaml_put_number(at, "port", declaration->port);
	if (declaration->has_mark)
		yaml_put_number(at, "mark", declaration->mark);
	if (!declaration->has_peers)
		return;
	yaml_put_list(at, "peers", declaration->peers.n);
	for (size_t i = 0; i < declaration->peers.n; i++)
		put_peer(at, declaration, &declaration->peers.peers[i]);
}

static void put_kind(struct yaml_place *at, const struct declaration *declaration)
{
	switch (declaration->kind) {
	case DECLARATION_BOND:
	case DECLARATION_BRIDGE:
		yaml_put_texts(at, "interfaces", declaration->ports, declaration->n_ports);
		put_parameters(at, declaration);
		break;
	case DECLARATION_VLAN:
		yaml_put_number(at, "id", declaration->vlan_id);
		if (declaration->parent)
			yaml_put_text(at, "link", declaration->parent);
		break;
	case DECLARATION_VRF:
		yaml_put_number(at, "table", declaration->vrf_table);
		yaml_put_texts(at, "interfaces", declaration->ports, declaration->n_ports);
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

static void put_route(const struct yaml_place *at, const struct route *route, bool has_table)
{
	char text[ADDRESS_TEXT];
	bool is_default = route->destination.prefix == 0 && route->gateway.family;
	const char *type = route_type_word(route->type);
	struct yaml_place element = yaml_item(at);
	yaml_put_text(&element, "to", is_default ? "default" : address_format(&route->destination, text));
	if (route->gateway.family)
		yaml_put_text(&element, "via", ip_format(&route->gateway, text));
	if (route->source.family)
		yaml_put_text(&element, "from", ip_format(&route->source, text));
	if (route->metric != (route->destination.ip.family == AF_INET6 ? 1024 : 0))
		yaml_put_number(&element, "metric", route->metric);
	if (has_table)
		yaml_put_number(&element, "table", route->table);
	if (route->on_link)
		yaml_put_bool(&element, "on-link", true);
	if (route->type != RTN_UNICAST && type)
		yaml_put_text(&element, "type", type);
	if (route->scope != route_default_scope(route))
		yaml_put_text(&element, "scope",
			route->scope == RT_SCOPE_LINK ? "link" : route->scope == RT_SCOPE_HOST ? "host" : "global");
	if (route->mtu)
		yaml_put_number(&element, "mtu", route->mtu);
	if (route->cwnd)
		yaml_put_number(&element, "congestion-window", route->cwnd);
	if (route->rwnd)
		yaml_put_number(&element, "advertised-receive-window", route->rwnd);
}

static void put_rule(const struct yaml_place *at, const struct rule *rule)
{
	char text[ADDRESS_TEXT];
	struct yaml_place element = yaml_item(at);
	if (rule->from.ip.family)
		yaml_put_text(&element, "from", address_format(&rule->from, text));
	else if (!rule->to.ip.family) // netplan wants one of the two
		yaml_put_text(&element, "from", rule->family == AF_INET6 ? "::/0" : "0.0.0.0/0");
	if (rule->to.ip.family)
		yaml_put_text(&element, "to", address_format(&rule->to, text));
	if (rule->table)
		yaml_put_number(&element, "table", rule->table);
	if (rule->has_priority)
		yaml_put_number(&element, "priority", rule->priority);
	if (rule->mark)
		yaml_put_number(&element, "mark", rule->mark);
	if (rule->tos)
		yaml_put_number(&element, "type-of-service", rule->tos);
}

// --- the whole ---

static int body_text(const struct network *network, const struct declaration *declaration, int depth, char **ret)
{
	AUTO_FREE char *body = NULL;
	size_t n_body = 0;
	struct yaml_place at = {.out = open_memstream(&body, &n_body), .depth = depth};
	if (!at.out)
		return -ENOMEM;
	put_kind(&at, declaration);
	put_link(&at, declaration);
	put_port_options(&at, network, declaration);
	if (declaration->n_routes)
		yaml_put_list(&at, "routes", declaration->n_routes);
	for (size_t i = 0; i < declaration->n_routes; i++)
		put_route(&at, &declaration->routes[i], says_table(network, declaration, &declaration->routes[i]));
	if (declaration->n_rules)
		yaml_put_list(&at, "routing-policy", declaration->n_rules);
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

static int put_declaration(struct yaml_place *at, const struct network *network, const struct declaration *declaration,
	const char *comment)
{
	AUTO_FREE char *body = NULL;
	int error = body_text(network, declaration, at->depth + 1, &body);
	if (error < 0)
		return error;
	yaml_put_key(at, declaration->id);
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
		struct yaml_place section = {.out = out, .depth = 1}, inner = yaml_below(&section);
		for (size_t i = 0; i < network->n; i++) {
			if (network->declarations[i].kind != kind)
				continue;
			if (!has_section)
				yaml_put_list(&section, declaration_section(kind), 1);
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
