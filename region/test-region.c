// The running region's own keys, and what it does without its lock.
// SPDX-License-Identifier: Apache-2.0
#include "region/api.h"
#include "region/session.h"
#include "region/test-folder.h"

#include <microhttpd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <cmocka.h>

static struct test_folder folder;

static int set_up(void **state)
{
	return test_folder_make(&folder);
}

static int tear_down(void **state)
{
	return test_folder_remove(&folder);
}

static void a_failed_renewal_leaves_the_key(void **state)
{
	struct region region = { .dir = "/nowhere/at/all" };
	struct diag diag = { 0 };
	const struct cert_request ca = { .usage = CERT_USAGE_CA,
		.common_name = "test",
		.not_before_sec = region_now_sec(&region) - 60,
		.not_after_sec = region_now_sec(&region) + 86400 };
	assert_int_equal(
		cluster_config_parse(cluster_config_defaults, strlen(cluster_config_defaults),
			"cluster.yaml", folder.path, &region.config, &diag),
		0);
	assert_int_equal(key_generate(&region.ca_key), 0);
	assert_int_equal(cert_issue(&ca, NULL, region.ca_key, &region.ca_pem, &diag), 0);
	assert_int_equal(key_generate(&region.server_key), 0);
	assert_true(region_server_certificate(&region, &diag) < 0);
	assert_non_null(region.server_key);
	key_free(region.server_key);
	key_free(region.ca_key);
	free(region.ca_pem);
	cluster_config_free(region.config);
}

struct login {
	struct region region;
	struct request request;
	atomic_bool done;
};

static void *log_in(void *user)
{
	struct login *login = user;
	login->request.prepared = api_login_prepare(&login->region, &login->request);
	login->done = true;
	return NULL;
}

// A slow password: somebody else has the lock while it is derived, and is told to wait with theirs.
static void a_password_is_derived_without_the_lock(void **state)
{
	char body[] = "password=wrong";
	struct login login = { .request = { .body = body, .remote = "192.0.2.1" } };
	struct diag diag = { 0 };
	pthread_t thread;
	bool seen = false;
	assert_int_equal(store_open(folder.database, true, &login.region.store, &diag), 0);
	assert_int_equal(
		store_meta_set(login.region.store, "adminPassword",
			"pbkdf2-sha256$3000000$00112233445566778899aabbccddeeff$"
			"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
		0);
	assert_non_null(login.region.sessions = session_table_new());
	assert_int_equal(pthread_mutex_init(&login.region.lock, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, log_in, &login), 0);
	while (!seen && !login.done) {
		pthread_mutex_lock(&login.region.lock);
		bool began = session_try_begin(login.region.sessions, "192.0.2.2");
		if (began)
			session_try_end(login.region.sessions, "192.0.2.2", true);
		seen = !began && !login.done;
		pthread_mutex_unlock(&login.region.lock);
		(void)usleep(1000);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(seen);
	assert_true(login.request.prepared > 0); // wrong
	assert_false(session_try_begin(login.region.sessions, "192.0.2.1"));
	session_table_free(login.region.sessions);
	store_close(login.region.store);
	pthread_mutex_destroy(&login.region.lock);
}

// Nobody is in by not having been asked.
static void an_untried_password_is_wrong(void **state)
{
	struct login login = { .request = { .remote = "192.0.2.1" } };
	struct diag diag = { 0 };
	assert_int_equal(
		cluster_config_parse(cluster_config_defaults, strlen(cluster_config_defaults),
			"cluster.yaml", folder.path, &login.region.config, &diag),
		0);
	assert_non_null(login.region.sessions = session_table_new());
	assert_int_equal(api_login(&login.region, &login.request), 0);
	assert_int_equal(login.request.status, 403);
	MHD_destroy_response(login.request.response);
	session_table_free(login.region.sessions);
	cluster_config_free(login.region.config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_failed_renewal_leaves_the_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_password_is_derived_without_the_lock, set_up, tear_down),
		cmocka_unit_test(an_untried_password_is_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
