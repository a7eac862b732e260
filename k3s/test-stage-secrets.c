// Region secrets in a stage, and what a HelmChart's stage waits for.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "base/manifest.h"
#include "k3s/stage-secrets.h"
#include "k3s/stage-waits.h"
#include "k3s/substitute.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SECRET(data) "apiVersion: v1\nkind: Secret\nmetadata:\n  name: git\n  namespace: flux-system\nstringData:\n" data

static struct value *secrets_of(const char *json)
{
	struct value *secrets = NULL;

	assert_int_equal(json_parse(json, strlen(json), 0, &secrets, NULL), 0);
	return secrets;
}

// As a stage goes: guarded, substituted, filled in.
static int lay(const char *text, const struct value *secrets, char **ret, struct diag *diag)
{
	struct value *variables CLEANUP(value_freep) = secrets_of("{\"WHO\":\"me\",\"secret\":\"trap\"}");
	char *guarded AUTO_FREE = stage_secrets_guard(text), *substituted AUTO_FREE = NULL;

	assert_int_equal(substitute_manifest(guarded, strlen(guarded), "x.yaml", variables, &substituted, NULL), 0);
	return stage_secrets_fill(substituted, "40-secrets/a.yaml", secrets, ret, diag);
}

static void a_value_is_taken_as_it_is(void **state)
{
	static const char json[] = "{\"token\":\"a\\\"b\\\\c\\nd: ${WHO} $$ ---\\n\",\"user\":\"git\"}";
	struct value *secrets CLEANUP(value_freep) = secrets_of(json);
	struct manifest *manifest CLEANUP(manifest_freep) = NULL;
	char *text AUTO_FREE = NULL;
	const struct value *data;

	assert_int_equal(lay("apiVersion: v1\nkind: Namespace\nmetadata: {name: \"${WHO}\"}\n---\n" SECRET(
				     "  password: ${secret:token}\n  both: \"${secret:user}:${secret:token}\"\n  plain: ${WHO}\n"),
				 secrets, &text, NULL), 0);
	assert_int_equal(manifest_parse(text, strlen(text), "laid", &manifest, NULL), 0);
	assert_int_equal(manifest->n, 2);
	assert_string_equal(manifest->objects[0].name, "me");
	data = value_find(manifest->objects[1].document, "stringData");
	assert_string_equal(value_text(value_find(data, "password")), "a\"b\\c\nd: ${WHO} $$ ---\n");
	assert_string_equal(value_text(value_find(data, "both")), "git:a\"b\\c\nd: ${WHO} $$ ---\n");
	assert_string_equal(value_text(value_find(data, "plain")), "me");
}

static void a_missing_one_is_one_sentence(void **state)
{
	struct value *secrets CLEANUP(value_freep) = secrets_of("{\"other\":\"hush\"}");
	struct diag diag = {0};
	char *text = NULL;

	assert_int_equal(lay(SECRET("  a: ${secret:other}\n  b: ${secret:git-token}\n"), secrets, &text, &diag), -ENOKEY);
	assert_string_equal(diag_text(&diag),
		"secret git-token is not set at the region: hearth-region secret set git-token");
	assert_int_equal(lay(SECRET("  b: ${secret:git-token}\n"), NULL, &text, &diag), -ENOKEY);
}

static void it_stands_nowhere_else(void **state)
{
	static const char *const rows[] = {
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nstringData:\n  a: ${secret:t}\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  a: ${secret:t}\n",
		"apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n  labels:\n    b: ${secret:t}\n",
		"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n\"${secret:t}\": x\n",
		SECRET("  a: \"${secret:t\"\n"),
	};
	struct value *secrets CLEANUP(value_freep) = secrets_of("{\"t\":\"hush\"}");

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct diag diag = {0};
		char *text = NULL;

		assert_int_equal(lay(rows[i], secrets, &text, &diag), -EINVAL);
		assert_null(strstr(diag_text(&diag), "hush"));
	}
}

static void what_only_looks_like_one_is_left(void **state)
{
	assert_true(stage_secrets_in("a: ${secret:t}"));
	assert_false(stage_secrets_in("a: ${secret:-t}"));  // a default
	assert_false(stage_secrets_in("a: ${secret:3}"));   // a substring
	assert_false(stage_secrets_in("a: $${secret:t}"));  // escaped
	assert_false(stage_secrets_in("a: ${secrets:t}"));
}

static struct manifest *waits_of(const char *annotation, int *ret_error, struct diag *diag)
{
	char *text AUTO_FREE = str_format("apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata:\n  name: cilium\n"
					  "  annotations:\n    hearth.openova.io/waits-for: \"%s\"\n", annotation);
	struct manifest *manifest CLEANUP(manifest_freep) = NULL, *waits = NULL;

	assert_int_equal(manifest_parse(text, strlen(text), "chart", &manifest, NULL), 0);
	*ret_error = stage_waits_parse(&manifest->objects[0], &waits, diag);
	return waits;
}

static void a_chart_names_what_it_brings(void **state)
{
	struct diag diag = {0};
	int error;
	struct manifest *waits CLEANUP(manifest_freep) = waits_of(
		"batch/v1 Job kube-system/helm-install-cilium, apps/v1 DaemonSet kube-system/cilium", &error, &diag);

	assert_int_equal(error, 0);
	assert_int_equal(waits->n, 2);
	assert_string_equal(waits->objects[0].api_version, "batch/v1");
	assert_string_equal(waits->objects[0].name, "helm-install-cilium");
	assert_string_equal(waits->objects[1].kind, "DaemonSet");
	assert_string_equal(waits->objects[1].namespace, "kube-system");
	assert_null(waits_of("apps/v1 DaemonSet cilium", &error, &diag));
	assert_int_equal(error, -EINVAL);
	assert_non_null(strstr(diag_text(&diag), "NAMESPACE/NAME"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_taken_as_it_is),
		cmocka_unit_test(a_missing_one_is_one_sentence),
		cmocka_unit_test(it_stands_nowhere_else),
		cmocka_unit_test(what_only_looks_like_one_is_left),
		cmocka_unit_test(a_chart_names_what_it_brings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
