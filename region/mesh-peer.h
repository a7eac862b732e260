// Peers of the mesh that are no nodes: an administrator's laptop. The region makes the key pair,
// gives the private half away once and keeps the public one; servers get the peer by /v1/mesh. What
// it may reach: docs/security.md. Pure but for the random key: storing is admin-peer.c's.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/assign.h"

// MAX: people, not machines; every server has each of them in its kernel.
enum { MESH_PEER_MAX = 64, MESH_PEER_KEEPALIVE_SEC = 25 };

/* The highest host of the mesh range that neither a node (by its number) nor a peer (by its host)
 * has: nodes grow from the bottom. *ret_host is its place in the range. -ERANGE: there is none. */
int mesh_peer_address(const struct cluster_config *config, const unsigned *node_numbers,
	size_t n_nodes, struct mesh_peer *const *peers, size_t n_peers, int64_t *ret_host);
/* A name for @name: a DNS label that no node of this cluster has or can get. -EINVAL with the rule.
 */
int mesh_peer_check_name(
	const struct cluster_config *config, const char *name, struct diag *reterr);
/* The wg-quick file of a peer at @host with @private_key (base64), as text; the caller wipes and
 * frees. Without a private key (NULL): what is behind [Interface], which is the same for all peers. Its peers are the @servers that have an endpoint, each with its own mesh address; the
 * first one that is Ready, else the first one, has the address of the API as well. -EAGAIN with a
 * sentence: no server has an endpoint. */
int mesh_peer_file(const struct cluster_config *config, const char *name, int64_t host,
	const char *private_key, struct node *const *servers, size_t n_servers, char **ret,
	struct diag *reterr);
// One peer of GET /v1/mesh.
int mesh_peer_put(
	const struct cluster_config *config, const struct mesh_peer *peer, struct json_out *out);
