// Who answers through the link of the mesh; here it is the loopback, where this machine's own kernel answers.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/mesh-answers.h"
#include "base/time.h"

#include <poll.h>
#include <sched.h>

enum { LOOKS = 30, LOOK_MSEC = 10 };

static bool is_alone; // in a namespace
static uint64_t now_usec = 1000 * USEC_PER_SEC; // a second goes by from look to look

static bool answers_in_time(struct mesh_answers *answers, struct mesh_peer *peer, const char *address, const char *link)
{
	char *range = (char *)address;
	struct mesh_peers peers = { .n = 1, .peers = peer };
	bool answered = false;
	peer->allowed_ips = &range;
	peer->n_allowed_ips = 1;
	for (unsigned i = 0; i < LOOKS && !answered; i++) {
		answered = mesh_answers_look(answers, &peers, link, now_usec += USEC_PER_SEC);
		(void)poll(NULL, 0, LOOK_MSEC);
	}
	return answered;
}

static void peer_with_a_session_answers(void **state)
{
	struct mesh_answers answers = { 0 };
	struct mesh_peer peer = { .in_kernel = true, .handshake_ago_sec = 1 };
	if (!is_alone)
		skip();
	assert_true(answers_in_time(&answers, &peer, "127.0.0.2/32", "lo"));
	mesh_answers_done(&answers);
	assert_true(answers_in_time(&answers, &peer, "::1/128", "lo"));
	mesh_answers_done(&answers);
	assert_int_equal(answers.n, 0);
}

static void who_has_no_session_or_is_silent_is_not_asked(void **state)
{
	struct mesh_answers answers = { 0 };
	struct mesh_peer never = { .in_kernel = true, .handshake_ago_sec = -1 }, silent = { .in_kernel = true, .quiet_usec = 1 },
			 unset = { .handshake_ago_sec = 1 };
	if (!is_alone)
		skip();
	assert_false(answers_in_time(&answers, &never, "127.0.0.2/32", "lo"));
	assert_false(answers_in_time(&answers, &silent, "127.0.0.2/32", "lo"));
	assert_false(answers_in_time(&answers, &unset, "127.0.0.2/32", "lo"));
	assert_int_equal(answers.n, 0);
}

static void answer_by_another_link_is_none(void **state)
{
	struct mesh_answers answers = { 0 };
	struct mesh_peer peer = { .in_kernel = true, .handshake_ago_sec = 1 };
	if (!is_alone || system("ip link add mesh0 type bridge && ip addr add 10.9.0.1/24 dev mesh0 && ip link set mesh0 up") != 0)
		skip();
	assert_true(answers_in_time(&answers, &peer, "10.9.0.1/32", "lo"));
	mesh_answers_done(&answers);
	assert_false(answers_in_time(&answers, &peer, "10.9.0.1/32", "mesh0"));
	mesh_answers_done(&answers);
}

static void link_that_is_made_anew_is_asked_anew(void **state)
{
	struct mesh_answers answers = { 0 };
	struct mesh_peer peer = { .in_kernel = true, .handshake_ago_sec = 1 };
	if (!is_alone || system("ip link add gone0 type bridge && ip link set gone0 up") != 0)
		skip();
	assert_false(answers_in_time(&answers, &peer, "127.0.0.2/32", "gone0"));
	assert_int_equal(system("ip link del gone0"), 0);
	assert_true(answers_in_time(&answers, &peer, "127.0.0.2/32", "lo"));
	mesh_answers_done(&answers);
}

enum { N_MUTE = MESH_ANSWERS_MAX + 2 };

static void let_be_asked(struct mesh_peer *list, char **ranges, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		list[i].in_kernel = true;
		list[i].handshake_ago_sec = 1;
		list[i].allowed_ips = &ranges[i];
		list[i].n_allowed_ips = 1;
	}
}

// Looks until one of @n peers answers; all have a session.
static unsigned looks_until_one_answers(struct mesh_peer *list, char **ranges, size_t n)
{
	struct mesh_peers peers = { .n = n, .peers = list };
	struct mesh_answers answers = { 0 };
	unsigned looks = 0;
	bool answered = false;
	let_be_asked(list, ranges, n);
	while (looks < LOOKS && !answered) {
		answered = mesh_answers_look(&answers, &peers, "lo", now_usec += USEC_PER_SEC);
		looks++;
		(void)poll(NULL, 0, LOOK_MSEC);
	}
	mesh_answers_done(&answers);
	return answered ? looks : 0;
}

// N_MUTE where every packet is dropped without a word, then one that answers.
static void make_ranges(char *ret[N_MUTE + 1])
{
	for (size_t i = 0; i < N_MUTE; i++) {
		ret[i] = str_format("10.8.0.%zu/32", i + 1);
		assert_non_null(ret[i]);
	}
	ret[N_MUTE] = (char *)"127.0.0.2/32";
}

static void free_ranges(char *ranges[N_MUTE + 1])
{
	for (size_t i = 0; i < N_MUTE; i++)
		free(ranges[i]);
}

static void who_was_heard_last_is_asked_first(void **state)
{
	struct mesh_peer peers[N_MUTE + 1] = { 0 };
	char *ranges[N_MUTE + 1];
	if (!is_alone)
		skip();
	make_ranges(ranges);
	peers[N_MUTE].heard_usec = 2;
	assert_int_equal(looks_until_one_answers(peers, ranges, N_MUTE + 1), 2);
	free_ranges(ranges);
}

static void who_does_not_answer_makes_room(void **state)
{
	struct mesh_peer peers[N_MUTE + 1] = { 0 };
	char *ranges[N_MUTE + 1];
	if (!is_alone)
		skip();
	make_ranges(ranges);
	for (size_t i = 0; i < N_MUTE; i++)
		peers[i].heard_usec = 2; // all of them before the one that answers
	assert_in_range(looks_until_one_answers(peers, ranges, N_MUTE + 1), MESH_ANSWERS_SEC, MESH_ANSWERS_SEC + 3);
	free_ranges(ranges);
}

static void who_cannot_be_reached_takes_nobody_with_it(void **state)
{
	char *ranges[] = { (char *)"fd08::1/128", (char *)"fd09::1/128" };
	struct mesh_peer list[2] = { { .heard_usec = 1 }, { .heard_usec = 2 } };
	struct mesh_peers peers = { .n = 2, .peers = list };
	struct mesh_answers answers = { 0 };
	if (!is_alone || system("ip -6 route add fd08::/64 dev lo && ip -6 route add fd09::/64 dev lo") != 0)
		skip();
	let_be_asked(list, ranges, 2);
	assert_false(mesh_answers_look(&answers, &peers, "lo", now_usec += USEC_PER_SEC));
	assert_int_equal(answers.n, 2);
	struct mesh_question other = answers.questions[0];
	assert_int_equal(system("ip -6 route replace unreachable fd08::/64 dev lo"), 0);
	assert_false(mesh_answers_look(&answers, &peers, "lo", now_usec += USEC_PER_SEC));
	assert_int_equal(answers.n, 1);
	assert_int_equal(answers.questions[0].fd, other.fd);
	assert_int_equal(answers.questions[0].since_usec, other.since_usec);
	mesh_answers_done(&answers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peer_with_a_session_answers),
		cmocka_unit_test(who_has_no_session_or_is_silent_is_not_asked),
		cmocka_unit_test(answer_by_another_link_is_none),
		cmocka_unit_test(link_that_is_made_anew_is_asked_anew),
		cmocka_unit_test(who_was_heard_last_is_asked_first),
		cmocka_unit_test(who_does_not_answer_makes_room),
		cmocka_unit_test(who_cannot_be_reached_takes_nobody_with_it),
	};
	is_alone = unshare(CLONE_NEWNET) == 0 && system("ip link set lo up") == 0;
	return cmocka_run_group_tests_name("mesh answers", tests, NULL, NULL);
}
