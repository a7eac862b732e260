// K3s' tokens become others: who is asked first, when the new one is the region's, and what a
// revoked node may know. SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "region/admin.h"
#include "region/enrol.h"
#include "region/job-run.h"
#include "region/restore-run.h"
#include "region/rollout-run.h"
#include "region/rotation.h"
#include "region/settings.h"
#include "region/test-folder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct test_folder folder;
static struct region region;

static int set_up(void **state)
{
	static const char config[] =
		"{provider: hetzner, region: fsn, buildingBlock: rtz, envType: prod, domain: "
		"example.org, registries: {configs: {\'r.example.org\': {secret: login}}}, urls: "
		"['https://10.0.2.2:7443'], servers: 5}";
	struct cluster cluster = {
		.name = "hz-fsn-rtz-prod", .first_server = "n-1", .handed_over = 1, .ever_ready = 1
	};
	int r = test_region_make(&folder, config, &region);
	return r < 0 ? r : store_cluster_put(region.store, &cluster);
}

static int tear_down(void **state)
{
	return test_region_remove(&folder, &region);
}

// Server 1 to 3 and worker 4, all of them well.
static void a_cluster(void)
{
	static const char *const secrets[] = { "token", "agent-token", "pull", "kubeconfig",
		"user/login", "user/other" };
	for (size_t i = 0; i < N_ELEMENTS(secrets); i++)
		assert_int_equal(region_secret_put(&region, secrets[i], "old"), 0);
	for (int i = 1; i <= 4; i++) {
		struct node node = { .number = i,
			.is_server = i < 4,
			.state = NODE_APPROVED,
			.durable = 1,
			.ready = 1,
			.ready_sec = 1,
			.seen_sec = region_now_sec(&region) };
		(void)snprintf(node.id, sizeof(node.id), "n-%d", i);
		(void)snprintf(node.key, sizeof(node.key), "key%d", i);
		(void)snprintf(node.wg_public, sizeof(node.wg_public), "wg%d", i);
		(void)snprintf(node.cluster, sizeof(node.cluster), "hz-fsn-rtz-prod");
		(void)snprintf(node.name, sizeof(node.name), "hzfsnr-k8s-%dp", i);
		AUTO_FREE char *settings = settings_newest(region.config, node.name);
		struct member member = {
			.voter = i < 4, .voter_sec = i < 4, .settings = settings, .admitted_sec = 1
		};
		(void)snprintf(member.id, sizeof(member.id), "n-%d", i);
		assert_int_equal(store_node_put(region.store, &node), 0);
		assert_int_equal(store_member_put(region.store, &member), 0);
	}
}

static bool secret_is(const char *name, const char *text)
{
	CLEANUP(secret_text_free) char *now = NULL;
	return region_secret_get(&region, name, &now) >= 0 && str_equal(now, text);
}

static bool has_secret(const char *name)
{
	CLEANUP(secret_text_free) char *now = NULL;
	return region_secret_get(&region, name, &now) >= 0;
}

static struct job *the_job(void)
{
	struct job **jobs;
	size_t n;
	assert_int_equal(store_job_list(region.store, &jobs, &n), 0);
	assert_int_equal(n, 1);
	struct job *job = jobs[0];
	free(jobs);
	return job;
}

static struct node *node_get(const char *id)
{
	struct node *node = NULL;
	assert_int_equal(store_node_by_id(region.store, id, &node), 0);
	return node;
}

// The first server says how its job ended.
static void report(const char *id, const char *state, const char *sentence)
{
	CLEANUP(node_freep) struct node *node = node_get("n-1");
	CLEANUP(value_freep) struct value *body = NULL;
	struct member_report decoded;
	AUTO_FREE char *text = str_format("{\"jobs\":{\"%s\":{\"state\":\"%s\",\"sentence\":\"%s\"}"
					  "},\"etcd\":{\"voter\":true}}",
		id, state, sentence);
	assert_int_equal(json_parse(text, strlen(text), 0, &body, NULL), 0);
	assert_int_equal(member_report_decode(body, &decoded, NULL), 0);
	assert_int_equal(membership_report(&region, node, true, &decoded), 0);
}

static bool is_marked(const char *id)
{
	CLEANUP(member_freep) struct member *member = NULL;
	CLEANUP(node_freep) struct node *node = node_get(id);
	AUTO_FREE char *newest = settings_newest(region.config, node->name);
	assert_int_equal(store_member_get(region.store, id, &member), 0);
	return !str_equal(member->settings, newest);
}

static int rotate(const char *name, const char *words)
{
	AUTO_FREE char *next = NULL;
	struct diag diag = { 0 };
	int r = rotation_start(&region, "test", name, &next, &diag);
	const char *said = r < 0 ? diag_text(&diag) : next;
	if (!strstr(said, words))
		fail_msg("not said: %s: %s", words, said);
	return r;
}

static void the_server_token_is_k3s_first_and_the_regions_then(void **state)
{
	CLEANUP(rollout_freep) struct rollout *rollout = NULL;
	a_cluster();
	assert_int_equal(
		rotate(ROTATION_SERVER_TOKEN, "hzfsnr-k8s-1p has K3s take a new server token"), 0);
	CLEANUP(job_freep) struct job *job = the_job();
	assert_string_equal(job->kind, JOB_ROTATE_TOKEN);
	assert_string_equal(job->server, "n-1");
	assert_true(secret_is("token", "old") && has_secret("token-next") &&
		    rotation_number(&region) == 1);
	assert_int_equal(rotate(ROTATION_SERVER_TOKEN, "rotates it already (waiting)"), -EALREADY);
	assert_int_equal(rotate(ROTATION_AGENT_TOKEN, "rotates it already"), -EALREADY);

	report(job->id, "running", "k3s token rotate is running");
	assert_true(secret_is("token", "old"));
	CLEANUP(secret_text_free) char *fresh = NULL;
	assert_int_equal(region_secret_get(&region, "token-next", &fresh), 0);
	report(job->id, "done", "");
	assert_true(secret_is("token", fresh) && secret_is("token-previous", "old") &&
		    !has_secret("token-next"));
	assert_true(rotation_number(&region) == 2 && rotation_server_sec(&region) > 0);
	assert_int_equal(store_rollout_get(region.store, "hz-fsn-rtz-prod", &rollout), 0);
	assert_int_equal(rollout->state, ROLLOUT_RUNNING);
	assert_string_equal(rollout->node, "n-1");
	assert_true(is_marked("n-2") && is_marked("n-3") &&
		    !is_marked("n-4")); // workers have another token
}

static void what_fails_leaves_the_old_token(void **state)
{
	a_cluster();
	assert_int_equal(rotate(ROTATION_SERVER_TOKEN, "has K3s take"), 0);
	CLEANUP(job_freep) struct job *job = the_job();
	CLEANUP(secret_text_free) char *first = NULL;
	assert_int_equal(region_secret_get(&region, "token-next", &first), 0);
	report(job->id, "failed", "k3s token rotate failed");
	assert_true(secret_is("token", "old"));
	CLEANUP(rollout_freep) struct rollout *rollout = NULL;
	assert_int_equal(store_rollout_get(region.store, "hz-fsn-rtz-prod", &rollout), -ENOENT);
	assert_int_equal(rotate(ROTATION_SERVER_TOKEN, "(failed)"), -EALREADY);
	assert_int_equal(job_drop(&region, "test", job->id, NULL), 0);
	assert_int_equal(rotate(ROTATION_SERVER_TOKEN, "has K3s take"), 0);
	assert_true(secret_is("token-next", first)); // K3s may have it
}

static void the_agent_token_reaches_servers_and_workers(void **state)
{
	CLEANUP(rollout_freep) struct rollout *rollout = NULL;
	a_cluster();
	assert_int_equal(rotate(ROTATION_AGENT_TOKEN, "then every worker"), 0);
	assert_true(!secret_is("agent-token", "old") && secret_is("token", "old") &&
		    rotation_number(&region) == 1);
	assert_int_equal(store_rollout_get(region.store, "hz-fsn-rtz-prod", &rollout), 0);
	assert_string_equal(rollout->node, "n-1");
	assert_true(is_marked("n-3") && is_marked("n-4"));
	assert_int_equal(rotate(ROTATION_SERVER_TOKEN, "one is going on"), -EBUSY);
}

static void a_cluster_that_is_not_well_keeps_its_tokens(void **state)
{
	a_cluster();
	CLEANUP(node_freep) struct node *node = node_get("n-3");
	node->ready = 0;
	assert_int_equal(store_node_put(region.store, node), 0);
	assert_int_equal(rotate(ROTATION_SERVER_TOKEN, "hzfsnr-k8s-3p"), -EBUSY);
	assert_int_equal(
		rotate("pull", "takes k3s-server-token or k3s-agent-token, not \"pull\""), -EINVAL);
	assert_true(!has_secret("token-next") && rotation_number(&region) == 0);
}

static void tokens_of_this_cluster_are_known(void **state)
{
	a_cluster();
	assert_int_equal(region_secret_put(&region, "token-next", "new"), 0);
	assert_int_equal(region_secret_put(&region, "token-previous", "older"), 0);
	assert_true(rotation_knows(&region, "K10aa::server:old") &&
		    rotation_knows(&region, "K10aa::server:new") &&
		    rotation_knows(&region, "K10aa::server:older"));
	assert_false(rotation_knows(&region, "K10aa::server:other") ||
		     rotation_knows(&region, NULL) || rotation_knows(&region, "x"));
}

static void a_snapshot_of_before_is_refused(void **state)
{
	struct diag diag = { 0 };
	a_cluster();
	CLEANUP(node_freep) struct node *node = node_get("n-1");
	str_set(&node->status, "{\"snapshots\":[{\"name\":\"a\",\"bytes\":1,\"createdSec\":100}]}");
	assert_int_equal(store_meta_set_int(region.store, "token-rotated-sec", 200), 0);
	assert_int_equal(restore_start(&region, "test", node, "a", true, &diag), -EINVAL);
	assert_non_null(strstr(diag_text(&diag), "was made before the server token was rotated"));
}

static void told(const char *expected)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	assert_int_equal(rotation_put(&region, &out), 0);
	json_out_object_end(&out);
	AUTO_FREE char *text = json_out_take(&out);
	assert_string_equal(text, expected);
}

static void a_revocation_names_what_is_to_be_rotated(void **state)
{
	a_cluster();
	told("{\"secretsToRotate\":[]}");
	CLEANUP(node_freep) struct node *worker = node_get("n-4"), *server = node_get("n-3");
	assert_int_equal(rotation_mark(&region, worker), 0);
	told("{\"secretsToRotate\":[\"k3s-agent-token\",\"login\"]}");
	assert_int_equal(rotate(ROTATION_AGENT_TOKEN, "the agent token"), 0);
	assert_int_equal(region_secret_put(&region, "user/login", "new"), 0);
	told("{\"secretsToRotate\":[]}");
	assert_int_equal(rotation_mark(&region, server), 0);
	told("{\"secretsToRotate\":[\"k3s-agent-token\",\"k3s-server-token\",\"login\",\"other\"]"
	     "}");
}

// A server knows tokenNext, too, as soon as there is one.
static void a_revocation_during_a_rotation_asks_for_another(void **state)
{
	a_cluster();
	assert_int_equal(rotate(ROTATION_SERVER_TOKEN, "has K3s take"), 0);
	CLEANUP(job_freep) struct job *job = the_job();
	CLEANUP(node_freep) struct node *server = node_get("n-3");
	assert_int_equal(rotation_mark(&region, server), 0);
	report(job->id, "done", "");
	assert_true(!secret_is("token", "old"));
	told("{\"secretsToRotate\":[\"k3s-agent-token\",\"k3s-server-token\",\"login\",\"other\"]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_server_token_is_k3s_first_and_the_regions_then, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_fails_leaves_the_old_token, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_agent_token_reaches_servers_and_workers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_cluster_that_is_not_well_keeps_its_tokens, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			tokens_of_this_cluster_are_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_snapshot_of_before_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_revocation_names_what_is_to_be_rotated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_revocation_during_a_rotation_asks_for_another, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
