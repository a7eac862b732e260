// What becomes Hearth's without a change of the network, and what never does.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/test-by-hand.h"
#include "netconf/test-wants.h"

#include "netconf/plan-parts.h"

#define ONE "ethernets: {eth0: {addresses: [10.0.0.2/24, \"fd00::2/64\"], routes: [{to: default, via: 10.0.0.1}]}}\n"

static struct kernel *with_eth0(uint8_t address, uint8_t route)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, "10.0.0.2/24", address);
	has_address(kernel, 2, "fd00::2/64", address);
	has_route(kernel, 2, "0.0.0.0/0", "10.0.0.1", 0, route);
	return kernel;
}

static struct plan *plan_of(struct network *network, struct kernel *kernel, bool without_taking_over)
{
	struct plan *plan = NULL;
	struct diag diag = {0};
	kernel_sort(kernel);
	struct plan_input input = {.network = network, .kernel = kernel, .without_taking_over = without_taking_over};
	if (plan_make(&input, &plan, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	return plan;
}

// @yaml changes nothing on @kernel_take, and takes over @wanted (NULL: nothing).
static void takes_over(const char *yaml, struct kernel *kernel_take, const char *wanted)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_take;
	CLEANUP(network_freep) struct network *network = wants(yaml);
	CLEANUP(plan_freep) struct plan *plan = plan_of(network, kernel, false);
	AUTO_FREE char *text = plan_text(plan), *taken = plan_taken_over(plan);
	assert_string_equal(text, "");
	if (!str_equal(taken, wanted))
		fail_msg("%s", taken ? taken : "nothing");
	CLEANUP(plan_freep) struct plan *undoing = plan_of(network, kernel, true);
	assert_int_equal(undoing->marks.n, 0);
}

static void what_a_person_made_is_taken_over_once_it_is_declared(void **state)
{
	struct kernel *kernel = with_eth0(IFAPROT_UNSPEC, RTPROT_STATIC);
	has_link(kernel, 3, "br9", "bridge");
	struct kernel_rule *rule = &kernel->rules[kernel->n_rules++];
	*rule = (struct kernel_rule){.protocol = RTPROT_BOOT,
		.rule = {.family = AF_INET, .table = 7, .priority = 5, .has_priority = true}};
	assert_int_equal(address_parse("10.0.0.0/24", true, &rule->rule.from), 0);
	takes_over("ethernets:\n  eth0:\n    addresses: [10.0.0.2/24, \"fd00::2/64\"]\n    routes: [{to: default, via: 10.0.0.1}]\n"
		   "    routing-policy: [{from: 10.0.0.0/24, table: 7, priority: 5}]\nbridges: {br9: {}}\n",
		kernel, "taken over: 2 addresses, 1 route, 1 link");
}

static void what_is_ours_or_undeclared_is_no_more_to_take(void **state)
{
	takes_over(ONE, with_eth0(HEARTH_PROTOCOL, HEARTH_PROTOCOL), NULL);
	takes_over("ethernets: {eth0: {}}", with_eth0(IFAPROT_UNSPEC, RTPROT_BOOT), NULL);
}

static void what_no_person_made_stays_whose_it_is(void **state)
{
	static const uint8_t addresses[] = {IFAPROT_KERNEL_LO, IFAPROT_KERNEL_RA, IFAPROT_KERNEL_LL, 18}; // 18: keepalived
	static const uint8_t routes[] = {RTPROT_BIRD, RTPROT_ZEBRA, RTPROT_BGP, RTPROT_OSPF, RTPROT_KEEPALIVED};
	for (size_t i = 0; i < N_ELEMENTS(addresses); i++)
		takes_over(ONE, with_eth0(addresses[i], HEARTH_PROTOCOL), NULL);
	for (size_t i = 0; i < N_ELEMENTS(routes); i++)
		takes_over(ONE, with_eth0(HEARTH_PROTOCOL, routes[i]), NULL);
	struct kernel *kernel = with_eth0(HEARTH_PROTOCOL, HEARTH_PROTOCOL);
	has_link(kernel, 3, "br9", "bridge");
	(void)snprintf(kernel->links[1].alias, sizeof(kernel->links[1].alias), "libvirt");
	takes_over(ONE "bridges: {br9: {}}", kernel, NULL);
}

static void what_would_lose_something_by_it_stays_whose_it_is(void **state)
{
	struct kernel *kernel = with_eth0(HEARTH_PROTOCOL, RTPROT_STATIC);
	kernel->routes[0].has_other_metrics = true;
	takes_over(ONE, kernel, NULL);
	kernel = with_eth0(HEARTH_PROTOCOL, RTPROT_STATIC); // the kernel would mark the first one
	has_route(kernel, 2, "0.0.0.0/0", "10.0.0.254", 0, RTPROT_STATIC);
	kernel->routes[0].position = 1;
	takes_over(ONE, kernel, NULL);
	kernel = with_eth0(IFAPROT_UNSPEC, HEARTH_PROTOCOL);
	kernel->addresses[0].flags |= IFA_F_DEPRECATED;
	kernel->addresses[1].has_peer = true;
	takes_over(ONE, kernel, NULL);
	kernel = with_eth0(IFAPROT_UNSPEC, HEARTH_PROTOCOL);
	for (size_t i = 0; i < kernel->n_addresses; i++)
		kernel->addresses[i].has_more = true;
	takes_over(ONE, kernel, NULL);
}

static void what_was_taken_over_is_given_back_when_it_is_undone(void **state)
{
	static const uint8_t address[] = {IFAPROT_UNSPEC, HEARTH_PROTOCOL}, route[] = {RTPROT_STATIC};
	CLEANUP(kernel_freep) struct kernel *kernel = with_eth0(HEARTH_PROTOCOL, HEARTH_PROTOCOL);
	CLEANUP(network_freep) struct network *network = wants(ONE);
	network->declarations[0].protocols[PROTOCOLS_ADDRESSES] = address;
	network->declarations[0].protocols[PROTOCOLS_ROUTES] = route;
	CLEANUP(plan_freep) struct plan *plan = plan_of(network, kernel, true);
	AUTO_FREE char *taken = plan_taken_over(plan);
	assert_null(taken); // not by Hearth
	assert_int_equal(plan->n, 0);
	assert_int_equal(plan->marks.n, 2);
	assert_int_equal(plan->marks.marks[0].protocol, IFAPROT_UNSPEC);
	assert_int_equal(plan->marks.marks[1].protocol, RTPROT_STATIC);
}

// --- messages ---

static void nothing_else_of_an_address_changes(void **state)
{
	struct mark mark = {.type = MARK_ADDRESS, .link_index = 7, .protocol = HEARTH_PROTOCOL,
		.address = {.flags = IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE, .metric = 77, .scope = RT_SCOPE_LINK}};
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_new();
	assert_int_equal(address_parse("10.0.0.2/24", true, &mark.address.address), 0);
	struct nl_msg *message = mark_message(&mark);
	assert_non_null(message);
	assert_int_equal(nlmsg_hdr(message)->nlmsg_flags, NLM_F_REPLACE);
	assert_int_equal(kernel_decode(kernel, nlmsg_hdr(message)), 0);
	nlmsg_free(message);
	assert_int_equal(kernel->addresses[0].protocol, HEARTH_PROTOCOL);
	assert_int_equal(kernel->addresses[0].flags, mark.address.flags);
	assert_int_equal(kernel->addresses[0].metric, 77);
	assert_int_equal(kernel->addresses[0].scope, RT_SCOPE_LINK);
	assert_int_equal(address_compare(&kernel->addresses[0].address, &mark.address.address), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_person_made_is_taken_over_once_it_is_declared),
		cmocka_unit_test(what_is_ours_or_undeclared_is_no_more_to_take),
		cmocka_unit_test(what_no_person_made_stays_whose_it_is),
		cmocka_unit_test(what_would_lose_something_by_it_stays_whose_it_is),
		cmocka_unit_test(what_was_taken_over_is_given_back_when_it_is_undone),
		cmocka_unit_test(nothing_else_of_an_address_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
