// The tables of settings: words, units and numbers go there and back.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/link-options.h"
#include "netconf/rule.h"

#include <errno.h>

static const enum link_option_kind kinds[] = {LINK_OPTION_BOND, LINK_OPTION_BRIDGE, LINK_OPTION_BRIDGE_PORT};

static void every_option_is_found_by_its_key_and_has_its_own_attribute(void **state)
{
	for (size_t k = 0; k < N_ELEMENTS(kinds); k++) {
		size_t n;
		const struct link_option *table = link_options_of(kinds[k], &n);
		assert_true(n > 0 && n <= LINK_OPTIONS_MAX);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(table[i].of, kinds[k]);
			assert_int_equal(link_option_find(kinds[k], table[i].key), i);
			assert_true(table[i].n_bytes == 1 || table[i].n_bytes == 2 || table[i].n_bytes == 4);
			for (size_t j = 0; j < i; j++)
				assert_int_not_equal(table[i].attribute, table[j].attribute);
		}
	}
}

static void least_and_most_go_there_and_back(void **state)
{
	for (size_t k = 0; k < N_ELEMENTS(kinds); k++) {
		size_t n;
		const struct link_option *table = link_options_of(kinds[k], &n);
		for (size_t i = 0; i < n; i++) {
			const uint32_t values[] = {table[i].min, table[i].max};
			for (size_t j = 0; j < N_ELEMENTS(values); j++) {
				char text[32];
				uint32_t back = 0;
				if (link_option_parse(&table[i], link_option_format(&table[i], values[j], text), &back, NULL) < 0 ||
					back != values[j])
					fail_msg("%s: %u became %s, then %u", table[i].key, values[j], text, back);
			}
		}
	}
}

static const struct link_option *option(enum link_option_kind kind, const char *key)
{
	size_t n;
	int at = link_option_find(kind, key);
	assert_true(at >= 0);
	return &link_options_of(kind, &n)[at];
}

static void texts_become_the_kernels_numbers(void **state)
{
	static const struct {
		enum link_option_kind kind;
		const char *key, *text;
		uint32_t value;
	} rows[] = {
		{LINK_OPTION_BOND, "mode", "802.3ad", 4}, {LINK_OPTION_BOND, "mode", "balance-alb", 6},
		{LINK_OPTION_BOND, "transmit-hash-policy", "vlan+srcmac", 5}, {LINK_OPTION_BOND, "lacp-rate", "fast", 1},
		{LINK_OPTION_BOND, "mii-monitor-interval", "100", 100}, {LINK_OPTION_BOND, "mii-monitor-interval", "1s", 1000},
		{LINK_OPTION_BOND, "up-delay", "1min 30s", 90000}, {LINK_OPTION_BOND, "arp-interval", "1.5s", 1500},
		{LINK_OPTION_BOND, "learn-packet-interval", "2", 2}, {LINK_OPTION_BOND, "all-slaves-active", "YES", 1},
		{LINK_OPTION_BOND, "gratuitious-arp", "007", 7}, {LINK_OPTION_BOND, "packets-per-slave", "0", 0},
		{LINK_OPTION_BRIDGE, "aging-time", "5", 500}, {LINK_OPTION_BRIDGE, "forward-delay", "2.5", 250},
		{LINK_OPTION_BRIDGE, "hello-time", "1500ms", 150}, {LINK_OPTION_BRIDGE, "stp", "off", 0},
		{LINK_OPTION_BRIDGE_PORT, "path-cost", "65535", 65535}, {LINK_OPTION_BRIDGE_PORT, "hairpin", "y", 1},
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct diag diag = {0};
		uint32_t value = UINT32_MAX;
		if (link_option_parse(option(rows[i].kind, rows[i].key), rows[i].text, &value, &diag) < 0 ||
			value != rows[i].value)
			fail_msg("%s: %s became %u %s", rows[i].key, rows[i].text, value, diag.message);
	}
}

static void wrong_texts_are_refused_with_the_rule(void **state)
{
	static const struct {
		enum link_option_kind kind;
		const char *key, *text, *words;
	} rows[] = {
		{LINK_OPTION_BOND, "lacp-rate", "quick", "must be slow or fast, not \"quick\""},
		{LINK_OPTION_BOND, "mode", "4", "balance-tlb or balance-alb"},
		{LINK_OPTION_BOND, "mii-monitor-interval", "", "must be a time in milliseconds"},
		{LINK_OPTION_BOND, "mii-monitor-interval", "-1", "must be a time in milliseconds"},
		{LINK_OPTION_BOND, "mii-monitor-interval", "10 parsecs", "must be a time in milliseconds"},
		{LINK_OPTION_BOND, "mii-monitor-interval", "2147483648", "must be 0-2147483647 milliseconds"},
		{LINK_OPTION_BOND, "mii-monitor-interval", "999999999999d", "must be a time"},
		{LINK_OPTION_BOND, "mii-monitor-interval", "9999999999999999999999", "must be a time"},
		{LINK_OPTION_BOND, "learn-packet-interval", "0", "must be 1-2147483647 seconds"},
		{LINK_OPTION_BOND, "min-links", "x", "must be a number 0-2147483647"},
		{LINK_OPTION_BOND, "resend-igmp", "256", "must be a number 0-255"},
		{LINK_OPTION_BRIDGE, "stp", "2", "must be true or false"},
		{LINK_OPTION_BRIDGE, "max-age", "5", "must be 6-40 seconds"},
		{LINK_OPTION_BRIDGE, "forward-delay", "2.", "must be a time in seconds"},
		{LINK_OPTION_BRIDGE_PORT, "path-cost", "0", "must be a number 1-65535"},
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct diag diag = {0};
		uint32_t value;
		if (link_option_parse(option(rows[i].kind, rows[i].key), rows[i].text, &value, &diag) != -EINVAL ||
			!strstr(diag.message, rows[i].words))
			fail_msg("%s: %s: %s", rows[i].key, rows[i].text, diag.message);
	}
	assert_int_equal(link_option_find(LINK_OPTION_BOND, "primary"), -ENOENT);
	assert_int_equal(link_option_find(LINK_OPTION_BRIDGE, "aging"), -ENOENT);
}

static void only_what_is_wanted_and_not_so_differs(void **state)
{
	struct link_options wanted = {0}, have = {0};
	link_options_set(&wanted, 0, 4);
	link_options_set(&wanted, 2, 100);
	link_options_set(&have, 0, 4);
	link_options_set(&have, 5, 1);
	assert_int_equal(link_options_differ(&wanted, &have), 1u << 2);
	link_options_set(&have, 2, 50);
	assert_int_equal(link_options_differ(&wanted, &have), 1u << 2);
	link_options_set(&have, 2, 100);
	assert_int_equal(link_options_differ(&wanted, &have), 0);
}

static struct address prefix(const char *text)
{
	struct address address;
	assert_int_equal(address_parse(text, true, &address), 0);
	return address;
}

static void a_rule_fits_whatever_priority_the_kernel_chose(void **state)
{
	struct rule wanted = {.family = AF_INET, .from = prefix("10.0.0.0/8"), .table = 100};
	struct rule have = wanted;
	have.priority = 32765;
	have.has_priority = true;
	assert_true(rule_fits(&wanted, &have));
	assert_int_not_equal(rule_compare(&wanted, &have), 0);
	wanted.has_priority = true;
	wanted.priority = 5;
	assert_false(rule_fits(&wanted, &have));
	have.priority = 5;
	assert_true(rule_fits(&wanted, &have));
	assert_int_equal(rule_compare(&wanted, &have), 0);
}

static void every_field_tells_rules_apart(void **state)
{
	const struct rule base = {.family = AF_INET, .from = prefix("10.0.0.0/8"), .table = 100, .has_priority = true};
	struct rule others[] = {base, base, base, base, base, base, base};
	others[0].family = AF_INET6;
	others[1].from = prefix("10.0.0.0/9");
	others[2].to = prefix("10.0.0.0/8");
	others[3].table = 101;
	others[4].mark = 1;
	others[5].tos = 4;
	others[6].priority = 1;
	for (size_t i = 0; i < N_ELEMENTS(others); i++) {
		assert_int_not_equal(rule_compare(&base, &others[i]), 0);
		assert_true((rule_compare(&base, &others[i]) < 0) != (rule_compare(&others[i], &base) < 0));
		assert_false(rule_fits(&base, &others[i]));
	}
}

static void rules_of_any_address_name_their_family(void **state)
{
	const struct rule v4 = {.family = AF_INET, .table = 254}, v6 = {.family = AF_INET6, .table = 7, .mark = 2};
	char text[RULE_TEXT];
	assert_string_equal(rule_format(&v4, text), "from all");
	assert_string_equal(rule_format(&v6, text), "from ::/0 mark 2 table 7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_is_found_by_its_key_and_has_its_own_attribute),
		cmocka_unit_test(least_and_most_go_there_and_back),
		cmocka_unit_test(texts_become_the_kernels_numbers),
		cmocka_unit_test(wrong_texts_are_refused_with_the_rule),
		cmocka_unit_test(only_what_is_wanted_and_not_so_differs),
		cmocka_unit_test(a_rule_fits_whatever_priority_the_kernel_chose),
		cmocka_unit_test(every_field_tells_rules_apart),
		cmocka_unit_test(rules_of_any_address_name_their_family),
	};
	return cmocka_run_group_tests_name("link-options", tests, NULL, NULL);
}
