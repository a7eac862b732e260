// The mesh of this node: its peers on the assigned network's WireGuard link, and who of them answers.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/time.h"
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sys/socket.h>

enum {
	POKE_MAX = 64,          // peers asked for a handshake per tick
	HANDSHAKE_FRESH_SEC = 180,
	DISCARD_PORT = 9,
};

static void set_mesh(struct agent *a)
{
	const char *link = a->assignment->mesh_link;
	struct diag diag = { 0 };
	struct netconf_peer *view AUTO_FREE = mesh_peers_view(&a->peers);
	if ((a->peers.n && !view) || (!a->peers_known && !a->from_seed) || (a->mesh_set && !a->mesh_dirty))
		return;
	int r = netconf_set_peers(link, view, a->peers.n, NULL, 0, NETCONF_PEERS_FULL, &diag);
	if (r < 0) {
		str_set(&a->mesh_problem, diag.message[0] ? diag_text(&diag) : strerror(-r));
		a->network_dirty |= r == -ENODEV;
		return;
	}
	str_set(&a->mesh_problem, NULL);
	a->mesh_set = true;
	a->mesh_dirty = false;
	a->peers_looked_usec = 0;
}

static void look_at_peers(struct agent *a, uint64_t now_usec)
{
	struct netconf_peer_status *status = NULL;
	size_t n = 0;
	if (!a->mesh_set || now_usec - a->peers_looked_usec < USEC_PER_SEC / 2)
		return;
	a->peers_looked_usec = now_usec;
	if (netconf_peers_status(a->assignment->mesh_link, &status, &n, NULL) < 0)
		return;
	free(a->peer_status);
	a->peer_status = status;
	a->n_peer_status = n;
}

static bool peer_is_fresh(const struct agent *a, const char *key)
{
	for (size_t i = 0; i < a->n_peer_status; i++)
		if (str_equal(a->peer_status[i].public_key, key))
			return a->peer_status[i].handshake_ago_sec >= 0 &&
			       a->peer_status[i].handshake_ago_sec < HANDSHAKE_FRESH_SEC;
	return false;
}

// WireGuard shakes hands only when there is something to send: one byte to the discard port.
static void poke_peers(struct agent *a)
{
	unsigned n_poked = 0;
	for (size_t i = 0; a->mesh_set && i < a->peers.n && n_poked < POKE_MAX; i++) {
		const struct mesh_peer *peer = &a->peers.peers[i];
		struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(DISCARD_PORT) };
		char address[64];
		if (!peer->endpoint || !peer->n_allowed_ips || peer_is_fresh(a, peer->public_key))
			continue;
		size_t n = strcspn(peer->allowed_ips[0], "/");
		if (n >= sizeof(address))
			continue;
		memcpy(address, peer->allowed_ips[0], n);
		address[n] = '\0';
		if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
			continue;
		(void)sendto(a->poke_fd, "", 1, 0, (struct sockaddr *)&to, sizeof(to)); // tried again at the next tick
		n_poked++;
	}
}

uint64_t agent_mesh_handshake_usec(const struct agent *a, uint64_t now_usec)
{
	uint64_t last_usec = 0;
	for (size_t i = 0; i < a->n_peer_status; i++) {
		int64_t ago_sec = a->peer_status[i].handshake_ago_sec;
		uint64_t ago_usec = (uint64_t)ago_sec * USEC_PER_SEC;
		if (ago_sec >= 0 && ago_usec < now_usec && now_usec - ago_usec > last_usec)
			last_usec = now_usec - ago_usec;
	}
	return last_usec;
}

// ARP and ND ask only when there is something to send: one byte to the discard port.
void agent_poke(const struct agent *a, const char *address, const char *link)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(DISCARD_PORT) };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(DISCARD_PORT),
		.sin6_scope_id = if_nametoindex(link) }; // a router's address is link-local mostly
	if (inet_pton(AF_INET, address, &to.sin_addr) == 1) {
		(void)sendto(a->poke_fd, "", 1, 0, (struct sockaddr *)&to, sizeof(to)); // again at the next tick
	} else if (inet_pton(AF_INET6, address, &to6.sin6_addr) == 1) {
		int fd AUTO_CLOSE = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd >= 0)
			(void)sendto(fd, "", 1, 0, (struct sockaddr *)&to6, sizeof(to6)); // the same
	}
}

void agent_mesh_act(struct agent *a)
{
	if (!a->network_is_assigned || !a->assignment || !a->assignment->mesh_link)
		return;
	set_mesh(a);
	look_at_peers(a, time_boot_usec());
	poke_peers(a);
}
