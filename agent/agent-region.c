// The agent's dealings with its region: who we are, whom we talk to, and what its answers change.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "agent/ranges.h"
#include "agent/user-secrets.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include <errno.h>

enum { HEARD_SAVE_SEC = 3600 }; // the clock's floor may be an hour old; more writes wear flash
enum { SECRETS_WAITED_SEC = 20, SECRETS_SEC = 600 };

static bool k3s_started(const struct agent *a)
{
	return file_exists(root_path(a->options.root, RUN_K3S_STARTED).text);
}

static int64_t clock_floor_msec(const struct agent *a)
{
	int64_t built = a->image.built_sec * 1000;
	return built > a->region_record.heard_msec ? built : a->region_record.heard_msec;
}

static void save_record(struct agent *a)
{
	struct diag diag = { 0 };
	if (!a->region_record.n_urls)
		return;
	if (region_record_save(a->options.root, &a->region_record, &diag) < 0)
		log_warning("region.json cannot be saved: %s", diag_text(&diag)); // the next hello saves it anew
	a->heard_saved_usec = time_boot_usec();
}

// Without a region's time: never below the floor.
static void keep_floor(struct agent *a)
{
	struct clock_facts facts = { .now_msec = time_wall_msec(), .floor_msec = clock_floor_msec(a),
		.k3s_started = k3s_started(a) };
	int64_t target;
	if (clock_decide(&facts, &target, NULL) == CLOCK_STEP && !a->options.root[0] && clock_step(target) == 0)
		log_notice("the clock was before the last known time and is set to that");
}

static void slew(const struct agent *a, const struct clock_facts *facts)
{
	int64_t by_msec = clock_slew_by(facts);
	if (!by_msec || a->options.root[0])
		return;
	int r = clock_slew(by_msec);
	if (r < 0)
		log_warning("the clock cannot be slewed: %s", strerror(-r));
	else
		log_info("the clock is off by %lld ms and slewed towards the region's", (long long)by_msec);
}

static int on_hello(int64_t region_msec, void *user)
{
	struct agent *a = user;
	struct diag diag = { 0 };
	struct clock_facts facts = {
		.now_msec = time_wall_msec(),
		.floor_msec = clock_floor_msec(a),
		.has_region_time = true,
		.region_msec = region_msec,
		.k3s_started = k3s_started(a),
		.error_msec = a->region->hello.error_msec,
		.ntp_synchronised = clock_is_synchronised(),
	};
	int64_t target = 0;
	enum clock_verdict verdict = clock_decide(&facts, &target, &diag);
	if (verdict == CLOCK_REFUSE) {
		str_set(&a->clock_problem, diag_text(&diag));
		return -ERANGE;
	}
	if (verdict == CLOCK_STEP) {
		int r = a->options.root[0] ? 0 : clock_step(target); // a test must not touch the host's clock
		if (r < 0)
			log_warning("the clock cannot be set: %s", strerror(-r));
		else
			log_notice("the clock was off by %lld s and is set to the region's time",
				(long long)((target - facts.now_msec) / 1000));
	}
	slew(a, &facts);
	str_set(&a->clock_problem, NULL);
	a->clock_taken = true;
	a->region_record.heard_msec = region_msec;
	free(a->region_record.ca_pem);
	a->region_record.ca_pem = strdup(a->region->hello.ca_pem); // without it: taken at the next hello
	save_record(a);
	return 0;
}

static void on_certificate(void *user)
{
	struct agent *a = user;
	log_notice("this node has a certificate of region %s", region_client_url(a->region));
	a->content_stale = true;
}

/* What stands between this node and its region: by the seed, else by the seed of an earlier start. The assignment's proxy is
 * for what is beyond: one that is wrong or down must not be what keeps this node from hearing of a better one. */
const char *agent_proxy(const struct agent *a)
{
	const char *proxy = a->seed.proxy ? a->seed.proxy : a->region_record.proxy;
	return proxy && *proxy ? proxy : NULL;
}

static void keep_proxy(struct agent *a)
{
	const char *proxy = agent_proxy(a);
	if (!str_equal(a->region->proxy, proxy)) {
		a->content_stale = true;
		a->k3s_configured = false;
	}
	if (region_client_set_proxy(a->region, proxy) < 0)
		log_warning("out of memory");
	if (!a->seed.proxy || str_equal(a->region_record.proxy, proxy))
		return;
	char *copy = proxy ? strdup(proxy) : NULL;
	if (proxy && !copy)
		return; // at the next tick
	if (a->region_record.proxy)
		crypto_wipe(a->region_record.proxy, strlen(a->region_record.proxy));
	free(a->region_record.proxy);
	a->region_record.proxy = copy;
	save_record(a); // once this node has a region; before, the seed is asked for anyway
}

// The region that admitted us is ours from now on.
static int on_admitted(struct diag *reterr, void *user)
{
	struct agent *a = user;
	const struct region_client *c = a->region;
	int r = region_record_add(&a->region_record, (const char *const *)c->urls, c->n_urls, (const uint8_t(*)[32])c->pins,
		c->n_pins);
	if (r == 0 && a->seed.trust)
		r = region_record_set_keys(&a->region_record, a->seed.trust->signing_keys, a->seed.trust->n_signing_keys);
	if (r == 0 && c->n_pins == 0) // a person compared the code: that CA is the one
		r = region_record_add(&a->region_record, NULL, 0, (const uint8_t(*)[32])&c->hello.ca_pin, 1);
	if (r < 0)
		return diag_set(reterr, r, "", "the region that admitted this node cannot be kept: %s", strerror(-r));
	a->heard_saved_usec = time_boot_usec();
	return region_record_save(a->options.root, &a->region_record, reterr);
}

static bool shares_url(const struct seed *trust, const struct region_record *record)
{
	for (size_t i = 0; i < trust->n_urls; i++)
		for (size_t j = 0; j < record->n_urls; j++)
			if (str_equal(trust->urls[i], record->urls[j]))
				return true;
	return false;
}

// Where the client looks: the record of STATE, and URLs of a seed that shares a pin with it; else the seed. The token of
// another region's seed stays here.
static void aim(struct agent *a)
{
	const struct seed *trust = a->seed.trust;
	struct region_record target CLEANUP(region_record_done) = { 0 };
	struct region_record *record = &a->region_record;
	bool shares = false;
	for (size_t i = 0; trust && i < trust->n_pins; i++)
		for (size_t j = 0; j < record->n_pins; j++)
			shares |= memcmp(trust->pins[i], record->pins[j], 32) == 0;
	a->seed_is_foreign = trust && record->n_urls && !shares && !(trust->n_pins == 0 && shares_url(trust, record));
	if (region_record_add(&target, (const char *const *)record->urls, record->n_urls,
		    (const uint8_t(*)[32])record->pins, record->n_pins) < 0)
		return;
	if (trust && (record->n_urls == 0 || shares) &&
		region_record_add(&target, (const char *const *)trust->urls, trust->n_urls,
			(const uint8_t(*)[32])trust->pins, record->n_urls ? 0 : trust->n_pins) < 0)
		return;
	if (region_client_set_region(a->region, (const char *const *)target.urls, target.n_urls,
		    (const uint8_t(*)[32])target.pins, target.n_pins, record->n_urls == 0 || shares ? a->seed.token : NULL) < 0)
		log_warning("out of memory");
}

void agent_secrets_again(struct agent *a, unsigned every_sec)
{
	uint64_t now_usec = time_boot_usec();
	if (!a->region || now_usec - a->secrets_asked_usec < every_sec * USEC_PER_SEC)
		return;
	a->secrets_asked_usec = now_usec;
	region_client_forget_secrets(a->region);
}

static bool keeps_document(const struct agent *a, const struct assignment *fresh)
{
	return a->assignment && a->assignment->text && fresh->text && str_equal(a->assignment->text, fresh->text);
}

static void take_assignment(struct agent *a, struct assignment *fresh)
{
	struct assignment_changes changes = assignment_compare(a->assignment, fresh);
	if (a->assignment && changes.network)
		agent_network_forget_refusal(a); // else it may be the refused one, from STATE
	assignment_free(a->assignment);
	a->assignment = fresh;
	if (changes.network) {
		a->network_dirty = true;
		a->n_network_refusals = 0;
		a->refused_seen = false;
		a->network_waits_usec = a->tried.applied_usec = a->network_unproven_usec = 0;
		str_set(&a->confirm_problem, NULL); // of the one before: this one is not confirmed yet
		a->network_is_assigned = false;
	}
	if (changes.role)
		agent_k3s_leave_role(a);
	if (changes.k3s) {
		agent_secrets_again(a, 0); // another server to join may mean another CA, another registry another login
		a->k3s_configured = false;
		agent_api_forget(a); // the servers may be others
	}
	if (changes.ntp)
		a->ntp_told = false;
	if (changes.bootstrap) { // the one under way is laid no further; the new one starts from what is there
		a->bootstrap = bootstrap_free(a->bootstrap);
		str_set(&a->bootstrap_problem, NULL);
	}
	if (changes.storage)
		a->storage_stale = true;
}

static int on_assignment(const char *json, size_t n, struct diag *reterr, void *user)
{
	struct agent *a = user;
	struct assignment *fresh CLEANUP(assignment_freep) = NULL;
	int r = assignment_decode(json, n, &fresh, reterr);
	if (r == 0)
		r = ranges_check(fresh, a->links, reterr);
	if (r < 0) {
		str_set(&a->assignment_problem, reterr ? diag_text(reterr) : "it is malformed");
		return r;
	}
	str_set(&a->assignment_problem, NULL);
	if (keeps_document(a, fresh))
		return 0;
	r = assignment_save(a->options.root, fresh, reterr); // before it counts
	if (r < 0)
		log_warning("the assignment cannot be saved: %s", strerror(-r)); // it still holds in this boot
	log_notice("assignment %s: this node is %s, %s of %s", fresh->generation ? fresh->generation : "", fresh->node_name,
		fresh->server ? "server" : "worker", fresh->cluster_name ? fresh->cluster_name : "no cluster");
	if (fresh->n_urls && fresh->n_pins &&
		region_record_add(&a->region_record, fresh->urls, fresh->n_urls, (const uint8_t(*)[32])fresh->pins,
			fresh->n_pins) == 0)
		save_record(a);
	take_assignment(a, TAKE_PTR(fresh));
	return 0;
}

static int on_mesh(const char *json, size_t n, struct diag *reterr, void *user)
{
	struct agent *a = user;
	int r = mesh_peers_update(&a->peers, json, n, reterr);
	str_set(&a->mesh_refused, r < 0 ? diag_text(reterr) : NULL);
	if (r < 0)
		return r;
	a->peers_known = true;
	a->nodes_news_usec = time_boot_usec();
	agent_mesh_news(a);
	// The next question tells the region that we have it, and a node may switch to its next key by that.
	if (a->mesh_set && agent_network_may_act(a))
		agent_mesh_act(a);
	return 0;
}

// The bootstrap borrows them: others are another bootstrap. The same are not written again.
static int take_user_secrets(struct agent *a, const char *json, size_t n, struct diag *reterr)
{
	struct value *fresh = NULL;
	int r = user_secrets_parse(json, n, &fresh, reterr);
	if (r < 0)
		return r;
	if (a->user_secrets && value_equal(a->user_secrets, fresh)) {
		user_secrets_free(fresh);
		if (!a->user_secrets_unsaved)
			return 0;
	} else {
		a->bootstrap = bootstrap_free(a->bootstrap);
		user_secrets_free(a->user_secrets);
		a->user_secrets = fresh;
	}
	r = user_secrets_save(a->options.root, a->user_secrets, reterr);
	a->user_secrets_unsaved = r < 0;
	return r;
}

static bool same_secrets(const struct secrets *one, const struct secrets *other)
{
	return one->tokens == other->tokens && str_equal(one->token_next, other->token_next) &&
	       str_equal(one->token, other->token) && str_equal(one->agent_token, other->agent_token) &&
	       str_equal(one->pull_username, other->pull_username) && str_equal(one->pull_password, other->pull_password) &&
	       str_equal(one->registries, other->registries);
}

// They count before they are saved: a full STATE must not keep this node out of its cluster.
static int take_secrets(struct agent *a, const char *json, size_t n, struct diag *reterr)
{
	struct secrets fresh CLEANUP(secrets_done) = { 0 };
	int r = secrets_parse(json, n, &fresh, reterr);
	if (r < 0)
		return r;
	bool same = a->has_secrets && same_secrets(&a->secrets, &fresh);
	if (same && !a->secrets_unsaved)
		return 0;
	if (!same) {
		if (a->assignment && a->assignment->bootstrap_registry && !str_equal(a->secrets.registries, fresh.registries))
			a->bootstrap = bootstrap_free(a->bootstrap); // another login, perhaps for it
		secrets_done(&a->secrets);
		a->secrets = fresh;
		fresh = (struct secrets){ 0 };
		a->has_secrets = true;
		a->k3s_configured = false; // the token may have become its full form
	}
	r = secrets_save(a->options.root, &a->secrets, reterr);
	a->secrets_unsaved = r < 0;
	return r;
}

static int on_secrets(const char *json, size_t n, struct diag *reterr, void *user)
{
	struct agent *a = user;
	a->secrets_asked_usec = time_boot_usec();
	int r = take_secrets(a, json, n, reterr), r_user = take_user_secrets(a, json, n, r < 0 ? NULL : reterr);
	return r < 0 ? r : r_user;
}

static char *facts_json(void *user)
{
	struct agent *a = user;
	return machine_facts_json(&a->machine, &a->image, a->links, a->mesh_candidates);
}

static void on_change(void *user)
{
	agent_kick(user);
}

static void load_state(struct agent *a)
{
	struct assignment *assignment = NULL;
	struct diag diag = { 0 };
	(void)region_record_load(a->options.root, &a->region_record); // missing is fine
	agent_vlans_load(a);
	agent_first_contact_load(a);
	if (a->seed.assignment) {
		a->from_seed = true;
		if (assignment_from_value(a->seed.assignment, &assignment, &diag) < 0)
			str_set(&a->assignment_problem, diag_text(&diag));
	} else {
		(void)assignment_load(a->options.root, &assignment); // as above
	}
	if (assignment)
		take_assignment(a, assignment);
	a->peers_known = mesh_peers_load(a->options.root, &a->peers) == 0;
	a->mesh_dirty = a->peers_known;
	a->has_secrets = secrets_load(a->options.root, &a->secrets) == 0;
	(void)user_secrets_load(a->options.root, &a->user_secrets); // missing is fine: asked for
}

static void tidy_state(const struct agent *a)
{
	static const char *const folders[] = { "/state/hearth", "/state/hearth/net", STATE_IDENTITY,
		STATE_SECRETS };
	for (size_t i = 0; i < N_ELEMENTS(folders); i++) {
		int r = file_remove_leftovers(root_path(a->options.root, folders[i]).text);
		if (r < 0)
			log_warning(
				"leftovers in %s cannot be removed: %s", folders[i], strerror(-r));
	}
}

int agent_region_start(struct agent *a)
{
	struct diag diag = { 0 };
	struct region_events events = {
		.on_hello = on_hello,
		.on_admitted = on_admitted,
		.on_certificate = on_certificate,
		.on_assignment = on_assignment,
		.on_mesh = on_mesh,
		.on_secrets = on_secrets,
		.facts_json = facts_json,
		.on_change = on_change,
		.user = a,
	};
	tidy_state(a);
	int r = identity_open(root_path(a->options.root, STATE_IDENTITY).text, &a->identity, &diag);
	if (r < 0) {
		str_set(&a->identity_problem, diag.message[0] ? diag_text(&diag) : strerror(-r));
		return r;
	}
	str_set(&a->identity_problem, NULL);
	load_state(a);
	keep_floor(a);
	r = region_client_new(a->event, &events, a->identity, a->durable,
		root_path(a->options.root, "/run/hearth/enrolment.json").text, &a->region);
	if (r < 0)
		return r;
	region_client_set_known(a->region, a->assignment && !a->from_seed ? a->assignment->generation : NULL,
		a->peers_known ? a->peers.generation : NULL);
	return 0;
}

/* People set and change secrets and logins when they like, and a cluster may have been made anew. What 40-secrets waits for
 * is asked for soon, anything else is there within ten minutes, on every node. */
static void keep_secrets_fresh(struct agent *a)
{
	const struct bootstrap_status *status = a->bootstrap ? bootstrap_status(a->bootstrap) : NULL;
	if (a->has_secrets)
		agent_secrets_again(a, status && status->stage == STAGE_SECRETS ? SECRETS_WAITED_SEC : SECRETS_SEC);
}

void agent_region_act(struct agent *a)
{
	if (!a->region || a->from_seed)
		return;
	keep_proxy(a);
	aim(a);
	agent_mesh_save(a);
	region_client_want_mesh(a->region, a->assignment && a->assignment->mesh_link);
	region_client_want_secrets(a->region, a->assignment && a->assignment->has_k3s);
	keep_secrets_fresh(a);
	if (a->clock_taken && a->region->heard_msec > a->region_record.heard_msec) {
		a->region_record.heard_msec = a->region->heard_msec;
		if (time_boot_usec() - a->heard_saved_usec > HEARD_SAVE_SEC * USEC_PER_SEC)
			save_record(a);
	}
}

int agent_confirm(struct agent *a, const char *code, struct diag *reterr)
{
	if (!a->region || region_client_confirm(a->region, code) < 0)
		return diag_set(reterr, -EINVAL, "", "that is not the code this node shows");
	return 0;
}

int agent_reset(struct agent *a, const char *what, struct diag *reterr)
{
	if (!str_equal(what, "clock"))
		return diag_set(reterr, -EINVAL, "", "only \"clock\" can be reset, not \"%s\"", what);
	a->region_record.heard_msec = 0;
	str_set(&a->clock_problem, NULL);
	save_record(a);
	agent_hurry(a);
	return 0;
}
