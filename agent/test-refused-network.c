// What is remembered of an assigned network that did not hold.
// SPDX-License-Identifier: Apache-2.0
#include "agent/refused-network.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
static char one[65], other[65];

static int set_up(void **state)
{
	refused_network_digest("{\"a\":1}", one);
	refused_network_digest("{\"a\":2}", other);
	return 0;
}

static void refusal_is_of_one_network(void **state)
{
	struct refused_network refused = { 0 };
	assert_int_equal(refused_network_count(&refused, one), 0);
	refused_network_note(&refused, one, 3, "with it the region does not answer any more");
	assert_int_equal(refused_network_count(&refused, one), 3);
	assert_int_equal(refused_network_count(&refused, other), 0);
}

static void one_trial_that_was_cut_off_says_nothing(void **state)
{
	struct refused_network refused = { 0 };
	refused_network_note_unfinished(&refused, one);
	assert_int_equal(refused_network_count(&refused, one), 0);
	refused_network_note_unfinished(&refused, one);
	assert_int_equal(refused_network_count(&refused, one), 1);
	assert_string_equal(refused.reason, "hearthd or the machine stopped while it was on trial, 2 times");
	refused_network_note_unfinished(&refused, other);
	assert_int_equal(refused_network_count(&refused, other), 0);
	refused_network_note(&refused, other, 1, "why");
	refused_network_note_unfinished(&refused, other);
	assert_int_equal(refused_network_count(&refused, other), 1);
	assert_string_equal(refused.reason, "why");
}

static void what_is_written_is_read(void **state)
{
	struct refused_network refused = { 0 }, again = { 0 };
	refused_network_note(&refused, one, 2, "it says \"no\"\n");
	refused_network_note_unfinished(&refused, one);
	char *text AUTO_FREE = refused_network_format(&refused);
	assert_int_equal(refused_network_parse(text, strlen(text), &again, NULL), 0);
	assert_string_equal(again.sha256, one);
	assert_string_equal(again.reason, "it says \"no\"\n");
	assert_int_equal(again.refusals, 2);
	assert_int_equal(again.unfinished, 1);
}

static void damaged_file_is_refused(void **state)
{
	static const char *const rows[] = { "", "{}", "[]", "{\"sha256\":\"ab\",\"refusals\":1,\"unfinished\":0,\"reason\":\"\"}",
		"{\"sha256\":\"" EMPTY "\",\"refusals\":-1,\"unfinished\":0,\"reason\":\"\"}" };
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct refused_network refused = { .refusals = 7 };
		assert_true(refused_network_parse(rows[i], strlen(rows[i]), &refused, NULL) < 0);
		assert_int_equal(refused.refusals, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusal_is_of_one_network),
		cmocka_unit_test(one_trial_that_was_cut_off_says_nothing),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(damaged_file_is_refused),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
