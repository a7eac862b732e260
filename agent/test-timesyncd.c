// SPDX-License-Identifier: Apache-2.0
#include "agent/timesyncd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void only_the_assigned_servers_are_named(void **state)
{
	static const char *const servers[] = { "10.0.0.1", "fd00::1", "ntp.example.org" };
	char *text AUTO_FREE = timesyncd_drop_in(servers, N_ELEMENTS(servers));
	assert_string_equal(text, "[Time]\nFallbackNTP=\nNTP=\nNTP=10.0.0.1 fd00::1 ntp.example.org\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_assigned_servers_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
