// What a join token is worth: free, one's own, taken over, used, expired, unknown.
// SPDX-License-Identifier: Apache-2.0
#include "region/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { NOW = 1000000, RESERVE = 3600, SILENCE = 120 };

static enum token_verdict ask(const struct token *token, struct token_use *uses, size_t n,
	const char *key, const char *uuid)
{
	struct token_use *list[4] = { &uses[0], &uses[1], &uses[2], &uses[3] };
	const struct token_question question = { key, uuid, NOW, RESERVE, SILENCE };
	const struct token_use *use;
	return token_decide(token, list, n, &question, &use);
}

static const struct token single = { .count = 1, .expires_sec = NOW + 10 };

static struct token_use use_of(
	const char *key, bool burned, int64_t reserved_ago_sec, int64_t heard_ago_sec)
{
	struct token_use use = { .burned = burned,
		.reserved_sec = NOW - reserved_ago_sec,
		.heard_sec = NOW - heard_ago_sec,
		.uuid = "u1" };
	(void)snprintf(use.key, sizeof(use.key), "%s", key);
	return use;
}

static void a_new_token_is_free(void **state)
{
	struct token_use uses[4] = { 0 };
	assert_int_equal(ask(&single, uses, 0, "a", ""), TOKEN_FREE);
	assert_int_equal(ask(NULL, uses, 0, "a", ""), TOKEN_UNKNOWN);
}

static void it_expires_but_not_for_who_has_it(void **state)
{
	const struct token old = { .count = 1, .expires_sec = NOW };
	struct token_use uses[4] = { use_of("a", true, 9000, 9000) };
	assert_int_equal(ask(&old, uses, 0, "a", ""), TOKEN_EXPIRED);
	assert_int_equal(ask(&old, uses, 1, "a", ""), TOKEN_OWN);
	assert_int_equal(ask(&old, uses, 1, "b", ""), TOKEN_EXPIRED);
}

static void a_reservation_holds_for_an_hour(void **state)
{
	struct token_use uses[4] = { use_of("a", false, RESERVE - 1, 0) };
	assert_int_equal(ask(&single, uses, 1, "a", "u1"), TOKEN_OWN);
	assert_int_equal(ask(&single, uses, 1, "b", "u2"), TOKEN_USED);
	uses[0] = use_of("a", false, RESERVE, 0);
	assert_int_equal(ask(&single, uses, 1, "b", "u2"), TOKEN_FREE);
}

static void its_place_is_taken_by_the_clock(void **state)
{
	struct token_use uses[] = { use_of("a", false, 500, 20), use_of("b", false, 500, 50) };
	struct token_use *list[] = { &uses[0], &uses[1] };
	const struct token_question same = { "c", "u1", NOW, RESERVE, SILENCE },
				    other = { "c", "u2", NOW, RESERVE, SILENCE },
				    own = { "a", "u1", NOW, RESERVE, SILENCE },
				    nameless = { "c", "", NOW, RESERVE, SILENCE };
	assert_int_equal(token_takeover_sec(list, 2, &same), NOW - 50 + SILENCE);
	assert_int_equal(token_takeover_sec(list, 1, &same), NOW - 20 + SILENCE);
	assert_int_equal(token_takeover_sec(list, 2, &other), -1);
	assert_int_equal(token_takeover_sec(list, 1, &own), -1);
	uses[0].uuid[0] = '\0';
	assert_int_equal(token_takeover_sec(list, 1, &nameless), -1);
	uses[1].burned = 1;
	assert_int_equal(token_takeover_sec(list, 2, &same), -1);
}

static void the_same_silent_machine_takes_its_place(void **state)
{
	struct token_use uses[4] = { use_of("a", false, 500, SILENCE) };
	assert_int_equal(ask(&single, uses, 1, "b", "u1"), TOKEN_TAKEOVER);
	assert_int_equal(ask(&single, uses, 1, "b", "u2"), TOKEN_USED);
	assert_int_equal(ask(&single, uses, 1, "b", ""), TOKEN_USED);
	uses[0] = use_of("a", false, 500, SILENCE - 1);
	assert_int_equal(ask(&single, uses, 1, "b", "u1"), TOKEN_USED);
	uses[0].uuid[0] = '\0';
	uses[0].heard_sec = 0;
	assert_int_equal(ask(&single, uses, 1, "b", ""), TOKEN_USED);
}

static void burned_is_for_good(void **state)
{
	struct token_use uses[4] = { use_of("a", true, 100 * RESERVE, 100 * RESERVE) };
	assert_int_equal(ask(&single, uses, 1, "b", "u1"), TOKEN_USED);
	assert_int_equal(ask(&single, uses, 1, "a", "u1"), TOKEN_OWN);
}

static void a_token_for_three_has_three_uses(void **state)
{
	const struct token three = { .count = 3, .expires_sec = NOW + 10 };
	struct token_use uses[4] = { use_of("a", true, 10, 10), use_of("b", true, 10, 10),
		use_of("c", true, 10, 10) };
	assert_int_equal(ask(&three, uses, 2, "d", ""), TOKEN_FREE);
	assert_int_equal(ask(&three, uses, 3, "d", ""), TOKEN_USED);
}

static void tokens_are_random_and_stored_hashed(void **state)
{
	char a[TOKEN_TEXT], b[TOKEN_TEXT], hash[KEY_TEXT];
	token_generate(a);
	token_generate(b);
	assert_string_not_equal(a, b);
	assert_true(
		str_starts(a, "hjt_") && strspn(a + 4, "abcdefghijklmnopqrstuvwxyz234567") == 32);
	token_hash("hjt_test", hash);
	assert_string_equal(
		hash, "98e625879c4ad6997df1b0786c793c897b441a1ce0c495e95dddecbfcf61fc1d");
	assert_null(token_problem(TOKEN_FREE));
	assert_string_equal(token_problem(TOKEN_EXPIRED), "expired");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_token_is_free),
		cmocka_unit_test(it_expires_but_not_for_who_has_it),
		cmocka_unit_test(a_reservation_holds_for_an_hour),
		cmocka_unit_test(its_place_is_taken_by_the_clock),
		cmocka_unit_test(the_same_silent_machine_takes_its_place),
		cmocka_unit_test(burned_is_for_good),
		cmocka_unit_test(a_token_for_three_has_three_uses),
		cmocka_unit_test(tokens_are_random_and_stored_hashed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
