// A laptop in the mesh, its kubeconfig, and the QR code of its file.
// SPDX-License-Identifier: Apache-2.0
#include "base/crypto.h"
#include "region/kubeconfig.h"
#include "region/mesh-peer.h"
#include "region/qr-text.h"

#include <errno.h>
#include <qrencode.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "region/test-config.h"

#define LAN "lan: {prefix: 10.77.0.0/24, macPrefix: '52:54:77'}"

static char on_lan[] = "{\"nics\":[{\"mac\":\"52:54:77:00:00:01\"}]}", nowhere[] = "{}";

static void addresses_come_from_the_top(void **state)
{
	static const struct {
		const char *range;
		unsigned nodes[3];
		size_t n_nodes;
		int64_t peers[3];
		size_t n_peers;
		int r;
		int64_t host;
	} rows[] = {
		{ "10.66.0.0/16", { 0 }, 0, { 0 }, 0, 0, 65534 },
		{ "10.66.0.0/16", { 1, 2 }, 2, { 65534, 65532 }, 2, 0, 65533 },
		{ "10.66.0.0/16", { 65524, 65523 }, 2, { 65532 }, 1, 0, 65531 },
		{ "10.66.0.0/28", { 1, 2, 3 }, 3, { 14 }, 1, 0, 10 },
		{ "fd00:66::/112", { 0 }, 0, { 65535 }, 1, 0, 65534 },
		{ "fd00:66::/64", { 0 }, 0, { 0 }, 0, 0, UINT32_MAX },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO_FREE char *more = str_format("ranges: {mesh: '%s'}", rows[i].range);
		CLEANUP(cluster_config_freep) struct cluster_config *config = test_config(more);
		struct mesh_peer peers[3], *list[3];
		int64_t host = 0;
		for (size_t p = 0; p < rows[i].n_peers; p++) {
			peers[p] = (struct mesh_peer){ .host = rows[i].peers[p] };
			list[p] = &peers[p];
		}
		assert_int_equal(mesh_peer_address(config, rows[i].nodes, rows[i].n_nodes, list,
					 rows[i].n_peers, &host),
			rows[i].r);
		assert_int_equal(host, rows[i].host);
	}
}

static void a_full_range_has_none(void **state)
{
	CLEANUP(cluster_config_freep)
	struct cluster_config *config = test_config("ranges: {mesh: 10.66.0.0/28}");
	struct mesh_peer peers[13], *list[13];
	int64_t host;
	for (size_t i = 0; i < 13; i++) {
		peers[i] = (struct mesh_peer){ .host = (int64_t)i + 2 };
		list[i] = &peers[i];
	}
	assert_int_equal(mesh_peer_address(config, NULL, 0, list, 13, &host), -ERANGE);
	assert_int_equal(mesh_peer_address(config, NULL, 0, list + 1, 12, &host), 0);
	assert_int_equal(host, 2); // the first host is the API's
}

static void names_of_peers(void **state)
{
	CLEANUP(cluster_config_freep) struct cluster_config *config = test_config("servers: 1");
	static const char *const bad[] = { "", "Laptop", "a b", "-a", "a\n[Peer]", "hzfsnr-k8s-9p",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	assert_int_equal(mesh_peer_check_name(config, "laptop", NULL), 0);
	assert_int_equal(mesh_peer_check_name(config, "anna-2", NULL), 0);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_int_equal(mesh_peer_check_name(config, bad[i], NULL), -EINVAL);
}

static void the_file_has_every_server_and_one_api(void **state)
{
	CLEANUP(cluster_config_freep) struct cluster_config *config = test_config(LAN);
	struct node nodes[] = {
		{ .name = "hzfsnr-k8s-1p",
			.number = 1,
			.is_server = 1,
			.facts = on_lan,
			.wg_public = "A=" },
		{ .name = "hzfsnr-k8s-2p",
			.number = 2,
			.is_server = 1,
			.facts = on_lan,
			.wg_public = "B=",
			.ready = 1 },
		{ .name = "hzfsnr-k8s-3p",
			.number = 3,
			.is_server = 1,
			.facts = nowhere,
			.wg_public = "C=" },
		{ .name = "hzfsnr-k8s-4p",
			.number = 4,
			.facts = on_lan,
			.wg_public = "D=",
			.ready = 1 },
		{ .name = "hzfsnr-k8s-5p",
			.number = 5,
			.is_server = 1,
			.facts = on_lan,
			.wg_public = "E=",
			.state = NODE_REVOKED },
	};
	struct node *list[N_ELEMENTS(nodes)];
	for (size_t i = 0; i < N_ELEMENTS(nodes); i++)
		list[i] = &nodes[i];
	AUTO_FREE char *file = NULL;
	struct diag diag = { 0 };
	assert_int_equal(mesh_peer_file(config, "laptop", 65534, "SECRET=", list, N_ELEMENTS(nodes),
				 &file, &diag),
		0);
	assert_string_equal(file,
		"# laptop, a peer of cluster hz-fsn-rtz-prod. This private key is nowhere else: "
		"keep "
		"the file to yourself.\n"
		"[Interface]\nPrivateKey = SECRET=\nAddress = 10.66.255.254/32\n"
		"\n# hzfsnr-k8s-1p\n[Peer]\nPublicKey = A=\nEndpoint = 10.77.0.11:51820\n"
		"AllowedIPs = 10.66.0.11/32\nPersistentKeepalive = 25\n"
		"\n# hzfsnr-k8s-2p\n[Peer]\nPublicKey = B=\nEndpoint = 10.77.0.12:51820\n"
		"AllowedIPs = 10.66.0.12/32, 10.66.0.1/32\nPersistentKeepalive = 25\n");
	char *none = NULL;
	assert_int_equal(
		mesh_peer_file(config, "laptop", 65534, "SECRET=", list + 2, 3, &none, &diag),
		-EAGAIN);
	assert_non_null(strstr(diag_text(&diag), "no server has an endpoint"));
	assert_null(strstr(diag_text(&diag), "SECRET"));
}

static void servers_get_it_as_a_peer(void **state)
{
	CLEANUP(cluster_config_freep) struct cluster_config *config = test_config("servers: 1");
	const struct mesh_peer peer = { .name = "laptop", .public_key = "L=", .host = 65534 };
	struct json_out out = { 0 };
	assert_int_equal(mesh_peer_put(config, &peer, &out), 0);
	AUTO_FREE char *text = json_out_take(&out);
	assert_string_equal(text, "{\"name\":\"laptop\",\"publicKey\":\"L=\",\"endpoint\":null,"
				  "\"allowedIps\":[\"10.66.255.254/32\"],\"keepaliveSec\":0}");
}

static void the_api_is_asked_by_a_name_of_its_certificate(void **state)
{
	CLEANUP(cluster_config_freep)
	struct cluster_config *config = test_config(LAN ", k3s: {tlsSan: [k8s.example.net]}");
	struct node server = { .name = "hzfsnr-k8s-1p", .number = 1, .is_server = 1 },
		    worker = { .name = "hzfsnr-k8s-2p", .number = 2 };
	struct node *list[] = { &server, &worker };
	static const struct {
		const char *wanted, *url;
	} rows[] = {
		{ NULL, "https://10.66.0.1:6443" },
		{ "10.77.0.11", "https://10.77.0.11:6443" },
		{ "https://10.66.0.11", "https://10.66.0.11:6443" },
		{ "K8S.example.net:443", "https://K8S.example.net:443" },
		{ "api.hfrp.example.org", "https://api.hfrp.example.org:6443" },
		{ "hzfsnr-k8s-1p", "https://hzfsnr-k8s-1p:6443" },
		{ "https://127.0.0.1:16443", "https://127.0.0.1:16443" },
		{ "hzfsnr-k8s-2p", NULL }, // a worker's name is in no server's certificate
		{ "10.77.0.12", NULL },
		{ "example.org", NULL },
		{ "http://10.66.0.1", NULL },
		{ "https://10.66.0.1/x", NULL },
		{ "10.66.0.1:0", NULL },
		{ "10.66.0.1\nusers: x", NULL },
		{ "", NULL },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char url[KUBECONFIG_URL];
		struct diag diag = { 0 };
		int r = kubeconfig_server(config, list, 2, rows[i].wanted, url, &diag);
		if (r != (rows[i].url ? 0 : -EINVAL))
			fail_msg("row %zu: %d %s", i, r, diag_text(&diag));
		if (rows[i].url)
			assert_string_equal(url, rows[i].url);
	}
	struct diag diag = { 0 };
	char url[KUBECONFIG_URL];
	assert_int_equal(kubeconfig_server(config, list, 2, "example.org", url, &diag), -EINVAL);
	assert_non_null(strstr(diag_text(&diag), "k3s.tlsSan in cluster.yaml"));
	assert_non_null(strstr(diag_text(&diag), "10.77.0.11"));
	assert_non_null(strstr(diag_text(&diag), "not \"example.org\""));
}

static void ipv6_has_brackets(void **state)
{
	CLEANUP(cluster_config_freep)
	struct cluster_config *config = test_config("ranges: {mesh: 'fd00:66::/112'}");
	char url[KUBECONFIG_URL];
	assert_int_equal(kubeconfig_server(config, NULL, 0, NULL, url, NULL), 0);
	assert_string_equal(url, "https://[fd00:66::1]:6443");
	assert_int_equal(kubeconfig_server(config, NULL, 0, "[fd00:66::1]", url, NULL), 0);
	assert_string_equal(url, "https://[fd00:66::1]:6443");
	assert_int_equal(kubeconfig_server(config, NULL, 0, "[fd00:66::1]:443", url, NULL), 0);
	assert_string_equal(url, "https://[fd00:66::1]:443");
}

static void the_context_has_the_name_of_the_cluster(void **state)
{
	static const char stored[] =
		"apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: Q0E=\n"
		"    server: https://127.0.0.1:6443\n  name: default\ncontexts:\n- context:\n"
		"    cluster: default\n    user: default\n  name: default\n"
		"current-context: default\nkind: Config\npreferences: {}\nusers:\n- name: default\n"
		"  user:\n    client-certificate-data: Q0VSVA==\n    client-key-data: S0VZ\n";
	static const char *const bad[] = { "", "[]", "clusters: {}", "\t",
		"clusters: [{cluster: {certificate-authority-data: Q0E=}}]\n",
		("clusters: [{cluster: {certificate-authority-data: \"a\\nb\"}}]\n"
		 "users: [{user: {token: t}}]\n") };
	AUTO_FREE char *text = NULL;
	struct diag diag = { 0 };
	assert_int_equal(
		kubeconfig_make(stored, "hz-fsn-rtz-prod", "https://10.66.0.1:6443", &text, &diag),
		0);
	assert_string_equal(text,
		"apiVersion: v1\nkind: Config\nclusters:\n- name: hz-fsn-rtz-prod\n  cluster:\n"
		"    server: https://10.66.0.1:6443\n    certificate-authority-data: Q0E=\n"
		"users:\n- name: hz-fsn-rtz-prod-admin\n  user:\n"
		"    client-certificate-data: Q0VSVA==\n    client-key-data: S0VZ\n"
		"contexts:\n- name: hz-fsn-rtz-prod\n  context:\n    cluster: hz-fsn-rtz-prod\n"
		"    user: hz-fsn-rtz-prod-admin\ncurrent-context: hz-fsn-rtz-prod\n");
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		char *none = NULL;
		if (kubeconfig_make(bad[i], "x", "https://x", &none, &diag) != -EBADMSG)
			fail_msg("row %zu", i);
		assert_null(none);
	}
}

// It may have been handed over long ago: who asks is told before kubectl is refused.
static void a_certificate_that_ends_soon_is_said(void **state)
{
	enum { NOW = 1795600800, DAY = 86400 };
	const struct {
		int64_t end_sec;
		const char *words;
	} rows[] = { { NOW + 31 * DAY, NULL }, { NOW + 29 * DAY, "certificate ends on 2026-12-24" },
		{ NOW - DAY, "certificate ended on 2026-11-24" } };
	CLEANUP(key_freep) struct key *key = NULL;
	AUTO_FREE char *before = NULL;
	assert_int_equal(key_generate(&key), 0);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const struct cert_request request = { .usage = CERT_USAGE_CLIENT,
			.common_name = "system:admin",
			.not_before_sec = NOW - 300 * DAY,
			.not_after_sec = rows[i].end_sec };
		AUTO_FREE char *pem = NULL;
		assert_int_equal(cert_issue(&request, NULL, key, &pem, NULL), 0);
		AUTO_FREE char *base64 = base64_encode(pem, strlen(pem));
		AUTO_FREE char *stored = str_format(
			"users:\n- name: default\n  user:\n    client-certificate-data: %s\n",
			base64);
		AUTO_FREE char *said = kubeconfig_warning(stored, NOW);
		assert_int_equal(said != NULL, rows[i].words != NULL);
		assert_int_equal(kubeconfig_ends_soon(stored, NOW), rows[i].words != NULL);
		assert_int_equal(before && kubeconfig_is_newer(before, stored),
			i > 0); // each ends before the one above
		assert_false(kubeconfig_is_newer(stored, stored));
		assert_false(before && kubeconfig_is_newer(stored, before));
		free(before);
		before = TAKE_PTR(stored);
		if (said && !strstr(said, rows[i].words))
			fail_msg("%s", said);
	}
	static const char token[] = "users: [{user: {token: t}}]"; // has no end that is known
	assert_null(kubeconfig_warning(token, NOW));
	assert_true(kubeconfig_ends_soon(token, NOW)); // another one is wanted, and taken
	assert_true(kubeconfig_is_newer(before, token));
	assert_false(kubeconfig_is_newer(token, before));
	assert_null(kubeconfig_warning("users: [{user: {client-certificate-data: Q0E=}}]", NOW));
}

// Half a file, another CA or an end that never comes would stand for ever.
static void what_is_no_kubeconfig_of_this_cluster_is_refused(void **state)
{
	enum { NOW = 1795600800, DAY = 86400 };
	const struct {
		int64_t end_sec;
		const char *ca, *ca_given, *key, *rule;
	} rows[] = {
		{ NOW + 365 * DAY, "CA\n", "CA", "    client-key-data: S0VZ\n", NULL },
		{ NOW - DAY, "CA", "CA\n", "    client-key-data: S0VZ\n", NULL },
		{ NOW + 733 * DAY, "CA", "CA", "    client-key-data: S0VZ\n", "within two years" },
		{ NOW + 365 * DAY, "CA", "CB", "    client-key-data: S0VZ\n", "must be caCert" },
		{ NOW + 365 * DAY, "CA", "CA", "", "certificate and key" },
	};
	CLEANUP(key_freep) struct key *key = NULL;
	assert_int_equal(key_generate(&key), 0);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const struct cert_request request = { .usage = CERT_USAGE_CLIENT,
			.common_name = "system:admin",
			.not_before_sec = NOW - 300 * DAY,
			.not_after_sec = rows[i].end_sec };
		AUTO_FREE char *pem = NULL;
		struct diag diag = { 0 };
		assert_int_equal(cert_issue(&request, NULL, key, &pem, NULL), 0);
		AUTO_FREE char *certificate = base64_encode(pem, strlen(pem));
		AUTO_FREE char *ca = base64_encode(rows[i].ca, strlen(rows[i].ca));
		AUTO_FREE char *given = str_format(
			"clusters:\n- cluster:\n    certificate-authority-data: %s\n"
			"users:\n- user:\n    client-certificate-data: %s\n%s",
			ca, certificate, rows[i].key);
		int r = kubeconfig_check(given, rows[i].ca_given, NOW, &diag);
		if (r != (rows[i].rule ? -EINVAL : 0) ||
			(rows[i].rule && !strstr(diag_text(&diag), rows[i].rule)))
			fail_msg("row %zu: %d %s", i, r, diag_text(&diag));
		given[strlen(given) / 2] = '\0'; // in the middle of the certificate
		assert_int_equal(kubeconfig_check(given, rows[i].ca_given, NOW, &diag), -EINVAL);
	}
	assert_int_equal(kubeconfig_check("", "CA", NOW, NULL), -EINVAL);
	assert_int_equal(kubeconfig_check("x: y\n", "CA", NOW, NULL), -EINVAL);
}

// Is the half of @character, upper or lower, drawn? That is a light module.
static bool drawn(const char *character, bool lower)
{
	return str_starts(character, "\xe2\x96\x88") ||
	       str_starts(character, lower ? "\xe2\x96\x84" : "\xe2\x96\x80");
}

static void the_qr_code_has_every_module(void **state)
{
	static const char text[] = "[Interface]\nPrivateKey = x\nAddress = 10.66.255.254/32\n";
	unsigned columns = 0;
	AUTO_FREE char *lines = qr_text(text, &columns);
	QRcode *qr = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);
	unsigned n_rows = 0;
	assert_int_equal(columns, qr->width + 8);
	for (const char *c = lines; *c; n_rows++, c++) // behind each row its newline
		for (unsigned x = 0; x < columns; x++) {
			for (unsigned half = 0; half < 2; half++) {
				int module_x = (int)x - 4, module_y = (int)(2 * n_rows + half) - 4;
				bool inside = module_x >= 0 && module_x < qr->width &&
					      module_y >= 0 && module_y < qr->width;
				bool dark =
					inside && (qr->data[module_y * qr->width + module_x] & 1);
				bool below = module_y >= qr->width + 4; // nothing is there
				assert_int_equal(drawn(c, half), !dark && !below);
			}
			c += *c == ' ' ? 1 : 3;
		}
	assert_int_equal(n_rows, ((unsigned)qr->width + 9) / 2);
	QRcode_free(qr);
	char long_text[3000];
	memset(long_text, 'a', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	assert_null(qr_text(long_text, &columns));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_come_from_the_top),
		cmocka_unit_test(a_full_range_has_none),
		cmocka_unit_test(names_of_peers),
		cmocka_unit_test(the_file_has_every_server_and_one_api),
		cmocka_unit_test(servers_get_it_as_a_peer),
		cmocka_unit_test(the_api_is_asked_by_a_name_of_its_certificate),
		cmocka_unit_test(ipv6_has_brackets),
		cmocka_unit_test(the_context_has_the_name_of_the_cluster),
		cmocka_unit_test(a_certificate_that_ends_soon_is_said),
		cmocka_unit_test(what_is_no_kubeconfig_of_this_cluster_is_refused),
		cmocka_unit_test(the_qr_code_has_every_module),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
