// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-handshakes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct netconf_peer_status row(const char *key, uint64_t mark)
{
	struct netconf_peer_status status = { .handshake_mark = mark, .handshake_ago_sec = mark ? 0 : -1 };
	(void)snprintf(status.public_key, sizeof(status.public_key), "%s", key);
	return status;
}

// By the clock, which was set back, all of them are of this moment.
static void an_old_handshake_is_no_new_one(void **state)
{
	struct mesh_handshakes handshakes CLEANUP(mesh_handshakes_done) = { 0 };
	struct netconf_peer_status rows[] = { row("b", 70), row("a", 90), row("c", 0) };
	for (int i = 0; i < 3; i++) {
		assert_int_equal(mesh_handshakes_look(&handshakes, rows, N_ELEMENTS(rows)), 0);
		assert_false(handshakes.seen);
	}
}

static void another_one_counts_though_the_clock_was_set_back(void **state)
{
	struct mesh_handshakes handshakes CLEANUP(mesh_handshakes_done) = { 0 };
	struct netconf_peer_status rows[] = { row("b", 70), row("a", 90) }, later[] = { row("a", 90), row("b", 30) };
	assert_int_equal(mesh_handshakes_look(&handshakes, rows, 2), 0);
	assert_int_equal(mesh_handshakes_look(&handshakes, later, 2), 0);
	assert_true(handshakes.seen);
	mesh_handshakes_done(&handshakes);
	assert_int_equal(mesh_handshakes_look(&handshakes, later, 2), 0); // another moment
	assert_false(handshakes.seen);
}

static void first_handshake_of_a_peer_counts(void **state)
{
	struct mesh_handshakes handshakes CLEANUP(mesh_handshakes_done) = { 0 };
	struct netconf_peer_status rows[] = { row("a", 90), row("b", 0) };
	assert_int_equal(mesh_handshakes_look(&handshakes, NULL, 0), 0); // there was no mesh
	assert_int_equal(mesh_handshakes_look(&handshakes, &rows[1], 1), 0);
	assert_false(handshakes.seen);
	assert_int_equal(mesh_handshakes_look(&handshakes, rows, 2), 0);
	assert_true(handshakes.seen);
	assert_int_equal(mesh_handshakes_look(&handshakes, NULL, 0), 0); // that peer is gone
	assert_true(handshakes.seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_old_handshake_is_no_new_one),
		cmocka_unit_test(another_one_counts_though_the_clock_was_set_back),
		cmocka_unit_test(first_handshake_of_a_peer_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
