// What only a bond, a bridge, a VLAN, a VRF or a WireGuard link has.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/show-state.h"

#include <errno.h>
#include <linux/if_bonding.h>
#include <linux/if_link.h>

// --- bonds, bridges, VLANs, VRFs ---

// What a new bond, bridge or port has; a mode and STP are always shown.
static const struct {
	enum link_option_kind of;
	uint16_t attribute;
	uint32_t value;
} usual_options[] = {
	{LINK_OPTION_BOND, IFLA_BOND_MIIMON, 0},
	{LINK_OPTION_BOND, IFLA_BOND_UPDELAY, 0},
	{LINK_OPTION_BOND, IFLA_BOND_DOWNDELAY, 0},
	{LINK_OPTION_BOND, IFLA_BOND_ARP_INTERVAL, 0},
	{LINK_OPTION_BOND, IFLA_BOND_ARP_VALIDATE, 0},
	{LINK_OPTION_BOND, IFLA_BOND_ARP_ALL_TARGETS, 0},
	{LINK_OPTION_BOND, IFLA_BOND_PRIMARY_RESELECT, 0},
	{LINK_OPTION_BOND, IFLA_BOND_FAIL_OVER_MAC, 0},
	{LINK_OPTION_BOND, IFLA_BOND_XMIT_HASH_POLICY, 0},
	{LINK_OPTION_BOND, IFLA_BOND_RESEND_IGMP, 1},
	{LINK_OPTION_BOND, IFLA_BOND_NUM_PEER_NOTIF, 1},
	{LINK_OPTION_BOND, IFLA_BOND_ALL_SLAVES_ACTIVE, 0},
	{LINK_OPTION_BOND, IFLA_BOND_MIN_LINKS, 0},
	{LINK_OPTION_BOND, IFLA_BOND_LP_INTERVAL, 1},
	{LINK_OPTION_BOND, IFLA_BOND_PACKETS_PER_SLAVE, 1},
	{LINK_OPTION_BOND, IFLA_BOND_AD_LACP_RATE, 0},
	{LINK_OPTION_BOND, IFLA_BOND_AD_SELECT, 0},
	{LINK_OPTION_BRIDGE, IFLA_BR_FORWARD_DELAY, 1500},
	{LINK_OPTION_BRIDGE, IFLA_BR_HELLO_TIME, 200},
	{LINK_OPTION_BRIDGE, IFLA_BR_MAX_AGE, 2000},
	{LINK_OPTION_BRIDGE, IFLA_BR_AGEING_TIME, 30000},
	{LINK_OPTION_BRIDGE, IFLA_BR_PRIORITY, 32768},
	{LINK_OPTION_BRIDGE_PORT, IFLA_BRPORT_PRIORITY, 32},
	{LINK_OPTION_BRIDGE_PORT, IFLA_BRPORT_MODE, 0},
	{LINK_OPTION_BRIDGE_PORT, IFLA_BRPORT_LEARNING, 1},
	{LINK_OPTION_BRIDGE_PORT, IFLA_BRPORT_NEIGH_SUPPRESS, 0},
	{LINK_OPTION_BRIDGE_PORT, IFLA_BRPORT_ISOLATED, 0},
};

static bool is_usual(const struct link_option *option, uint32_t value)
{
	if (option->of == LINK_OPTION_BRIDGE_PORT && option->attribute == IFLA_BRPORT_COST)
		return value <= 5 || value == 19 || value == 100; // the kernel's own, by the speed of the port
	for (size_t i = 0; i < N_ELEMENTS(usual_options); i++)
		if (usual_options[i].of == option->of && usual_options[i].attribute == option->attribute)
			return usual_options[i].value == value;
	return false;
}

// Does the document's word for @value lead to @value again?
static bool can_say(const struct link_option *option, uint32_t value)
{
	char text[32];
	uint32_t parsed;
	return link_option_parse(option, link_option_format(option, value, text), &parsed, NULL) == 0 && parsed == value;
}

static void show_options(struct show *show, const struct kernel_link *one, enum link_option_kind kind,
	const struct link_options *have, struct link_options *ret)
{
	size_t n;
	const struct link_option *table = link_options_of(kind, &n);
	for (size_t i = 0; i < n; i++) {
		if (!link_options_have(have, i) || is_usual(&table[i], have->value[i]))
			continue;
		if (can_say(&table[i], have->value[i]))
			link_options_set(ret, i, have->value[i]);
		else
			show_note(show, "%s: %s is left out: netplan has no word for its value %u", one->name, table[i].key,
				have->value[i]);
	}
}

static void show_bridge_port(struct show *show, const struct kernel_link *port, struct declaration *ret)
{
	struct link_options options = {0};
	show_options(show, port, LINK_OPTION_BRIDGE_PORT, &port->port_options, &options);
	if (!options.has)
		return;
	struct bridge_port *added = show_grow(show, (void **)&ret->bridge_ports, ret->n_bridge_ports, sizeof(*added));
	if (!added)
		return;
	*added = (struct bridge_port){.port = show_copy(show, port->name), .options = options};
	ret->n_bridge_ports++;
}

// The first port of a bond is the one whose MAC it has: it gets that again where it is made anew. What has no MAC of its own for good
// shows the bond's there, whosever it is.
static int rank_of(const struct kernel_link *port, const struct kernel_link *bond)
{
	return !show_brings_mac(port, bond->mac) ? 2 : port->has_permanent_mac ? 0 : 1;
}

static void show_ports(struct show *show, const struct kernel_link *one, struct declaration *ret)
{
	for (int rank = 0; rank <= 2; rank++)
		for (size_t i = 0; i < show->kernel->n_links; i++) {
			const struct kernel_link *port = &show->kernel->links[i];
			if (port->master_index != one->index || !show->shown[i])
				continue;
			if (rank != (ret->kind == DECLARATION_BOND ? rank_of(port, one) : 0))
				continue;
			show_add_text(show, &ret->ports, &ret->n_ports, port->name);
			if (ret->kind == DECLARATION_BRIDGE)
				show_bridge_port(show, port, ret);
		}
}

// What the bond has from a mode it is no longer in; netplan's documents cannot say it.
static void drop_unused(struct link_options *options)
{
	static const char *const of_arp[] = {"arp-interval", "arp-validate", "arp-all-targets"};
	int mode = link_option_find(LINK_OPTION_BOND, "mode"), mii = link_option_find(LINK_OPTION_BOND, "mii-monitor-interval");
	bool has_arp = options->value[mode] < BOND_MODE_8023AD && !(link_options_have(options, (size_t)mii) &&
									   options->value[mii]);
	for (size_t i = 0; i < N_ELEMENTS(of_arp) && !has_arp; i++)
		options->has &= ~(1u << link_option_find(LINK_OPTION_BOND, of_arp[i]));
	if (options->value[mode] != BOND_MODE_8023AD)
		options->has &= ~(1u << link_option_find(LINK_OPTION_BOND, "lacp-rate"));
}

static void show_bond(struct show *show, const struct kernel_link *one, struct declaration *ret)
{
	const struct declaration *primary = show_of_index(show, one->primary_index);
	show_options(show, one, LINK_OPTION_BOND, &one->options, &ret->options);
	drop_unused(&ret->options);
	uint32_t mode = ret->options.value[link_option_find(LINK_OPTION_BOND, "mode")];
	if (primary && (mode == BOND_MODE_ACTIVEBACKUP || mode == BOND_MODE_TLB || mode == BOND_MODE_ALB))
		ret->primary = show_copy(show, primary->id);
	memcpy(ret->arp_targets, one->arp_targets, sizeof(ret->arp_targets));
	ret->n_arp_targets = one->n_arp_targets;
}

// --- WireGuard ---

static void show_peer(struct show *show, const char *name, const struct peer *peer, struct declaration *ret)
{
	static const uint8_t none[PEER_KEY_BYTES];
	struct peer *added = peer_table_add(&ret->peers);
	int error = added ? 0 : -ENOMEM;
	if (added) {
		memcpy(added->public_key, peer->public_key, sizeof(added->public_key));
		added->endpoint = peer->endpoint;
		added->endpoint_port = peer->endpoint_port;
		added->keepalive_sec = peer->keepalive_sec;
	}
	for (size_t i = 0; error == 0 && i < peer->n_allowed; i++)
		error = peer_add_allowed(added, &peer->allowed[i]);
	show->failed |= error < 0;
	if (memcmp(peer->preshared_key, none, sizeof(none)) == 0)
		return;
	AUTO_FREE char *path = str_format("%s/%s-peer-%zu.psk", show->key_folder, name, ret->peers.n);
	uint8_t(*owner)[PEER_KEY_BYTES] =
		show_grow(show, (void **)&ret->preshared_owner, ret->n_preshared_files, sizeof(*owner));
	if (owner)
		memcpy(owner, peer->public_key, PEER_KEY_BYTES);
	show_add_text(show, &ret->preshared_files, &ret->n_preshared_files, path ? path : "");
	show->failed |= !path;
}

static void show_wireguard(struct show *show, const struct kernel_link *one, struct declaration *ret)
{
	const struct wireguard_device *device = &one->wireguard;
	ret->key_file = str_format("%s/%s.key", show->key_folder, one->name);
	show->failed |= !ret->key_file;
	ret->port = device->port;
	ret->has_port = device->port != 0;
	ret->mark = device->mark;
	ret->has_mark = device->mark != 0;
	ret->has_peers = true;
	for (size_t i = 0; i < device->peers.n; i++)
		show_peer(show, one->name, &device->peers.peers[i], ret);
}

// --- the kinds ---

void show_kind(struct show *show, const struct kernel_link *one, struct declaration *ret)
{
	const struct declaration *parent = show_of_index(show, one->parent_index);
	switch (ret->kind) {
	case DECLARATION_BOND:
		show_bond(show, one, ret);
		show_ports(show, one, ret);
		break;
	case DECLARATION_BRIDGE:
		show_options(show, one, LINK_OPTION_BRIDGE, &one->options, &ret->options);
		show_ports(show, one, ret);
		break;
	case DECLARATION_VLAN:
		ret->vlan_id = one->vlan_id;
		ret->parent = parent ? show_copy(show, parent->id) : NULL; // there is one: show_choose_links()
		break;
	case DECLARATION_VRF:
		ret->vrf_table = one->vrf_table;
		show_ports(show, one, ret);
		break;
	case DECLARATION_WIREGUARD:
		show_wireguard(show, one, ret);
		break;
	case DECLARATION_ETHERNET:
	case DECLARATION_DUMMY:
	case N_DECLARATION_KINDS:
		break;
	}
}
