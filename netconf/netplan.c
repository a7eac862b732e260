// netplan's document becomes the desired network. Every key is known or refused by name, line and column.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/netplan-keys.h"
#include "netconf/netplan-value.h"

#include <errno.h>

enum {
	ON_ETHERNET = 1u << DECLARATION_ETHERNET,
	ON_WIREGUARD = 1u << DECLARATION_WIREGUARD,
	ON_BOND = 1u << DECLARATION_BOND,
	ON_BRIDGE = 1u << DECLARATION_BRIDGE,
	ON_VLAN = 1u << DECLARATION_VLAN,
	ON_VRF = 1u << DECLARATION_VRF,
	ON_ALL = (1u << N_DECLARATION_KINDS) - 1,
};

static const struct {
	const char *key;
	unsigned on;
	netplan_decoder_t *decode; // NULL: known, and netplan-unsupported.c let it pass because it changes nothing
} keys_of_definition[] = {
	{"accept-ra", ON_ALL, netplan_decode_accept_ra},
	{"activation-mode", ON_ALL, netplan_decode_activation},
	{"addresses", ON_ALL, netplan_decode_addresses},
	{"critical", ON_ALL, netplan_decode_critical},
	{"delay-virtual-functions-rebind", ON_ETHERNET, NULL},
	{"dhcp-identifier", ON_ALL, netplan_decode_identifier},
	{"dhcp4", ON_ALL, netplan_decode_dhcp4},
	{"dhcp4-overrides", ON_ALL, netplan_decode_dhcp4_overrides},
	{"dhcp6", ON_ALL, netplan_decode_dhcp6},
	{"dhcp6-overrides", ON_ALL, netplan_decode_dhcp6_overrides},
	{"emit-lldp", ON_ETHERNET, NULL},
	{"gateway4", ON_ALL, netplan_decode_gateway},
	{"gateway6", ON_ALL, netplan_decode_gateway},
	{"hairpin", ON_ALL, netplan_decode_port_option},
	{"id", ON_VLAN, netplan_decode_id},
	{"ignore-carrier", ON_ALL, netplan_decode_ignore_carrier},
	{"interfaces", ON_BOND | ON_BRIDGE | ON_VRF, netplan_decode_interfaces},
	{"ipv6-address-generation", ON_ALL, NULL},
	{"ipv6-mtu", ON_ALL, netplan_decode_mtu6},
	{"ipv6-privacy", ON_ALL, netplan_decode_privacy},
	{"key", ON_WIREGUARD, netplan_decode_key},
	{"keys", ON_WIREGUARD, netplan_decode_key},
	{"link", ON_VLAN, netplan_decode_link},
	{"link-local", ON_ALL, netplan_decode_link_local},
	{"macaddress", ON_ALL, netplan_decode_mac},
	{"mark", ON_WIREGUARD, netplan_decode_mark},
	{"match", ON_ETHERNET, netplan_decode_match},
	{"mode", ON_WIREGUARD, netplan_decode_mode},
	{"mtu", ON_ALL, netplan_decode_mtu},
	{"nameservers", ON_ALL, netplan_decode_nameservers},
	{"neigh-suppress", ON_ALL, netplan_decode_port_option},
	{"optional", ON_ALL, netplan_decode_optional},
	{"optional-addresses", ON_ALL, netplan_decode_optional_addresses},
	{"parameters", ON_BOND | ON_BRIDGE, netplan_decode_parameters},
	{"peers", ON_WIREGUARD, netplan_decode_peers},
	{"port", ON_WIREGUARD, netplan_decode_port},
	{"port-mac-learning", ON_ALL, netplan_decode_port_option},
	{"renderer", ON_ALL, netplan_decode_renderer},
	{"routes", ON_ALL, netplan_decode_routes},
	{"routing-policy", ON_ALL, netplan_decode_rules},
	{"set-name", ON_ETHERNET, netplan_decode_set_name},
	{"table", ON_VRF, netplan_decode_table},
	{"wakeonlan", ON_ETHERNET, NULL},
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
	const struct value *mode = declaration->kind == DECLARATION_WIREGUARD ? value_find(value, "mode") : NULL;
	netplan_path_set(path, "%s.mode", what);
	if (error == 0 && mode) // first: the other keys of another tunnel are no mistakes then
		error = netplan_decode_mode(declaration, mode, path, reterr);
	if (error == 0)
		error = netplan_refuse_keys(declaration->kind, value, what, reterr);
	if (error == 0)
		error = netplan_only_keys(value, what, known, reterr);
	for (size_t i = 0; error == 0 && i < N_ELEMENTS(keys_of_definition); i++) {
		const struct value *member = value_find(value, keys_of_definition[i].key);
		if (!member || !(keys_of_definition[i].on & on) || !keys_of_definition[i].decode)
			continue;
		netplan_path_set(path, "%s.%s", what, keys_of_definition[i].key);
		error = keys_of_definition[i].decode(declaration, member, path, reterr);
	}
	return error;
}

static int find_or_add(struct network *network, const char *id, enum declaration_kind kind, const char *file,
	const struct value *value, struct declaration **ret, struct diag *reterr)
{
	char where[DIAG_WHERE_MAX];
	for (size_t i = 0; i < network->n; i++) {
		struct declaration *found = &network->declarations[i];
		if (!str_equal(found->id, id))
			continue;
		if (found->kind != kind)
			return netplan_refuse(value, reterr, "%s: is declared as another kind of link at %s", id,
				place_text(&found->where, where));
		found->file = file;
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
	*added = (struct declaration){.kind = kind, .id = strdup(id), .file = file};
	if (!added->id)
		return -ENOMEM;
	added->where = netplan_place(added, value);
	network->n++;
	*ret = added;
	return 0;
}

static int decode_section(struct network *network, const struct value *section, const char *file,
	enum declaration_kind kind, struct diag *reterr)
{
	const char *name = declaration_section(kind);
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
		error = find_or_add(network, id, kind, file, value, &declaration, reterr);
		if (error == 0)
			error = decode_definition(declaration, value, path, reterr);
	}
	return error;
}

// netplan takes a document without a version, and every text that begins with the number.
static int check_version(const struct value *version, struct diag *reterr)
{
	const char *text = version ? netplan_scalar(version) : "2";
	if (text && text[0] == '2' && (text[1] < '0' || text[1] > '9'))
		return 0;
	return netplan_refuse(version, reterr, "version: must be 2, not \"%.64s\"", text ? text : "");
}

static int decode_document(struct network *network, const struct value *netplan, const char *file, struct diag *reterr)
{
	static const char *const outer[] = {"network", NULL};
	// those that have links of hardware first: they come first in match, too
	static const char *const known[] = {"network", "version", "renderer", "ethernets", "dummy-devices", "tunnels", "bonds", "bridges",
		"vlans", "vrfs", "wifis", "modems", "virtual-ethernets", "nm-devices", "openvswitch", NULL};
	int error = netplan_need_type(netplan, VALUE_OBJECT, "the document", reterr);
	if (error < 0)
		return error;
	bool has_outer = value_find(netplan, "network") != NULL;
	if (has_outer) {
		error = netplan_only_keys(netplan, "the document", outer, reterr);
		if (error < 0)
			return error;
		netplan = value_find(netplan, "network");
		if (netplan->type == VALUE_NULL)
			return 0;
		error = netplan_need_type(netplan, VALUE_OBJECT, "network", reterr);
	}
	const struct value *renderer = value_find(netplan, "renderer");
	if (error == 0) // first: the keys of another version are no mistakes then
		error = check_version(value_find(netplan, "version"), reterr);
	if (error == 0)
		error = netplan_only_keys(netplan, "network", known + has_outer, reterr); // it is not in itself
	if (error == 0 && renderer)
		error = netplan_decode_renderer(NULL, renderer, "renderer", reterr);
	if (error == 0)
		error = netplan_refuse_sections(netplan, reterr);
	for (enum declaration_kind kind = 0; error == 0 && kind < N_DECLARATION_KINDS; kind++)
		error = decode_section(network, value_find(netplan, declaration_section(kind)), file, kind, reterr);
	return error;
}

int network_decode(struct network *network, const struct value *netplan, const char *file, struct diag *reterr)
{
	if (file && netplan_append_text(&network->files, &network->n_files, file) < 0)
		return -ENOMEM;
	int error = decode_document(network, netplan, file ? network->files[network->n_files - 1] : NULL, reterr);
	if (error == -EINVAL)
		diag_prefix(reterr, file);
	return error;
}
