// Which of K3s' certificates expires first.
// SPDX-License-Identifier: Apache-2.0
#include "base/crypto.h"
#include "base/file.h"
#include "k3s/certificates.h"
#include "k3s/unpack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void issue(const char *root, const char *path, enum cert_usage usage, int64_t not_after_sec)
{
	struct key *key = NULL;
	char *pem AUTO_FREE = NULL, *full AUTO_FREE = str_format("%s/%s", root, path);
	const struct cert_request request = {.usage = usage, .common_name = "x", .not_before_sec = 1700000000,
		.not_after_sec = not_after_sec};

	assert_int_equal(key_generate(&key), 0);
	assert_int_equal(cert_issue(&request, NULL, key, &pem, NULL), 0);
	assert_int_equal(file_write_atomic(full, pem, strlen(pem), 0600, NULL), 0);
	key_free(key);
}

static void the_leaf_that_expires_first_is_named(void **state)
{
	char root[] = "/tmp/test-certificates-XXXXXX";
	struct k3s_certificate soonest;
	char *etcd AUTO_FREE = NULL, *agent AUTO_FREE = NULL, *junk AUTO_FREE = NULL;

	assert_non_null(mkdtemp(root));
	etcd = str_format("%s/server/tls/etcd", root);
	agent = str_format("%s/agent", root);
	junk = str_format("%s/agent/broken.crt", root);
	assert_int_equal(k3s_certificate_soonest(root, &soonest), -ENOENT);
	assert_int_equal(file_make_folders(etcd, 0700), 0);
	assert_int_equal(file_make_folders(agent, 0700), 0);
	issue(root, "server/tls/server-ca.crt", CERT_USAGE_CA, 1750000000); // CAs do not count
	issue(root, "server/tls/client-admin.crt", CERT_USAGE_CLIENT, 1900000000);
	issue(root, "server/tls/etcd/client.crt", CERT_USAGE_CLIENT, 1850000000);
	issue(root, "agent/client-kubelet.crt", CERT_USAGE_CLIENT, 1800000000);
	issue(root, "agent/client-kubelet.key", CERT_USAGE_CLIENT, 1760000000); // no .crt
	assert_int_equal(file_write_atomic(junk, "-----BEGIN", 10, 0600, NULL), 0);
	assert_int_equal(k3s_certificate_soonest(root, &soonest), 0);
	assert_string_equal(soonest.name, "agent/client-kubelet.crt");
	assert_int_equal(soonest.not_after_sec, 1800000000);
	assert_int_equal(unpack_remove(root), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_leaf_that_expires_first_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
