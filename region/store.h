// Everything the region remembers: records and how to put and get them. The only door to the
// database; SQL lives in the store-*.c files alone. Not thread-safe: callers hold the region's
// lock. Writes collect in one transaction until store_commit() (group commit); what was put is
// visible to gets at once. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

enum { ID_TEXT = 24, KEY_TEXT = 65, STORE_NAME_TEXT = 64, WG_TEXT = 45, CIDR_STORE_TEXT = 50 };

enum node_state { NODE_RESERVED, NODE_APPROVED, NODE_REVOKED };

struct node {
	char id[ID_TEXT];   // "n-" + 16 hex digits
	char key[KEY_TEXT]; // SHA-256 of the SPKI, hex
	char cluster[STORE_NAME_TEXT], name[STORE_NAME_TEXT];
	int64_t number;	 // of the name; addresses follow from it
	int64_t state;	 // enum node_state
	int64_t durable; // the key is kept across reboots
	int64_t is_server;
	int64_t quarantined;
	char uuid[64], serial[128];
	char *facts; // JSON
	char wg_public[WG_TEXT];
	char *certificate; // PEM, the last one issued
	char pod_cidr[CIDR_STORE_TEXT],
		reported_pod_cidr[CIDR_STORE_TEXT]; // accepted; as the node says
	char *status;				    // JSON of the last PUT /v1/status
	char boot_id[33], older_boot_ids[4 * 33];
	int64_t n_clone_hints;
	int64_t ready;
	int64_t assignment_generation;
	char assignment_hash[KEY_TEXT];
	int64_t mesh_generation;
	char code[16]; // of the enrolment, known after approval
	char remote[64];
	int64_t approved_sec, seen_sec, ready_sec;
};

enum enrolment_state {
	ENROLMENT_PENDING,
	ENROLMENT_RESERVED,
	ENROLMENT_APPROVED,
	ENROLMENT_DENIED,
	ENROLMENT_CLOSED
};

struct enrolment {
	char id[ID_TEXT];				       // "e-" + 16 hex digits
	char key[KEY_TEXT];				       // one live exchange per key
	int64_t state;					       // enum enrolment_state
	char *spki;					       // base64
	char commitment[64], node_nonce[64], region_nonce[64]; // base64; node_nonce "" until opened
	int64_t wrong_codes;
	char token_hash[KEY_TEXT];
	char token_problem[16]; // "", used, expired, unknown, boot, replacement
	char *token_sentence;
	char *facts;
	char wg_public[WG_TEXT];
	int64_t durable, unauthenticated;
	char uuid[64], serial[128];
	char replaces[ID_TEXT]; // node whose hardware this claims to be
	char node_id[ID_TEXT];
	char remote[64], remote_group[64]; // address; IPv4 address or IPv6 /64
	int64_t created_sec, heard_sec, code_sec;
};

struct token {
	char hash[KEY_TEXT];
	char cluster[STORE_NAME_TEXT];
	char role[8];	// server or worker
	char node[128]; // bound to this node name, serial or UUID; "" for any
	int64_t count, expires_sec, created_sec;
};

struct token_use {
	char id[KEY_TEXT + ID_TEXT]; // hash/key prefix: primary key
	char hash[KEY_TEXT], key[KEY_TEXT];
	int64_t burned, reserved_sec, heard_sec;
	char uuid[64], name[STORE_NAME_TEXT];
};

struct cluster {
	char name[STORE_NAME_TEXT];
	char first_server[ID_TEXT]; // node id, "" while there is none
	char *ca_cert, *ca_hash, *endpoints;
	char *identity_hash; // of what may not change after ever_ready
	int64_t ever_ready, handed_over;
	char bootstrap_digest[80]; // set by a person; "" = as in cluster.yaml
};

// A node that was admitted to the cluster: it was told to run K3s (membership.h).
struct member {
	char id[ID_TEXT]; // of the node
	int64_t admitted_sec;
	int64_t voter;	   // a server: it says that it votes in etcd
	int64_t voter_sec; // when it first said so since it was admitted; 0: not yet
	char etcd_name[128];
	char server[ID_TEXT];		 // node that it joins by; "" for who makes the cluster
	int64_t restart;		 // what it was given: the number of its restart,
	char *settings;			 // payload, overrides and profile (settings.h)
	int64_t reported_restart;	 // what it says that it runs with; -1: it did not say
	char reported_payload[KEY_TEXT]; // "" the same
};

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_FAILED }; // who is done is forgotten

// Work that a healthy server does inside the cluster (job.h).
struct job {
	char id[ID_TEXT];	    // "j-" + 16 hex digits
	char kind[16];		    // job.h names them
	char node[STORE_NAME_TEXT]; // whom it is about
	char node_id[ID_TEXT];
	int64_t was_server;   // forget-node: it may have been a member of etcd
	char server[ID_TEXT]; // node whose assignment has it; "" while no server can do it
	int64_t state;	      // enum job_state
	char *sentence;
	int64_t created_sec;
};

// The one rollout of a cluster: going on, or the last one (rollout.h).
struct rollout {
	char cluster[STORE_NAME_TEXT];
	int64_t state;	 // enum rollout_state
	int64_t restart; // what the next node is given; never a number twice for one node
	int64_t all;	 // every node whose number is below this restarts; 0: older settings only
	char node[ID_TEXT]; // whose turn it is, or ""
	int64_t step;	    // enum rollout_step
	int64_t since_sec;  // of the step
	char job[ID_TEXT];  // of the step, or ""
	int64_t n_done, started_sec, timeout_sec;
	char *sentence;
	char actor[96];
};

// The last restore of a cluster: going on, done or failed (restore.h).
struct restore {
	char cluster[STORE_NAME_TEXT];
	int64_t n;	// never twice, whatever backup a region goes back to
	int64_t state;	// enum restore_state
	char node[ID_TEXT]; // the server that restores
	char snapshot[168];
	int64_t started_sec;
	char *sentence;
	char actor[96];
};

struct secret {
	char id[160]; // cluster/name
	char *sealed; // base64
	int64_t rotate;
};

struct mesh_removal {
	char public_key[WG_TEXT];
	char cluster[STORE_NAME_TEXT];
	int64_t generation;
};

// A peer of the mesh that is no node (mesh-peer.h). Its private key is nowhere here.
struct mesh_peer {
	char name[STORE_NAME_TEXT];
	char public_key[WG_TEXT];
	int64_t host; // its place in the mesh range
	int64_t generation, created_sec;
	char actor[96];
};

/* What the mesh is told of a node (mesh-place.h), apart from its record. Not there: it was made by an
 * earlier release, or by other rules. */
struct mesh_reach {
	char id[ID_TEXT]; // of the node
	char *place;	  // mesh_place_format()
	int64_t view_generation; // since when the node itself sees its peers by that place
	int64_t changed_sec;
};

// What GET /v1/mesh says of a node, read without all else that is kept of it: 5,000 statuses are
// gigabytes.
struct mesh_node {
	char id[ID_TEXT], name[STORE_NAME_TEXT];
	int64_t number;
	char wg_public[WG_TEXT], pod_cidr[CIDR_STORE_TEXT];
	int64_t mesh_generation, state;
	char *place; // NULL: none on record
};

enum key_rotation_state {
	KEY_ROTATION_WAITING,
	KEY_ROTATION_PREPARING, // the node makes its next key
	KEY_ROTATION_PEERS,	// its peers fetch it
	KEY_ROTATION_SWITCHING, // it was told to use it
	KEY_ROTATION_DONE,
	KEY_ROTATION_STOPPING, // it is told to keep its key, and may use the next one
	KEY_ROTATION_GIVEN_UP  // it keeps its key
};

// A node's WireGuard key becomes another one (key-rotation.h); the last time that was wanted.
struct key_rotation {
	char id[ID_TEXT];	 // of the node
	int64_t state;		 // enum key_rotation_state
	char announced[WG_TEXT]; // the next key that peers were told; "" none
	int64_t generation;	 // of the mesh, since when they are told that
	int64_t created_sec, state_sec;
	int64_t changed_sec; // when the node's key was changed last
	char actor[96];
};

struct audit {
	int64_t id, time_sec;
	char actor[96], action[48], subject[128];
	char *detail;
};

struct store;
/* Open @path; with @create it must not exist, without it must. -EEXIST, -ENOENT, -EBUSY (another
 * region runs on it), -EPROTO (made by another version), -EIO. */
int store_open(const char *path, bool create, struct store **ret, struct diag *reterr);
struct store *store_close(struct store *store); // commits first
#define store_free store_close
DEFINE_CLEANUP(store)
int store_commit(struct store *store); // durable after return; nothing to do is fine
bool store_dirty(const struct store *store);
/* Were changes undone by a commit that failed (a full disk) since the last time this was asked?
 * What was said about them does not hold; the store goes on with what was there before. */
bool store_take_lost(struct store *store);
// A request's writes as one step: undo takes back what was put since mark.
int store_mark(struct store *store);
int store_release(struct store *store);
int store_undo(struct store *store);

int store_meta_set(struct store *store, const char *key, const char *value);
int store_meta_get(struct store *store, const char *key, char **ret); // -ENOENT
int store_meta_set_int(struct store *store, const char *key, int64_t value);
int64_t store_meta_int(struct store *store, const char *key, int64_t fallback);
int64_t store_next_generation(
	struct store *store); // counter of every assignment and mesh change; negative errno

// put: insert or replace by the primary key. get: -ENOENT; *ret is the caller's. list: array of
// owned records.
int store_node_put(struct store *store, const struct node *node);
int store_node_by_id(struct store *store, const char *id, struct node **ret);
int store_node_by_key(struct store *store, const char *key, struct node **ret);
int store_node_by_name(
	struct store *store, const char *name, struct node **ret);	     // not revoked ones
int store_node_list(struct store *store, struct node ***ret, size_t *ret_n); // by number
// Nodes that are not revoked with a mesh generation > @since, by number.
int store_mesh_node_list(
	struct store *store, int64_t since, struct mesh_node ***ret, size_t *ret_n);
int store_mesh_node_by_id(struct store *store, const char *id, struct mesh_node **ret); // not revoked
int store_mesh_node_by_key(
	struct store *store, const char *wg_public, struct mesh_node **ret); // not revoked ones
struct mesh_node *mesh_node_free(struct mesh_node *node);
DEFINE_CLEANUP(mesh_node)
void mesh_node_list_free(struct mesh_node **nodes, size_t n);
int store_mesh_reach_put(struct store *store, const struct mesh_reach *reach);
int store_mesh_reach_get(struct store *store, const char *id, struct mesh_reach **ret);
struct mesh_reach *mesh_reach_free(struct mesh_reach *reach);
DEFINE_CLEANUP(mesh_reach)
// Nodes that are not revoked, found by an index: what is asked at every enrolment.
int store_node_list_uuid(struct store *store, const char *uuid, struct node ***ret,
	size_t *ret_n); // in either case
int store_node_list_serial(
	struct store *store, const char *serial, struct node ***ret, size_t *ret_n);
int store_node_list_wg(
	struct store *store, const char *wg_public, struct node ***ret, size_t *ret_n);
/* Those whose facts name @mac (lower case, checked by the caller): every node's facts are read, no
 * record is made of the others. */
int store_node_list_mac(struct store *store, const char *mac, struct node ***ret, size_t *ret_n);
/* The numbers of all nodes that are not revoked, and how many of them are servers. *ret_numbers is
 * the caller's, never NULL. */
int store_node_places(
	struct store *store, unsigned **ret_numbers, size_t *ret_n, size_t *ret_n_servers);
int64_t store_node_count(struct store *store); // not revoked
/* The ids, in order, of those that are neither revoked nor quarantined and were heard after @since_sec. *ret is
 * the caller's; NULL when *ret_n is 0. */
int store_node_ids_heard(
	struct store *store, int64_t since_sec, char (**ret)[ID_TEXT], size_t *ret_n);
struct node *node_free(struct node *node);
DEFINE_CLEANUP(node)
void node_list_free(struct node **nodes, size_t n);

int store_enrolment_put(struct store *store, const struct enrolment *enrolment);
int store_enrolment_by_id(struct store *store, const char *id, struct enrolment **ret);
int store_enrolment_by_key(struct store *store, const char *key, struct enrolment **ret);
int store_enrolment_list(
	struct store *store, struct enrolment ***ret, size_t *ret_n); // oldest heard first
/* Up to 64 pending entries, those longest unheard first; @remote_group "": of all. */
int store_enrolment_list_unheard(
	struct store *store, const char *remote_group, struct enrolment ***ret, size_t *ret_n);
int store_enrolment_count(
	struct store *store, const char *remote_group, int64_t *ret); // pending; NULL: all
int store_enrolment_remove(struct store *store, const char *id);
int store_enrolment_prune(
	struct store *store, int64_t heard_before_sec); // entries that never became nodes
struct enrolment *enrolment_free(struct enrolment *enrolment);
DEFINE_CLEANUP(enrolment)
void enrolment_list_free(struct enrolment **enrolments, size_t n);

int store_token_put(struct store *store, const struct token *token);
int store_token_by_hash(struct store *store, const char *hash, struct token **ret);
struct token *token_free(struct token *token);
DEFINE_CLEANUP(token)
int store_token_use_put(struct store *store, const struct token_use *use);
int store_token_use_remove(struct store *store, const char *id);
int store_token_use_list(
	struct store *store, const char *hash, struct token_use ***ret, size_t *ret_n);
void token_use_list_free(struct token_use **uses, size_t n);

int store_cluster_put(struct store *store, const struct cluster *cluster);
int store_cluster_get(struct store *store, const char *name, struct cluster **ret);
struct cluster *cluster_free(struct cluster *cluster);
DEFINE_CLEANUP(cluster)

int store_node_list_servers(
	struct store *store, struct node ***ret, size_t *ret_n); // not revoked, by number
int store_member_put(struct store *store, const struct member *member);
int store_member_get(struct store *store, const char *id, struct member **ret);
int store_member_list(struct store *store, struct member ***ret, size_t *ret_n);
int store_member_remove(struct store *store, const char *id);
struct member *member_free(struct member *member);
DEFINE_CLEANUP(member)
void member_list_free(struct member **members, size_t n);
int store_job_put(struct store *store, const struct job *job);
int store_job_get(struct store *store, const char *id, struct job **ret);
int store_job_list(struct store *store, struct job ***ret, size_t *ret_n); // oldest first
int store_job_remove(struct store *store, const char *id);
struct job *job_free(struct job *job);
DEFINE_CLEANUP(job)
void job_list_free(struct job **jobs, size_t n);
int store_rollout_put(struct store *store, const struct rollout *rollout);
int store_rollout_get(
	struct store *store, const char *cluster, struct rollout **ret); // -ENOENT: never any
struct rollout *rollout_free(struct rollout *rollout);
DEFINE_CLEANUP(rollout)

int store_restore_put(struct store *store, const struct restore *restore);
int store_restore_get(
	struct store *store, const char *cluster, struct restore **ret); // -ENOENT: never any
struct restore *restore_free(struct restore *restore);
DEFINE_CLEANUP(restore)

int store_secret_put(struct store *store, const struct secret *secret);
int store_secret_get(struct store *store, const char *id, struct secret **ret);
int store_secret_remove(struct store *store, const char *id);
int store_secret_list(struct store *store, struct secret ***ret, size_t *ret_n);
struct secret *secret_free(struct secret *secret);
DEFINE_CLEANUP(secret)
void secret_list_free(struct secret **secrets, size_t n);

int store_removal_put(struct store *store, const struct mesh_removal *removal);
int store_removal_forget(struct store *store, const char *public_key); // the key is a peer's again
int store_removal_has(struct store *store, const char *public_key, bool *ret);
int store_removal_list(
	struct store *store, int64_t since, struct mesh_removal ***ret, size_t *ret_n);
/* Forget all but the newest @keep. From then on a delta since a generation below
 * store_removal_forgotten() does not tell everything. */
int store_removal_prune(struct store *store, int64_t keep);
int64_t store_removal_forgotten(struct store *store); // 0: all are there
void mesh_removal_list_free(struct mesh_removal **removals, size_t n);

int store_mesh_peer_put(struct store *store, const struct mesh_peer *peer);
int store_mesh_peer_get(struct store *store, const char *name, struct mesh_peer **ret);
int store_mesh_peer_by_key(struct store *store, const char *public_key, struct mesh_peer **ret);
int store_mesh_peer_list(struct store *store, int64_t since, struct mesh_peer ***ret,
	size_t *ret_n); // generation > since, by name
int store_mesh_peer_remove(struct store *store, const char *name);
struct mesh_peer *mesh_peer_free(struct mesh_peer *peer);
DEFINE_CLEANUP(mesh_peer)
void mesh_peer_list_free(struct mesh_peer **peers, size_t n);

int store_key_rotation_put(struct store *store, const struct key_rotation *rotation);
int store_key_rotation_get(struct store *store, const char *id, struct key_rotation **ret);
int store_key_rotation_by_announced(
	struct store *store, const char *public_key, struct key_rotation **ret);
int store_key_rotation_list(
	struct store *store, struct key_rotation ***ret, size_t *ret_n); // oldest first
int store_key_rotation_list_open(
	struct store *store, struct key_rotation ***ret, size_t *ret_n); // those that go on
int store_key_rotation_list_announced(struct store *store, struct key_rotation ***ret,
	size_t *ret_n); // those whose next key peers are to have
int store_key_rotation_remove(struct store *store, const char *id);
struct key_rotation *key_rotation_free(struct key_rotation *rotation);
DEFINE_CLEANUP(key_rotation)
void key_rotation_list_free(struct key_rotation **rotations, size_t n);

int store_audit_add(struct store *store, const struct audit *audit); // id is given by the store
int store_audit_list(
	struct store *store, int64_t max, struct audit ***ret, size_t *ret_n); // newest first
/* Forget what strangers made the region write (a machine asks, its token is refused) but among the
 * newest @keep entries; what people and rules decided stays for good. */
int store_audit_prune(struct store *store, int64_t keep);
void audit_list_free(struct audit **audits, size_t n);
