// A restore, a snapshot and another token, from the assignment to the files that are left, against a small systemd of our own
// whose K3s is a script; the power is cut between the steps.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/file.h"
#include "k3s/command-run.h"
#include "k3s/config.h"
#include "k3s/test-systemd.h"
#include "k3s/unpack.h"

#define SNAPSHOT "etcd-snapshot-s1-1795600800"
#define COMMAND_UNIT "hearth-k3s.service"
#define ASSIGNMENT(k3s, more)                                                                                          \
	"{\"node\":{\"name\":\"s1\"},\"role\":\"server\",\"cluster\":{\"name\":\"c\",\"podCidr\":\"10.64.0.0/16\","                    \
	"\"serviceCidr\":\"10.65.0.0/16\"},\"k3s\":" k3s more "}"
#define FIRST(more) ASSIGNMENT("{\"first\":true,\"everReady\":true,\"nodeIp\":\"10.66.0.11\"" more "}", "")
#define JOINER(more) ASSIGNMENT("{\"server\":\"https://10.66.0.12:6443\",\"nodeIp\":\"10.66.0.11\"" more "}", "")

// ---- systemd: k3s.service and hearth-k3s.service, which runs its command while it is started

static struct {
	char root[64];
	sd_event *event;
	struct test_systemd systemd;
	struct test_unit k3s, command;
	bool power_fails; // while the command runs: it leaves no answer
	struct agent agent;
} world;

static void unit_becomes(struct test_unit *unit, const char *active)
{
	unit->active = active;
	assert_true(sd_bus_emit_properties_changed(world.systemd.systemd, unit->path, TEST_UNIT, "ActiveState", NULL) >= 0);
}

static char *below(const char *path)
{
	return str_format("%s%s", world.root, path);
}

static void run_command(void)
{
	struct k3s_command command CLEANUP(k3s_command_done) = { 0 };
	char *order AUTO_FREE = below(RUN_K3S_COMMAND), *answer AUTO_FREE = below(RUN_K3S_COMMAND_DONE), *k3s AUTO_FREE = below("/k3s");
	char *text AUTO_FREE = NULL, sentence[K3S_COMMAND_SENTENCE_MAX];
	size_t n = 0;
	assert_int_equal(file_read(order, K3S_COMMAND_MAX_BYTES, &text, &n, NULL), 0);
	assert_int_equal(k3s_command_parse(text, n, &command, NULL), 0);
	bool done = k3s_command_run(&command, k3s, world.root, 5, sentence);
	char *said AUTO_FREE = k3s_command_answer_format(command.id, done, sentence);
	if (!world.power_fails)
		assert_int_equal(file_write_volatile(answer, said, strlen(said), 0600, NULL), 0);
}

static int on_job(const char *member, const char *unit, const char *mode, sd_bus_error *reterr, void *user)
{
	if (str_equal(unit, COMMAND_UNIT)) {
		assert_string_equal(member, "StartUnit");
		assert_string_equal(world.command.active, "inactive"); // one at a time
		run_command();
	} else if (str_equal(member, "StopUnit")) {
		unit_becomes(&world.k3s, "inactive");
	} else {
		unit_becomes(&world.k3s, "active");
	}
	return 0;
}

// ---- hearthd, as far as it is needed

static void on_changed(struct service *service, void *user)
{
}

static void hearthd_start(const char *assignment)
{
	struct agent *a = &world.agent;
	struct diag diag = { 0 };
	*a = (struct agent){ .options.root = world.root, .event = world.event, .from_seed = true };
	assert_int_equal(agent_bus_new(a, &a->bus), 0);
	if (assignment_decode(assignment, strlen(assignment), &a->assignment, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	assert_int_equal(service_new(world.systemd.bus, K3S_UNIT_SERVER, on_changed, NULL, &a->k3s_service), 0);
	assert_int_equal(service_new(world.systemd.bus, COMMAND_UNIT, on_changed, NULL, &a->command_service), 0);
	for (int i = 0; i < 100; i++)
		assert_true(sd_event_run(world.event, 1000) >= 0);
}

static void hearthd_end(void)
{
	struct agent *a = &world.agent;
	agent_jobs_done(a);
	service_free(a->k3s_service);
	service_free(a->command_service);
	agent_bus_free(a->bus);
	assignment_free(a->assignment);
	secrets_done(&a->secrets);
	free(a->restore_sentence);
}

// The region says something else, or hearthd starts anew, with or without a power cut.
static void next(const char *assignment)
{
	hearthd_end();
	hearthd_start(assignment);
}

static void power_cut(const char *assignment)
{
	char *run AUTO_FREE = below("/run/hearth");
	hearthd_end();
	assert_int_equal(unpack_remove(run), 0);
	assert_int_equal(file_make_folders(run, 0755), 0);
	unit_becomes(&world.k3s, "inactive");
	hearthd_start(assignment);
}

// Ticks until K3s may run (true) or nothing happens any more.
static bool turn(void)
{
	for (int i = 0; i < 60; i++) {
		world.agent.restore_stopped_usec = world.agent.command_asked_usec = 0; // time passes
		if (!agent_restore_holds(&world.agent))
			return true;
		assert_non_null(world.agent.restore_sentence); // no wait without its sentence
		for (int k = 0; k < 10; k++)
			assert_true(sd_event_run(world.event, 500) >= 0);
	}
	return false;
}

static void says(const char *state, const char *words)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	agent_restore_to_json(&world.agent, &out);
	json_out_object_end(&out);
	char *text AUTO_FREE = json_out_take(&out), *wanted AUTO_FREE = str_format("\"state\":\"%s\"", state);
	if (!strstr(text, wanted) || !strstr(text, words))
		fail_msg("not %s with \"%s\": %s", state, words, text);
}

static void lay(const char *path, const char *text, mode_t mode)
{
	char *whole AUTO_FREE = below(path), *folder AUTO_FREE = strdup(whole);
	*strrchr(folder, '/') = '\0';
	assert_int_equal(file_make_folders(folder, 0755), 0);
	assert_int_equal(file_write_volatile(whole, text, strlen(text), mode, NULL), 0);
}

static bool is_there(const char *path)
{
	char *whole AUTO_FREE = below(path);
	return file_exists(whole);
}

static void fake_k3s(const char *body)
{
	char *text AUTO_FREE = str_format("#!/bin/sh\nroot=%s\necho \"$*\" >>\"$root/calls\"\n%s\n", world.root, body);
	lay("/k3s", text, 0755);
}

static unsigned n_calls(void)
{
	char *path AUTO_FREE = below("/calls"), *text AUTO_FREE = NULL;
	unsigned n = 0;
	if (file_read(path, 1 << 16, &text, NULL, NULL) < 0)
		return 0;
	for (const char *c = text; *c; c++)
		n += *c == '\n';
	return n;
}

static int set_up(void **state)
{
	strcpy(world.root, "/tmp/hearth-agent-restore.XXXXXX");
	world.power_fails = false;
	if (!mkdtemp(world.root) || sd_event_new(&world.event) < 0)
		return -1;
	lay("/run/hearth/x", "", 0600);
	lay("/state/hearth/x", "", 0600);
	lay(SNAPSHOTS_FOLDER "/" SNAPSHOT, "snapshot", 0600);
	lay(K3S_DATA "/server/db/etcd/member/wal/0", "old", 0600);
	fake_k3s("exit 0");
	world.systemd.on_job = on_job;
	test_systemd_make(&world.systemd, world.event);
	test_unit_add(&world.systemd, &world.k3s, TEST_MANAGER_PATH "/unit/k3s_2eservice");
	world.k3s.active = "active";
	test_unit_add(&world.systemd, &world.command, TEST_MANAGER_PATH "/unit/hearth_2dk3s_2eservice");
	return 0;
}

static int tear_down(void **state)
{
	hearthd_end();
	test_systemd_drop(&world.systemd);
	sd_event_unref(world.event);
	return unpack_remove(world.root);
}

// ---- the cases

#define RESTORE(begin) FIRST(",\"restore\":{\"n\":3,\"snapshot\":\"" SNAPSHOT "\",\"begin\":" begin "}")

static void a_snapshot_is_restored_once(void **state)
{
	hearthd_start(FIRST(""));
	assert_true(turn());
	next(RESTORE("false"));
	assert_false(turn());
	assert_string_equal(world.k3s.active, "inactive");
	says("stopped", "\"n\":3");
	assert_int_equal(n_calls(), 0); // others may run yet
	next(RESTORE("true"));
	assert_true(turn());
	says("restored", "\"n\":3");
	assert_int_equal(n_calls(), 1);
	unit_becomes(&world.k3s, "active");
	power_cut(RESTORE("true")); // the region did not hear of it
	assert_true(turn());
	next(FIRST(""));
	assert_true(turn());
	assert_int_equal(n_calls(), 1);
}

static void what_is_not_there_is_refused_and_k3s_runs_on(void **state)
{
	hearthd_start(FIRST(",\"restore\":{\"n\":3,\"snapshot\":\"other\",\"begin\":true}"));
	assert_true(turn());
	says("failed", "there is no snapshot other in " SNAPSHOTS_FOLDER " of this server; nothing was touched");
	assert_string_equal(world.k3s.active, "active");
	assert_int_equal(n_calls(), 0);
}

static void a_restore_that_fails_leaves_k3s_stopped(void **state)
{
	fake_k3s("echo 'FATA[0001] bad token' >&2; exit 1");
	hearthd_start(RESTORE("true"));
	assert_false(turn());
	says("failed", "exit status 1): FATA[0001] bad token");
	assert_non_null(strstr(world.agent.restore_sentence, "K3s stays stopped"));
	power_cut(RESTORE("true"));
	assert_false(turn());
	says("failed", "bad token"); // and is not tried again by itself
	assert_int_equal(n_calls(), 1);
	fake_k3s("exit 0");
	next(FIRST(",\"restore\":{\"n\":4,\"snapshot\":\"" SNAPSHOT "\",\"begin\":true}"));
	assert_true(turn());
	says("restored", "\"n\":4");
}

static void power_cuts_while_it_restores_end(void **state)
{
	world.power_fails = true;
	hearthd_start(RESTORE("true"));
	for (int cut = 0; cut < 8; cut++) {
		for (int i = 0; i < 3; i++) { // into the command, and no further
			(void)agent_restore_holds(&world.agent);
			for (int k = 0; k < 20; k++)
				assert_true(sd_event_run(world.event, 200) >= 0);
		}
		power_cut(RESTORE("true"));
	}
	assert_false(turn());
	says("failed", "cut off three times");
	assert_int_equal(n_calls(), RESTORE_MAX_TRIES);
}

static void a_hearthd_that_is_restarted_asks_for_no_second_restore(void **state)
{
	hearthd_start(RESTORE("true"));
	for (int i = 0; i < 4 && n_calls() == 0; i++) {
		(void)agent_restore_holds(&world.agent);
		for (int k = 0; k < 20; k++)
			assert_true(sd_event_run(world.event, 200) >= 0);
	}
	assert_int_equal(n_calls(), 1);
	next(RESTORE("true")); // its answer lies in /run
	assert_true(turn());
	says("restored", "\"n\":3");
	assert_int_equal(n_calls(), 1);
}

static void another_server_stops_and_joins_with_an_empty_database(void **state)
{
	hearthd_start(ASSIGNMENT("null", ",\"waitingFor\":\"x\",\"stopK3s\":3"));
	assert_false(turn());
	says("stopped", "\"n\":3");
	assert_true(is_there(K3S_DATA "/server/db/etcd/member/wal/0")); // nothing is lost yet
	next(JOINER(",\"rejoin\":3"));
	assert_true(turn());
	assert_true(!is_there(K3S_DATA "/server/db/etcd") && is_there(SNAPSHOTS_FOLDER "/" SNAPSHOT));
	assert_true(is_there(K3S_DATA "/server/db-before-restore-3/etcd/member/wal/0"));
	lay(K3S_DATA "/server/db/etcd/member/wal/0", "new", 0600);
	unit_becomes(&world.k3s, "active");
	power_cut(JOINER(",\"rejoin\":3"));
	assert_true(turn());
	assert_true(is_there(K3S_DATA "/server/db/etcd/member/wal/0")); // once is enough
	world.agent.has_node = world.agent.node.ready = world.agent.node.has_etcd = world.agent.node.etcd_voter = true;
	assert_true(turn());
	assert_false(is_there(K3S_DATA "/server/db-before-restore-3"));
	// The region was taken back to a backup of before it joined: the others need its vote.
	next(ASSIGNMENT("null", ",\"waitingFor\":\"x\",\"stopK3s\":3"));
	unit_becomes(&world.k3s, "active");
	assert_true(turn());
	assert_string_equal(world.k3s.active, "active");
	next(ASSIGNMENT("null", ",\"waitingFor\":\"x\",\"stopK3s\":4"));
	assert_false(turn());
	assert_string_equal(world.k3s.active, "inactive");
}

static void a_damaged_note_does_nothing_by_itself(void **state)
{
	lay(STATE_K3S_RESTORE, "hearth-file-v1 00\n{}", 0600);
	hearthd_start(JOINER(",\"rejoin\":3"));
	assert_true(turn());
	assert_true(is_there(K3S_DATA "/server/db/etcd/member/wal/0"));
	assert_string_equal(world.k3s.active, "active");
	power_cut(JOINER(",\"rejoin\":3")); // the note was set aside: it is not taken for "never"
	unit_becomes(&world.k3s, "active");
	assert_true(turn());
	assert_true(is_there(K3S_DATA "/server/db/etcd/member/wal/0"));
	lay(STATE_K3S_RESTORE, "torn", 0600);
	next(RESTORE("true"));
	assert_true(turn());
	says("failed", "its note was damaged");
	assert_int_equal(n_calls(), 0);
	lay(STATE_K3S_RESTORE, "torn", 0600);
	next(ASSIGNMENT("null", ",\"waitingFor\":\"x\",\"stopK3s\":3"));
	assert_false(turn()); // to stop it harms nothing
	assert_string_equal(world.k3s.active, "inactive");
}

// ---- jobs by the same way

#define JOB "j-0123456789abcdef"
#define JOBS(kind) ASSIGNMENT("{\"first\":true,\"nodeIp\":\"10.66.0.11\"}", ",\"jobs\":[{\"id\":\"" JOB "\",\"kind\":\"" kind "\",\"node\":\"s1\"}]")

static char *jobs_turn(void)
{
	struct json_out out = { 0 };
	for (int i = 0; i < 30; i++) {
		agent_jobs_act(&world.agent);
		for (int k = 0; k < 10; k++)
			assert_true(sd_event_run(world.event, 300) >= 0);
	}
	agent_jobs_to_json(&world.agent, &out);
	return json_out_take(&out);
}

static void a_snapshot_is_made_and_told(void **state)
{
	fake_k3s("printf 0123 >\"$root" SNAPSHOTS_FOLDER "/$4-s1-1795600900\"");
	hearthd_start(JOBS("etcd-snapshot"));
	char *text AUTO_FREE = jobs_turn();
	assert_string_equal(text, "{\"" JOB "\":{\"state\":\"done\",\"sentence\":\"made the snapshot "
		"hearth-0123456789abcdef-s1-1795600900, 0.0 MiB\"}}");
	agent_snapshots_act(&world.agent);
	assert_int_equal(world.agent.n_snapshots, 2);
	power_cut(JOBS("etcd-snapshot")); // nobody heard of it
	unit_becomes(&world.k3s, "active");
	char *again AUTO_FREE = jobs_turn();
	assert_string_equal(again, text);
	assert_int_equal(n_calls(), 1);
}

static void a_command_without_an_answer_is_not_begun_for_ever(void **state)
{
	struct json_out out = { 0 };
	world.power_fails = true; // hearth-k3s is killed
	fake_k3s("exit 0");
	hearthd_start(JOBS("etcd-snapshot"));
	for (int i = 0; i < 10; i++) {
		world.agent.command_asked_usec = 0; // time passes
		agent_jobs_act(&world.agent);
		for (int k = 0; k < 10; k++)
			assert_true(sd_event_run(world.event, 300) >= 0);
	}
	agent_jobs_to_json(&world.agent, &out);
	char *text AUTO_FREE = json_out_take(&out);
	assert_non_null(strstr(text, "\"failed\",\"sentence\":\"k3s etcd-snapshot save was begun 3 times"));
	assert_int_equal(n_calls(), 3);
}

static void what_k3s_cannot_be_told_fails_at_once(void **state)
{
	hearthd_start(ASSIGNMENT("{\"first\":true,\"nodeIp\":\"10.66.0.11\",\"overrides\":{\"etcd-snapshot-dir\":\"/mnt/a b\"}}",
		",\"jobs\":[{\"id\":\"" JOB "\",\"kind\":\"etcd-snapshot\",\"node\":\"s1\"}]"));
	char *text AUTO_FREE = jobs_turn();
	assert_non_null(strstr(text, "\"failed\",\"sentence\":\"K3s cannot be told: folder: must be an absolute path"));
	assert_int_equal(n_calls(), 0);
}

static void a_token_waits_for_the_secret_and_is_kept_from_the_sentences(void **state)
{
	hearthd_start(JOBS("rotate-token"));
	char *waits AUTO_FREE = jobs_turn();
	assert_non_null(strstr(waits, "waiting for the region to give the new token"));
	assert_int_equal(n_calls(), 0);
	fake_k3s("echo \"no $4\" >&2; exit 1");
	world.agent.secrets.token_next = strdup("0f1e2d3c");
	char *failed AUTO_FREE = jobs_turn();
	assert_non_null(strstr(failed, "k3s token rotate failed (exit status 1): no ********"));
	assert_false(is_there(RUN_K3S_COMMAND)); // the order held it
	assert_false(world.agent.k3s_token_next);
}

static void a_token_that_is_taken_is_what_k3s_starts_with(void **state)
{
	fake_k3s("exit 0");
	hearthd_start(JOBS("rotate-token"));
	world.agent.secrets.token_next = strdup("0f1e2d3c");
	char *done AUTO_FREE = jobs_turn();
	assert_string_equal(done, "{\"" JOB "\":{\"state\":\"done\",\"sentence\":\"\"}}");
	assert_true(world.agent.k3s_token_next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_snapshot_is_restored_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_not_there_is_refused_and_k3s_runs_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_restore_that_fails_leaves_k3s_stopped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(power_cuts_while_it_restores_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_hearthd_that_is_restarted_asks_for_no_second_restore, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_server_stops_and_joins_with_an_empty_database, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_damaged_note_does_nothing_by_itself, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_snapshot_is_made_and_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_command_without_an_answer_is_not_begun_for_ever, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_k3s_cannot_be_told_fails_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_token_waits_for_the_secret_and_is_kept_from_the_sentences, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_token_that_is_taken_is_what_k3s_starts_with, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
