// Decoders of scalars, unknown keys, and comparing trees.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "base/value.h"
#include "base/yaml.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct value *json(const char *text)
{
	struct value *value = NULL;

	assert_int_equal(json_parse(text, strlen(text), 0, &value, NULL), 0);
	return value;
}

static void value_int_takes_whole_numbers_in_range(void **state)
{
	static const struct {
		const char *text;
		int r;
		int64_t number;
	} rows[] = {
		{ "1", 0, 1 }, { "65535", 0, 65535 }, { "0", -EINVAL, 0 }, { "65536", -EINVAL, 0 }, { "-1", -EINVAL, 0 },
		{ "1.0", -EINVAL, 0 }, { "1e3", -EINVAL, 0 }, { "\"1\"", -EINVAL, 0 }, { "null", -EINVAL, 0 },
		{ "99999999999999999999", -EINVAL, 0 }, { "true", -EINVAL, 0 }, { "[1]", -EINVAL, 0 },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(value_freep) struct value *value = json(rows[i].text);
		int64_t number = 0;
		assert_int_equal(value_int(value, "port", 1, 65535, &number, NULL), rows[i].r);
		assert_int_equal(number, rows[i].number);
	}
}

static void value_messages_say_the_rule_then_the_value(void **state)
{
	CLEANUP(value_freep) struct value *value = json("{\"port\": 0, \"name\": {}, \"none\": null, \"empty\": \"\", \"list\": [1], "
						     "\"long\": \"1234567890123456789012345678901234567890123456789012345678901\"}");
	struct diag diag = { 0 };
	int64_t number;
	const char *text;
	bool boolean;

	assert_int_equal(value_int(value_find(value, "port"), "peers[2].port", 1, 65535, &number, &diag), -EINVAL);
	assert_string_equal(diag_text(&diag), "1:10: peers[2].port: must be a number 1-65535, not \"0\"");
	assert_int_equal(value_string(value_find(value, "name"), "name", &text, &diag), -EINVAL);
	assert_string_equal(diag.message, "name: must be a text, not an object");
	assert_int_equal(value_bool(value_find(value, "none"), "none", &boolean, &diag), -EINVAL);
	assert_string_equal(diag.message, "none: must be true or false, not an empty value");
	assert_int_equal(value_bool(value_find(value, "empty"), "empty", &boolean, &diag), -EINVAL);
	assert_string_equal(diag.message, "empty: must be true or false, not an empty value");
	assert_int_equal(value_bool(value_find(value, "list"), "list", &boolean, &diag), -EINVAL);
	assert_string_equal(diag.message, "list: must be true or false, not a list");
	assert_int_equal(value_bool(value_find(value, "long"), "long", &boolean, &diag), -EINVAL);
	assert_string_equal(diag.message, "long: must be true or false, not "
					  "\"123456789012345678901234567890123456789012345678901234567890...\"");
	assert_int_equal(value_bool(value_find(value, "up"), "up", &boolean, &diag), -EINVAL);
	assert_string_equal(diag_text(&diag), "up: is missing; must be true or false");
}

static void value_text_of_plain_yaml_scalars_is_as_written(void **state)
{
	CLEANUP(value_freep) struct value *yaml = NULL, *number = json("7");
	static const char text[] = "a: 007\nb: 7\nc: true\nd: ~\ne: x\n";

	assert_int_equal(yaml_parse(text, strlen(text), 0, "f", &yaml, NULL), 0);
	assert_string_equal(value_text(value_find(yaml, "a")), "007");
	assert_string_equal(value_text(value_find(yaml, "b")), "7");
	assert_string_equal(value_text(value_find(yaml, "c")), "true");
	assert_null(value_text(value_find(yaml, "d")));
	assert_string_equal(value_text(value_find(yaml, "e")), "x");
	assert_null(value_text(number));
	assert_null(value_text(NULL));
	assert_null(value_find(number, "a"));
	assert_null(value_path(yaml, "a", "b", NULL));
}

static void value_only_keys_names_the_nearest(void **state)
{
	static const char *const known[] = { "addresses", "dhcp4", "mtu", NULL };
	CLEANUP(value_freep) struct value *good = json("{\"mtu\":1}"), *bad = json("{\"mtu\":1,\"adresses\":[]}"),
					  *odd = json("{\"gateway\":1}"), *list = json("[]");
	struct diag diag = { 0 };

	assert_int_equal(value_only_keys(good, "eth0", known, &diag), 0);
	assert_int_equal(value_only_keys(bad, "eth0", known, &diag), -EINVAL);
	assert_string_equal(diag_text(&diag), "1:10: eth0: unknown key \"adresses\"; did you mean \"addresses\"?");
	assert_int_equal(value_only_keys(odd, "eth0", known, &diag), -EINVAL);
	assert_string_equal(diag.message, "eth0: unknown key \"gateway\"");
	assert_int_equal(value_only_keys(list, "eth0", known, &diag), -EINVAL);
	assert_int_equal(value_only_keys(NULL, "eth0", known, &diag), -EINVAL);
}

static void value_nearest_allows_two_slips(void **state)
{
	static const char *const known[] = { "status", "timeline", "explain", "up", NULL };
	char long_word[200];

	assert_string_equal(value_nearest("sttaus", known), "status"); // one swap
	assert_string_equal(value_nearest("timelin", known), "timeline");
	assert_string_equal(value_nearest("exxplainn", known), "explain");
	assert_null(value_nearest("exxxplainn", known));
	assert_null(value_nearest("xy", known)); // two slips of two letters say nothing
	memset(long_word, 'a', sizeof(long_word) - 1);
	long_word[sizeof(long_word) - 1] = '\0';
	assert_null(value_nearest(long_word, known));
}

static void value_equal_ignores_the_order_of_keys_only(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{ "{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1}", true }, { "[1,2]", "[2,1]", false },
		{ "{\"a\":1}", "{\"a\":1,\"b\":2}", false }, { "{\"a\":1}", "{\"b\":1}", false }, { "1", "\"1\"", false },
		{ "true", "false", false }, { "null", "null", true }, { "\"x\"", "\"x\"", true }, { "1", "1.0", false },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(value_freep) struct value *a = json(rows[i].a), *b = json(rows[i].b);
		assert_int_equal(value_equal(a, b), rows[i].equal);
		assert_int_equal(value_equal(b, a), rows[i].equal);
	}
	assert_true(value_equal(NULL, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(value_int_takes_whole_numbers_in_range),
		cmocka_unit_test(value_messages_say_the_rule_then_the_value),
		cmocka_unit_test(value_text_of_plain_yaml_scalars_is_as_written),
		cmocka_unit_test(value_only_keys_names_the_nearest),
		cmocka_unit_test(value_nearest_allows_two_slips),
		cmocka_unit_test(value_equal_ignores_the_order_of_keys_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
