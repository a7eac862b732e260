// What a node is told to be: the assignment document and the mesh peer, from the rules of
// cluster.yaml and the node's record. Pure: no store, no clock; the same input gives the same bytes
// (docs/contracts.md). SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/json.h"
#include "region/cluster-config.h"
#include "region/store.h"

enum { MESH_PORT = 51820, MESH_MTU = 1420, API_PORT = 6443, ADDRESS_OFFSET = 10 };
enum { MESH_SEGMENT_MAX = 5000 }; // nodes and peers outside of one cluster; a node refuses more
enum { ASSIGNMENT_JOBS_MAX = 32 }; // in one assignment; a node refuses it with more

// Addresses of node @number: host 10 + number of the mesh and LAN range. -ERANGE: the range is
// full.
int assign_mesh_address(const struct cluster_config *config, int64_t number, struct cidr *ret);
int assign_lan_address(const struct cluster_config *config, int64_t number, struct cidr *ret);
// The address of the API inside the cluster: the first host of the mesh range.
int assign_api_address(const struct cluster_config *config, struct cidr *ret);
// MAC of the NIC that the LAN template matches, lower case; -ENOENT: the node has none.
int assign_lan_mac(
	const struct cluster_config *config, const struct value *facts, char ret[static 18]);
struct assignment_input {
	const struct cluster_config *config;
	const struct cluster *cluster;
	const struct node *node;
	const struct member *member;  // NULL: it is not admitted yet, and
	const char *waiting_for;      // this says what it waits for
	const struct restore *restore; // the last one of the cluster; NULL: never any
	int64_t rejoin;		       // a restore that it joins with an empty database; 0: none
	int64_t tokens;		      // how often nodes were to fetch their tokens anew (rotation.h)
	const struct key_rotation *rotation; // of its WireGuard key; NULL: never any
	const struct value *settings; // what it runs from (settings.h)
	const struct node *joined_by; // the member's server when it left and no other is there
	struct node *const *servers;  // that are admitted, itself included, by number
	struct job *const
		*jobs; // of the cluster, oldest first: those that this server does are told
	size_t n_servers, n_jobs;
	bool renew_kubeconfig;	  // it is this server's to hand over a new one
	const char *ca_pin;	  // "sha256:..."
	const char *generation;	  // "EPOCH.GEN"
	const char *volumes_made; // servers: assign_volumes_made(); NULL: none
};
// The document as JSON text; the caller frees. -ERANGE when a range is full, -ENOMEM.
int assignment_build(const struct assignment_input *input, char **ret, struct diag *reterr);
/* One peer of GET /v1/mesh as a JSON object, as the asking node is told: @next_key is the key that it
 * gets next, NULL none; @endpoint may be NULL, @keepalive_sec is what is sent to the peer. */
int assign_mesh_peer(const struct cluster_config *config, const struct mesh_node *node,
	const char *next_key, const char *endpoint, unsigned keepalive_sec, struct json_out *out);
/* The role of the next node: a server while @n_servers is below cluster.yaml's `servers` and the
 * node may be one. */
bool assign_is_server(const struct cluster_config *config, size_t n_servers, bool may_be_server);
