// Members in a store of their own: what the pure parts decide is kept, and nothing else changes.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "region/admin.h"
#include "region/job-run.h"
#include "region/membership.h"
#include "region/rollout-run.h"
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
		"example.org, urls: ['https://10.0.2.2:7443'], servers: 5}";
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

static struct node node_of(int number, bool is_server)
{
	struct node node = { .number = number,
		.is_server = is_server,
		.state = NODE_APPROVED,
		.durable = 1,
		.ready = 1,
		.ready_sec = 1,
		.seen_sec = region_now_sec(&region) };
	(void)snprintf(node.id, sizeof(node.id), "n-%d", number);
	(void)snprintf(node.key, sizeof(node.key), "key%d", number);
	(void)snprintf(node.cluster, sizeof(node.cluster), "hz-fsn-rtz-prod");
	(void)snprintf(node.name, sizeof(node.name), "hzfsnr-k8s-%dp", number);
	(void)snprintf(node.wg_public, sizeof(node.wg_public), "wg%d", number);
	return node;
}

// A member that is Ready and votes; it joined by n-@by.
static struct node member_add(int number, bool is_server, int by, const char *settings)
{
	AUTO_FREE char *copy = strdup(settings);
	struct node node = node_of(number, is_server);
	struct member member = {
		.voter = is_server, .voter_sec = is_server, .settings = copy, .admitted_sec = 1
	};
	(void)snprintf(member.id, sizeof(member.id), "n-%d", number);
	if (by)
		(void)snprintf(member.server, sizeof(member.server), "n-%d", by);
	assert_int_equal(store_node_put(region.store, &node), 0);
	assert_int_equal(store_member_put(region.store, &member), 0);
	return node;
}

static void who_was_left_half_way_keeps_its_settings_until_its_turn(void **state)
{
	AUTO_FREE char *newest = settings_newest(region.config, "hzfsnr-k8s-2p");
	struct rollout before = {
		.cluster = "hz-fsn-rtz-prod", .state = ROLLOUT_STOPPED, .node = "n-2", .restart = 1
	};
	CLEANUP(rollout_freep) struct rollout *rollout = NULL;
	CLEANUP(value_freep) struct value *kept_value = NULL, *newest_value = NULL;
	struct diag diag = { 0 };
	member_add(1, true, 0, "{\"profile\":\"hardened\"}");
	member_add(2, false, 1, newest);
	assert_int_equal(store_rollout_put(region.store, &before), 0);
	assert_int_equal(rollout_start(&region, "test", false, 60, &diag), 0);
	assert_int_equal(store_rollout_get(region.store, "hz-fsn-rtz-prod", &rollout), 0);
	assert_string_equal(rollout->node, "n-1"); // servers first
	CLEANUP(member_freep) struct member *kept = NULL;
	assert_int_equal(store_member_get(region.store, "n-2", &kept), 0);
	assert_non_null(kept->settings);
	assert_string_not_equal(kept->settings, newest); // it has its turn
	assert_int_equal(
		json_parse(kept->settings, strlen(kept->settings), 0, &kept_value, NULL), 0);
	assert_int_equal(json_parse(newest, strlen(newest), 0, &newest_value, NULL), 0);
	assert_true(value_equal(kept_value, newest_value));
}

static void servers_are_not_revoked_faster_than_etcd_loses_them(void **state)
{
	struct node nodes[6];
	char job[ID_TEXT];
	struct diag diag = { 0 };
	for (int i = 1; i <= 3; i++)
		nodes[i] = member_add(i, true, i == 1 ? 0 : 1, "{}");
	nodes[4] = node_of(4, true);
	assert_int_equal(membership_may_leave(&region, &nodes[3], &diag), 0);
	assert_int_equal(job_make(&region, JOB_FORGET_NODE, &nodes[4], job), 0);
	assert_int_equal(membership_may_leave(&region, &nodes[3], &diag), -EBUSY);
	assert_non_null(strstr(diag_text(&diag), "etcd needs 3 of its 4 voting members (servers "
						 "that are still being removed count)"));
	assert_int_equal(store_job_remove(region.store, job), 0);
	nodes[5] = node_of(5, false); // a worker is no member of etcd
	assert_int_equal(job_make(&region, JOB_FORGET_NODE, &nodes[5], job), 0);
	assert_int_equal(membership_may_leave(&region, &nodes[3], &diag), 0);
}

static void the_last_server_that_was_there_stays_recorded(void **state)
{
	struct node worker = member_add(2, false, 1, "{}"); // n-1 left
	bool changed = true;
	for (int i = 0; i < 2; i++) {
		CLEANUP(membership_done) struct membership membership = { 0 };
		CLEANUP(member_freep) struct member *member = NULL;
		AUTO_FREE char *waiting = NULL;
		assert_int_equal(membership_load(&region, &membership), 0);
		assert_int_equal(membership_settle(&region, &membership, &worker, &member, &waiting,
					 &changed),
			0);
		assert_string_equal(member->server, i ? "n-3" : "n-1");
		assert_int_equal(changed, i); // and is not written at every poll
		if (i == 0)
			member_add(3, true, 1, "{}");
	}
}

static void a_quarantined_server_keeps_no_jobs(void **state)
{
	struct node first = member_add(1, true, 0, "{}");
	CLEANUP(membership_done) struct membership membership = { 0 };
	struct node gone = node_of(4, true);
	char id[ID_TEXT];
	member_add(2, true, 1, "{}");
	assert_int_equal(job_make(&region, JOB_FORGET_NODE, &gone, id), 0);
	assert_int_equal(membership_step(&region), 0);
	CLEANUP(job_freep) struct job *before = NULL, *after = NULL;
	assert_int_equal(store_job_get(region.store, id, &before), 0);
	assert_string_equal(before->server, "n-1");
	first.quarantined = 1;
	assert_int_equal(store_node_put(region.store, &first), 0);
	assert_int_equal(membership_step(&region), 0);
	assert_int_equal(store_job_get(region.store, id, &after), 0);
	assert_string_equal(after->server, "n-2");
	assert_int_equal(membership_load(&region, &membership), 0);
	assert_false(membership.servers[0].ready);
	assert_string_equal(membership.servers[0].sentence, QUARANTINE_SENTENCE);
}

static void only_a_server_that_keeps_its_key_becomes_the_first(void **state)
{
	struct cluster cluster = { .name = "hz-fsn-rtz-prod" }; // given up
	struct node server = node_of(2, true);
	bool changed;
	assert_int_equal(store_cluster_put(region.store, &cluster), 0);
	for (int durable = 0; durable < 2; durable++) {
		CLEANUP(membership_done) struct membership membership = { 0 };
		CLEANUP(member_freep) struct member *member = NULL;
		AUTO_FREE char *waiting = NULL;
		server.durable = durable;
		assert_int_equal(store_node_put(region.store, &server), 0);
		assert_int_equal(membership_load(&region, &membership), 0);
		assert_int_equal(membership_settle(&region, &membership, &server, &member, &waiting,
					 &changed),
			0);
		assert_int_equal(member != NULL, durable);
		assert_string_equal(membership.cluster->first_server, durable ? "n-2" : "");
		if (!durable)
			assert_non_null(strstr(waiting, "without STATE"));
	}
}

static void a_cluster_without_servers_is_given_up_by_a_person(void **state)
{
	struct node server = member_add(1, true, 0, "{}"), next = node_of(3, true);
	struct value *args = NULL;
	struct diag diag = { 0 };
	bool changed;
	member_add(2, false, 1, "{}");
	assert_int_equal(json_parse("{\"cluster\":\"hz-fsn-rtz-prod\"}", 29, 0, &args, NULL), 0);
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	assert_int_equal(admin_call(&region, "test", "cluster-anew", args, &out, &diag), -EBUSY);
	assert_non_null(strstr(diag_text(&diag), "hzfsnr-k8s-1p is one"));
	server.state = NODE_REVOKED;
	assert_int_equal(store_node_put(region.store, &server), 0);
	assert_int_equal(admin_call(&region, "test", "cluster-anew", args, &out, &diag), 0);
	assert_int_equal(admin_call(&region, "test", "cluster-anew", args, &out, &diag), -EALREADY);
	json_out_done(&out);
	value_free(args);
	CLEANUP(membership_done) struct membership membership = { 0 };
	CLEANUP(member_freep) struct member *member = NULL, *worker = NULL;
	AUTO_FREE char *waiting = NULL;
	assert_int_equal(store_member_get(region.store, "n-2", &worker), -ENOENT);
	assert_int_equal(store_node_put(region.store, &next), 0);
	assert_int_equal(membership_load(&region, &membership), 0);
	assert_int_equal(
		membership_settle(&region, &membership, &next, &member, &waiting, &changed), 0);
	assert_non_null(member);
	assert_string_equal(membership.cluster->first_server, "n-3");
	assert_false(membership.cluster->ever_ready || membership.cluster->handed_over);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			who_was_left_half_way_keeps_its_settings_until_its_turn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			servers_are_not_revoked_faster_than_etcd_loses_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_last_server_that_was_there_stays_recorded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_quarantined_server_keeps_no_jobs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			only_a_server_that_keeps_its_key_becomes_the_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_cluster_without_servers_is_given_up_by_a_person, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
