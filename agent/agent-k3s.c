// Payload, K3s' files and its unit. What K3s is told is k3s/'s business, when it is started is decided here.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "k3s/config.h"
#include "k3s/token.h"
#include "k3s/unpack.h"
#include <errno.h>
#include <time.h>

enum { PAYLOAD_MAX_BYTES = 1 << 30, START_AGAIN_SEC = 5, HOPELESS_RESTARTS = 3, SECRETS_AGAIN_SEC = 10, JOIN_STUCK_SEC = 60,
	PAYLOAD_PATIENCE_SEC = 600, TOKENS_AGAIN_SEC = 5, TOKENS_PATIENCE_SEC = 60 };

static void on_payload_changed(void *user)
{
	agent_kick(user);
}

// --- the client for content: the region's CA and our certificate ---

static void keep_content_client(struct agent *a)
{
	if (a->content_stale && a->content) {
		if (a->payload)
			payload_offer_region(a->payload, NULL, NULL, NULL);
		if (a->payload_next)
			payload_offer_region(a->payload_next, NULL, NULL, NULL);
		a->bootstrap = bootstrap_free(a->bootstrap);
		a->content = http_client_free(a->content);
	}
	a->content_stale = false;
	if (a->content || !a->identity || !a->identity->cert_pem || !a->region_record.ca_pem)
		return;
	struct http_trust_config config = {
		.trust = HTTP_TRUST_CA,
		.ca_pem = a->region_record.ca_pem,
		.client_cert_pem = a->identity->cert_pem,
		.client_key_pem = a->identity->key_pem,
		.proxy = agent_proxy(a),
	};
	if (http_client_new(a->event, &config, &a->content) < 0)
		log_warning("the client for the region's content cannot be made");
}

// --- payload: the one K3s runs from, and perhaps one that is to take its place ---

static struct payload *find_payload(struct agent *a, const char *sha)
{
	struct payload *payload = NULL;
	uint64_t max = a->image.payload_bytes ? a->image.payload_bytes + (1 << 20) : 0;
	if (max < PAYLOAD_MAX_BYTES)
		max = PAYLOAD_MAX_BYTES; // the region's may be larger than the image's
	if (payload_new(a->event, a->options.root, sha, max, a->durable, on_payload_changed, a, &payload) < 0)
		return NULL; // tried again at the next tick
	return payload;
}

static void offer_region(struct agent *a, struct payload *payload)
{
	if (payload && a->content && a->assignment && payload_state(payload) != STEP_DONE)
		payload_offer_region(payload, a->content, region_client_url(a->region),
			a->assignment->payload_repository ? a->assignment->payload_repository : "hearth/payload");
}

int agent_k3s_note_restart_due(const struct agent *a)
{
	struct root_path path = root_path(a->options.root, RUN_K3S_RESTART_DUE);
	return file_exists(path.text) ? 0 : file_write_volatile(path.text, "", 0, 0644, NULL);
}

static bool restart_is_due(const struct agent *a)
{
	return file_exists(root_path(a->options.root, RUN_K3S_RESTART_DUE).text);
}

// The old one stays until the new one is here, verified and mounted; then K3s is restarted once.
static void keep_next_payload(struct agent *a, const char *sha)
{
	if (a->payload_next && (!str_equal(payload_sha256(a->payload_next), sha) || str_equal(payload_sha256(a->payload), sha)))
		a->payload_next = payload_free(a->payload_next);
	if (str_equal(payload_sha256(a->payload), sha))
		return;
	if (!a->payload_next) {
		a->payload_next = find_payload(a, sha);
		if (!a->payload_next)
			return;
		payload_hold(a->payload_next);
		a->payload_next_usec = time_boot_usec();
		log_notice("payload %.12s takes the place of %.12s once it is here and verified", sha, payload_sha256(a->payload));
	}
	offer_region(a, a->payload_next);
	if (payload_is_verified(a->payload_next)) {
		bool was_due = restart_is_due(a);
		if (agent_k3s_note_restart_due(a) < 0)
			return; // /run is full: tried again
		payload_use(a->payload_next);
		if (!was_due && payload_state(a->payload_next) != STEP_DONE) // no reason to restart K3s at every try
			(void)file_remove(root_path(a->options.root, RUN_K3S_RESTART_DUE).text);
	}
	if (payload_state(a->payload_next) != STEP_DONE)
		return;
	payload_free(a->payload);
	a->payload = TAKE_PTR(a->payload_next);
	a->payload_tidied = false;
	a->payload_replaced_seen = true;
	a->k3s_restart_wanted = true;
	log_notice("payload %.12s is mounted", sha);
}

const char *agent_payload_named(const struct agent *a)
{
	if (a->assignment && a->assignment->payload_digest)
		return a->assignment->payload_digest + strlen("sha256:");
	return a->image.payload_sha256;
}

static void keep_payload(struct agent *a)
{
	const char *sha = agent_payload_named(a);
	char mounted[SHA256_HEX + 1];
	if (!*sha)
		return;
	if (a->payload && !str_equal(payload_sha256(a->payload), sha) && payload_state(a->payload) != STEP_DONE)
		a->payload = payload_free(a->payload);
	if (!a->payload) // a hearthd before us may have K3s running from another
		a->payload = find_payload(a, payload_mounted(a->options.root, mounted) ? mounted : sha);
	if (!a->payload)
		return;
	offer_region(a, a->payload);
	if (payload_state(a->payload) == STEP_DONE) {
		if (payload_replaced(a->payload) && !a->payload_replaced_seen)
			a->k3s_restart_wanted = a->payload_replaced_seen = true; // that hearthd died while it changed them
		keep_next_payload(a, sha);
	}
}

// --- unit ---

static void on_service_changed(struct service *service, void *user)
{
	agent_kick(user);
}

static void on_started(int error, const struct diag *diag, void *user)
{
	struct agent *a = user;
	str_set(&a->k3s_problem, error < 0 ? diag ? diag_text(diag) : strerror(-error) : NULL);
	agent_kick(a);
}

// --- restarts ---

// K3s starts now with what is here: files, payload and this number.
static void note_restart_number(struct agent *a)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%lld", (long long)a->assignment->k3s_restart);
	struct diag diag = { 0 };
	a->k3s_restart = a->assignment->k3s_restart;
	a->k3s_restart_known = true;
	if (file_save_checked(root_path(a->options.root, STATE_K3S_RESTART).text, text, (size_t)n, 0600, &diag) < 0)
		log_warning("the restart number of K3s cannot be stored: %s; K3s may be restarted once more", diag_text(&diag));
}

/* The number K3s runs with. Without a note (an older hearthd, or a first start) a K3s that runs already is taken as started
 * with the one that is asked for. */
static void load_restart_number(struct agent *a)
{
	char *text AUTO_FREE = NULL;
	if (a->k3s_restart_known)
		return;
	if (file_load_checked(root_path(a->options.root, STATE_K3S_RESTART).text, 64, &text, NULL, NULL) < 0) {
		note_restart_number(a);
		return;
	}
	a->k3s_restart = strtoll(text, NULL, 10); // we wrote it, and it is checked
	a->k3s_restart_known = true;
}

static uint64_t monotonic_usec(void)
{
	struct timespec now = { 0 };
	(void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

/* What was known of the node was said by the K3s that goes: ready is what the new one reports. Its number counts once systemd
 * has taken the job, a hearthd that dies before that leaves the restart due. */
static void begin_restart(struct agent *a)
{
	a->k3s_restart_wanted = false;
	a->k3s_restarting_usec = monotonic_usec();
	a->k3s_restarted_wall_sec = time_wall_msec() / 1000;
	a->has_node = false;
}

static void restart_is_accepted(struct agent *a)
{
	note_restart_number(a);
	if (!a->k3s_restart_wanted) // else one more is due
		(void)file_remove(root_path(a->options.root, RUN_K3S_RESTART_DUE).text); // else K3s is restarted once more
}

static void on_restarted(int error, const struct diag *diag, void *user)
{
	struct agent *a = user;
	if (error < 0) {
		a->k3s_restart_wanted = true;
		a->k3s_restarting_usec = 0;
		a->k3s_since_usec = time_boot_usec(); // not at once again
	} else {
		restart_is_accepted(a);
	}
	on_started(error, diag, user);
}

/* K3s lays at its start what it finds, before anybody has asked who holds the Lease. Files of a time when we held it may be
 * older than what another server laid since: they go, and come back when the Lease does. A lone server holds it anyhow. */
static void leave_old_files(const struct agent *a)
{
	if (!a->assignment->server || a->assignment->n_servers < 2 || (a->bootstrap && bootstrap_status(a->bootstrap)->holder))
		return;
	int r = stage_files_leave(root_path(a->options.root, K3S_DATA "/server/manifests").text);
	if (r < 0)
		log_warning("files of an older bootstrap cannot be removed: %s", strerror(-r));
}

/* The rest of a rollout is here before its payload is: K3s waits for that, as long as it can be had. One that is refused or
 * does not come keeps nobody waiting for ever. */
static bool payload_is_coming(struct agent *a)
{
	if (!a->payload_next || payload_state(a->payload_next) == STEP_FAILED)
		return false;
	return time_boot_usec() - a->payload_next_usec < PAYLOAD_PATIENCE_SEC * USEC_PER_SEC;
}

/* The region rotated a token since ours came: K3s would be restarted with one that is not good any more. A region that is away
 * holds up nothing. */
static bool tokens_are_older(const struct agent *a)
{
	return a->region && !a->from_seed && a->secrets.tokens < a->assignment->k3s_tokens &&
	       time_boot_usec() - a->region->heard_usec < TOKENS_PATIENCE_SEC * USEC_PER_SEC;
}

static void keep_restarted(struct agent *a)
{
	a->k3s_waits_for_tokens = false;
	enum service_state state = service_state(a->k3s_service);
	if (a->k3s_restarting_usec && state == SERVICE_ACTIVE && service_active_since_usec(a->k3s_service) >= a->k3s_restarting_usec)
		a->k3s_restarting_usec = 0;
	if (state != SERVICE_ACTIVE && state != SERVICE_ACTIVATING)
		return; // it is started anyhow
	load_restart_number(a);
	uint64_t since_usec = time_boot_usec() - a->k3s_since_usec;
	bool is_stuck = state == SERVICE_ACTIVATING && since_usec > JOIN_STUCK_SEC * USEC_PER_SEC; // what is new may help
	if (a->k3s_restarting_usec && !is_stuck)
		return;
	if (a->k3s_restart != a->assignment->k3s_restart || restart_is_due(a))
		a->k3s_restart_wanted = true;
	if (!a->k3s_restart_wanted || since_usec < START_AGAIN_SEC * USEC_PER_SEC)
		return;
	if (payload_is_coming(a))
		return; // one restart for both
	a->k3s_waits_for_tokens = tokens_are_older(a);
	if (a->k3s_waits_for_tokens) {
		agent_secrets_again(a, TOKENS_AGAIN_SEC);
		return;
	}
	if (agent_k3s_note_restart_due(a) < 0)
		return; // /run is full: tried again
	log_notice("K3s is restarted: its configuration, its payload or the region's restart number is another (%lld)",
		(long long)a->assignment->k3s_restart);
	a->k3s_since_usec = time_boot_usec();
	leave_old_files(a);
	begin_restart(a);
	int r = service_restart(a->k3s_service, on_restarted, a);
	if (r < 0)
		on_restarted(r, NULL, a);
}

static void start_unit(struct agent *a)
{
	uint64_t now_usec = time_boot_usec();
	if (a->k3s_start_asked && now_usec - a->k3s_since_usec < START_AGAIN_SEC * USEC_PER_SEC)
		return;
	// From here on the clock is only slewed in this boot.
	if (file_write_volatile(root_path(a->options.root, RUN_K3S_STARTED).text, "", 0, 0644, NULL) < 0)
		return;
	a->k3s_start_asked = true;
	a->k3s_since_usec = now_usec;
	leave_old_files(a);
	begin_restart(a);
	restart_is_accepted(a);
	a->k3s_restarting_usec = 0; // it starts, nothing has to go first
	int r = service_start(a->k3s_service, on_started, a);
	if (r < 0)
		str_set(&a->k3s_problem, strerror(-r));
}

/* A K3s that dies between creating its etcd and writing its bootstrap data never starts again. Only on a first server that
 * was never Ready, by this node's marker and by the region's record, is there nothing to lose: it is stopped, its data is
 * removed, and it starts from nothing. */
static void start_over_if_hopeless(struct agent *a)
{
	if (a->k3s_starts_over || !a->assignment->k3s_first || a->assignment->k3s_ever_ready ||
		service_n_restarts(a->k3s_service) < HOPELESS_RESTARTS ||
		file_exists(root_path(a->options.root, STATE_WAS_READY).text))
		return;
	log_warning("K3s failed %u times on this first server, which was never Ready: it starts over from nothing",
		service_n_restarts(a->k3s_service));
	a->k3s_starts_over = service_stop(a->k3s_service, on_started, a) >= 0;
}

// A first server that makes its cluster has the one token that there is.
static bool may_change_token(const struct agent *a)
{
	return !a->assignment->k3s_first || a->assignment->k3s_ever_ready;
}

/* The power was cut while the server token was rotated: whether K3s' data is encrypted with the old or the new one shows when it
 * starts. It is started with one after the other. */
static void try_other_token(struct agent *a)
{
	uint64_t now_usec = time_boot_usec();
	if (!a->assignment->server || !a->secrets.token_next ||
		(a->k3s_token_tried_usec && now_usec - a->k3s_token_tried_usec <= k3s_token_patience_usec(a->n_token_changes)))
		return;
	a->k3s_token_tried_usec = now_usec;
	a->n_token_changes++;
	a->k3s_token_next = !a->k3s_token_next;
	a->k3s_configured = false;
	log_notice("K3s does not start, and its token is being rotated: it is started with the %s one",
		a->k3s_token_next ? "new" : "old");
}

/* A joiner that does not get in may have the token of a cluster that was made anew since, with another CA. Another token
 * restarts it (files_want_restart()). */
static void ask_if_stuck(struct agent *a)
{
	uint64_t now_usec = time_boot_usec();
	if (!a->k3s_activating_usec)
		a->k3s_activating_usec = now_usec;
	if (!may_change_token(a) || now_usec - a->k3s_activating_usec <= JOIN_STUCK_SEC * USEC_PER_SEC)
		return;
	agent_secrets_again(a, JOIN_STUCK_SEC);
	try_other_token(a);
}

static void remove_cluster_data(struct agent *a)
{
	int r = unpack_remove(root_path(a->options.root, K3S_DATA "/server").text);
	if (r < 0)
		log_warning("the data of the K3s that never came up cannot be removed: %s", strerror(-r));
	a->k3s_starts_over = false;
	a->k3s_start_asked = false;
	// The next one has another CA: the region and our own clients have to learn it.
	agent_cluster_done(a);
	agent_api_forget(a);
	a->has_node = false;
	a->hand_over = (struct hand_over){ 0 };
}

void agent_k3s_watch(struct agent *a, sd_bus *bus)
{
	const char *unit = a->assignment->server ? K3S_UNIT_SERVER : K3S_UNIT_AGENT;
	if (!a->k3s_service && bus && service_new(bus, unit, on_service_changed, a, &a->k3s_service) < 0)
		log_debug("%s cannot be watched", unit); // tried again
}

static void keep_service(struct agent *a)
{
	agent_k3s_watch(a, agent_bus_get(a->bus));
	if (!a->k3s_service)
		return;
	switch (service_state(a->k3s_service)) {
	case SERVICE_INACTIVE:
	case SERVICE_FAILED:
		if (a->k3s_starts_over)
			remove_cluster_data(a);
		start_unit(a);
		break;
	case SERVICE_MISSING:
		str_set(&a->k3s_problem, "this image has no unit for K3s");
		break;
	case SERVICE_ACTIVATING:
		ask_if_stuck(a);
		start_over_if_hopeless(a);
		keep_restarted(a);
		break;
	case SERVICE_ACTIVE:
		a->k3s_activating_usec = 0; // only here: one that dies and is started again has not got in
		a->k3s_token_tried_usec = 0;
		a->n_token_changes = 0;
		keep_restarted(a);
		break;
	case SERVICE_UNKNOWN:
	case SERVICE_DEACTIVATING:
		break;
	}
}

static void name_machine(const struct agent *a)
{
	char now[256] = "";
	if (a->options.root[0] || gethostname(now, sizeof(now) - 1) < 0 || str_equal(now, a->assignment->node_name))
		return;
	if (sethostname(a->assignment->node_name, strlen(a->assignment->node_name)) < 0)
		log_warning("the host name cannot be set: %s", strerror(errno));
}

// A joiner that never came up is not told its new server or token by a K3s that waits with the old one.
static bool files_want_restart(const struct agent *a, int written)
{
	if (written == K3S_FILES_JOIN)
		return may_change_token(a) && a->k3s_service && service_state(a->k3s_service) == SERVICE_ACTIVATING;
	return written == K3S_FILES_CONFIG;
}

static bool keep_files(struct agent *a)
{
	struct diag diag = { 0 };
	if (a->k3s_configured)
		return true;
	int r = agent_k3s_write_files(a, &diag);
	if (r < 0) {
		str_set(&a->k3s_problem, diag.message[0] ? diag_text(&diag) : strerror(-r));
		if (r == -EKEYREJECTED)
			agent_secrets_again(a, SECRETS_AGAIN_SEC);
		return false;
	}
	str_set(&a->k3s_problem, NULL);
	a->k3s_configured = true;
	if (files_want_restart(a, r))
		a->k3s_restart_wanted = true;
	return true;
}

/* Another role is another unit (they conflict in systemd: starting one stops the other first), other secrets and another
 * kubeconfig. Nothing of the old role is asked any more. */
void agent_k3s_leave_role(struct agent *a)
{
	a->k3s_service = service_free(a->k3s_service);
	agent_cluster_done(a);
	agent_api_forget(a);
	a->k3s_configured = a->k3s_start_asked = a->k3s_restart_wanted = a->has_node = false;
	a->k3s_restarting_usec = a->k3s_activating_usec = 0;
	secrets_done(&a->secrets);
	a->has_secrets = false;
	if (a->region)
		region_client_forget_secrets(a->region);
}

bool agent_k3s_is_settled(const struct agent *a)
{
	return a->k3s_service && service_state(a->k3s_service) == SERVICE_ACTIVE && !a->k3s_restarting_usec && !a->k3s_restart_wanted &&
	       !restart_is_due(a);
}

/* A network that is on trial, or was refused, restarts no K3s for what it changes in its configuration. After a start it runs over
 * what is below, if that serves. */
static bool network_forbids(const struct agent *a)
{
	bool is_up = a->k3s_service && service_state(a->k3s_service) == SERVICE_ACTIVE;
	bool is_refused = !a->network_is_assigned && a->network_state == STEP_FAILED;
	return a->tried.on_trial || (is_refused && (is_up || !agent_network_below_serves(a)));
}

void agent_k3s_act(struct agent *a, enum rung rung)
{
	if (a->options.without_network)
		return;
	keep_content_client(a);
	if (rung >= RUNG_REGION)
		keep_payload(a); // verifying takes seconds: while the network comes up
	if (!a->assignment)
		return;
	name_machine(a);
	if (a->assignment->stop_k3s && !a->assignment->has_k3s)
		(void)agent_restore_holds(a);
	if (!a->assignment->has_k3s || rung < RUNG_K3S || network_forbids(a) || !a->has_secrets || !a->payload ||
		payload_state(a->payload) != STEP_DONE || !keep_files(a) || agent_restore_holds(a))
		return;
	keep_service(a);
	if (rung == RUNG_STEADY && agent_k3s_is_settled(a) && !a->payload_tidied && !a->payload_next) {
		payload_tidy(a->payload); // K3s came up from this one: the file of the one before is not needed any more
		a->payload_tidied = true;
	}
}

void agent_k3s_forget_bus(struct agent *a)
{
	a->k3s_service = service_free(a->k3s_service);
}

void agent_k3s_done(struct agent *a)
{
	a->k3s_service = service_free(a->k3s_service);
	a->payload_next = payload_free(a->payload_next);
	a->payload = payload_free(a->payload);
	a->content = http_client_free(a->content);
}
