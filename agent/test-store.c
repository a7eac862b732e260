// The secrets of a node: what the region gives, and what comes back from STATE.
// SPDX-License-Identifier: Apache-2.0
#include "agent/root-path.h"
#include "agent/store.h"
#include "base/file.h"
#include "base/json.h"
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

// The seed that named the proxy may be on a stick that nobody has any more.
static void the_way_to_the_region_survives_a_reboot(void **state)
{
	static const char json[] = "{\"urls\":[\"https://r:7443\"],\"heardMsec\":1,\"proxy\":\"http://u:hush@p:3128\"}";
	char root[] = "/tmp/hearth-test-store-XXXXXX";
	struct region_record record CLEANUP(region_record_done) = { 0 }, loaded CLEANUP(region_record_done) = { 0 }, bad = { 0 };
	struct diag diag = { 0 };
	assert_non_null(mkdtemp(root));
	assert_int_equal(region_record_parse(json, strlen(json), &record, NULL), 0);
	assert_int_equal(file_make_folders(root_path(root, "/state/hearth").text, 0700), 0);
	assert_int_equal(region_record_save(root, &record, NULL), 0);
	assert_int_equal(region_record_load(root, &loaded), 0);
	assert_string_equal(loaded.proxy, "http://u:hush@p:3128");
	static const char wrong[] = "{\"urls\":[\"https://r:7443\"],\"heardMsec\":1,\"proxy\":\"http://u:hush@p\"}";
	assert_int_equal(region_record_parse(wrong, strlen(wrong), &bad, &diag), -EINVAL);
	assert_null(strstr(diag_text(&diag), "hush"));
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
		"{\"agentToken\":\"a\",\"pull\":{\"username\":\"u\",\"password\":\"hush\\nhush\"}}" };
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct secrets secrets = { 0 };
		struct diag diag = { 0 };
		assert_true(parse(rows[i], &secrets, &diag) < 0);
		assert_true(diag.message[0] && !strstr(diag_text(&diag), "hush"));
		assert_null(secrets.agent_token);
	}
}

// The region takes secrets of people as they are: one wrong login must not keep a server without its tokens.
static void a_wrong_login_is_left_out_alone(void **state)
{
	static const char *const rows[] = { "[]", "{\"m\":{\"username\":\"hush\"}}",
		"{\"m\":{\"username\":\"u\",\"password\":\"hush\\nhush\"}}", "{\"m\":\"hush\"}" };
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct secrets secrets CLEANUP(secrets_done) = { 0 };
		char *json AUTO_FREE = str_format("{\"agentToken\":\"a\",\"registries\":%s}", rows[i]);
		assert_int_equal(parse(json, &secrets, NULL), 0);
		assert_string_equal(secrets.agent_token, "a");
		assert_true(!secrets.registries || str_equal(secrets.registries, "{}"));
	}
}

// A password may be a whole service account's key; 16 KiB each, 256 KiB in all.
static void long_logins_fit_and_longer_ones_are_left_out(void **state)
{
	char root[] = "/tmp/hearth-test-store-XXXXXX";
	char *password AUTO_FREE = calloc(1, (16 << 10) + 2);
	struct secrets secrets CLEANUP(secrets_done) = { 0 }, loaded CLEANUP(secrets_done) = { 0 };
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_member(&out, "agentToken", "a");
	json_out_key(&out, "registries");
	json_out_object_begin(&out);
	for (size_t i = 0; i < 18; i++) {
		char host[16];
		(void)snprintf(host, sizeof(host), "m%zu", i);
		memset(password, 'x', i == 0 ? (16 << 10) + 1 : 16 << 10); // the first one is a byte too long
		password[i == 0 ? (16 << 10) + 1 : 16 << 10] = '\0';
		json_out_key(&out, host);
		json_out_object_begin(&out);
		json_out_member(&out, "username", "u");
		json_out_member(&out, "password", password);
		json_out_object_end(&out);
	}
	json_out_object_end(&out);
	json_out_object_end(&out);
	char *json AUTO_FREE = json_out_take(&out);
	assert_int_equal(parse(json, &secrets, NULL), 0);
	assert_null(strstr(secrets.registries, "\"m0\""));
	assert_non_null(strstr(secrets.registries, "\"m1\""));
	assert_non_null(strstr(secrets.registries, "\"m15\""));
	assert_null(strstr(secrets.registries, "\"m16\""));
	assert_non_null(mkdtemp(root));
	assert_int_equal(secrets_save(root, &secrets, NULL), 0);
	assert_int_equal(secrets_load(root, &loaded), 0);
	assert_string_equal(loaded.registries, secrets.registries);
	assert_int_equal(unpack_remove(root), 0);
}

// While the server token is rotated both are kept, also over a reboot; then the one of before is gone.
static void the_next_token_comes_back_from_state_and_goes(void **state)
{
	char root[] = "/tmp/hearth-test-store-XXXXXX";
	struct secrets both CLEANUP(secrets_done) = { 0 }, loaded CLEANUP(secrets_done) = { 0 }, one CLEANUP(secrets_done) = { 0 },
		left CLEANUP(secrets_done) = { 0 };
	assert_int_equal(parse("{\"token\":\"old\",\"tokenNext\":\"new\",\"agentToken\":\"a\",\"tokens\":3}", &both, NULL), 0);
	assert_int_equal(both.tokens, 3);
	assert_non_null(mkdtemp(root));
	assert_int_equal(secrets_save(root, &both, NULL), 0);
	assert_int_equal(secrets_load(root, &loaded), 0);
	assert_string_equal(loaded.token, "old");
	assert_string_equal(loaded.token_next, "new");
	assert_int_equal(parse("{\"token\":\"new\",\"agentToken\":\"a\"}", &one, NULL), 0); // an older region does not count
	assert_int_equal(secrets_save(root, &one, NULL), 0);
	assert_int_equal(secrets_load(root, &left), 0);
	assert_string_equal(left.token, "new");
	assert_null(left.token_next);
	assert_int_equal(parse("{\"agentToken\":\"a\",\"tokens\":\"3\"}", &one, NULL), -EINVAL);
	assert_int_equal(unpack_remove(root), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logins_of_registries_come_back_from_state),
		cmocka_unit_test(the_way_to_the_region_survives_a_reboot),
		cmocka_unit_test(what_people_stored_does_not_hide_the_tokens),
		cmocka_unit_test(wrong_secrets_are_refused_without_their_value),
		cmocka_unit_test(a_wrong_login_is_left_out_alone),
		cmocka_unit_test(the_next_token_comes_back_from_state_and_goes),
		cmocka_unit_test(long_logins_fit_and_longer_ones_are_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
