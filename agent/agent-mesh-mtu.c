// The MTU of this node's mesh link: computed along the chain, and probed, one peer after another (mesh-mtu.h).
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "agent/mesh-candidates.h"
#include "agent/mesh-path.h"
#include "base/log.h"
#include "base/time.h"
#include "base/timer.h"
#include <errno.h>

enum {
	LOOK_MSEC = 100,
	ANSWER_MSEC = 1000, // later counts as lost
	ROUND_SEC = 600,    // from the last peer of a round to the first of the next
	MTU_DEFAULT = 1420,
};

static unsigned assigned_mtu(const struct agent *a)
{
	int64_t mtu = MTU_DEFAULT;
	const struct value *given = value_path(a->assignment->network, "tunnels", a->assignment->mesh_link, "mtu", NULL);
	if (given)
		(void)value_int(given, "mtu", MESH_MTU_MIN, 65536, &mtu, NULL); // netconf refuses another one
	return (unsigned)mtu;
}

unsigned agent_mesh_mtu(const struct agent *a)
{
	unsigned mtu = mesh_mtu_of_chain(assigned_mtu(a), mesh_narrowest_mtu(a->links, a->assignment->mesh_link));
	return a->mesh_mtu_probed && a->mesh_mtu_probed < mtu ? a->mesh_mtu_probed : mtu;
}

// --- the link ---

static unsigned link_mtu(const struct agent *a)
{
	for (size_t i = 0; a->links && i < a->links->n; i++)
		if (str_equal(a->links->links[i].name, a->assignment->mesh_link))
			return a->links->links[i].mtu;
	return 0;
}

void agent_mesh_mtu_act(struct agent *a)
{
	if (!a->assignment || !a->assignment->mesh_link || !a->assignment->network || !a->network_is_assigned || a->tried.on_trial)
		return;
	if (a->mesh_mtu_mark != a->address_mark) { // another place: other paths
		a->mesh_mtu_mark = a->address_mark;
		a->mesh_mtu_probed = 0;
		a->mesh_mtu_asked_usec = 0;
		str_set(&a->mesh_mtu_sentence, NULL);
	}
	unsigned mtu = agent_mesh_mtu(a), now = link_mtu(a);
	if (!now || now == mtu || a->mesh_mtu_set == mtu)
		return; // there is no link yet, or it was told and somebody else has another mind
	log_notice("the MTU of %s becomes %u (it is %u): the links below carry %u", a->assignment->mesh_link, mtu, now, mesh_narrowest_mtu(a->links, a->assignment->mesh_link));
	a->mesh_mtu_set = mtu;
	a->network_dirty = true;
	a->conflist_written = false; // pods that come get it, too
}

// --- the probe ---

static void found(struct agent *a, const struct mesh_peer *peer, enum mesh_mtu_end end, unsigned mtu)
{
	unsigned before = a->mesh_mtu_search.mtu;
	char *sentence = end == MESH_MTU_TOO_SMALL
		? str_format("the path to %s at %s carries not even %u bytes through the mesh: large packets to it are lost; ask the "
			     "network team", peer->name, peer->endpoint, MESH_MTU_MIN)
		: str_format("the path to %s at %s carries %u bytes through the mesh, not %u: the MTU of %s is %u now; ask the network team",
			peer->name, peer->endpoint, mtu, before, a->assignment->mesh_link, mtu);
	a->mesh_mtu_probed = mtu;
	if (sentence)
		log_warning("%s", sentence);
	free(a->mesh_mtu_sentence);
	a->mesh_mtu_sentence = sentence;
	agent_kick(a);
}

static void stop(struct agent *a)
{
	if (a->mesh_mtu_fd >= 0)
		(void)close(a->mesh_mtu_fd); // a socket of ours; nothing to be done about it
	a->mesh_mtu_fd = -1;
	free(TAKE_PTR(a->mesh_mtu_key));
}

// Laptops and nodes behind NAT have paths of their own, which say nothing of the others': those with an endpoint are asked.
static const struct mesh_peer *next_peer(struct agent *a)
{
	while (a->mesh_mtu_next < a->peers.n) {
		const struct mesh_peer *peer = &a->peers.peers[a->mesh_mtu_next++];
		if (peer->endpoint && peer->n_allowed_ips && peer->in_kernel && !peer->quiet_usec && peer->handshake_ago_sec >= 0)
			return peer;
	}
	return NULL;
}

static void send_now(struct agent *a, uint64_t now_usec)
{
	(void)mesh_path_send(a->mesh_mtu_fd, a->mesh_mtu_search.size); // what does not leave is not answered
	a->mesh_mtu_sent_usec = now_usec;
}

static void start(struct agent *a, uint64_t now_usec)
{
	char address[MESH_ADDRESS_TEXT];
	bool is_over = a->mesh_mtu_next >= a->peers.n;
	if (is_over && a->mesh_mtu_asked_usec && now_usec - a->mesh_mtu_asked_usec < ROUND_SEC * USEC_PER_SEC)
		return;
	if (is_over || !a->mesh_mtu_asked_usec)
		a->mesh_mtu_next = 0;
	const struct mesh_peer *peer = next_peer(a);
	if (!peer)
		return; // the next tick looks again: nobody answers yet, or the round is over
	a->mesh_mtu_asked_usec = now_usec;
	mesh_peer_address(peer, address);
	if (!(a->mesh_mtu_key = strdup(peer->public_key)) || mesh_path_open(address, a->assignment->mesh_link, &a->mesh_mtu_fd) < 0) {
		stop(a); // the next one
		return;
	}
	mesh_mtu_begin(&a->mesh_mtu_search, agent_mesh_mtu(a));
	send_now(a, now_usec);
}

static void listen_now(struct agent *a, uint64_t now_usec)
{
	const struct mesh_peer *peer = mesh_peers_find(&a->peers, a->mesh_mtu_key);
	unsigned mtu = 0;
	int heard = mesh_path_heard(a->mesh_mtu_fd);
	if (!peer || !peer->endpoint) {
		stop(a); // it left meanwhile
		return;
	}
	if (heard == 0 && now_usec - a->mesh_mtu_sent_usec < ANSWER_MSEC * USEC_PER_MSEC)
		return;
	enum mesh_mtu_end end = mesh_mtu_answer(&a->mesh_mtu_search, heard == 1, &mtu);
	if (end == MESH_MTU_GOES_ON) {
		send_now(a, now_usec);
		return;
	}
	if (end == MESH_MTU_SMALLER || end == MESH_MTU_TOO_SMALL)
		found(a, peer, end, mtu);
	stop(a);
}

static int on_time(sd_event_source *source, uint64_t usec, void *user)
{
	agent_mesh_mtu_probe(user);
	return 0;
}

void agent_mesh_mtu_probe(struct agent *a)
{
	uint64_t now_usec = time_boot_usec();
	if (!a->mesh_set || a->network_dirty || !a->network_is_assigned || a->tried.on_trial || !a->assignment || !a->assignment->mesh_link || !a->assignment->network) {
		stop(a);
		return;
	}
	if (a->mesh_mtu_fd >= 0)
		listen_now(a, now_usec);
	if (a->mesh_mtu_fd < 0)
		start(a, now_usec);
	if (a->mesh_mtu_fd < 0)
		return; // the tick comes back
	int r = timer_arm_new(a->event, &a->mesh_mtu_timer, LOOK_MSEC * USEC_PER_MSEC, 10 * USEC_PER_MSEC, on_time, a);
	if (r < 0)
		log_warning("the timer of the MTU's probe cannot be armed: %s", strerror(-r)); // every tick looks, too
}

void agent_mesh_mtu_done(struct agent *a)
{
	stop(a);
	sd_event_source_disable_unref(a->mesh_mtu_timer);
	free(a->mesh_mtu_sentence);
}
