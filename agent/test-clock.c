// SPDX-License-Identifier: Apache-2.0
#include "agent/clock.h"
#include "base/time.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { YEAR_1970 = 0 };
static const int64_t year_2026 = INT64_C(1795392000000), year_2100 = INT64_C(4102444800000), minute = 60000;

#define FACTS(now, floor, has_region, region, k3s)                                                                         \
	(struct clock_facts){ .now_msec = (now), .floor_msec = (floor), .has_region_time = (has_region),                   \
		.region_msec = (region), .k3s_started = (k3s) }

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
	expect(FACTS(YEAR_1970, year_2026 - minute, true, year_2026, false), CLOCK_STEP, year_2026);
	expect(FACTS(year_2100, year_2026 - minute, true, year_2026, false), CLOCK_STEP, year_2026);
}

static void two_seconds_are_left_to_slewing(void **state)
{
	expect(FACTS(year_2026 + 2000, 0, true, year_2026, false), CLOCK_KEEP, 0);
	expect(FACTS(year_2026 - 2000, 0, true, year_2026, false), CLOCK_KEEP, 0);
	expect(FACTS(year_2026 - 2001, 0, true, year_2026, false), CLOCK_STEP, year_2026);
}

static void never_stepped_once_k3s_was_started(void **state)
{
	expect(FACTS(YEAR_1970, 0, true, year_2026, true), CLOCK_KEEP, 0);
	expect(FACTS(YEAR_1970, year_2026, false, 0, true), CLOCK_KEEP, 0);
}

static void region_below_the_floor_is_refused(void **state)
{
	expect(FACTS(year_2026, year_2026, true, year_2026 - minute, false), CLOCK_REFUSE, 0);
}

// Between two hellos the floor moves by our own oscillator; a fast one must not cut the node off from its region.
static void fast_oscillator_is_no_reason_to_refuse_the_region(void **state)
{
	expect(FACTS(year_2026, year_2026, true, year_2026 - 300, false), CLOCK_KEEP, 0);
	expect(FACTS(YEAR_1970, year_2026, true, year_2026 - 300, false), CLOCK_STEP, year_2026);
	expect(FACTS(year_2026, year_2026, true, year_2026 - 2001, false), CLOCK_REFUSE, 0);
}

static void clock_is_slewed_towards_the_region_where_no_ntp_is(void **state)
{
	struct clock_facts facts = { .now_msec = year_2026 - 700, .has_region_time = true, .region_msec = year_2026 };
	assert_int_equal(clock_slew_by(&facts), 700);
	facts.now_msec = year_2026 + 700;
	assert_int_equal(clock_slew_by(&facts), -700);
	facts.ntp_synchronised = true;
	assert_int_equal(clock_slew_by(&facts), 0);
	facts.ntp_synchronised = false;
	facts.error_msec = 800; // a slow network says no more
	assert_int_equal(clock_slew_by(&facts), 0);
	facts.error_msec = 0;
	facts.now_msec = year_2026 + 20;
	assert_int_equal(clock_slew_by(&facts), 0);
	facts.now_msec = year_2026 - minute; // stepped
	assert_int_equal(clock_slew_by(&facts), 0);
	facts.k3s_started = true; // no step any more
	assert_int_equal(clock_slew_by(&facts), minute);
	facts.now_msec = year_2100;
	assert_int_equal(clock_slew_by(&facts), -2000000);
	facts.floor_msec = year_2026 + minute; // refused
	assert_int_equal(clock_slew_by(&facts), 0);
	facts.floor_msec = 0;
	facts.has_region_time = false;
	assert_int_equal(clock_slew_by(&facts), 0);
}

static void silent_region_leaves_the_floor(void **state)
{
	expect(FACTS(YEAR_1970, year_2026, false, 0, false), CLOCK_STEP, year_2026);
	expect(FACTS(year_2026 + minute, year_2026, false, 0, false), CLOCK_KEEP, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_clock_is_set_to_the_region),
		cmocka_unit_test(two_seconds_are_left_to_slewing),
		cmocka_unit_test(never_stepped_once_k3s_was_started),
		cmocka_unit_test(region_below_the_floor_is_refused),
		cmocka_unit_test(silent_region_leaves_the_floor),
		cmocka_unit_test(fast_oscillator_is_no_reason_to_refuse_the_region),
		cmocka_unit_test(clock_is_slewed_towards_the_region_where_no_ntp_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
