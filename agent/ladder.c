// Decides the rung and its sentence; nothing else. Every sentence says what is waited for, why, and who can mend it.
// SPDX-License-Identifier: Apache-2.0
#include "agent/ladder.h"
#include "base/time.h"
#include "base/utf8.h"
#include <stdarg.h>

static const char *const rung_names[N_RUNGS] = {
	[RUNG_SEED] = "seed",
	[RUNG_LINK] = "link",
	[RUNG_REGION] = "region",
	[RUNG_CLOCK] = "clock",
	[RUNG_ENROLLED] = "enrolled",
	[RUNG_ASSIGNMENT] = "assignment",
	[RUNG_NETWORK] = "network",
	[RUNG_MESH] = "mesh",
	[RUNG_K3S] = "k3s",
	[RUNG_CLUSTER_NETWORK] = "cluster-network",
	[RUNG_NODE_READY] = "node-ready",
	[RUNG_BOOTSTRAP] = "bootstrap",
	[RUNG_STEADY] = "steady",
};

const char *rung_name(enum rung rung)
{
	return rung < N_RUNGS ? rung_names[rung] : "unknown";
}

// Parts of a sentence come from the region and from strangers that answer in its place; it goes to terminals and to D-Bus,
// which takes only UTF-8: no control characters, and none that was cut in two.
static void PRINTF_LIKE(2, 0) put_sentence(char ret[static LADDER_SENTENCE_MAX], const char *format, va_list args)
{
	size_t bad;
	(void)vsnprintf(ret, LADDER_SENTENCE_MAX, format, args); // a cut sentence is still one
	while (!utf8_valid(ret, strlen(ret), &bad))
		ret[bad] = '?';
	utf8_make_printable(ret);
}

// A rung that waits: false and its sentence.
static bool PRINTF_LIKE(2, 3) waits(struct ladder_action *action, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	put_sentence(action->sentence, format, args);
	va_end(args);
	return false;
}

static void PRINTF_LIKE(2, 3) warn(struct ladder_action *action, const char *format, ...)
{
	if (action->n_warnings == LADDER_MAX_WARNINGS)
		return;
	va_list args;
	va_start(args, format);
	put_sentence(action->warnings[action->n_warnings++], format, args);
	va_end(args);
}

static const char *or_text(const char *text, const char *otherwise)
{
	return text && *text ? text : otherwise;
}

// In steps, so that a sentence changes (and is printed on the serial line) only now and then.
static unsigned seconds_since(uint64_t since_usec, uint64_t now_usec)
{
	static const unsigned steps[] = { 3600, 1800, 600, 300, 120, 60, 40, 20, 10, 5 };
	uint64_t sec = since_usec && now_usec > since_usec ? (now_usec - since_usec) / USEC_PER_SEC : 0;
	for (size_t i = 0; i < N_ELEMENTS(steps); i++)
		if (sec >= steps[i])
			return steps[i];
	return 0;
}

static bool seed_holds(const struct facts *f, uint64_t now_usec, struct ladder_action *a)
{
	if (f->identity_problem)
		return waits(a, "this machine's keys cannot be kept: %s; is its STATE disk full or broken?", f->identity_problem);
	if (!f->state_known)
		return waits(a, "waiting for hearth-state to say whether this machine has a STATE disk; a moment is normal, "
				"else see the unit hearth-state");
	if (f->has_assignment)
		return true;
	if (f->seed_problem)
		return waits(a, "the seed is refused: %s; whoever made the seed can mend it", f->seed_problem);
	if (!f->has_seed)
		return waits(a, "no seed found (looked at %s); give this machine one: a stick labelled HEARTHSEED, "
				"`hearth-image seed` into the ISO, or an SMBIOS credential", or_text(f->seed_looked, "nothing"));
	if (!f->seed_has_region)
		return waits(a, "the seed names no region (region.urls) and carries no assignment; whoever made the seed "
				"can mend it");
	return true;
}

static bool link_holds(const struct facts *f, uint64_t now_usec, struct ladder_action *a)
{
	if (f->safe_network)
		warn(a, "safe network: DHCP on every wired port, because a person at the console pressed s; once more goes back");
	else if (f->network_try)
		warn(a, "another network is tried: %s", f->network_try);
	if (f->n_wired == 0)
		return waits(a, "no wired network port found; does this image have the driver of this machine's network "
				"card?");
	if (f->n_carrier == 0)
		return waits(a, "none of %u wired ports has carrier; plug a cable in, or check the switch", f->n_wired);
	if (f->has_assignment || f->has_address)
		return true;
	if (f->link_problem)
		return waits(a, "the network of first contact cannot be set up: %s; whoever made the seed can mend it",
			f->link_problem);
	const char *name = or_text(f->link_name, "the wired port");
	if (f->link_lldp)
		return waits(a, "%s has carrier but no address for %u s (no DHCP answer); it is on %s by LLDP; ask the "
				"network team", name, seconds_since(f->link_since_usec, now_usec), f->link_lldp);
	return waits(a, "%s has carrier but no address for %u s (no DHCP answer); ask the network team, or give static "
			"addresses in the seed", name, seconds_since(f->link_since_usec, now_usec));
}

static bool region_holds(const struct facts *f, uint64_t now_usec, struct ladder_action *a)
{
	const char *url = or_text(f->region_url, "the region");
	const char *by = f->region_proxy ? " through the proxy " : "", *proxy = or_text(f->region_proxy, "");
	if (f->contact == REGION_FOUND || f->from_seed)
		return true;
	if (f->has_assignment) { // a silent region never takes a working node down
		if (f->contact == REGION_SILENT && !f->network_proof) // on trial, that is what the sentence is about
			warn(a, "region %s is silent%s%s (%s); this node works on from what it knows", url, by, proxy,
				or_text(f->region_error, "no answer"));
		else if (f->contact == REGION_WRONG_PIN || f->contact == REGION_BAD_HELLO)
			warn(a, "region %s is not believed: %s; this node works on from what it knows", url,
				or_text(f->region_error, "its hello is wrong"));
		return true;
	}
	switch (f->contact) {
	case REGION_UNTRIED:
	case REGION_TRYING:
		return waits(a, "asking region %s%s%s for its hello", url, by, proxy);
	case REGION_SILENT:
		return waits(a, "region %s does not answer%s%s: %s; is it running, and may this network reach it? the region's "
				"admin can tell", url, by, proxy, or_text(f->region_error, "no answer"));
	case REGION_WRONG_PIN:
		return waits(a, "region %s is not ours (wrong pin): %s; nothing was sent to it; whoever made the seed, or runs "
				"that address, can mend it", url, or_text(f->region_error, "its CA is another"));
	case REGION_BAD_HELLO:
		return waits(a, "region %s gave a hello that does not hold: %s; the region's admin can mend it", url,
			or_text(f->region_error, "unknown reason"));
	case REGION_FOUND:
		break;
	}
	return true;
}

static bool clock_holds(const struct facts *f, uint64_t now_usec, struct ladder_action *a)
{
	if (f->clock_problem && f->has_assignment)
		warn(a, "clock: %s", f->clock_problem);
	if (f->clock_holds || f->has_assignment)
		return true;
	return waits(a, "the clock is not set: %s; the region's admin can mend the region's time, a person here can clear "
			"this node's floor with `hearthctl reset --clock`", or_text(f->clock_problem, "no time was taken yet"));
}

static bool enrolled_holds(const struct facts *f, uint64_t now_usec, struct ladder_action *a)
{
	if (f->from_seed)
		return true;
	if (f->has_assignment) {
		if (f->enrol == ENROL_REVOKED)
			warn(a, "the region has revoked this node: it gets nothing new; an admin of the region decides");
		else if (f->enrol == ENROL_QUARANTINED)
			warn(a, "the region has put this node into quarantine (two machines spoke with its key): nothing changes "
				"until an admin of the region decides");
		if (f->renew_problem)
			warn(a, "the certificate of this node could not be renewed: %s", f->renew_problem);
		if (f->hand_over_problem)
			warn(a, "the region does not take the cluster's CA and kubeconfig from this server: %s", f->hand_over_problem);
		return true;
	}
	const char *said = or_text(f->enrol_sentence, "");
	const char *gap = *said ? ": " : "";
	const char *token = or_text(f->token_sentence, "");
	const char *token_gap = *token ? "; " : "";
	const char *code = or_text(f->code, "(coming)");
	switch (f->enrol) {
	case ENROL_NONE:
	case ENROL_ASKING:
		return waits(a, "asking the region for a place");
	case ENROL_REFUSED:
		return waits(a, "the region refuses the enrolment%s%s; the region's admin can tell why", gap, said);
	case ENROL_PENDING:
		return waits(a, "%s%swaiting for a person at the region to approve this machine with the code %s "
				"(`hearth-region approve`, or its page)", token, token_gap, code);
	case ENROL_RESERVED:
		if (!f->durable)
			return waits(a, "the token holds a place, but this machine cannot keep an identity: %s; give it a disk "
					"for STATE, or let the cluster allow diskless nodes",
				or_text(f->state_sentence, "it has no STATE disk"));
		return waits(a, "the token holds a place; the region is confirming it%s%s", gap, said);
	case ENROL_UNCONFIRMED:
		return waits(a, "the region approved code %s, but the seed has no pin: a person here must compare the code "
				"with the region's page and run `hearthctl confirm CODE`", code);
	case ENROL_DENIED:
		return waits(a, "an admin of the region denied this machine%s%s; only they can change that", gap, said);
	case ENROL_CLOSED:
		return waits(a, "the enrolment was closed after five wrong codes; a new code comes within a minute%s%s", gap, said);
	case ENROL_REVOKED:
		return waits(a, "the region has revoked this machine's key%s%s; an admin of the region decides", gap, said);
	case ENROL_QUARANTINED:
		return waits(a, "the region has put this machine into quarantine (two machines spoke with its key); an admin of "
				"the region decides");
	case ENROL_APPROVED:
		if (f->cert_expired)
			return waits(a, "the certificate of this node has ended and is being renewed%s%s",
				f->renew_problem ? ": " : "", or_text(f->renew_problem, ""));
		break;
	}
	return true;
}

static bool assignment_holds(const struct facts *f, uint64_t now_usec, struct ladder_action *a)
{
	if (f->has_assignment) {
		if (f->assignment_problem)
			warn(a, "a new assignment was refused: %s; the old one stays; the region's admin can mend it",
				f->assignment_problem);
		return true;
	}
	if (f->assignment_problem)
		return waits(a, "the assignment is refused: %s; the region's admin can mend it", f->assignment_problem);
	return waits(a, "enrolled; waiting for the region to assign a role and a name; its rules or its admin decide");
}

// Applying it may have failed for the very reason that undoing it does: one sentence then.
static bool is_new_word(const struct facts *f)
{
	return f->network_undo_why && !str_equal(f->network_undo_why, f->network_undo_problem);
}

// A node of a cluster works on over what there is: its pods need their mesh more than another network.
static bool network_below_holds(const struct facts *f, struct ladder_action *a)
{
	char sentence[LADDER_SENTENCE_MAX];
	(void)snprintf(sentence, sizeof(sentence), "the assigned network does not hold: %s; meanwhile there is %s, and it is tried again "
		"now and then; the region's admin can mend the network template, the key s at the console gives the safe network",
		or_text(f->network_problem, "unknown reason"), or_text(f->network_below, "another"));
	if (!f->k3s_wanted || !f->network_below_serves)
		return waits(a, "%s", sentence);
	warn(a, "%s", sentence);
	return true;
}

static bool network_holds(const struct facts *f, uint64_t now_usec, struct ladder_action *a)
{
	if (f->confirm_problem)
		warn(a, "the network works, but that cannot be stored: %s; after a restart it is tried anew; is STATE full?",
			f->confirm_problem);
	if (f->network_missing)
		warn(a, "the network is set but for a route: %s", f->network_missing);
	if (f->network_undo_problem)
		return waits(a, "a network that does not hold cannot be undone yet: %s%s%s; this is tried again for half a minute at "
				"most, then another comes in its place; is a card gone?", f->network_undo_problem,
			is_new_word(f) ? "; it does not hold as " : "", is_new_word(f) ? f->network_undo_why : "");
	if (f->safe_network)
		return waits(a, "the safe network is on in place of the assigned one; press s at the console once more to go back");
	switch (f->network) {
	case STEP_DONE:
		return true;
	case STEP_FAILED:
		return network_below_holds(f, a);
	case STEP_IDLE:
	case STEP_RUNNING:
		break;
	}
	if (f->network_proof)
		return waits(a, "the assigned network is on trial: %s has to answer through it, else it is undone", f->network_proof);
	return waits(a, "setting up the assigned network%s%s", f->network_problem ? ": " : "",
		or_text(f->network_problem, ""));
}

static bool mesh_holds(const struct facts *f, uint64_t now_usec, struct ladder_action *a)
{
	if (!f->mesh_wanted)
		return true;
	if (f->mesh_problem && !f->mesh_up)
		return waits(a, "the mesh link cannot be set up: %s; the region's admin can tell", f->mesh_problem);
	if (!f->mesh_known)
		return waits(a, "waiting for the region to name the peers of the mesh");
	if (!f->mesh_up)
		return waits(a, "setting up the mesh with %u peers", f->n_peers);
	if (f->mesh_needs_server && !f->mesh_server_fresh)
		return waits(a, "handshake sent to %s, no answer: is that server up, and is UDP 51820 to it filtered? ask the "
				"network team", or_text(f->mesh_server, "the server"));
	if (f->mesh_problem)
		warn(a, "the peers of the mesh cannot be set: %s; the region's admin can tell", f->mesh_problem);
	if (f->mesh_refused)
		warn(a, "what the region says of the mesh is refused, its peers stay as they were: %s; the region's admin can tell",
			f->mesh_refused);
	if (f->mesh_mtu)
		warn(a, "%s", f->mesh_mtu);
	if (f->mesh_silent)
		warn(a, "%s", f->mesh_silent);
	else if (f->n_peers && !f->n_fresh_peers)
		warn(a, "no peer of the mesh has answered yet (%u asked); is UDP 51820 filtered?", f->n_peers);
	return true;
}

static bool k3s_holds(const struct facts *f, uint64_t now_usec, struct ladder_action *a)
{
	if (!f->k3s_wanted)
		return f->k3s_waiting_for ? waits(a, "%s", f->k3s_waiting_for) : true;
	if (f->k3s_held)
		return waits(a, "%s", f->k3s_held);
	if (f->payload != STEP_DONE) {
		if (f->payload == STEP_FAILED)
			return waits(a, "the Kubernetes payload is not usable: %s; whoever made the image, or serves it at the "
					"region, can mend it", or_text(f->payload_problem, "unknown reason"));
		if (!f->payload_progress)
			return waits(a, "neither image nor assignment names a Kubernetes payload; build the image with one, or name "
					"it in the region's cluster.yaml");
		return waits(a, "getting the Kubernetes payload: %s", f->payload_progress);
	}
	if (f->payload_next)
		warn(a, "another Kubernetes payload is assigned, K3s still runs from the old one: %s%s", f->payload_next,
			f->payload_next_failed ? "; who serves it at the region can mend it" : "");
	if (f->k3s_waits_for_tokens)
		warn(a, "K3s is to be restarted with tokens that the region made anew, and they have not come yet%s%s; the region's admin "
			"can tell", f->secrets_problem ? ": " : "", or_text(f->secrets_problem, ""));
	if (!f->has_secrets) {
		if (f->secrets_problem && !f->durable)
			return waits(a, "the region gives no cluster secrets: %s; this machine is provisional (%s); give it a disk "
					"for STATE, or let the cluster allow diskless nodes", f->secrets_problem,
				or_text(f->state_sentence, "it has no STATE disk"));
		return waits(a, "waiting for the cluster's secrets%s%s", f->secrets_problem ? ": " : " from the region",
			or_text(f->secrets_problem, ""));
	}
	switch (f->k3s) {
	case STEP_DONE:
		return true;
	case STEP_FAILED:
		return waits(a, "K3s does not stay up: %s; see `journalctl -u k3s -u k3s-agent`; the platform team can tell",
			or_text(f->k3s_problem, "its unit failed"));
	case STEP_IDLE:
		return waits(a, "about to start K3s%s%s", f->k3s_problem ? ": " : "", or_text(f->k3s_problem, ""));
	case STEP_RUNNING:
		break;
	}
	if (f->k3s_restarts)
		return waits(a, "K3s is being restarted for its new configuration or payload, or because the region's admin asked "
				"for it (%u s)", seconds_since(f->k3s_since_usec, now_usec));
	if (f->k3s_first)
		return waits(a, "K3s is starting as the first server (%u s)%s%s", seconds_since(f->k3s_since_usec, now_usec),
			f->health ? ": " : "", or_text(f->health, ""));
	return waits(a, "K3s is joining %s (%u s)%s%s; is that server Ready?", or_text(f->k3s_server, "its server"),
		seconds_since(f->k3s_since_usec, now_usec), f->health ? ": " : "", or_text(f->health, ""));
}

static bool bootstrap_refused(const struct facts *f, struct ladder_action *a)
{
	return waits(a, "the bootstrap is not applied: %s; the platform team can mend the artifact or the registry",
		or_text(f->bootstrap_problem, "unknown reason"));
}

static bool cluster_network_holds(const struct facts *f, uint64_t now_usec, struct ladder_action *a)
{
	if (f->cluster_network || !f->k3s_wanted)
		return true;
	if (f->cluster_network_problem)
		return waits(a, "the cluster network is not up: %s; the platform team can tell", f->cluster_network_problem);
	if (!f->node_registered)
		return waits(a, "K3s runs; waiting for this node to be registered%s%s", f->health || f->node_problem ? ": " : "",
			or_text(f->health, or_text(f->node_problem, "")));
	if (f->cni_bridge)
		return waits(a, "registered; waiting for the controller manager to give this node its pod range");
	if (f->bootstrap == STEP_FAILED)
		return bootstrap_refused(f, a);
	if (f->bootstrap_ours)
		return waits(a, "bringing up the cluster network by the bootstrap%s%s", f->bootstrap_problem ? ": " : ", stage ",
			or_text(f->bootstrap_problem, or_text(f->bootstrap_stage, "10-crds")));
	return waits(a, "waiting for the cluster network (stage 20-cni of the bootstrap) to reach this node; a server lays it");
}

static bool node_ready_holds(const struct facts *f, uint64_t now_usec, struct ladder_action *a)
{
	if (!f->k3s_wanted)
		return true;
	if (f->etcd_learner)
		return waits(a, "joining etcd as a learner%s%s; the leader gives it its vote once it has caught up; are the other "
				"servers up?", *or_text(f->etcd_message, "") ? ": " : "", or_text(f->etcd_message, ""));
	if (f->node_ready)
		return true;
	return waits(a, "waiting for the kubelet to report Ready%s%s%s%s; the platform team can tell", f->node_problem ? ": " : "",
		or_text(f->node_problem, ""), f->health ? "; " : "", or_text(f->health, ""));
}

/* Steady is the platform, not its manifests: everything Flux reconciles is Ready. What it waits for says more than that
 * stage 50-sync is not ready. */
static bool bootstrap_holds(const struct facts *f, uint64_t now_usec, struct ladder_action *a)
{
	if (!f->bootstrap_wanted)
		return true;
	if (f->bootstrap == STEP_FAILED)
		return bootstrap_refused(f, a);
	if (f->flux_watched && f->flux_warning)
		warn(a, "Flux: %s", f->flux_warning);
	if (f->flux_watched && (f->flux == STEP_RUNNING || f->flux == STEP_FAILED))
		return waits(a, "Flux: %s", or_text(f->flux_sentence, "something is not ready"));
	if (f->bootstrap == STEP_DONE && f->flux_watched && f->flux == STEP_IDLE)
		return waits(a, "Flux: asking the API whether everything it reconciles is ready");
	if (f->bootstrap == STEP_DONE)
		return true;
	if (!f->bootstrap_ours)
		return waits(a, "watching the bootstrap that another server lays%s%s", f->bootstrap_stage ? ", stage " : "",
			or_text(f->bootstrap_stage, ""));
	return waits(a, "laying the bootstrap%s%s", f->bootstrap_problem ? ": " : ", stage ",
		or_text(f->bootstrap_problem, or_text(f->bootstrap_stage, "(pulling and verifying)")));
}

static bool (*const rung_holds[RUNG_STEADY])(const struct facts *, uint64_t, struct ladder_action *) = {
	[RUNG_SEED] = seed_holds,
	[RUNG_LINK] = link_holds,
	[RUNG_REGION] = region_holds,
	[RUNG_CLOCK] = clock_holds,
	[RUNG_ENROLLED] = enrolled_holds,
	[RUNG_ASSIGNMENT] = assignment_holds,
	[RUNG_NETWORK] = network_holds,
	[RUNG_MESH] = mesh_holds,
	[RUNG_K3S] = k3s_holds,
	[RUNG_CLUSTER_NETWORK] = cluster_network_holds,
	[RUNG_NODE_READY] = node_ready_holds,
	[RUNG_BOOTSTRAP] = bootstrap_holds,
};

struct ladder_action ladder_step(const struct facts *facts, uint64_t now_usec)
{
	struct ladder_action action = { .rung = RUNG_SEED };
	while (action.rung < RUNG_STEADY && rung_holds[action.rung](facts, now_usec, &action))
		action.rung++;
	if (facts->seed_foreign)
		warn(&action, "the seed of %s names another region than the one that admitted this node: it is ignored; who wants "
			"this machine to move has to clear its STATE disk", facts->seed_foreign);
	if (facts->seed_warning && action.rung > RUNG_SEED)
		warn(&action, "%s", facts->seed_warning);
	if (facts->k3s_certificate)
		warn(&action, "K3s' certificate %s expires on %s; K3s renews it when it is restarted: the region's admin can do that "
			"with `hearth-region rollout`", facts->k3s_certificate, or_text(facts->k3s_certificate_date, "an unknown day"));
	if (facts->volumes_problem)
		warn(&action, "%s", facts->volumes_problem);
	if (facts->storage_advice)
		warn(&action, "%s", facts->storage_advice);
	if (action.rung == RUNG_STEADY)
		(void)waits(&action, "this node is part of its cluster; nothing is waited for");
	if (facts->state_known && !facts->durable && facts->state_sentence && action.rung > RUNG_SEED)
		warn(&action, "nothing survives a reboot here: %s", facts->state_sentence);
	return action;
}
