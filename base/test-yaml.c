// YAML into the tree: types of scalars, positions in errors, and the constructs that are refused.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "base/yaml.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int parse(const char *text, struct value **ret, struct diag *reterr)
{
	return yaml_parse(text, strlen(text), 0, "f.yaml", ret, reterr);
}

static void yaml_becomes_the_same_tree_as_json(void **state)
{
	static const struct {
		const char *yaml, *json;
	} rows[] = {
		{ "", "{}" }, { "\n\n", "{}" }, { "# nothing\n", "{}" }, { "---\n", "{}" }, { "--- {}\n...\n", "{}" },
		{ "a: 1\nb: [x, 'y z', \"q\\n\"]\n", "{\"a\":1,\"b\":[\"x\",\"y z\",\"q\\n\"]}" },
		{ "a: ~\nb:\nc: null\nd: Null\ne: ''\n", "{\"a\":null,\"b\":null,\"c\":null,\"d\":null,\"e\":\"\"}" },
		{ "a: true\nb: FALSE\nc: yes\nd: 'true'\n", "{\"a\":true,\"b\":false,\"c\":\"yes\",\"d\":\"true\"}" },
		{ "- 1\n- 1.5\n- -2e3\n- 007\n- 0x1f\n- .5\n- 1_000\n- '5'\n",
			"[1,1.5,-2e3,\"007\",\"0x1f\",\".5\",\"1_000\",\"5\"]" },
		{ "a: |\n  one\n  two\nb: >-\n  one\n  two\n", "{\"a\":\"one\\ntwo\\n\",\"b\":\"one two\"}" },
		{ "a: &x {b: [1]}\nc: *x\n", "{\"a\":{\"b\":[1]},\"c\":{\"b\":[1]}}" },
		{ "a: &x hello\nb: [*x, *x]\n", "{\"a\":\"hello\",\"b\":[\"hello\",\"hello\"]}" },
		{ "a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}" },
		{ "mac: 52:54:00:00:00:01\nt: 2026-11-22\n", "{\"mac\":\"52:54:00:00:00:01\",\"t\":\"2026-11-22\"}" },
		{ "{\"a\": [1, {\"b\": null}]}", "{\"a\":[1,{\"b\":null}]}" },
		{ "a: 'x == '''' || y'\n", "{\"a\":\"x == '' || y\"}" },
		{ "a: 'x ==\n  '''') == (y\n\n  == '''')\n  : z'\n", "{\"a\":\"x == '') == (y\\n== '') : z\"}" },
		{ "a: [' b ', '\n  c\t\n\n  d\n  ', '''', 'ä''''''']\n", "{\"a\":[\" b \",\" c\\nd \",\"'\",\"ä'''\"]}" },
		{ "'a''b': 'c'\r\nd: 'e\r\n  f'\r\n", "{\"a'b\":\"c\",\"d\":\"e f\"}" },
		{ "a: \"x\\\\\\\n  !\\\n\n  y \\\n  \\ z \n  \\tw\\\" \\\n  \"\n", "{\"a\":\"x\\\\!\\ny  z \\tw\\\" \"}" },
		{ "a: \"\\x41\\u00e9\\U0001F600\\/\\e\\_\\L\"\n", "{\"a\":\"Aé😀/\\u001b\\u00a0\\u2028\"}" },
		{ "\xef\xbb\xbf" "a: 'b''c'\n", "{\"a\":\"b'c\"}" },
		{ "\xef\xbb\xbf" "a: b\nc:\n  d: e\n", "{\"a\":\"b\",\"c\":{\"d\":\"e\"}}" },
		{ "a:\n  b: [\n  1,\n2\n]\n  c: {\n}\nd: \"e\nf\"\n", "{\"a\":{\"b\":[1,2],\"c\":{}},\"d\":\"e f\"}" },
		{ "%YAML 1.2\n%TAG !a! x\n---\na: 1\n", "{\"a\":1}" },
		{ "\"<<\": y\n", "{\"<<\":\"y\"}" }, { "'<<': {a: 1}\nb: <<\n", "{\"<<\":{\"a\":1},\"b\":\"<<\"}" },
		{ "a: [\n\t1,\n\t2]\nb: 'x\n\ty'\n", "{\"a\":[1,2],\"b\":\"x y\"}" },
		{ "ä: €\n", "{\"ä\":\"€\"}" }, { "1: x\ntrue: y\n", "{\"1\":\"x\",\"true\":\"y\"}" },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(value_freep) struct value *yaml = NULL, *json = NULL;
		struct diag diag = { 0 };
		if (parse(rows[i].yaml, &yaml, &diag) < 0)
			fail_msg("%s: %s", rows[i].yaml, diag_text(&diag));
		assert_int_equal(json_parse(rows[i].json, strlen(rows[i].json), 0, &json, &diag), 0);
		if (!value_equal(yaml, json))
			fail_msg("not equal: %s", rows[i].yaml);
	}
}

static void yaml_says_where_and_why_it_refuses(void **state)
{
	static const struct {
		const char *text, *where, *part;
	} rows[] = {
		{ "a: 1\nb: 2\na: 3\n", "f.yaml:3:1", "\"a\" must not be repeated" },
		{ "a: {b: 1, b: 2}\n", "f.yaml:1:11", "\"b\" must not be repeated" },
		{ "a: !secret x\n", "f.yaml:1:4", "tags" }, { "a: !!int 5\n", "f.yaml:1:4", "tags" }, { "a: ! 5\n", "f.yaml:1:4", "tags" },
		{ "a: !x [5]\n", "f.yaml:1:4", "tags" }, { "a: ! {}\n", "f.yaml:1:4", "tags" },
		{ "--- 1\n--- 2\n", "f.yaml:2:1", "one document" }, { "? [a]\n: b\n", "f.yaml:1:3", "a key" },
		{ "a: &x 1\n*x : 2\n", "f.yaml:2:1", "alias" }, { "&x a: 1\n", "f.yaml:1:1", "anchor" },
		{ "a: *nope\n", "f.yaml:1:4", "alias" }, { "a: &x [*x]\n", "f.yaml:1:8", "alias" },
		{ "a: \"x\\0y\"\n", "f.yaml:1:4", "U+0000" }, { "a: [1\nb: 2\n", "f.yaml:2:2", "YAML: did not find expected ',' or ']', while parsing a flow sequence that begins at 1:4" },
		{ "a: \"\\ud800\"\n", "f.yaml:1:7", "escape" }, { "a: \"\\U00110000\"\n", "f.yaml:1:7", "escape" },
		{ "a:\n\t- b\n", "f.yaml:2:1", "not with a tab" }, { "a:\n  b: 1\n \tc: 2\n", "f.yaml:3:2", "not with a tab" },
		{ "a:\n  b: x\n\ty: z\n", "f.yaml:3:1", "not with a tab" }, { "ä: |\n  é\n \tx\n", "f.yaml:3:2", "not with a tab" },
		{ "\xef\xbb\xbf" "ä: 1\r\n\tb: 2\r\n", "f.yaml:2:1", "not with a tab" },
		{ "a: [b,\n\t@c]\n", "f.yaml:2:2", "YAML: found character that cannot start any token" },
		{ "a: [\n\t1, }\n", "f.yaml:2:5", "YAML: did not find" },
		{ "a: 1\n<<: {b: 2}\n", "f.yaml:2:1", "merge keys (<<) are not supported; write the keys out" },
		{ "x: &x {b: 2}\na:\n- {<<: *x, c: 3}\n", "f.yaml:3:4", "merge keys" },
		{ "{\"a\": \"\\ud83d\\ude00\",\n \"b\": \"\\ud83dx\"}\n", "f.yaml:2:14", "high surrogate" },
		{ "{\"a\": \"\\ude00\"}\n", "f.yaml:1:14", "low surrogate" }, { "[\"\\ud83d\\ude00\",,]", "f.yaml:1:17", "JSON: a value" },
		{ "{a: 1, b: ]}", "f.yaml:1:11", "YAML: " }, { "{\"a\": 1, \"a\": 2}", "f.yaml:1:10", "\"a\" must not be repeated" },
		{ "a: 'x\n", "f.yaml:2:1", "YAML: found unexpected end of stream, while scanning a quoted scalar that begins at 1:4" },
		{ "ok: 1\na: x\x1bz\n", "f.yaml:2", "YAML: control characters" }, { "ä: @b\n", "f.yaml:1:4", "YAML: " },
		{ "a: [::1]\n", "f.yaml:1:5", "YAML: " },
		{ "a: b: c\n", "f.yaml:1:5", "YAML: " }, { "a: \xff\n", "f.yaml:1", "UTF-8" },
		{ "ok: 1\n\nx: \xed\xa0\x80\n", "f.yaml:3", "UTF-8" },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct value *value = NULL;
		struct diag diag = { 0 };
		int r = parse(rows[i].text, &value, &diag);
		if (r != -EINVAL || !str_starts(diag.where, rows[i].where) || !strstr(diag.message, rows[i].part))
			fail_msg("%s: %d, %s", rows[i].text, r, diag_text(&diag));
	}
}

// JSON is YAML, but libyaml does not take all of it: no pairs of surrogates, no DEL, no keys over 1,024 characters.
static void yaml_takes_all_of_json_with_its_places(void **state)
{
	static const char *const texts[] = { "{\"a\": \"\\ud83d\\ude00\"}", "\xef\xbb\xbf [\"\\uD83D\\uDE00x\"]\n", "[\"\x7f\xc2\x85\xe2\x80\xa8 \xef\xbb\xbf\"]",
		"{\"a\"\n:\n\t1, \"<<\": [true, null, -1.5e3, \"\"]}", " {}" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		CLEANUP(value_freep) struct value *yaml = NULL, *json = NULL;
		struct diag diag = { 0 };
		size_t n_mark = texts[i][0] == '\xef' ? 3 : 0;
		if (parse(texts[i], &yaml, &diag) < 0)
			fail_msg("%s: %s", texts[i], diag_text(&diag));
		assert_int_equal(json_parse(texts[i] + n_mark, strlen(texts[i]) - n_mark, 0, &json, &diag), 0);
		if (!value_equal(yaml, json))
			fail_msg("not equal: %s", texts[i]);
	}
	CLEANUP(value_freep) struct value *value = NULL;
	int64_t number;
	assert_int_equal(parse("{\"a\": 1,\n  \"b\": 7}", &value, NULL), 0);
	const struct value *b = value_find(value, "b");
	assert_int_equal(b->line * 100 + b->column, 208);
	assert_int_equal(b->key_line * 100 + b->key_column, 203);
	assert_string_equal(value_text(b), "7"); // as of any plain scalar
	assert_int_equal(value_int(b, "b", 0, 9, &number, NULL), 0);
}

static void yaml_counts_directives_and_no_other_lines(void **state)
{
	static const char part[] = "# %TAG is said here, and %TAG here\n";
	AUTO_FREE char *text = malloc(300 * strlen(part) + 100);
	CLEANUP(value_freep) struct value *value = NULL;
	struct diag diag = { 0 };

	assert_non_null(text);
	char *end = stpcpy(text, "%YAML 1.1\n");
	for (int i = 0; i < 300; i++)
		end = stpcpy(end, part);
	(void)stpcpy(end, "---\na: |\n  %TAG\n");
	if (parse(text, &value, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	assert_string_equal(value_text(value_find(value, "a")), "%TAG\n");
}

static void yaml_refuses_nul_bytes(void **state)
{
	struct value *value = NULL;

	assert_int_equal(yaml_parse("a: b\0c", 6, 0, "f", &value, NULL), -EINVAL);
}

static void yaml_aliases_do_not_explode(void **state)
{
	char text[4096] = "a0: &a0 [x, x, x, x, x, x, x, x]\n", line[128];
	struct value *value = NULL;
	struct diag diag = { 0 };

	for (int i = 1; i < 12; i++) {
		(void)snprintf(line, sizeof(line), "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1,
			i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1); // always fits
		strcat(text, line);
	}
	assert_int_equal(parse(text, &value, &diag), -E2BIG);
}

static void yaml_nests_64_deep_and_no_deeper(void **state)
{
	char text[2 * 200 + 1] = "";
	struct value *value = NULL;

	memset(text, '[', 60);
	memset(text + 60, ']', 60);
	assert_int_equal(parse(text, &value, NULL), 0);
	value = value_free(value);
	memset(text, '[', 200);
	memset(text + 200, ']', 200);
	assert_int_equal(parse(text, &value, NULL), -EINVAL);
}

// A parser that keeps all of its place in mind takes seconds and a gigabyte.
static void yaml_is_done_with_a_hostile_text_where_it_goes_wrong(void **state)
{
	static const struct {
		const char *part, *message;
	} rows[] = {
		{ "[", "deeper than 64" }, { "[{", "a key must be" }, { "- ", "deeper than 64" }, { "? ", "a key must be" },
		{ "%TAG !a! x\n", "more than 256 %TAG" }, { "%TAG !a! x\r", "more than 256 %TAG" },
		{ "%TAG !a! x\xe2\x80\xa9", "more than 256 %TAG" }, { "[1,", "deeper than 64" }, { "{\"\":", "deeper than 64" },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct value *value = NULL;
		struct diag diag = { 0 };
		size_t n = strlen(rows[i].part), n_text = YAML_MAX_BYTES / n * n;
		AUTO_FREE char *text = malloc(n_text);
		assert_non_null(text);
		for (size_t at = 0; at < n_text; at += n)
			memcpy(text + at, rows[i].part, n);
		assert_int_equal(yaml_parse(text, n_text, 0, "f", &value, &diag), -EINVAL);
		if (!strstr(diag.message, rows[i].message))
			fail_msg("%s: %s", rows[i].part, diag_text(&diag));
	}
}

static void yaml_keeps_to_the_callers_limit(void **state)
{
	struct value *value = NULL;

	assert_int_equal(yaml_parse("a: 1\n", 5, 4, "f", &value, NULL), -E2BIG);
}

static void yaml_remembers_quotes_and_positions(void **state)
{
	CLEANUP(value_freep) struct value *value = NULL;

	assert_int_equal(parse("a: 'no'\nb:\n  c: no\n", &value, NULL), 0);
	const struct value *a = value_find(value, "a"), *c = value_path(value, "b", "c", NULL);
	bool boolean = true;
	assert_true(a->quoted && !a->plain);
	assert_true(!c->quoted && c->plain);
	assert_int_equal(c->line, 3);
	assert_int_equal(c->column, 6);
	assert_int_equal(value_bool(c, "c", &boolean, NULL), 0);
	assert_false(boolean);
	assert_int_equal(value_bool(a, "a", &boolean, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml_becomes_the_same_tree_as_json),
		cmocka_unit_test(yaml_says_where_and_why_it_refuses),
		cmocka_unit_test(yaml_takes_all_of_json_with_its_places),
		cmocka_unit_test(yaml_counts_directives_and_no_other_lines),
		cmocka_unit_test(yaml_refuses_nul_bytes),
		cmocka_unit_test(yaml_aliases_do_not_explode),
		cmocka_unit_test(yaml_nests_64_deep_and_no_deeper),
		cmocka_unit_test(yaml_is_done_with_a_hostile_text_where_it_goes_wrong),
		cmocka_unit_test(yaml_keeps_to_the_callers_limit),
		cmocka_unit_test(yaml_remembers_quotes_and_positions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
