// The assignment: the desired state a region (or a seed) gives this node (docs/contracts.md). Decoding checks grammar
// and meaning once; afterwards it is const. Unknown keys are left alone: the region may be newer than the node.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/assignment-storage.h"
#include "base/seed.h"
#include "k3s/flags.h"
#include "k3s/job.h"

enum { ASSIGNMENT_MAX_BYTES = 1 << 20, ASSIGNMENT_MAX_SANS = 32, ASSIGNMENT_MAX_NTP = 16,
	ASSIGNMENT_MAX_SERVERS = 9, ASSIGNMENT_MAX_JOBS = 32 };

struct assignment_server { // of the cluster
	const char *name, *address; // address: of its API server, mesh or LAN
};
struct assignment_job {
	const char *id; // "j-0123456789abcdef"
	enum job_kind kind;
	const char *unknown_kind; // the word of a newer region, else NULL
	const char *node;
	int64_t created_sec; // 0: the region does not say
};

enum { ASSIGNMENT_COME_BACK_SEC = 1800 }; // when the region does not say

struct assignment {
	struct value *document;   // owned; everything below is borrowed from it, NULL: not given
	char *text;               // owned: the JSON as it came, NULL when it came from a seed
	const char *generation;   // "EPOCH.GEN"
	const char *node_id, *node_name;
	const char *cluster_name, *pod_cidr, *service_cidr, *mesh_cidr, *api_address;
	bool server;              // role
	size_t n_urls, n_pins;
	const char *urls[SEED_MAX_URLS];
	uint8_t pins[SEED_MAX_PINS][32];
	const struct value *network;
	const char *mesh_link, *mesh_address;
	int64_t mesh_port;
	const char *mesh_public_key; // by which peers know this node
	bool mesh_rotates;           // another one is wanted
	const char *mesh_rotate_to;  // ... to be switched to; NULL: it is to be made and reported first
	bool has_k3s, k3s_first, k3s_ever_ready, k3s_renew_kubeconfig, cni_bridge, watch_pod_cidrs;
	const char *k3s_server, *node_ip;
	const char *k3s_waiting_for; // without k3s: what the region waits for, or NULL
	const struct value *labels, *overrides, *node_overrides; // node_overrides win
	enum k3s_profile k3s_profile;
	int64_t stop_k3s;        // a restore of etcd during which K3s does not run here; 0: none
	int64_t restore_number, rejoin_number; // ... that this server does; that it joins with an empty database
	const char *restore_snapshot;
	bool restore_begin;      // nobody else runs any more
	int64_t k3s_tokens;      // how often tokens were rotated: K3s is not restarted with older ones
	int64_t k3s_restart; // another number than K3s was started with: restart it once
	size_t n_servers;
	struct assignment_server servers[ASSIGNMENT_MAX_SERVERS]; // all admitted ones, this node too
	const char *tls_sans[ASSIGNMENT_MAX_SANS + 1]; // NULL-terminated
	bool has_bootstrap;
	const char *bootstrap_registry; // HOST[:PORT]; NULL: the region
	const char *bootstrap_repository, *bootstrap_digest, *bootstrap_tag; // digest or tag
	unsigned bootstrap_come_back_sec;
	const struct value *variables;
	size_t n_signing_keys;
	const char *signing_keys[SEED_MAX_KEYS];
	const char *payload_repository, *payload_digest;
	size_t n_jobs;
	struct assignment_job jobs[ASSIGNMENT_MAX_JOBS];
	const struct value *registry_mirrors; // object: registry or "*" -> list of URLs
	const struct value *registry_configs; // object: host -> { caPem }
	const char *proxy_http, *proxy_https, *proxy_no;
	struct assignment_storage *storage; // owned, never NULL
	size_t n_ntp;
	const char *ntp[ASSIGNMENT_MAX_NTP]; // names or addresses
};
/* 0; -EINVAL with a diag that names the key. @text is copied. */
int assignment_decode(const char *text, size_t n, struct assignment **ret, struct diag *reterr);
/* From the seed's `assignment:` (copied through JSON text). */
int assignment_from_value(const struct value *object, struct assignment **ret, struct diag *reterr);
struct assignment_changes {
	bool network;
	bool k3s; // ... or what else its configuration is made of: node, role, cluster
	bool bootstrap;
	bool storage;
	bool ntp;
	bool role; // server <-> worker, or another node: another unit, another kubeconfig, other secrets
};
// What @fresh brings; everything when @old is NULL.
struct assignment_changes assignment_compare(const struct assignment *old, const struct assignment *fresh);
struct assignment *assignment_free(struct assignment *assignment);
DEFINE_CLEANUP(assignment)
