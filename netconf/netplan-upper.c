// The keys of links that stand on others or have ports: bonds, bridges, VLANs, VRFs; and of a bridge's ports.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/netplan-keys.h"
#include "netconf/netplan-value.h"

#include <errno.h>

enum { VLAN_MAX_ID = 4094, KNOWN_MAX = LINK_OPTIONS_MAX + 4 };

int netplan_decode_id(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	uint32_t id;
	int error = netplan_number(value, what, 1, VLAN_MAX_ID, &id, reterr);
	if (error == 0)
		declaration->vlan_id = (uint16_t)id;
	return error;
}

int netplan_decode_link(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	return netplan_set_text(&declaration->parent, value, what, reterr);
}

int netplan_decode_table(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	return netplan_number(value, what, 1, UINT32_MAX, &declaration->vrf_table, reterr);
}

int netplan_decode_interfaces(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	int error = netplan_need_type(value, VALUE_ARRAY, what, reterr);
	for (size_t i = 0; error == 0 && i < value->n; i++) {
		const char *id = netplan_scalar(&value->items[i]);
		size_t n_before = declaration->n_ports;
		if (!id || !*id)
			return netplan_refuse(&value->items[i], reterr, "%s[%zu]: must be the id of a link", what, i);
		if (n_before == NETWORK_MAX_DECLARATIONS)
			return netplan_refuse(&value->items[i], reterr, "%s: at most %d ports", what, NETWORK_MAX_DECLARATIONS);
		if (netplan_grow((void **)&declaration->ports_where, n_before, sizeof(*declaration->ports_where)) < 0)
			return -ENOMEM;
		error = netplan_add_text(&declaration->ports, &declaration->n_ports, id);
		if (declaration->n_ports > n_before)
			declaration->ports_where[n_before] = netplan_place(declaration, &value->items[i]);
	}
	return error;
}

// --- parameters ---

static int decode_option(enum link_option_kind kind, size_t position, struct link_options *options,
	const struct value *value, const char *what, struct diag *reterr)
{
	size_t n;
	const struct link_option *option = &link_options_of(kind, &n)[position];
	struct diag rule = {0};
	uint32_t number;
	const char *text = netplan_scalar(value);
	if (!text)
		return netplan_refuse(value, reterr, "%s: must be a text or a number", what);
	if (link_option_parse(option, text, &number, &rule) < 0)
		return netplan_refuse(value, reterr, "%s: %s", what, rule.message);
	link_options_set(options, position, number);
	return 0;
}

static int refuse_parameter(enum link_option_kind kind, const char *const others[], const struct value *value,
	const char *what, const char *key, struct diag *reterr)
{
	const char *known[KNOWN_MAX + 1];
	size_t n, n_known = 0;
	const struct link_option *table = link_options_of(kind, &n);
	for (size_t i = 0; i < n; i++)
		known[n_known++] = table[i].key;
	for (size_t i = 0; others[i] && n_known < KNOWN_MAX; i++)
		known[n_known++] = others[i];
	known[n_known] = NULL;
	return netplan_refuse_unknown(value, key, what, known, reterr);
}

static int decode_arp_targets(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	int error = netplan_need_type(value, VALUE_ARRAY, what, reterr);
	for (size_t i = 0; error == 0 && i < value->n; i++) {
		const char *text = netplan_scalar(&value->items[i]);
		struct ip ip;
		bool is_there = false;
		if (!text || ip_parse(text, &ip) < 0 || ip.family != AF_INET)
			return netplan_refuse(&value->items[i], reterr, "%s[%zu]: must be an IPv4 address, not \"%s\"", what, i,
				text ? text : "");
		for (size_t j = 0; j < declaration->n_arp_targets; j++)
			is_there |= ip_compare(&declaration->arp_targets[j], &ip) == 0;
		if (is_there)
			continue;
		if (declaration->n_arp_targets == BOND_MAX_ARP_TARGETS)
			return netplan_refuse(&value->items[i], reterr, "%s: at most %d targets", what, BOND_MAX_ARP_TARGETS);
		declaration->arp_targets[declaration->n_arp_targets++] = ip;
	}
	return error;
}

static int decode_bond(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	static const char *const others[] = {"primary", "arp-ip-targets", NULL};
	char path[NETPLAN_PATH_TEXT];
	int error = 0;
	for (size_t i = 0; error == 0 && i < value->n; i++) {
		const char *key = value->keys[i];
		const struct value *member = &value->items[i];
		int position = link_option_find(LINK_OPTION_BOND, key);
		netplan_path_set(path, "%s.%.64s", what, key);
		if (str_equal(key, "primary"))
			error = netplan_set_text(&declaration->primary, member, path, reterr);
		else if (str_equal(key, "arp-ip-targets"))
			error = decode_arp_targets(declaration, member, path, reterr);
		else if (position < 0)
			return refuse_parameter(LINK_OPTION_BOND, others, member, what, key, reterr);
		else if (str_equal(netplan_scalar(member), "balance-tcp") || str_equal(netplan_scalar(member), "balance-slb"))
			return netplan_refuse(member, reterr, "%s: %s is Open vSwitch's, which is not supported", path,
				netplan_scalar(member));
		else
			error = decode_option(LINK_OPTION_BOND, (size_t)position, &declaration->options, member, path, reterr);
	}
	return error;
}

static struct bridge_port *find_or_add_port(struct declaration *declaration, const char *id, const struct value *at)
{
	for (size_t i = 0; i < declaration->n_bridge_ports; i++)
		if (str_equal(declaration->bridge_ports[i].port, id))
			return &declaration->bridge_ports[i];
	if (netplan_grow((void **)&declaration->bridge_ports, declaration->n_bridge_ports,
		sizeof(*declaration->bridge_ports)) < 0)
		return NULL;
	struct bridge_port *added = &declaration->bridge_ports[declaration->n_bridge_ports];
	*added = (struct bridge_port){.port = strdup(id)};
	if (!added->port)
		return NULL;
	added->where = netplan_place(declaration, at);
	declaration->n_bridge_ports++;
	return added;
}

static bool is_zero(const struct value *value)
{
	const char *text = value->type == VALUE_NULL ? value->text : netplan_scalar(value); // empty is 0, too
	return text && strspn(text, "0") == strlen(text);
}

// path-cost and port-priority: a mapping of ports to numbers
static int decode_by_port(struct declaration *declaration, size_t position, const struct value *value, const char *what,
	struct diag *reterr)
{
	char path[NETPLAN_PATH_TEXT];
	size_t n;
	bool has_zero = link_options_of(LINK_OPTION_BRIDGE_PORT, &n)[position].min == 0;
	int error = netplan_need_type(value, VALUE_OBJECT, what, reterr);
	for (size_t i = 0; error == 0 && i < value->n; i++) {
		if (is_zero(&value->items[i]) && !has_zero)
			continue; // netplan takes it as not said, and the kernel has no such cost
		if (declaration->n_bridge_ports == NETWORK_MAX_DECLARATIONS)
			return netplan_refuse(value, reterr, "%s: at most %d ports", what, NETWORK_MAX_DECLARATIONS);
		struct bridge_port *port = find_or_add_port(declaration, value->keys[i], &value->items[i]);
		if (!port)
			return -ENOMEM;
		netplan_path_set(path, "%s.%.64s", what, value->keys[i]);
		error = decode_option(LINK_OPTION_BRIDGE_PORT, position, &port->options, &value->items[i], path, reterr);
	}
	return error;
}

// networkd leaves these times to the kernel when they are 0; a forward-delay of 0 it sends, network_validate() sees to it.
static bool is_left_to_kernel(const char *key, const struct value *value)
{
	return (str_equal(key, "hello-time") || str_equal(key, "max-age")) && is_zero(value);
}

static int decode_bridge(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	static const char *const others[] = {"path-cost", "port-priority", NULL};
	char path[NETPLAN_PATH_TEXT];
	int error = 0, stp = link_option_find(LINK_OPTION_BRIDGE, "stp");
	if (!value_find(value, "stp")) // netplan: parameters without it turn it on
		link_options_set(&declaration->options, (size_t)stp, 1);
	for (size_t i = 0; error == 0 && i < value->n; i++) {
		const char *key = value->keys[i];
		const struct value *member = &value->items[i];
		int position = link_option_find(LINK_OPTION_BRIDGE, key);
		netplan_path_set(path, "%s.%.64s", what, key);
		if (str_equal(key, "path-cost") || str_equal(key, "port-priority"))
			error = decode_by_port(declaration, (size_t)link_option_find(LINK_OPTION_BRIDGE_PORT, key), member, path,
				reterr);
		else if (position < 0)
			return refuse_parameter(LINK_OPTION_BRIDGE, others, member, what, key, reterr);
		else if (!is_left_to_kernel(key, member))
			error = decode_option(LINK_OPTION_BRIDGE, (size_t)position, &declaration->options, member, path,
				reterr);
	}
	return error;
}

int netplan_decode_parameters(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	int error = netplan_need_type(value, VALUE_OBJECT, what, reterr);
	if (error < 0)
		return error;
	return declaration->kind == DECLARATION_BOND ? decode_bond(declaration, value, what, reterr)
						     : decode_bridge(declaration, value, what, reterr);
}

// hairpin, port-mac-learning, neigh-suppress: netplan has them in the port's own definition
int netplan_decode_port_option(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	int position = link_option_find(LINK_OPTION_BRIDGE_PORT, strrchr(what, '.') + 1);
	return decode_option(LINK_OPTION_BRIDGE_PORT, (size_t)position, &declaration->port_options, value, what, reterr);
}
