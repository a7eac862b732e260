// Where peers of the mesh may reach this node: the global addresses of its own links that lead out of it, as facts for the
// region, which chooses. Such a link is up and a wired port, a bond, a VLAN or a VRF, or a bridge with one of these as its port,
// which the bridges of containers have not. In all of them the mesh's own link (may be NULL) is none; @links may be NULL. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/json.h"
#include "netconf/netconf.h"

enum { MESH_MAX_CANDIDATES = 32, MESH_DEFAULT_PORT = 51820 };

// A JSON array of { address, prefix, link, port }, in the order of the links, MESH_MAX_CANDIDATES at most.
void mesh_candidates_to_json(const struct netconf_links *links, const char *mesh_link, uint16_t port, struct json_out *out);
uint64_t mesh_addresses_mark(const struct netconf_links *links, const char *mesh_link); // changes with these addresses
unsigned mesh_narrowest_mtu(const struct netconf_links *links, const char *mesh_link); // of the links that have one; 0: none has
