// Whose addresses, routes and rules were is known again when they come back.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/test-by-hand.h"
#include "netconf/test-wants.h"

#include "netconf/plan-parts.h"
#include "netconf/protocols.h"

#include <errno.h>

#define BEFORE                                                                                                                \
	"ethernets:\n  eth0:\n    addresses: [\"fd00::5/64\", 10.0.0.1/24]\n    routes:\n"                                    \
	"    - {to: 10.50.0.0/16, via: 10.0.0.9}\n    - {to: 10.60.0.0/16, via: 10.0.0.9}\n"                                  \
	"    routing-policy: [{from: 10.0.0.0/24, table: 7, priority: 5}]\n  eth1: {addresses: [10.1.0.1/24]}\n"

// What a person has on eth0 beside what Hearth has there.
static struct kernel *two_hands(void)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_link(kernel, 3, "eth1", "");
	has_address(kernel, 2, "10.0.0.1/24", HEARTH_PROTOCOL);
	has_address(kernel, 2, "fd00::5/64", IFAPROT_UNSPEC);
	has_address(kernel, 3, "10.1.0.1/24", HEARTH_PROTOCOL);
	has_route(kernel, 2, "10.50.0.0/16", "10.0.0.9", 0, RTPROT_STATIC);
	has_route(kernel, 2, "10.60.0.0/16", "10.0.0.9", 0, HEARTH_PROTOCOL);
	struct kernel_rule *rule = &kernel->rules[kernel->n_rules++];
	*rule = (struct kernel_rule){.protocol = RTPROT_BOOT,
		.rule = {.family = AF_INET, .table = 7, .priority = 5, .has_priority = true}};
	assert_int_equal(address_parse("10.0.0.0/24", true, &rule->rule.from), 0);
	kernel_sort(kernel);
	return kernel;
}

static void only_what_is_of_others_is_remembered(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = two_hands();
	CLEANUP(network_freep) struct network *before = wants(BEFORE);
	CLEANUP(protocol_table_done) struct protocol_table table = {0};
	assert_int_equal(protocols_of(kernel, before, &table), 0);
	assert_int_equal(table.n, 1);
	const struct protocols *eth0 = &table.entries[0];
	assert_string_equal(eth0->id, "eth0");
	assert_int_equal(eth0->n[PROTOCOLS_ADDRESSES], 2); // in the order of the document
	assert_int_equal(eth0->of[PROTOCOLS_ADDRESSES][0], IFAPROT_UNSPEC);
	assert_int_equal(eth0->of[PROTOCOLS_ADDRESSES][1], HEARTH_PROTOCOL);
	assert_int_equal(eth0->n[PROTOCOLS_ROUTES], 2);
	assert_int_equal(eth0->of[PROTOCOLS_ROUTES][0], RTPROT_STATIC);
	assert_int_equal(eth0->of[PROTOCOLS_ROUTES][1], HEARTH_PROTOCOL);
	assert_int_equal(eth0->n[PROTOCOLS_RULES], 1);
	assert_int_equal(eth0->of[PROTOCOLS_RULES][0], RTPROT_BOOT);
}

// Equal in all that a document can say, and not what it says.
static void what_has_another_shape_or_link_is_another_one(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_link(kernel, 3, "eth1", "");
	has_address(kernel, 2, "10.0.0.1/24", RTPROT_BOOT)->has_peer = true;
	has_address(kernel, 2, "10.0.0.1/24", HEARTH_PROTOCOL);
	has_route(kernel, 0, "10.50.0.0/16", "10.0.0.9", 0, RTPROT_STATIC)->has_other_shape = true;
	has_route(kernel, 3, "10.50.0.0/16", "10.0.0.9", 0, RTPROT_BOOT);
	has_route(kernel, 2, "10.50.0.0/16", "10.0.0.9", 0, HEARTH_PROTOCOL);
	struct kernel_rule *rule = &kernel->rules[kernel->n_rules++];
	*rule = (struct kernel_rule){.protocol = RTPROT_BOOT, .has_other_shape = true,
		.rule = {.family = AF_INET, .table = 7, .priority = 5, .has_priority = true}};
	assert_int_equal(address_parse("10.0.0.0/24", true, &rule->rule.from), 0);
	kernel_sort(kernel);
	CLEANUP(kernel_freep) struct kernel *held = kernel;
	CLEANUP(network_freep) struct network *before = wants("ethernets: {eth0: {addresses: [10.0.0.1/24], routes: [{to: 10.50.0.0/16, "
		"via: 10.0.0.9}], routing-policy: [{from: 10.0.0.0/24, table: 7, priority: 5}]}}");
	CLEANUP(protocol_table_done) struct protocol_table table = {0};
	assert_int_equal(protocols_of(held, before, &table), 0);
	assert_int_equal(table.n, 1); // all of the document's are Hearth's, and of the key of its route others' are before it
	assert_null(table.entries[0].of[PROTOCOLS_ADDRESSES]);
	assert_null(table.entries[0].of[PROTOCOLS_ROUTES]);
	assert_null(table.entries[0].of[PROTOCOLS_RULES]);
	assert_int_equal(table.entries[0].of[PROTOCOLS_BEHIND][0], 1);
}

static void what_went_comes_back_as_theirs(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = two_hands(), *after = kernel_new();
	CLEANUP(network_freep) struct network *before = wants(BEFORE);
	CLEANUP(protocol_table_done) struct protocol_table table = {0};
	CLEANUP(plan_freep) struct plan *plan = NULL;
	unsigned theirs = 0, ours = 0;
	assert_int_equal(protocols_of(kernel, before, &table), 0);
	assert_int_equal(protocols_give(&table, before, NULL), 0);
	has_link(after, 2, "eth0", ""); // all went
	has_link(after, 3, "eth1", "");
	kernel_sort(after);
	struct plan_input input = {.network = before, .kernel = after};
	assert_int_equal(plan_make(&input, &plan, NULL), 0);
	for (size_t i = 0; i < plan->n; i++) {
		theirs += plan->changes[i].protocol != HEARTH_PROTOCOL;
		ours += plan->changes[i].protocol == HEARTH_PROTOCOL;
		if (plan->changes[i].type == CHANGE_ROUTE_ADD && plan->changes[i].route.destination.ip.bytes[1] == 50)
			assert_int_equal(plan->changes[i].protocol, RTPROT_STATIC);
	}
	assert_int_equal(theirs, 3); // fd00::5, 10.50.0.0/16, the rule
	assert_int_equal(ours, 3);
}

// Of two of a key the kernel goes by the first, and a document has one.
static void a_route_behind_anothers_comes_back_behind_it(void **state)
{
	static const char before_text[] = "ethernets: {eth0: {addresses: [10.0.0.1/24], routes: [{to: 10.60.0.0/16, via: 10.0.0.9}]}}\n";
	for (uint32_t place = 1; place < 4; place += 2) {
		CLEANUP(kernel_freep) struct kernel *kernel = two_hands();
		CLEANUP(network_freep) struct network *before = wants(before_text);
		CLEANUP(protocol_table_done) struct protocol_table table = {0};
		CLEANUP(plan_freep) struct plan *plan = NULL, *refused = NULL;
		kernel->routes[1].position = 2;
		has_route(kernel, 2, "10.60.0.0/16", "10.0.0.8", 0, RTPROT_BIRD)->position = place;
		kernel_sort(kernel);
		assert_int_equal(protocols_of(kernel, before, &table), 0);
		assert_int_equal(protocols_give(&table, before, NULL), 0);
		size_t gone = kernel->routes[1].protocol == HEARTH_PROTOCOL ? 1 : 2;
		kernel->routes[gone] = kernel->routes[--kernel->n_routes];
		kernel_sort(kernel);
		struct plan_input input = {.network = before, .kernel = kernel, .without_taking_over = true};
		assert_int_equal(plan_make(&input, &plan, NULL), 0);
		const struct change *back = &plan->changes[0];
		assert_int_equal(back->type, CHANGE_ROUTE_ADD);
		assert_int_equal(back->is_last, place == 1);
		input.without_taking_over = false; // but nobody comes there who was not
		assert_int_equal(plan_make(&input, &refused, NULL), -EEXIST);
	}
}

// Two with a gateway would become one.
static void an_ipv6_route_whose_place_is_taken_is_left_out_on_the_way_back(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_new();
	CLEANUP(network_freep) struct network *before = wants("ethernets: {eth0: {addresses: ['fd00::2/64'], routes: "
		"[{to: 'fd50::/16', via: 'fd00::1', metric: 7}, {to: 'fd60::/16', via: 'fd00::1'}]}}");
	CLEANUP(plan_freep) struct plan *plan = NULL, *refused = NULL;
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, "fd00::2/64", HEARTH_PROTOCOL);
	has_route(kernel, 2, "fd50::/16", "fd00::9", 7, RTPROT_BIRD);
	kernel_sort(kernel);
	struct plan_input input = {.network = before, .kernel = kernel, .without_taking_over = true};
	assert_int_equal(plan_make(&input, &plan, NULL), 0);
	AUTO_FREE char *text = plan_text(plan);
	assert_string_equal(text, "eth0: add route fd60::/16 via fd00::1 metric 1024\n");
	assert_true(plan_waits_in_vain(plan));
	assert_string_equal(plan_waits_for(plan), "eth0: route fd50::/16 via fd00::1 metric 7 is left out: there is another one with this "
						  "metric that is not Hearth's (protocol 12)");
	input.without_taking_over = false;
	assert_int_equal(plan_make(&input, &refused, NULL), -EEXIST);
}

// Whoever undoes gets as far as it can.
static void those_that_do_not_fit_are_left_out_and_said(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = two_hands();
	CLEANUP(network_freep) struct network *before = wants(BEFORE), *none = wants("ethernets: {eth1: {}}"),
				       *other = wants("ethernets: {eth0: {addresses: [10.0.0.1/24]}}");
	CLEANUP(protocol_table_done) struct protocol_table table = {0};
	struct diag diag = {0};
	assert_int_equal(protocols_of(kernel, before, &table), 0);
	assert_int_equal(protocols_give(&table, none, &diag), 1);
	assert_string_equal(diag.message, "whose all of eth0 was is not known any more: there is no such link in it");
	diag = (struct diag){0};
	struct protocols *eth0 = &table.entries[0];
	eth0->n[PROTOCOLS_RULES] = eth0->n[PROTOCOLS_ROUTES] = 0; // as many as it has
	assert_int_equal(protocols_give(&table, other, &diag), 1);
	assert_string_equal(diag.message, "whose all of eth0 was is not known any more: of 1 of its things 2 are noted");
	assert_null(other->declarations[0].protocols[PROTOCOLS_ADDRESSES]);
	assert_ptr_equal(other->declarations[0].protocols[PROTOCOLS_RULES], eth0->of[PROTOCOLS_RULES]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_of_others_is_remembered),
		cmocka_unit_test(what_has_another_shape_or_link_is_another_one),
		cmocka_unit_test(what_went_comes_back_as_theirs),
		cmocka_unit_test(a_route_behind_anothers_comes_back_behind_it),
		cmocka_unit_test(an_ipv6_route_whose_place_is_taken_is_left_out_on_the_way_back),
		cmocka_unit_test(those_that_do_not_fit_are_left_out_and_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
