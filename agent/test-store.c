// The secrets of a node: what the region gives, and what comes back from STATE.
// SPDX-License-Identifier: Apache-2.0
#include "agent/root-path.h"
#include "agent/store.h"
#include "base/file.h"
#include "k3s/unpack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int parse(const char *json, struct secrets *ret, struct diag *reterr)
{
	return secrets_parse(json, strlen(json), ret, reterr);
}

static void logins_of_registries_come_back_from_state(void **state)
{
	static const char json[] = "{\"token\":\"K10x::server:s\",\"agentToken\":\"K10x::node:a\",\"pull\":{\"username\":\"u\",\"password\":"
				   "\"p\"},\"registries\":{\"m.example.org:5000\":{\"username\":\"v\",\"password\":\"q\\\"\"}}}";
	char root[] = "/tmp/hearth-test-store-XXXXXX";
	struct secrets secrets CLEANUP(secrets_done) = { 0 }, loaded CLEANUP(secrets_done) = { 0 }, worker CLEANUP(secrets_done) = { 0 };
	assert_non_null(mkdtemp(root));
	assert_int_equal(parse(json, &secrets, NULL), 0);
	assert_int_equal(secrets_save(root, &secrets, NULL), 0);
	assert_int_equal(secrets_load(root, &loaded), 0);
	assert_string_equal(loaded.registries, "{\"m.example.org:5000\":{\"username\":\"v\",\"password\":\"q\\\"\"}}");
	assert_string_equal(loaded.token, "K10x::server:s");
	// the node becomes a worker, without logins: nothing of before stays
	assert_int_equal(parse("{\"agentToken\":\"K10x::node:a\"}", &secrets, NULL), 0);
	assert_int_equal(secrets_save(root, &secrets, NULL), 0);
	assert_int_equal(secrets_load(root, &worker), 0);
	assert_null(worker.token);
	assert_null(worker.registries);
	assert_int_equal(unpack_remove(root), 0);
}

// People's own secrets come along with a server's: 64 KiB each, and there may be several.
static void what_people_stored_does_not_hide_the_tokens(void **state)
{
	char *long_text AUTO_FREE = calloc(1, (64 << 10) + 1);
	struct secrets secrets CLEANUP(secrets_done) = { 0 };
	memset(long_text, 'x', 64 << 10);
	char *json AUTO_FREE = str_format("{\"token\":\"t\",\"agentToken\":\"a\",\"user\":{\"one\":\"%s\",\"two\":\"%s\"}}", long_text, long_text);
	assert_int_equal(parse(json, &secrets, NULL), 0);
	assert_string_equal(secrets.token, "t");
}

static void wrong_secrets_are_refused_without_their_value(void **state)
{
	static const char *const rows[] = { "[", "{}", "{\"agentToken\":\"\"}", "{\"agentToken\":\"hush\\nhush\"}",
		"{\"agentToken\":\"a\",\"registries\":[]}", "{\"agentToken\":\"a\",\"registries\":{\"m\":{\"username\":\"hush\"}}}",
		"{\"agentToken\":\"a\",\"registries\":{\"m\":{\"username\":\"u\",\"password\":\"hush\\nhush\"}}}",
		"{\"agentToken\":\"a\",\"registries\":{\"m\":\"hush\"}}" };
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct secrets secrets = { 0 };
		struct diag diag = { 0 };
		assert_true(parse(rows[i], &secrets, &diag) < 0);
		assert_true(diag.message[0] && !strstr(diag_text(&diag), "hush"));
		assert_null(secrets.agent_token);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logins_of_registries_come_back_from_state),
		cmocka_unit_test(what_people_stored_does_not_hide_the_tokens),
		cmocka_unit_test(wrong_secrets_are_refused_without_their_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
