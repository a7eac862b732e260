// Kubeconfigs as K3s writes them: data inside (admin) and files beside (kubelet).
// SPDX-License-Identifier: Apache-2.0
#include "base/crypto.h"
#include "base/file.h"
#include "k3s/kubeconfig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define HEAD "apiVersion: v1\nkind: Config\ncurrent-context: default\ncontexts:\n- name: default\n"                    \
	     "  context: {cluster: default, user: default}\n"
#define CLUSTER "clusters:\n- name: default\n  cluster:\n    server: https://127.0.0.1:6443/\n"

static const char data_form[] = "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: Q0EK\n"
				"    server: https://127.0.0.1:6443\n  name: default\ncontexts:\n- context:\n"
				"    cluster: default\n    user: default\n  name: default\ncurrent-context: default\n"
				"kind: Config\npreferences: {}\nusers:\n- name: default\n  user:\n"
				"    client-certificate-data: Q1JUCg==\n    client-key-data: S0VZCg==\n";
static const char file_form[] = HEAD CLUSTER "    certificate-authority: /x/server-ca.crt\nusers:\n- name: default\n"
	"  user:\n    client-certificate: client-kubelet.crt\n    client-key: client-kubelet.key\n";

static void data_inside_is_decoded(void **state)
{
	struct kubeconfig *config CLEANUP(kubeconfig_freep) = NULL;

	assert_int_equal(kubeconfig_parse(data_form, strlen(data_form), "k3s.yaml", &config, NULL), 0);
	assert_string_equal(config->server, "https://127.0.0.1:6443");
	assert_string_equal(config->ca_pem, "CA\n");
	assert_string_equal(config->cert_pem, "CRT\n");
	assert_string_equal(config->key_pem, "KEY\n");
	assert_null(config->ca_file);
}

static void files_are_named(void **state)
{
	struct kubeconfig *config CLEANUP(kubeconfig_freep) = NULL;

	assert_int_equal(kubeconfig_parse(file_form, strlen(file_form), "kubelet.kubeconfig", &config, NULL), 0);
	assert_string_equal(config->server, "https://127.0.0.1:6443");
	assert_string_equal(config->ca_file, "/x/server-ca.crt");
	assert_string_equal(config->cert_file, "client-kubelet.crt");
	assert_null(config->key_pem);
}

static void files_beside_are_loaded(void **state)
{
	static const char *const files[] = {"ca.crt", "client.crt", "client.key"};
	static const char text[] = HEAD CLUSTER "    certificate-authority: ca.crt\nusers:\n- name: default\n  user:\n"
		"    client-certificate: client.crt\n    client-key: client.key\n";
	char folder[] = "/tmp/test-kubeconfig-XXXXXX";
	struct kubeconfig *config CLEANUP(kubeconfig_freep) = NULL;
	char *path AUTO_FREE = NULL;

	assert_non_null(mkdtemp(folder));
	path = str_format("%s/config", folder);
	assert_int_equal(kubeconfig_load(path, &config, NULL), -ENOENT);
	assert_int_equal(file_write_volatile(path, text, strlen(text), 0600, NULL), 0);
	assert_int_equal(kubeconfig_load(path, &config, NULL), -ENOENT);
	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		char *file AUTO_FREE = str_format("%s/%s", folder, files[i]);

		assert_int_equal(file_write_volatile(file, files[i], strlen(files[i]), 0600, NULL), 0);
	}
	assert_int_equal(kubeconfig_load(path, &config, NULL), 0);
	assert_string_equal(config->ca_pem, "ca.crt");
	assert_string_equal(config->cert_pem, "client.crt");
	assert_string_equal(config->key_pem, "client.key");
	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		char *file AUTO_FREE = str_format("%s/%s", folder, files[i]);

		assert_int_equal(unlink(file), 0);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void what_we_cannot_trust_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"[]",
		HEAD,
		HEAD "clusters: []\nusers: []\n",
		HEAD CLUSTER "    certificate-authority-data: Q0E\nusers:\n- name: default\n  user: {client-certificate: a, "
			     "client-key: b}\n",
		HEAD CLUSTER "    certificate-authority: x\nusers:\n- name: default\n  user: {token: abc}\n",
		HEAD CLUSTER "    certificate-authority: x\n    insecure-skip-tls-verify: true\nusers:\n- name: default\n"
			     "  user: {client-certificate: a, client-key: b}\n",
		HEAD "clusters:\n- name: default\n  cluster: {server: 'http://x', certificate-authority: x}\nusers:\n"
		     "- name: default\n  user: {client-certificate: a, client-key: b}\n",
		HEAD CLUSTER "    certificate-authority-data: AAAA\nusers:\n- name: default\n  user: "
			     "{client-certificate: a, client-key: b}\n",
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct kubeconfig *config = NULL;
		struct diag diag = {0};

		if (kubeconfig_parse(rows[i], strlen(rows[i]), "x", &config, &diag) >= 0)
			fail_msg("row %zu was taken", i);
		assert_true(*diag.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_inside_is_decoded),
		cmocka_unit_test(files_are_named),
		cmocka_unit_test(files_beside_are_loaded),
		cmocka_unit_test(what_we_cannot_trust_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
