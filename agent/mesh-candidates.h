// Where peers of the mesh may reach this node: the addresses of its own links that lead out of it, as facts for the region,
// which chooses. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/json.h"
#include "netconf/netconf.h"

enum { MESH_MAX_CANDIDATES = 32, MESH_DEFAULT_PORT = 51820 };

/* A JSON array of { address, prefix, link, port }: global addresses of wired ports and of the bonds, bridges, VLANs and VRFs
 * on them, in the order of the links, MESH_MAX_CANDIDATES at most. Not those of @mesh_link (may be NULL) and of the links that
 * container networks make. @links may be NULL. */
void mesh_candidates_to_json(const struct netconf_links *links, const char *mesh_link, uint16_t port, struct json_out *out);
