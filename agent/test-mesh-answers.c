// Who answers through the link of the mesh; here it is the loopback, where this machine's own kernel answers.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/mesh-answers.h"

#include <poll.h>
#include <sched.h>

enum { LOOKS = 30, LOOK_MSEC = 10 };

static bool is_alone; // in a namespace

static bool answers_in_time(struct mesh_answers *answers, struct mesh_peer *peer, const char *address, const char *link)
{
	char *range = (char *)address;
	struct mesh_peers peers = { .n = 1, .peers = peer };
	bool answered = false;
	peer->allowed_ips = &range;
	peer->n_allowed_ips = 1;
	for (unsigned i = 0; i < LOOKS && !answered; i++) {
		answered = mesh_answers_look(answers, &peers, link);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peer_with_a_session_answers),
		cmocka_unit_test(who_has_no_session_or_is_silent_is_not_asked),
		cmocka_unit_test(answer_by_another_link_is_none),
		cmocka_unit_test(link_that_is_made_anew_is_asked_anew),
	};
	is_alone = unshare(CLONE_NEWNET) == 0 && system("ip link set lo up") == 0;
	return cmocka_run_group_tests_name("mesh answers", tests, NULL, NULL);
}
