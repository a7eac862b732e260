// Splitting and reading manifest files.
// SPDX-License-Identifier: Apache-2.0
#include "base/manifest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void texts_split_at_separator_lines_only(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		const char *documents[4];
	} rows[] = {
		{"", 0, {NULL}},
		{"a: 1", 1, {"a: 1"}},
		{"a: 1\n---\nb: 2\n", 2, {"a: 1\n", "\nb: 2\n"}},
		{"---\na: 1\n", 1, {"\na: 1\n"}},
		{"---\n---\n", 2, {"\n", "\n"}},
		{"a: |\n  ---\n  x\n", 1, {"a: |\n  ---\n  x\n"}},
		{"a: 1\n----\n", 1, {"a: 1\n----\n"}},
		{"a: 1\n--- # note\nb: 2", 2, {"a: 1\n", " # note\nb: 2"}},
		{"a: 1\r\n---\r\nb: 2\r\n", 2, {"a: 1\r\n", "\r\nb: 2\r\n"}},
		{"a: 1\n---", 2, {"a: 1\n", ""}},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		size_t cursor = 0, n_document, n = 0;
		const char *document;

		while (manifest_split(rows[i].text, strlen(rows[i].text), &cursor, &document, &n_document) > 0) {
			assert_true(n < rows[i].n);
			assert_int_equal(n_document, strlen(rows[i].documents[n]));
			assert_memory_equal(document, rows[i].documents[n], n_document);
			n++;
		}
		assert_int_equal(n, rows[i].n);
	}
}

static void objects_have_kind_name_and_namespace(void **state)
{
	static const char text[] = "# only a comment\n---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: site\n---\n"
				   "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: site}\n---\n";
	struct manifest *manifest CLEANUP(manifest_freep) = NULL;

	assert_int_equal(manifest_parse(text, strlen(text), "x.yaml", &manifest, NULL), 0);
	assert_int_equal(manifest->n, 2);
	assert_string_equal(manifest->objects[0].kind, "Namespace");
	assert_null(manifest->objects[0].namespace);
	assert_string_equal(manifest->objects[1].api_version, "apps/v1");
	assert_string_equal(manifest->objects[1].name, "web");
	assert_string_equal(manifest->objects[1].namespace, "site");
}

static void what_is_no_object_is_refused(void **state)
{
	static const char *const rows[] = {"a: 1\n", "[]\n", "text\n", "kind: X\n", "apiVersion: v1\nkind: X\n",
		"apiVersion: v1\nkind: PodList\nitems: []\n", "apiVersion: v1\nkind: X\nmetadata: {name: ''}\n", "{\n"};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct manifest *manifest = NULL;
		struct diag diag = {0};

		if (manifest_parse(rows[i], strlen(rows[i]), "x.yaml", &manifest, &diag) >= 0)
			fail_msg("%s was taken", rows[i]);
		assert_non_null(strstr(diag.where, "x.yaml (document 1)"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_split_at_separator_lines_only),
		cmocka_unit_test(objects_have_kind_name_and_namespace),
		cmocka_unit_test(what_is_no_object_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
