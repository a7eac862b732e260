// Which network of first contact is come back to.
// SPDX-License-Identifier: Apache-2.0
#include "agent/first-contact.h"
#include "base/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct value *network(const char *json)
{
	struct value *value = NULL;
	assert_int_equal(json_parse(json, strlen(json), 0, &value, NULL), 0);
	return value;
}

static struct first_contact known_as(enum network_candidate candidate, const struct value *seed)
{
	struct first_contact known = { 0 };
	char *text AUTO_FREE = first_contact_format(candidate, seed);
	assert_int_equal(first_contact_parse(text, strlen(text), &known, NULL), 0);
	return known;
}

static void it_counts_as_long_as_the_seed_says_the_same(void **state)
{
	struct value *seed CLEANUP(value_freep) = network("{\"version\":2,\"bonds\":{\"b\":{\"dhcp4\":true}}}");
	struct value *other CLEANUP(value_freep) = network("{\"version\":2,\"ethernets\":{\"e\":{\"dhcp4\":true}}}");
	struct first_contact known = known_as(NETWORK_DHCP, seed); // the bond was not ready
	assert_int_equal(first_contact_carried(&known, seed), NETWORK_DHCP);
	assert_int_equal(first_contact_carried(&known, NULL), NETWORK_DHCP); // the stick is gone
	assert_int_equal(first_contact_carried(&known, other), NETWORK_ASSIGNED); // somebody wants something else
	first_contact_done(&known);
	known = known_as(NETWORK_DHCP, NULL);
	assert_int_equal(first_contact_carried(&known, seed), NETWORK_ASSIGNED);
	first_contact_done(&known);
	assert_int_equal(first_contact_carried(&known, NULL), NETWORK_ASSIGNED); // nothing is known
}

static void the_network_of_a_seed_that_is_gone_is_still_there(void **state)
{
	struct value *seed CLEANUP(value_freep) = network("{\"version\":2,\"ethernets\":{\"e\":{\"addresses\":[\"10.0.0.2/24\"]}}}");
	struct first_contact known = known_as(NETWORK_SEED, seed);
	assert_true(value_equal(first_contact_seed(&known, NULL), seed));
	assert_ptr_equal(first_contact_seed(&known, seed), seed);
	first_contact_done(&known);
	assert_null(first_contact_seed(&known, NULL));
}

static void a_file_that_says_nothing_is_refused(void **state)
{
	static const char *const wrong[] = { "", "{}", "[]", "{\"network\":\"assigned\"}", "{\"network\":\"last good\"}",
		"{\"network\":\"seed\",\"seed\":null}", "{\"network\":\"seed\",\"seed\":[]}" };
	for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
		struct first_contact known = { 0 };
		if (first_contact_parse(wrong[i], strlen(wrong[i]), &known, NULL) == 0 || known.document)
			fail_msg("%s", wrong[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_counts_as_long_as_the_seed_says_the_same),
		cmocka_unit_test(the_network_of_a_seed_that_is_gone_is_still_there),
		cmocka_unit_test(a_file_that_says_nothing_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
