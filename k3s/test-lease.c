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

static void a_note_is_read_with_the_lease_and_an_overlong_one_is_none(void **state)
{
	static const struct {
		const char *metadata;
		size_t n_x;
		const char *note;
	} rows[] = {
		{"{\"annotations\":{\"" LEASE_NOTE "\":\"sha256:1\"}}", 0, "sha256:1"},
		{"{\"annotations\":{\"other\":\"sha256:1\"}}", 0, ""},
		{"{\"annotations\":{\"" LEASE_NOTE "\":7}}", 0, ""},
		{"{\"annotations\":[]}", 0, ""},
		{"{}", 0, ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *text AUTO_FREE = str_format("{\"metadata\":%s,\"spec\":{\"holderIdentity\":\"other\"}}", rows[i].metadata);
		struct value *value CLEANUP(value_freep) = NULL;
		struct lease_seen seen = {.note = "of before"};

		assert_int_equal(json_parse(text, strlen(text), 0, &value, NULL), 0);
		assert_int_equal(lease_step(&seen, value, "me", 1), LEASE_WAIT);
		assert_string_equal(seen.note, rows[i].note);
	}
	for (int n = LEASE_NOTE_MAX - 1; n <= LEASE_NOTE_MAX; n++) {
		char *text AUTO_FREE = str_format("{\"metadata\":{\"annotations\":{\"" LEASE_NOTE "\":\"%0*d\"}}}", n, 1);
		struct value *value CLEANUP(value_freep) = NULL;
		struct lease_seen seen = {0};

		assert_int_equal(json_parse(text, strlen(text), 0, &value, NULL), 0);
		assert_int_equal(lease_step(&seen, value, "me", 1), LEASE_TAKE);
		assert_int_equal(strlen(seen.note), n < LEASE_NOTE_MAX ? n : 0);
	}
}

static void a_lease_of_others_knows_more_and_one_of_our_own_what_we_know(void **state)
{
	static const struct {
		enum lease_action action;
		const char *own, *seen, *newest;
	} rows[] = {
		{LEASE_RENEW, "ours", "before", "ours"}, // what we did not come to write
		{LEASE_RENEW, "", "before", "before"},   // our disk was lost
		{LEASE_RENEW, "ours", "", "ours"},
		{LEASE_TAKE, "ours", "theirs", "theirs"},
		{LEASE_TAKE, "ours", "", "ours"},
		{LEASE_WAIT, "ours", "theirs", "theirs"},
		{LEASE_WAIT, "", "theirs", "theirs"},
		{LEASE_CREATE, "ours", "", "ours"},
		{LEASE_CREATE, "", "", ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(lease_note_newest(rows[i].action, rows[i].own, rows[i].seen), rows[i].newest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_s_lease_is_made_or_taken),
		cmocka_unit_test(our_own_is_renewed),
		cmocka_unit_test(another_s_is_taken_only_after_it_was_seen_silent),
		cmocka_unit_test(a_note_is_read_with_the_lease_and_an_overlong_one_is_none),
		cmocka_unit_test(a_lease_of_others_knows_more_and_one_of_our_own_what_we_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
