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

// Nobody can say whether it works by the region, so something else has to.
static void silent_region_leaves_it_to_mesh_or_gateway(void **state)
{
	struct network_trial_facts facts = { .assigned = true, .waits_usec = start, .has_other_proof = true };
	expect(facts, start + minute - 1, NETWORK_TRIAL_FIRST_CONTACT);
	expect(facts, start + minute, NETWORK_TRIAL_PROBE);
	facts.n_refusals = 1;
	facts.refused_usec = start + minute;
	expect(facts, start + 2 * minute - 1, NETWORK_TRIAL_FIRST_CONTACT);
	facts.n_refusals = 0;
	facts.confirmed = true; // the region's silence takes no confirmed network away
	expect(facts, start + minute, NETWORK_TRIAL_KEEP);
}

static void proof_is_judged(void **state)
{
	const uint64_t deadline = start + minute / 2;
	static const struct {
		bool silent, other_way;
		uint64_t heard, peer, gateway, now; // peer: one has answered
		enum network_verdict wanted;
		const char *reason;
	} rows[] = {
		{ false, false, 0, 0, 0, 1, NETWORK_VERDICT_WAIT, NULL },
		{ false, false, 2, 0, 0, 3, NETWORK_VERDICT_STANDS, "the region answers through it" },
		{ false, false, 0, 2, 2, 3, NETWORK_VERDICT_WAIT, NULL }, // the region answered before: only it counts
		{ false, false, 0, 2, 2, 30, NETWORK_VERDICT_UNDO, "with it the region does not answer any more" },
		{ true, false, 0, 0, 0, 29, NETWORK_VERDICT_WAIT, NULL },
		{ true, false, 0, 0, 0, 30, NETWORK_VERDICT_UNDO, "with it neither the region nor the mesh nor the gateway answers" },
		{ true, false, 0, 2, 0, 3, NETWORK_VERDICT_STANDS,
			"the region is silent as before, and a peer of the mesh answers through it" },
		{ true, false, 0, 0, 2, 3, NETWORK_VERDICT_STANDS, "the region is silent as before, and the gateway answers as before" },
		{ true, true, 0, 0, 2, 3, NETWORK_VERDICT_WAIT, NULL }, // it answers on its wire, and no route leads there
		{ true, false, 2, 0, 0, 3, NETWORK_VERDICT_STANDS, "the region answers through it" },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const char *reason = NULL;
		struct network_proof proof = { .applied_usec = start, .deadline_usec = deadline,
			.region_was_silent = rows[i].silent, .gateway_is_used = !rows[i].other_way };
		proof.heard_usec = rows[i].heard ? start + rows[i].heard * USEC_PER_SEC : start - 1; // what came before is no proof
		proof.peer_answered = rows[i].peer;
		proof.gateway_usec = rows[i].gateway ? start + rows[i].gateway * USEC_PER_SEC : start;
		assert_int_equal(network_trial_judge(&proof, start + rows[i].now * USEC_PER_SEC, &reason), rows[i].wanted);
		assert_true(rows[i].reason ? str_equal(reason, rows[i].reason) : reason == NULL);
	}
}

// Whoever answers: as when the same is known before the trial begins.
static void network_that_can_never_be_whole_is_undone(void **state)
{
	const char *reason = NULL;
	struct network_proof proof = { .applied_usec = start, .deadline_usec = start + minute / 2, .heard_usec = start + 1,
		.never_whole = "eth0: somebody else has it" };
	assert_int_equal(network_trial_judge(&proof, start + 2, &reason), NETWORK_VERDICT_UNDO);
	assert_string_equal(reason, "eth0: somebody else has it");
}

// The region may have been reached by the route of before, which goes in a moment.
static void half_a_network_proves_nothing(void **state)
{
	const char *reason = NULL;
	struct network_proof proof = { .applied_usec = start, .deadline_usec = start + minute / 2, .heard_usec = start + 1,
		.is_half = true };
	assert_int_equal(network_trial_judge(&proof, start + 2, &reason), NETWORK_VERDICT_WAIT);
	assert_int_equal(network_trial_judge(&proof, start + minute, &reason), NETWORK_VERDICT_UNDO);
	proof.is_half = false;
	assert_int_equal(network_trial_judge(&proof, start + 2, &reason), NETWORK_VERDICT_STANDS);
}

static void expect_candidate(const struct network_candidates *facts, enum network_candidate now_is, uint64_t after_sec,
	enum network_candidate wanted)
{
	const char *reason = NULL;
	assert_int_equal(network_candidate_next(facts, now_is, start, start + after_sec * USEC_PER_SEC, &reason), wanted);
	assert_true(wanted == now_is || reason != NULL);
}

static void candidates_have_their_turns_before_enrolment(void **state)
{
	struct network_candidates facts = { .has_seed = true };
	expect_candidate(&facts, NETWORK_ASSIGNED, 0, NETWORK_SEED);
	expect_candidate(&facts, NETWORK_SEED, 119, NETWORK_SEED);
	expect_candidate(&facts, NETWORK_SEED, 120, NETWORK_DHCP);
	expect_candidate(&facts, NETWORK_DHCP, 60, NETWORK_SEED);
	facts.has_last_good = true;
	expect_candidate(&facts, NETWORK_ASSIGNED, 0, NETWORK_LAST_GOOD);
	expect_candidate(&facts, NETWORK_LAST_GOOD, 60, NETWORK_SEED);
	expect_candidate(&facts, NETWORK_DHCP, 60, NETWORK_LAST_GOOD);
	facts.has_vlan = true; // a person picked it
	expect_candidate(&facts, NETWORK_LAST_GOOD, 60, NETWORK_VLAN);
	expect_candidate(&facts, NETWORK_VLAN, 119, NETWORK_VLAN);
	expect_candidate(&facts, NETWORK_VLAN, 120, NETWORK_SEED);
	facts.has_last_good = facts.has_vlan = false;
	expect_candidate(&facts, NETWORK_VLAN, 0, NETWORK_SEED); // and wants none any more
	facts.region_answers = true; // it has what it needs
	expect_candidate(&facts, NETWORK_SEED, 3600, NETWORK_SEED);
	facts = (struct network_candidates){ 0 };
	expect_candidate(&facts, NETWORK_ASSIGNED, 0, NETWORK_DHCP);
	expect_candidate(&facts, NETWORK_DHCP, 3600, NETWORK_DHCP);
	expect_candidate(&facts, NETWORK_SEED, 0, NETWORK_DHCP); // another seed without one
}

static void what_led_to_the_region_comes_first(void **state)
{
	struct network_candidates facts = { .has_seed = true, .has_vlan = true, .carried = NETWORK_DHCP };
	expect_candidate(&facts, NETWORK_ASSIGNED, 0, NETWORK_DHCP);
	expect_candidate(&facts, NETWORK_DHCP, 60, NETWORK_VLAN); // and when it does no more, the others have their turns
	facts.carried = NETWORK_SEED;
	expect_candidate(&facts, NETWORK_ASSIGNED, 0, NETWORK_SEED);
	facts.has_seed = false; // its network is gone
	expect_candidate(&facts, NETWORK_ASSIGNED, 0, NETWORK_VLAN);
	facts.has_last_good = true;
	expect_candidate(&facts, NETWORK_ASSIGNED, 0, NETWORK_LAST_GOOD);
}

static void silent_region_moves_no_enrolled_node(void **state)
{
	struct network_candidates facts = { .has_seed = true, .has_last_good = true, .enrolled = true };
	expect_candidate(&facts, NETWORK_ASSIGNED, 0, NETWORK_LAST_GOOD);
	expect_candidate(&facts, NETWORK_LAST_GOOD, 86400, NETWORK_LAST_GOOD);
	facts.safe = true; // a person does
	expect_candidate(&facts, NETWORK_LAST_GOOD, 0, NETWORK_DHCP);
	expect_candidate(&facts, NETWORK_DHCP, 86400, NETWORK_DHCP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_network_is_probed_while_the_region_answers),
		cmocka_unit_test(confirmed_network_needs_no_region),
		cmocka_unit_test(unconfirmed_network_waits_for_the_region_after_a_restart),
		cmocka_unit_test(undone_network_is_tried_again),
		cmocka_unit_test(a_moment_of_silence_is_no_minute),
		cmocka_unit_test(silent_region_leaves_it_to_mesh_or_gateway),
		cmocka_unit_test(proof_is_judged),
		cmocka_unit_test(network_that_can_never_be_whole_is_undone),
		cmocka_unit_test(half_a_network_proves_nothing),
		cmocka_unit_test(what_led_to_the_region_comes_first),
		cmocka_unit_test(candidates_have_their_turns_before_enrolment),
		cmocka_unit_test(silent_region_moves_no_enrolled_node),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
