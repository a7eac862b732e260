// What registries send: challenges and manifests.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/oci-pull.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void challenges_are_read(void **state)
{
	struct oci_challenge got;

	assert_int_equal(oci_challenge_parse("Bearer realm=\"https://auth.example.org/token\",service=\"registry\","
					     "scope=\"repository:a/b:pull\"",
				 &got),
		0);
	assert_string_equal(got.realm, "https://auth.example.org/token");
	assert_string_equal(got.service, "registry");
	assert_string_equal(got.scope, "repository:a/b:pull");
	assert_int_equal(oci_challenge_parse("bearer  Realm=https://x/t , error=\"invalid_token\"", &got), 0);
	assert_string_equal(got.realm, "https://x/t");
	assert_string_equal(got.service, "");
}

static void other_challenges_are_refused(void **state)
{
	static const char *const rows[] = {"", "Basic realm=\"x\"", "Bearer", "Bearer service=\"x\"", "Bearer realm=\"x",
		"Bearer realm", "Bearerrealm=\"x\"", "Bearer realm=\"a b\"", "Bearer =x", "Bearer realm=\"\""};
	char longer[700] = "Bearer realm=\"";
	struct oci_challenge got;

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_int_equal(oci_challenge_parse(rows[i], &got), -EINVAL);
	memset(longer + strlen(longer), 'a', 600);
	longer[650] = '"';
	longer[651] = '\0';
	assert_int_equal(oci_challenge_parse(longer, &got), -EINVAL);
}

#define D "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void manifests_are_read(void **state)
{
	static const char text[] =
		"{\"schemaVersion\":2,\"artifactType\":\"a/b\",\"config\":{\"mediaType\":\"c/d\"},\"layers\":[{\"mediaType\":"
		"\"e/f\",\"digest\":\"" D "\",\"size\":7,\"annotations\":{\"k\":\"v\"}},{\"mediaType\":\"g\",\"digest\":\"" D
		"\",\"size\":0}]}";
	struct oci_manifest got;

	assert_int_equal(oci_manifest_parse(text, strlen(text), &got, NULL), 0);
	assert_string_equal(got.artifact_type, "a/b");
	assert_string_equal(got.config_type, "c/d");
	assert_int_equal(got.n_layers, 2);
	assert_string_equal(got.layers[0].media_type, "e/f");
	assert_int_equal(got.layers[0].size, 7);
	assert_string_equal(value_text(value_find(got.layers[0].annotations, "k")), "v");
	assert_null(got.layers[1].annotations);
	oci_manifest_done(&got);
}

static void bad_manifests_are_refused(void **state)
{
	static const char *const rows[] = {"", "{}", "[]", "{\"layers\":{}}", "{\"layers\":[{}]}",
		"{\"layers\":[{\"mediaType\":\"a\",\"digest\":\"sha256:x\",\"size\":1}]}",
		"{\"layers\":[{\"mediaType\":\"a\",\"digest\":\"" D "\",\"size\":-1}]}",
		"{\"layers\":[{\"mediaType\":\"a\",\"digest\":\"" D "\"}]}",
		"{\"layers\":[{\"digest\":\"" D "\",\"size\":1}]}"};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct oci_manifest got;
		struct diag diag = {0};

		assert_int_equal(oci_manifest_parse(rows[i], strlen(rows[i]), &got, &diag), -EBADMSG);
		assert_true(*diag.message);
	}
}

static void the_next_page_stays_with_the_registry(void **state)
{
	static const struct {
		const char *header, *next;
	} rows[] = {
		{"</v2/a/referrers/" D "?last=1>; rel=\"next\"", "/v2/a/referrers/" D "?last=1"},
		{"<https://r:1/v2/a/referrers/x>; rel=next", "/v2/a/referrers/x"},
		{"</v2/a/referrers/1>; rel=\"prev\", </v2/a/referrers/2>; rel=\"next\"", "/v2/a/referrers/2"},
		{"<https://evil/v2/a/referrers/x>; rel=next", NULL},
		{"</v2/b/referrers/x>; rel=next", NULL},
		{"</v2/a/referrers/../../b>; rel=next", NULL},
		{"</v2/a/referrers/x y>; rel=next", NULL},
		{"</v2/a/referrers/x>; rel=prev", NULL},
		{"</v2/a/referrers/x", NULL},
		{"", NULL},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *next AUTO_FREE = oci_link_next(rows[i].header, "https://r:1", "/v2/a/referrers/");

		if (rows[i].next)
			assert_string_equal(next, rows[i].next);
		else
			assert_null(next);
	}
}

static void retry_after_is_seconds_or_a_date(void **state)
{
	static const struct {
		const char *header;
		unsigned sec;
	} rows[] = {{"30", 30}, {"0", 0}, {"", 0}, {"soon", 0}, {"-1", 0}, {"1.5", 0}, {"99999999999999999999", 600},
		{"Thu, 01 Jan 1970 00:01:40 GMT", 60}, {"Thu, 01 Jan 1970 00:00:10 GMT", 0}, {"Thu, 01 Jan 2070 00:00:00 GMT", 600},
		{"Thu, 01 Jan 1970 00:01:40 GMT+1", 0}};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_int_equal(oci_retry_after(rows[i].header, 40), rows[i].sec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(challenges_are_read),
		cmocka_unit_test(other_challenges_are_refused),
		cmocka_unit_test(manifests_are_read),
		cmocka_unit_test(bad_manifests_are_refused),
		cmocka_unit_test(the_next_page_stays_with_the_registry),
		cmocka_unit_test(retry_after_is_seconds_or_a_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
