// A cluster goes back to a snapshot: who is told what, what is waited for, and when the others may
// join again. SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "region/admin.h"
#include "region/assign.h"
#include "region/job-run.h"
#include "region/restore-run.h"
#include "region/rollout-run.h"
#include "region/settings.h"
#include "region/status-parts.h"
#include "region/test-folder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SNAPSHOT "hearth-0123456789abcdef-hzfsnr-k8s-2p-1795600800"
#define LISTED "\"snapshots\":[{\"name\":\"" SNAPSHOT "\",\"bytes\":5,\"createdSec\":1795600800}]"

#define N "100000000" // of the first restore of a test: there was one before

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
	const struct restore before = {
		.cluster = "hz-fsn-rtz-prod", .n = atoi(N) - 1, .state = RESTORE_DONE
	};
	int r = test_region_make(&folder, config, &region);
	if (r < 0 || (r = store_cluster_put(region.store, &cluster)) < 0)
		return r;
	return store_restore_put(region.store, &before);
}

static int tear_down(void **state)
{
	return test_region_remove(&folder, &region);
}

static void node_put(int number, bool ready, int64_t seen_sec, const char *status)
{
	AUTO_FREE char *copy = strdup(status);
	struct node node = { .number = number,
		.is_server = 1,
		.state = NODE_APPROVED,
		.durable = 1,
		.ready = ready,
		.ready_sec = 1,
		.seen_sec = seen_sec,
		.status = copy };
	(void)snprintf(node.id, sizeof(node.id), "n-%d", number);
	(void)snprintf(node.key, sizeof(node.key), "key%d", number);
	(void)snprintf(node.cluster, sizeof(node.cluster), "hz-fsn-rtz-prod");
	(void)snprintf(node.name, sizeof(node.name), "hzfsnr-k8s-%dp", number);
	assert_int_equal(store_node_put(region.store, &node), 0);
}

static struct node *node_get(int number)
{
	struct node *node = NULL;
	char id[ID_TEXT];
	(void)snprintf(id, sizeof(id), "n-%d", number);
	assert_int_equal(store_node_by_id(region.store, id, &node), 0);
	return node;
}

// What the server says now.
static void say(int number, bool ready, const char *status)
{
	CLEANUP(node_freep) struct node *node = node_get(number);
	CLEANUP(value_freep) struct value *body = NULL;
	assert_int_equal(json_parse(status, strlen(status), 0, &body, NULL), 0);
	assert_int_equal(status_parts_check(body, NULL), 0);
	str_set(&node->status, status);
	node->ready = ready;
	node->seen_sec = region_now_sec(&region);
	assert_int_equal(store_node_put(region.store, node), 0);
	assert_int_equal(membership_step(&region), 0);
}

static void three_servers(void)
{
	AUTO_FREE char *settings = settings_newest(region.config, "x");
	for (int i = 1; i <= 3; i++) {
		struct member member = {
			.voter = 1, .voter_sec = 1, .settings = settings, .admitted_sec = 1
		};
		(void)snprintf(member.id, sizeof(member.id), "n-%d", i);
		node_put(i, true, region_now_sec(&region), i == 2 ? "{" LISTED "}" : "{}");
		assert_int_equal(store_member_put(region.store, &member), 0);
	}
}

static bool is_member(int number)
{
	CLEANUP(member_freep) struct member *member = NULL;
	char id[ID_TEXT];
	(void)snprintf(id, sizeof(id), "n-%d", number);
	return store_member_get(region.store, id, &member) == 0;
}

static int64_t state_now(void)
{
	CLEANUP(restore_freep) struct restore *restore = NULL;
	assert_int_equal(restore_load(&region, &restore), 0);
	return restore->state;
}

static void said(const char *words)
{
	CLEANUP(restore_freep) struct restore *restore = NULL;
	assert_int_equal(restore_load(&region, &restore), 0);
	if (!restore->sentence || !strstr(restore->sentence, words))
		fail_msg("not said: %s: %s", words, restore->sentence);
}

// "k3s" of the node's assignment, or what it waits for.
static struct value *told(int number)
{
	CLEANUP(membership_done) struct membership membership = { 0 };
	CLEANUP(node_freep) struct node *node = node_get(number);
	CLEANUP(member_freep) struct member *member = NULL;
	CLEANUP(restore_freep) struct restore *restore = NULL;
	CLEANUP(value_freep) struct value *settings = NULL;
	AUTO_FREE char *waiting = NULL, *text = NULL;
	struct value *document = NULL;
	struct diag diag = { 0 };
	bool changed;
	(void)restore_load(&region, &restore);
	assert_int_equal(membership_load(&region, &membership), 0);
	assert_int_equal(
		membership_settle(&region, &membership, node, &member, &waiting, &changed), 0);
	if (member)
		assert_int_equal(
			json_parse(member->settings, strlen(member->settings), 0, &settings, NULL),
			0);
	const struct assignment_input input = { .config = region.config,
		.cluster = membership.cluster,
		.node = node,
		.member = member,
		.waiting_for = waiting,
		.restore = restore,
		.rejoin = restore_rejoins(&region, node),
		.settings = settings,
		.servers = membership.nodes,
		.n_servers = membership.n_servers,
		.ca_pin = "sha256:x",
		.generation = "e.1" };
	if (assignment_build(&input, &text, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	assert_int_equal(json_parse(text, strlen(text), 0, &document, NULL), 0);
	return document;
}

static int64_t number_told(int number, const char *key, const char *inner)
{
	CLEANUP(value_freep) struct value *document = told(number);
	const struct value *value =
		inner ? value_path(document, key, inner, NULL) : value_find(document, key);
	return value && value->type == VALUE_NUMBER ? strtoll(value->text, NULL, 10) : -1;
}

static int start(int number, const char *snapshot, bool force, const char *words)
{
	CLEANUP(node_freep) struct node *node = node_get(number);
	struct diag diag = { 0 };
	int r = restore_start(&region, "test", node, snapshot, force, &diag);
	if (r < 0 && !strstr(diag_text(&diag), words))
		fail_msg("not said: %s: %s", words, diag_text(&diag));
	return r;
}

static void what_cannot_be_restored_is_refused(void **state)
{
	struct rollout rollout = { .cluster = "hz-fsn-rtz-prod", .state = ROLLOUT_RUNNING };
	three_servers();
	assert_int_equal(start(1, SNAPSHOT, true, "is no snapshot on hzfsnr-k8s-1p"), -ENOENT);
	assert_int_equal(start(2, "other", true, "is no snapshot on"), -ENOENT);
	assert_int_equal(start(2, SNAPSHOT, false, "goes back to 2026-11-25T"), -ECANCELED);
	assert_int_equal(store_rollout_put(region.store, &rollout), 0);
	assert_int_equal(start(2, SNAPSHOT, true, "rollout stop"), -EBUSY);
	rollout.state = ROLLOUT_DONE;
	assert_int_equal(store_rollout_put(region.store, &rollout), 0);
	node_put(2, true, region_now_sec(&region) - 100, "{" LISTED "}");
	assert_int_equal(start(2, SNAPSHOT, true, "was not heard"), -EHOSTDOWN);
	for (int i = 1; i <= 3; i++)
		assert_true(is_member(i)); // nothing was touched
}

static void everybody_stops_one_restores_the_others_join_again(void **state)
{
	struct diag diag = { 0 };
	three_servers();
	assert_int_equal(start(2, SNAPSHOT, true, ""), 0);
	assert_true(!is_member(1) && is_member(2) && !is_member(3));
	assert_int_equal(start(2, SNAPSHOT, true, "one is going on"), -EALREADY);
	assert_int_equal(rollout_start(&region, "test", true, 60, &diag), -EBUSY);

	assert_int_equal(number_told(1, "stopK3s", NULL), atoi(N));
	assert_int_equal(number_told(3, "stopK3s", NULL), atoi(N));
	CLEANUP(value_freep) struct value *two = told(2), *one = told(1);
	assert_true(value_path(two, "k3s", "first", NULL)->boolean);
	assert_int_equal(value_path(two, "k3s", "server", NULL)->type, VALUE_NULL);
	assert_string_equal(
		value_text(value_path(two, "k3s", "restore", "snapshot", NULL)), SNAPSHOT);
	assert_false(value_path(two, "k3s", "restore", "begin", NULL)->boolean);
	assert_non_null(strstr(
		value_text(value_find(one, "waitingFor")), "is being restored from snapshot"));

	say(2, false,
		"{\"k3sRestore\":{\"n\":" N ",\"state\":\"stopped\",\"sentence\":\"\"}," LISTED "}");
	said("waiting for server hzfsnr-k8s-1p to stop its K3s");
	say(1, false, "{\"k3sRestore\":{\"n\":" N ",\"state\":\"stopping\",\"sentence\":\"\"}}");
	assert_int_equal(state_now(), RESTORE_STOPPING);
	say(1, false, "{\"k3sRestore\":{\"n\":" N ",\"state\":\"stopped\",\"sentence\":\"\"}}");
	said("hzfsnr-k8s-3p");
	node_put(3, true, region_now_sec(&region) - 100,
		"{}"); // it lost its power: nobody waits for it
	assert_int_equal(membership_step(&region), 0);
	assert_int_equal(state_now(), RESTORE_RUNNING);
	CLEANUP(value_freep) struct value *begins = told(2);
	assert_true(value_path(begins, "k3s", "restore", "begin", NULL)->boolean);

	say(2, false,
		"{\"k3sRestore\":{\"n\":" N ",\"state\":\"restoring\",\"sentence\":\"k3s runs\"}}");
	said("k3s runs");
	assert_int_equal(number_told(1, "stopK3s", NULL), atoi(N)); // nobody joins yet
	say(2, false, "{\"k3sRestore\":{\"n\":" N ",\"state\":\"restored\",\"sentence\":\"\"}}");
	assert_int_equal(state_now(), RESTORE_DONE);
	CLEANUP(value_freep) struct value *later = told(1);
	assert_non_null(
		strstr(value_text(value_find(later, "waitingFor")), "hzfsnr-k8s-2p is joining"));

	CLEANUP(member_freep) struct member *member = NULL;
	say(2, true, "{\"etcd\":{\"voter\":true,\"name\":\"x\"}}");
	assert_int_equal(store_member_get(region.store, "n-2", &member), 0);
	member->voter = 1;
	member->voter_sec = 5;
	assert_int_equal(store_member_put(region.store, member), 0);
	assert_int_equal(number_told(1, "k3s", "rejoin"), atoi(N));
	CLEANUP(value_freep) struct value *joins = told(1), *third = told(3), *done = told(2);
	assert_false(value_path(joins, "k3s", "first", NULL)->boolean);
	assert_string_equal(
		value_text(value_path(joins, "k3s", "server", NULL)), "https://10.66.0.12:6443");
	assert_non_null(
		strstr(value_text(value_find(third, "waitingFor")), "hzfsnr-k8s-1p is joining"));
	assert_int_equal(number_told(3, "stopK3s", NULL), atoi(N)); // it may come back with what it had
	assert_null(value_path(done, "k3s", "restore", NULL));
	assert_null(value_path(done, "k3s", "rejoin", NULL));
}

static void another_server_may_do_what_one_failed_to(void **state)
{
	three_servers();
	assert_int_equal(start(2, SNAPSHOT, true, ""), 0);
	say(1, false,
		"{\"k3sRestore\":{\"n\":" N ",\"state\":\"stopped\",\"sentence\":\"\"}," LISTED "}");
	say(3, false, "{\"k3sRestore\":{\"n\":" N ",\"state\":\"stopped\",\"sentence\":\"\"}}");
	say(2, false, "{\"k3sRestore\":{\"n\":" N ",\"state\":\"stopped\",\"sentence\":\"\"}}");
	say(2, false,
		"{\"k3sRestore\":{\"n\":" N ",\"state\":\"failed\",\"sentence\":\"k3s server: bad "
		"token\"}}");
	assert_int_equal(state_now(), RESTORE_FAILED);
	said("hzfsnr-k8s-2p could not restore " SNAPSHOT ": k3s server: bad token");
	CLEANUP(value_freep) struct value *waits = told(3);
	assert_non_null(strstr(value_text(value_find(waits, "waitingFor")), "bad token"));
	assert_int_equal(start(1, SNAPSHOT, true, ""), 0); // it lists it, too
	assert_true(is_member(1) && !is_member(2) && !is_member(3));
	assert_int_equal(number_told(2, "stopK3s", NULL), atoi(N) + 1);
	CLEANUP(value_freep) struct value *one = told(1);
	assert_true(value_path(one, "k3s", "first", NULL)->boolean);
	say(3, false,
		"{\"k3sRestore\":{\"n\":" N ",\"state\":\"stopped\",\"sentence\":\"\"}}"); // of the one
										       // before
	assert_int_equal(state_now(), RESTORE_STOPPING);
}

static void one_that_failed_can_be_given_up(void **state)
{
	struct diag diag = { 0 };
	three_servers();
	assert_int_equal(restore_undo(&region, "test", &diag), -EINVAL);
	assert_int_equal(start(2, SNAPSHOT, true, ""), 0);
	for (int i = 3; i >= 1; i--)
		say(i, false, "{\"k3sRestore\":{\"n\":" N ",\"state\":\"stopped\",\"sentence\":\"\"}}");
	assert_int_equal(state_now(), RESTORE_RUNNING);
	assert_int_equal(restore_undo(&region, "test", &diag), -EINVAL); // it may be half done
	assert_non_null(strstr(diag_text(&diag), "the last one is running"));
	say(2, false, "{\"k3sRestore\":{\"n\":" N ",\"state\":\"failed\",\"sentence\":\"no\"}}");
	assert_int_equal(restore_undo(&region, "test", &diag), 0);
	assert_true(is_member(1) && !is_member(2) && is_member(3));
	CLEANUP(value_freep) struct value *one = told(1), *two = told(2), *three = told(3);
	assert_true(value_path(one, "k3s", "first", NULL)->boolean);
	assert_null(value_path(one, "k3s", "rejoin", NULL)); // with the database that it has
	assert_null(value_path(three, "k3s", "rejoin", NULL));
	assert_string_equal(
		value_text(value_path(three, "k3s", "server", NULL)), "https://10.66.0.11:6443");
	assert_int_equal(number_told(2, "stopK3s", NULL), atoi(N));
	assert_non_null(
		strstr(value_text(value_find(two, "waitingFor")), "the former hzfsnr-k8s-2p"));

	struct job **jobs;
	size_t n;
	assert_int_equal(store_job_list(region.store, &jobs, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(jobs[0]->kind, JOB_FORGET_NODE);
	assert_string_equal(jobs[0]->node, "hzfsnr-k8s-2p");
	assert_int_equal(store_job_remove(region.store, jobs[0]->id), 0); // done
	job_list_free(jobs, n);
	for (int i = 1; i <= 3; i += 2) {
		CLEANUP(member_freep) struct member *member = NULL;
		char id[ID_TEXT];
		(void)snprintf(id, sizeof(id), "n-%d", i);
		say(i, true, "{}");
		assert_int_equal(store_member_get(region.store, id, &member), 0);
		member->voter = 1;
		member->voter_sec = 5;
		assert_int_equal(store_member_put(region.store, member), 0);
	}
	assert_int_equal(number_told(2, "k3s", "rejoin"), atoi(N)); // and it joins with an empty one
	assert_int_equal(restore_undo(&region, "test", &diag), -EINVAL);
	say(2, true, "{" LISTED "}");
	assert_int_equal(start(2, SNAPSHOT, true, ""), 0); // the next one has a number of its own
	assert_int_equal(number_told(1, "stopK3s", NULL), atoi(N) + 1);
}

static void one_that_did_not_begin_can_be_given_up(void **state)
{
	struct diag diag = { 0 };
	three_servers();
	assert_int_equal(start(2, SNAPSHOT, true, ""), 0);
	assert_int_equal(restore_undo(&region, "test", &diag), 0);
	assert_true(is_member(1) && is_member(2) && is_member(3));
	for (int i = 1; i <= 3; i++) {
		CLEANUP(value_freep) struct value *k3s = told(i);
		assert_null(value_path(k3s, "k3s", "rejoin", NULL));
		assert_null(value_path(k3s, "k3s", "restore", NULL));
	}
}

static void votes(int number)
{
	CLEANUP(member_freep) struct member *member = NULL;
	char id[ID_TEXT];
	(void)snprintf(id, sizeof(id), "n-%d", number);
	assert_int_equal(store_member_get(region.store, id, &member), 0);
	member->voter = 1;
	member->voter_sec = 5;
	assert_int_equal(store_member_put(region.store, member), 0);
}

// Restore @number of server 2 is done; nobody has joined it yet.
static void restored_alone(void)
{
	three_servers();
	assert_int_equal(start(2, SNAPSHOT, true, ""), 0);
	for (int i = 3; i >= 1; i--)
		say(i, false, "{\"k3sRestore\":{\"n\":" N ",\"state\":\"stopped\",\"sentence\":\"\"}}");
	say(2, false, "{\"k3sRestore\":{\"n\":" N ",\"state\":\"restored\",\"sentence\":\"\"}}");
	assert_int_equal(state_now(), RESTORE_DONE);
	votes(2);
	say(2, true, "{" LISTED "}");
}

// Two servers with the database of before the first restore would be a cluster of their own.
static void who_was_still_to_join_is_no_member_when_the_next_is_given_up(void **state)
{
	struct diag diag = { 0 };
	restored_alone();
	assert_int_equal(start(2, SNAPSHOT, true, ""), 0);
	assert_int_equal(restore_undo(&region, "test", &diag), 0);
	assert_true(!is_member(1) && is_member(2) && !is_member(3));
	assert_int_equal(number_told(3, "stopK3s", NULL), atoi(N) + 1);
	votes(2);
	assert_int_equal(number_told(1, "k3s", "rejoin"), atoi(N)); // as it was to do before
	assert_true(!is_member(3)); // one at a time
}

static void who_failed_before_is_no_member_when_the_next_is_given_up(void **state)
{
	struct diag diag = { 0 };
	three_servers();
	assert_int_equal(start(2, SNAPSHOT, true, ""), 0);
	for (int i = 3; i >= 1; i--)
		say(i, false,
			"{\"k3sRestore\":{\"n\":" N ",\"state\":\"stopped\",\"sentence\":\"\"}," LISTED "}");
	say(2, false, "{\"k3sRestore\":{\"n\":" N ",\"state\":\"failed\",\"sentence\":\"no\"}}");
	assert_int_equal(start(1, SNAPSHOT, true, ""), 0);
	assert_int_equal(restore_undo(&region, "test", &diag), 0);
	assert_true(is_member(1) && !is_member(2) && is_member(3));
	for (int i = 1; i <= 3; i += 2) {
		CLEANUP(value_freep) struct value *k3s = told(i);
		assert_null(value_path(k3s, "k3s", "rejoin", NULL));
		votes(i);
		say(i, true, "{}");
	}
	struct job **jobs;
	size_t n;
	assert_int_equal(store_job_list(region.store, &jobs, &n), 0);
	assert_int_equal(n, 1); // its member of etcd goes first
	assert_string_equal(jobs[0]->kind, JOB_FORGET_NODE);
	assert_string_equal(jobs[0]->node, "hzfsnr-k8s-2p");
	assert_int_equal(store_job_remove(region.store, jobs[0]->id), 0); // done
	job_list_free(jobs, n);
	assert_int_equal(number_told(2, "k3s", "rejoin"), atoi(N));
}

// Given up, it would make a cluster of its own: it is the first server.
static void who_never_voted_is_let_go_when_its_restore_is_given_up(void **state)
{
	CLEANUP(member_freep) struct member *member = NULL;
	struct diag diag = { 0 };
	three_servers();
	assert_int_equal(store_member_get(region.store, "n-2", &member), 0);
	member->voter = member->voter_sec = 0;
	assert_int_equal(store_member_put(region.store, member), 0);
	assert_int_equal(start(2, SNAPSHOT, true, ""), 0);
	assert_int_equal(restore_undo(&region, "test", &diag), 0);
	assert_true(is_member(1) && !is_member(2) && is_member(3));
	CLEANUP(value_freep) struct value *one = told(1);
	assert_true(value_path(one, "k3s", "first", NULL)->boolean);
}

// Node 2 is the only server, and its restore is asked for.
static void a_lone_server_restores(void)
{
	AUTO_FREE char *settings = settings_newest(region.config, "x");
	struct member member = {
		.id = "n-2", .voter = 1, .voter_sec = 1, .settings = settings, .admitted_sec = 1
	};
	node_put(2, true, region_now_sec(&region), "{" LISTED "}");
	assert_int_equal(store_member_put(region.store, &member), 0);
	assert_int_equal(start(2, SNAPSHOT, true, ""), 0);
}

static void a_lone_server_has_nothing_to_go_back_to(void **state)
{
	struct diag diag = { 0 };
	a_lone_server_restores();
	say(2, false, "{\"k3sRestore\":{\"n\":" N ",\"state\":\"stopped\",\"sentence\":\"\"}}");
	say(2, false, "{\"k3sRestore\":{\"n\":" N ",\"state\":\"failed\",\"sentence\":\"no\"}}");
	assert_int_equal(restore_undo(&region, "test", &diag), -EINVAL);
	assert_non_null(strstr(diag_text(&diag), "no other server"));
	assert_true(is_member(2));
}

static void jobs_wait_and_nodes_that_left_are_forgotten_afterwards(void **state)
{
	CLEANUP(job_freep) struct job *kept = NULL, *gone = NULL;
	char forget[ID_TEXT], drain[ID_TEXT];
	struct node left = { .id = "n-9", .name = "hzfsnr-k8s-9p", .is_server = 1 };
	three_servers();
	CLEANUP(node_freep) struct node *one = node_get(1);
	assert_int_equal(job_make(&region, JOB_FORGET_NODE, &left, forget), 0);
	assert_int_equal(job_make(&region, JOB_DRAIN, one, drain), 0);
	assert_int_equal(membership_step(&region), 0);
	assert_int_equal(start(2, SNAPSHOT, true, ""), 0);
	assert_int_equal(store_job_get(region.store, drain, &gone), -ENOENT);
	assert_int_equal(store_job_get(region.store, forget, &kept), 0);
	assert_string_equal(kept->server, "");
}

// Its Node of the snapshot is old: the job would remove the one server that there is.
static void who_restores_is_not_forgotten_afterwards(void **state)
{
	CLEANUP(job_freep) struct job *job = NULL;
	char forget[ID_TEXT];
	three_servers();
	CLEANUP(node_freep) struct node *two = node_get(2);
	assert_int_equal(job_make(&region, JOB_FORGET_NODE, two, forget), 0);
	assert_int_equal(start(2, SNAPSHOT, true, ""), 0);
	assert_int_equal(store_job_get(region.store, forget, &job), -ENOENT);
}

static void a_region_of_a_backup_gives_no_number_again(void **state)
{
	CLEANUP(restore_freep) struct restore *restore = NULL;
	struct restore old = { .cluster = "hz-fsn-rtz-prod", .n = 5, .state = RESTORE_DONE };
	int64_t before = region_now_sec(&region) / 60;
	three_servers();
	assert_int_equal(store_restore_put(region.store, &old), 0); // 6 and 7 were done since
	assert_int_equal(start(2, SNAPSHOT, true, ""), 0);
	assert_int_equal(restore_load(&region, &restore), 0);
	assert_true(restore->n >= before && before > 7);
	assert_int_equal(number_told(1, "stopK3s", NULL), restore->n);
}

// One that was given up since would take the cluster back after all.
static void nothing_is_begun_by_a_region_that_was_away(void **state)
{
	struct diag diag = { 0 };
	three_servers();
	assert_int_equal(start(2, SNAPSHOT, true, ""), 0);
	region.loaded_sec = region_now_sec(&region) + 1;
	region.away_sec = 3600;
	assert_int_equal(membership_step(&region), 0);
	assert_int_equal(state_now(), RESTORE_FAILED);
	said("away for 3600 s");
	CLEANUP(value_freep) struct value *two = told(2);
	assert_false(value_path(two, "k3s", "restore", "begin", NULL)->boolean);
	assert_int_equal(restore_undo(&region, "test", &diag), 0);
	assert_true(is_member(1) && is_member(2) && is_member(3)); // nothing was touched
}

static void a_server_that_was_revoked_is_not_the_first_any_more(void **state)
{
	struct diag diag = { 0 };
	three_servers();
	assert_int_equal(start(2, SNAPSHOT, true, ""), 0);
	CLEANUP(node_freep) struct node *two = node_get(2);
	two->state = NODE_REVOKED;
	assert_int_equal(store_node_put(region.store, two), 0);
	assert_int_equal(membership_step(&region), 0);
	assert_int_equal(state_now(), RESTORE_FAILED);
	said("was revoked");
	assert_int_equal(restore_undo(&region, "test", &diag), 0);
	assert_true(is_member(1) && !is_member(2) && is_member(3));
	CLEANUP(value_freep) struct value *one = told(1);
	assert_true(value_path(one, "k3s", "first", NULL)->boolean);
}

static void a_lone_server_goes_on_when_nothing_was_begun(void **state)
{
	struct diag diag = { 0 };
	a_lone_server_restores();
	say(2, false, "{\"k3sRestore\":{\"n\":" N ",\"state\":\"failed\",\"sentence\":\"there is none\"}}");
	assert_int_equal(restore_undo(&region, "test", &diag), 0);
	assert_true(is_member(2));
	CLEANUP(value_freep) struct value *two = told(2);
	assert_null(value_path(two, "k3s", "rejoin", NULL));
	assert_null(value_path(two, "k3s", "restore", NULL));
}

static void reports_of_another_shape_are_refused(void **state)
{
	static const char *const rows[] = { "{\"k3sRestore\":1}", "{\"k3sRestore\":{}}",
		"{\"k3sRestore\":{\"n\":0,\"state\":\"stopped\",\"sentence\":\"\"}}",
		"{\"k3sRestore\":{\"n\":" N ",\"state\":\"gone\",\"sentence\":\"\"}}",
		"{\"k3sRestore\":{\"n\":" N ",\"state\":\"stopped\"}}" };
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(value_freep) struct value *body = NULL;
		assert_int_equal(json_parse(rows[i], strlen(rows[i]), 0, &body, NULL), 0);
		if (status_parts_check(body, NULL) != -EINVAL)
			fail_msg("%s", rows[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_cannot_be_restored_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			everybody_stops_one_restores_the_others_join_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			another_server_may_do_what_one_failed_to, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_failed_can_be_given_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			one_that_did_not_begin_can_be_given_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			who_was_still_to_join_is_no_member_when_the_next_is_given_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			who_failed_before_is_no_member_when_the_next_is_given_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			who_never_voted_is_let_go_when_its_restore_is_given_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_lone_server_has_nothing_to_go_back_to, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			jobs_wait_and_nodes_that_left_are_forgotten_afterwards, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			who_restores_is_not_forgotten_afterwards, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_region_of_a_backup_gives_no_number_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			nothing_is_begun_by_a_region_that_was_away, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_server_that_was_revoked_is_not_the_first_any_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_lone_server_goes_on_when_nothing_was_begun, set_up, tear_down),
		cmocka_unit_test(reports_of_another_shape_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
