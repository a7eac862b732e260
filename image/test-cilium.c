// Cilium's values. What is documented is typed here from the document, not from our table.
// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"
#include "image/cilium.h"
#include "image/escape.h"
#include "image/tree.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct words overrides, advice;

static int lists_clear(void **state)
{
	words_done(&overrides);
	words_done(&advice);
	overrides = advice = (struct words){ 0 };
	return 0;
}

// @more: keys of `cilium` beside manifests.
static int values_of(const char *more, int version, struct cluster_facts facts, struct value **ret, struct diag *diag)
{
	CLEANUP(bootstrap_recipe_freep) struct bootstrap_recipe *recipe = NULL;
	AUTO_FREE char *text = str_format("cilium:\n  manifests: cilium.yaml\n%s", more);

	if (bootstrap_recipe_parse(text, strlen(text), "recipe.yaml", &recipe, diag) < 0)
		fail_msg("%s", diag_text(diag));
	return cilium_values(&(struct cilium_request){ recipe, &facts, version, NULL }, ret, &overrides, &advice, diag);
}

static const char *at(const struct value *values, const char *key)
{
	const char *text = tree_scalar(tree_find(values, key));

	return text ? text : "(nothing)";
}

static void the_documented_values_are_there(void **state)
{
	CLEANUP(value_freep) struct value *values = NULL;
	struct diag diag = { 0 };

	assert_int_equal(values_of("", 1016, (struct cluster_facts){ .servers = 1 }, &values, &diag), 0);
	// platform-stack.md, "Cilium values as documented"; ${API_SERVER_IP} is the stable address of the API
	assert_string_equal(at(values, "kubeProxyReplacement"), "true");
	assert_string_equal(at(values, "k8sServiceHost"), "${CLUSTER_API_ADDRESS}");
	assert_string_equal(at(values, "k8sServicePort"), "6443");
	assert_string_equal(at(values, "hubble.enabled"), "true");
	assert_string_equal(at(values, "hubble.relay.enabled"), "true");
	assert_string_equal(at(values, "encryption.enabled"), "true");
	assert_string_equal(at(values, "encryption.type"), "wireguard");
	assert_string_equal(at(values, "gatewayAPI.enabled"), "true");
	assert_string_equal(at(values, "envoy.enabled"), "true");
}

static void bare_metal_needs_more(void **state)
{
	CLEANUP(value_freep) struct value *values = NULL, *lan = NULL;
	struct diag diag = { 0 };

	assert_int_equal(values_of("  devices: [eth0, mesh+]\n  l2: {pool: [192.0.2.0/28], interfaces: [eth0]}\n", 1016,
				 (struct cluster_facts){ .servers = 3 }, &values, &diag), 0);
	assert_string_equal(at(values, "MTU"), "1420"); // the mesh; Cilium takes 50 + 80 off by itself
	assert_non_null(strstr(advice.items[0], "1290"));
	assert_string_equal(at(values, "operator.replicas"), "2");
	assert_string_equal(at(values, "ipam.mode"), "cluster-pool");
	assert_string_equal(value_text(&tree_find(values, "ipam.operator.clusterPoolIPv4PodCIDRList")->items[0]), "${CLUSTER_POD_CIDR}");
	assert_int_equal(tree_find(values, "devices")->n, 2);
	assert_string_equal(at(values, "l2announcements.enabled"), "true");
	assert_string_equal(at(values, "externalIPs.enabled"), "true"); // part of kubeProxyReplacement since 1.18 only
	assert_int_equal(values_of("  l2: {pool: [192.0.2.0/28]}\n", 1019, (struct cluster_facts){ .servers = 1, .over_lan = true }, &lan,
				 &diag), 0);
	assert_string_equal(at(lan, "MTU"), "(nothing)");
	assert_string_equal(at(lan, "operator.replicas"), "1");
	assert_string_equal(at(lan, "externalIPs.enabled"), "(nothing)");
}

static void a_contradiction_needs_a_word(void **state)
{
	CLEANUP(value_freep) struct value *values = NULL, *same = NULL;
	struct cluster_facts facts = { .servers = 1 };
	struct diag diag = { 0 };

	assert_int_equal(values_of("  values: {hubble: {enabled: false}}\n", 1016, facts, &values, &diag), -EINVAL);
	assert_non_null(strstr(diag_text(&diag), "hubble.enabled must be true as documented, not false"));
	assert_int_equal(values_of("  values: {encryption: null}\n", 1016, facts, &values, &diag), -EINVAL);
	assert_non_null(strstr(diag_text(&diag), "encryption.enabled must be true as documented"));
	assert_int_equal(values_of("  override: true\n  values: {hubble: {enabled: false}, k8sServicePort: 6444}\n", 1016, facts, &values,
				 &diag), 0);
	assert_string_equal(at(values, "hubble.enabled"), "false");
	assert_string_equal(at(values, "hubble.relay.enabled"), "true");
	assert_int_equal(overrides.n, 2);
	assert_string_equal(overrides.items[0], "cilium k8sServicePort is 6444, documented 6443");
	assert_int_equal(values_of("  values: {kubeProxyReplacement: \"true\", hubble: {ui: {enabled: true}}}\n", 1016, facts, &same, &diag),
		0); // the same said as a text is no contradiction
	assert_string_equal(at(same, "hubble.ui.enabled"), "true");
}

static void renamed_keys_name_the_new_one(void **state)
{
	static const struct {
		const char *values, *says;
		int since;
	} rows[] = { // k3s-flux-cilium.md 6, "Gone or renamed nearby"
		{ "{tunnel: vxlan}", "tunnel is gone since Cilium 1.15: write routingMode and tunnelProtocol", 1015 },
		{ "{encryption: {keyFile: a}}", "1.16: write encryption.ipsec.keyFile", 1016 },
		{ "{encryption: {mountPath: a}}", "1.16: write encryption.ipsec.mountPath", 1016 },
		{ "{encryption: {secretName: a}}", "1.16: write encryption.ipsec.secretName", 1016 },
		{ "{encryption: {interface: a}}", "1.16: write encryption.ipsec.interface", 1016 },
		{ "{encryption: {wireguard: {userspaceFallback: true}}}", "since Cilium 1.17", 1017 },
		{ "{enableCiliumEndpointSlice: true}", "1.18: write ciliumEndpointSlice.enabled", 1018 },
		{ "{nodePort: {enabled: true}}", "1.19: write kubeProxyReplacement", 1019 },
		{ "{hostPort: {enabled: true}}", "1.18: write kubeProxyReplacement", 1018 },
		{ "{externalIPs: {enabled: true}}", "1.18: write kubeProxyReplacement", 1018 },
		{ "{encryption: {strictMode: {enabled: true}}}", "1.20: write encryption.strictMode.egress.enabled", 1020 },
		{ "{encryption: {strictMode: {cidr: 192.0.2.0/24}}}", "1.20: write encryption.strictMode.egress.cidr", 1020 },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(value_freep) struct value *values = NULL;
		AUTO_FREE char *more = str_format("  values: %s\n", rows[i].values);
		struct cluster_facts facts = { .servers = 1 };
		struct diag diag = { 0 };
		assert_int_equal(values_of(more, rows[i].since - 1, facts, &values, &diag), 0); // that version still had it
		values = value_free(values);
		assert_int_equal(values_of(more, rows[i].since, facts, &values, &diag), -EINVAL);
		if (!strstr(diag_text(&diag), rows[i].says))
			fail_msg("%s: %s", rows[i].values, diag_text(&diag));
		assert_int_equal(values_of(more, -1, facts, &values, &diag), -EINVAL); // unknown: as the newest
	}
	CLEANUP(value_freep) struct value *values = NULL;
	struct diag diag = { 0 };
	assert_int_equal(values_of("  override: true\n  values: {kubeProxyReplacement: strict}\n", 1016, (struct cluster_facts){ 0 }, &values,
				 &diag), -EINVAL);
	assert_non_null(strstr(diag_text(&diag), "strict, partial, probe and disabled are gone"));
}

static void announcing_needs_a_device(void **state)
{
	CLEANUP(value_freep) struct value *values = NULL;
	struct diag diag = { 0 };

	assert_int_equal(values_of("  devices: [eth0]\n  l2: {pool: [192.0.2.0/28], interfaces: [eth1]}\n", 1019,
				 (struct cluster_facts){ .servers = 1 }, &values, &diag), -EINVAL);
	assert_non_null(strstr(diag_text(&diag), "eth1 of l2.interfaces must be one of cilium.devices"));
}

#define RENDERED(config, host)                                                                                                      \
	"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config, namespace: kube-system}\ndata:\n" config                  \
	"  enable-hubble: \"true\"\n  enable-wireguard: \"true\"\n  enable-gateway-api: \"true\"\n"                                 \
	"  external-envoy-proxy: \"true\"\n  mtu: \"1420\"\n  ipam: cluster-pool\n  cluster-pool-ipv4-cidr: \"${CLUSTER_POD_CIDR}\"\n---\n" \
	"apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: cilium, namespace: kube-system, labels: {helm.sh/chart: cilium-1.16.5}}\n" \
	"spec: {template: {spec: {containers: [{name: cilium-agent, env: [" host "]}]}}}\n---\n"                                     \
	"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: cilium-operator, namespace: kube-system}\n"                        \
	"spec: {template: {spec: {containers: [{name: cilium-operator, env: [" host "]}]}}}\n---\n"                                  \
	"apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: cilium-envoy, namespace: kube-system}\n---\n"                       \
	"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: hubble-relay, namespace: kube-system}\n"
#define HOST "{name: KUBERNETES_SERVICE_HOST, value: \"${CLUSTER_API_ADDRESS}\"}, {name: KUBERNETES_SERVICE_PORT, value: \"6443\"}"

static void rendered_manifests_are_read_back(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ RENDERED("  kube-proxy-replacement: \"true\"\n", HOST), NULL },
		{ RENDERED("  kube-proxy-replacement: \"false\"\n", HOST), "cilium-config kube-proxy-replacement is false, and kubeProxyReplacement says true" },
		{ RENDERED("", HOST), "cilium-config kube-proxy-replacement is not there" },
		{ RENDERED("  kube-proxy-replacement: \"true\"\n", "{name: KUBERNETES_SERVICE_HOST, value: 127.0.0.1}"),
			"DaemonSet cilium has KUBERNETES_SERVICE_HOST=127.0.0.1, and k8sServiceHost says ${CLUSTER_API_ADDRESS}" },
		{ "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n", "these are no manifests of Cilium" },
	};
	CLEANUP(value_freep) struct value *values = NULL;
	struct diag diag = { 0 };

	assert_int_equal(values_of("", 1016, (struct cluster_facts){ .servers = 1 }, &values, &diag), 0);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(manifest_freep) struct manifest *rendered = NULL;
		CLEANUP(words_done) struct words problems = { 0 };
		assert_int_equal(manifest_parse(rows[i].text, strlen(rows[i].text), "cilium.yaml", &rendered, &diag), 0);
		assert_int_equal(cilium_rendered_check(rendered, values, &problems), 0);
		if (!rows[i].says)
			assert_int_equal(problems.n, 0);
		else if (problems.n == 0 || !strstr(problems.items[0], rows[i].says))
			fail_msg("row %zu: %s", i, problems.n ? problems.items[0] : "(nothing)");
		if (i == 0)
			assert_int_equal(cilium_rendered_version(rendered), 1016);
	}
}

static void files_of_others_come_out_as_they_went_in(void **state)
{
	static const struct {
		const char *text, *escaped;
	} rows[] = {
		{ "nsenter \"${BIN_PATH}/cilium-mount\" $CGROUP_ROOT", "nsenter \"$${BIN_PATH}/cilium-mount\" $CGROUP_ROOT" },
		{ "host: ${CLUSTER_API_ADDRESS}", "host: ${CLUSTER_API_ADDRESS}" },
		{ "${CLUSTER_API_ADDRESS_X}", "$${CLUSTER_API_ADDRESS_X}" },
		{ "${CLUSTER_API_ADDRESS:-x} ${#CLUSTER_API_ADDRESS}", "${CLUSTER_API_ADDRESS:-x} ${#CLUSTER_API_ADDRESS}" },
		{ "pid $$ of $${X}", "pid $$$$ of $$$${X}" },
		{ "^[a-z]+$", "^[a-z]+$" },
		{ "", "" },
	};
	CLEANUP(words_done) struct words known = { 0 };

	assert_int_equal(words_add(&known, "CLUSTER_API_ADDRESS"), 0);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO_FREE char *escaped = escape_text(rows[i].text, &known);
		assert_string_equal(escaped, rows[i].escaped);
	}
}

static void documents_that_flux_leaves_alone_are_left(void **state)
{
	static const char text[] = "--- # one\na: ${X}\n---\nmetadata:\n  annotations:\n    kustomize.toolkit.fluxcd.io/substitute: disabled\n"
				   "b: ${X} $$\n---\nc: ${X}";
	CLEANUP(words_done) struct words known = { 0 };
	AUTO_FREE char *escaped = escape_manifest(text, &known), *nothing = escape_manifest("", &known);

	assert_string_equal(escaped, "--- # one\na: $${X}\n---\nmetadata:\n  annotations:\n    kustomize.toolkit.fluxcd.io/substitute: disabled\n"
				     "b: ${X} $$\n---\nc: $${X}");
	assert_string_equal(nothing, "");
}

static void yaml_is_written_as_it_is_meant(void **state)
{
	static const char text[] = "a: yes\nb: \"yes\"\nc: 007\nd: {e: [], f: [x, {g: 1}]}\nh: \"l1\\nl2\\n\"\ni: \"1.5\"\n\"j: k\": null\n";
	CLEANUP(value_freep) struct value *value = NULL;

	assert_int_equal(yaml_parse(text, strlen(text), 0, "text", &value, NULL), 0);
	AUTO_FREE char *yaml = tree_to_yaml(value);
	assert_string_equal(yaml, "a: true\nb: \"yes\"\nc: \"007\"\nd:\n  e: []\n  f:\n    - x\n    - g: 1\nh: |\n  l1\n  l2\n"
				  "i: \"1.5\"\n\"j: k\": null\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_documented_values_are_there, lists_clear),
		cmocka_unit_test_teardown(bare_metal_needs_more, lists_clear),
		cmocka_unit_test_teardown(a_contradiction_needs_a_word, lists_clear),
		cmocka_unit_test_teardown(renamed_keys_name_the_new_one, lists_clear),
		cmocka_unit_test_teardown(announcing_needs_a_device, lists_clear),
		cmocka_unit_test_teardown(rendered_manifests_are_read_back, lists_clear),
		cmocka_unit_test(files_of_others_come_out_as_they_went_in),
		cmocka_unit_test(documents_that_flux_leaves_alone_are_left),
		cmocka_unit_test(yaml_is_written_as_it_is_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
