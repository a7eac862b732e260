// SPDX-License-Identifier: Apache-2.0
#include "image/rules.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void pattern_matches_whole_path(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool match;
	} rows[] = {
		{ "usr/bin/apt*", "usr/bin/apt-get", true },
		{ "usr/bin/apt*", "usr/bin/apt", true },
		{ "usr/bin/apt*", "usr/bin/apt/deep", false },
		{ "usr/bin/apt*", "usr/sbin/apt", false },
		{ "usr/share/man/**", "usr/share/man/man8/ip.8", true },
		{ "usr/share/man/**", "usr/share/man", false },
		{ "**/x", "a/b/x", true },
		{ "**/x", "a/b/xx", false },
		{ "**x", "x", true },
		{ "a/*/c", "a/b/c", true },
		{ "a/*/c", "a/b/b/c", false },
		{ "a/**/c*d", "a/b/c/cxc/cyd", true },
		{ "etc/rc?.d/**", "etc/rc3.d/S01x", true },
		{ "etc/rc?.d/**", "etc/rcS.d", false },
		{ "?", "/", false },
		{ "*.ko*", "ast.ko.xz", true },
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "a**", "a", true },
		{ "usr/lib/systemd/system/*.wants/**", "usr/lib/systemd/system/a.wants/b", true },
		{ "*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (rules_match(rows[i].pattern, rows[i].path) != rows[i].match)
			fail_msg("\"%s\" on \"%s\": expected %d", rows[i].pattern, rows[i].path, rows[i].match);
}

static void last_rule_wins_and_folders_take_all_below(void **state)
{
	CLEANUP(words_done) struct words rules = { 0 };
	assert_int_equal(words_add_many(&rules, (const char *const[]){ "usr/share", "!usr/share/zoneinfo", "usr/share/zoneinfo/right/**",
							"*.wants/**", "!a.wants/keep", NULL }), 0);

	assert_true(rules_leave_out(&rules, "usr/share"));
	assert_true(rules_leave_out(&rules, "usr/share/doc/x/y"));
	assert_false(rules_leave_out(&rules, "usr/share/zoneinfo/UTC"));
	assert_true(rules_leave_out(&rules, "usr/share/zoneinfo/right/UTC"));
	assert_false(rules_leave_out(&rules, "usr/sharex"));
	assert_true(rules_leave_out(&rules, "a.wants/drop"));
	assert_false(rules_leave_out(&rules, "a.wants/keep"));
	assert_false(rules_leave_out(&rules, "etc/passwd"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pattern_matches_whole_path),
		cmocka_unit_test(last_rule_wins_and_folders_take_all_below),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
