// storage, proxy, registries and node overrides of cluster.yaml: what is good is decoded, what is
// wrong is refused with its line, rule and value. SPDX-License-Identifier: Apache-2.0
#include "region/cluster-config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define HEAD                                                                                       \
	"provider: hetzner\nregion: fsn\nbuildingBlock: rtz\nenvType: prod\ndomain: example.org\n" \
	"urls: ['https://10.0.2.2:7443']\n" // six lines

static int parse(const char *text, struct cluster_config **ret, struct diag *diag)
{
	return cluster_config_parse(text, strlen(text), "cluster.yaml", NULL, ret, diag);
}

static struct cluster_config *parsed(const char *text)
{
	struct cluster_config *config = NULL;
	struct diag diag = { 0 };
	if (parse(text, &config, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	return config;
}

static void without_them_there_are_none(void **state)
{
	CLEANUP(cluster_config_freep) struct cluster_config *config = parsed(HEAD);
	assert_string_equal(config->storage.kind, "none");
	assert_string_equal(config->k3s_profile, "documented");
	assert_null(config->node_overrides);
	assert_null(config->proxy.http);
	assert_null(config->registries.mirrors);
	assert_int_equal(config->registries.n_configs, 0);
}

static void volumes_of_nodes(void **state)
{
	CLEANUP(cluster_config_freep)
	struct cluster_config *config = parsed(
		HEAD "storage:\n"
		     "  kind: static\n"
		     "  volumes:\n"
		     "    - {name: vol0, source: state, sizeMiB: 512}\n"
		     "    - {name: disk0, source: disk, serial: 007 A, node: hzfsnr-k8s-1p}\n"
		     "    - {name: disk0, source: disk, serial: B, node: hzfsnr-k8s-2p}\n");
	assert_string_equal(config->storage.class, "hearth-local");
	assert_int_equal(config->storage.n_volumes, 3);
	assert_int_equal(config->storage.volumes[0].size_mib, 512);
	assert_null(config->storage.volumes[0].serial);
	assert_string_equal(config->storage.volumes[1].serial, "007 A");
	assert_string_equal(config->storage.volumes[2].node, "hzfsnr-k8s-2p");
}

static void profile_and_overrides_of_nodes(void **state)
{
	CLEANUP(cluster_config_freep)
	struct cluster_config *config = parsed(HEAD
		"k3s: {profile: hardened, nodeOverrides: {hzfsnr-k8s-3p: {node-label: [a=b]}}}\n");
	assert_string_equal(config->k3s_profile, "hardened");
	assert_int_equal(config->node_overrides->n, 1);
	assert_string_equal(config->node_overrides->keys[0], "hzfsnr-k8s-3p");
}

static void a_proxy_and_registries(void **state)
{
	CLEANUP(cluster_config_freep)
	struct cluster_config *config = parsed(HEAD
		"proxy: {https: 'http://proxy.example.org:3128/', no: [.example.org, "
		"192.0.2.0/24]}\n"
		"registries:\n"
		"  mirrors: {docker.io: ['https://mirror.example.org:5000/hub'], '*': "
		"['http://[fd00::1]:5000']}\n"
		"  configs: {'mirror.example.org:5000': {secret: mirror-login, ca: ca.pem}}\n");
	assert_null(config->proxy.http);
	assert_string_equal(config->proxy.https, "http://proxy.example.org:3128/");
	assert_int_equal(config->proxy.n_no, 2);
	assert_int_equal(config->registries.mirrors->n, 2);
	assert_int_equal(config->registries.n_configs, 1);
	assert_string_equal(config->registries.configs[0].secret, "mirror-login");
	assert_string_equal(config->registries.configs[0].ca_file, "ca.pem");
	assert_null(config->registries.configs[0].ca_pem); // no folder: it is not read
}

#define STATIC "storage: {kind: static, volumes: "
static void what_is_wrong_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "storage: {kind: nfs}\n",
			"7:17: storage.kind: must be static, local-path or none, "
			"not \"nfs\"" },
		{ "storage: {class: x}\n", "storage.kind: is missing" },
		{ "storage: {kind: none, class: Fast_Disks}\n", "not \"Fast_Disks\"" },
		{ "storage: {kind: static}\n", "needs a list" },
		{ "storage: {kind: local-path, volumes: []}\n", "belong to kind static" },
		{ "storage: {kind: none, classs: x}\n", "did you mean \"class\"" },
		{ STATIC "[]}\n", "1-64 volumes" },
		{ STATIC "[{name: Vol0, source: state, sizeMiB: 512}]}\n", "DNS label" },
		{ STATIC "[{name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, source: state, "
			 "sizeMiB: "
			 "16}]}\n",
			"1-40 of a-z" },
		{ STATIC "[{name: -a, source: state, sizeMiB: 512}]}\n", "not \"-a\"" },
		{ STATIC "[{name: a, source: state, sizeMiB: 15}]}\n", "16-16777216, not \"15\"" },
		{ STATIC "[{name: a, source: state, sizeMiB: 16777217}]}\n", "16-16777216" },
		{ STATIC "[{name: a, source: state}]}\n", "storage.volumes.sizeMiB: is missing" },
		{ STATIC "[{name: a, source: state, sizeMiB: 16, serial: S}]}\n", "source disk" },
		{ STATIC "[{name: a, source: disk, serial: S, sizeMiB: 16}]}\n", "source state" },
		{ STATIC "[{name: a, source: disk}]}\n", "serial: is missing" },
		{ STATIC "[{name: a, source: disk, serial: 'a/b'}]}\n", "not \"a/b\"" },
		{ STATIC "[{name: a, source: nfs}]}\n", "must be state or disk, not \"nfs\"" },
		{ STATIC "[{name: a, source: state, sizeMiB: 16, node: web-1}]}\n",
			"like hzfsnr-k8s-1p, not \"web-1\"" },
		{ STATIC "[{name: a, source: disk, serial: S}, {name: b, source: disk, serial: "
			 "S}]}\n",
			"\"S\" is a already" },
		{ STATIC
			"[{name: a, source: state, sizeMiB: 16},\n {name: a, source: disk, serial: "
			"S, node: hzfsnr-k8s-1p}]}\n",
			"8:9: storage.volumes.name: stands once for a node" },
		{ "k3s: {profile: fast}\n", "documented or hardened, not \"fast\"" },
		{ "k3s: {nodeOverrides: {web-1: {}}}\n", "like hzfsnr-k8s-1p, not \"web-1\"" },
		{ "k3s: {nodeOverrides: {hzfsnr-k8s-1p: [a]}}\n", "must map K3s arguments" },
		{ "k3s: {nodeOverrides: [a]}\n", "must map node names" },
		{ "proxy: {no: [a]}\n", "needs http or https" },
		{ "proxy: {http: 'proxy:3128'}\n", "must be http://HOST:PORT" },
		{ "proxy: {http: 'ftp://proxy:3128'}\n", "must be http://HOST:PORT" },
		{ "proxy: {https: 'http://proxy:99999'}\n", "must be http://HOST:PORT" },
		{ "proxy: {https: 'http://proxy:1/x'}\n", "must be http://HOST:PORT" },
		{ "proxy: {http: 'http://proxy:1', no: ['a b']}\n", "not \"a b\"" },
		{ "proxy: {http: 'http://proxy:1', no: ['a,b']}\n", "not \"a,b\"" },
		{ "proxy: {http: 'http://proxy:1', no: x}\n", "must be a list" },
		{ "registries: {mirrors: {'a b': ['https://m']}}\n", "HOST[:PORT] or \"*\"" },
		{ "registries: {mirrors: {docker.io: []}}\n", "1-16 URLs" },
		{ "registries: {mirrors: {docker.io: [m]}}\n", "not \"m\"" },
		{ "registries: {mirrors: {docker.io: ['https://m/x?y']}}\n",
			"not \"https://m/x?y\"" },
		{ "registries: {mirrors: {docker.io: ['https://m', [1]]}}\n", "another type" },
		{ "registries: {configs: {'*': {}}}\n", "HOST[:PORT], not \"*\"" },
		{ "registries: {configs: {m: {username: x}}}\n", "unknown key \"username\"" },
		{ "registries: {configs: {m: {secret: 'a:b'}}}\n", "secret set NAME" },
		{ "registries: {configs: {m: {ca: \"-----BEGIN CERTIFICATE-----\\nx\\n\"}}}\n",
			"PEM certificate" },
		{ "registries: {configs: [m]}\n", "must map" },
		{ "registries: []\n", "registries: must be" },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct cluster_config *config = NULL;
		struct diag diag = { 0 };
		AUTO_FREE char *text = str_format("%s%s", HEAD, rows[i].text);
		if (parse(text, &config, &diag) != -EINVAL)
			fail_msg("row %zu (\"%s\") was not refused", i, rows[i].says);
		if (!strstr(diag_text(&diag), rows[i].says))
			fail_msg("\"%s\" does not say \"%s\"", diag_text(&diag), rows[i].says);
		// what is not there stands in no line
		if (!strstr(rows[i].says, "is missing") &&
			!str_starts(diag_text(&diag), "cluster.yaml:7:") &&
			!str_starts(diag_text(&diag), "cluster.yaml:8:"))
			fail_msg("\"%s\" has no line", diag_text(&diag));
	}
}

static void one_node_makes_sixteen(void **state)
{
	for (unsigned n = 16; n <= 17; n++) {
		struct cluster_config *config = NULL;
		struct diag diag = { 0 };
		char text[4096] = HEAD "storage:\n  kind: static\n  volumes:\n";
		for (unsigned i = 0; i <= n;
			i++) { // 12 for all, n - 12 for one node, one for another
			size_t at = strlen(text);
			(void)snprintf(text + at, sizeof(text) - at,
				"  - {name: v%u, source: state, sizeMiB: 16%s}\n", i,
				i < 12	? ""
				: i < n ? ", node: hzfsnr-k8s-2p"
					: ", node: hzfsnr-k8s-1p");
		}
		assert_int_equal(parse(text, &config, &diag), n == 16 ? 0 : -EINVAL);
		if (n == 17)
			assert_non_null(strstr(diag_text(&diag), "at most 16, not 17"));
		cluster_config_free(config);
	}
}

// Assignments hold no secrets, and neither do messages.
static void a_password_is_refused_and_not_shown(void **state)
{
	static const char *const rows[] = { "proxy: {http: 'http://me:s3cret@proxy:3128'}\n",
		"registries: {mirrors: {docker.io: ['https://me:s3cret@m']}}\n" };
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct cluster_config *config = NULL;
		struct diag diag = { 0 };
		AUTO_FREE char *text = str_format("%s%s", HEAD, rows[i]);
		assert_int_equal(parse(text, &config, &diag), -EINVAL);
		assert_non_null(strstr(diag_text(&diag), "user and password"));
		assert_null(strstr(diag_text(&diag), "s3cret"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_them_there_are_none),
		cmocka_unit_test(volumes_of_nodes),
		cmocka_unit_test(profile_and_overrides_of_nodes),
		cmocka_unit_test(a_proxy_and_registries),
		cmocka_unit_test(what_is_wrong_is_refused_with_its_line),
		cmocka_unit_test(one_node_makes_sixteen),
		cmocka_unit_test(a_password_is_refused_and_not_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
