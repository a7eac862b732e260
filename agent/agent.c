// The tick and what surrounds it: start, gather, step, act, publish.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "agent/user-secrets.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "base/timer.h"
#include <errno.h>
#include <malloc.h>
#include <sys/inotify.h>
#include <systemd/sd-daemon.h>

enum {
	TICK_WAITING_MSEC = 1000, // while a rung waits: handshakes, leases and readiness are looked at this often
	TICK_STEADY_SEC = 10,
	REPORT_SEC = 30,          // to the region even without a change
	REPORT_JOBS_SEC = 10,     // ... with a job in hand: agent-jobs.c counts on it
	TEXT_MAX = 256,
};

void agent_kick(struct agent *a)
{
	if (a->tick)
		(void)sd_event_source_set_enabled(a->tick, SD_EVENT_ONESHOT); // a live source
}

void agent_hurry(struct agent *a)
{
	if (a->region)
		region_client_hurry(a->region);
	if (a->payload)
		payload_retry(a->payload);
	a->volumes_asked_usec = 0;
	if (a->bootstrap)
		bootstrap_retry(a->bootstrap);
	if (a->flux)
		flux_watch_hurry(a->flux);
	agent_kick(a);
}

// --- STATE and seed ---

static void look_at_state(struct agent *a)
{
	struct value *document CLEANUP(value_freep) = NULL;
	if (a->state_known || json_load(root_path(a->options.root, RUN_STATE).text, 64 << 10, &document, NULL) < 0)
		return;
	const char *state = value_text(value_find(document, "state"));
	bool durable = false;
	if (value_bool(value_find(document, "durable"), "durable", &durable, NULL) < 0)
		return;
	str_set(&a->state_sentence, value_text(value_find(document, "sentence")));
	a->state_making = str_equal(state, "making");
	a->state_known = !a->state_making;
	a->durable = durable;
}

static void look_for_seed(struct agent *a)
{
	if (a->seed.trust || !(a->state_known || a->state_making))
		return;
	seed_sources_done(&a->seeds);
	seed_sources_load(a->options.root, &a->image, !a->options.root[0], &a->seeds);
	seed_choose(&a->seeds, &a->seed);
	if (a->seed.trust)
		log_notice("seed: %s", a->seed.trust_name);
}

// --- publish ---

static void write_status(struct agent *a)
{
	if (file_write_volatile(root_path(a->options.root, RUN_STATUS).text, a->status_json, strlen(a->status_json), 0644,
		    NULL) < 0)
		log_debug("status.json cannot be written"); // D-Bus has it too
}

static void report(struct agent *a, bool changed, uint64_t now_usec)
{
	if (!a->region || !a->identity->cert_pem || a->from_seed)
		return;
	uint64_t every = (a->n_jobs ? REPORT_JOBS_SEC : REPORT_SEC) * USEC_PER_SEC;
	if (!changed && now_usec - a->reported_usec < every)
		return;
	char *json = agent_status_json(a, true);
	if (json) {
		region_client_send_status(a->region, json);
		a->reported_usec = now_usec;
	}
}

// What is worth telling: not the seconds of a handshake.
static char *essence(const struct agent *a)
{
	struct json_out out = { 0 };
	json_out_array_begin(&out);
	json_out_string(&out, rung_name(a->action.rung));
	json_out_string(&out, a->action.sentence);
	for (size_t i = 0; i < a->action.n_warnings; i++)
		json_out_string(&out, a->action.warnings[i]);
	json_out_string(&out, a->region ? a->region->code : "");
	json_out_string(&out, a->pod_cidrs_seen);
	json_out_string(&out, a->has_node ? a->node.pod_cidr : "");
	json_out_bool(&out, agent_node_is_ready(a));
	agent_status_cluster(a, &out);
	json_out_object_begin(&out);
	agent_vlans_to_json(a, &out);
	json_out_object_end(&out);
	json_out_string(&out, a->volumes_json);
	json_out_int(&out, (int64_t)a->mesh_mark);
	json_out_string(&out, a->mesh_candidates);
	json_out_object_begin(&out);
	agent_mesh_key_to_json(a, &out);
	json_out_object_end(&out);
	const struct flux *flux = a->flux ? flux_watch_picture(a->flux) : NULL;
	json_out_int(&out, flux ? (int64_t)flux->n : -1);
	json_out_int(&out, flux ? (int64_t)flux->n_ready : -1);
	json_out_string(&out, a->bootstrap ? bootstrap_holder(a->bootstrap) : "");
	timeline_to_json(&a->timeline, &out);
	timeline_tries_to_json(&a->timeline, &out);
	json_out_array_end(&out);
	return json_out_take(&out);
}

static void publish(struct agent *a, uint64_t now_usec)
{
	char *now AUTO_FREE = essence(a);
	bool changed = !str_equal(now, a->public_json);
	if (changed) {
		free(a->public_json);
		a->public_json = TAKE_PTR(now);
		free(a->status_json);
		a->status_json = agent_status_json(a, false);
		if (a->status_json)
			write_status(a);
		agent_bus_changed(a->bus);
	}
	report(a, changed, now_usec);
}

static void say(struct agent *a, const struct ladder_action *old)
{
	if (a->action.rung != old->rung)
		log_notice("%s -> %s: %s", rung_name(old->rung), rung_name(a->action.rung), a->action.sentence);
	else if (!str_equal(a->action.sentence, old->sentence))
		log_info("%s: %s", rung_name(a->action.rung), a->action.sentence);
	for (size_t i = 0; i < a->action.n_warnings; i++)
		if (i >= old->n_warnings || !str_equal(a->action.warnings[i], old->warnings[i]))
			log_warning("%s", a->action.warnings[i]);
}

// --- the tick ---

static void act(struct agent *a)
{
	enum rung rung = a->action.rung;
	if (a->state_known && !a->region && agent_region_start(a) == 0)
		agent_kick(a); // what STATE holds changes the facts
	agent_network_act(a, rung);
	agent_vlans_act(a);
	agent_region_act(a);
	agent_time_act(a);
	agent_volumes_act(a);
	agent_k3s_act(a, rung);
	agent_api_act(a);
	agent_cluster_act(a, rung);
	agent_jobs_act(a);
	agent_snapshots_act(a);
	agent_health_act(a, rung);
}

static void arm(struct agent *a)
{
	uint64_t delay = a->action.rung == RUNG_STEADY && !a->mesh_restless ? TICK_STEADY_SEC * USEC_PER_SEC : TICK_WAITING_MSEC * USEC_PER_MSEC;
	if (timer_arm(a->timer, delay) < 0)
		log_warning("the timer of the tick cannot be armed");
}

static int on_tick(sd_event_source *source, void *user)
{
	struct agent *a = user;
	struct facts facts;
	struct ladder_action old = a->action;
	char buffer[TEXT_MAX] = "";
	uint64_t now_usec = time_boot_usec();
	look_at_state(a);
	look_for_seed(a);
	agent_bus_try(a->bus);
	act(a);
	agent_gather(a, &facts, buffer, sizeof(buffer));
	a->action = ladder_step(&facts, now_usec);
	(void)timeline_record(&a->timeline, a->action.rung, now_usec); // publish() sees the change
	say(a, &old);
	publish(a, now_usec);
	if (a->action.rung != old.rung)
		agent_kick(a); // act on the new rung at once
	if (a->action.rung >= RUNG_BOOTSTRAP)
		(void)malloc_trim(0); // what the way up took goes back to the machine
	arm(a);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *user)
{
	agent_kick(user);
	return 0;
}

static int on_run_changed(sd_event_source *source, const struct inotify_event *event, void *user)
{
	struct agent *a = user;
	if (event->len && str_equal(event->name, "volumes.json"))
		a->volumes_looked = false;
	if (event->len && (str_equal(event->name, "state.json") || str_equal(event->name, "volumes.json") ||
				  str_equal(event->name, "k3s-command-done.json")))
		agent_kick(a);
	if (event->len && str_equal(event->name, "safe-network") && !a->options.without_network &&
		unlink(root_path(a->options.root, RUN_SAFE_NETWORK).text) == 0)
		agent_safe_network(a);
	if (event->len && str_equal(event->name, "vlan-pick") && !a->options.without_network)
		agent_vlans_take_pick(a);
	return 0;
}

// --- start and end ---

static void load_timeline(struct agent *a)
{
	struct value *document CLEANUP(value_freep) = NULL;
	if (json_load(root_path(a->options.root, RUN_STATUS).text, 1 << 20, &document, NULL) == 0) {
		timeline_from_value(&a->timeline, value_find(document, "timeline"));
		timeline_tries_from_value(&a->timeline, value_find(document, "networkTries"));
	}
}

int agent_new(sd_event *event, const struct agent_options *options, struct agent **ret)
{
	struct agent *a CLEANUP(agent_freep) = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->event = sd_event_ref(event);
	a->options = *options;
	a->poke_fd = a->mesh_mtu_fd = -1;
	image_facts_load(options->root, &a->image);
	machine_load(&a->machine);
	int r = file_make_folders(root_path(options->root, "/run/hearth").text, 0755);
	if (r < 0)
		return r;
	load_timeline(a);
	if ((r = sd_event_add_defer(event, &a->tick, on_tick, a)) < 0 ||
		(r = sd_event_source_set_priority(a->tick, SD_EVENT_PRIORITY_IDLE)) < 0 ||
		(r = sd_event_add_time_relative(event, &a->timer, CLOCK_BOOTTIME, 0, 10 * USEC_PER_MSEC, on_timer, a)) < 0 ||
		(r = sd_event_add_inotify(event, &a->run_watch, root_path(options->root, "/run/hearth").text,
			 IN_MOVED_TO | IN_CLOSE_WRITE, on_run_changed, a)) < 0)
		return r;
	if ((r = agent_bus_new(a, &a->bus)) < 0)
		return r;
	if (!options->without_network && (r = agent_network_start(a)) < 0)
		return r;
	*ret = TAKE_PTR(a);
	return 0;
}

static void free_texts(struct agent *a)
{
	char **const texts[] = { &a->state_sentence, &a->identity_problem, &a->clock_problem, &a->assignment_problem,
		&a->network_problem, &a->first_contact_problem, &a->network_try, &a->network_missing, &a->confirm_problem, &a->mesh_problem, &a->mesh_refused, &a->k3s_problem, &a->node_problem,
		&a->pod_cidrs_seen, &a->k3s_settings_json, &a->cluster_network_problem, &a->bootstrap_problem, &a->volumes_wanted,
		&a->volumes_json, &a->volumes_sentence, &a->persistent_volumes, &a->storage_sentence, &a->restore_sentence, &a->status_json, &a->public_json };
	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		free(*texts[i]);
}

struct agent *agent_free(struct agent *a)
{
	if (!a)
		return NULL;
	agent_jobs_done(a);
	agent_api_done(a);
	agent_health_done(a);
	agent_cluster_done(a);
	agent_k3s_done(a);
	agent_time_forget_bus(a);
	agent_volumes_forget_bus(a);
	agent_command_forget_bus(a);
	agent_mesh_key_done(a);
	agent_mesh_mtu_done(a);
	agent_network_done(a);
	region_client_free(a->region);
	identity_free(a->identity);
	agent_bus_free(a->bus);
	assignment_free(a->assignment);
	agent_mesh_done(a);
	secrets_done(&a->secrets);
	user_secrets_free(a->user_secrets);
	region_record_done(&a->region_record);
	seed_sources_done(&a->seeds);
	sd_event_source_disable_unref(a->tick);
	sd_event_source_disable_unref(a->timer);
	sd_event_source_disable_unref(a->run_watch);
	free_texts(a);
	sd_event_unref(a->event);
	free(a);
	return NULL;
}
