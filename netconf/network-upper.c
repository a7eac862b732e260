// What stands on what: ports and their masters, VLANs and their parents.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/network-validate.h"

#include <errno.h>
#include <linux/rtnetlink.h>

// --- ports ---

static struct declaration *find(struct network *network, const char *id)
{
	return (struct declaration *)network_find(network, id); // const of the search only: the network is ours
}

// Is the link an Ethernet one, such as a bond or a bridge can have as a port?
static bool can_be_port(const struct declaration *port, enum declaration_kind master)
{
	switch (port->kind) {
	case DECLARATION_WIREGUARD:
		return master == DECLARATION_VRF;
	case DECLARATION_VRF:
		return false;
	case DECLARATION_BRIDGE:
		return master != DECLARATION_BRIDGE;
	case DECLARATION_ETHERNET:
	case DECLARATION_DUMMY:
	case DECLARATION_BOND:
	case DECLARATION_VLAN:
	case N_DECLARATION_KINDS:
		break;
	}
	return true;
}

static int resolve_port(struct network *network, const struct declaration *master, size_t i, struct diag *reterr)
{
	const struct place *where = master->ports_where ? &master->ports_where[i] : &master->where;
	const char *section = declaration_section(master->kind);
	struct declaration *port = find(network, master->ports[i]);
	if (!port)
		return place_refuse(reterr, -EINVAL, where, "%s.%s.interfaces: %s is not declared", section, master->id,
			master->ports[i]);
	if (port == master)
		return place_refuse(reterr, -EINVAL, where, "%s.%s.interfaces: it cannot be a port of itself", section, master->id);
	if (!can_be_port(port, master->kind))
		return place_refuse(reterr, -EINVAL, where, "%s.%s.interfaces: %s of %s cannot be a port here", section, master->id,
			port->id, declaration_section(port->kind));
	if (port->master)
		return place_refuse(reterr, -EINVAL, where,
			"%s.%s.interfaces: %s is a port of %s already; a link has one master", section, master->id, port->id,
			port->master);
	port->master = strdup(master->id);
	return port->master ? 0 : -ENOMEM;
}

bool declaration_has_port(const struct declaration *master, const char *id)
{
	for (size_t i = 0; i < master->n_ports; i++)
		if (str_equal(master->ports[i], id))
			return true;
	return false;
}

uint32_t network_default_table(const struct network *network, const struct declaration *declaration,
	uint8_t route_type)
{
	for (size_t i = 0; i < network->n; i++) {
		const struct declaration *vrf = &network->declarations[i];
		if (vrf->kind == DECLARATION_VRF && (vrf == declaration || declaration_has_port(vrf, declaration->id)))
			return vrf->vrf_table;
	}
	bool is_local = route_type == RTN_LOCAL || route_type == RTN_BROADCAST || route_type == RTN_ANYCAST;
	return is_local ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
}

// path-cost and port-priority of the bridge join what the port says of itself.
static int resolve_bridge_ports(struct network *network, const struct declaration *bridge, struct diag *reterr)
{
	for (size_t i = 0; i < bridge->n_bridge_ports; i++) {
		const struct bridge_port *said = &bridge->bridge_ports[i];
		struct declaration *port = declaration_has_port(bridge, said->port) ? find(network, said->port) : NULL;
		if (!port)
			return place_refuse(reterr, -EINVAL, &said->where, "bridges.%s.parameters: %s is not in its interfaces",
				bridge->id, said->port);
		for (size_t j = 0; j < LINK_OPTIONS_MAX; j++)
			if (link_options_have(&said->options, j))
				link_options_set(&port->port_options, j, said->options.value[j]);
	}
	return 0;
}

static int resolve_master(struct network *network, struct declaration *master, struct diag *reterr)
{
	int error = 0;
	for (size_t i = 0; error == 0 && i < master->n_ports; i++)
		error = resolve_port(network, master, i, reterr);
	if (error < 0)
		return error;
	if (master->kind == DECLARATION_BRIDGE)
		return resolve_bridge_ports(network, master, reterr);
	if (master->kind == DECLARATION_VRF && !master->vrf_table)
		return place_refuse(reterr, -EINVAL, &master->where, "vrfs.%s: needs the key table", master->id);
	if (master->primary && !declaration_has_port(master, master->primary))
		return place_refuse(reterr, -EINVAL, &master->where, "bonds.%s.parameters.primary: %s is not in its interfaces",
			master->id, master->primary);
	return 0;
}

// --- VLANs ---

static int resolve_vlan(const struct network *network, const struct declaration *vlan, struct diag *reterr)
{
	if (!vlan->vlan_id)
		return place_refuse(reterr, -EINVAL, &vlan->where, "vlans.%s: needs the key id", vlan->id);
	if (!vlan->parent)
		return place_refuse(reterr, -EINVAL, &vlan->where, "vlans.%s: needs the key link", vlan->id);
	const struct declaration *parent = network_find(network, vlan->parent);
	if (!parent)
		return place_refuse(reterr, -EINVAL, &vlan->where, "vlans.%s.link: %s is not declared", vlan->id, vlan->parent);
	if (parent->kind == DECLARATION_WIREGUARD || parent->kind == DECLARATION_VRF)
		return place_refuse(reterr, -EINVAL, &vlan->where, "vlans.%s.link: %s of %s has no VLANs", vlan->id, parent->id,
			declaration_section(parent->kind));
	if (vlan->mtu && parent->mtu && vlan->mtu > parent->mtu)
		return place_refuse(reterr, -EINVAL, &vlan->where, "vlans.%s.mtu: must be at most that of %s, %u, not %u", vlan->id,
			parent->id, parent->mtu, vlan->mtu);
	for (size_t i = 0; i < network->n; i++) {
		const struct declaration *other = &network->declarations[i];
		if (other == vlan)
			break;
		if (other->kind == DECLARATION_VLAN && other->vlan_id == vlan->vlan_id && str_equal(other->parent, vlan->parent))
			return place_refuse(reterr, -EINVAL, &vlan->where, "vlans.%s: VLAN %u of %s is %s already", vlan->id,
				vlan->vlan_id, vlan->parent, other->id);
	}
	return 0;
}

// --- cycles ---

enum mark { UNSEEN, ON_PATH, DONE };

struct walk {
	const struct network *network;
	enum mark marks[NETWORK_MAX_DECLARATIONS];
	size_t path[NETWORK_MAX_DECLARATIONS], depth;
};

static int refuse_cycle(const struct walk *walk, size_t again, struct diag *reterr)
{
	char text[512] = "";
	size_t from = 0, n = 0;
	while (walk->path[from] != again)
		from++;
	for (size_t i = from; i < walk->depth && n < sizeof(text); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s -> ", walk->network->declarations[walk->path[i]].id);
	const struct declaration *declaration = &walk->network->declarations[again];
	return place_refuse(reterr, -EINVAL, &declaration->where, "links stand on each other in a circle: %s%s", text,
		declaration->id);
}

// Depth is at most the number of declarations.
static int visit(struct walk *walk, size_t index, struct diag *reterr)
{
	const struct declaration *declaration = &walk->network->declarations[index];
	if (walk->marks[index] == DONE)
		return 0;
	if (walk->marks[index] == ON_PATH)
		return refuse_cycle(walk, index, reterr);
	walk->marks[index] = ON_PATH;
	walk->path[walk->depth++] = index;
	size_t n_below = declaration->n_ports + (declaration->parent ? 1 : 0);
	int error = 0;
	for (size_t i = 0; error == 0 && i < n_below; i++) {
		const char *id = i < declaration->n_ports ? declaration->ports[i] : declaration->parent;
		const struct declaration *below = network_find(walk->network, id);
		if (below)
			error = visit(walk, (size_t)(below - walk->network->declarations), reterr);
	}
	walk->depth--;
	walk->marks[index] = DONE;
	return error;
}

int network_resolve(struct network *network, struct diag *reterr)
{
	for (size_t i = 0; i < network->n; i++) {
		free(network->declarations[i].master);
		network->declarations[i].master = NULL;
	}
	for (size_t i = 0; i < network->n; i++) {
		int error = resolve_master(network, &network->declarations[i], reterr);
		if (error == 0 && network->declarations[i].kind == DECLARATION_VLAN)
			error = resolve_vlan(network, &network->declarations[i], reterr);
		if (error < 0)
			return error;
	}
	struct walk walk = {.network = network};
	int error = 0;
	for (size_t i = 0; error == 0 && i < network->n && i < NETWORK_MAX_DECLARATIONS; i++)
		error = visit(&walk, i, reterr);
	return error;
}
