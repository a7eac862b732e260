// netplan's document becomes the desired network. Every key is known or refused by name, line and column.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/netplan-keys.h"
#include "netconf/netplan-value.h"

#include <errno.h>

enum { ON_ETHERNET = 1, ON_DUMMY = 2, ON_WIREGUARD = 4, ON_ALL = 7 };

static const struct {
	const char *key;
	unsigned on;
	netplan_decoder_t *decode;
} keys_of_definition[] = {
	{"accept-ra", ON_ETHERNET, netplan_decode_accept_ra},
	{"addresses", ON_ALL, netplan_decode_addresses},
	{"dhcp-identifier", ON_ETHERNET, netplan_decode_identifier},
	{"dhcp4", ON_ETHERNET, netplan_decode_dhcp4},
	{"dhcp6", ON_ETHERNET, netplan_decode_dhcp6},
	{"gateway4", ON_ETHERNET, netplan_decode_gateway},
	{"gateway6", ON_ETHERNET, netplan_decode_gateway},
	{"key", ON_WIREGUARD, netplan_decode_key},
	{"keys", ON_WIREGUARD, netplan_decode_keys},
	{"link-local", ON_ETHERNET, netplan_decode_link_local},
	{"mark", ON_WIREGUARD, netplan_decode_mark},
	{"match", ON_ETHERNET, netplan_decode_match},
	{"mode", ON_WIREGUARD, netplan_decode_mode},
	{"mtu", ON_ALL, netplan_decode_mtu},
	{"nameservers", ON_ALL, netplan_decode_nameservers},
	{"optional", ON_ALL, netplan_decode_optional},
	{"peers", ON_WIREGUARD, netplan_decode_peers},
	{"port", ON_WIREGUARD, netplan_decode_port},
	{"renderer", ON_ETHERNET, netplan_decode_renderer},
	{"routes", ON_ALL, netplan_decode_routes},
	{"set-name", ON_ETHERNET, netplan_decode_set_name},
};

static int decode_definition(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	const char *known[N_ELEMENTS(keys_of_definition) + 1];
	size_t n_known = 0;
	unsigned on = 1u << declaration->kind;
	char path[NETPLAN_PATH_TEXT];
	for (size_t i = 0; i < N_ELEMENTS(keys_of_definition); i++)
		if (keys_of_definition[i].on & on)
			known[n_known++] = keys_of_definition[i].key;
	known[n_known] = NULL;
	int error = netplan_need_type(value, VALUE_OBJECT, what, reterr);
	if (error == 0)
		error = value_only_keys(value, what, known, reterr);
	for (size_t i = 0; error == 0 && i < N_ELEMENTS(keys_of_definition); i++) {
		const struct value *member = value_find(value, keys_of_definition[i].key);
		if (!member || !(keys_of_definition[i].on & on))
			continue;
		netplan_path_set(path, "%s.%s", what, keys_of_definition[i].key);
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
			return netplan_refuse(value, reterr, "%s: is declared as another kind of link at %s", id,
				found->where);
		*ret = found;
		return 0;
	}
	if (network->n == NETWORK_MAX_DECLARATIONS)
		return netplan_refuse(value, reterr, "at most %d links can be declared", NETWORK_MAX_DECLARATIONS);
	struct declaration *grown = realloc(network->declarations, (network->n + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	network->declarations = grown;
	struct declaration *added = &grown[network->n];
	*added = (struct declaration){.kind = kind, .id = strdup(id)};
	if (!added->id)
		return -ENOMEM;
	netplan_at_text(value, added->where);
	network->n++;
	*ret = added;
	return 0;
}

static int decode_section(struct network *network, const struct value *section, const char *name,
	enum declaration_kind kind, struct diag *reterr)
{
	char path[NETPLAN_PATH_TEXT];
	if (!section || section->type == VALUE_NULL)
		return 0;
	int error = netplan_need_type(section, VALUE_OBJECT, name, reterr);
	for (size_t i = 0; error == 0 && i < section->n; i++) {
		const struct value *value = &section->items[i];
		const char *id = section->keys[i];
		struct declaration *declaration = NULL;
		if (str_equal(id, "renderer")) { // netplan takes it beside the definitions too
			error = netplan_decode_renderer(NULL, value, "renderer", reterr);
			continue;
		}
		netplan_path_set(path, "%s.%.64s", name, id);
		if (value->type == VALUE_NULL)
			return netplan_refuse(value, reterr, "%s: is empty; {} declares a link without settings", path);
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
	int error = netplan_need_type(netplan, VALUE_OBJECT, "the document", reterr);
	if (error < 0)
		return error;
	if (value_find(netplan, "network")) {
		error = value_only_keys(netplan, "the document", outer, reterr);
		if (error < 0)
			return error;
		netplan = value_find(netplan, "network");
		if (netplan->type == VALUE_NULL)
			return 0;
		error = netplan_need_type(netplan, VALUE_OBJECT, "network", reterr);
	}
	if (error == 0)
		error = value_only_keys(netplan, "network", known, reterr);
	const struct value *renderer = value_find(netplan, "renderer");
	if (error == 0 && !value_find(netplan, "version"))
		return netplan_refuse(netplan, reterr, "network: needs version: 2");
	if (error == 0 && !str_equal(netplan_scalar(value_find(netplan, "version")), "2"))
		return netplan_refuse(value_find(netplan, "version"), reterr, "version: must be 2");
	if (error == 0 && renderer)
		error = netplan_decode_renderer(NULL, renderer, "renderer", reterr);
	if (error == 0)
		error = decode_section(network, value_find(netplan, "ethernets"), "ethernets", DECLARATION_ETHERNET, reterr);
	if (error == 0)
		error = decode_section(network, value_find(netplan, "dummy-devices"), "dummy-devices", DECLARATION_DUMMY,
			reterr);
	if (error == 0)
		error = decode_section(network, value_find(netplan, "tunnels"), "tunnels", DECLARATION_WIREGUARD, reterr);
	return error;
}
