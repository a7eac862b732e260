// Gathers: what the parts know becomes the ladder's facts. No decision here.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/file.h"
#include "base/time.h"
#include "base/url.h"

enum { MISSING_SEC = 5 }; // a route that waits for its source address so long is told; the kernel takes a second or two

static void gather_seed(const struct agent *a, struct facts *f)
{
	f->state_known = a->state_known && a->region;
	f->durable = a->durable;
	f->state_sentence = a->state_sentence;
	f->identity_problem = a->identity_problem;
	f->has_seed = a->seed.trust || a->region_record.n_urls > 0;
	f->seed_has_region = (a->seed.trust && a->seed.trust->n_urls > 0) || a->seed.assignment || a->region_record.n_urls > 0;
	f->seed_has_pin = a->seed.trust && a->seed.trust->n_pins > 0;
	f->seed_has_token = a->seed.token != NULL;
	f->seed_has_assignment = a->seed.assignment != NULL;
	f->seed_looked = a->seeds.looked;
	if (a->seed.problem[0] && !f->has_seed)
		f->seed_problem = a->seed.problem;
	else if (a->seed.problem[0])
		f->seed_warning = a->seed.problem;
	f->seed_foreign = a->seed_is_foreign ? a->seed.trust_name : NULL;
	f->has_assignment = a->assignment != NULL;
	f->from_seed = a->from_seed;
	f->assignment_problem = a->assignment_problem;
}

static void gather_link(const struct agent *a, struct facts *f)
{
	if (a->options.without_network) {
		f->n_wired = f->n_carrier = 1;
		f->has_address = true;
		f->network = a->assignment ? STEP_DONE : STEP_IDLE;
		return;
	}
	for (size_t i = 0; a->links && i < a->links->n; i++) {
		f->n_wired += a->links->links[i].wired;
		f->n_carrier += a->links->links[i].wired && a->links->links[i].carrier;
	}
	for (size_t i = 0; a->online && i < a->online->n; i++) {
		const struct netconf_online_link *link = &a->online->links[i];
		if (link->reach >= NETCONF_ADDRESS)
			f->has_address = true;
		else if (link->reach >= NETCONF_NO_LEASE && !f->link_name) {
			f->link_name = link->name;
			f->link_since_usec = link->since_usec;
		}
	}
	f->link_lldp = wire_listener_place(a->wire, f->link_name);
	f->link_problem = a->first_contact_problem;
	f->network = a->network_is_assigned && !a->tried.applied_usec ? STEP_DONE : a->network_state;
	f->network_problem = a->network_problem;
	if (a->tried.on_trial)
		f->network_proof = a->tried.region_was_silent ? "the region, the mesh or the gateway" : "the region";
	f->network_undo_why = a->tried.undo_why;
	f->network_undo_problem = a->tried.undo_problem;
	f->network_below = network_candidate_phrase(a->network_candidate);
	f->network_below_serves = agent_network_below_serves(a);
	f->network_try = a->network_try;
	if (a->network_missing && time_boot_usec() - a->network_missing_usec >= MISSING_SEC * USEC_PER_SEC)
		f->network_missing = a->network_missing;
	f->safe_network = a->safe_network;
	f->confirm_problem = a->confirm_problem;
}

static void gather_region(const struct agent *a, struct facts *f)
{
	const struct region_client *c = a->region;
	if (!c)
		return;
	int64_t now_sec = region_client_wall_msec(c, time_boot_usec(), time_wall_msec()) / 1000;
	f->contact = c->contact;
	f->region_url = c->error && c->error_url < c->n_urls ? c->urls[c->error_url] : region_client_url(c);
	f->region_error = c->error;
	f->region_proxy = c->proxy ? url_proxy_host(c->proxy) : NULL;
	f->clock_holds = a->clock_taken;
	f->clock_problem = a->clock_problem;
	f->enrol = a->identity->cert_pem && c->enrol != ENROL_REVOKED && c->enrol != ENROL_QUARANTINED ? ENROL_APPROVED : c->enrol;
	f->code = c->code[0] ? c->code : NULL;
	f->enrol_sentence = c->enrol_sentence;
	f->token_sentence = c->token_sentence;
	f->cert_expired = identity_expired(a->identity, now_sec);
	if (identity_wants_renewal(a->identity, now_sec))
		f->renew_problem = c->ops[REGION_OP_RENEW].problem;
	if (c->cluster && c->contact == REGION_FOUND) // a silent region is told of elsewhere
		f->hand_over_problem = c->ops[REGION_OP_CLUSTER].problem;
	if (!f->assignment_problem && !a->assignment)
		f->assignment_problem = c->ops[REGION_OP_ASSIGNMENT].problem;
}

static bool peer_is_fresh(const struct mesh_peer *peer)
{
	return peer->in_kernel && peer->handshake_ago_sec >= 0 && peer->handshake_ago_sec < MESH_FRESH_SEC;
}

static void gather_mesh(struct agent *a, struct facts *f, char *buffer, size_t n_buffer)
{
	if (!a->assignment || !a->assignment->mesh_link)
		return;
	f->mesh_wanted = true;
	f->mesh_known = a->peers_known || a->from_seed;
	f->mesh_up = a->mesh_set || a->options.without_network;
	f->mesh_problem = a->mesh_problem;
	f->mesh_refused = a->mesh_refused;
	const struct mesh_peer *server = NULL;
	const char *url = a->assignment->k3s_server;
	if (url && str_starts(url, "https://")) {
		size_t n = strcspn(url + 8, ":/");
		(void)snprintf(buffer, n_buffer, "%.*s", (int)(n < 63 ? n : 63), url + 8); // an address
		server = mesh_peer_with_address(&a->peers, buffer);
	}
	for (size_t i = 0; i < a->peers.n; i++) {
		f->n_peers += !a->peers.peers[i].next_of;
		f->n_fresh_peers += peer_is_fresh(&a->peers.peers[i]);
	}
	f->mesh_server_fresh = server && peer_is_fresh(server);
	mesh_health_sentence(&a->peers, time_boot_usec(), a->mesh_sentence, sizeof(a->mesh_sentence));
	f->mesh_mtu = a->mesh_mtu_sentence;
	f->mesh_silent = a->mesh_sentence[0] ? a->mesh_sentence : NULL;
	if (server && !a->options.without_network) {
		f->mesh_server = server->endpoint ? server->endpoint : server->name;
		// Once joined, K3s itself finds its servers again: the one it joined may be gone for good.
		f->mesh_needs_server = !a->has_node && !file_exists(root_path(a->options.root, STATE_WAS_READY).text);
	}
}

static void gather_k3s(const struct agent *a, struct facts *f)
{
	f->k3s_wanted = a->assignment && a->assignment->has_k3s;
	f->k3s_waiting_for = a->assignment ? a->assignment->k3s_waiting_for : NULL;
	if (!f->k3s_wanted)
		return;
	f->payload = a->payload ? payload_state(a->payload) : STEP_IDLE;
	f->payload_problem = a->payload ? payload_problem(a->payload) : NULL;
	f->payload_progress = a->payload ? payload_progress(a->payload) : *agent_payload_named(a) ? "about to look for it" : NULL;
	if (a->payload_next) {
		f->payload_next = payload_problem(a->payload_next) ? payload_problem(a->payload_next) : payload_progress(a->payload_next);
		f->payload_next_failed = payload_problem(a->payload_next) != NULL;
	}
	f->has_secrets = a->has_secrets;
	f->secrets_problem = a->region ? a->region->ops[REGION_OP_SECRETS].problem : NULL;
	f->k3s_first = a->assignment->k3s_first;
	f->k3s_server = a->assignment->k3s_server;
	f->k3s_since_usec = a->k3s_since_usec;
	f->k3s_problem = a->k3s_problem;
	f->health = agent_health_sentence(a);
	f->k3s_restarts = a->k3s_restarting_usec != 0;
	f->k3s_held = a->restore_sentence;
	f->k3s_waits_for_tokens = a->k3s_waits_for_tokens;
	if (!a->k3s_service)
		return;
	enum service_state state = service_state(a->k3s_service);
	unsigned restarts = service_n_restarts(a->k3s_service);
	if (state == SERVICE_ACTIVE && !a->k3s_restarting_usec)
		f->k3s = STEP_DONE;
	else if (a->k3s_restarting_usec && restarts < 2)
		f->k3s = STEP_RUNNING;
	else if (state == SERVICE_FAILED || (state == SERVICE_ACTIVATING && restarts >= 2)) {
		f->k3s = STEP_FAILED;
		f->k3s_problem = service_sentence(a->k3s_service);
	} else if (state == SERVICE_ACTIVATING)
		f->k3s = STEP_RUNNING;
}

// Flux' part of the platform: the first object that is not ready, or why nothing is known of them.
static void gather_flux(struct agent *a, struct facts *f)
{
	a->flux_sentence[0] = a->flux_warning[0] = '\0';
	if (!a->flux)
		return;
	const struct flux *picture = flux_watch_picture(a->flux);
	const char *problem = flux_watch_problem(a->flux);
	if (problem)
		(void)snprintf(a->flux_sentence, sizeof(a->flux_sentence), "its objects cannot be read: %.400s; is the API server "
			"of this node well?", problem);
	else if (picture)
		flux_sentence(picture, time_wall_msec() / 1000, a->flux_sentence);
	if (picture)
		flux_suspended(picture, a->flux_warning);
	f->flux = problem ? STEP_FAILED : !picture ? STEP_IDLE : a->flux_sentence[0] ? STEP_RUNNING : STEP_DONE;
	f->flux_watched = true;
	f->flux_sentence = a->flux_sentence;
	f->flux_warning = a->flux_warning[0] ? a->flux_warning : NULL;
}

static void gather_cluster(struct agent *a, struct facts *f)
{
	if (!f->k3s_wanted)
		return;
	f->k3s_certificate = agent_health_certificate(a, time_wall_msec() / 1000, a->certificate_date);
	f->k3s_certificate_date = a->certificate_date;
	f->cni_bridge = a->assignment->cni_bridge;
	f->node_registered = a->has_node;
	f->node_ready = agent_node_is_ready(a);
	f->node_problem = a->has_node && a->node.sentence[0] ? a->node.sentence : a->node_problem;
	if (a->has_node && a->node.ready && !f->node_ready)
		f->node_problem = "its kubelet has not reported since K3s was started";
	f->etcd_learner = a->assignment->server && a->has_node && a->node.has_etcd && !a->node.etcd_voter;
	f->etcd_message = a->node.etcd_message;
	f->has_pod_cidr = a->has_node && a->node.pod_cidr[0];
	f->cluster_network = a->has_node && (a->conflist_written || (!f->cni_bridge && !a->node.network_unready));
	f->cluster_network_problem = a->cluster_network_problem;
	f->bootstrap_wanted = (a->assignment->has_bootstrap || a->assignment->storage->wanted) && a->assignment->server;
	f->bootstrap_problem = a->bootstrap_problem;
	if (a->bootstrap_problem)
		f->bootstrap = STEP_FAILED;
	if (!a->bootstrap)
		return;
	const struct bootstrap_status *status = bootstrap_status(a->bootstrap);
	f->bootstrap_ours = status->holder || status->phase < BOOTSTRAP_WATCHING;
	f->bootstrap_stage = status->phase < BOOTSTRAP_WATCHING ? NULL :
			     status->stage < N_STAGES		? stage_folder(status->stage) :
								  NULL;
	f->bootstrap_problem = status->sentence[0] ? status->sentence : NULL;
	f->bootstrap = status->ready ? STEP_DONE : status->error < 0 ? STEP_FAILED : STEP_RUNNING;
}

void agent_gather(struct agent *a, struct facts *ret, char *buffer, size_t n_buffer)
{
	*ret = (struct facts){ 0 };
	gather_seed(a, ret);
	gather_link(a, ret);
	gather_region(a, ret);
	gather_mesh(a, ret, buffer, n_buffer);
	gather_k3s(a, ret);
	gather_cluster(a, ret);
	ret->volumes_problem = a->volumes_sentence;
	ret->storage_advice = a->storage_sentence;
	gather_flux(a, ret);
}
