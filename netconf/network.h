// The desired network: what a netplan document declares, decoded and validated. Pure but for network_load_keys().
// Several documents may be decoded into one network, as netplan does: later scalars win, lists grow.
// Source: https://netplan.readthedocs.io (YAML reference, version 2).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/link-options.h"
#include "netconf/netconf.h"
#include "netconf/peer.h"
#include "netconf/place.h"
#include "netconf/route.h"
#include "netconf/rule.h"

enum { NETWORK_MAX_DECLARATIONS = 1024, NETWORK_MAX_ADDRESSES = 4096, NETWORK_MAX_ROUTES = 65536, NETWORK_MAX_SERVERS = 16,
	NETWORK_MAX_RULES = 4096 };

enum declaration_kind {
	DECLARATION_ETHERNET,
	DECLARATION_DUMMY,
	DECLARATION_WIREGUARD,
	DECLARATION_BOND,
	DECLARATION_BRIDGE,
	DECLARATION_VLAN,
	DECLARATION_VRF,
	N_DECLARATION_KINDS,
};
const char *declaration_section(enum declaration_kind kind);   // "bonds"
const char *declaration_link_kind(enum declaration_kind kind); // the kernel's IFLA_INFO_KIND: "bond"; "" for hardware

enum activation {
	ACTIVATION_UP,     // Hearth brings it up and keeps it up
	ACTIVATION_MANUAL, // its state is a person's: neither up nor down by us
	ACTIVATION_OFF,    // kept down
};
// What the kernel keeps a protocol with, which says whose it is; and of each route whether (1) another of its key is before it.
enum protocol_list { PROTOCOLS_ADDRESSES, PROTOCOLS_ROUTES, PROTOCOLS_RULES, PROTOCOLS_BEHIND, N_PROTOCOL_LISTS };
// dhcp4-overrides, dhcp6-overrides: what of a lease is used. networkd does it.
struct dhcp_overrides {
	bool no_dns, no_ntp, no_hostname, no_send_hostname, no_mtu, no_routes;
	char *hostname;     // sent instead of the machine's; NULL: none said
	char *use_domains;  // "true", "false", "route"; NULL: none said
	bool has_metric;
	uint32_t metric;
};

struct declaration { // one netplan definition
	enum declaration_kind kind;
	char *id;          // netplan's id; the link's name unless there is a match
	struct place where; // of the definition, and of its addresses, routes ... below
	const char *file;   // of the document that is decoded into it; borrowed from the network
	char *match_name, *match_mac; // globs and MACs as written; NULL: not asked
	char **match_drivers;
	size_t n_match_drivers;
	bool has_match, match_wired; // match_wired: netconf_default()
	char *set_name;
	struct address *addresses; // in the order of the document: the kernel's first one of a subnet is its primary
	struct place *addresses_where;
	size_t n_addresses;
	struct route *routes; // masked, scope and metric as the kernel will show them
	struct place *routes_where;
	size_t n_routes;
	size_t gateway_routes[2]; // position + 1 of the route that gateway4, gateway6 made; 0: none
	struct ip servers[NETWORK_MAX_SERVERS];
	size_t n_servers;
	char **search;
	size_t n_search;
	bool dhcp4, dhcp6, optional, has_accept_ra, accept_ra, has_link_local, link_local4, link_local6;
	bool critical, has_privacy, privacy, ignore_carrier;
	enum activation activation;
	struct dhcp_overrides dhcp4_overrides, dhcp6_overrides;
	uint32_t mtu, mtu6; // 0: as it is; mtu6: ipv6-mtu
	bool has_mac;       // macaddress: the MAC it shall have
	uint8_t mac[6];
	struct rule *rules; // routing-policy; in the order of the document
	struct place *rules_where;
	size_t n_rules;
	/* Of what is undone: whose they were, each list in the order of addresses, routes and rules; borrowed. NULL: Hearth's, as
	 * all that a document declares. */
	const uint8_t *protocols[N_PROTOCOL_LISTS];
	// What it is part of and what it stands on. Ids of other declarations.
	char **ports;     // bonds, bridges, vrfs: `interfaces` as written
	struct place *ports_where;
	size_t n_ports;
	char *master;     // of a port, set by network_validate(): the bond, bridge or vrf that has it; NULL: none
	char *parent;     // VLAN: `link`
	uint16_t vlan_id; // VLAN: 1-4094
	uint32_t vrf_table;
	struct link_options options;      // of a bond or a bridge
	struct link_options port_options; // of a port of a bridge: its own keys, and after network_validate() `bridge_ports`
	char *primary;                    // bond: id of the port that is preferred; NULL: none said
	struct ip arp_targets[BOND_MAX_ARP_TARGETS];
	size_t n_arp_targets;
	struct bridge_port { // bridge: path-cost, port-priority, hairpin ... by the port's id
		char *port;
		struct link_options options;
		struct place where;
	} *bridge_ports;
	size_t n_bridge_ports;
	// WireGuard
	char *key_file; // absolute path
	uint16_t port;  // 0: the kernel chooses
	uint32_t mark;
	bool has_mode, has_port, has_mark, has_peers, has_private_key;
	uint8_t private_key[PEER_KEY_BYTES]; // after network_load_keys(), clamped
	struct peer_table peers;
	char **preshared_files; // per peer in the order of the document, NULL: none
	size_t n_preshared_files;
	uint8_t (*preshared_owner)[PEER_KEY_BYTES];
};
struct network {
	struct declaration *declarations; // order matters: the first ethernet that fits a link has it
	size_t n;
	char **files; // the names of the documents it was made from
	size_t n_files;
};
const struct declaration *network_find(const struct network *network, const char *id);
bool declaration_has_port(const struct declaration *master, const char *id); // its `interfaces` have it
/* Decode one more document into @network (zeroed at first). After a failure only network_free() is allowed.
 *   file  the document's name for errors, also for those of network_validate(); NULL: it has none */
int network_decode(struct network *network, const struct value *netplan, const char *file, struct diag *reterr);
int network_validate(struct network *network, struct diag *reterr); // across definitions; sorts peers and ethernets
/* The table of a route that says none, as networkd chooses it: that of the VRF the link is in (or is), else what the type
 * belongs to. Goes by the VRFs' `interfaces`, so it needs no network_validate(). @route_type: RTN_*. */
uint32_t network_default_table(const struct network *network, const struct declaration *declaration,
	uint8_t route_type);
int network_load_keys(struct network *network, struct diag *reterr); // the key files it names
/* May @name be the name of a network link, for the kernel (no / : or space, not all or default) and for systemd's files (no % either,
 * and nothing that is a glob, a quotation or a negation there)? */
#define LINK_NAME_RULE "1-15 visible ASCII characters, none of / : % * ? [ ] \\ \" ', no ! in front, no digits alone, not . .. all default"
bool link_name_valid(const char *name);
