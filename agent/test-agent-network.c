// What hearthd makes of a trial that ends otherwise than by its own judgement. The network of the trial is a word in memory; what
// is below it is the kernel's, in a namespace with nothing in it.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/agent.h"
#include "base/file.h"
#include "base/json.h"
#include "base/time.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>

#define ASSIGNED "{\"ethernets\":{\"eth9\":{\"addresses\":[\"10.77.0.9/24\"]}}}"
#define LAST_GOOD "{\"ethernets\":{\"eth9\":{\"addresses\":[\"10.77.0.1/24\"]}}}"
enum { TIMEOUT_SEC = 30 };

static const char *kernel; // what the double's kernel has
static bool is_alone;      // in a namespace
static bool fail_apply;    // the change fails half-way
static bool fail_restore;  // what was before cannot be made so again
static unsigned n_restores;

// --- the double ---

static int remember(const struct trial *trial, struct network *tried, struct journal *ret, struct diag *reterr)
{
	ret->before = strdup(kernel);
	return ret->before ? 0 : -ENOMEM;
}

static int plan(const struct trial *trial, struct network *network, struct plan **ret, struct diag *reterr)
{
	return 0;
}

static int apply(const struct trial *trial, struct network *network, struct plan *planned, struct diag *reterr)
{
	kernel = fail_apply ? "half of tried" : "tried";
	return fail_apply ? diag_set(reterr, -EIO, "eth9", "the driver says no") : 0;
}

static int restore(const struct trial *trial, const struct journal *journal, struct diag *reterr)
{
	n_restores++;
	kernel = fail_restore ? "half of before" : "before";
	return fail_restore ? diag_set(reterr, -EIO, "bond0", "the kernel says no") : 0;
}

static const struct trial_steps steps = {.remember = remember, .plan = plan, .apply = apply, .restore = restore};

// --- the agent ---

static void enter_namespace(void)
{
	is_alone = unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		   mount("none", "/run", "tmpfs", 0, NULL) == 0;
}

static int agent_start(void **state)
{
	static char folder[64];
	(void)snprintf(folder, sizeof(folder), "/tmp/hearth-network-XXXXXX");
	struct agent *a = calloc(1, sizeof(*a));
	if (!a || !mkdtemp(folder) || sd_event_new(&a->event) < 0)
		return -1;
	*state = a;
	kernel = "before";
	fail_apply = fail_restore = false;
	n_restores = 0;
	a->options.root = folder;
	a->state_known = true;
	a->assignment = calloc(1, sizeof(*a->assignment));
	if (!a->assignment || json_parse(ASSIGNED, strlen(ASSIGNED), 1 << 10, &a->assignment->document, NULL) < 0)
		return -1;
	a->assignment->network = a->assignment->document;
	if (!is_alone)
		return 0;
	int r = agent_network_start(a);
	a->trial.steps = &steps;
	a->network_recovered = true;
	return r;
}

static int agent_end(void **state)
{
	struct agent *a = *state;
	char *command AUTO_FREE = str_format("rm -rf '%s'", a->options.root);
	if (is_alone)
		agent_network_done(a);
	agent_mesh_done(a);
	value_free(a->assignment->document);
	free(a->assignment);
	sd_event_unref(a->event);
	free(a->network_problem);
	free(a->network_try);
	free(a->network_missing);
	free(a->first_contact_problem);
	free(a);
	return system(command);
}

static int lock(const struct agent *a)
{
	int fd = -1;
	assert_int_equal(trial_lock(&a->trial, 0, &fd, NULL), 0);
	return fd;
}

// Somebody's trial; of hearthd it is as begin_trial() leaves it.
static void begin(struct agent *a, const char *who, uint64_t timeout_sec)
{
	struct network *network CLEANUP(network_freep) = NULL;
	struct plan *unused = NULL;
	struct trial trial = a->trial;
	trial.who = who;
	int lock_fd AUTO_CLOSE = lock(a);
	uint64_t now_usec = time_boot_usec(), deadline_usec = timeout_sec ? now_usec + timeout_sec * USEC_PER_SEC : 0;
	assert_int_equal(trial_decode(&trial, ASSIGNED, &network, NULL), 0);
	assert_int_equal(trial_prepare(&trial, lock_fd, network, &unused, NULL), 0);
	assert_int_equal(trial_begin(&trial, lock_fd, ASSIGNED, network, unused, deadline_usec, NULL), 0);
	if (!str_equal(who, "hearthd"))
		return;
	a->tried.on_trial = a->network_is_assigned = true;
	a->tried.applied_usec = now_usec;
	a->tried.deadline_usec = deadline_usec;
}

static void act(struct agent *a)
{
	agent_network_act(a, RUNG_NETWORK);
}

static bool was_said(const struct agent *a, const char *text)
{
	for (size_t i = 0; i < a->timeline.n_tries; i++)
		if (str_equal(a->timeline.tries[i].text, text))
			return true;
	return false;
}

// --- cases ---

#define NEEDS_NAMESPACE() \
	do { \
		if (!is_alone) \
			skip(); \
	} while (0)

static void trial_waits_for_its_proof(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	begin(a, "hearthd", TIMEOUT_SEC);
	act(a);
	assert_true(a->tried.on_trial);
	assert_string_equal(kernel, "tried");
}

static void confirmation_by_a_person_stands(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	begin(a, "hearthd", TIMEOUT_SEC);
	int lock_fd AUTO_CLOSE = lock(a);
	assert_int_equal(trial_confirm(&a->trial, lock_fd, time_boot_usec(), NULL), 0);
	act(a);
	assert_false(a->tried.on_trial);
	assert_true(a->network_is_assigned);
	assert_int_equal(a->n_network_refusals, 0);
	assert_true(was_said(a, "a person confirmed it by hearth-net"));
	assert_string_equal(kernel, "tried");
}

static void undoing_by_a_person_is_a_refusal(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	begin(a, "hearthd", TIMEOUT_SEC);
	int lock_fd = lock(a);
	assert_int_equal(trial_revert(&a->trial, lock_fd, NULL), 1);
	(void)close(lock_fd);
	act(a);
	assert_false(a->tried.on_trial || a->network_is_assigned);
	assert_int_equal(a->n_network_refusals, 1);
	assert_string_equal(a->network_problem, "a person undid it by hearth-net");
}

static void another_assignment_breaks_off_and_refuses_nothing(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	begin(a, "hearthd", TIMEOUT_SEC);
	a->tried.applied_usec = 0; // as take_assignment() leaves it
	a->network_is_assigned = false;
	act(a);
	assert_false(a->tried.on_trial);
	assert_int_equal(a->n_network_refusals, 0);
	assert_true(was_said(a, "another network was assigned"));
	assert_string_equal(kernel, "before");
}

static void refusal_goes_back_to_what_reached_the_region(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	int lock_fd = lock(a);
	assert_int_equal(trial_keep(&a->trial, lock_fd, LAST_GOOD, NULL), 0);
	(void)close(lock_fd);
	a->confirmed_document = trial_confirmed(&a->trial);
	a->network_candidate = NETWORK_DHCP;
	begin(a, "hearthd", TIMEOUT_SEC);
	a->tried.deadline_usec = a->tried.applied_usec; // its time is over
	act(a);
	assert_int_equal(a->n_network_refusals, 1);
	assert_string_equal(kernel, "before");
	assert_int_equal(a->network_candidate, NETWORK_DHCP);
}

// hearthd is another process from now on.
static void restart(struct agent *a)
{
	a->tried.on_trial = a->network_is_assigned = a->network_recovered = a->refused_loaded = a->refused_seen = false;
	a->tried.applied_usec = a->n_network_refusals = a->network_refused_usec = 0;
	a->network_recover_usec = 0;
	a->network_state = STEP_IDLE;
	a->refused = (struct refused_network){ 0 };
	a->timeline.n_tries = 0;
	str_set(&a->network_problem, NULL);
}

static void expect_told(const struct agent *a, const char *expected)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	agent_network_to_json(a, &out);
	json_out_object_end(&out);
	char *text AUTO_FREE = json_out_take(&out);
	assert_string_equal(text, expected);
}

#define UNDONE "with it the region does not answer any more"
#define TOLD "{\"networkRefused\":{\"times\":1,\"reason\":\"" UNDONE "\"}}"
#define NOT_YET "not tried yet, as it did not hold before this start: "

static void refused_network_is_known_after_a_restart(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	begin(a, "hearthd", TIMEOUT_SEC);
	a->tried.deadline_usec = a->tried.applied_usec; // its time is over
	act(a);
	assert_int_equal(a->n_network_refusals, 1);
	assert_string_equal(a->network_problem, UNDONE);
	expect_told(a, TOLD);
	restart(a);
	act(a);
	assert_int_equal(a->n_network_refusals, 1);
	assert_true(a->network_refused_usec > 0);
	assert_int_equal(a->network_state, STEP_FAILED);
	assert_string_equal(a->network_problem, UNDONE);
	assert_true(was_said(a, NOT_YET UNDONE));
	expect_told(a, TOLD);
	agent_safe_network(a); // a person
	restart(a);
	act(a);
	assert_int_equal(a->n_network_refusals, 0);
	expect_told(a, "{}");
}

static void confirmed_network_has_no_refusals(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	begin(a, "hearthd", TIMEOUT_SEC);
	a->tried.deadline_usec = a->tried.applied_usec;
	act(a);
	int lock_fd = lock(a);
	assert_int_equal(trial_keep(&a->trial, lock_fd, ASSIGNED, NULL), 0);
	(void)close(lock_fd);
	restart(a);
	act(a);
	assert_false(was_said(a, NOT_YET UNDONE));
}

static void second_trial_in_a_row_that_is_cut_off_is_a_refusal(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	begin(a, "hearthd", TIMEOUT_SEC);
	restart(a);
	act(a);
	assert_string_equal(kernel, "before");
	assert_int_equal(a->n_network_refusals, 0);
	begin(a, "hearthd", TIMEOUT_SEC);
	restart(a);
	act(a);
	assert_int_equal(a->n_network_refusals, 1);
	assert_string_equal(a->network_problem, "hearthd or the machine stopped while it was on trial, 2 times");
}

#define TRIED_FILE "/run/systemd/network/10-hearth-eth9.network"
#define FAILED "bond0: the kernel says no"
#define GIVEN_UP "what was before it cannot be set up again: " FAILED

// A last good network is there, too: the two must not take turns.
static void begin_what_cannot_be_undone(struct agent *a)
{
	int lock_fd AUTO_CLOSE = lock(a);
	assert_int_equal(trial_keep(&a->trial, lock_fd, LAST_GOOD, NULL), 0);
	a->confirmed_document = trial_confirmed(&a->trial);
	a->network_candidate = NETWORK_DHCP;
	(void)close(TAKE_FD(lock_fd));
	begin(a, "hearthd", TIMEOUT_SEC);
	fail_restore = true;
}

// Where no networkd runs it is there but for that.
static bool has_what_is_below(const struct agent *a)
{
	return a->network || a->first_contact_problem;
}

static void expect_what_is_below(struct agent *a)
{
	unsigned n = n_restores;
	assert_true(was_said(a, GIVEN_UP));
	assert_true(has_what_is_below(a));
	assert_false(a->tried.on_trial || a->network_is_assigned || a->network_given_up);
	assert_null(a->tried.undo_problem);
	assert_int_equal(trial_look(&a->trial, time_boot_usec(), NULL), TRIAL_NONE);
	act(a);
	assert_int_equal(n_restores, n); // and nobody goes back
	assert_string_equal(kernel, "half of before");
}

static void undoing_that_fails_for_good_ends_in_what_is_below(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	begin_what_cannot_be_undone(a);
	a->tried.deadline_usec = a->tried.applied_usec; // its time is over
	(void)unlink(TRIED_FILE); // of another case
	for (unsigned n = 1; n <= 3; n++) {
		a->network_dirty = n > 1; // undoing moves links
		act(a);
		assert_false(file_exists(TRIED_FILE)); // it is not set once more
		assert_true(a->tried.on_trial);
		assert_int_equal(n_restores, n);
		assert_string_equal(kernel, "half of before"); // and never the last good one
		assert_string_equal(a->tried.undo_problem, FAILED);
		assert_false(has_what_is_below(a));
	}
	a->tried.undo_usec -= 10 * USEC_PER_SEC;
	act(a);
	assert_int_equal(a->n_network_refusals, 1);
	assert_string_equal(a->network_problem, "replaced, as it could not be undone: " UNDONE);
	assert_int_equal(a->network_candidate, NETWORK_DHCP);
	expect_what_is_below(a);
}

static void undoing_succeeds_when_it_can_again(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	begin_what_cannot_be_undone(a);
	agent_safe_network(a); // a person
	act(a);
	assert_true(a->tried.on_trial);
	agent_safe_network(a);
	act(a);
	assert_true(a->tried.on_trial); // what is half undone does not prove itself any more
	assert_int_equal(n_restores, 2);
	fail_restore = false;
	act(a);
	assert_false(a->tried.on_trial);
	assert_string_equal(kernel, "before");
	assert_int_equal(a->n_network_refusals, 0);
}

static void what_a_killed_hearthd_left_and_cannot_be_undone_ends_too(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	begin_what_cannot_be_undone(a);
	restart(a);
	for (unsigned n = 1; n <= 2; n++) {
		act(a);
		assert_int_equal(n_restores, n);
		assert_string_equal(kernel, "half of before");
		assert_string_equal(a->tried.undo_problem, FAILED);
		assert_false(has_what_is_below(a));
	}
	a->network_recover_usec -= 30 * USEC_PER_SEC;
	act(a);
	expect_what_is_below(a);
}

static void network_that_can_never_be_whole_is_refused_at_once(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	begin(a, "hearthd", TIMEOUT_SEC);
	str_set(&a->network_missing, "eth9: somebody else has it");
	act(a);
	assert_true(a->tried.on_trial);
	a->network_missing_in_vain = true;
	act(a);
	assert_false(a->tried.on_trial);
	assert_string_equal(kernel, "before");
	assert_string_equal(a->network_problem, "eth9: somebody else has it");
}

#define RESTARTED "hearthd was restarted before it was confirmed: undone"

// The region answers, so the assigned network is tried; neither that nor undoing it succeeds.
static void try_what_fails_and_cannot_be_undone(struct agent *a)
{
	static struct region_client region = {.contact = REGION_FOUND};
	fail_apply = fail_restore = true;
	a->region = &region;
	act(a);
	a->region = NULL;
	assert_true(strstr(a->tried.undo_problem, "the driver says no; undoing it failed, too: " FAILED));
	assert_int_equal(n_restores, 1);
	assert_string_equal(kernel, "half of before");
	assert_false(has_what_is_below(a));
	act(a);
	assert_int_equal(n_restores, 2);
	assert_false(has_what_is_below(a));
}

static void change_that_fails_and_cannot_be_undone_waits_for_that(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	try_what_fails_and_cannot_be_undone(a);
	fail_restore = false;
	act(a);
	assert_string_equal(kernel, "before");
	assert_true(has_what_is_below(a));
	assert_false(was_said(a, RESTARTED));
	assert_int_equal(a->refused.unfinished, 0); // nobody was killed
	assert_int_equal(a->n_network_refusals, 1);
	assert_true(str_starts(a->network_problem, "undone, though that failed at first: eth9: the driver says no"));
	assert_true(was_said(a, a->network_problem));
}

static void what_a_killed_program_left_is_undone_while_it_runs(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	begin(a, "hearth-net", 0);
	act(a);
	assert_string_equal(kernel, "before");
	assert_int_equal(trial_look(&a->trial, time_boot_usec(), NULL), TRIAL_NONE);
}

static void trial_of_a_person_is_left_alone(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	begin(a, "hearth-net", TIMEOUT_SEC);
	act(a);
	assert_string_equal(kernel, "tried");
	assert_null(a->network);
}

// --- the mesh ---

// A switch to another key that nobody answered to: the files are as mesh_keys_switch() leaves them.
static void give_keys(struct agent *a)
{
	struct mesh_keys *keys;
	a->identity = calloc(1, sizeof(*a->identity));
	assert_non_null(a->identity);
	a->identity->folder = strdup(a->options.root);
	a->assignment->mesh_link = "hearth0";
	keys = &a->identity->mesh;
	assert_int_equal(mesh_keys_open(a->identity->folder, keys, NULL), 0);
	assert_int_equal(mesh_keys_make_next(a->identity->folder, keys, NULL), 0);
	assert_int_equal(mesh_keys_switch(a->identity->folder, keys, NULL), 0);
}

static void take_keys(struct agent *a)
{
	agent_mesh_key_done(a);
	a->identity = identity_free(a->identity);
}

static bool tells_its_key(const struct agent *a)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	agent_mesh_key_to_json(a, &out);
	json_out_object_end(&out);
	char *text AUTO_FREE = json_out_take(&out);
	return strstr(text, a->identity->mesh.current) != NULL;
}

static void key_is_told_once_the_kernel_has_it(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	give_keys(a);
	assert_false(tells_its_key(a)); // a start amid the switch
	a->network_is_assigned = true;
	a->network_dirty = true; // something of it cannot be set
	a->mesh_key_usec = 1; // long ago
	assert_true(tells_its_key(a));
	char *switched AUTO_FREE = strdup(a->identity->mesh.current);
	agent_mesh_key_act(a);
	assert_string_equal(a->identity->mesh.next, switched); // gone back
	assert_null(a->identity->mesh.old);
	assert_false(tells_its_key(a));
	a->network_dirty = false; // as it is when an apply of something else was under way
	assert_false(tells_its_key(a));
	a->mesh_key_unset = false; // as apply_assigned() leaves it
	assert_true(tells_its_key(a));
	take_keys(a);
}

static void close_look_needs_a_mesh(void **state)
{
	struct agent *a = *state;
	a->poke_all = true;
	agent_mesh_key_watch(a, time_boot_usec());
	assert_null(a->mesh_key_timer);
	a->mesh_set = true;
	agent_mesh_key_watch(a, time_boot_usec());
	assert_non_null(a->mesh_key_timer);
	assert_true(sd_event_source_get_enabled(a->mesh_key_timer, NULL) > 0);
	a->mesh_set = false;
	agent_mesh_key_done(a);
}

static void close_look_leaves_the_network_to_a_person(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	a->assignment->mesh_link = "hearth0";
	a->network_is_assigned = a->poke_all = a->mesh_set = a->peers_known = true;
	a->mesh_dirty = true; // it would be set
	a->mesh_unsure = true;
	begin(a, "hearth-net", TIMEOUT_SEC);
	agent_mesh_key_watch(a, time_boot_usec());
	assert_int_equal(sd_event_run(a->event, USEC_PER_SEC), 1);
	assert_null(a->mesh_problem);
	int lock_fd = lock(a);
	assert_int_equal(trial_revert(&a->trial, lock_fd, NULL), 1);
	(void)close(lock_fd);
	agent_mesh_key_watch(a, time_boot_usec());
	assert_int_equal(sd_event_run(a->event, USEC_PER_SEC), 1);
	assert_non_null(a->mesh_problem); // there is no such link here
	free(TAKE_PTR(a->mesh_problem));
	agent_mesh_key_done(a);
}

#define MESH_GOOD "{\"tunnels\":{\"hearth0\":{\"mode\":\"wireguard\",\"key\":\"/nowhere\",\"addresses\":[\"10.66.0.9/16\"]}}}"

// The assigned network was refused, the last good one is there.
static void keep_last_good(struct agent *a)
{
	struct value *document CLEANUP(value_freep) = NULL;
	assert_int_equal(json_parse(MESH_GOOD, strlen(MESH_GOOD), 1 << 10, &document, NULL), 0);
	assert_int_equal(netconf_decode(document, &a->network, NULL), 0);
	a->network_candidate = NETWORK_LAST_GOOD;
	a->network_state = STEP_FAILED;
	a->mesh_dirty = a->peers_known = true;
}

static void mesh_of_the_last_good_network_is_kept_up(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	keep_last_good(a);
	a->assignment->mesh_link = "hearth1"; // it has no such link
	agent_mesh_act(a);
	assert_null(a->mesh_problem);
	a->assignment->mesh_link = "hearth0";
	agent_mesh_act(a);
	assert_non_null(a->mesh_problem); // nor has the kernel here, so it was asked
	free(TAKE_PTR(a->mesh_problem));
}

static void way_to_the_api_is_kept_up_on_the_last_good_network(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	struct assignment *as = a->assignment;
	as->has_k3s = as->server = true;
	as->api_address = as->mesh_address = as->node_ip = "10.66.0.9";
	as->mesh_link = "hearth0";
	a->mesh_set = true;
	agent_api_act(a);
	assert_null(a->api); // there is no mesh
	keep_last_good(a);
	agent_api_act(a);
	assert_non_null(a->api);
	agent_api_done(a);
}

// A LAN that another network changes is where the cluster knows the node: K3s cannot run there any more.
static void last_good_network_serves_where_it_has_the_nodes_address(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	struct netconf_address address = { .text = "10.66.0.9/16" };
	struct netconf_link link = { .name = "hearth0", .addresses = &address, .n_addresses = 1 };
	struct netconf_links links = { .links = &link, .n = 1 }, *before = a->links;
	a->links = &links;
	a->assignment->mesh_link = "hearth0";
	a->assignment->node_ip = "10.66.0.9";
	keep_last_good(a);
	assert_true(agent_network_below_serves(a));
	a->assignment->node_ip = "10.77.0.9";
	assert_false(agent_network_below_serves(a));
	a->assignment->node_ip = "10.66.0.9";
	a->assignment->mesh_link = "hearth1";
	assert_false(agent_network_below_serves(a));
	a->links = before;
}

static void key_of_the_last_good_network_is_rotated(void **state)
{
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	give_keys(a);
	keep_last_good(a);
	a->mesh_key_usec = 1; // long ago
	char *switched AUTO_FREE = strdup(a->identity->mesh.current);
	agent_mesh_key_act(a);
	assert_string_equal(a->identity->mesh.next, switched); // gone back, as nobody answers to it
	take_keys(a);
}

// A node switches to its next key by that.
static void kernel_has_the_peers_before_the_region_hears_so(void **state)
{
	static const char news[] = "{\"generation\": \"e.2\", \"full\": true, \"peers\": [], \"removed\": []}";
	NEEDS_NAMESPACE();
	struct agent *a = *state;
	struct diag diag = {0};
	a->assignment->mesh_link = "hearth0";
	a->network_is_assigned = a->mesh_set = true;
	assert_int_equal(agent_region_start(a), 0);
	const struct region_events *events = &a->region->events; // as the client calls it, which asks again right behind
	assert_int_equal(events->on_mesh(news, strlen(news), &diag, events->user), 0);
	assert_string_equal(a->peers.generation, "e.2");
	assert_false(a->mesh_dirty);
	region_client_free(a->region);
	identity_free(a->identity);
	region_record_done(&a->region_record);
	agent_mesh_key_done(a);
}

static void first_peer_that_answers_is_asked_for_its_path(void **state)
{
	static const char peers[] = "{\"generation\":\"e.1\",\"full\":true,\"peers\":[{\"name\":\"b\",\"publicKey\":"
		"\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\",\"endpoint\":\"192.0.2.7:1\",\"allowedIps\":[\"10.66.0.13/32\"]}]}";
	struct agent *a = *state;
	a->assignment->mesh_link = "hearth0";
	a->network_is_assigned = a->mesh_set = true;
	a->mesh_mtu_fd = -1;
	assert_int_equal(mesh_peers_update(&a->peers, peers, strlen(peers), NULL), 0);
	a->peers.peers[0].in_kernel = true;
	a->peers.peers[0].handshake_ago_sec = -1;
	agent_mesh_mtu_probe(a);
	assert_int_equal(a->mesh_mtu_asked_usec, 0);
	a->peers.peers[0].handshake_ago_sec = 1;
	agent_mesh_mtu_probe(a);
	assert_int_not_equal(a->mesh_mtu_asked_usec, 0);
	assert_int_equal(a->mesh_mtu_next, 1);
	a->mesh_mtu_asked_usec -= 500 * USEC_PER_SEC; // a long round: it ends with its last peer
	uint64_t asked_usec = a->mesh_mtu_asked_usec;
	agent_mesh_mtu_probe(a);
	assert_int_equal(a->mesh_mtu_asked_usec, asked_usec);
	agent_mesh_mtu_done(a);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, agent_start, agent_end)
	const struct CMUnitTest tests[] = {
		CASE(trial_waits_for_its_proof),
		CASE(confirmation_by_a_person_stands),
		CASE(undoing_by_a_person_is_a_refusal),
		CASE(another_assignment_breaks_off_and_refuses_nothing),
		CASE(refusal_goes_back_to_what_reached_the_region),
		CASE(refused_network_is_known_after_a_restart),
		CASE(confirmed_network_has_no_refusals),
		CASE(second_trial_in_a_row_that_is_cut_off_is_a_refusal),
		CASE(undoing_that_fails_for_good_ends_in_what_is_below),
		CASE(undoing_succeeds_when_it_can_again),
		CASE(what_a_killed_hearthd_left_and_cannot_be_undone_ends_too),
		CASE(network_that_can_never_be_whole_is_refused_at_once),
		CASE(change_that_fails_and_cannot_be_undone_waits_for_that),
		CASE(what_a_killed_program_left_is_undone_while_it_runs),
		CASE(trial_of_a_person_is_left_alone),
		CASE(key_is_told_once_the_kernel_has_it),
		CASE(close_look_needs_a_mesh),
		CASE(close_look_leaves_the_network_to_a_person),
		CASE(mesh_of_the_last_good_network_is_kept_up),
		CASE(way_to_the_api_is_kept_up_on_the_last_good_network),
		CASE(last_good_network_serves_where_it_has_the_nodes_address),
		CASE(key_of_the_last_good_network_is_rotated),
		CASE(first_peer_that_answers_is_asked_for_its_path),
		CASE(kernel_has_the_peers_before_the_region_hears_so),
	};
	enter_namespace();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
