// SPDX-License-Identifier: Apache-2.0
#include "agent/hand-over.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void the_first_server_tells_once_and_again_when_it_was_ready(void **state)
{
	struct hand_over now = { 0 };
	struct hand_over_facts facts = { .first = true };
	assert_true(hand_over_due(&now, &facts));
	hand_over_sent(&now, &facts);
	assert_false(hand_over_due(&now, &facts));
	facts.ever_ready = true;
	assert_true(hand_over_due(&now, &facts));
	hand_over_sent(&now, &facts);
	assert_false(hand_over_due(&now, &facts));
	facts.ever_ready = false; // nothing that was told is taken back
	assert_false(hand_over_due(&now, &facts));
}

static void another_server_tells_what_it_is_asked_for_alone(void **state)
{
	struct hand_over now = { 0 };
	struct hand_over_facts facts = { .ever_ready = true };
	assert_false(hand_over_due(&now, &facts));
	facts.renew = true;
	assert_true(hand_over_due(&now, &facts));
	hand_over_sent(&now, &facts);
	assert_false(hand_over_due(&now, &facts));
	assert_false(hand_over_withdraw(&now, &facts)); // while it is asked for
	facts.renew = false;
	assert_true(hand_over_withdraw(&now, &facts));
	assert_false(hand_over_withdraw(&now, &facts));
	facts.renew = true; // a year later
	assert_true(hand_over_due(&now, &facts));
}

static void a_first_server_that_is_asked_tells_again_and_nothing_is_withdrawn(void **state)
{
	struct hand_over now = { 0 };
	struct hand_over_facts facts = { .first = true, .ever_ready = true };
	hand_over_sent(&now, &facts);
	facts.renew = true;
	assert_true(hand_over_due(&now, &facts));
	hand_over_sent(&now, &facts);
	assert_false(hand_over_due(&now, &facts));
	facts.renew = false;
	assert_false(hand_over_withdraw(&now, &facts));
	facts.renew = true;
	assert_true(hand_over_due(&now, &facts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_server_tells_once_and_again_when_it_was_ready),
		cmocka_unit_test(another_server_tells_what_it_is_asked_for_alone),
		cmocka_unit_test(a_first_server_that_is_asked_tells_again_and_nothing_is_withdrawn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
