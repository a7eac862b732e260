// The substitution language, row by row, and which documents it leaves alone.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "k3s/substitute.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char variables_json[] =
	"{\"NAME\":\"abcABC123ABCabc\",\"DOMAIN\":\"example.org\",\"EMPTY\":\"\",\"PATH_NAME\":\"/home/bozo/ideas/thoughts\","
	"\"FILE\":\"bash.string.txt\",\"LINES\":\"a\\nb\\n\",\"NUMBER\":3,\"YES\":true,\"SLASHED\":\"foo/bar/baz\","
	"\"UPPER\":\"ABC\",\"WORD\":\"word\",\"_x1\":\"under\"}";

static struct value *variables_make(void)
{
	struct value *value = NULL;

	assert_int_equal(json_parse(variables_json, strlen(variables_json), 0, &value, NULL), 0);
	return value;
}

static void expressions_become_what_flux_makes_of_them(void **state)
{
	static const char *const rows[][2] = {
		{"plain", "plain"},
		{"", ""},
		{"${DOMAIN}", "example.org"},
		{"x-${DOMAIN}-y", "x-example.org-y"},
		{"$DOMAIN stays", "$DOMAIN stays"},
		{"$", "$"},
		{"cost: 5$ or $5", "cost: 5$ or $5"},
		{"$${DOMAIN}", "${DOMAIN}"},
		{"$$DOMAIN", "$DOMAIN"},
		{"$$$", "$$"},
		{"$$$$", "$$"},
		{"$$${DOMAIN}", "$example.org"},
		{"${UNKNOWN}", ""},
		{"${UNKNOWN:-fallback}", "fallback"},
		{"${UNKNOWN:=fallback}", "fallback"},
		{"${UNKNOWN=fallback}", "fallback"},
		{"${EMPTY:-fallback}", "fallback"},
		{"${DOMAIN:-fallback}", "example.org"},
		{"${UNKNOWN:-}", ""},
		{"${UNKNOWN:-a b: {c}", "a b: {c"},
		{"${UNKNOWN:=${DOMAIN}}", "example.org"},
		{"${UNKNOWN:-pre${DOMAIN}-post}", "preexample.org-post"},
		{"something $${var=${DOMAIN}}", "something ${var=example.org}"},
		{"${#UPPER}", "3"},
		{"${#UNKNOWN}", "0"},
		{"${WORD^}", "Word"},
		{"${WORD^^}", "WORD"},
		{"${UPPER,}", "aBC"},
		{"${UPPER,,}", "abc"},
		{"${UPPER,^}", "ABC"},
		{"${PATH_NAME:11}", "ideas/thoughts"},
		{"${PATH_NAME:11:5}", "ideas"},
		{"${WORD:1:-1}", "or"},
		{"${WORD:-9}", "word"}, // a default, not a position
		{"${WORD:9}", ""},
		{"${WORD:2:99}", "rd"},
		{"${WORD:x}", "word"},
		{"${WORD: -3}", "word"},
		{"${NAME/%abc/XYZ}", "abcABC123ABCXYZ"},
		{"${NAME/#abc/XYZ}", "XYZABC123ABCabc"},
		{"${WORD/#/pre-}", "pre-word"},
		{"${WORD/%/-post}", "word-post"},
		{"${NAME//abc/x}", "xABC123ABCx"},
		{"${NAME/abc/x}", "xABC123ABCabc"},
		{"${FILE/./}", "bashstring.txt"},
		{"${WORD///-}", "-w-o-r-d-"},
		{"${SLASHED/\\//-}", "foo-bar/baz"},
		{"${SLASHED//\\//-}", "foo-bar-baz"},
		{"${FILE#*.}", "string.txt"},
		{"${FILE##*.}", "txt"},
		{"${FILE%.*}", "bash.string"},
		{"${FILE%%.*}", "bash"},
		{"${PATH_NAME##*/}", "thoughts"},
		{"${PATH_NAME#*/}", "home/bozo/ideas/thoughts"},
		{"${FILE#[a-c]?}", "sh.string.txt"},
		{"${FILE#[}", "bash.string.txt"},
		{"${FILE#zzz}", "bash.string.txt"},
		{"${LINES}", "ab"},
		{"${NUMBER} ${YES}", "3 true"},
		{"${_x1}", "under"},
		{"\\\\something ${WORD}", "\\\\something word"},
		{"two\nlines ${WORD}\n", "two\nlines word\n"},
	};
	struct value *variables CLEANUP(value_freep) = variables_make();

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *text AUTO_FREE = NULL;
		struct diag diag = {0};

		if (substitute_text(rows[i][0], strlen(rows[i][0]), variables, &text, &diag) < 0)
			fail_msg("%s: %s", rows[i][0], diag_text(&diag));
		if (!str_equal(text, rows[i][1]))
			fail_msg("%s became %s, not %s", rows[i][0], text, rows[i][1]);
	}
}

static void bad_expressions_name_their_line(void **state)
{
	static const struct {
		const char *text, *where;
	} rows[] = {
		{"${", "line 1"}, {"a\n${}", "line 2"}, {"${DOMAIN", "line 1"}, {"${DOMAIN-x}", "line 1"},
		{"${DOMAIN:-x", "line 1"}, {"${DOMAIN/x}", "line 1"}, {"\n\n${ DOMAIN}", "line 3"}, {"${#}", "line 1"},
		{"${DOMAIN#}", "line 1"}, {"${DOMAIN^^", "line 1"}, {"${a.b}", "line 1"},
		{"${a:-${a:-${a:-${a:-${a:-${a:-${a:-${a:-${a:-${a:-${a:-${a:-${a:-${a:-${a:-${a:-${a:-x}}}}}}}}}}}}}}}}}",
			"line 1"},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct diag diag = {0};
		char *text = NULL;

		if (substitute_text(rows[i].text, strlen(rows[i].text), NULL, &text, &diag) != -EINVAL)
			fail_msg("%s was taken", rows[i].text);
		assert_string_equal(diag.where, rows[i].where);
	}
}

static void documents_can_switch_it_off(void **state)
{
	static const char text[] = "# head\nkind: A\nhost: ${DOMAIN}\n---\nkind: B\nmetadata:\n  annotations:\n"
				   "    kustomize.toolkit.fluxcd.io/substitute: disabled\nhost: ${DOMAIN}\n--- # C\nkind: C\n"
				   "metadata: {labels: {kustomize.toolkit.fluxcd.io/substitute: disabled}}\nhost: ${DOMAIN}\n"
				   "---\nkind: D\nmetadata: {labels: {kustomize.toolkit.fluxcd.io/substitute: enabled}}\n"
				   "host: \"${DOMAIN}\"\n";
	static const char want[] = "# head\nkind: A\nhost: example.org\n---\nkind: B\nmetadata:\n  annotations:\n"
				   "    kustomize.toolkit.fluxcd.io/substitute: disabled\nhost: ${DOMAIN}\n--- # C\nkind: C\n"
				   "metadata: {labels: {kustomize.toolkit.fluxcd.io/substitute: disabled}}\nhost: ${DOMAIN}\n"
				   "---\nkind: D\nmetadata: {labels: {kustomize.toolkit.fluxcd.io/substitute: enabled}}\n"
				   "host: \"example.org\"\n";
	struct value *variables CLEANUP(value_freep) = variables_make();
	char *got AUTO_FREE = NULL;

	assert_int_equal(substitute_manifest(text, strlen(text), "x.yaml", variables, &got, NULL), 0);
	assert_string_equal(got, want);
}

static void errors_name_file_document_and_line(void **state)
{
	static const struct {
		const char *text, *where;
	} rows[] = {{"a: 1\n---\nb: [\n", "20-cni/x.yaml (document 2):"}, {"a: 1\n---\nb: 2\nc: ${\n", "20-cni/x.yaml (document 2):"}};
	struct value *variables CLEANUP(value_freep) = variables_make();

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct diag diag = {0};
		char *got AUTO_FREE = NULL;

		assert_int_equal(substitute_manifest(rows[i].text, strlen(rows[i].text), "20-cni/x.yaml", variables, &got, &diag), -EINVAL);
		assert_memory_equal(diag.where, rows[i].where, strlen(rows[i].where));
	}
}

static void without_variables_nothing_is_touched(void **state)
{
	static const char text[] = "a: $${X} ${Y:-z} ${\n";
	char *got AUTO_FREE = NULL;

	assert_int_equal(substitute_manifest(text, strlen(text), "x.yaml", NULL, &got, NULL), 0);
	assert_string_equal(got, text);
}

static void names_follow_flux_rule(void **state)
{
	static const struct {
		const char *json;
		int r;
	} rows[] = {{"{\"A_b1\":\"x\"}", 0}, {"{\"1a\":\"x\"}", -EINVAL}, {"{\"a-b\":\"x\"}", -EINVAL}, {"{\"\":\"x\"}", -EINVAL},
		{"{\"a\":{}}", -EINVAL}, {"[]", -EINVAL}, {"null", 0}};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct value *value CLEANUP(value_freep) = NULL;

		assert_int_equal(json_parse(rows[i].json, strlen(rows[i].json), 0, &value, NULL), 0);
		assert_int_equal(substitute_check_variables(value, NULL), rows[i].r);
	}
}

static void a_text_cannot_grow_without_end(void **state)
{
	static const char step[] = "${X//a/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}";
	struct value *variables CLEANUP(value_freep) = NULL;
	char *json AUTO_FREE = NULL, *text AUTO_FREE = malloc(sizeof(step) * 300), *got = NULL;
	char *as AUTO_FREE = malloc(1001);

	memset(as, 'a', 1000);
	as[1000] = '\0';
	json = str_format("{\"X\":\"%s\"}", as);
	assert_int_equal(json_parse(json, strlen(json), 0, &variables, NULL), 0);
	for (size_t i = 0; i < 300; i++)
		memcpy(text + i * (sizeof(step) - 1), step, sizeof(step));
	assert_int_equal(substitute_text(text, strlen(text), variables, &got, NULL), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions_become_what_flux_makes_of_them),
		cmocka_unit_test(bad_expressions_name_their_line),
		cmocka_unit_test(documents_can_switch_it_off),
		cmocka_unit_test(errors_name_file_document_and_line), cmocka_unit_test(without_variables_nothing_is_touched),
		cmocka_unit_test(names_follow_flux_rule),
		cmocka_unit_test(a_text_cannot_grow_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
