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
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", 7, AT(1000)), 0); // nobody sees it
	assert_null(mesh_offers_of(&offers, "n-a", &n));
	assert_int_equal(mesh_offers_see(&offers, "n-b", SEEN, AT(1000)), 0);
	assert_null(mesh_offers_endpoint(&offers, "n-a", "n-b")); // it did not ask
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", 7, AT(1001)), 1);
	assert_string_equal(mesh_offers_endpoint(&offers, "n-a", "n-b"), SEEN);
	assert_null(mesh_offers_endpoint(&offers, "n-c", "n-b")); // whose handshake did not fail
	assert_null(mesh_offers_endpoint(&offers, "n-b", "n-a"));
	assert_int_equal(mesh_offers_of(&offers, "n-a", &n)->generation, 7);
	assert_int_equal(n, 1);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", 8, AT(1002)), 0); // is being tried
	mesh_offers_done(&offers);
}

static void without_a_handshake_it_is_withdrawn(void **state)
{
	struct mesh_offers offers = { 0 };
	size_t n;
	assert_int_equal(mesh_offers_see(&offers, "n-b", SEEN, AT(1000)), 0);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", 7, AT(1000)), 1);
	assert_false(mesh_offers_due(&offers, AT(1029)));
	assert_false(mesh_offers_step(&offers, 8, AT(1029)));
	assert_true(mesh_offers_due(&offers, AT(1030)));
	assert_true(mesh_offers_step(&offers, 8, AT(1030)));
	assert_null(mesh_offers_endpoint(&offers, "n-a", "n-b"));
	assert_int_equal(mesh_offers_of(&offers, "n-a", &n)->generation, 8);
	assert_false(mesh_offers_step(&offers, 9, AT(1031)));
	// the same endpoint is not tried again at once, another one is
	assert_int_equal(mesh_offers_see(&offers, "n-b", SEEN, AT(1100)), 0);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", 9, AT(1100)), 0);
	assert_int_equal(mesh_offers_see(&offers, "n-b", "203.0.113.9:40001", AT(1101)), 0);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", 9, AT(1101)), 1);
	assert_string_equal(mesh_offers_endpoint(&offers, "n-a", "n-b"), "203.0.113.9:40001");
	assert_true(mesh_offers_step(&offers, 10, AT(1131)));
	assert_int_equal(mesh_offers_see(&offers, "n-b", "203.0.113.9:40001", AT(1731)), 0);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", 11, AT(1731)), 1); // much later
	mesh_offers_done(&offers);
}

static void with_a_handshake_it_stays_until_that_fails(void **state)
{
	struct mesh_offers offers = { 0 };
	assert_int_equal(mesh_offers_see(&offers, "n-b", SEEN, AT(1000)), 0);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", 7, AT(1000)), 1);
	mesh_offers_hold(&offers, "n-a", "n-b");
	mesh_offers_hold(&offers, "n-b", "n-a"); // was offered nothing
	assert_false(mesh_offers_step(&offers, 8, AT(2000)));
	assert_string_equal(mesh_offers_endpoint(&offers, "n-a", "n-b"), SEEN);
	assert_int_equal(
		mesh_offers_fail(&offers, "n-a", "n-b", 9, AT(3000)), 0); // nobody sees it now
	assert_false(mesh_offers_step(&offers, 10, AT(3029)));
	assert_true(mesh_offers_step(&offers, 10, AT(3030)));
	assert_null(mesh_offers_endpoint(&offers, "n-a", "n-b"));
	mesh_offers_done(&offers);
}

static void an_old_sight_is_not_offered(void **state)
{
	struct mesh_offers offers = { 0 };
	assert_int_equal(mesh_offers_see(&offers, "n-b", SEEN, AT(1000)), 0);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-b", 7, AT(1180)), 0);
	assert_null(mesh_offers_endpoint(&offers, "n-a", "n-b"));
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
			assert_int_equal(mesh_offers_fail(&offers, "n-a", id, 7, AT(1000)),
				i < MESH_OFFER_EACH ? 1 : -ENOSPC);
	}
	assert_int_equal(mesh_offers_see(&offers, "n-one-too-many", SEEN, AT(1000)), -ENOSPC);
	assert_string_equal(mesh_offers_endpoint(&offers, "n-a", "n-0"), SEEN);
	assert_string_equal(mesh_offers_endpoint(&offers, "n-a", "n-255"), SEEN);
	// once they are over for long, and nodes are not seen any more, there is room again
	assert_true(mesh_offers_step(&offers, 8, AT(1030)));
	assert_int_equal(mesh_offers_see(&offers, "n-300", SEEN, AT(1630)), 0);
	assert_int_equal(mesh_offers_fail(&offers, "n-a", "n-300", 9, AT(1630)), 1);
	assert_int_equal(mesh_offers_see(&offers, "n-one-too-many", SEEN, AT(1630)), 0);
	assert_in_range(offers.n, 3, 4);
	assert_int_equal(offers.n_offers, 1);
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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
