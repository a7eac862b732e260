// What people stored at the region, on its way to the bootstrap.
// SPDX-License-Identifier: Apache-2.0
#include "agent/user-secrets.h"
#include "base/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

static void they_survive_a_restart_and_nobody_else_reads_them(void **state)
{
	static const char json[] = "{\"agentToken\":\"t\",\"user\":{\"git-token\":\"s3cret\\n\\\"${x}\"}}";
	char root[] = "/tmp/test-user-secrets-XXXXXX", *path AUTO_FREE = NULL;
	struct value *secrets = NULL, *again = NULL;
	struct stat st;
	assert_non_null(mkdtemp(root));
	assert_int_equal(user_secrets_load(root, &again), -ENOENT);
	assert_int_equal(user_secrets_parse(json, strlen(json), &secrets, NULL), 0);
	assert_string_equal(value_text(value_find(secrets, "git-token")), "s3cret\n\"${x}");
	assert_int_equal(user_secrets_save(root, secrets, NULL), 0);
	assert_int_equal(user_secrets_load(root, &again), 0);
	assert_true(value_equal(secrets, again));
	path = str_format("%s/state/hearth/secrets/user", root);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	user_secrets_free(secrets);
	user_secrets_free(again);
	char *remove_all AUTO_FREE = str_format("rm -r %s", root);
	assert_int_equal(system(remove_all), 0);
}

static void what_is_no_object_of_texts_is_refused_without_being_shown(void **state)
{
	static const char *const rows[] = { "{\"user\":\"hush\"}", "{\"user\":{\"a\":7}}", "{\"user\":{\"a\":\"hush\"}", "[" };
	struct value *secrets = NULL;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct diag diag = { 0 };
		assert_true(user_secrets_parse(rows[i], strlen(rows[i]), &secrets, &diag) < 0);
		assert_null(strstr(diag_text(&diag), "hush"));
	}
	assert_int_equal(user_secrets_parse("{}", 2, &secrets, NULL), 0); // a worker's answer
	assert_int_equal(secrets->n, 0);
	user_secrets_free(secrets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_survive_a_restart_and_nobody_else_reads_them),
		cmocka_unit_test(what_is_no_object_of_texts_is_refused_without_being_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
