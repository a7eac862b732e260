// The network of this node: first contact (the seed's, or DHCP on every wired port), then the assigned one with its
// probe and the mesh. netconf/ does it; what is wanted when is decided here.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "agent/network-trial.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#define STATE_CONFIRMED "/state/hearth/net/confirmed"

enum {
	CONFIRM_AGAIN_SEC = 60,
	PROBE_SEC = 30,         // a network that does not reach the region by then is undone
	POKE_MAX = 64,          // peers asked for a handshake per tick
	HANDSHAKE_FRESH_SEC = 180,
	DISCARD_PORT = 9,
};

static void look_at_links(struct agent *a)
{
	struct netconf_links *links = NULL;
	struct netconf_online *online = NULL;
	struct diag diag = { 0 };
	if (netconf_links(&links, &diag) == 0) {
		netconf_links_free(a->links);
		a->links = links;
	}
	if (a->network && netconf_online(a->network, a->online, time_boot_usec(), &online, &diag) == 0) {
		netconf_online_free(a->online);
		a->online = online;
	}
}

// What our connections depend on: the global addresses of the wired ports.
static uint64_t address_mark(const struct agent *a)
{
	uint64_t mark = 0;
	for (size_t i = 0; a->links && i < a->links->n; i++)
		for (size_t j = 0; a->links->links[i].wired && j < a->links->links[i].n_addresses; j++)
			for (const char *c = a->links->links[i].addresses[j].global ? a->links->links[i].addresses[j].text : ""; *c; c++)
				mark = mark * 31 + (unsigned char)*c;
	return mark;
}

static void on_netlink(unsigned changed, void *user)
{
	struct agent *a = user;
	uint64_t before = a->address_mark;
	if (changed & NETCONF_CHANGED_LINK)
		a->network_dirty = true; // a port came: what is declared for it can be set now
	if (a->network && (changed & NETCONF_CHANGED_ADDRESS))
		(void)netconf_update_resolv(a->network, NULL, NULL); // tried again at the next change
	look_at_links(a);
	a->address_mark = address_mark(a);
	if (a->region && a->address_mark != before && a->assignment_problem) // it may overlap a network that is gone now
		region_client_forget_assignment(a->region);
	if (a->region && (a->address_mark != before || a->network_applied_usec)) {
		region_client_reconnect(a->region);
		a->reported_usec = 0; // a report that was under way is lost
	}
	if (a->action.rung < RUNG_K3S) // later, pods come and go: that is no reason to hurry anything
		agent_hurry(a);
	agent_kick(a);
}

int agent_network_start(struct agent *a)
{
	int r = netconf_monitor_new(a->event, on_netlink, a, &a->monitor);
	if (r < 0)
		return r;
	a->poke_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	look_at_links(a);
	return a->poke_fd < 0 ? -errno : 0;
}

void agent_network_done(struct agent *a)
{
	netconf_monitor_free(a->monitor);
	network_free(a->network);
	netconf_online_free(a->online);
	netconf_links_free(a->links);
	free(a->peer_status);
	if (a->poke_fd >= 0)
		(void)close(a->poke_fd); // a datagram socket has nothing left to write
}

// --- first contact ---

static const struct value *seed_network_of(const struct agent *a)
{
	const char *macs[64];
	size_t n = 0;
	if (!a->seed.network)
		return NULL;
	for (size_t i = 0; a->links && i < a->links->n && n < N_ELEMENTS(macs); i++)
		if (a->links->links[i].wired)
			macs[n++] = a->links->links[i].permanent_mac[0] ? a->links->links[i].permanent_mac
									: a->links->links[i].mac;
	return seed_network(a->seed.network, a->machine.serial, a->machine.uuid, macs, n);
}

static int first_contact(struct agent *a, struct network **ret)
{
	struct diag diag = { 0 };
	const struct value *wanted = seed_network_of(a);
	str_set(&a->first_contact_problem, NULL);
	if (wanted && netconf_decode(wanted, ret, &diag) == 0)
		return 0;
	if (wanted) // said, and DHCP tried all the same
		str_set(&a->first_contact_problem, diag_text(&diag));
	return netconf_default(ret);
}

// --- the assigned network ---

static int assigned(struct agent *a, struct network **ret, struct diag *reterr)
{
	struct network *network CLEANUP(network_freep) = NULL, *below = NULL;
	int r = netconf_decode(a->assignment->network, &network, reterr);
	if (r < 0)
		return r;
	r = first_contact(a, &below);
	if (r == 0)
		r = netconf_layer(network, below);
	if (r == 0)
		*ret = TAKE_PTR(network);
	return r;
}

static void network_hash(const struct agent *a, char ret_hex[static SHA256_HEX + 1])
{
	struct json_out out = { 0 };
	uint8_t hash[32];
	json_out_value(&out, a->assignment->network);
	char *text AUTO_FREE = json_out_take(&out);
	sha256(text ? text : "", text ? strlen(text) : 0, hash);
	hex_encode(hash, sizeof(hash), ret_hex);
}

static bool was_confirmed(const struct agent *a)
{
	char hex[SHA256_HEX + 1], *text AUTO_FREE = NULL;
	network_hash(a, hex);
	return file_load_checked(root_path(a->options.root, STATE_CONFIRMED).text, 256, &text, NULL, NULL) == 0 &&
	       str_equal(text, hex);
}

// Without this the next start goes through first contact and a probe again.
static void save_confirmation(struct agent *a)
{
	char hex[SHA256_HEX + 1];
	struct diag diag = { 0 };
	network_hash(a, hex);
	int r = file_make_folders(root_path(a->options.root, "/state/hearth/net").text, 0700);
	if (r == 0)
		r = file_save_checked(root_path(a->options.root, STATE_CONFIRMED).text, hex, strlen(hex), 0600, &diag);
	str_set(&a->confirm_problem, r == 0 ? NULL : diag.message[0] ? diag_text(&diag) : strerror(-r));
	a->confirm_tried_usec = time_boot_usec();
}

static void confirm(struct agent *a)
{
	a->network_applied_usec = a->network_unproven_usec = 0;
	a->n_network_refusals = 0;
	save_confirmation(a);
}

// Make @network_take the applied one. Blocks for the kernel's acknowledgements only.
static int apply(struct agent *a, struct network *network_take, struct diag *reterr)
{
	size_t n_changes = 0;
	int r = netconf_apply(network_take, NULL, &n_changes, reterr);
	if (r < 0) {
		network_free(network_take);
		return r;
	}
	network_free(a->network);
	a->network = network_take;
	if (n_changes)
		log_info("network: %zu changes applied", n_changes);
	look_at_links(a);
	return 0;
}

static void apply_first_contact(struct agent *a)
{
	struct network *network = NULL;
	struct diag diag = { 0 };
	int r = first_contact(a, &network);
	if (r == 0)
		r = apply(a, network, &diag);
	if (r < 0)
		str_set(&a->first_contact_problem, diag.message[0] ? diag_text(&diag) : strerror(-r));
	a->network_is_assigned = false;
	a->network_dirty = r < 0;
}

static void undo(struct agent *a, const char *why)
{
	str_set(&a->network_problem, why);
	log_warning("the assigned network is undone: %s", why);
	a->network_state = STEP_FAILED;
	a->n_network_refusals++;
	a->network_refused_usec = time_boot_usec();
	a->network_applied_usec = a->network_waits_usec = 0;
	apply_first_contact(a);
}

static void apply_assigned(struct agent *a, bool to_be_probed)
{
	struct network *network = NULL;
	struct diag diag = { 0 };
	bool again = a->network_is_assigned; // only a link came or went
	int r = assigned(a, &network, &diag);
	if (r == 0)
		r = apply(a, network, &diag);
	if (r < 0) {
		const char *why = diag.message[0] ? diag_text(&diag) : strerror(-r);
		if (again)
			str_set(&a->network_problem, why); // it held before: try again at the next tick
		else
			undo(a, why);
		return;
	}
	str_set(&a->network_problem, NULL);
	a->network_state = STEP_RUNNING;
	a->network_is_assigned = true;
	a->network_dirty = false;
	if (again)
		return;
	a->mesh_set = false;
	a->network_applied_usec = to_be_probed ? time_boot_usec() : 0;
	a->network_unproven_usec = to_be_probed || a->from_seed || was_confirmed(a) ? 0 : time_boot_usec();
}

static enum network_trial trial_of(struct agent *a)
{
	uint64_t now_usec = time_boot_usec();
	bool assigned = a->assignment && a->assignment->network;
	if (a->network_is_assigned)
		return assigned ? NETWORK_TRIAL_KEEP : NETWORK_TRIAL_FIRST_CONTACT;
	bool region_answers = a->region && a->region->contact == REGION_FOUND;
	a->network_waits_usec = network_trial_waits_usec(a->network_waits_usec, region_answers, now_usec);
	struct network_trial_facts facts = {
		.assigned = assigned,
		.from_seed = a->from_seed,
		.confirmed = assigned && was_confirmed(a),
		.region_answers = region_answers,
		.n_refusals = a->n_network_refusals,
		.refused_usec = a->network_refused_usec,
		.waits_usec = a->network_waits_usec,
	};
	enum network_trial trial = network_trial_decide(&facts, now_usec);
	if (assigned && trial == NETWORK_TRIAL_FIRST_CONTACT && !a->n_network_refusals) {
		a->network_state = STEP_RUNNING;
		str_set(&a->network_problem, "it was never confirmed, so the region has to answer first, or stay silent "
						   "for a minute");
	}
	return trial;
}

static void probe(struct agent *a)
{
	if (a->confirm_problem && a->network_is_assigned &&
		time_boot_usec() - a->confirm_tried_usec > CONFIRM_AGAIN_SEC * USEC_PER_SEC)
		save_confirmation(a);
	if (a->network_unproven_usec && a->region && a->region->heard_usec > a->network_unproven_usec)
		confirm(a); // else a restart would leave it for first contact, with a cluster running on it
	if (!a->network_applied_usec)
		return;
	if (a->region->heard_usec > a->network_applied_usec)
		confirm(a);
	else if (time_boot_usec() - a->network_applied_usec > PROBE_SEC * USEC_PER_SEC)
		undo(a, "with it the region does not answer any more");
}

// --- mesh ---

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

void agent_network_act(struct agent *a, enum rung rung)
{
	if (a->options.without_network || !(a->state_known || a->state_making))
		return;
	look_at_links(a);
	enum network_trial trial = trial_of(a);
	bool wants_assigned = trial != NETWORK_TRIAL_FIRST_CONTACT;
	if (wants_assigned && (a->network_dirty || !a->network_is_assigned))
		apply_assigned(a, trial == NETWORK_TRIAL_PROBE);
	else if (!wants_assigned && (a->network_dirty || !a->network))
		apply_first_contact(a);
	probe(a);
	if (a->network_is_assigned && a->assignment->mesh_link) {
		uint64_t now_usec = time_boot_usec();
		set_mesh(a);
		look_at_peers(a, now_usec);
		poke_peers(a);
	}
}
