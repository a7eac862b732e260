// hearthd's heart: one struct, one tick. tick = gather facts -> ladder_step() -> act -> publish. Everything that happens
// (netlink, region, unit changes, timers) only asks for a tick; nothing remembers a phase (DESIGN 4).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/bootstrap-sources.h"
#include "agent/clock.h"
#include "agent/first-contact.h"
#include "agent/hand-over.h"
#include "agent/image-facts.h"
#include "agent/machine.h"
#include "agent/mesh-handshakes.h"
#include "agent/mesh-mtu.h"
#include "agent/mesh-health.h"
#include "agent/network-trial.h"
#include "agent/payload.h"
#include "agent/refused-network.h"
#include "agent/region-client.h"
#include "agent/root-path.h"
#include "agent/seed-sources.h"
#include "agent/store.h"
#include "agent/timeline.h"
#include "agent/tried-network.h"
#include "agent/vlan-pick.h"
#include "base/json.h"
#include "k3s/bootstrap.h"
#include "k3s/command.h"
#include "k3s/flux-watch.h"
#include "k3s/readiness.h"
#include "k3s/restore.h"
#include "k3s/service.h"
#include "k3s/snapshots.h"
#include "netconf/trial.h"
#include "netconf/wire-listen.h"

struct agent_options {
	const char *root;    // "" or a folder (tests)
	bool without_network; // neither read nor change the network; no payload, no K3s (tests)
	unsigned network_deadline_sec; // an assigned network has so long to prove itself; 0: 30
};

struct agent_bus;
struct agent_api;
struct agent_health;
struct agent_job;

struct agent {
	struct agent_options options;
	sd_event *event;
	sd_event_source *tick, *timer;
	struct image_facts image;
	struct machine machine;

	// STATE
	bool state_known, durable, state_making;
	char *state_sentence;
	sd_event_source *run_watch; // inotify on /run/hearth

	// seed
	struct seed_sources seeds;
	struct seed_choice seed;
	bool seed_is_foreign; // the region of STATE is another
	struct region_record region_record;
	uint64_t heard_saved_usec;

	// region
	struct identity *identity;
	char *identity_problem;
	struct region_client *region;
	bool clock_taken; // a hello's time in this boot
	char *clock_problem;
	bool ntp_told; // timesyncd knows the servers of this assignment
	struct service *time_service;

	// assignment
	struct assignment *assignment;
	bool from_seed;
	char *assignment_problem;
	struct mesh_peers peers;
	bool peers_known;
	struct secrets secrets;
	bool has_secrets;
	bool secrets_unsaved, user_secrets_unsaved; // STATE was full: they hold in this boot
	struct value *user_secrets; // of people, for the bootstrap; NULL: none came yet
	uint64_t secrets_asked_usec;

	// network
	struct netconf_monitor *monitor;
	struct network *network;     // what is applied now
	bool network_is_assigned;    // ... from the assignment, else what is below it
	char network_folder[512];
	struct trial trial;          // its journal and the confirmed network
	struct tried_network tried;
	bool network_recovered;      // what a killed hearthd left is undone
	uint64_t network_recover_usec; // 0, or since when that is tried
	bool network_given_up;       // it cannot be undone, nor can that be written down
	char *confirmed_document;    // NULL: none yet
	enum network_candidate network_candidate; // what is applied below; NETWORK_ASSIGNED: nothing yet
	uint64_t network_candidate_usec; // since when
	char *network_try;           // why it is not the usual one
	char *network_missing;       // a route that waits for its source address, or NULL
	bool network_missing_in_vain; // which is somebody else's
	bool network_is_half;        // and so what goes for it is still there: apply again
	uint64_t network_missing_usec; // since when
	bool safe_network;           // a person at the console wants it
	struct wire_listener *wire;  // NULL: nobody has to know what is on it
	uint64_t wire_from_usec;     // 0, or from when on it may be listened on
	struct vlan_pick vlan_pick;  // by a person at the console
	struct first_contact first_contact; // which network led to the region
	bool network_dirty;          // links changed: apply again
	uint64_t address_mark;       // changes with our addresses on links that lead out
	enum step_state network_state;
	char *network_problem, *first_contact_problem;
	char *confirm_problem; // the confirmation of the network could not be stored
	uint64_t confirm_tried_usec;
	struct refused_network refused; // of this or an earlier start
	bool refused_loaded, refused_seen; // seen: held against the assigned network
	unsigned n_network_refusals; // this assignment's network did not hold
	uint64_t network_refused_usec; // the last time
	uint64_t network_waits_usec; // 0, or since when it waits for a region that does not answer
	uint64_t network_unproven_usec; // != 0: taken without the region, which was not heard since
	struct netconf_online *online;
	struct netconf_links *links;
	bool mesh_set;    // the kernel has what we set, but for what changed since
	bool mesh_dirty;  // something did
	bool mesh_unsure; // what the kernel has must be read first
	bool mesh_restless; // a peer became quiet just now
	bool mesh_unsaved;
	uint64_t mesh_saved_usec, mesh_told_usec;
	uint64_t mesh_mark;    // of what was told of the peers
	char *mesh_candidates; // JSON: where peers may reach us
	char *mesh_problem, *mesh_refused; // refused: an answer of the region
	char mesh_sentence[512]; // of peers that do not answer, of the last gathering
	uint64_t peers_looked_usec;
	int poke_fd;
	bool poke_all;    // whether they answer or not: we are somewhere else
	size_t poke_next; // the peer at which the next tick goes on
	size_t idle_next; // ... with those that say nothing
	uint64_t idle_asked_usec;
	struct mesh_handshakes key_handshakes; // since a key that is not proven
	uint64_t mesh_key_usec;          // since when the kernel has the own key, or this start; 0: not looked yet
	bool mesh_key_unset;             // it was switched to or gone back to, and the kernel may not have it yet
	sd_event_source *mesh_key_timer; // a close look at handshakes
	char *mesh_key_problem;
	unsigned mesh_mtu_set;           // what the mesh link was told last; 0: nothing
	unsigned mesh_mtu_probed;        // what a path was found to carry, when that is less; 0: none
	struct mesh_mtu_search mesh_mtu_search; // of the peer mesh_mtu_key, under way while there is a socket
	int mesh_mtu_fd;                 // -1: none
	char *mesh_mtu_key;
	uint64_t mesh_mtu_sent_usec, mesh_mtu_asked_usec; // asked: the last peer; 0: none here yet
	size_t mesh_mtu_next;            // the peer that is asked next
	uint64_t mesh_mtu_mark;          // the addresses it was probed with
	char *mesh_mtu_sentence;
	sd_event_source *mesh_mtu_timer;

	// payload and K3s
	struct payload *payload, *payload_next; // next: takes its place once it is verified
	uint64_t payload_next_usec;            // since when
	bool payload_replaced_seen, payload_tidied;
	struct http_client *content; // region's CA and our certificate
	bool content_stale;          // the certificate was renewed
	struct agent_bus *bus;
	struct service *k3s_service;
	bool k3s_configured, k3s_start_asked;
	bool k3s_restart_wanted;
	bool k3s_waits_for_tokens;    // its restart does, of this tick
	bool k3s_token_next;          // K3s is started with the token that comes next: it may have it already
	uint64_t k3s_token_tried_usec; // when it was changed last
	unsigned n_token_changes;      // since K3s was up last
	bool k3s_tokens_new;          // written, and a joiner that waits has not been told
	uint64_t k3s_activating_usec; // 0, or since when its unit was not up
	uint64_t k3s_restarting_usec;   // != 0: asked for then (CLOCK_MONOTONIC), not back yet
	int64_t k3s_restarted_wall_sec; // when K3s was started last by us, 0: before us
	bool k3s_restart_known;
	int64_t k3s_restart;            // the number it runs with
	char *k3s_settings_json;        // array of { key, value, origin, advice }
	bool k3s_starts_over; // a first server that never came up is made anew
	char *k3s_problem;
	uint64_t k3s_since_usec;
	struct kube *kube;
	bool kube_asking_node, kube_asking_nodes;
	uint64_t kube_asked_usec, kube_nodes_usec, kube_took_usec, kube_nodes_took_usec;
	uint64_t nodes_news_usec; // when the mesh or the list of Nodes last said something new
	bool kube_nodes_missing;  // fewer pod ranges than machines in the mesh
	bool has_node;
	struct node_readiness node;
	char *node_problem;
	char *pod_cidrs_seen; // JSON object
	bool conflist_written;
	struct agent_health *health;
	char certificate_date[32]; // for the ladder's sentence
	struct agent_api *api; // the stable API address
	char *cluster_network_problem;
	bool kube_stale; // its credentials are refused: a new one at the next tick
	size_t n_jobs;
	struct agent_job *jobs[ASSIGNMENT_MAX_JOBS];
	struct service *command_service; // hearth-k3s
	uint64_t command_asked_usec;     // 0, or when it was last started
	char command_id[64];             // for what, and how often without an answer
	unsigned n_command_starts;
	size_t n_snapshots;              // of etcd, on this server
	struct snapshot snapshots[SNAPSHOTS_MAX];
	uint64_t snapshots_usec;         // 0: to be looked at
	bool restore_known, restore_try_is_ours, restore_tidied;
	struct restore_note restore;     // what was done here
	uint64_t restore_stopped_usec;   // 0, or when K3s was told to stop for it
	char *restore_sentence;          // why K3s does not run
	struct hand_over hand_over;
	struct bootstrap *bootstrap;
	struct bootstrap_clients bootstrap_clients; // of that one
	char *bootstrap_problem;
	struct flux_watch *flux; // while this server holds the Lease and stage 50-sync is laid
	char flux_sentence[FLUX_SENTENCE_MAX], flux_warning[FLUX_SENTENCE_MAX]; // of the last gathering

	// volumes and storage
	struct service *volumes_service;
	char *volumes_wanted;        // what hearth-volumes was told
	bool volumes_looked;         // its answer was read since it changed
	uint64_t volumes_asked_usec; // 0, or when it was last started
	bool volumes_answered;       // ... to this wish, and that is
	char *volumes_json;          // of the status
	unsigned n_volumes_waiting;
	char *volumes_sentence;
	bool storage_stale;          // the assignment's storage is another than the bootstrap has
	bool storage_asking;
	uint64_t storage_asked_usec;
	char *persistent_volumes;    // JSON, between two questions
	char *storage_sentence;

	// outcome
	struct timeline timeline;
	struct ladder_action action;
	enum rung last_rung;
	char *status_json, *public_json; // last published
	uint64_t reported_usec;
};

int agent_new(sd_event *event, const struct agent_options *options, struct agent **ret);
struct agent *agent_free(struct agent *agent);
DEFINE_CLEANUP(agent)
void agent_kick(struct agent *agent); // ask for a tick
void agent_hurry(struct agent *agent); // a person or the network: end every backoff
// `hearthctl reset WHAT`: "clock". `confirm CODE`. -EINVAL with a sentence.
int agent_reset(struct agent *agent, const char *what, struct diag *reterr);
int agent_confirm(struct agent *agent, const char *code, struct diag *reterr);

// Parts of the tick, each in its own file.
void agent_gather(struct agent *agent, struct facts *ret, char *buffer, size_t n_buffer); // agent-facts.c
int agent_region_start(struct agent *agent);   // agent-region.c: identity, client, whom to talk to
void agent_region_act(struct agent *agent);
const char *agent_proxy(const struct agent *agent); // the way to the region (http://...), NULL: straight
void agent_secrets_again(struct agent *agent, unsigned every_sec); // ask for them anew, unless they were asked for since
int agent_network_start(struct agent *agent);  // agent-network.c
void agent_network_act(struct agent *agent, enum rung rung);
void agent_network_done(struct agent *agent);
/* May the network be changed now, and the mesh's peers? Not while a person tries one by hearth-net: it is theirs until they have
 * confirmed it, or it is undone; and not while there is something to undo, be it of a hearth-net that was killed with its guard. */
bool agent_network_may_act(struct agent *agent);
// What tried-network.c needs of it.
int agent_network_lock(const struct agent *agent, struct diag *reterr); // whoever changes the network has it; -EWOULDBLOCK: come again
void agent_network_took(struct agent *agent, struct network *network_take, const struct plan *plan); // it is applied
void agent_network_refused(struct agent *agent, const char *why); // the assigned one is undone: what is below it comes
void agent_network_note_try(struct agent *agent, enum network_candidate candidate, const char *text); // for people
void agent_network_give_up(struct agent *agent, int lock_fd, const char *why); // what is on trial cannot be undone for good
char *agent_network_document(const struct agent *agent); // the assigned one as it is stored; "": there is none; NULL: no memory
/* What is applied has the mesh's link: the assigned network, or, while that is refused, the last good one in its place. Then peers,
 * keys and the way to the API servers are kept up. */
bool agent_network_has_mesh(const struct agent *agent);
/* What is below a refused network serves a node of the cluster: it has the mesh, and the address by which the cluster knows the node
 * is there (the mesh's, or that of a LAN, which another network may have changed). */
bool agent_network_below_serves(const struct agent *agent);
bool agent_network_was_confirmed(const struct agent *agent); // ... that one
void agent_network_load_confirmed(struct agent *agent);
void agent_network_to_json(const struct agent *agent, struct json_out *out); // the member networkRefused, when it was
void agent_network_forget_refusal(struct agent *agent); // another network is assigned, or a person wants it tried now
void agent_safe_network(struct agent *agent); // a person at the console: DHCP on every wired port; once more: as before
void agent_first_contact_load(struct agent *agent); // which network led to the region, from STATE
void agent_network_begin_anew(struct agent *agent); // a person at the console: the candidates from the first one on
void agent_vlans_act(struct agent *agent); // agent-vlans.c: which VLANs are on the wire
void agent_vlans_load(struct agent *agent); // the one that was picked, from STATE
void agent_vlans_take_pick(struct agent *agent); // a person at the console picked one
void agent_vlans_to_json(const struct agent *agent, struct json_out *out); // the member vlans, when there is one
void agent_mesh_act(struct agent *agent); // agent-mesh.c
void agent_mesh_news(struct agent *agent); // the region said something new of the peers
void agent_mesh_reserve(struct agent *agent); // what is applied now is no peer's
void agent_mesh_save(struct agent *agent); // what is not saved yet, when it is time
void agent_mesh_done(struct agent *agent);
void agent_mesh_key_act(struct agent *agent); // agent-mesh-key.c: this node's own key
void agent_mesh_key_watch(struct agent *agent, uint64_t now_usec); // look more often while keys change
void agent_mesh_key_to_json(const struct agent *agent, struct json_out *out); // the member meshKey, when there is something
void agent_mesh_key_done(struct agent *agent);
unsigned agent_mesh_mtu(const struct agent *agent); // agent-mesh-mtu.c: what the mesh link is to have
void agent_mesh_mtu_act(struct agent *agent);
void agent_mesh_mtu_probe(struct agent *agent);
void agent_mesh_mtu_done(struct agent *agent);
// From now on a handshake of a peer of the mesh counts for @handshakes, one of @agent that each look at the peers is told to.
void agent_mesh_await_handshake(const struct agent *agent, struct mesh_handshakes *handshakes);
void agent_poke(const struct agent *agent, const char *address, const char *link); // have the kernel look for a neighbour
void agent_k3s_act(struct agent *agent, enum rung rung); // agent-k3s.c
void agent_k3s_done(struct agent *agent);
void agent_k3s_watch(struct agent *agent, sd_bus *bus); // its unit of this role, when @bus is there
void agent_k3s_leave_role(struct agent *agent);
/* Before something changes that K3s has to be restarted for, so that a hearthd that is restarted knows. Negative errno: leave it
 * as it is and come again. */
int agent_k3s_note_restart_due(const struct agent *agent);
bool agent_k3s_is_settled(const struct agent *agent); // it runs from what is here, no restart is due or under way
// SHA-256 of the payload that assignment or image name, hex; "": neither does. Borrowed.
const char *agent_payload_named(const struct agent *agent);
/* agent-k3s-files.c: write all files of K3s. 0 nothing new that K3s has to be restarted for, negative errno with a diag, or
 * what is new: how to join (a token, or which server), which counts for a joiner that is not in yet; all else of config.yaml. */
enum { K3S_FILES_JOIN = 1, K3S_FILES_CONFIG };
int agent_k3s_write_files(struct agent *agent, struct diag *reterr);
void agent_k3s_forget_bus(struct agent *agent); // before the bus goes away
void agent_time_act(struct agent *agent); // agent-time.c: NTP servers
void agent_time_forget_bus(struct agent *agent);
void agent_cluster_act(struct agent *agent, enum rung rung); // agent-cluster.c: node object, CNI, hand-over, bootstrap
void agent_cluster_done(struct agent *agent);
// Ready by a report that is younger than the last start of K3s.
bool agent_node_is_ready(const struct agent *agent);
void agent_api_act(struct agent *agent); // agent-api.c: where the stable API address leads
void agent_api_forget(struct agent *agent); // credentials or membership are others now
void agent_api_done(struct agent *agent);
void agent_health_act(struct agent *agent, enum rung rung); // agent-health.c: etcd, kubelet, K3s' certificates
const char *agent_health_sentence(const struct agent *agent); // what is not healthy, or NULL
/* The first of K3s' certificates when it expires within 30 days (or has), with the day; else NULL. */
const char *agent_health_certificate(const struct agent *agent, int64_t now_sec, char ret_date[static 32]);
void agent_health_done(struct agent *agent);
void agent_jobs_act(struct agent *agent); // agent-jobs.c: work in the cluster, given by the assignment
void agent_jobs_pause(struct agent *agent); // before the kube client goes away
void agent_jobs_done(struct agent *agent);
void agent_jobs_to_json(const struct agent *agent, struct json_out *out); // { ID: { state, sentence } }
/* agent-command.c: have hearth-k3s do @wanted; asked again at each tick until it is no longer running. One at a time, in any
 * order. @ret_sentence: what it waits for or runs, what was made, or why not. */
enum job_state agent_command_do(struct agent *agent, const struct k3s_command *wanted,
	char ret_sentence[static K3S_COMMAND_SENTENCE_MAX]);
bool agent_command_is_known(const struct agent *agent, const char *id); // ordered or answered in this boot
void agent_command_forget_bus(struct agent *agent);
void agent_snapshots_act(struct agent *agent); // agent-command.c: which snapshots of etcd lie on this server
const char *agent_snapshots_folder(const struct agent *agent);
/* agent-restore.c: this server's part in a restore of etcd. True: K3s must not run now; what has to be done is under way. */
bool agent_restore_holds(struct agent *agent);
void agent_restore_to_json(const struct agent *agent, struct json_out *out); // the member k3sRestore, when there is one
void agent_status_cluster(const struct agent *agent, struct json_out *out); // an object with what K3s' part has
void agent_volumes_act(struct agent *agent); // agent-volumes.c: this node's local volumes, by hearth-volumes
void agent_volumes_forget_bus(struct agent *agent);
void agent_storage_act(struct agent *agent); // agent-storage.c: the cluster's StorageClass beside the bootstrap
char *agent_status_json(const struct agent *agent, bool for_region); // agent-status.c

// agent-bus.c: io.hearth.Agent1 and the system bus; it connects when the bus appears.
int agent_bus_new(struct agent *agent, struct agent_bus **ret);
struct agent_bus *agent_bus_free(struct agent_bus *bus);
sd_bus *agent_bus_get(const struct agent_bus *bus); // NULL: not connected
void agent_bus_changed(struct agent_bus *bus);
void agent_bus_try(struct agent_bus *bus); // connect if it can be done now
