// The mesh of this node: its peers on the assigned network's WireGuard link, and who of them answers.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "agent/mesh-candidates.h"
#include "base/log.h"
#include "base/time.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sys/socket.h>

enum {
	POKE_MAX = 64,       // peers asked for a handshake per tick, and one more for each POKE_PART of them
	POKE_PART = 16,
	LOOK_PART = 500,     // peers in the kernel that a second of time between two looks is added for
	TELL_SEC = 2,        // ... between two tellings of who is silent, LOOK_PART as well
	SAVE_SEC = 10,       // ... between two writes of mesh.json, SAVE_PART peers for a second more
	SAVE_PART = 100,
	DISCARD_PORT = 9,
};

/* Everything, compared with what the kernel has: after a start, and when the link or one of its peers is not as we left it. */
static int set_all(struct agent *a, struct diag *reterr)
{
	struct netconf_peer *view AUTO_FREE = mesh_peers_view(&a->peers);
	if (a->peers.n && !view)
		return -ENOMEM;
	return netconf_set_peers(a->assignment->mesh_link, view, a->peers.n, reterr);
}

static int set_changes(struct agent *a, struct diag *reterr)
{
	struct netconf_peer_change *changes AUTO_FREE = NULL;
	size_t n = 0;
	int r = mesh_peers_changes(&a->peers, &changes, &n);
	return r < 0 || n == 0 ? r : netconf_change_peers(a->assignment->mesh_link, changes, n, reterr);
}

static void set_mesh(struct agent *a)
{
	struct diag diag = { 0 };
	if ((!a->peers_known && !a->from_seed) || (a->mesh_set && !a->mesh_dirty))
		return;
	int r = a->mesh_set && !a->mesh_unsure ? set_changes(a, &diag) : set_all(a, &diag);
	if (r < 0) {
		str_set(&a->mesh_problem, diag.message[0] ? diag_text(&diag) : strerror(-r));
		a->network_dirty |= r == -ENODEV;
		a->mesh_unsure = true; // some of it may stand
		return;
	}
	str_set(&a->mesh_problem, NULL);
	mesh_peers_set(&a->peers);
	a->mesh_set = true;
	a->mesh_dirty = a->mesh_unsure = false;
	a->peers_looked_usec = 0;
}

static bool is_over(uint64_t since_usec, uint64_t now_usec, size_t sec, size_t n, size_t part)
{
	return !since_usec || now_usec - since_usec >= sec * USEC_PER_SEC + n * USEC_PER_SEC / part;
}

// WireGuard tells nothing by itself, and of all its peers at once: in a large mesh it is asked seldom.
static void look_at_peers(struct agent *a, uint64_t now_usec)
{
	struct netconf_peer_status *status AUTO_FREE = NULL;
	struct mesh_view view;
	size_t n = 0;
	if (!a->mesh_set || (a->peers_looked_usec && now_usec - a->peers_looked_usec <
							     USEC_PER_SEC / 2 + a->peers.n * USEC_PER_SEC / LOOK_PART))
		return;
	a->peers_looked_usec = now_usec;
	if (netconf_peers_status(a->assignment->mesh_link, &status, &n, NULL) < 0)
		return;
	if (a->tried.on_trial)
		(void)mesh_handshakes_look(&a->tried.handshakes, status, n); // the next look sees the same
	else
		mesh_handshakes_done(&a->tried.handshakes);
	if (a->identity && a->identity->mesh.old)
		(void)mesh_handshakes_look(&a->key_handshakes, status, n); // the same
	else
		mesh_handshakes_done(&a->key_handshakes);
	mesh_health_look(&a->peers, status, n, now_usec, &view);
	a->mesh_unsure |= view.lost;
	a->mesh_restless = view.restless;
	a->mesh_dirty = true; // an endpoint to be put right, perhaps
	if (view.mark != a->mesh_mark && is_over(a->mesh_told_usec, now_usec, TELL_SEC, a->peers.n, LOOK_PART)) {
		a->mesh_mark = view.mark;
		a->mesh_told_usec = now_usec;
	}
}

// After a restart amid a rotation: by which of its two keys a peer is heard, before anything is set.
static void find_keys(struct agent *a, uint64_t now_usec)
{
	struct netconf_peer_status *status AUTO_FREE = NULL;
	struct mesh_view view;
	size_t n = 0;
	if (!mesh_peers_rotate(&a->peers) || netconf_peers_status(a->assignment->mesh_link, &status, &n, NULL) < 0)
		return;
	mesh_health_look(&a->peers, status, n, now_usec, &view);
	(void)mesh_peers_settle(&a->peers);
}

static void poke(const struct agent *a, const char *address, unsigned scope)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(DISCARD_PORT) };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(DISCARD_PORT), .sin6_scope_id = scope };
	if (inet_pton(AF_INET, address, &to.sin_addr) == 1) {
		(void)sendto(a->poke_fd, "", 1, 0, (struct sockaddr *)&to, sizeof(to)); // tried again
	} else if (inet_pton(AF_INET6, address, &to6.sin6_addr) == 1) {
		int fd AUTO_CLOSE = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd >= 0)
			(void)sendto(fd, "", 1, 0, (struct sockaddr *)&to6, sizeof(to6)); // the same
	}
}

static void poke_peer(const struct agent *a, size_t at)
{
	char address[MESH_ADDRESS_TEXT];
	mesh_peer_address(&a->peers.peers[at], address);
	poke(a, address, 0);
}

/* WireGuard shakes hands only when there is something to send: one byte to the discard port. It is how a peer learns where we
 * are as well: with an address that is new, all of them are told. */
static void poke_peers(struct agent *a, uint64_t now_usec)
{
	size_t max = POKE_MAX + a->peers.n / POKE_PART, from = a->poke_next;
	bool around = false;
	while (a->mesh_set && max-- > 0) {
		size_t at = mesh_health_next(&a->peers, from, a->poke_all, now_usec);
		if (at >= a->peers.n) {
			a->poke_all = false;
			if (around || a->poke_next == 0)
				break;
			around = true;
			from = 0;
			continue;
		}
		poke_peer(a, at);
		from = at + 1;
	}
	a->poke_next = from < a->peers.n ? from : 0;
}

// Whoever has nothing to say is asked now and then; a few at a time, once round in one go.
static void poke_idle(struct agent *a, uint64_t now_usec)
{
	size_t max = a->mesh_set ? mesh_health_idle_max(a->idle_asked_usec, now_usec) : 0, n = 0;
	if (!max)
		return;
	a->idle_asked_usec = now_usec;
	for (size_t at; n < max && (at = mesh_health_next_idle(&a->peers, a->idle_next, now_usec)) < a->peers.n; n++) {
		poke_peer(a, at);
		a->idle_next = at + 1;
	}
	if (n < max)
		a->idle_next = 0; // the next tick begins anew
}

// A delta that is lost is told again: since which generation, the file says.
void agent_mesh_save(struct agent *a)
{
	struct diag diag = { 0 };
	uint64_t now_usec = time_boot_usec();
	if (!a->mesh_unsaved || !is_over(a->mesh_saved_usec, now_usec, SAVE_SEC, a->peers.n, SAVE_PART))
		return;
	a->mesh_saved_usec = now_usec;
	if (mesh_peers_save(a->options.root, &a->peers, &diag) < 0)
		log_warning("the mesh cannot be saved: %s", diag_text(&diag)); // it still holds in this boot
	else
		a->mesh_unsaved = false;
}

void agent_mesh_news(struct agent *a)
{
	a->mesh_dirty = a->mesh_unsaved = true;
	agent_mesh_save(a);
}

void agent_mesh_reserve(struct agent *a)
{
	struct netconf_declared *declared AUTO_FREE = NULL;
	struct diag diag = { 0 };
	size_t n = 0;
	int r = netconf_declared(a->network, a->assignment ? a->assignment->mesh_link : NULL, &declared, &n);
	if (r == 0)
		r = mesh_peers_reserve(&a->peers, declared, n, &diag);
	str_set(&a->mesh_refused, r < 0 ? diag.message[0] ? diag_text(&diag) : strerror(-r) : NULL);
}

/* Where peers may reach us. A new address is told to the region in the next report, which is now, and to the peers by the
 * next packet, which is now, too. */
static void look_at_candidates(struct agent *a)
{
	struct json_out out = { 0 };
	const char *link = a->assignment ? a->assignment->mesh_link : NULL;
	mesh_candidates_to_json(a->links, link, link ? (uint16_t)a->assignment->mesh_port : MESH_DEFAULT_PORT, &out);
	char *now AUTO_FREE = json_out_take(&out);
	if (!now || str_equal(now, a->mesh_candidates))
		return;
	free(a->mesh_candidates);
	a->mesh_candidates = TAKE_PTR(now);
	a->poke_all = true;
	a->poke_next = 0;
}

void agent_mesh_await_handshake(const struct agent *a, struct mesh_handshakes *handshakes)
{
	struct netconf_peer_status *status AUTO_FREE = NULL;
	size_t n = 0;
	mesh_handshakes_done(handshakes);
	int r = netconf_peers_status(a->assignment->mesh_link, &status, &n, NULL);
	if (r >= 0 || r == -ENODEV)
		(void)mesh_handshakes_look(handshakes, status, n); // else the next look takes the moment
}

// ARP and ND ask only when there is something to send: one byte to the discard port.
void agent_poke(const struct agent *a, const char *address, const char *link)
{
	poke(a, address, if_nametoindex(link)); // a router's address is link-local mostly
}

void agent_mesh_act(struct agent *a)
{
	uint64_t now_usec = time_boot_usec();
	look_at_candidates(a);
	if (!agent_network_has_mesh(a))
		return;
	if (!a->mesh_set)
		find_keys(a, now_usec);
	set_mesh(a);
	look_at_peers(a, now_usec);
	a->mesh_dirty |= mesh_peers_settle(&a->peers);
	set_mesh(a); // what the look showed
	agent_mesh_key_watch(a, now_usec);
	agent_mesh_mtu_probe(a);
	poke_peers(a, now_usec);
	poke_idle(a, now_usec);
}

void agent_mesh_done(struct agent *a)
{
	a->mesh_saved_usec = 0;
	agent_mesh_save(a);
	mesh_peers_done(&a->peers);
	mesh_handshakes_done(&a->tried.handshakes);
	mesh_handshakes_done(&a->key_handshakes);
	free(a->mesh_candidates);
}
