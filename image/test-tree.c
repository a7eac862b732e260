// Trees that are made of parsed ones.
// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"
#include "image/tree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char text[] = "a:\n  bee: 1\n  list: [{dee: x}]\n";
static const char *const known[] = { "bee2", NULL };

static struct value *parsed(const char *yaml)
{
	struct value *value = NULL;

	assert_int_equal(yaml_parse(yaml, strlen(yaml), 0, "f", &value, NULL), 0);
	return value;
}

// A decoder that reads a copy must still be able to say where.
static void assert_places(const struct value *root)
{
	struct diag diag = { 0 };
	const struct value *list = tree_find(root, "a.list");

	assert_int_equal(value_only_keys(tree_find(root, "a"), "a", known, &diag), -EINVAL);
	assert_string_equal(diag.where, "2:3");
	assert_int_equal(value_only_keys(&list->items[0], "a.list", known, &diag), -EINVAL);
	assert_string_equal(diag.where, "3:11");
	assert_int_equal(value_only_keys(list, "a.list", known, &diag), -EINVAL);
	assert_string_equal(diag.where, "3:9");
}

static void copies_know_where_they_and_their_keys_stood(void **state)
{
	CLEANUP(value_freep) struct value *from = parsed(text), *copy = tree_new(VALUE_NULL), *put = tree_new(VALUE_OBJECT),
		*merged = parsed("z: 1\n"), *replaced = parsed("\n\n\na: scalar\n");

	assert_places(from);
	assert_int_equal(tree_copy(from, copy), 0);
	assert_places(copy);
	assert_int_equal(tree_put_copy(put, tree_find(from, "a"), "a", NULL), 0);
	assert_places(put);
	assert_int_equal(tree_merge(merged, from), 0);
	assert_places(merged);
	assert_int_equal(tree_merge(replaced, from), 0);
	assert_places(replaced);
}

// What YAML refuses as it stands, or takes for the end of a line, is written by its number.
static void any_text_is_read_again_as_it_was(void **state)
{
	static const char *const texts[] = { "a\nb\n", "a \nb\n", "a\tb\n", " a\n", "\na\n", "a\n\n", "- a\n# b\n", "<<", "é😀\n", "x\x7fy\n",
		"x\xc2\x80y\n", "x\xc2\x85y\n", "x\xc2\x9fy\n", "x\xe2\x80\xa8y\n", "x\xe2\x80\xa9y\n", "a\nx\xef\xbb\xbfy\n", "x\xef\xbf\xbey\n",
		"x\xef\xbf\xbfy\n" };

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		CLEANUP(value_freep) struct value *root = tree_new(VALUE_OBJECT), *again = NULL;
		struct diag diag = { 0 };
		assert_int_equal(tree_put(root, VALUE_STRING, texts[i], "a", "b", NULL), 0);
		assert_int_equal(tree_put(root, VALUE_STRING, texts[i], texts[i], NULL), 0);
		AUTO_FREE char *yaml = tree_to_yaml(root);
		assert_non_null(yaml);
		if (yaml_parse(yaml, strlen(yaml), 0, "f", &again, &diag) < 0)
			fail_msg("text %zu: %s\n%s", i, diag_text(&diag), yaml);
		if (!value_equal(root, again))
			fail_msg("text %zu became another one:\n%s", i, yaml);
	}
	CLEANUP(value_freep) struct value *block = tree_new(VALUE_OBJECT);
	assert_int_equal(tree_put(block, VALUE_STRING, "é\nb\n", "a", NULL), 0);
	AUTO_FREE char *yaml = tree_to_yaml(block);
	assert_string_equal(yaml, "a: |\n  é\n  b\n"); // what people can read stays so
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_text_is_read_again_as_it_was),
		cmocka_unit_test(copies_know_where_they_and_their_keys_stood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
