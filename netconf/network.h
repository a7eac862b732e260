// The desired network: what a netplan document declares, decoded and validated. Pure but for network_load_keys().
// Several documents may be decoded into one network, as netplan does: later scalars win, lists grow.
// Source: https://netplan.readthedocs.io (YAML reference, version 2).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/netconf.h"
#include "netconf/peer.h"
#include "netconf/route.h"

enum { NETWORK_MAX_DECLARATIONS = 256, NETWORK_MAX_ADDRESSES = 4096, NETWORK_MAX_ROUTES = 65536, NETWORK_MAX_SERVERS = 16 };

enum declaration_kind { DECLARATION_ETHERNET, DECLARATION_DUMMY, DECLARATION_WIREGUARD };

struct declaration { // one netplan definition
	enum declaration_kind kind;
	char *id;          // netplan's id; the link's name unless there is a match
	char where[24];    // "line:column" of the definition
	char *match_name, *match_mac; // globs and MACs as written; NULL: not asked
	char **match_drivers;
	size_t n_match_drivers;
	bool has_match, match_wired; // match_wired: netconf_default()
	char *set_name;
	struct address *addresses;
	size_t n_addresses;
	struct route *routes; // masked, scope and metric as the kernel will show them
	char (*routes_where)[24];
	size_t n_routes;
	struct ip servers[NETWORK_MAX_SERVERS];
	size_t n_servers;
	char **search;
	size_t n_search;
	bool dhcp4, dhcp6, optional, has_accept_ra, accept_ra, has_link_local, link_local4, link_local6;
	uint32_t mtu; // 0: as it is
	// WireGuard
	char *key_file; // absolute path
	uint16_t port;  // 0: the kernel chooses
	uint32_t mark;
	bool has_port, has_mark, has_peers, has_private_key;
	uint8_t private_key[PEER_KEY_BYTES]; // after network_load_keys(), clamped
	struct peer_table peers;
	char **preshared_files; // per peer in the order of the document, NULL: none
	size_t n_preshared_files;
	uint8_t (*preshared_owner)[PEER_KEY_BYTES];
};
struct network {
	struct declaration *declarations; // order matters: the first that fits a link has it
	size_t n;
};
const struct declaration *network_find(const struct network *network, const char *id);
/* Decode one more document into @network (zeroed at first). After a failure only network_free() is allowed. */
int network_decode(struct network *network, const struct value *netplan, struct diag *reterr);
int network_validate(struct network *network, struct diag *reterr); // across definitions; sorts peers
int network_load_keys(struct network *network, struct diag *reterr); // the key files it names
// May @name be the name of a network link, and is it plain enough for file names and configuration lines?
bool link_name_valid(const char *name);
