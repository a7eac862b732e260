// Who joins when, by whom, and who may leave: every rule and every sentence has its case.
// SPDX-License-Identifier: Apache-2.0
#include "region/admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define UP(n) { .name = n, .ready = true, .voter = true, .joined = true }

static const struct admission_server three[] = { UP("s1"), UP("s2"), UP("s3") };

static struct admission_question question(void)
{
	return (struct admission_question){ .cluster = "c",
		.name = "s4",
		.is_server = true,
		.durable = true,
		.first = "s1",
		.handed_over = true,
		.ever_ready = true,
		.servers = three,
		.n_servers = 1 };
}

static void check(const struct admission_question *question, const char *sentence)
{
	AUTO_FREE char *said = NULL;
	assert_int_equal(admission_decide(question, &said), sentence == NULL);
	if (!sentence)
		assert_null(said);
	else if (!said || !strstr(said, sentence))
		fail_msg("\"%s\" lacks \"%s\"", said ? said : "", sentence);
}

static void a_server_joins_when_all_others_vote_and_are_ready(void **state)
{
	struct admission_question q = question();
	check(&q, NULL);
	q.n_servers = 3;
	check(&q, NULL);
}

static void nobody_joins_before_there_is_a_cluster(void **state)
{
	struct admission_question q = question();
	q.ever_ready = false;
	check(&q, "the first server s1 handed over the cluster but was not Ready yet");
	q.is_server = false;
	check(&q, NULL); // workers need only what was handed over
	q.handed_over = false;
	check(&q, "the first server s1 has not handed over the cluster yet");
	q.first = NULL;
	check(&q, "cluster c has no server yet");
}

static void a_cluster_without_servers_is_not_made_anew(void **state)
{
	struct admission_question q = question();
	q.n_servers = 0;
	check(&q, "no server of cluster c is left");
	check(&q, "hearth-region cluster anew c");
	q.is_server = false;
	check(&q, "no server of cluster c is left");
}

static void servers_join_one_at_a_time(void **state)
{
	struct admission_server servers[] = { UP("s1"), { .name = "s2", .ready = true } };
	struct admission_question q = question();
	q.servers = servers;
	q.n_servers = 2;
	check(&q, "server s2 is joining; this one is next");
	servers[1].silent = true;
	check(&q,
		"began to join and is silent now; look at its screen, or hearth-region revoke s2");
	q.is_server = false;
	check(&q, NULL);
}

static void what_is_wrong_with_a_server_is_said(void **state)
{
	struct admission_server servers[] = { UP("s1"), UP("s2") };
	struct admission_question q = question();
	q.servers = servers;
	q.n_servers = 2;
	servers[1].ready = false;
	servers[1].sentence = "the disk is full";
	check(&q, "server s2 is not Ready: the disk is full");
	servers[1].sentence = NULL;
	check(&q, "server s2 is not Ready: it gave no reason");
	servers[1].ready = true;
	servers[1].voter = false;
	check(&q, "server s2 is no voting member of etcd at present");
	servers[1].silent = true;
	check(&q, "server s2 is a member of the cluster and is silent now");
}

static void who_leaves_has_left_before_the_next_one_joins(void **state)
{
	struct admission_leaving leaving = { .name = "s9", .was_server = true, .server = "s1" };
	struct admission_question q = question();
	q.leaving = &leaving;
	q.n_leaving = 1;
	check(&q, "server s9 is being removed from the cluster by s1; this one is next");
	leaving.server = NULL;
	check(&q, "no server is Ready to do it");
	leaving = (struct admission_leaving){ .name = "s9",
		.was_server = true,
		.failed = true,
		.job = "j-7",
		.sentence = "etcd has no leader" };
	check(&q, "could not be removed from the cluster: etcd has no leader; mend that, then "
		  "hearth-region job retry j-7");
	leaving.was_server = false; // a worker that left keeps no server waiting
	check(&q, NULL);
}

static void a_machine_that_was_another_node_waits_until_that_is_gone(void **state)
{
	struct admission_leaving leaving = { .name = "w1", .server = "s1", .same_machine = true };
	struct admission_question q = question();
	q.is_server = false;
	q.name = "w2";
	q.leaving = &leaving;
	q.n_leaving = 1;
	check(&q, "this machine was w1, which is being removed from the cluster by s1; this one");
	leaving.server = NULL;
	check(&q, "this machine was w1, which has to be removed from the cluster first, and no");
	leaving.failed = true;
	leaving.sentence = "forbidden";
	leaving.job = "j-7";
	check(&q, "this machine was w1, which could not be removed from the cluster: forbidden");
	q.name = "w1";
	check(&q, "the former w1 could not be removed");
}

static void a_name_is_free_when_its_former_node_is_gone(void **state)
{
	struct admission_leaving leaving = { .name = "w1", .server = "s1" };
	struct admission_question q = question();
	q.is_server = false;
	q.name = "w2";
	q.leaving = &leaving;
	q.n_leaving = 1;
	check(&q, NULL);
	q.name = "w1";
	check(&q, "the former w1 is being removed from the cluster by s1");
	leaving.was_server = true;
	q.name = "w2";
	check(&q, NULL);
}

static void a_server_without_state_does_not_join(void **state)
{
	struct admission_question q = question();
	q.durable = false;
	check(&q, "without STATE");
	q.first = NULL; // nor does it make a cluster
	check(&q, "without STATE");
	q.first = "s1";
	q.is_server = false;
	check(&q, NULL);
}

static void who_joins_does_so_by_a_ready_voter(void **state)
{
	struct admission_server servers[] = { UP("s1"), UP("s2"), UP("s3") };
	assert_int_equal(admission_join_by(servers, 3, NULL), 0);
	assert_int_equal(admission_join_by(servers, 3, "s3"), 2);
	servers[2].ready = false;
	assert_int_equal(admission_join_by(servers, 3, "s3"), 0);
	servers[0].voter = false;
	assert_int_equal(admission_join_by(servers, 3, "s3"), 1);
	servers[1].silent = true;
	assert_int_equal(admission_join_by(servers, 3, "s3"), 0);
	servers[0].ready = false;
	assert_int_equal(admission_join_by(servers, 3, "s3"), 2); // all are down: the first one
	assert_int_equal(admission_join_by(servers, 0, "s3"), SIZE_MAX);
}

static void etcd_keeps_its_majority(void **state)
{
	struct admission_server servers[] = { UP("s1"), UP("s2"), UP("s3") };
	struct quorum quorum;
	assert_true(admission_may_leave(servers, 3, 0, 1, &quorum));
	assert_int_equal(quorum.n_left, 2);
	servers[2].ready = false;
	assert_true(admission_may_leave(servers, 3, 0, 2, &quorum)); // the dead one
	assert_false(admission_may_leave(servers, 3, 0, 1, &quorum));
	assert_int_equal(quorum.n_voters, 3);
	assert_int_equal(quorum.n_needed, 2);
	assert_int_equal(quorum.n_left, 1);
	servers[2].joined = false; // it never voted
	assert_true(admission_may_leave(servers, 3, 0, 2, &quorum));
	assert_false(admission_may_leave(
		servers, 2, 0, 0, &quorum)); // it would be silent before it is removed
	assert_false(admission_may_leave(servers, 1, 0, 0, &quorum));
	assert_true(admission_may_leave(servers, 3, 0, SIZE_MAX, &quorum)); // no server at all
	servers[1].silent = true;
	assert_false(admission_may_leave(servers, 3, 0, 0, &quorum));
}

static void who_is_still_being_removed_is_a_member_of_etcd(void **state)
{
	struct admission_server servers[] = { UP("s1"), UP("s2"), UP("s3") };
	struct quorum quorum;
	assert_false(admission_may_leave(servers, 3, 1, 2, &quorum)); // 2 of 4 are too few
	assert_int_equal(quorum.n_voters, 4);
	assert_int_equal(quorum.n_needed, 3);
	assert_true(admission_may_leave(servers, 3, 0, 2, &quorum)); // they are gone
}

static void a_quarantined_server_is_not_ready(void **state)
{
	struct admission_server servers[] = { UP("s1"),
		{ .name = "s2", .quarantined = true, .sentence = "two machines" } };
	struct admission_question q = question();
	q.servers = servers;
	q.n_servers = 2;
	check(&q, "server s2 is not Ready: two machines"); // it is not joining, and does not
	servers[1].silent = true;
	check(&q, "server s2 is not Ready: two machines");
	servers[1].joined = servers[1].voter = true;
	check(&q, "server s2 is not Ready: two machines");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_joins_when_all_others_vote_and_are_ready),
		cmocka_unit_test(nobody_joins_before_there_is_a_cluster),
		cmocka_unit_test(a_cluster_without_servers_is_not_made_anew),
		cmocka_unit_test(servers_join_one_at_a_time),
		cmocka_unit_test(what_is_wrong_with_a_server_is_said),
		cmocka_unit_test(who_leaves_has_left_before_the_next_one_joins),
		cmocka_unit_test(a_machine_that_was_another_node_waits_until_that_is_gone),
		cmocka_unit_test(a_name_is_free_when_its_former_node_is_gone),
		cmocka_unit_test(a_server_without_state_does_not_join),
		cmocka_unit_test(who_joins_does_so_by_a_ready_voter),
		cmocka_unit_test(etcd_keeps_its_majority),
		cmocka_unit_test(who_is_still_being_removed_is_a_member_of_etcd),
		cmocka_unit_test(a_quarantined_server_is_not_ready),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
