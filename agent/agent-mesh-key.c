// This node's own WireGuard key and its peers' next ones: the steps of a rotation, and a close look at the handshakes while
// one goes on. What is decided: mesh-rotation.h, mesh_peers_settle().
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "agent/mesh-rotation.h"
#include "base/log.h"
#include "base/time.h"
#include "base/timer.h"
#include <errno.h>

enum {
	LOOK_MSEC = 100, // packets of a peer that has switched are lost until it is seen
	LOOK_PEERS = 10, // one millisecond more for so many: a look reads all of them
	CLOSE_LOOK_SEC = 180, // since the last news of the mesh; later as often as without a rotation
	SILENCE_MAX_SEC = 45,
};

static bool region_answers(const struct agent *a, uint64_t now_usec)
{
	const struct region_client *region = a->region;
	return region && region->assignment_answered && !region->assignment_refused &&
	       now_usec - region->heard_usec <= SILENCE_MAX_SEC * USEC_PER_SEC;
}

// --- a close look ---

/* While a peer has a next key its handshakes matter within a moment; while ours is to be heard of, every peer is sent a packet
 * (agent-mesh.c). */
static bool is_close(const struct agent *a, uint64_t now_usec)
{
	return a->mesh_set && (a->poke_all || (mesh_peers_rotate(&a->peers) &&
					       now_usec - a->nodes_news_usec < CLOSE_LOOK_SEC * USEC_PER_SEC));
}

static int on_look(sd_event_source *source, uint64_t usec, void *user)
{
	struct agent *a = user;
	if (!agent_network_may_act(a))
		return 0; // the tick that may looks, and comes back here
	a->peers_looked_usec = 0;
	agent_mesh_act(a); // it comes back to agent_mesh_key_watch()
	return 0;
}

void agent_mesh_key_watch(struct agent *a, uint64_t now_usec)
{
	uint64_t delay_usec = (LOOK_MSEC + a->peers.n / LOOK_PEERS) * USEC_PER_MSEC;
	int r = 0, enabled = SD_EVENT_OFF;
	if (!is_close(a, now_usec))
		return;
	if (a->mesh_key_timer)
		r = sd_event_source_get_enabled(a->mesh_key_timer, &enabled);
	if (r >= 0 && enabled == SD_EVENT_OFF) // else it is under way
		r = timer_arm_new(a->event, &a->mesh_key_timer, delay_usec, 10 * USEC_PER_MSEC, on_look, a);
	if (r < 0)
		log_warning("the timer of the key rotation cannot be armed: %s", strerror(-r)); // every tick looks, too
}

// --- the own key ---

// Everybody hears of a key by a handshake; the kernel shakes hands when there is something to send.
static void poke_all(struct agent *a)
{
	a->poke_all = true;
	a->poke_next = 0;
}

static int take(struct agent *a, enum mesh_rotation_step step, struct diag *reterr)
{
	const char *folder = a->identity->folder;
	struct mesh_keys *keys = &a->identity->mesh;
	switch (step) {
	case MESH_ROTATION_KEEP:
		return 0;
	case MESH_ROTATION_MAKE_NEXT:
		return mesh_keys_make_next(folder, keys, reterr);
	case MESH_ROTATION_DROP_NEXT:
		return mesh_keys_drop_next(folder, keys, reterr);
	case MESH_ROTATION_SWITCH:
		return mesh_keys_switch(folder, keys, reterr);
	case MESH_ROTATION_PROVEN:
		return mesh_keys_drop_old(folder, keys, reterr);
	case MESH_ROTATION_GO_BACK:
		return mesh_keys_go_back(folder, keys, reterr);
	}
	return 0;
}

static void say(enum mesh_rotation_step step)
{
	static const char *const sentences[] = {
		[MESH_ROTATION_MAKE_NEXT] = "another WireGuard key is made; the peers take it before it is used",
		[MESH_ROTATION_DROP_NEXT] = "the region gave the rotation of the WireGuard key up: the next key is gone",
		[MESH_ROTATION_SWITCH] = "the peers have the next WireGuard key: it is used from now on",
		[MESH_ROTATION_PROVEN] = "the new WireGuard key is proven: the old one is gone",
		[MESH_ROTATION_GO_BACK] = "nobody answers to the new WireGuard key: the old one is used again",
	};
	log_notice("%s", sentences[step]);
}

void agent_mesh_key_act(struct agent *a)
{
	uint64_t now_usec = time_boot_usec();
	struct diag diag = { 0 };
	if (!a->identity || !a->assignment || !a->assignment->mesh_link || a->from_seed)
		return;
	const struct mesh_keys *keys = &a->identity->mesh;
	if (!a->mesh_key_usec) // a step before this start may not have come as far as the kernel
		a->mesh_key_unset = keys->old || keys->next;
	// Its time begins when it can be used. That something else of the network cannot be set is no reason to wait for ever.
	if (!a->mesh_key_usec || a->mesh_key_unset || !agent_network_has_mesh(a)) {
		a->mesh_key_usec = now_usec;
		if (keys->old)
			poke_all(a);
	}
	if (keys->old && a->mesh_key_unset)
		agent_mesh_await_handshake(a, &a->key_handshakes);
	struct mesh_rotation_facts facts = {
		.keys = keys,
		.region_answers = region_answers(a, now_usec),
		.recorded = a->assignment->mesh_public_key,
		.rotates = a->assignment->mesh_rotates,
		.to = a->assignment->mesh_rotate_to,
		.may_switch = agent_network_has_mesh(a) && !a->tried.on_trial && !a->network_dirty && a->mesh_set,
		.shook_hands = a->key_handshakes.seen,
		.switched_usec = a->mesh_key_usec,
		.now_usec = now_usec,
	};
	enum mesh_rotation_step step = mesh_rotation_next(&facts);
	if (step == MESH_ROTATION_KEEP)
		return;
	int r = take(a, step, &diag);
	str_set(&a->mesh_key_problem, r < 0 ? (diag.message[0] ? diag_text(&diag) : strerror(-r)) : NULL);
	if (r < 0)
		return; // tried again at the next tick
	say(step);
	if (step == MESH_ROTATION_SWITCH || step == MESH_ROTATION_GO_BACK) {
		a->network_dirty = true; // it is applied in this tick: netconf puts the key in the kernel, and nothing else
		a->mesh_key_usec = now_usec;
		a->mesh_key_unset = true;
		agent_mesh_await_handshake(a, &a->key_handshakes);
		poke_all(a);
	}
}

void agent_mesh_key_to_json(const struct agent *a, struct json_out *out)
{
	const struct mesh_keys *keys = a->identity ? &a->identity->mesh : NULL;
	// What the kernel does not have yet is not told: the peers would be sent to it, or away from the one that it has.
	if (!keys || a->mesh_key_unset || (!a->mesh_key_usec && (keys->old || keys->next)))
		return;
	json_out_key(out, "meshKey");
	json_out_object_begin(out);
	json_out_member(out, "publicKey", keys->current);
	if (keys->next)
		json_out_member(out, "nextPublicKey", keys->next);
	json_out_member_bool(out, "proven", !keys->old);
	json_out_member(out, "sentence", a->mesh_key_problem ? a->mesh_key_problem
		: keys->old ? "uses a new key; the region or a peer has to confirm it"
		: keys->next ? "has made the next key; the peers take it" : "");
	json_out_object_end(out);
}

void agent_mesh_key_done(struct agent *a)
{
	sd_event_source_disable_unref(a->mesh_key_timer);
	free(a->mesh_key_problem);
}
