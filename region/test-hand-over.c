// Who hands over the cluster, who renews its kubeconfig, and who is asked to.
// SPDX-License-Identifier: Apache-2.0
#include "region/hand-over.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct admission_server voter = { .name = "s2", .ready = true, .voter = true };

static struct hand_over_question question_of(bool first)
{
	return (struct hand_over_question){ .name = first ? "s1" : "s2",
		.first = first,
		.server = &voter,
		.handed_over = true,
		.ever_ready = true,
		.known_ca_hash = "aa11",
		.ca_hash = "aa11",
		.same = true };
}

static void decided(const struct hand_over_question *question, enum hand_over_verdict verdict,
	const char *part, const char *other_part)
{
	AUTO_FREE char *sentence = NULL;
	assert_int_equal(hand_over_decide(question, &sentence), verdict);
	if (!part) {
		assert_null(sentence);
		return;
	}
	assert_non_null(sentence);
	if (!strstr(sentence, part) || !strstr(sentence, other_part))
		fail_msg("%s", sentence);
}

static void the_first_server_hands_over_all_and_again(void **state)
{
	struct hand_over_question question = question_of(true);
	decided(&question, HAND_OVER_ALL, NULL, NULL);
	question.server = NULL; // it need not be Ready, nor known to vote
	decided(&question, HAND_OVER_ALL, NULL, NULL);
	question.handed_over = question.ever_ready = question.same = false;
	decided(&question, HAND_OVER_ALL, NULL, NULL);
}

static void another_ca_is_taken_from_a_cluster_that_was_never_ready_alone(void **state)
{
	struct hand_over_question question = question_of(true);
	question.same = false;
	question.ca_hash = "bb22";
	decided(&question, HAND_OVER_DIFFERS, "aa11", "bb22");
	question.ever_ready = false;
	decided(&question, HAND_OVER_ALL, NULL, NULL);
}

static void a_ready_voter_renews_the_kubeconfig_and_nothing_else(void **state)
{
	struct hand_over_question question = question_of(false);
	decided(&question, HAND_OVER_KUBECONFIG, NULL, NULL);
	question.ever_ready = false;
	decided(&question, HAND_OVER_KUBECONFIG, NULL, NULL);
}

static void another_cluster_is_refused_with_both_hashes(void **state)
{
	struct hand_over_question question = question_of(false);
	question.same = false;
	question.ca_hash = "bb22";
	decided(&question, HAND_OVER_DIFFERS, "aa11", "s2 runs one whose CA has the hash bb22");
	question.ever_ready = false; // that is the first server's alone
	decided(&question, HAND_OVER_DIFFERS, "aa11", "bb22");
	question.ca_hash = "aa11";
	decided(&question, HAND_OVER_DIFFERS, "aa11", "certificate or token is another one");
}

static void others_are_refused_with_what_they_lack(void **state)
{
	struct admission_server server = voter;
	struct hand_over_question question = question_of(false);
	question.server = NULL;
	decided(&question, HAND_OVER_REFUSED, "s2", "no server of this cluster");
	question.server = &server;
	server.ready = false;
	decided(&question, HAND_OVER_REFUSED, "s2", "not Ready");
	server.ready = true;
	server.voter = false;
	decided(&question, HAND_OVER_REFUSED, "s2", "does not vote");
	server.voter = true;
	question.handed_over = false; // the first hand-over stays the first server's
	decided(&question, HAND_OVER_REFUSED, "s2", "has not handed over yet");
}

static void one_healthy_server_is_asked_the_first_before_others(void **state)
{
	struct admission_server servers[3] = { voter, voter, voter };
	bool end[3] = { false };
	assert_int_equal(hand_over_renewer(servers, end, 3, 1), 1);
	assert_int_equal(hand_over_renewer(servers, end, 3, SIZE_MAX), 0);
	servers[1].ready = false;
	assert_int_equal(hand_over_renewer(servers, end, 3, 1), 0);
	servers[0].silent = true;
	assert_int_equal(hand_over_renewer(servers, end, 3, 1), 2);
	end[2] = true; // what it has ends as soon
	assert_int_equal(hand_over_renewer(servers, end, 3, 1), SIZE_MAX);
	end[2] = false;
	servers[2].voter = false;
	assert_int_equal(hand_over_renewer(servers, end, 3, 1), SIZE_MAX);
	assert_int_equal(hand_over_renewer(NULL, NULL, 0, SIZE_MAX), SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_server_hands_over_all_and_again),
		cmocka_unit_test(another_ca_is_taken_from_a_cluster_that_was_never_ready_alone),
		cmocka_unit_test(a_ready_voter_renews_the_kubeconfig_and_nothing_else),
		cmocka_unit_test(another_cluster_is_refused_with_both_hashes),
		cmocka_unit_test(others_are_refused_with_what_they_lack),
		cmocka_unit_test(one_healthy_server_is_asked_the_first_before_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
