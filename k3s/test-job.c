// The steps of jobs: which question comes after which answer, and what is said while they wait.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "k3s/job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

// One exchange: the question that must come, and the answer to it.
struct exchange {
	const char *method, *path;
	int status;
	const char *json, *problem;
};

// Play @rows with a job that was made at @created_sec; waits between them are skipped.
static struct job *play_at(enum job_kind kind, const char *node, int64_t created_sec, const struct exchange *rows, size_t n)
{
	struct job *job = NULL;

	assert_int_equal(job_new(kind, node, "s1", created_sec, &job), 0);
	for (size_t i = 0; i < n; i++) {
		struct value *object CLEANUP(value_freep) = NULL;
		struct job_question question;
		struct job_answer answer = {.status = rows[i].status, .problem = rows[i].problem};
		unsigned wait_sec;

		if (!job_next(job, &question, &wait_sec)) {
			assert_true(wait_sec > 0);
			assert_true(*job_sentence(job)); // no wait without its sentence
			assert_true(job_next(job, &question, &wait_sec));
		}
		assert_string_equal(question.method, rows[i].method);
		assert_string_equal(question.path, rows[i].path);
		if (rows[i].json)
			assert_int_equal(json_parse(rows[i].json, strlen(rows[i].json), 0, &object, NULL), 0);
		answer.object = object;
		job_take(job, &answer);
	}
	return job;
}

static struct job *play(enum job_kind kind, const char *node, const struct exchange *rows, size_t n)
{
	return play_at(kind, node, 0, rows, n);
}

static void ends(struct job *job, enum job_state state, const char *words)
{
	struct job_question question;
	unsigned wait_sec;

	if (job_state(job) != state || !strstr(job_sentence(job), words))
		fail_msg("%s: %s", job_state_text(job_state(job)), job_sentence(job));
	if (state != JOB_RUNNING) {
		assert_false(job_next(job, &question, &wait_sec));
		assert_int_equal(wait_sec, 0);
	}
	job_free(job);
}

#define NODE "/api/v1/nodes/s2"
#define SECRET "/api/v1/namespaces/kube-system/secrets/s2.node-password.k3s"
#define PODS "/api/v1/pods?fieldSelector=spec.nodeName%3Ds2"
#define UID "{\"metadata\":{\"uid\":\"u1\"}}"
#define OTHER "{\"metadata\":{\"uid\":\"u2\"}}"
#define HELD "{\"metadata\":{\"uid\":\"u1\",\"finalizers\":[\"wrangler.cattle.io/managed-etcd-controller\"]}}"

static void forget_waits_until_the_node_is_gone(void **state)
{
	const struct exchange rows[] = {{"GET", NODE, 200, UID, NULL}, {"DELETE", NODE, 200, HELD, NULL},
		{"GET", NODE, 200, HELD, NULL}, {"GET", NODE, 404, NULL, NULL}, {"DELETE", SECRET, 200, NULL, NULL}};

	ends(play(JOB_FORGET_NODE, "s2", rows, 3), JOB_RUNNING, "etcd member of s2");
	ends(play(JOB_FORGET_NODE, "s2", rows, N_ELEMENTS(rows)), JOB_DONE, "");
}

static void forget_twice_is_fine(void **state)
{
	const struct exchange rows[] = {{"GET", NODE, 404, NULL, NULL}, {"DELETE", SECRET, 404, NULL, NULL}};

	ends(play(JOB_FORGET_NODE, "s2", rows, N_ELEMENTS(rows)), JOB_DONE, "");
}

// The machine under that name is another one now: it must not be deleted, and is no reason to wait.
static void a_node_registered_anew_is_left_alone(void **state)
{
	const struct exchange rows[] = {{"GET", NODE, 200, UID, NULL}, {"DELETE", NODE, 409, NULL, "uid"},
		{"GET", NODE, 200, OTHER, NULL}, {"DELETE", NODE, 200, NULL, NULL}, {"GET", NODE, 200, UID, NULL},
		{"DELETE", SECRET, 200, NULL, NULL}};
	struct job *job = NULL;
	struct job_question question;
	struct value *object CLEANUP(value_freep) = NULL;
	unsigned wait_sec;

	ends(play(JOB_FORGET_NODE, "s2", rows, N_ELEMENTS(rows)), JOB_DONE, "");
	assert_int_equal(job_new(JOB_FORGET_NODE, "s2", "s1", 0, &job), 0);
	assert_true(job_next(job, &question, &wait_sec));
	assert_int_equal(json_parse(UID, strlen(UID), 0, &object, NULL), 0);
	job_take(job, &(struct job_answer){.status = 200, .object = object});
	assert_true(job_next(job, &question, &wait_sec));
	assert_non_null(strstr(question.body, "\"preconditions\":{\"uid\":\"u1\"}"));
	job_free(job);
}

// A job that a server kept for long, or that is told again: who has the name now stays.
static void a_node_that_is_younger_than_the_job_is_left_alone(void **state)
{
	const struct exchange young[] = {
		{"GET", NODE, 200, "{\"metadata\":{\"uid\":\"u2\",\"creationTimestamp\":\"2026-11-25T10:00:01Z\"}}", NULL}};
	const struct exchange old[] = {
		{"GET", NODE, 200, "{\"metadata\":{\"uid\":\"u1\",\"creationTimestamp\":\"2026-11-25T10:00:00Z\"}}", NULL},
		{"DELETE", NODE, 200, NULL, NULL}, {"GET", NODE, 404, NULL, NULL}, {"DELETE", SECRET, 200, NULL, NULL}};
	const int64_t ten_sec = 1795600800; // 2026-11-25T10:00:00Z

	ends(play_at(JOB_FORGET_NODE, "s2", ten_sec, young, N_ELEMENTS(young)), JOB_DONE, "");
	ends(play_at(JOB_FORGET_NODE, "s2", ten_sec, old, N_ELEMENTS(old)), JOB_DONE, "");
	ends(play_at(JOB_FORGET_NODE, "s2", 0, young, 1), JOB_RUNNING, "taking s2 out"); // of a region that does not tell
}

static void nobody_forgets_itself(void **state)
{
	ends(play(JOB_FORGET_NODE, "s1", NULL, 0), JOB_FAILED, "does not forget itself");
}

static void an_api_that_is_away_is_asked_again(void **state)
{
	const struct exchange rows[] = {{"GET", NODE, 0, NULL, "connection refused"}, {"GET", NODE, 503, NULL, "starting"},
		{"GET", NODE, 404, NULL, NULL}, {"DELETE", SECRET, 500, NULL, "etcd has no leader"}};

	ends(play(JOB_FORGET_NODE, "s2", rows, 1), JOB_RUNNING, "connection refused");
	ends(play(JOB_FORGET_NODE, "s2", rows, N_ELEMENTS(rows)), JOB_RUNNING, "etcd has no leader");
}

static void what_is_forbidden_fails(void **state)
{
	const struct exchange rows[] = {{"PATCH", NODE, 403, NULL, "forbidden"}};

	ends(play(JOB_DRAIN, "s2", rows, 1), JOB_FAILED, "forbidden");
}

#define POD(name, rest) "{\"metadata\":{\"namespace\":\"shop\",\"name\":\"" name "\"" rest "},\"status\":{\"phase\":\"Running\"}}"
#define STAYING                                                                                                        \
	POD("ds", ",\"ownerReferences\":[{\"kind\":\"DaemonSet\",\"name\":\"d\"}]")                                     \
	"," POD("mirror", ",\"annotations\":{\"kubernetes.io/config.mirror\":\"x\"}")                                   \
	",{\"metadata\":{\"namespace\":\"shop\",\"name\":\"done\"},\"status\":{\"phase\":\"Succeeded\"}}"
#define EVICT(name) "/api/v1/namespaces/shop/pods/" name "/eviction"
#define REFUSED                                                                                                        \
	"{\"kind\":\"Status\",\"details\":{\"causes\":[{\"reason\":\"DisruptionBudget\",\"message\":"                   \
	"\"The disruption budget web needs 2 healthy pods and has 2 currently\"}]}}"

static void drain_evicts_what_has_to_go(void **state)
{
	const struct exchange rows[] = {{"PATCH", NODE, 200, UID, NULL},
		{"GET", PODS, 200, "{\"items\":[" STAYING "," POD("a", "") "," POD("b", "") "]}", NULL},
		{"POST", EVICT("a"), 201, NULL, NULL}, {"POST", EVICT("b"), 404, NULL, NULL},
		{"GET", PODS, 200, "{\"items\":[" STAYING "," POD("a", ",\"deletionTimestamp\":\"2026-11-25T00:00:00Z\"") "]}", NULL},
		{"GET", PODS, 200, "{\"items\":[" STAYING "]}", NULL}};

	ends(play(JOB_DRAIN, "s2", rows, 4), JOB_RUNNING, "2 pods left");
	ends(play(JOB_DRAIN, "s2", rows, 5), JOB_RUNNING, "pod shop/a is stopping");
	ends(play(JOB_DRAIN, "s2", rows, N_ELEMENTS(rows)), JOB_DONE, "");
}

static void a_budget_is_waited_for_by_name(void **state)
{
	const struct exchange rows[] = {{"PATCH", NODE, 200, UID, NULL},
		{"GET", PODS, 200, "{\"items\":[" POD("a", "") "," POD("b", "") "]}", NULL},
		{"POST", EVICT("a"), 429, REFUSED, "Cannot evict pod"}, {"POST", EVICT("b"), 201, NULL, NULL},
		{"GET", PODS, 200, "{\"items\":[" POD("a", "") "]}", NULL}, {"POST", EVICT("a"), 201, NULL, NULL},
		{"GET", PODS, 200, "{\"items\":[]}", NULL}};

	ends(play(JOB_DRAIN, "s2", rows, 4), JOB_RUNNING, "pod shop/a may not go yet: The disruption budget web needs 2");
	ends(play(JOB_DRAIN, "s2", rows, N_ELEMENTS(rows)), JOB_DONE, "");
}

// Names that would lead elsewhere never become a path.
static void odd_names_are_left_out(void **state)
{
	const struct exchange rows[] = {{"PATCH", NODE, 200, UID, NULL},
		{"GET", PODS, 200, "{\"items\":[" POD("../../x", "") ",{},7,{\"metadata\":{\"name\":\"a\"}}]}", NULL}};

	ends(play(JOB_DRAIN, "s2", rows, N_ELEMENTS(rows)), JOB_DONE, "");
}

static void uncordon_wants_a_node(void **state)
{
	const struct exchange good[] = {{"PATCH", NODE, 200, UID, NULL}}, none[] = {{"PATCH", NODE, 404, NULL, NULL}};
	struct job *job = NULL;
	struct job_question question;
	unsigned wait_sec;

	ends(play(JOB_UNCORDON, "s2", good, 1), JOB_DONE, "");
	ends(play(JOB_UNCORDON, "s2", none, 1), JOB_FAILED, "there is no Node s2");
	assert_int_equal(job_new(JOB_UNCORDON, "s2", "s1", 0, &job), 0);
	assert_true(job_next(job, &question, &wait_sec));
	assert_string_equal(question.body, "{\"spec\":{\"unschedulable\":false}}");
	job_free(job);
}

static void kinds_have_their_words(void **state)
{
	enum job_kind kind;

	assert_int_equal(job_kind_parse("drain", &kind), 0);
	assert_int_equal(kind, JOB_DRAIN);
	assert_string_equal(job_kind_text(JOB_FORGET_NODE), "forget-node");
	assert_true(job_kind_parse("reboot", &kind) < 0 && job_kind_parse("", &kind) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forget_waits_until_the_node_is_gone),
		cmocka_unit_test(forget_twice_is_fine),
		cmocka_unit_test(a_node_registered_anew_is_left_alone),
		cmocka_unit_test(a_node_that_is_younger_than_the_job_is_left_alone),
		cmocka_unit_test(nobody_forgets_itself),
		cmocka_unit_test(an_api_that_is_away_is_asked_again),
		cmocka_unit_test(what_is_forbidden_fails),
		cmocka_unit_test(drain_evicts_what_has_to_go),
		cmocka_unit_test(a_budget_is_waited_for_by_name),
		cmocka_unit_test(odd_names_are_left_out),
		cmocka_unit_test(uncordon_wants_a_node),
		cmocka_unit_test(kinds_have_their_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
