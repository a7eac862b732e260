// SPDX-License-Identifier: Apache-2.0
#include "agent/ranges.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void ranges_overlap_when_one_holds_the_other(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} rows[] = {
		{ "10.64.0.0/16", "10.64.3.0/24", true },   { "10.64.3.7/24", "10.64.0.0/16", true },
		{ "10.64.0.0/16", "10.65.0.1/24", false },  { "10.0.0.0/8", "10.77.0.11/24", true },
		{ "10.64.0.0/15", "10.65.0.1/32", true },   { "0.0.0.0/0", "10.0.0.1/8", true },
		{ "fd00::/8", "fd12::1/64", true },         { "fd00::/64", "fd00:0:0:1::/64", false },
		{ "fd00::/8", "10.0.0.0/8", false },        { "10.64.0.0/33", "10.64.0.0/16", false },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_int_equal(ranges_overlap(rows[i].a, rows[i].b), rows[i].overlap);
}

static void collision_names_range_link_and_address(void **state)
{
	struct assignment assignment = { .pod_cidr = "10.64.0.0/16", .mesh_cidr = "10.66.0.0/16" };
	struct netconf_address address = { .text = "10.66.1.5/24", .global = true };
	struct netconf_link link = { .name = "eth1", .wired = true, .addresses = &address, .n_addresses = 1 };
	struct netconf_links links = { .links = &link, .n = 1 };
	struct diag diag = { 0 };
	assert_int_equal(ranges_check(&assignment, &links, &diag), -EADDRINUSE);
	assert_string_equal(diag.message, "the mesh range 10.66.0.0/16 overlaps the network of eth1 (10.66.1.5/24)");
	link.wired = false; // our own mesh link is in that range, of course
	assert_int_equal(ranges_check(&assignment, &links, &diag), 0);
}

static void an_address_of_a_link_is_found_however_it_is_written(void **state)
{
	struct netconf_address addresses[] = { { .text = "10.66.1.5/24" }, { .text = "fd00::5/64" } };
	struct netconf_link link = { .name = "hearth0", .addresses = addresses, .n_addresses = 2 };
	struct netconf_links links = { .links = &link, .n = 1 };
	static const struct {
		const char *address;
		bool is_there;
	} rows[] = { { "10.66.1.5", true }, { "10.66.1.50", false }, { "10.66.1.0", false }, { "fd00:0::5", true }, { "fd00::6", false },
		{ "", false } };
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_int_equal(ranges_have_address(&links, rows[i].address), rows[i].is_there);
	assert_false(ranges_have_address(NULL, "10.66.1.5"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_overlap_when_one_holds_the_other),
		cmocka_unit_test(collision_names_range_link_and_address),
		cmocka_unit_test(an_address_of_a_link_is_found_however_it_is_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
