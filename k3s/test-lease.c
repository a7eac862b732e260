// The rule of the Lease: who may take it, and when.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "base/time.h"
#include "k3s/lease.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static enum lease_action step(struct lease_seen *seen, const char *holder, const char *renewed, uint64_t now_sec)
{
	char *text AUTO_FREE = str_format("{\"metadata\":{\"resourceVersion\":\"7\"},\"spec\":{\"holderIdentity\":\"%s\","
					  "\"renewTime\":\"%s\"}}",
		holder, renewed);
	struct value *value CLEANUP(value_freep) = NULL;

	assert_int_equal(json_parse(text, strlen(text), 0, &value, NULL), 0);
	return lease_step(seen, value, "me", now_sec * USEC_PER_SEC);
}

static void nobody_s_lease_is_made_or_taken(void **state)
{
	struct lease_seen seen = {0};

	assert_int_equal(lease_step(&seen, NULL, "me", 1), LEASE_CREATE);
	assert_int_equal(step(&seen, "", "t1", 1), LEASE_TAKE);
}

static void our_own_is_renewed(void **state)
{
	struct lease_seen seen = {0};

	assert_int_equal(step(&seen, "me", "t1", 1), LEASE_RENEW);
	assert_int_equal(step(&seen, "me", "t1", 10000), LEASE_RENEW);
	assert_string_equal(seen.version, "7");
}

static void another_s_is_taken_only_after_it_was_seen_silent(void **state)
{
	struct lease_seen seen = {0};

	// the time in it may be from years ago: only what we see counts
	assert_int_equal(step(&seen, "other", "1970-01-01T00:00:00Z", 1000), LEASE_WAIT);
	assert_int_equal(step(&seen, "other", "1970-01-01T00:00:00Z", 1029), LEASE_WAIT);
	assert_int_equal(step(&seen, "other", "2026-01-01T00:00:00Z", 1029), LEASE_WAIT);
	assert_int_equal(step(&seen, "other", "2026-01-01T00:00:00Z", 1058), LEASE_WAIT);
	assert_int_equal(step(&seen, "other", "2026-01-01T00:00:00Z", 1059), LEASE_TAKE);
	assert_int_equal(step(&seen, "third", "2026-01-01T00:00:00Z", 1060), LEASE_WAIT);
	assert_string_equal(seen.holder, "third");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_s_lease_is_made_or_taken),
		cmocka_unit_test(our_own_is_renewed),
		cmocka_unit_test(another_s_is_taken_only_after_it_was_seen_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
