// What people store with `secret set`: the limits that nodes have, held where a person can still
// read the sentence. SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "region/registry-secret.h"
#include "region/test-folder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char config_text[] =
	"{provider: hetzner, region: fsn, buildingBlock: rtz, envType: prod, domain: example.org, "
	"urls: ['https://10.0.2.2:7443'], registries: {configs: {m.example.org: {secret: login}}}}";
static struct test_folder folder;
static struct region region;

static int set_up(void **state)
{
	return test_region_make(&folder, config_text, &region);
}

static int tear_down(void **state)
{
	return test_region_remove(&folder, &region);
}

static char *text_of(size_t n, const char *head)
{
	char *text = calloc(1, n + 1);
	assert_non_null(text);
	memset(text, 'x', n);
	memcpy(text, head, strlen(head));
	return text;
}

static void a_login_is_one_that_nodes_keep(void **state)
{
	AUTO_FREE char *longest = text_of(LOGIN_MAX, "u:"), *longer = text_of(LOGIN_MAX + 1, "u:");
	struct diag diag = { 0 };
	assert_int_equal(registry_secret_check(region.config, "login", longest, &diag), 0);
	assert_int_equal(registry_secret_check(region.config, "other", longer, &diag), 0);
	assert_int_equal(registry_secret_check(region.config, "login", longer, &diag), -EINVAL);
	assert_non_null(strstr(diag_text(&diag), "at most 16 KiB"));
	assert_int_equal(registry_secret_check(region.config, "login", "u", &diag), -EINVAL);
}

static void a_login_that_is_none_is_not_told(void **state)
{
	AUTO_FREE char *longer = text_of(LOGIN_MAX + 1, "u:");
	struct json_out out = { 0 };
	assert_int_equal(region_secret_put(&region, "user/login", longer), 0); // of an older region
	json_out_object_begin(&out);
	assert_int_equal(registry_secrets_put(&region, &out), 0);
	json_out_object_end(&out);
	AUTO_FREE char *told = json_out_take(&out);
	assert_string_equal(told, "{\"registries\":{}}");
}

static void all_secrets_fit_into_one_answer(void **state)
{
	AUTO_FREE char *most = text_of((64 << 10) - 2, "");
	struct diag diag = { 0 };
	for (int i = 0; i < 7; i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "user/s%d", i);
		assert_int_equal(region_secret_put(&region, name, most), 0);
	}
	assert_int_equal(user_secrets_check(&region, "s7", most, &diag), 0);
	assert_int_equal(region_secret_put(&region, "user/s7", most), 0);
	assert_int_equal(user_secrets_check(&region, "s7", most, &diag), 0); // instead of itself
	assert_int_equal(user_secrets_check(&region, "s8", "x", &diag), -E2BIG);
	assert_non_null(strstr(diag_text(&diag), "at most 512 KiB"));
	assert_int_equal(secret_told_bytes("a\"\n"), 7); // lines and quotes take more room there
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_login_is_one_that_nodes_keep, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_login_that_is_none_is_not_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_secrets_fit_into_one_answer, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
