// SPDX-License-Identifier: Apache-2.0
#include "agent/clock.h"
#include "base/time.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { YEAR_1970 = 0 };
static const int64_t year_2026 = INT64_C(1795392000000), year_2100 = INT64_C(4102444800000), minute = 60000;

static void expect(struct clock_facts facts, enum clock_verdict verdict, int64_t target)
{
	int64_t msec = -1;
	struct diag diag = { 0 };
	assert_int_equal(clock_decide(&facts, &msec, &diag), verdict);
	if (verdict == CLOCK_STEP)
		assert_true(msec == target);
	if (verdict == CLOCK_REFUSE)
		assert_non_null(strstr(diag.message, "already seen"));
}

static void wrong_clock_is_set_to_the_region(void **state)
{
	expect((struct clock_facts){ YEAR_1970, year_2026 - minute, true, year_2026, false }, CLOCK_STEP, year_2026);
	expect((struct clock_facts){ year_2100, year_2026 - minute, true, year_2026, false }, CLOCK_STEP, year_2026);
}

static void two_seconds_are_left_to_ntp(void **state)
{
	expect((struct clock_facts){ year_2026 + 2000, 0, true, year_2026, false }, CLOCK_KEEP, 0);
	expect((struct clock_facts){ year_2026 - 2000, 0, true, year_2026, false }, CLOCK_KEEP, 0);
	expect((struct clock_facts){ year_2026 - 2001, 0, true, year_2026, false }, CLOCK_STEP, year_2026);
}

static void never_stepped_once_k3s_was_started(void **state)
{
	expect((struct clock_facts){ YEAR_1970, 0, true, year_2026, true }, CLOCK_KEEP, 0);
	expect((struct clock_facts){ YEAR_1970, year_2026, false, 0, true }, CLOCK_KEEP, 0);
}

static void region_below_the_floor_is_refused(void **state)
{
	expect((struct clock_facts){ year_2026, year_2026, true, year_2026 - minute, false }, CLOCK_REFUSE, 0);
}

static void silent_region_leaves_the_floor(void **state)
{
	expect((struct clock_facts){ YEAR_1970, year_2026, false, 0, false }, CLOCK_STEP, year_2026);
	expect((struct clock_facts){ year_2026 + minute, year_2026, false, 0, false }, CLOCK_KEEP, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_clock_is_set_to_the_region),
		cmocka_unit_test(two_seconds_are_left_to_ntp),
		cmocka_unit_test(never_stepped_once_k3s_was_started),
		cmocka_unit_test(region_below_the_floor_is_refused),
		cmocka_unit_test(silent_region_leaves_the_floor),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
