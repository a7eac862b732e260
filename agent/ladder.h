// The ladder: facts in, the first rung that does not hold and its one sentence out. Pure: no kernel, no clock, no
// files (DESIGN 4). Gathering the facts and acting on the answer is agent.c's business.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

enum rung {
	RUNG_SEED,
	RUNG_LINK,
	RUNG_REGION,
	RUNG_CLOCK,
	RUNG_ENROLLED,
	RUNG_ASSIGNMENT,
	RUNG_NETWORK,
	RUNG_MESH,
	RUNG_K3S,
	RUNG_CLUSTER_NETWORK,
	RUNG_NODE_READY,
	RUNG_BOOTSTRAP,
	RUNG_STEADY,
	N_RUNGS,
};
// "seed", "link", ... "steady": the words of docs/contracts.md.
const char *rung_name(enum rung rung);

enum region_contact {
	REGION_UNTRIED,   // no hello was started since the last change
	REGION_TRYING,    // a hello is under way
	REGION_SILENT,    // no answer: region_error says which step failed
	REGION_WRONG_PIN, // an answer by somebody else: its CA is not the pinned one
	REGION_BAD_HELLO, // pin fits, but chain, signature, round trip or time do not
	REGION_FOUND,     // a good hello was taken
};

enum enrol_state {
	ENROL_NONE,        // nothing asked yet
	ENROL_ASKING,      // an exchange is under way
	ENROL_REFUSED,     // the region answered with an error: enrol_sentence
	ENROL_PENDING,     // a person has to compare the code
	ENROL_RESERVED,    // the token holds a place; it is burned once we are durable
	ENROL_UNCONFIRMED, // approved by a region without a pin: a person at this console has to confirm it
	ENROL_DENIED,      // a person said no
	ENROL_CLOSED,      // five wrong codes: a new exchange follows
	ENROL_REVOKED,     // this key is refused everywhere
	ENROL_QUARANTINED, // two machines spoke with this key
	ENROL_APPROVED,    // a certificate of the region is here
};

enum step_state { STEP_IDLE, STEP_RUNNING, STEP_FAILED, STEP_DONE };

/* What is known now. Texts are borrowed and may be NULL; *_since_usec are CLOCK_BOOTTIME, 0 when not yet. */
struct facts {
	// STATE
	bool state_known, durable;
	const char *state_sentence; // why there is no STATE
	const char *identity_problem; // why this node's keys cannot be read or made
	// seed
	bool has_seed, seed_has_region, seed_has_pin, seed_has_token, seed_has_assignment;
	const char *seed_problem; // "40-iso: seed.yaml:3:1: ..."
	const char *seed_looked;  // the sources that were looked at
	const char *seed_warning; // something of a seed that is ignored, and why
	const char *seed_foreign; // the source of a seed that names another region than the one that admitted us
	// assignment
	bool has_assignment; // valid: received, stored or from the seed
	bool from_seed;      // it came in the seed: there is no region
	const char *assignment_problem;
	// link
	unsigned n_wired, n_carrier;
	bool has_address;        // a global address on a wired port
	const char *link_name;   // the port that is waited for
	const char *link_lldp;   // "sw12 port 7" or NULL
	uint64_t link_since_usec; // when that port got carrier
	const char *link_problem; // the first-contact network could not be applied
	// region
	enum region_contact contact;
	const char *region_url, *region_error;
	const char *region_proxy; // HOST:PORT, NULL: straight
	// clock
	bool clock_holds;
	const char *clock_problem;
	// enrolment
	enum enrol_state enrol;
	const char *code, *enrol_sentence, *token_sentence;
	bool cert_expired;
	const char *renew_problem;
	const char *hand_over_problem; // the region does not take what this server has to say of the cluster
	// network
	enum step_state network;
	const char *network_problem;
	const char *network_proof; // who has to answer through the assigned one while it is on trial; else NULL
	const char *network_undo_why;     // why a network is being undone; NULL: it is not, or a hearthd before this one tried it
	const char *network_undo_problem; // ... and cannot be yet; else NULL
	const char *network_below; // what there is while the assigned one is not: "the last good one"
	bool network_below_serves; // ... a node of the cluster
	const char *network_try; // another network than the usual one is tried: why
	bool safe_network;       // a person at the console wants DHCP on every wired port
	const char *network_missing; // a route of it that is not there, and why
	const char *confirm_problem; // it holds, but that cannot be stored
	// mesh
	bool mesh_wanted, mesh_known, mesh_up;
	unsigned n_peers, n_fresh_peers;
	bool mesh_needs_server;     // a joiner needs a handshake with the server it joins
	bool mesh_server_fresh;
	const char *mesh_problem, *mesh_server; // its endpoint or address
	const char *mesh_refused; // why the region's news of the peers are not taken
	const char *mesh_mtu;    // the sentence about a path that carries less than the chain
	const char *mesh_silent; // the sentence about peers that do not answer
	// payload and K3s
	bool k3s_wanted;              // the assignment has a k3s part
	const char *k3s_waiting_for;  // it has none yet: what the region waits for
	enum step_state payload;
	const char *payload_problem;
	const char *payload_progress; // NULL: no payload is named anywhere
	const char *payload_next; // another one is to take its place: how far it is
	bool payload_next_failed;
	bool has_secrets;
	const char *secrets_problem;
	enum step_state k3s;
	const char *k3s_problem;
	const char *health; // etcd or kubelet of this node is not healthy, and why
	const char *k3s_certificate, *k3s_certificate_date; // expires soon
	bool k3s_first;
	const char *k3s_server;
	uint64_t k3s_since_usec;
	bool k3s_waits_for_tokens; // it runs, and is restarted once the region has given the new ones
	const char *k3s_held; // K3s must not run now: why
	bool k3s_restarts; // it ran, and is restarted by us
	// the cluster
	bool cni_bridge;       // this hearthd writes the conflist
	bool has_pod_cidr, cluster_network;
	const char *cluster_network_problem;
	bool node_registered, node_ready;
	const char *node_problem;
	bool etcd_learner; // this server's etcd member has no vote yet
	const char *etcd_message;
	enum step_state bootstrap;
	bool bootstrap_wanted, bootstrap_ours; // ours: we hold the Lease
	const char *bootstrap_problem; // what it waits for, its stage included
	const char *bootstrap_stage;
	// storage
	const char *volumes_problem; // of this node's local volumes
	const char *storage_advice;  // of the cluster's
	// Flux, on the server that watches it
	bool flux_watched;
	enum step_state flux; // IDLE: nothing known yet; RUNNING: something is not ready; FAILED: the API does not tell
	const char *flux_sentence, *flux_warning;
};

enum { LADDER_SENTENCE_MAX = 640, LADDER_MAX_WARNINGS = 8 };

struct ladder_action {
	enum rung rung;
	char sentence[LADDER_SENTENCE_MAX]; // what is waited for, why, who can fix it
	size_t n_warnings;
	char warnings[LADDER_MAX_WARNINGS][LADDER_SENTENCE_MAX];
};

/* Walk from the bottom; the first rung that does not hold is the answer. RUNG_STEADY when all hold. Every rung below
 * ret.rung holds. */
struct ladder_action ladder_step(const struct facts *facts, uint64_t now_usec);
