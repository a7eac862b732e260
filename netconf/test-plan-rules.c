// Plans of rules: which of them the kernel goes by, and which one it takes away.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/test-model.h"

#include <time.h>

static void rules_come_and_go_and_those_of_others_stay(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	struct kernel_rule *other = &kernel->rules[kernel->n_rules++];
	*other = (struct kernel_rule){.rule = {.family = AF_INET, .table = 7, .priority = 50, .has_priority = true}};
	plan_is(kernel, "version: 2\nethernets:\n  eth0:\n    routing-policy: [{from: 10.1.0.0/16, table: 100}, "
			"{from: 10.2.0.0/16, table: 100, priority: 40}]\n",
		"add rule from 10.1.0.0/16 table 100\nadd rule from 10.2.0.0/16 table 100 priority 40\n");
	plan_is(kernel, "version: 2\nethernets:\n  eth0:\n    routing-policy: [{from: 10.1.0.0/16, table: 100}, "
			"{from: 10.2.0.0/16, table: 100, priority: 30}]\n",
		"add rule from 10.2.0.0/16 table 100 priority 30\n"
		"remove rule from 10.2.0.0/16 table 100 priority 40 (stops traffic)\n");
	becomes(kernel, "version: 2\nethernets: {eth0: {}}\n");
	assert_int_equal(kernel->n_rules, 1);
}

#define POLICY(rules) "version: 2\nethernets: {eth0: {routing-policy: [" rules "]}}\n"
#define FROM_SOME "{from: 10.1.0.0/16, table: 100, priority: 40}"
#define FROM_ALL "{from: 0.0.0.0/0, table: 100, priority: 40}"

// The kernel is told what a rule has, and takes the first one that has it.
static void the_rule_that_is_meant_goes_and_no_other(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, POLICY(FROM_SOME));
	becomes(kernel, POLICY(FROM_SOME ", " FROM_ALL ", {to: 10.9.0.0/16, table: 100, priority: 40}"));
	plan_is(kernel, POLICY(FROM_SOME), "add rule from 10.1.0.0/16 table 100 priority 40 once more\n"
					   "remove rule from 10.1.0.0/16 table 100 priority 40 once\n"
					   "remove rule from all table 100 priority 40 (stops traffic)\n"
					   "remove rule from all to 10.9.0.0/16 table 100 priority 40 (stops traffic)\n");
	assert_int_equal(kernel->n_rules, 1);
	becomes(kernel, POLICY(FROM_ALL ", " FROM_SOME));
	plan_is(kernel, POLICY(""), "remove rule from all table 100 priority 40 (stops traffic)\n"
				    "remove rule from 10.1.0.0/16 table 100 priority 40 (stops traffic)\n");
	assert_int_equal(kernel->n_rules, 0);
}

// Of one priority the first that fits is used: they stand as the document says them.
static void rules_of_one_priority_stand_as_they_are_said(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, POLICY(FROM_SOME ", {from: 10.0.0.0/8, table: 7, priority: 40}"));
	plan_is(kernel, POLICY("{from: 10.1.0.0/16, table: 9, priority: 40}, {from: 10.0.0.0/8, table: 7, priority: 40}"),
		"add rule from 10.1.0.0/16 table 9 priority 40\n"
		"add rule from 10.0.0.0/8 table 7 priority 40 once more\n"
		"remove rule from 10.1.0.0/16 table 100 priority 40 (stops traffic)\n"
		"remove rule from 10.0.0.0/8 table 7 priority 40 once\n");
	plan_is(kernel, POLICY("{from: 10.0.0.0/8, table: 7, priority: 40}, {from: 10.1.0.0/16, table: 9, priority: 40}"),
		"add rule from 10.1.0.0/16 table 9 priority 40 once more\n"
		"remove rule from 10.1.0.0/16 table 9 priority 40 once\n");
	plan_is(kernel, POLICY("{from: 10.0.0.0/8, table: 7, priority: 40}, {from: 10.1.0.0/16, table: 9, priority: 40}, "
			       "{from: 10.1.0.0/16, table: 9, priority: 30}"),
		"add rule from 10.1.0.0/16 table 9 priority 30\n");
}

// A third one of that priority, behind the one that gets a twin, keeps its place, too.
static void a_twin_changes_no_order(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, POLICY(FROM_SOME ", {from: 10.0.0.0/8, table: 7, priority: 40}, " FROM_ALL));
	plan_is(kernel, POLICY(FROM_SOME ", {from: 10.0.0.0/8, table: 7, priority: 40}"),
		"add rule from 10.1.0.0/16 table 100 priority 40 once more\n"
		"add rule from 10.0.0.0/8 table 7 priority 40 once more\n"
		"remove rule from 10.1.0.0/16 table 100 priority 40 once\n"
		"remove rule from 10.0.0.0/8 table 7 priority 40 once\n"
		"remove rule from all table 100 priority 40 (stops traffic)\n");
	assert_int_equal(kernel->n_rules, 2);
}

// One of another shape would go in its place: it stays where it is, and the plan comes to its end.
static void a_rule_that_cannot_move_stays(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	struct kernel_rule *strange = &kernel->rules[kernel->n_rules++];
	*strange = (struct kernel_rule){.rule = {.family = AF_INET, .table = 100, .priority = 40, .has_priority = true},
		.protocol = HEARTH_PROTOCOL, .has_other_shape = true};
	becomes(kernel, POLICY(FROM_ALL));
	plan_is(kernel, POLICY(FROM_SOME ", " FROM_ALL), "add rule from 10.1.0.0/16 table 100 priority 40\n");
}

// The twin of a change that was left half done is the one that stays: each further try would leave one more.
static void a_twin_that_is_there_is_enough(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, POLICY(FROM_SOME));
	becomes(kernel, POLICY(FROM_SOME ", " FROM_ALL));
	struct kernel_rule twin = kernel->rules[kernel->rules[0].rule.from.ip.family ? 0 : 1]; // the other one is from all
	twin.position = UINT32_MAX;
	kernel->rules[kernel->n_rules++] = twin;
	plan_is(kernel, POLICY(FROM_SOME), "remove rule from 10.1.0.0/16 table 100 priority 40 (stops traffic)\n"
					   "remove rule from all table 100 priority 40 (stops traffic)\n");
	assert_int_equal(kernel->n_rules, 1);
}

// It has a link or a user that a document cannot say: nothing would tell it from the one that goes.
static void a_rule_that_cannot_be_told_from_a_strange_one_stays(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	struct kernel_rule *strange = &kernel->rules[kernel->n_rules++];
	*strange = (struct kernel_rule){.rule = {.family = AF_INET, .table = 100, .priority = 40, .has_priority = true},
		.protocol = HEARTH_PROTOCOL, .has_other_shape = true};
	becomes(kernel, POLICY(FROM_ALL ", " FROM_SOME));
	plan_is(kernel, POLICY(""), "remove rule from 10.1.0.0/16 table 100 priority 40 (stops traffic)\n");
	assert_int_equal(kernel->n_rules, 2);
}

// 16 links with 4,096 rules each: what a document may have must not keep the agent from its work.
static char *document_of_many_rules(unsigned n_links, unsigned n_each)
{
	char *text = NULL;
	size_t n_text = 0;
	FILE *out = open_memstream(&text, &n_text);
	assert_non_null(out);
	fprintf(out, "version: 2\nethernets:\n");
	for (unsigned i = 0; i < n_links; i++) {
		fprintf(out, "  eth%u:\n    routing-policy:\n", i);
		for (unsigned j = 0; j < n_each; j++)
			fprintf(out, "    - {from: 10.%u.%u.%u, table: 100%s}\n", i, j >> 8, j & 255,
				j % 2 ? ", priority: 40" : "");
	}
	assert_int_equal(fclose(out), 0);
	return text;
}

static void many_rules_are_found_quickly(void **state)
{
	enum { LINKS = 16, EACH = 4096, ALL = LINKS * EACH, MOST_SEC = 5 };
	CLEANUP(kernel_freep) struct kernel *kernel = ports(LINKS);
	CLEANUP(plan_freep) struct plan *first = NULL, *second = NULL;
	AUTO_FREE char *text = document_of_many_rules(LINKS, EACH);
	CLEANUP(network_freep) struct network *network = wants(text);
	struct diag diag = {0};
	clock_t begin = clock();
	assert_int_equal(make(network, kernel, &first, &diag), 0);
	assert_int_equal(first->n, ALL);
	free(kernel->rules);
	kernel->rules = calloc(ALL, sizeof(*kernel->rules));
	assert_non_null(kernel->rules);
	for (size_t i = 0; i < first->n; i++) {
		struct kernel_rule *one = &kernel->rules[kernel->n_rules++];
		*one = (struct kernel_rule){.rule = first->changes[i].rule, .protocol = HEARTH_PROTOCOL};
		if (!one->rule.has_priority)
			one->rule.priority = 32766;
		one->rule.has_priority = true;
	}
	assert_int_equal(make(network, kernel, &second, &diag), 0);
	assert_int_equal(second->n, 0);
	assert_true(clock() - begin < (clock_t)MOST_SEC * CLOCKS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_come_and_go_and_those_of_others_stay),
		cmocka_unit_test(the_rule_that_is_meant_goes_and_no_other),
		cmocka_unit_test(rules_of_one_priority_stand_as_they_are_said),
		cmocka_unit_test(a_twin_changes_no_order),
		cmocka_unit_test(a_rule_that_cannot_move_stays),
		cmocka_unit_test(a_twin_that_is_there_is_enough),
		cmocka_unit_test(a_rule_that_cannot_be_told_from_a_strange_one_stays),
		cmocka_unit_test(many_rules_are_found_quickly),
	};
	return cmocka_run_group_tests_name("plan-rules", tests, NULL, NULL);
}
