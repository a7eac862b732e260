// Plans of IPv4 addresses of one subnet: the first one is the one the machine speaks from.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/plan.h"
#include "netconf/test-by-hand.h"
#include "netconf/test-wants.h"

#define ETH0(rest) "version: 2\nethernets: {eth0: {" rest "}}\n"

// eth0 with these addresses, ours, as the kernel got them; NULL: no more.
static struct kernel *machine(const char *first, const char *second, const char *third)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, first, HEARTH_PROTOCOL);
	if (second)
		has_address(kernel, 2, second, HEARTH_PROTOCOL)->flags |= IFA_F_SECONDARY;
	if (third)
		has_address(kernel, 2, third, HEARTH_PROTOCOL)->flags |= IFA_F_SECONDARY;
	return kernel;
}

static void plan_is(struct kernel *kernel_take, const char *yaml, const char *sentences)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_take;
	CLEANUP(network_freep) struct network *network = wants(yaml);
	CLEANUP(plan_freep) struct plan *plan = NULL;
	struct plan_input input = {.network = network, .kernel = kernel};
	kernel_sort(kernel);
	assert_int_equal(plan_make(&input, &plan, NULL), 0);
	AUTO_FREE char *text = plan_text(plan);
	assert_string_equal(text, sentences);
}

static void the_first_of_a_subnet_stays_the_first(void **state)
{
	plan_is(machine("10.1.0.9/24", "10.1.0.5/24", NULL), ETH0("addresses: [10.1.0.9/24, 10.1.0.5/24]"), "");
	plan_is(machine("10.1.0.5/24", "10.1.0.9/24", NULL), ETH0("addresses: [10.1.0.5/24, 10.2.0.1/24, 10.1.0.9/24]"),
		"eth0: add address 10.2.0.1/24\n");
	plan_is(machine("10.1.0.5/24", NULL, NULL), ETH0("addresses: [10.1.0.9/24]"), // the kernel promotes it
		"eth0: add address 10.1.0.9/24\neth0: remove address 10.1.0.5/24 (stops traffic)\n");
}

static void another_one_steps_back(void **state)
{
	static const char routes[] = "routes: [{to: 10.7.0.0/16, via: 10.1.0.1}, {to: 10.8.0.0/16, via: 10.1.0.1, from: 10.1.0.5}]";
	AUTO_FREE char *yaml = str_format(ETH0("addresses: [10.1.0.9/24, 10.1.0.5/24], %s"), routes);
	plan_is(machine("10.1.0.5/24", "10.1.0.9/24", NULL), ETH0("addresses: [10.1.0.9/24, 10.1.0.5/24]"),
		"eth0: take off address 10.1.0.5/24, another one is the first of its subnet (stops traffic)\n"
		"eth0: add address 10.1.0.5/24\n");
	plan_is(machine("10.1.0.2/24", "10.1.0.5/24", "10.1.0.9/24"), ETH0("addresses: [10.1.0.9/24, 10.1.0.5/24]"),
		"eth0: take off address 10.1.0.5/24, another one is the first of its subnet (stops traffic)\n"
		"eth0: add address 10.1.0.5/24\neth0: remove address 10.1.0.2/24 (stops traffic)\n");
	struct kernel *bare = machine("10.1.0.5/24", NULL, NULL);
	has_route(bare, 2, "10.7.0.0/16", "10.1.0.1", 0, HEARTH_PROTOCOL);
	plan_is(bare, yaml, "eth0: take off address 10.1.0.5/24, another one is the first of its subnet (stops traffic)\n"
			    "eth0: add address 10.1.0.9/24\neth0: add address 10.1.0.5/24\n"
			    "eth0: add route 10.8.0.0/16 via 10.1.0.1 from 10.1.0.5\neth0: replace route 10.7.0.0/16 via 10.1.0.1\n");
	struct kernel *other = machine("10.1.0.5/24", "10.1.0.9/24", NULL);
	has_route(other, 2, "10.7.0.0/16", "10.1.0.1", 0, HEARTH_PROTOCOL);
	assert_int_equal(ip_parse("10.1.0.5", &has_route(other, 2, "10.8.0.0/16", "10.1.0.1", 0, HEARTH_PROTOCOL)->route.source), 0);
	plan_is(other, yaml, "eth0: take off address 10.1.0.5/24, another one is the first of its subnet (stops traffic)\n"
			     "eth0: add address 10.1.0.5/24\neth0: replace route 10.8.0.0/16 via 10.1.0.1 from 10.1.0.5\n");
}

static void somebody_elses_is_left_alone(void **state)
{
	struct kernel *kernel = machine("10.1.0.5/24", NULL, NULL);
	kernel->addresses[0].protocol = 0;
	has_address(kernel, 2, "10.1.0.9/24", HEARTH_PROTOCOL)->flags |= IFA_F_SECONDARY;
	plan_is(kernel, ETH0("addresses: [10.1.0.9/24]"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_of_a_subnet_stays_the_first),
		cmocka_unit_test(another_one_steps_back),
		cmocka_unit_test(somebody_elses_is_left_alone),
	};
	return cmocka_run_group_tests_name("plan-addresses", tests, NULL, NULL);
}
