// When an assigned network is applied, and whether it has to prove itself.
// SPDX-License-Identifier: Apache-2.0
#include "agent/network-trial.h"
#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const uint64_t start = 20 * USEC_PER_SEC, minute = 60 * USEC_PER_SEC;

static void expect(struct network_trial_facts facts, uint64_t now_usec, enum network_trial wanted)
{
	assert_int_equal(network_trial_decide(&facts, now_usec), wanted);
}

static void new_network_is_probed_while_the_region_answers(void **state)
{
	expect((struct network_trial_facts){ .assigned = true, .region_answers = true, .waits_usec = start }, start,
		NETWORK_TRIAL_PROBE);
	expect((struct network_trial_facts){ .region_answers = true }, start, NETWORK_TRIAL_FIRST_CONTACT);
}

static void confirmed_network_needs_no_region(void **state)
{
	expect((struct network_trial_facts){ .assigned = true, .confirmed = true, .waits_usec = start }, start, NETWORK_TRIAL_KEEP);
	expect((struct network_trial_facts){ .assigned = true, .from_seed = true, .waits_usec = start }, start, NETWORK_TRIAL_KEEP);
}

// The power went during the probe of a network that cuts the node off: the next start must not take it unseen.
static void unconfirmed_network_waits_for_the_region_after_a_restart(void **state)
{
	struct network_trial_facts facts = { .assigned = true, .waits_usec = start };
	expect(facts, start, NETWORK_TRIAL_FIRST_CONTACT);
	facts.region_answers = true;
	expect(facts, start + 5 * USEC_PER_SEC, NETWORK_TRIAL_PROBE);
	facts.region_answers = false; // region off: the node goes on without it
	expect(facts, start + minute - 1, NETWORK_TRIAL_FIRST_CONTACT);
	expect(facts, start + minute, NETWORK_TRIAL_KEEP);
}

// The region was restarted during the probe: that is no reason to stay without the network for ever.
static void undone_network_is_tried_again(void **state)
{
	struct network_trial_facts facts = { .assigned = true, .region_answers = true, .n_refusals = 1, .refused_usec = start };
	expect(facts, start + minute - 1, NETWORK_TRIAL_FIRST_CONTACT);
	expect(facts, start + minute, NETWORK_TRIAL_PROBE);
	facts.n_refusals = 3;
	expect(facts, start + 4 * minute - 1, NETWORK_TRIAL_FIRST_CONTACT);
	expect(facts, start + 4 * minute, NETWORK_TRIAL_PROBE);
	facts.n_refusals = 1000;
	expect(facts, start + 30 * minute - 1, NETWORK_TRIAL_FIRST_CONTACT);
	expect(facts, start + 30 * minute, NETWORK_TRIAL_PROBE);
}

// Undone while the region answers outside of it; a poll fails just as it is tried again.
static void a_moment_of_silence_is_no_minute(void **state)
{
	struct network_trial_facts facts = { .assigned = true, .n_refusals = 1, .refused_usec = start };
	uint64_t waits_usec = network_trial_waits_usec(0, true, start), now_usec = start + minute;
	for (uint64_t at = start; at < now_usec; at += USEC_PER_SEC)
		waits_usec = network_trial_waits_usec(waits_usec, true, at);
	facts.waits_usec = waits_usec = network_trial_waits_usec(waits_usec, false, now_usec);
	expect(facts, now_usec, NETWORK_TRIAL_FIRST_CONTACT);
	facts.waits_usec = network_trial_waits_usec(waits_usec, false, now_usec + minute);
	expect(facts, now_usec + minute, NETWORK_TRIAL_KEEP); // it is away
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_network_is_probed_while_the_region_answers),
		cmocka_unit_test(confirmed_network_needs_no_region),
		cmocka_unit_test(unconfirmed_network_waits_for_the_region_after_a_restart),
		cmocka_unit_test(undone_network_is_tried_again),
		cmocka_unit_test(a_moment_of_silence_is_no_minute),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
