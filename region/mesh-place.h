// Where a node of the mesh can be reached, and which endpoint another node is given for it: the
// rules of docs/cluster.md, "Endpoints of the mesh". Pure: the same input gives the same answer.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/assign.h"

enum { MESH_PLACE_MAX = 16, MESH_PLACE_TEXT = 1280, MESH_ENDPOINT_TEXT = 80 };
enum { MESH_KEEPALIVE_SEC = 25 }; // NAT forgets UDP that was silent for 30 s

enum mesh_way {
	MESH_WAY_TEMPLATE = 't', // of the LAN of cluster.yaml
	MESH_WAY_OWN = 'o', // a public address, or a private one that the region sees it come from
	MESH_WAY_PREFIX = 'p', // a private one: who has an address of the same prefix reaches it
};
struct mesh_candidate {
	enum mesh_way way;
	struct cidr address; // with the prefix length of its link
	uint16_t port;
};
struct mesh_place {
	size_t n;
	struct mesh_candidate candidates[MESH_PLACE_MAX]; // in the order in which they are taken
	struct cidr outside; // behind NAT: the address that the region sees; family 0: it is not
};

/* The place of a node by its @facts ("meshCandidates"; an older node's "nics") and the address
 * @remote that its requests come from. No candidate is: 10.0.2.0/24 (a user-mode uplink), loopback,
 * link-local, what lies in the ranges of mesh, pods and services. */
void mesh_place_of(const struct cluster_config *config, int64_t number, const struct value *facts,
	const char *remote, struct mesh_place *ret);
/* As text, for the store. It begins with a mark of the rules of cluster.yaml that it was made by.
 * parse: -ESTALE: by other rules; -EINVAL. */
void mesh_place_format(const struct cluster_config *config, const struct mesh_place *place,
	char ret[static MESH_PLACE_TEXT]);
int mesh_place_parse(const struct cluster_config *config, const char *text, struct mesh_place *ret);

/* The endpoint of @peer for @asker, or false: it has none. In this order: the template; an address
 * of a prefix that both have (not when both are behind different NATs: their prefixes only look the
 * same); the peer's own, of a family that the asker has; any, when both are behind the same outside
 * address. @asker without candidates: one that nothing is known of. It costs at most
 * MESH_PLACE_MAX squared comparisons of an address. */
bool mesh_place_choose(const struct mesh_place *asker, const struct mesh_place *peer,
	char ret[static MESH_ENDPOINT_TEXT]);
/* Where mesh_place_choose() finds none because both are behind different NATs: an address of a prefix that
 * only looks the same, or is the same, when they reach the region by two proxies of one site. To be tried. */
bool mesh_place_guess(const struct mesh_place *asker, const struct mesh_place *peer,
	char ret[static MESH_ENDPOINT_TEXT]);
// One of its candidates is @endpoint, "ADDRESS:PORT" or "[ADDRESS]:PORT": no NAT is in between.
bool mesh_place_has(const struct mesh_place *place, const char *endpoint);
// The endpoint of @node for somebody outside the cluster, from its record; "" when there is none.
void mesh_place_for_outside(const struct cluster_config *config, const struct node *node,
	char ret[static MESH_ENDPOINT_TEXT]);
/* An endpoint as another node saw it, "ADDRESS:PORT" or "[ADDRESS]:PORT": is it one to try? Not
 * loopback, link-local, multicast or of the cluster's own ranges. */
bool mesh_endpoint_is_usable(const struct cluster_config *config, const char *text);
