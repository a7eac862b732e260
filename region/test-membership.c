// Members in a store of their own: what the pure parts decide is kept, and nothing else changes.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "region/admin.h"
#include "region/enrol.h"
#include "region/job-run.h"
#include "region/membership.h"
#include "region/mesh-leave.h"
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

// What settle says of @node: NULL, it is admitted; else the sentence (the caller frees).
static char *waits(const struct node *node)
{
	CLEANUP(membership_done) struct membership membership = { 0 };
	CLEANUP(member_freep) struct member *member = NULL;
	char *waiting = NULL;
	bool changed;
	assert_int_equal(membership_load(&region, &membership), 0);
	assert_int_equal(
		membership_settle(&region, &membership, node, &member, &waiting, &changed), 0);
	assert_int_equal(member == NULL, waiting != NULL);
	return waiting;
}

static void a_machine_that_comes_back_waits_until_it_is_forgotten(void **state)
{
	struct node again = node_of(7, false), other = node_of(8, false);
	member_add(1, true, 0, "{}");
	struct node old = member_add(2, false, 1, "{}");
	(void)snprintf(old.serial, sizeof(old.serial), "SERIAL-2");
	(void)snprintf(again.serial, sizeof(again.serial), "SERIAL-2");
	again.ready_sec = other.ready_sec = 0; // they never ran K3s
	assert_int_equal(node_revoke(&region, &old, "test", "gone"), 0);
	AUTO_FREE char *sentence = waits(&again), *none = waits(&other);
	assert_null(none);
	assert_non_null(sentence);
	if (!strstr(sentence, "this machine was hzfsnr-k8s-2p, which is being removed from the "
			      "cluster by hzfsnr-k8s-1p"))
		fail_msg("%s", sentence);
	struct job **jobs;
	size_t n;
	assert_int_equal(store_job_list(region.store, &jobs, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(job_drop(&region, "test", jobs[0]->id, NULL), 0);
	job_list_free(jobs, n);
	assert_null(waits(&again));
}

static size_t n_mesh_removals(void)
{
	struct mesh_removal **removals;
	size_t n;
	assert_int_equal(store_removal_list(region.store, 0, &removals, &n), 0);
	mesh_removal_list_free(removals, n);
	return n;
}

static struct node server_revoked(void)
{
	member_add(1, true, 0, "{}");
	struct node leaves = member_add(2, true, 1, "{}");
	assert_int_equal(node_revoke(&region, &leaves, "test", "gone"), 0);
	return leaves;
}

static size_t n_mesh_leaving(void)
{
	struct node **nodes;
	size_t n;
	assert_int_equal(mesh_leaving_list(&region, &nodes, &n), 0);
	node_list_free(nodes, n);
	return n;
}

// The only job's record, changed by who calls.
static struct job *the_job(void)
{
	struct job **jobs, *job = NULL;
	size_t n;
	assert_int_equal(store_job_list(region.store, &jobs, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(store_job_get(region.store, jobs[0]->id, &job), 0);
	job_list_free(jobs, n);
	return job;
}

static void a_server_stays_in_the_mesh_until_it_is_no_member_of_etcd(void **state)
{
	server_revoked();
	struct node first = node_of(1, true);
	assert_int_equal(n_mesh_removals(), 0);
	assert_int_equal(n_mesh_leaving(), 1);
	CLEANUP(job_freep) struct job *job = the_job();
	AUTO_FREE char *text =
		str_format("{\"%s\":{\"state\":\"done\",\"sentence\":\"\"}}", job->id);
	CLEANUP(value_freep) struct value *told = NULL;
	assert_int_equal(json_parse(text, strlen(text), 0, &told, NULL), 0);
	const struct member_report report = {
		.has_etcd = true, .voter = true, .etcd_name = "", .payload_sha256 = "", .jobs = told
	};
	assert_int_equal(membership_report(&region, &first, true, &report), 0);
	assert_int_equal(n_mesh_removals(), 1);
	assert_int_equal(n_mesh_leaving(), 0);
}

static void ten_minutes_are_enough_to_leave_the_mesh(void **state)
{
	server_revoked();
	CLEANUP(job_freep) struct job *job = the_job();
	job->created_sec -= MESH_LEAVE_SEC - 60;
	assert_int_equal(store_job_put(region.store, job), 0);
	assert_int_equal(membership_step(&region), 0);
	assert_int_equal(n_mesh_removals(), 0);
	job->created_sec -= 60;
	assert_int_equal(store_job_put(region.store, job), 0);
	assert_int_equal(membership_step(&region), 0);
	assert_int_equal(n_mesh_removals(), 1);
	assert_int_equal(n_mesh_leaving(), 0);
	assert_int_equal(membership_step(&region), 0); // once
	assert_int_equal(n_mesh_removals(), 1);
}

static void a_dropped_job_and_another_node_of_its_address_end_its_time(void **state)
{
	for (int i = 0; i < 2; i++) {
		if (i > 0 && (tear_down(state) < 0 || set_up(state) < 0))
			fail();
		server_revoked();
		CLEANUP(job_freep) struct job *job = the_job();
		assert_int_equal(mesh_leave_place(&region, 3), 0);
		assert_int_equal(n_mesh_removals(), 0);
		if (i == 0)
			assert_int_equal(job_drop(&region, "test", job->id, NULL), 0);
		else
			assert_int_equal(mesh_leave_place(&region, 2), 0);
		assert_int_equal(n_mesh_removals(), 1);
		assert_int_equal(n_mesh_leaving(), 0);
	}
}

static int64_t place_of(const char *wished)
{
	int64_t number = 0;
	size_t n_servers;
	struct diag diag = { 0 };
	assert_int_equal(enrolment_place(&region, wished, &number, &n_servers, &diag), 0);
	assert_int_equal(n_servers, 1);
	return number;
}

// Who gave it may be who is gone; a worker can have given none.
static void a_kubeconfig_is_doubtful_once_a_server_was_revoked(void **state)
{
	bool doubtful = true;
	assert_int_equal(region_secret_is_doubtful(&region, "kubeconfig", &doubtful), 0);
	assert_false(doubtful); // there is none
	assert_int_equal(region_secret_put(&region, "kubeconfig", "k"), 0);
	member_add(1, true, 0, "{}");
	struct node server = member_add(2, true, 1, "{}"), worker = member_add(3, false, 1, "{}");
	assert_int_equal(node_revoke(&region, &worker, "test", "gone"), 0);
	assert_int_equal(region_secret_is_doubtful(&region, "kubeconfig", &doubtful), 0);
	assert_false(doubtful);
	assert_int_equal(node_revoke(&region, &server, "test", "gone"), 0);
	assert_int_equal(region_secret_is_doubtful(&region, "kubeconfig", &doubtful), 0);
	assert_true(doubtful);
	assert_int_equal(region_secret_put(&region, "kubeconfig", "k"), 0);
	assert_int_equal(region_secret_is_doubtful(&region, "kubeconfig", &doubtful), 0);
	assert_false(doubtful);
}

// Else any machine that enrols within its ten minutes would cut it off.
static void only_who_asks_for_its_name_gets_the_place_of_a_server_that_leaves(void **state)
{
	server_revoked();
	CLEANUP(job_freep) struct job *job = the_job();
	assert_int_equal(place_of(""), 3);
	assert_int_equal(place_of(NULL), 3);
	assert_int_equal(place_of("hzfsnr-k8s-2p"), 2);
	assert_int_equal(job_drop(&region, "test", job->id, NULL), 0);
	assert_int_equal(place_of(""), 2);
}

static void a_key_that_another_node_has_by_now_stays(void **state)
{
	struct node leaves = server_revoked(), again = node_of(5, true);
	CLEANUP(job_freep) struct job *job = the_job();
	memcpy(again.wg_public, leaves.wg_public, sizeof(again.wg_public));
	assert_int_equal(store_node_put(region.store, &again), 0);
	assert_int_equal(n_mesh_leaving(), 0);
	assert_int_equal(job_drop(&region, "test", job->id, NULL), 0);
	assert_int_equal(n_mesh_removals(), 0);
}

static void workers_and_servers_over_the_lan_leave_at_once(void **state)
{
	member_add(1, true, 0, "{}");
	struct node worker = member_add(2, false, 1, "{}"), server = member_add(3, true, 1, "{}");
	assert_int_equal(node_revoke(&region, &worker, "test", "gone"), 0);
	assert_int_equal(n_mesh_removals(), 1);
	region.config->over_lan = true; // etcd does not need the mesh then
	assert_int_equal(node_revoke(&region, &server, "test", "gone"), 0);
	assert_int_equal(n_mesh_removals(), 2);
	assert_int_equal(n_mesh_leaving(), 0);
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
		cmocka_unit_test_setup_teardown(
			a_machine_that_comes_back_waits_until_it_is_forgotten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_server_stays_in_the_mesh_until_it_is_no_member_of_etcd, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			ten_minutes_are_enough_to_leave_the_mesh, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_dropped_job_and_another_node_of_its_address_end_its_time, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_kubeconfig_is_doubtful_once_a_server_was_revoked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			only_who_asks_for_its_name_gets_the_place_of_a_server_that_leaves, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_key_that_another_node_has_by_now_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			workers_and_servers_over_the_lan_leave_at_once, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
