// Endpoints as peers see them: offered to who has no answer, and withdrawn.
// SPDX-License-Identifier: Apache-2.0
#include "region/mesh-offer.h"

#include "base/time.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define AT(sec) ((uint64_t)(sec) * USEC_PER_SEC)
#define SEEN "203.0.113.9:40000"

static void what_was_seen_is_offered_to_who_has_no_answer(void **state)
{
	struct mesh_offers offers = { 0 };
	size_t n;
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", false, 7, AT(1000)), 0); // nobody sees it
	assert_null(mesh_offers_of(&offers, "n-a", &n));
	assert_int_equal(mesh_offers_see(&offers, "n-b", SEEN, AT(1000)), 0);
	assert_null(mesh_offers_endpoint(&offers, "n-a", "n-b", NULL)); // it did not ask
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", false, 7, AT(1001)), 1);
	assert_string_equal(mesh_offers_endpoint(&offers, "n-a", "n-b", NULL), SEEN);
	assert_null(mesh_offers_endpoint(&offers, "n-c", "n-b", NULL)); // whose handshake did not fail
	assert_null(mesh_offers_endpoint(&offers, "n-b", "n-a", NULL));
	assert_int_equal(mesh_offers_of(&offers, "n-a", &n)->generation, 7);
	assert_int_equal(n, 1);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", false, 8, AT(1002)), 0); // is being tried
	mesh_offers_done(&offers);
}

static void without_a_handshake_it_is_withdrawn(void **state)
{
	struct mesh_offers offers = { 0 };
	size_t n;
	assert_int_equal(mesh_offers_see(&offers, "n-b", SEEN, AT(1000)), 0);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", false, 7, AT(1000)), 1);
	assert_false(mesh_offers_due(&offers, AT(1029)));
	assert_false(mesh_offers_step(&offers, 8, AT(1029)));
	assert_true(mesh_offers_due(&offers, AT(1030)));
	assert_true(mesh_offers_step(&offers, 8, AT(1030)));
	assert_null(mesh_offers_endpoint(&offers, "n-a", "n-b", NULL));
	assert_int_equal(mesh_offers_of(&offers, "n-a", &n)->generation, 8);
	assert_false(mesh_offers_step(&offers, 9, AT(1031)));
	// the same endpoint is not tried again at once, another one is
	assert_int_equal(mesh_offers_see(&offers, "n-b", SEEN, AT(1100)), 0);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", false, 9, AT(1100)), 0);
	assert_int_equal(mesh_offers_see(&offers, "n-b", "203.0.113.9:40001", AT(1101)), 0);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", false, 9, AT(1101)), 1);
	assert_string_equal(mesh_offers_endpoint(&offers, "n-a", "n-b", NULL), "203.0.113.9:40001");
	assert_true(mesh_offers_step(&offers, 10, AT(1131)));
	assert_int_equal(mesh_offers_see(&offers, "n-b", "203.0.113.9:40001", AT(1731)), 0);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", false, 11, AT(1731)), 1); // much later
	mesh_offers_done(&offers);
}

static void with_a_handshake_it_stays_until_that_fails(void **state)
{
	struct mesh_offers offers = { 0 };
	assert_int_equal(mesh_offers_see(&offers, "n-b", SEEN, AT(1000)), 0);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", false, 7, AT(1000)), 1);
	mesh_offers_hold(&offers, "n-a", "n-b");
	mesh_offers_hold(&offers, "n-b", "n-a"); // was offered nothing
	assert_false(mesh_offers_step(&offers, 8, AT(2000)));
	assert_string_equal(mesh_offers_endpoint(&offers, "n-a", "n-b", NULL), SEEN);
	assert_int_equal(
		mesh_offers_fail(&offers, "n-a", "n-b", false, 9, AT(3000)), 0); // nobody sees it now
	assert_false(mesh_offers_step(&offers, 10, AT(3029)));
	assert_true(mesh_offers_step(&offers, 10, AT(3030)));
	assert_null(mesh_offers_endpoint(&offers, "n-a", "n-b", NULL));
	mesh_offers_done(&offers);
}

static void an_old_sight_is_not_offered(void **state)
{
	struct mesh_offers offers = { 0 };
	assert_int_equal(mesh_offers_see(&offers, "n-b", SEEN, AT(1000)), 0);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", false, 7, AT(1180)), 0);
	assert_null(mesh_offers_endpoint(&offers, "n-a", "n-b", NULL));
	mesh_offers_done(&offers);
}

static void one_node_tries_so_many(void **state)
{
	struct mesh_offers offers = { 0 };
	char id[ID_TEXT];
	for (int i = 0; i < MESH_OFFER_NODES - 1; i++) {
		(void)snprintf(id, sizeof(id), "n-%d", i);
		assert_int_equal(mesh_offers_see(&offers, id, SEEN, AT(1000)), 0);
		if (i <= MESH_OFFER_EACH)
			assert_int_equal(mesh_offers_fail(&offers, "n-a", id, false, 7, AT(1000)),
				i < MESH_OFFER_EACH ? 1 : -ENOSPC);
	}
	assert_int_equal(mesh_offers_see(&offers, "n-one-too-many", SEEN, AT(1000)), -ENOSPC);
	assert_string_equal(mesh_offers_endpoint(&offers, "n-a", "n-0", NULL), SEEN);
	assert_string_equal(mesh_offers_endpoint(&offers, "n-a", "n-255", NULL), SEEN);
	// once they are over for long, and nodes are not seen any more, there is room again
	assert_true(mesh_offers_step(&offers, 8, AT(1030)));
	assert_int_equal(mesh_offers_see(&offers, "n-300", SEEN, AT(1630)), 0);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-300", false, 9, AT(1630)), 1);
	assert_int_equal(mesh_offers_see(&offers, "n-one-too-many", SEEN, AT(1630)), 0);
	assert_in_range(offers.n, 3, 4);
	assert_int_equal(offers.n_offers, 1);
	mesh_offers_done(&offers);
}

#define GUESS "192.168.1.6:51820"

// The first @sec at which it is offered, by somebody who fails every second and a step every second.
static int first_offered(struct mesh_offers *offers, const char *endpoint, int from_sec, int to_sec)
{
	for (int sec = from_sec; sec < to_sec; sec++) {
		assert_in_range(mesh_offers_fail(offers, "n-a", "n-b", true, 7, AT(sec)), 0, 1);
		if (str_equal(mesh_offers_endpoint(offers, "n-a", "n-b", GUESS), endpoint))
			return sec;
		(void)mesh_offers_step(offers, 8, AT(sec));
		assert_int_equal(mesh_offers_see(offers, "n-b", SEEN, AT(sec)), 0);
	}
	return -1;
}

// Two behind two proxies of one site, or of two sites with the same network.
static void a_guess_is_tried_after_what_others_see_and_each_once_in_a_while(void **state)
{
	struct mesh_offers offers = { 0 };
	assert_int_equal(mesh_offers_see(&offers, "n-b", SEEN, AT(1000)), 0);
	assert_int_equal(first_offered(&offers, SEEN, 1000, 2000), 1000);
	assert_int_equal(first_offered(&offers, GUESS, 1000, 2000), 1031);
	assert_null(mesh_offers_endpoint(&offers, "n-a", "n-b", NULL)); // the prefix is not shared any more
	assert_int_equal(first_offered(&offers, SEEN, 1031, 3000), 1630);
	assert_int_equal(first_offered(&offers, GUESS, 1630, 3000), 1661);
	mesh_offers_done(&offers);
}

static void a_guess_that_nobody_else_sees_is_tried_at_once_and_held(void **state)
{
	struct mesh_offers offers = { 0 };
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", true, 7, AT(1000)), 1);
	assert_string_equal(mesh_offers_endpoint(&offers, "n-a", "n-b", GUESS), GUESS);
	mesh_offers_hold(&offers, "n-a", "n-b");
	assert_false(mesh_offers_step(&offers, 8, AT(2000)));
	// it fails for a moment: what others see does not come in between
	assert_int_equal(mesh_offers_see(&offers, "n-b", SEEN, AT(3000)), 0);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", true, 9, AT(3000)), 0);
	assert_string_equal(mesh_offers_endpoint(&offers, "n-a", "n-b", GUESS), GUESS);
	mesh_offers_done(&offers);
}

static void who_leaves_is_offered_to_nobody(void **state)
{
	struct mesh_offers offers = { 0 };
	size_t n;
	assert_int_equal(mesh_offers_see(&offers, "n-b", SEEN, AT(1000)), 0);
	assert_int_equal(mesh_offers_see(&offers, "n-c", SEEN, AT(1000)), 0);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", false, 7, AT(1000)), 1);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-c", false, 7, AT(1000)), 1);
	assert_int_equal(mesh_offers_fail(&offers, "n-b", "n-c", false, 7, AT(1000)), 1);
	mesh_offers_hold(&offers, "n-a", "n-b");
	mesh_offers_forget(&offers, "n-b");
	assert_int_equal(offers.n, 2);
	assert_int_equal(offers.n_offers, 1);
	assert_null(mesh_offers_endpoint(&offers, "n-a", "n-b", NULL));
	assert_string_equal(mesh_offers_endpoint(&offers, "n-a", "n-c", NULL), SEEN);
	assert_null(mesh_offers_of(&offers, "n-b", &n));
	mesh_offers_done(&offers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_seen_is_offered_to_who_has_no_answer),
		cmocka_unit_test(without_a_handshake_it_is_withdrawn),
		cmocka_unit_test(with_a_handshake_it_stays_until_that_fails),
		cmocka_unit_test(an_old_sight_is_not_offered),
		cmocka_unit_test(one_node_tries_so_many),
		cmocka_unit_test(a_guess_is_tried_after_what_others_see_and_each_once_in_a_while),
		cmocka_unit_test(a_guess_that_nobody_else_sees_is_tried_at_once_and_held),
		cmocka_unit_test(who_leaves_is_offered_to_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
