// The JSON grammar by tables: what is taken, what is refused and where; and that writing gives back what was read.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "base/time.h"
#include "base/utf8.h"
#include "base/yaml.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char *again(const struct value *value)
{
	struct json_out out = { 0 };

	json_out_value(&out, value);
	return json_out_take(&out);
}

static void json_takes_rfc_8259(void **state)
{
	static const struct {
		const char *text, *written;
	} rows[] = {
		{ "{}", "{}" }, { "[]", "[]" }, { " [ ] \n", "[]" }, { "0", "0" }, { "-0", "-0" }, { "\"\"", "\"\"" },
		{ "null", "null" }, { "true", "true" }, { "\tfalse\r\n", "false" }, { "[1,2 , 3]", "[1,2,3]" },
		{ "1.5e-3", "1.5e-3" }, { "1E+2", "1E+2" }, { "-12.0", "-12.0" }, { "0.0", "0.0" }, { "0e0", "0e0" },
		{ "{\"a\":{\"b\":[{}]},\"\":1}", "{\"a\":{\"b\":[{}]},\"\":1}" },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"" },
		{ "\"\\u00e4\\u20AC\\ud83d\\uDE00\\u001f\"", "\"ä€😀\\u001f\"" },
		{ "\"ä€😀~\xc2\xa0\"", "\"ä€😀~\xc2\xa0\"" }, { "{\"\\u0061\":1,\"b\":2}", "{\"a\":1,\"b\":2}" },
		{ "[\"a\\u000ab\"]", "[\"a\\nb\"]" },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(value_freep) struct value *value = NULL;
		struct diag diag = { 0 };
		if (json_parse(rows[i].text, strlen(rows[i].text), 0, &value, &diag) < 0)
			fail_msg("%s: %s", rows[i].text, diag_text(&diag));
		AUTO_FREE char *text = again(value);
		assert_string_equal(text, rows[i].written);
	}
}

// YAML's reader refuses some characters and takes others for line ends: JSON that Hearth writes is read as YAML, too.
static void json_is_written_so_that_yaml_reads_the_same(void **state)
{
	static const uint32_t codes[] = { 0x20, 0x7e, 0x7f, 0x80, 0x84, 0x85, 0x86, 0x9f, 0xa0, 0x2027, 0x2028, 0x2029, 0x202a, 0xd7ff,
		0xe000, 0xfefe, 0xfeff, 0xff00, 0xfffd, 0xfffe, 0xffff, 0x10000, 0x10ffff };

	for (size_t i = 0; i < 0x1f + N_ELEMENTS(codes); i++) {
		uint32_t code = i < 0x1f ? (uint32_t)i + 1 : codes[i - 0x1f];
		CLEANUP(value_freep) struct value *json = NULL, *yaml = NULL;
		struct json_out out = { 0 };
		struct diag diag = { 0 };
		char text[8] = "a";
		text[1 + utf8_encode(code, text + 1)] = 'b';
		json_out_string(&out, text);
		AUTO_FREE char *written = json_out_take(&out);
		assert_int_equal(json_parse(written, strlen(written), 0, &json, &diag), 0);
		if (yaml_parse(written, strlen(written), 0, "f", &yaml, &diag) < 0)
			fail_msg("U+%04x: %s", code, diag_text(&diag));
		assert_string_equal(json->text, text);
		assert_string_equal(yaml->text, text);
	}
}

static void json_refuses_what_rfc_8259_does_not_have(void **state)
{
	static const struct {
		const char *text, *where;
	} rows[] = {
		{ "", "1:1" }, { " ", "1:2" }, { "{", "1:2" }, { "[", "1:2" }, { "}", "1:1" }, { "[1", "1:3" },
		{ "[1,]", "1:4" }, { "[,1]", "1:2" }, { "[1 2]", "1:4" }, { "{\"a\":1,}", "1:8" }, { "{\"a\"}", "1:5" },
		{ "{\"a\":}", "1:6" }, { "{a:1}", "1:2" }, { "{'a':1}", "1:2" }, { "{1:1}", "1:2" },
		{ "{\"a\" 1}", "1:6" }, { "{\"a\":1 \"b\":2}", "1:8" }, { "{\"a\":1]", "1:7" }, { "[1}", "1:3" },
		{ "01", "1:2" }, { "-", "1:2" }, { "-01", "1:3" }, { "+1", "1:1" }, { ".5", "1:1" }, { "1.", "1:3" },
		{ "1.e1", "1:3" }, { "1e", "1:3" }, { "1e+", "1:4" }, { "0x10", "1:2" }, { "1_0", "1:2" },
		{ "NaN", "1:1" }, { "Infinity", "1:1" }, { "tru", "1:1" }, { "True", "1:1" }, { "nul", "1:1" },
		{ "truex", "1:5" }, { "\"", "1:2" }, { "\"a", "1:3" }, { "\"\\x\"", "1:3" }, { "\"\\", "1:3" },
		{ "\"\\u12g4\"", "1:6" }, { "\"\\u12", "1:6" }, { "\"a\nb\"", "1:3" }, { "\"\t\"", "1:2" },
		{ "\"\\u0000\"", "1:8" }, { "\"\\ud800\"", "1:8" }, { "\"\\udc00\"", "1:8" },
		{ "\"\\ud800x\"", "1:8" }, { "\"\\ud800\\n\"", "1:8" }, { "\"\\ud800\\ud800\"", "1:14" },
		{ "\"\xff\"", "1:2" }, { "\"\xc0\x80\"", "1:2" }, { "\"\xed\xa0\x80\"", "1:2" }, { "\"\xe2\x82\"", "1:2" },
		{ "\xef\xbb\xbf{}", "1:1" }, { "1 2", "1:3" }, { "{}{}", "1:3" }, { "[]//c", "1:3" },
		{ "[1]/*c*/", "1:4" }, { "[\f1]", "1:2" }, { "[\xc2\xa0]", "1:2" }, { "\n\n [x]", "3:3" },
		{ "\"ä\" x", "1:5" }, { "{\"a\":1,\"b\":2,\"a\":3}", "1:14" }, { "{\"a\":1,\"\\u0061\":2}", "1:8" },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct value *value = NULL;
		struct diag diag = { 0 };
		int r = json_parse(rows[i].text, strlen(rows[i].text), 0, &value, &diag);
		if (r != -EINVAL || value || strcmp(diag.where, rows[i].where) != 0)
			fail_msg("%s: %d, %s", rows[i].text, r, diag_text(&diag));
	}
}

static void json_refuses_bytes_behind_a_nul(void **state)
{
	struct value *value = NULL;
	struct diag diag = { 0 };

	assert_int_equal(json_parse("{}\0", 3, 0, &value, &diag), -EINVAL);
	assert_int_equal(json_parse("\"a\0b\"", 5, 0, &value, &diag), -EINVAL);
	assert_string_equal(diag.message, "JSON: control characters in a text must be escaped, not byte 0x00");
}

static void json_nests_64_deep_and_no_deeper(void **state)
{
	char text[2 * 65 + 1] = "";
	struct value *value = NULL;
	struct diag diag = { 0 };

	memset(text, '[', 64);
	memset(text + 64, ']', 64);
	assert_int_equal(json_parse(text, 128, 0, &value, &diag), 0);
	value = value_free(value);
	memset(text, '[', 65);
	memset(text + 65, ']', 65);
	assert_int_equal(json_parse(text, 130, 0, &value, &diag), -EINVAL);
	assert_string_equal(diag.where, "1:65");
}

static void json_keeps_to_the_callers_limit(void **state)
{
	struct value *value = NULL;
	struct diag diag = { 0 };

	assert_int_equal(json_parse("[1,2]", 5, 5, &value, &diag), 0);
	value = value_free(value);
	assert_int_equal(json_parse("[1,2]", 5, 4, &value, &diag), -E2BIG);
}

// {"k0":0,...,"kN":0} with the last key like the first when @repeat.
static char *large_object(size_t n, bool repeat)
{
	struct json_out out = { 0 };
	char key[24];

	json_out_object_begin(&out);
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(key, sizeof(key), "k%zu", repeat && i + 1 == n ? 0 : i); // always fits
		json_out_member_int(&out, key, (int64_t)i);
	}
	json_out_object_end(&out);
	return json_out_take(&out);
}

static void json_finds_repeated_keys_in_objects_of_any_size(void **state)
{
	static const size_t sizes[] = { 2, 31, 32, 33, 34, 1000, 200000 };

	for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
		CLEANUP(value_freep) struct value *value = NULL;
		AUTO_FREE char *good = large_object(sizes[i], false), *bad = large_object(sizes[i], true);
		struct diag diag = { 0 };
		assert_int_equal(json_parse(good, strlen(good), 0, &value, &diag), 0);
		assert_int_equal(value->n, sizes[i]);
		struct value *none = NULL;
		assert_int_equal(json_parse(bad, strlen(bad), 0, &none, &diag), -EINVAL);
		assert_string_equal(diag.message, "JSON: an object must not repeat the key \"k0\"");
	}
}

// 16 times the size may take 40 times as long, not 256 times.
static void json_takes_linear_time(void **state)
{
	uint64_t usec[2];

	for (int i = 0; i < 2; i++) {
		size_t n = i ? 160000 : 10000;
		AUTO_FREE char *text = large_object(n, false);
		CLEANUP(value_freep) struct value *value = NULL;
		uint64_t start = time_boot_usec();
		assert_int_equal(json_parse(text, strlen(text), 0, &value, NULL), 0);
		usec[i] = time_boot_usec() - start;
	}
	if (usec[1] > 40 * usec[0] + 2 * USEC_PER_SEC)
		fail_msg("%llu and %llu usec", (unsigned long long)usec[0], (unsigned long long)usec[1]);
}

static void json_values_know_where_they_stand(void **state)
{
	static const char text[] = "{\n  \"ä\": [1,\n    \"x\"]\n}";
	CLEANUP(value_freep) struct value *value = NULL;

	assert_int_equal(json_parse(text, strlen(text), 0, &value, NULL), 0);
	const struct value *list = value_find(value, "ä");
	assert_int_equal(list->line, 2);
	assert_int_equal(list->column, 8);
	assert_int_equal(list->items[1].line, 3);
	assert_int_equal(list->items[1].column, 5);
}

static void json_out_mends_broken_text_and_odd_numbers(void **state)
{
	struct json_out out = { 0 };

	json_out_array_begin(&out);
	json_out_string(&out, "a\xff\xe2\x82z\x01\"\n");
	json_out_string(&out, NULL);
	json_out_double(&out, 1.0 / 3);
	json_out_double(&out, -1e300 * 1e300);
	json_out_int(&out, INT64_MIN);
	json_out_bool(&out, true);
	json_out_raw(&out, "{\"x\":1}");
	json_out_value(&out, NULL);
	json_out_object_begin(&out);
	json_out_member(&out, "k\"", "v");
	json_out_member_bool(&out, "b", false);
	json_out_object_end(&out);
	json_out_array_end(&out);
	AUTO_FREE char *text = json_out_take(&out);
	assert_string_equal(text, "[\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\\u0001\\\"\\n\",null,0.333,null,"
				  "-9223372036854775808,true,{\"x\":1},null,{\"k\\\"\":\"v\",\"b\":false}]");
	assert_null(out.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_takes_rfc_8259),
		cmocka_unit_test(json_is_written_so_that_yaml_reads_the_same),
		cmocka_unit_test(json_refuses_what_rfc_8259_does_not_have),
		cmocka_unit_test(json_refuses_bytes_behind_a_nul),
		cmocka_unit_test(json_nests_64_deep_and_no_deeper),
		cmocka_unit_test(json_keeps_to_the_callers_limit),
		cmocka_unit_test(json_finds_repeated_keys_in_objects_of_any_size),
		cmocka_unit_test(json_takes_linear_time),
		cmocka_unit_test(json_values_know_where_they_stand),
		cmocka_unit_test(json_out_mends_broken_text_and_odd_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
