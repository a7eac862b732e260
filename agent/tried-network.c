// SPDX-License-Identifier: Apache-2.0
#include "agent/tried-network.h"
#include "agent/agent.h"
#include "base/log.h"
#include "base/time.h"
#include <errno.h>

enum {
	CONFIRM_AGAIN_SEC = 60,
	PROBE_SEC = 30,         // a network that does not prove itself by then is undone
	UNDO_SEC = 10,          // what cannot be undone is tried again for so long: a link may come back
	GATEWAY_FRESH_SEC = 60, // it answered so lately that it would answer now
};

// 1: what was is there; 0: not yet. -EIO: it cannot be had. Then what is below comes in its place, and stays: two networks never
// take turns.
static int revert(struct agent *a)
{
	struct diag diag = { 0 };
	uint64_t now_usec = time_boot_usec();
	int lock_fd AUTO_CLOSE = agent_network_lock(a, &diag);
	if (lock_fd < 0)
		return 0;
	if (!a->tried.undo_usec)
		a->tried.undo_usec = now_usec;
	int r = trial_revert(&a->trial, lock_fd, &diag);
	if (r >= 0 || r == -ENOENT)
		return 1;
	const char *problem = diag.message[0] ? diag_text(&diag) : strerror(-r);
	if (!str_equal(a->tried.undo_problem, problem))
		log_error("the network on trial cannot be undone yet: %s", problem);
	str_set(&a->tried.undo_problem, problem);
	if (now_usec - a->tried.undo_usec < UNDO_SEC * USEC_PER_SEC)
		return 0;
	agent_network_give_up(a, lock_fd, problem);
	return -EIO;
}

// The outcome comes first: a reason may be cut.
static char *ending(const struct agent *a, int reverted)
{
	return str_format("%s%s", reverted < 0	       ? "replaced, as it could not be undone: "
				  : a->tried.undo_problem ? "undone, though that failed at first: "
							  : "", a->tried.undo_why);
}

bool tried_network_undo(struct agent *a)
{
	int reverted = revert(a);
	if (!reverted)
		return false;
	char *why AUTO_FREE = ending(a, reverted);
	if (!why)
		why = TAKE_PTR(a->tried.undo_why);
	str_set(&a->tried.undo_why, NULL);
	str_set(&a->tried.undo_problem, NULL);
	a->tried.on_trial = false;
	if (a->tried.applied_usec) {
		agent_network_refused(a, why);
		return true;
	}
	agent_network_note_try(a, NETWORK_ASSIGNED, why); // it was broken off
	a->mesh_set = false; // the way back may have made its link anew
	return true;
}

static void undo(struct agent *a, const char *why)
{
	str_set(&a->tried.undo_why, why);
	a->tried.undo_usec = 0;
	(void)tried_network_undo(a); // else at the next tick
}

bool tried_network_break_off(struct agent *a, const char *why)
{
	a->tried.applied_usec = 0; // from here on nothing proves it any more
	a->network_is_assigned = false;
	a->network_dirty = true;
	if (a->tried.undo_why)
		return tried_network_undo(a);
	undo(a, why);
	return !a->tried.on_trial;
}

// The assigned network stands.
static void proved(struct agent *a)
{
	a->tried.on_trial = false;
	a->tried.applied_usec = a->network_unproven_usec = 0;
	agent_network_forget_refusal(a);
	a->network_candidate = NETWORK_ASSIGNED; // nothing is below it any more
}

void tried_network_ended_by_person(struct agent *a)
{
	bool was_replaced = !a->tried.applied_usec; // by another assignment, meanwhile
	agent_network_load_confirmed(a);
	a->tried.on_trial = false;
	str_set(&a->tried.undo_why, NULL);
	str_set(&a->tried.undo_problem, NULL);
	if (was_replaced)
		return;
	if (!agent_network_was_confirmed(a)) {
		agent_network_refused(a, "a person undid it by hearth-net");
		return;
	}
	proved(a);
	agent_network_note_try(a, NETWORK_ASSIGNED, "a person confirmed it by hearth-net");
}

static void store_confirmation(struct agent *a, int (*store)(const struct agent *, int lock_fd, struct diag *))
{
	struct diag diag = { 0 };
	int lock_fd AUTO_CLOSE = agent_network_lock(a, &diag);
	int r = lock_fd < 0 ? lock_fd : store(a, lock_fd, &diag);
	str_set(&a->confirm_problem, r >= 0 ? NULL : diag.message[0] ? diag_text(&diag) : strerror(-r));
	a->confirm_tried_usec = time_boot_usec();
	agent_network_load_confirmed(a);
	if (r < 0)
		return; // it comes again: while on trial at the next tick, else within a minute
	proved(a);
}

static int store_tried(const struct agent *a, int lock_fd, struct diag *reterr)
{
	return trial_confirm(&a->trial, lock_fd, time_boot_usec(), reterr);
}

static int store_kept(const struct agent *a, int lock_fd, struct diag *reterr)
{
	char *document AUTO_FREE = agent_network_document(a);
	return document ? trial_keep(&a->trial, lock_fd, document, reterr) : -ENOMEM;
}

void tried_network_keep(struct agent *a)
{
	store_confirmation(a, store_kept);
}

static uint64_t deadline_of(const struct agent *a)
{
	return (a->options.network_deadline_sec ? a->options.network_deadline_sec : PROBE_SEC) * USEC_PER_SEC;
}

void tried_network_is_set(struct agent *a, bool is_half)
{
	a->tried.is_half = is_half;
	a->tried.applied_usec = time_boot_usec();
	if (a->tried.gateway[0])
		(void)netconf_neighbour_ask(a->tried.gateway, NULL); // not known any more: agent_poke() has it looked for
	mesh_handshakes_done(&a->tried.handshakes);
	mesh_answers_done(&a->tried.answers);
	if (a->assignment->mesh_link)
		agent_mesh_await_handshake(a, &a->tried.handshakes);
	if (a->region)
		region_client_reconnect(a->region); // what was asked before proves nothing
}

// The change failed, and so did undoing it: the journal is there still. What begins here ends as any undoing does.
static void begin_undoing(struct agent *a, uint64_t now_usec, const char *why)
{
	log_error("the network on trial cannot be undone yet: %s", why);
	str_set(&a->tried.undo_why, why);
	str_set(&a->tried.undo_problem, why);
	a->tried.on_trial = a->tried.undo_why != NULL; // else as after a restart
	a->tried.undo_usec = a->tried.applied_usec = now_usec;
}

int tried_network_begin(struct agent *a, struct network *network_take, const char *document, struct diag *reterr)
{
	struct network *network CLEANUP(network_freep) = network_take;
	struct plan *plan CLEANUP(plan_freep) = NULL;
	int lock_fd AUTO_CLOSE = agent_network_lock(a, reterr);
	int r = lock_fd < 0 ? lock_fd : trial_prepare(&a->trial, lock_fd, network, &plan, reterr);
	uint64_t now_usec = time_boot_usec();
	if (r >= 0 && (r = trial_begin(&a->trial, lock_fd, document, network, plan, now_usec + deadline_of(a), reterr)) < 0 &&
		trial_look(&a->trial, now_usec, NULL) != TRIAL_NONE)
		begin_undoing(a, now_usec, reterr->message[0] ? diag_text(reterr) : strerror(-r));
	if (r < 0)
		return r;
	a->tried.on_trial = true;
	a->tried.deadline_usec = now_usec + deadline_of(a);
	a->tried.region_was_silent = !a->region || a->region->contact != REGION_FOUND;
	agent_network_took(a, TAKE_PTR(network), plan);
	tried_network_is_set(a, plan_is_half(plan));
	agent_network_note_try(a, NETWORK_ASSIGNED,
		a->tried.region_was_silent ? "on trial; the region was silent before, so the mesh or the gateway has to answer"
					   : "on trial; the region has to answer through it");
	return 0;
}

// --- proof ---

// When the gateway @address last answered, 0: never.
static uint64_t gateway_usec(const char *address, uint64_t now_usec)
{
	uint64_t age_usec;
	if (!*address || netconf_neighbour_age(address, &age_usec, NULL) < 0 || age_usec >= now_usec)
		return 0;
	return now_usec - age_usec;
}

static bool is_gateway(const struct agent *a, const char *address)
{
	bool found = false;
	for (size_t i = 0; a->online && i < a->online->n; i++)
		found |= *address && str_equal(a->online->links[i].gateway, address);
	return found;
}

bool tried_network_look_at_gateway(struct agent *a, uint64_t now_usec)
{
	a->tried.gateway[0] = '\0';
	for (size_t i = 0; a->online && i < a->online->n && !a->tried.gateway[0]; i++) {
		const struct netconf_online_link *one = &a->online->links[i];
		uint64_t answered_usec = gateway_usec(one->gateway, now_usec);
		if (one->gateway[0])
			agent_poke(a, one->gateway, one->name);
		if (answered_usec && now_usec - answered_usec < GATEWAY_FRESH_SEC * USEC_PER_SEC) {
			(void)snprintf(a->tried.gateway, sizeof(a->tried.gateway), "%s", one->gateway);
			(void)snprintf(a->tried.gateway_link, sizeof(a->tried.gateway_link), "%s", one->name);
		}
	}
	return a->tried.gateway[0] != '\0';
}

// A handshake is proof, and so is an answer in a session of before.
static bool peer_answers(struct agent *a)
{
	return a->tried.handshakes.seen ||
	       (a->mesh_set && a->assignment && a->assignment->mesh_link &&
		       mesh_answers_look(&a->tried.answers, &a->peers, a->assignment->mesh_link, time_boot_usec()));
}

void tried_network_probe(struct agent *a)
{
	uint64_t now_usec = time_boot_usec();
	const char *reason = NULL;
	if (!a->tried.on_trial) {
		mesh_answers_done(&a->tried.answers);
		bool heard = a->network_unproven_usec && a->region && a->region->heard_usec > a->network_unproven_usec;
		bool again = a->confirm_problem && a->network_is_assigned && (heard || !a->network_unproven_usec) &&
			     now_usec - a->confirm_tried_usec > CONFIRM_AGAIN_SEC * USEC_PER_SEC;
		if (again || (heard && !a->confirm_problem))
			store_confirmation(a, store_kept); // else a restart would leave it, with a cluster running on it
		return;
	}
	if (a->tried.gateway[0])
		agent_poke(a, a->tried.gateway, a->tried.gateway_link);
	struct network_proof proof = {
		.applied_usec = a->tried.applied_usec,
		.deadline_usec = a->tried.deadline_usec,
		.is_half = a->tried.is_half,
		.region_was_silent = a->tried.region_was_silent,
		.heard_usec = a->region ? a->region->heard_usec : 0,
		.peer_answered = a->tried.region_was_silent && peer_answers(a),
		.gateway_usec = a->tried.region_was_silent ? gateway_usec(a->tried.gateway, now_usec) : 0,
		.gateway_is_used = is_gateway(a, a->tried.gateway),
		.never_whole = a->network_missing_in_vain ? a->network_missing : NULL,
	};
	switch (network_trial_judge(&proof, now_usec, &reason)) {
	case NETWORK_VERDICT_WAIT:
		break;
	case NETWORK_VERDICT_STANDS:
		if (now_usec >= a->tried.deadline_usec) {
			undo(a, a->confirm_problem ? "its confirmation could not be stored in time" : "what proves it came when its time was over");
			break;
		}
		store_confirmation(a, store_tried);
		if (!a->tried.on_trial)
			agent_network_note_try(a, NETWORK_ASSIGNED, reason);
		break;
	case NETWORK_VERDICT_UNDO:
		undo(a, reason);
		break;
	}
}
