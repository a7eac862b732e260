// cluster.yaml: the defaults are valid, and what is wrong is refused with its key and rule.
// SPDX-License-Identifier: Apache-2.0
#include "region/cluster-config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD                                                                                       \
	"provider: hetzner\nregion: fsn\nbuildingBlock: rtz\nenvType: prod\ndomain: example.org\n"
#define URLS "urls: ['https://10.0.2.2:7443']\n"

static int parse(const char *text, struct cluster_config **ret, struct diag *diag)
{
	return cluster_config_parse(text, strlen(text), "cluster.yaml", NULL, ret, diag);
}

static void the_defaults_are_a_lab(void **state)
{
	CLEANUP(cluster_config_freep) struct cluster_config *config = NULL;
	struct diag diag = { 0 };
	if (parse(cluster_config_defaults, &config, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	assert_string_equal(config->name, "hz-fsn-rtz-prod");
	assert_true(config->has_lan);
	assert_string_equal(config->lan_mac_prefix, "52:54:77");
	assert_string_equal(config->cni, "bridge");
	assert_int_equal(config->n_servers, 1);
	assert_int_equal(config->code_interval_sec, 60);
	assert_false(config->diskless);
}

static void little_is_enough(void **state)
{
	CLEANUP(cluster_config_freep) struct cluster_config *config = NULL;
	struct diag diag = { 0 };
	assert_int_equal(parse(HEAD URLS, &config, &diag), 0);
	assert_false(config->has_lan);
	assert_string_equal(config->cni, "none");
	assert_null(config->bootstrap_digest);
	assert_int_equal(config->mesh_key_give_up_sec, 600);
}

static void what_is_wrong_is_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ HEAD, "at least one https" },
		{ HEAD "urls: ['http://10.0.2.2']\n", "https://HOST" },
		{ HEAD "urls: ['https://10.0.2.2/x']\n", "without a path" },
		{ HEAD "urls: ['https://10.0.2.2:70000']\n", "1-65535" },
		{ HEAD "urls: ['https://']\n", "https://HOST" },
		{ HEAD URLS "serverss: 1\n", "servers" },
		{ HEAD URLS "servers: 0\n", "servers" },
		{ HEAD URLS "servers: 1\nservers: 2\n", "servers" },
		{ HEAD URLS "ranges: {mesh: 10.64.0.0/16}\n", "overlap" },
		{ HEAD URLS "ranges: {mesh: 10.66.0.1/16}\n", "host bits" },
		{ HEAD URLS "ranges: {mesh: 10.66.0.0/30}\n", "too small" },
		{ HEAD URLS "lan: {prefix: 10.66.0.0/24, macPrefix: '52:54:77'}\n",
			"must not overlap" },
		{ HEAD URLS "lan: {prefix: 10.77.0.0/24, macPrefix: '52:5'}\n",
			"first bytes of a MAC" },
		{ HEAD URLS "lan: {prefix: 10.77.0.0/24}\n", "macPrefix" },
		{ HEAD URLS "network: {version: 1}\n", "cluster.yaml:7:20: network: version must be 2, not \"1\"" },
		{ HEAD URLS "network: eth0\n", "network: must be a netplan document, not \"eth0\"" },
		{ HEAD URLS "network: {renderer: NetworkManager}\n", "renderer must be networkd, not \"NetworkManager\"" },
		{ HEAD URLS "network: {ethernet: {eth0: {}}}\n", "ethernets" },
		{ HEAD URLS "network: {ethernets: [eth0]}\n", "7:22: network: ethernets must map names to definitions, not a list" },
		{ HEAD URLS "network: {ethernets: {eth0: dhcp4}}\n", "7:29: network: ethernets.eth0 must be a map of keys, not a text" },
		{ HEAD URLS "network: {ethernets: {00-lan: {}}}\n", "cluster.yaml:7:" },
		{ HEAD URLS "network: {network: {}, ethernets: {}}\n", "unknown key \"ethernets\"" },
		{ HEAD URLS "network: {tunnels: {wg0: {key: c2VjcmV0}}}\n", "network: key must be the path of a key's file on the node, never the key" },
		{ HEAD URLS "network: {tunnels: {wg0: {peers: [{keys: {shared: c2VjcmV0}}]}}}\n", "network: shared must be the path of a key's file on the node, never the key" },
		{ HEAD URLS "network: {bonds: {hearth0: {}}}\n", "call it by another name, not \"hearth0\"" },
		{ HEAD URLS "network: []\n", "7:10: network: must be a netplan document, not a list" },
		{ HEAD URLS "network: {version: }\n", "network: version must be 2, not an empty value" },
		{ HEAD URLS "network: {version: [2]}\n", "network: version must be 2, not a list" },
		{ HEAD URLS "network: {renderer: ''}\n", "renderer must be networkd, not an empty value" },
		{ HEAD URLS "network: {ethernets: {eth0: [a]}}\n", "ethernets.eth0 must be a map of keys, not a list" },
		{ HEAD URLS "nodeNetworks: [a]\n", "7:15: nodeNetworks: must map node names to netplan documents, not a list" },
		{ HEAD URLS "nodeNetworks: {hzfsnr-k8s-1p: }\n", "nodeNetworks: must be a netplan document, not an empty value" },
		{ HEAD URLS "lan: {macPrefix: '52:54:77'}\n", "lan.prefix: is missing; must be a range" },
		{ HEAD URLS "nodeNetworks: {web1: {ethernets: {}}}\n", "like hzfsnr-k8s-1p, not \"web1\"" },
		{ HEAD URLS "nodeNetworks: {hzfsnr-k8s-1p: {wifis: {}}}\n", "wifis" },
		{ HEAD URLS "k3s: {over: wire}\n", "mesh or lan" },
		{ HEAD URLS "k3s: {over: lan}\n", "needs lan.prefix" },
		{ HEAD URLS "k3s: {cni: cilium}\n", "bridge or none" },
		{ HEAD URLS "k3s: {overrides: []}\n", "must map" },
		{ HEAD URLS "bootstrap: {repository: Hearth}\n", "OCI name" },
		{ HEAD URLS "bootstrap: {repository: a, digest: latest}\n", "sha256:" },
		{ HEAD URLS "bootstrap: {repository: a, tag: .x}\n", "OCI tag" },
		{ HEAD URLS "bootstrap: {registry: \"https://r\", repository: a, tag: x}\n", "HOST or HOST:PORT" },
		{ HEAD URLS "bootstrap: {repository: a, comeBackSec: -1}\n", "comeBackSec" },
		{ HEAD URLS "bootstrap: {repository: a, tag: v1, digest: \"sha256:" HEX64 "\"}\n", "not both" },
		{ HEAD URLS "bootstrap: {repository: a, variables: {A: [1]}}\n", "must be a text" },
		{ HEAD URLS "signingKeys: ['-----BEGIN PUBLIC KEY-----\\nx\\n']\n",
			"P-256 public key" },
		{ HEAD URLS "enrolment: {codeIntervalSec: -1}\n", "codeIntervalSec" },
		{ HEAD URLS "meshKeys: {giveUpSec: 0}\n", "meshKeys.giveUpSec" },
		{ HEAD URLS "meshKeys: {giveUp: 60}\n", "unknown key \"giveUp\"" },
		{ HEAD URLS "enrolment: {diskless: yes}\n", "diskless" },
		{ "provider: hetzner\nregion: fsn\nbuildingBlock: rtz\nenvType: prod\ndomain: 'a "
		  "b'\n" URLS,
			"DNS domain" },
		{ HEAD URLS "ntp: [10.0.0.1, 'pool.ntp.org iburst']\n", "host names" },
		{ HEAD URLS "ntp: [ntp_1.example.org]\n", "host names" },
		{ HEAD URLS "ntp: ['']\n", "host names" },
		{ "[]", "map" },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct cluster_config *config = NULL;
		struct diag diag = { 0 };
		if (parse(rows[i].text, &config, &diag) != -EINVAL)
			fail_msg("row %zu (\"%s\") was not refused", i, rows[i].says);
		if (!strstr(diag_text(&diag), rows[i].says))
			fail_msg("\"%s\" does not say \"%s\"", diag_text(&diag), rows[i].says);
	}
}

static void hosts_of_urls(void **state)
{
	char host[300];
	cluster_url_host("https://region.example.org:7443", host, sizeof(host));
	assert_string_equal(host, "region.example.org");
	cluster_url_host("https://[fd00::1]:7443", host, sizeof(host));
	assert_string_equal(host, "fd00::1");
	cluster_url_host("https://10.0.2.2", host, sizeof(host));
	assert_string_equal(host, "10.0.2.2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_are_a_lab),
		cmocka_unit_test(little_is_enough),
		cmocka_unit_test(what_is_wrong_is_refused),
		cmocka_unit_test(hosts_of_urls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
