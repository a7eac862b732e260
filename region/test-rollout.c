// One node after the other: the order, each step with its ways on, and every way to stop. Also
// where jobs go, and what settings are. SPDX-License-Identifier: Apache-2.0
#include "region/rollout.h"

#include "region/job.h"
#include "region/settings.h"

#include "base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void servers_come_first_and_the_broken_before_the_healthy(void **state)
{
	struct rollout_candidate candidates[] = { { true, false, true }, { true, true, true },
		{ true, false, false }, { true, true, false }, { false, true, false } };
	static const size_t order[] = { 3, 1, 2, 0, SIZE_MAX };
	for (size_t i = 0; i < N_ELEMENTS(order); i++) {
		size_t next = rollout_next(candidates, N_ELEMENTS(candidates));
		assert_int_equal(next, order[i]);
		if (next != SIZE_MAX)
			candidates[next].outdated = false;
	}
}

static struct rollout at(enum rollout_step step)
{
	return (struct rollout){ .step = step, .restart = 7, .since_sec = 1000, .timeout_sec = 60 };
}

static struct rollout_facts healthy(void)
{
	return (struct rollout_facts){ .now_sec = 1010,
		.has_node = true,
		.name = "n1",
		.is_server = true,
		.ready = true,
		.voter = true,
		.has_other_server = true,
		.restart = 6,
		.wanted_restart = 7,
		.payload_fits = true };
}

static void check(const struct rollout *rollout, const struct rollout_facts *facts,
	enum rollout_action action, const char *sentence)
{
	AUTO_FREE char *said = NULL;
	enum rollout_action decided = rollout_decide(rollout, facts, &said);
	if (decided != action || (sentence && (!said || !strstr(said, sentence))))
		fail_msg("action %d (not %d), \"%s\" (not \"%s\")", decided, action,
			said ? said : "", sentence ? sentence : "");
}

static void the_next_one_waits_until_all_other_servers_are_ready(void **state)
{
	struct rollout rollout = at(ROLLOUT_STEP_PICK);
	struct rollout_facts facts = healthy();
	check(&rollout, &facts, ROLLOUT_TAKE, "the turn of n1");
	facts.unready_server = "s2";
	check(&rollout, &facts, ROLLOUT_WAIT, "until server s2 is Ready; n1 is next");
	facts.now_sec = 1060;
	check(&rollout, &facts, ROLLOUT_FAIL, "server s2 was not Ready for 60 s");
	facts.ready = false; // there is nothing to lose, and it may mend it
	check(&rollout, &facts, ROLLOUT_TAKE, NULL);
	facts.has_node = false;
	check(&rollout, &facts, ROLLOUT_END, "every node runs the newest settings");
}

static void a_node_is_drained_by_another_server(void **state)
{
	struct rollout rollout = at(ROLLOUT_STEP_DRAIN);
	struct rollout_facts facts = healthy();
	check(&rollout, &facts, ROLLOUT_DRAIN, NULL);
	facts.job = ROLLOUT_JOB_GOES_ON;
	check(&rollout, &facts, ROLLOUT_WAIT, "waits until a server is Ready to do it");
	facts.job_server = "s2";
	facts.job_sentence = "3 pods are left";
	check(&rollout, &facts, ROLLOUT_WAIT, "drain of n1, by s2: 3 pods are left");
	facts.now_sec = 1060;
	check(&rollout, &facts, ROLLOUT_FAIL, "was not done within 60 s: 3 pods are left");
	facts.job = ROLLOUT_JOB_FAILED;
	check(&rollout, &facts, ROLLOUT_FAIL,
		"drain of n1 failed: 3 pods are left; mend that, then "
		"hearth-region rollout resume");
	facts.job = ROLLOUT_JOB_DONE;
	check(&rollout, &facts, ROLLOUT_APPLY, NULL);
}

static void a_drained_node_does_not_restart_while_a_server_is_away(void **state)
{
	struct rollout rollout = at(ROLLOUT_STEP_DRAIN);
	struct rollout_facts facts = healthy();
	facts.job = ROLLOUT_JOB_DONE;
	facts.unready_server = "s2"; // it died during the drain
	check(&rollout, &facts, ROLLOUT_WAIT, "n1 is drained; waits until server s2 is Ready");
	facts.now_sec = 1060;
	check(&rollout, &facts, ROLLOUT_FAIL,
		"server s2 was not Ready within 60 s; n1 stays cordoned; mend it, then "
		"hearth-region rollout resume");
	facts.ready = false; // there is nothing to lose
	check(&rollout, &facts, ROLLOUT_APPLY, NULL);
	facts.ready = true;
	facts.unready_server = NULL;
	check(&rollout, &facts, ROLLOUT_APPLY, NULL);
}

static void who_cannot_be_drained_is_not(void **state)
{
	struct rollout rollout = at(ROLLOUT_STEP_DRAIN);
	struct rollout_facts facts = healthy();
	facts.has_other_server = false;
	check(&rollout, &facts, ROLLOUT_APPLY, "no other server");
	facts.has_other_server = true;
	facts.silent = true;
	check(&rollout, &facts, ROLLOUT_APPLY, "nothing to drain");
}

static void a_node_is_back_when_it_runs_with_the_new_settings(void **state)
{
	struct rollout rollout = at(ROLLOUT_STEP_APPLY);
	struct rollout_facts facts = healthy();
	check(&rollout, &facts, ROLLOUT_WAIT, "does not run with the new settings yet");
	facts.restart = 7;
	check(&rollout, &facts, ROLLOUT_UNCORDON, NULL);
	facts.payload_fits = false;
	check(&rollout, &facts, ROLLOUT_WAIT, "does not run with the new settings yet");
	facts.payload_fits = true;
	facts.voter = false;
	check(&rollout, &facts, ROLLOUT_WAIT, "no voting member");
	facts.is_server = false;
	check(&rollout, &facts, ROLLOUT_UNCORDON, NULL);
	facts.ready = false;
	check(&rollout, &facts, ROLLOUT_WAIT, "is not Ready");
	facts.now_sec = 1060;
	facts.sentence = "the payload has no bin/k3s";
	check(&rollout, &facts, ROLLOUT_FAIL,
		"did not come back within 60 s: its K3s runs with the "
		"new settings but is not Ready (it says: the payload has no bin/k3s)");
	facts.silent = true;
	check(&rollout, &facts, ROLLOUT_FAIL, "it is silent");
}

static void then_the_next_one_has_its_turn(void **state)
{
	struct rollout rollout = at(ROLLOUT_STEP_UNCORDON);
	struct rollout_facts facts = healthy();
	check(&rollout, &facts, ROLLOUT_UNCORDON, NULL);
	facts.job = ROLLOUT_JOB_DONE;
	check(&rollout, &facts, ROLLOUT_NEXT, NULL);
	facts.has_node = false;
	check(&rollout, &facts, ROLLOUT_SKIP, NULL);
	rollout.step = ROLLOUT_STEP_APPLY;
	check(&rollout, &facts, ROLLOUT_SKIP, NULL);
}

static void a_job_stays_with_its_server_while_that_is_well(void **state)
{
	struct admission_server servers[] = {
		{ .name = "s1", .ready = true, .voter = true, .joined = true },
		{ .name = "s2", .ready = true, .joined = true },
		{ .name = "s3", .ready = true, .voter = true, .joined = true }
	};
	struct job job = { .kind = JOB_DRAIN, .node = "w1" };
	assert_int_equal(job_place(&job, servers, 3, SIZE_MAX), 0);
	assert_int_equal(job_place(&job, servers, 3, 1), 1);
	servers[1].silent = true;
	assert_int_equal(job_place(&job, servers, 3, 1), 0);
	servers[0].ready = false;
	assert_int_equal(job_place(&job, servers, 3, 0), 2);
	strcpy(job.node, "s3"); // nobody drains itself
	assert_int_equal(job_place(&job, servers, 3, 2), SIZE_MAX);
	strcpy(job.kind, JOB_UNCORDON); // but may undo it
	assert_int_equal(job_place(&job, servers, 3, 2), 2);
	servers[1].silent = false;
	assert_int_equal(job_place(&job, servers, 3, SIZE_MAX), 1);
	servers[0].ready = servers[1].ready = servers[2].ready = false;
	assert_int_equal(job_place(&job, servers, 3, 2), SIZE_MAX);
}

static void settings_are_the_same_bytes_for_the_same_rules(void **state)
{
	static const char text[] =
		"{k3s: {profile: hardened, overrides: {kubelet-arg: [max-pods=60]}, "
		"nodeOverrides: {n1: {kubelet-arg: [max-pods=10]}}}}";
	struct cluster_config config = { .payload_repository = "hearth/payload",
		.payload_digest =
			"sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff" };
	CLEANUP(value_freep) struct value *document = NULL, *settings = NULL;
	struct json_out out = { 0 };
	assert_int_equal(yaml_parse(text, strlen(text), 0, "t", &document, NULL), 0);
	config.k3s_profile = value_text(value_path(document, "k3s", "profile", NULL));
	config.node_overrides = value_path(document, "k3s", "nodeOverrides", NULL);
	config.overrides = value_path(document, "k3s", "overrides", NULL);
	AUTO_FREE char *own = settings_newest(&config, "n1"),
		       *again = settings_newest(&config, "n1"),
		       *other = settings_newest(&config, "n2");
	assert_string_equal(own, again);
	assert_string_not_equal(own, other);
	assert_null(strstr(other, "max-pods=10"));
	config.tls_sans[config.n_tls_sans++] = "k8s.example.net"; // restarts K3s as well
	AUTO_FREE char *named = settings_newest(&config, "n1");
	assert_string_not_equal(own, named);
	assert_non_null(strstr(named, "\"k8s.example.net\"]"));
	assert_int_equal(json_parse(own, strlen(own), 0, &settings, NULL), 0);
	json_out_object_begin(&out);
	settings_put_k3s(settings, &out);
	settings_put_payload(settings, &out);
	json_out_object_end(&out);
	AUTO_FREE char *put = json_out_take(&out);
	assert_string_equal(put,
		"{\"profile\":\"hardened\",\"overrides\":{\"kubelet-arg\":[\"max-pods=60\"]},"
		"\"nodeOverrides\":{\"kubelet-arg\":[\"max-pods=10\"]},\"payload\":{\"repository\":"
		"\"hearth/payload\",\"digest\":\"sha256:"
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}}");
	assert_true(settings_payload_fits(
		settings, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"));
	assert_false(settings_payload_fits(
		settings, "10112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"));
	assert_false(settings_payload_fits(settings, ""));
	assert_true(settings_payload_fits(NULL, "")); // the image's own
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_come_first_and_the_broken_before_the_healthy),
		cmocka_unit_test(the_next_one_waits_until_all_other_servers_are_ready),
		cmocka_unit_test(a_node_is_drained_by_another_server),
		cmocka_unit_test(a_drained_node_does_not_restart_while_a_server_is_away),
		cmocka_unit_test(who_cannot_be_drained_is_not),
		cmocka_unit_test(a_node_is_back_when_it_runs_with_the_new_settings),
		cmocka_unit_test(then_the_next_one_has_its_turn),
		cmocka_unit_test(a_job_stays_with_its_server_while_that_is_well),
		cmocka_unit_test(settings_are_the_same_bytes_for_the_same_rules),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
