// The network of this node: first contact (the last good one, the seed's, or DHCP on every wired port), then the assigned
// one, which has to prove itself (tried-network.c). netconf/ does it; what is wanted when is decided in network-trial.c.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "agent/mesh-candidates.h"
#include "agent/ranges.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "base/yaml.h"
#include <errno.h>
#include <sys/socket.h>

#define STATE_NETWORK "/state/hearth/net"
#define WHO "hearthd"

enum {
	RECOVER_PATIENCE_SEC = 30,
	MAX_TOLD = 8, // changes that the log has one by one
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

static void on_netlink(unsigned changed, void *user)
{
	struct agent *a = user;
	uint64_t before = a->address_mark;
	if (changed & (NETCONF_CHANGED_LINK | NETCONF_CHANGED_OURS))
		a->network_dirty = true; // a port came: what is declared for it can be set now; or something of ours was taken
	look_at_links(a);
	a->address_mark = mesh_addresses_mark(a->links, a->assignment ? a->assignment->mesh_link : NULL); // our connections depend on them
	if (a->region && a->address_mark != before && a->assignment_problem) // it may overlap a network that is gone now
		region_client_forget_assignment(a->region);
	if (a->region && (a->address_mark != before || a->tried.applied_usec)) {
		region_client_reconnect(a->region);
		a->reported_usec = 0; // a report that was under way is lost
	}
	if (a->action.rung < RUNG_K3S) // later, pods come and go: that is no reason to hurry anything
		agent_hurry(a);
	agent_kick(a);
}

// --- what is below the assigned network ---

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

static const struct value *seed_contact_of(const struct agent *a)
{
	return first_contact_seed(&a->first_contact, seed_network_of(a));
}

static int seed_contact(struct agent *a, struct network **ret)
{
	struct diag diag = { 0 };
	const struct value *wanted = seed_contact_of(a);
	str_set(&a->first_contact_problem, NULL);
	if (wanted && netconf_decode(wanted, ret, &diag) == 0)
		return 0;
	if (wanted) // said, and DHCP tried all the same
		str_set(&a->first_contact_problem, diag_text(&diag));
	return netconf_default(ret);
}

static const char *picked_port_name(const struct agent *a)
{
	for (size_t i = 0; a->links && i < a->links->n; i++) {
		const struct netconf_link *link = &a->links->links[i];
		if (link->wired && str_equal(link->permanent_mac[0] ? link->permanent_mac : link->mac, a->vlan_pick.mac))
			return link->name;
	}
	return NULL;
}

// The VLAN that a person picked, over DHCP on every wired port.
static int vlan_contact(const struct agent *a, const struct value *above, struct network **ret, struct diag *reterr)
{
	char *text AUTO_FREE = vlan_pick_netplan(&a->vlan_pick, above, picked_port_name(a));
	struct value *document CLEANUP(value_freep) = NULL;
	struct network *network CLEANUP(network_freep) = NULL, *below = NULL;
	int r = text ? yaml_parse(text, strlen(text), TRIAL_MAX_DOCUMENT, "picked VLAN", &document, reterr) : -ENOMEM;
	if (r == 0)
		r = netconf_decode(document, &network, reterr);
	if (r == 0)
		r = netconf_default(&below);
	if (r == 0)
		r = netconf_layer(network, below);
	if (r == 0)
		*ret = TAKE_PTR(network);
	return r;
}

// What led to the region, or would be the first to be tried; below the document @above, when there is one.
static int first_contact(struct agent *a, const struct value *above, struct network **ret)
{
	enum network_candidate carried = first_contact_carried(&a->first_contact, seed_network_of(a));
	if (carried == NETWORK_DHCP)
		return netconf_default(ret);
	if (a->vlan_pick.id && carried != NETWORK_SEED && !vlan_pick_is_in(&a->vlan_pick, above))
		return vlan_contact(a, above, ret, NULL);
	return seed_contact(a, ret);
}

void agent_first_contact_load(struct agent *a)
{
	struct diag diag = { 0 };
	char *text AUTO_FREE = NULL;
	size_t n = 0;
	if (file_load_checked(root_path(a->options.root, STATE_FIRST_CONTACT).text, FIRST_CONTACT_BYTES, &text, &n, NULL) < 0)
		return; // none yet, or it was set aside
	if (first_contact_parse(text, n, &a->first_contact, &diag) < 0)
		log_warning("%s: %s", STATE_FIRST_CONTACT, diag_text(&diag)); // as on a first boot then
}

// The region answers through a network that nobody has assigned: this is the one to come back to.
static void keep_first_contact(struct agent *a)
{
	const struct value *seed = seed_network_of(a);
	bool found = a->region && a->region->contact == REGION_FOUND && a->region->heard_usec > a->network_candidate_usec;
	if (!found || a->network_is_assigned || a->tried.on_trial || a->safe_network || a->network_candidate < NETWORK_VLAN ||
		first_contact_carried(&a->first_contact, seed) == a->network_candidate)
		return;
	char *text AUTO_FREE = first_contact_format(a->network_candidate, seed_contact_of(a));
	struct first_contact fresh = { 0 };
	struct diag diag = { 0 };
	if (!text || first_contact_parse(text, strlen(text), &fresh, &diag) < 0)
		return;
	first_contact_done(&a->first_contact);
	a->first_contact = fresh;
	if (file_save_checked(root_path(a->options.root, STATE_FIRST_CONTACT).text, text, strlen(text), 0600, &diag) < 0)
		log_warning("the network of first contact cannot be kept: %s", diag_text(&diag)); // it holds in this start
}

// @document over first contact, for the links that it says nothing of; "": first contact alone.
static int decode_stored(const char *document, struct network **ret, void *user, struct diag *reterr)
{
	struct agent *a = user;
	struct value *value CLEANUP(value_freep) = NULL;
	struct network *network CLEANUP(network_freep) = NULL, *below = NULL;
	if (!*document)
		return first_contact(a, NULL, ret);
	int r = yaml_parse(document, strlen(document), TRIAL_MAX_DOCUMENT, "stored network", &value, reterr);
	if (r == 0)
		r = netconf_decode(value, &network, reterr);
	if (r == 0 && a->assignment && a->assignment->mesh_link && a->assignment->network)
		netconf_limit_mtu(network, a->assignment->mesh_link, agent_mesh_mtu(a));
	if (r == 0)
		r = first_contact(a, value, &below);
	if (r == 0)
		r = netconf_layer(network, below);
	if (r == 0)
		*ret = TAKE_PTR(network);
	return r;
}

char *agent_network_document(const struct agent *a)
{
	struct json_out out = { 0 };
	if (!a->assignment || !a->assignment->network)
		return strdup("");
	json_out_value(&out, a->assignment->network);
	return json_out_take(&out);
}

bool agent_network_has_mesh(const struct agent *a)
{
	const char *link = a->assignment ? a->assignment->mesh_link : NULL;
	return link && (a->network_is_assigned || (a->network && netconf_has_tunnel(a->network, link)));
}

bool agent_network_below_serves(const struct agent *a)
{
	const char *address = a->assignment ? a->assignment->node_ip : NULL;
	return !a->network_is_assigned && agent_network_has_mesh(a) && address && ranges_have_address(a->links, address);
}

bool agent_network_was_confirmed(const struct agent *a)
{
	char *document AUTO_FREE = agent_network_document(a);
	return document && str_equal(a->confirmed_document, document);
}

void agent_network_load_confirmed(struct agent *a)
{
	free(a->confirmed_document);
	a->confirmed_document = trial_confirmed(&a->trial);
}

void agent_network_note_try(struct agent *a, enum network_candidate candidate, const char *text)
{
	timeline_note_try(&a->timeline, network_candidate_name(candidate), text, time_boot_usec());
	log_notice("network (%s): %s", network_candidate_name(candidate), text);
}

// --- doing ---

int agent_network_lock(const struct agent *a, struct diag *reterr)
{
	int fd = -1;
	int r = trial_lock(&a->trial, 0, &fd, reterr);
	return r < 0 ? r : fd;
}

// What is set but for a route: the kernel's news of its source address is the next try.
static void note_missing(struct agent *a, const struct plan *plan)
{
	const char *missing = plan_waits_for(plan);
	if (missing && !str_equal(missing, a->network_missing)) {
		log_info("network: %s", missing);
		a->network_missing_usec = time_boot_usec();
	}
	str_set(&a->network_missing, missing);
	a->network_missing_in_vain = plan_waits_in_vain(plan);
	a->network_is_half = plan_is_half(plan);
}

void agent_network_took(struct agent *a, struct network *network_take, const struct plan *plan)
{
	network_free(a->network);
	a->network = network_take;
	agent_mesh_reserve(a);
	if (plan_n_changes(plan))
		log_info("network: %zu changes applied", plan_n_changes(plan));
	char *taken AUTO_FREE = plan_taken_over(plan);
	if (taken)
		log_info("network: %s", taken);
	note_missing(a, plan);
	look_at_links(a);
}

// What is put right without a trial, in sentences: a link came, or somebody took an address of ours.
static void tell(const struct plan *plan, void *user)
{
	char *text AUTO_FREE = plan_text(plan);
	char *rest = text;
	for (size_t i = 0; i < MAX_TOLD && rest && *rest; i++)
		log_info("network: %s", strsep(&rest, "\n"));
	if (rest && *rest)
		log_info("network: and %zu more", plan_n_changes(plan) - MAX_TOLD);
}

/* Make @network_take the applied one. Blocks for the kernel's acknowledgements only: what waits for an IPv6 address to be known as
 * nobody else's comes with a later call. (Undoing a trial does wait for it, for 3 s at most.) */
static int apply(struct agent *a, struct network *network_take, struct diag *reterr)
{
	struct network *network CLEANUP(network_freep) = network_take;
	struct plan *plan CLEANUP(plan_freep) = NULL;
	int lock_fd AUTO_CLOSE = agent_network_lock(a, reterr);
	struct netconf_options options = { .without_waiting = true, .on_plan = tell };
	int r = lock_fd < 0 ? lock_fd : netconf_plan(network, &options, &plan, reterr);
	if (r == 0)
		r = netconf_apply_plan(network, plan, &options, reterr);
	if (r == 0)
		agent_network_took(a, TAKE_PTR(network), plan);
	return r;
}

static struct network_candidates candidates_of(const struct agent *a)
{
	bool has_networkless_assignment = a->assignment && !a->assignment->network; // then what was good once is not wanted
	return (struct network_candidates){
		.has_last_good = a->confirmed_document && !has_networkless_assignment && !agent_network_was_confirmed(a),
		.has_vlan = a->vlan_pick.id != 0,
		.has_seed = seed_contact_of(a) != NULL,
		.carried = first_contact_carried(&a->first_contact, seed_network_of(a)),
		.enrolled = a->assignment != NULL,
		.safe = a->safe_network,
		.region_answers = a->region && a->region->contact == REGION_FOUND,
	};
}

static int decode_candidate(struct agent *a, enum network_candidate candidate, struct network **ret, struct diag *reterr)
{
	if (candidate == NETWORK_LAST_GOOD)
		return decode_stored(a->confirmed_document, ret, a, reterr);
	if (candidate == NETWORK_VLAN)
		return vlan_contact(a, NULL, ret, reterr);
	return candidate == NETWORK_SEED ? seed_contact(a, ret) : netconf_default(ret);
}

static void apply_below(struct agent *a)
{
	struct network *network = NULL;
	struct diag diag = { 0 };
	const char *reason = "a link came or went";
	uint64_t now_usec = time_boot_usec();
	struct network_candidates facts = candidates_of(a);
	enum network_candidate before = a->network_is_assigned ? NETWORK_ASSIGNED : a->network_candidate;
	enum network_candidate candidate =
		network_candidate_next(&facts, before, a->network_candidate_usec, now_usec, &reason);
	if (candidate == before && a->network && !a->network_dirty)
		return;
	int r = decode_candidate(a, candidate, &network, &diag);
	if (r == 0)
		r = apply(a, network, &diag);
	if (r == -EWOULDBLOCK)
		return;
	if (candidate != before) {
		char text[TIMELINE_TRY_MAX];
		(void)snprintf(text, sizeof(text), "%s%s%s", reason, r < 0 ? "; it cannot be set up: " : "",
			r == 0 ? "" : diag.message[0] ? diag_text(&diag) : strerror(-r));
		agent_network_note_try(a, candidate, text);
		a->network_candidate = candidate;
		a->network_candidate_usec = now_usec;
		str_set(&a->network_try, before == NETWORK_ASSIGNED && !facts.safe ? NULL : text);
	}
	if (r < 0)
		str_set(&a->first_contact_problem, diag.message[0] ? diag_text(&diag) : strerror(-r));
	a->network_is_assigned = false;
	a->mesh_set &= candidate == before; // another network's link may have other peers
	a->mesh_key_unset &= r < 0 || !agent_network_has_mesh(a);
	a->network_dirty = r < 0 || a->network_is_half;
}

// --- the assigned network ---

static void load_refused(struct agent *a)
{
	struct diag diag = { 0 };
	char *text AUTO_FREE = NULL;
	size_t n = 0;
	if (a->refused_loaded)
		return;
	a->refused_loaded = true;
	if (file_load_checked(root_path(a->options.root, STATE_REFUSED_NETWORK).text, REFUSED_NETWORK_BYTES, &text, &n, NULL) < 0)
		return; // none was, or it was set aside
	if (refused_network_parse(text, n, &a->refused, &diag) < 0)
		log_warning("%s: %s", STATE_REFUSED_NETWORK, diag_text(&diag)); // tried at once then
}

static void save_refused(const struct agent *a)
{
	struct diag diag = { 0 };
	char *text AUTO_FREE = refused_network_format(&a->refused);
	if (!text || file_save_checked(root_path(a->options.root, STATE_REFUSED_NETWORK).text, text, strlen(text), 0600, &diag) < 0)
		log_warning("what was refused cannot be kept: %s", text ? diag_text(&diag) : "out of memory"); // it holds in this start
}

void agent_network_forget_refusal(struct agent *a)
{
	a->n_network_refusals = 0;
	if (!a->refused.sha256[0])
		return;
	a->refused = (struct refused_network){ 0 };
	(void)file_remove(root_path(a->options.root, STATE_REFUSED_NETWORK).text); // what stays is held against that network alone
}

void agent_network_to_json(const struct agent *a, struct json_out *out)
{
	const char *reason = a->refused.reason[0] ? a->refused.reason : a->network_problem;
	if (!a->n_network_refusals)
		return;
	json_out_key(out, "networkRefused");
	json_out_object_begin(out);
	json_out_member_int(out, "times", a->n_network_refusals);
	json_out_member(out, "reason", reason ? reason : "");
	json_out_object_end(out);
}

// Only a network that has to prove itself: one that did, or that nobody could prove, is taken at each start.
static bool keeps_refusals(const struct agent *a)
{
	return a->assignment && a->assignment->network && !a->from_seed && !agent_network_was_confirmed(a);
}

static void keep_refusal(struct agent *a, const char *why)
{
	char *document AUTO_FREE = agent_network_document(a);
	char sha256[65];
	if (!document || !keeps_refusals(a))
		return;
	refused_network_digest(document, sha256);
	refused_network_note(&a->refused, sha256, a->n_network_refusals, why);
	save_refused(a);
}

// Was the assigned network refused before this start?
static void look_at_refused(struct agent *a)
{
	char sha256[65];
	char *document AUTO_FREE = agent_network_document(a);
	if (a->refused_seen || !document || !a->assignment)
		return;
	a->refused_seen = true;
	refused_network_digest(document, sha256);
	unsigned n = keeps_refusals(a) ? refused_network_count(&a->refused, sha256) : 0;
	if (n == 0)
		return;
	a->n_network_refusals = n;
	a->network_refused_usec = time_boot_usec();
	a->network_state = STEP_FAILED;
	str_set(&a->network_problem, a->refused.reason);
	char *text AUTO_FREE = str_format("not tried yet, as it did not hold before this start: %s", a->refused.reason);
	if (text)
		agent_network_note_try(a, NETWORK_ASSIGNED, text);
}

void agent_network_refused(struct agent *a, const char *why)
{
	str_set(&a->network_problem, why);
	agent_network_note_try(a, NETWORK_ASSIGNED, why);
	log_warning("the assigned network does not hold: %s", why);
	a->network_state = STEP_FAILED;
	a->n_network_refusals++;
	a->network_refused_usec = time_boot_usec();
	keep_refusal(a, why);
	a->tried.applied_usec = a->network_waits_usec = 0;
	a->network_is_assigned = false; // network_candidate is what reached the region before, if that was not an assigned one
	a->network_dirty = true;
	a->mesh_set = false; // the way back may have made its link anew
	apply_below(a);
}

static void apply_assigned(struct agent *a, bool to_be_probed)
{
	struct network *network = NULL;
	struct diag diag = { 0 };
	bool again = a->network_is_assigned; // only a link came or went
	char *document AUTO_FREE = agent_network_document(a);
	int r = document ? decode_stored(document, &network, a, &diag) : -ENOMEM;
	if (r == 0)
		r = again || !to_be_probed ? apply(a, network, &diag) : tried_network_begin(a, network, document, &diag);
	if (r == -EWOULDBLOCK)
		return;
	if (r < 0) {
		const char *why = diag.message[0] ? diag_text(&diag) : strerror(-r);
		if (again)
			str_set(&a->network_problem, why); // it held before: try again at the next tick
		else if (!a->tried.undo_why) // else it is not undone yet, which comes first
			agent_network_refused(a, why);
		return;
	}
	str_set(&a->network_problem, NULL);
	str_set(&a->network_try, NULL);
	a->network_state = STEP_RUNNING;
	a->network_is_assigned = true;
	a->network_dirty = a->network_is_half;
	a->mesh_key_unset = false;
	if (again && a->tried.on_trial && a->tried.is_half)
		tried_network_is_set(a, a->network_is_half);
	if (again)
		return;
	a->mesh_set = false;
	if (to_be_probed)
		return;
	a->tried.applied_usec = 0;
	a->network_candidate = NETWORK_ASSIGNED; // nothing is below it
	if (agent_network_was_confirmed(a))
		agent_network_forget_refusal(a); // it could not be set for a while
	a->network_unproven_usec = a->from_seed || agent_network_was_confirmed(a) ? 0 : time_boot_usec();
	agent_network_note_try(a, NETWORK_ASSIGNED, a->from_seed ? "it came with the seed"
		: agent_network_was_confirmed(a) ? "it was confirmed before"
		: "taken as it is: the region is silent, and nothing else could prove it");
	if (a->from_seed)
		tried_network_keep(a);
}

static enum network_trial trial_of(struct agent *a)
{
	uint64_t now_usec = time_boot_usec();
	bool assigned = a->assignment && a->assignment->network;
	if (a->safe_network)
		return NETWORK_TRIAL_FIRST_CONTACT;
	if (a->network_is_assigned)
		return assigned ? NETWORK_TRIAL_KEEP : NETWORK_TRIAL_FIRST_CONTACT;
	look_at_refused(a);
	bool region_answers = a->region && a->region->contact == REGION_FOUND;
	a->network_waits_usec = network_trial_waits_usec(a->network_waits_usec, region_answers, now_usec);
	bool gateway_answers = assigned && tried_network_look_at_gateway(a, now_usec);
	struct network_trial_facts facts = {
		.assigned = assigned,
		.from_seed = a->from_seed,
		.confirmed = assigned && agent_network_was_confirmed(a),
		.region_answers = region_answers,
		.has_other_proof = gateway_answers || (assigned && a->assignment->mesh_link && a->peers_known && a->peers.n),
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

// --- start, people ---

static const struct netconf_options trial_options = { .without_waiting = true };

int agent_network_start(struct agent *a)
{
	int r = netconf_monitor_new(a->event, on_netlink, a, &a->monitor);
	if (r < 0)
		return r;
	(void)snprintf(a->network_folder, sizeof(a->network_folder), "%s", root_path(a->options.root, STATE_NETWORK).text);
	a->trial = (struct trial){ .folder = a->network_folder, .who = WHO, .options = &trial_options, .has_other = true,
		.decode = decode_stored, .user = a };
	a->poke_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	look_at_links(a);
	return a->poke_fd < 0 ? -errno : 0;
}

void agent_network_done(struct agent *a)
{
	wire_listener_free(a->wire);
	first_contact_done(&a->first_contact);
	netconf_monitor_free(a->monitor);
	network_free(a->network);
	netconf_online_free(a->online);
	netconf_links_free(a->links);
	free(a->confirmed_document);
	free(a->tried.undo_why);
	free(a->tried.undo_problem);
	mesh_answers_done(&a->tried.answers);
	if (a->poke_fd >= 0)
		(void)close(a->poke_fd); // a datagram socket has nothing left to write
}

void agent_network_give_up(struct agent *a, int lock_fd, const char *why)
{
	char *text AUTO_FREE = str_format("what was before it cannot be set up again: %s", why);
	log_error("the network on trial cannot be undone, and what is below it comes in its place: %s", why);
	if (text)
		agent_network_note_try(a, NETWORK_ASSIGNED, text);
	a->network_given_up = trial_abandon(&a->trial, lock_fd, NULL) < 0; // then a restart tries it again
	a->network_dirty = true;
}

/* What a hearthd left that was killed, or the power, or a hearth-net. True: nothing is left of it, or it cannot be undone. */
static bool recover(struct agent *a)
{
	struct journal journal CLEANUP(journal_done) = { 0 };
	struct diag diag = { 0 };
	uint64_t now_usec = time_boot_usec();
	if (!a->network_recover_usec)
		a->network_recover_usec = now_usec;
	int lock_fd AUTO_CLOSE = agent_network_lock(a, &diag);
	if (lock_fd < 0)
		return false;
	load_refused(a);
	enum trial_standing standing = trial_look(&a->trial, now_usec, &journal);
	bool ours = standing == TRIAL_WAITS && str_equal(journal.who, WHO);
	int r = ours ? trial_revert(&a->trial, lock_fd, &diag) : trial_recover(&a->trial, lock_fd, now_usec, &diag);
	str_set(&a->tried.undo_problem, r >= 0 ? NULL : diag.message[0] ? diag_text(&diag) : strerror(-r));
	if (r < 0 && now_usec - a->network_recover_usec < RECOVER_PATIENCE_SEC * USEC_PER_SEC)
		return false; // D-Bus comes soon, or a link
	a->network_recover_usec = 0;
	str_set(&a->tried.undo_problem, NULL);
	if (r < 0) {
		agent_network_give_up(a, lock_fd, diag.message[0] ? diag_text(&diag) : strerror(-r));
	} else if (r == 1) {
		agent_network_note_try(a, NETWORK_ASSIGNED, diag.message[0] ? diag_text(&diag) : "hearthd was restarted before it was confirmed: undone");
		a->network_dirty = true;
		if (standing != TRIAL_DAMAGED && str_equal(journal.who, WHO)) {
			refused_network_note_unfinished(&a->refused, journal.tried);
			save_refused(a);
		}
	}
	agent_network_load_confirmed(a);
	return true;
}

bool agent_network_may_act(struct agent *a)
{
	struct journal journal CLEANUP(journal_done) = { 0 };
	uint64_t now_usec = time_boot_usec();
	if (!a->network_recovered && !(a->network_recovered = recover(a)))
		return false;
	enum trial_standing standing = trial_look(&a->trial, now_usec, &journal);
	a->network_given_up &= standing != TRIAL_NONE;
	if (standing == TRIAL_NONE && a->tried.on_trial)
		tried_network_ended_by_person(a);
	if (standing == TRIAL_NONE || a->tried.on_trial)
		return true;
	if (standing == TRIAL_WAITS && !str_equal(journal.who, WHO))
		return false;
	if (a->network_given_up)
		return true; // the node is to go on
	return a->network_recovered = recover(a);
}

void agent_safe_network(struct agent *a)
{
	a->safe_network = !a->safe_network;
	a->network_dirty = true;
	agent_network_forget_refusal(a);
	log_notice("a person at the console %s", a->safe_network ? "wants the safe network: DHCP on every wired port"
								  : "wants the usual network again");
	if (!a->safe_network) {
		a->network_candidate = NETWORK_ASSIGNED;
		str_set(&a->network_try, NULL);
	}
	agent_hurry(a);
	agent_kick(a);
}

void agent_network_begin_anew(struct agent *a)
{
	first_contact_done(&a->first_contact);
	(void)unlink(root_path(a->options.root, STATE_FIRST_CONTACT).text); // what stays is known again after a reboot, and has its turn
	a->safe_network = false;
	a->network_dirty = true;
	a->network_candidate = NETWORK_ASSIGNED; // nothing yet
	str_set(&a->network_try, NULL);
	agent_hurry(a);
	agent_kick(a);
}

void agent_network_act(struct agent *a, enum rung rung)
{
	if (a->options.without_network || !(a->state_known || a->state_making))
		return;
	look_at_links(a);
	if (a->network) // at each tick: routers name servers without a change of the kernel's
		(void)netconf_update_resolv(a->network, NULL, NULL); // tried again at the next one
	if (!agent_network_may_act(a))
		return;
	keep_first_contact(a);
	if (a->tried.on_trial && (a->safe_network || !a->tried.applied_usec) &&
		!tried_network_break_off(a, a->safe_network ? "a person at the console wants the safe network" : "another network was assigned"))
		return;
	if (a->tried.undo_why && !tried_network_undo(a))
		return;
	agent_mesh_key_act(a);
	agent_mesh_mtu_act(a);
	enum network_trial trial = trial_of(a);
	bool wants_assigned = trial != NETWORK_TRIAL_FIRST_CONTACT;
	if (wants_assigned && (a->network_dirty || !a->network_is_assigned))
		apply_assigned(a, trial == NETWORK_TRIAL_PROBE);
	else if (!wants_assigned)
		apply_below(a);
	if (a->tried.undo_why)
		return; // it failed, and half of it is there
	tried_network_probe(a);
	agent_mesh_act(a);
}
