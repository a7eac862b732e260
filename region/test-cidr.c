// Ranges: text, containment, overlap, hosts; and when a node's pod range is believed.
// SPDX-License-Identifier: Apache-2.0
#include "region/pod-cidr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct cidr of(const char *text)
{
	struct cidr cidr;
	assert_int_equal(cidr_parse(text, "test", false, &cidr, NULL), 0);
	return cidr;
}

static void text_goes_both_ways(void **state)
{
	static const char *const good[] = { "10.64.0.0/16", "0.0.0.0/0", "10.66.0.11/32",
		"fd00:1::/48", "::/0" };
	static const char *const bad[] = { "", "10.64.0.0", "10.64.0.0/", "10.64.0/16",
		"10.64.0.0/33", "10.64.0.0/016", "10.64.0.0/-1", "10.64.0.0/16 ", "fd00::/129",
		"/16", "10.64.0.0/1/6",
		"1234567890123456789012345678901234567890123456789012345/1" };
	char text[CIDR_TEXT];
	struct cidr cidr;
	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		cidr = of(good[i]);
		cidr_format(&cidr, text);
		assert_string_equal(text, good[i]);
	}
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_int_equal(cidr_parse(bad[i], "test", false, &cidr, NULL), -EINVAL);
	assert_int_equal(cidr_parse(NULL, "test", false, &cidr, NULL), -EINVAL);
	assert_int_equal(cidr_parse("10.64.0.1/16", "test", true, &cidr, NULL), -EINVAL);
	assert_int_equal(cidr_parse("10.64.0.1/16", "test", false, &cidr, NULL), 0);
}

static void contains_and_overlaps(void **state)
{
	struct cidr pods = of("10.64.0.0/16"), one = of("10.64.1.0/24"),
		    half = of("10.64.1.128/25"), other = of("10.65.1.0/24"), v6 = of("fd00::/48"),
		    odd = of("10.64.0.0/13");
	assert_true(cidr_contains(&pods, &one));
	assert_false(cidr_contains(&one, &pods));
	assert_false(cidr_contains(&pods, &other));
	assert_false(cidr_contains(&v6, &one));
	assert_true(cidr_contains(&odd, &other));
	assert_true(cidr_overlaps(&one, &half));
	assert_true(cidr_overlaps(&half, &one));
	assert_false(cidr_overlaps(&one, &other));
	assert_false(cidr_overlaps(&one, &v6));
}

static void hosts_are_counted_from_the_network(void **state)
{
	struct cidr range = of("10.66.0.0/16"), small = of("10.77.0.0/24"),
		    v6 = of("fd00::ff00/112"), host;
	char text[CIDR_TEXT];
	assert_int_equal(cidr_host(&range, 1, &host), 0);
	cidr_format_address(&host, text);
	assert_string_equal(text, "10.66.0.1");
	assert_int_equal(cidr_host(&range, 300, &host), 0);
	cidr_format(&host, text);
	assert_string_equal(text, "10.66.1.44/32");
	assert_int_equal(cidr_host(&small, 254, &host), 0);
	assert_int_equal(cidr_host(&small, 255, &host), -ERANGE);
	assert_int_equal(cidr_host(&v6, 300, &host), 0);
	cidr_format(&host, text);
	assert_string_equal(text, "fd00::1:2c/128");
}

static void a_pod_range_needs_a_server_that_saw_it(void **state)
{
	struct cidr range = of("10.64.0.0/16");
	const char *seen[] = { NULL, "10.64.1.0/24" }, *wrong[] = { "10.64.2.0/24", "junk" },
		   *others[] = { "10.64.0.0/24", "10.64.3.0/24" };
	assert_int_equal(
		pod_cidr_decide(&range, "10.64.1.0/24", seen, 2, others, 2), POD_CIDR_ACCEPTED);
	assert_int_equal(
		pod_cidr_decide(&range, "10.64.1.0/24", wrong, 2, others, 2), POD_CIDR_UNCONFIRMED);
	assert_int_equal(
		pod_cidr_decide(&range, "10.64.1.0/24", NULL, 0, others, 2), POD_CIDR_UNCONFIRMED);
}

static void a_pod_range_lies_inside_and_overlaps_nobody(void **state)
{
	struct cidr range = of("10.64.0.0/16");
	static const struct {
		const char *text;
		enum pod_cidr_verdict verdict;
	} rows[] = { { "10.63.0.0/24", POD_CIDR_OUTSIDE }, { "0.0.0.0/0", POD_CIDR_OUTSIDE },
		{ "10.64.0.0/16", POD_CIDR_OUTSIDE }, { "fd00::/64", POD_CIDR_OUTSIDE },
		{ "10.64.1.5/24", POD_CIDR_MALFORMED }, { "", POD_CIDR_MALFORMED },
		{ "10.64.0.128/25", POD_CIDR_OVERLAPS }, { "10.64.0.0/23", POD_CIDR_OVERLAPS },
		{ "10.64.4.0/24", POD_CIDR_ACCEPTED } };
	const char *others[] = { "10.64.0.0/24", "10.64.3.0/24" };
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_int_equal(pod_cidr_decide(&range, rows[i].text, &rows[i].text, 1, others, 2),
			rows[i].verdict);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_goes_both_ways),
		cmocka_unit_test(contains_and_overlaps),
		cmocka_unit_test(hosts_are_counted_from_the_network),
		cmocka_unit_test(a_pod_range_needs_a_server_that_saw_it),
		cmocka_unit_test(a_pod_range_lies_inside_and_overlaps_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
