// SPDX-License-Identifier: Apache-2.0
#include "image/cilium.h"
#include "base/crypto.h"
#include "image/tree.h"

#include <errno.h>

enum { MESH_MTU = 1420, TUNNEL_BYTES = 50, WIREGUARD_BYTES = 80 };

struct setting {
	const char *key;
	enum value_type type;
	const char *text;
};
static const struct setting documented[] = {
	{ "kubeProxyReplacement", VALUE_BOOL, "true" },
	{ "k8sServiceHost", VALUE_STRING, "${CLUSTER_API_ADDRESS}" }, // ${API_SERVER_IP} of the document
	{ "k8sServicePort", VALUE_NUMBER, "6443" },
	{ "hubble.enabled", VALUE_BOOL, "true" },
	{ "hubble.relay.enabled", VALUE_BOOL, "true" },
	{ "encryption.enabled", VALUE_BOOL, "true" },
	{ "encryption.type", VALUE_STRING, "wireguard" },
	{ "gatewayAPI.enabled", VALUE_BOOL, "true" },
	{ "envoy.enabled", VALUE_BOOL, "true" },
};

// Since @version the key is gone; @now is what to write instead.
static const struct {
	const char *key;
	int version;
	const char *now;
} renamed[] = {
	{ "tunnel", 1015, "routingMode and tunnelProtocol" },
	{ "encryption.keyFile", 1016, "encryption.ipsec.keyFile" },
	{ "encryption.mountPath", 1016, "encryption.ipsec.mountPath" },
	{ "encryption.secretName", 1016, "encryption.ipsec.secretName" },
	{ "encryption.interface", 1016, "encryption.ipsec.interface" },
	{ "encryption.wireguard.userspaceFallback", 1017, "nothing: the kernel's own WireGuard is needed" },
	{ "enableCiliumEndpointSlice", 1018, "ciliumEndpointSlice.enabled" },
	{ "nodePort.enabled", 1019, "kubeProxyReplacement, which brings it" },
	{ "hostPort.enabled", 1018, "kubeProxyReplacement, which brings it" },
	{ "externalIPs.enabled", 1018, "kubeProxyReplacement, which brings it" },
	{ "encryption.strictMode.enabled", 1020, "encryption.strictMode.egress.enabled" },
	{ "encryption.strictMode.cidr", 1020, "encryption.strictMode.egress.cidr" },
};

static int refuse(const struct value *value, struct diag *reterr, const char *key, const char *rule)
{
	char where[64];

	snprintf(where, sizeof(where), "cilium.values %u:%u", value->line, value->column);
	return diag_set(reterr, -EINVAL, where, "%s %s", key, rule);
}

static int renamed_check(const struct cilium_request *request, struct diag *reterr)
{
	const struct value *values = request->recipe->cilium_values;
	const char *replacement = tree_scalar(tree_find(values, "kubeProxyReplacement"));

	for (size_t i = 0; i < N_ELEMENTS(renamed); i++) {
		const struct value *found = tree_find(values, renamed[i].key);
		char rule[200];
		if (!found || (request->version >= 0 && request->version < renamed[i].version))
			continue;
		snprintf(rule, sizeof(rule), "is gone since Cilium %d.%d: write %s", renamed[i].version / 1000,
			renamed[i].version % 1000, renamed[i].now);
		return refuse(found, reterr, renamed[i].key, rule);
	}
	if (replacement && !str_equal(replacement, "true") && !str_equal(replacement, "false"))
		return refuse(tree_find(values, "kubeProxyReplacement"), reterr, "kubeProxyReplacement",
			"must be true or false: strict, partial, probe and disabled are gone since Cilium 1.16");
	return 0;
}

static const char *shown(const struct value *value)
{
	const char *text = tree_scalar(value);

	return text ? text : "something that is no scalar";
}

static int contradictions(const struct cilium_request *request, struct words *overrides, struct diag *reterr)
{
	int rc = 0;

	for (size_t i = 0; i < N_ELEMENTS(documented) && rc == 0; i++) {
		const struct value *own = tree_find(request->recipe->cilium_values, documented[i].key);
		char rule[300];
		if (!own || str_equal(tree_scalar(own), documented[i].text))
			continue;
		snprintf(rule, sizeof(rule), "must be %s as documented, not %.80s (cilium.override: true allows it)",
			documented[i].text, shown(own));
		if (!request->recipe->override)
			return refuse(own, reterr, documented[i].key, rule);
		rc = words_add_format(overrides, "cilium %s is %.80s, documented %s", documented[i].key, shown(own),
			documented[i].text);
	}
	return rc;
}

static int list_put(struct value *values, const struct value *list, const char *key)
{
	int rc = 0;

	for (size_t i = 0; list && i < list->n && rc == 0; i++)
		rc = tree_append(values, VALUE_STRING, value_text(&list->items[i]), key, NULL) ? 0 : -ENOMEM;
	return rc;
}

static int metal_put(const struct cilium_request *request, struct value *values, struct words *advice)
{
	const struct bootstrap_recipe *recipe = request->recipe;
	int64_t mtu = recipe->mtu ? recipe->mtu : request->facts->over_lan ? 0 : MESH_MTU;
	char text[24];
	int rc = tree_put(values, VALUE_STRING, "cluster-pool", "ipam", "mode", NULL);

	if (rc == 0 && !tree_append(values, VALUE_STRING, "${CLUSTER_POD_CIDR}", "ipam", "operator",
			       "clusterPoolIPv4PodCIDRList", NULL))
		rc = -ENOMEM;
	if (rc == 0)
		rc = tree_put(values, VALUE_NUMBER, request->facts->servers > 1 ? "2" : "1", "operator", "replicas", NULL);
	// The network below: Cilium takes its own tunnel and encryption off by itself. 0 lets it look at the devices.
	if (rc == 0 && mtu) {
		snprintf(text, sizeof(text), "%lld", (long long)mtu);
		rc = tree_put(values, VALUE_NUMBER, text, "MTU", NULL);
		if (rc == 0)
			rc = words_add_format(advice, "pods get an MTU of %lld: %lld of the network below less %d of the tunnel and %d of Cilium's encryption",
				(long long)mtu - TUNNEL_BYTES - WIREGUARD_BYTES, (long long)mtu, TUNNEL_BYTES, WIREGUARD_BYTES);
	}
	if (rc == 0)
		rc = list_put(values, recipe->devices, "devices");
	if (rc == 0 && recipe->l2_pool)
		rc = tree_put(values, VALUE_BOOL, "true", "l2announcements", "enabled", NULL);
	if (rc == 0 && recipe->l2_pool && request->version >= 0 && request->version < 1018)
		rc = tree_put(values, VALUE_BOOL, "true", "externalIPs", "enabled", NULL);
	return rc;
}

static bool list_has(const struct value *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *item = value_text(&list->items[i]);
		size_t n = strlen(item);
		if (str_equal(item, text) || (n && item[n - 1] == '+' && strncmp(item, text, n - 1) == 0))
			return true;
	}
	return false;
}

// Cilium announces on the devices it knows only. Interfaces are regular expressions: only plain names can be compared.
static int interfaces_check(const struct bootstrap_recipe *recipe, struct diag *reterr)
{
	for (size_t i = 0; recipe->devices && recipe->l2_interfaces && i < recipe->l2_interfaces->n; i++) {
		const struct value *item = &recipe->l2_interfaces->items[i];
		if (!strpbrk(value_text(item), "^$[]*+?()|\\") && !list_has(recipe->devices, value_text(item)))
			return refuse(item, reterr, value_text(item),
				"of l2.interfaces must be one of cilium.devices, too: Cilium announces on its own devices only");
	}
	return 0;
}

// Keys of the recipe's values that the chart's own values.yaml does not have where it has others.
static int unknown_keys(const struct value *own, const struct value *chart, const char *path, struct words *advice)
{
	int rc = 0;

	for (size_t i = 0; own->type == VALUE_OBJECT && i < own->n && rc == 0; i++) {
		const struct value *known = value_find(chart, own->keys[i]);
		AUTO_FREE char *below = str_format("%s%s%s", path, *path ? "." : "", own->keys[i]);
		if (!below)
			return -ENOMEM;
		if (!known && chart->n > 0)
			rc = words_add_format(advice, "cilium.values %s is not in the chart's values.yaml: is it spelt rightly?", below);
		else if (known && known->type == VALUE_OBJECT)
			rc = unknown_keys(&own->items[i], known, below, advice);
	}
	return rc;
}

int cilium_values(const struct cilium_request *request, struct value **ret, struct words *overrides,
	struct words *advice, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *values = tree_new(VALUE_OBJECT);
	const struct value *own = request->recipe->cilium_values;
	int rc = values ? 0 : -ENOMEM;

	for (size_t i = 0; i < N_ELEMENTS(documented) && rc == 0; i++)
		rc = tree_put_dotted(values, documented[i].type, documented[i].text, documented[i].key);
	if (rc == 0)
		rc = metal_put(request, values, advice);
	if (rc == 0)
		rc = interfaces_check(request->recipe, reterr);
	if (rc == 0 && own)
		rc = renamed_check(request, reterr);
	if (rc == 0 && own)
		rc = contradictions(request, overrides, reterr);
	if (rc == 0 && own && request->chart_values)
		rc = unknown_keys(own, request->chart_values, "", advice);
	if (rc == 0 && own)
		rc = tree_merge(values, own);
	// A null or a map in the way of a documented one would take it away unseen.
	for (size_t i = 0; i < N_ELEMENTS(documented) && rc == 0 && !request->recipe->override; i++)
		if (!str_equal(tree_scalar(tree_find(values, documented[i].key)), documented[i].text))
			rc = diag_set(reterr, -EINVAL, "cilium.values",
				"%s must be %s as documented, and is taken away (cilium.override: true allows it)",
				documented[i].key, documented[i].text);
	if (rc == 0)
		*ret = TAKE_PTR(values);
	return rc;
}

static int head_put(struct value *document, const char *api_version, const char *kind, const char *name)
{
	int rc = tree_put(document, VALUE_STRING, api_version, "apiVersion", NULL);

	if (rc == 0)
		rc = tree_put(document, VALUE_STRING, kind, "kind", NULL);
	return rc < 0 ? rc : tree_put(document, VALUE_STRING, name, "metadata", "name", NULL);
}

int cilium_helm_chart(const struct chart *chart, const struct value *values, struct value **ret)
{
	CLEANUP(value_freep) struct value *document = tree_new(VALUE_OBJECT);
	AUTO_FREE char *content = base64_encode(chart->bytes, chart->n), *yaml = tree_to_yaml(values);
	bool envoy = str_equal(tree_scalar(tree_find(values, "envoy.enabled")), "true");
	int rc = document && content && yaml ? head_put(document, "helm.cattle.io/v1", "HelmChart", "cilium") : -ENOMEM;

	if (rc == 0)
		rc = tree_put(document, VALUE_STRING, "kube-system", "metadata", "namespace", NULL);
	// The job first: as long as it has not run, the others do not say why they are missing.
	if (rc == 0)
		rc = tree_put(document, VALUE_STRING,
			envoy ? "batch/v1 Job kube-system/helm-install-cilium, apps/v1 Deployment kube-system/cilium-operator, "
				"apps/v1 DaemonSet kube-system/cilium, apps/v1 DaemonSet kube-system/cilium-envoy"
			      : "batch/v1 Job kube-system/helm-install-cilium, apps/v1 Deployment kube-system/cilium-operator, "
				"apps/v1 DaemonSet kube-system/cilium",
			"metadata", "annotations", WAITS_FOR, NULL);
	if (rc == 0)
		rc = tree_put(document, VALUE_STRING, "kube-system", "spec", "targetNamespace", NULL);
	if (rc == 0)
		rc = tree_put(document, VALUE_BOOL, "true", "spec", "bootstrap", NULL);
	if (rc == 0)
		rc = tree_put(document, VALUE_STRING, yaml, "spec", "valuesContent", NULL);
	if (rc == 0)
		rc = tree_put(document, VALUE_STRING, content, "spec", "chartContent", NULL);
	if (rc == 0)
		*ret = TAKE_PTR(document);
	return rc;
}

static int block_put(struct value *pool, const char *text)
{
	struct value *block = tree_append(pool, VALUE_OBJECT, NULL, "spec", "blocks", NULL);
	const char *dash = strchr(text, '-');
	AUTO_FREE char *first = dash ? strndup(text, (size_t)(dash - text)) : NULL;
	int rc = block ? 0 : -ENOMEM;

	if (!dash)
		return rc < 0 ? rc : tree_put(block, VALUE_STRING, text, "cidr", NULL);
	if (rc == 0)
		rc = first ? tree_put(block, VALUE_STRING, first, "start", NULL) : -ENOMEM;
	return rc < 0 ? rc : tree_put(block, VALUE_STRING, dash + 1, "stop", NULL);
}

int cilium_l2_objects(const struct bootstrap_recipe *recipe, int version, struct value **ret_pool,
	struct value **ret_policy)
{
	CLEANUP(value_freep) struct value *pool = tree_new(VALUE_OBJECT), *policy = tree_new(VALUE_OBJECT);
	// "v2alpha1 has been deprecated in favor of v2": upgrade notes of 1.19
	bool v2 = version < 0 || version >= 1019;
	int rc = pool && policy ? head_put(pool, v2 ? "cilium.io/v2" : "cilium.io/v2alpha1", "CiliumLoadBalancerIPPool", "lan")
				: -ENOMEM;

	for (size_t i = 0; i < recipe->l2_pool->n && rc == 0; i++)
		rc = block_put(pool, value_text(&recipe->l2_pool->items[i]));
	if (rc == 0)
		rc = head_put(policy, "cilium.io/v2alpha1", "CiliumL2AnnouncementPolicy", "lan");
	for (size_t i = 0; recipe->l2_interfaces && i < recipe->l2_interfaces->n && rc == 0; i++)
		rc = tree_append(policy, VALUE_STRING, value_text(&recipe->l2_interfaces->items[i]), "spec", "interfaces", NULL)
			? 0 : -ENOMEM;
	if (rc == 0)
		rc = tree_put(policy, VALUE_BOOL, "true", "spec", "externalIPs", NULL);
	if (rc == 0)
		rc = tree_put(policy, VALUE_BOOL, "true", "spec", "loadBalancerIPs", NULL);
	if (rc < 0)
		return rc;
	*ret_pool = TAKE_PTR(pool);
	*ret_policy = TAKE_PTR(policy);
	return 0;
}

// ---- reading back

static const struct manifest_object *object_find(const struct manifest *manifest, const char *kind, const char *name)
{
	for (size_t i = 0; i < manifest->n; i++)
		if (str_equal(manifest->objects[i].kind, kind) && str_equal(manifest->objects[i].name, name))
			return &manifest->objects[i];
	return NULL;
}

// The value of the first variable @name of any container of @object; NULL: none.
static const char *environment_find(const struct manifest_object *object, const char *name)
{
	const struct value *containers = object ? tree_find(object->document, "spec.template.spec.containers") : NULL;

	for (size_t i = 0; containers && i < containers->n; i++) {
		const struct value *env = value_find(&containers->items[i], "env");
		for (size_t j = 0; env && j < env->n; j++)
			if (str_equal(value_text(value_find(&env->items[j], "name")), name))
				return tree_scalar(value_find(&env->items[j], "value"));
	}
	return NULL;
}

static int config_compare(const struct manifest_object *config, const struct value *values, const char *value_key,
	const char *config_key, struct words *problems)
{
	const char *wanted = tree_scalar(tree_find(values, value_key));
	const char *is = tree_scalar(value_find(value_find(config->document, "data"), config_key));

	if (!wanted)
		return 0;
	if (!is && str_equal(wanted, "false"))
		return 0; // what is off is not written by every version
	if (str_equal(is, wanted))
		return 0;
	return words_add_format(problems, "cilium-config %s is %s, and %s says %s", config_key, is ? is : "not there", value_key,
		wanted);
}

static int there(const struct manifest *rendered, const struct value *values, const char *value_key, const char *kind,
	const char *name, struct words *problems)
{
	bool wanted = str_equal(tree_scalar(tree_find(values, value_key)), "true");

	if (wanted == (object_find(rendered, kind, name) != NULL))
		return 0;
	return words_add_format(problems, "%s %s is %s, and %s is %s", kind, name, wanted ? "not there" : "there", value_key,
		wanted ? "true" : "not");
}

static int service_compare(const struct manifest *rendered, const struct value *values, struct words *problems)
{
	static const struct {
		const char *key, *name;
	} rows[] = { { "k8sServiceHost", "KUBERNETES_SERVICE_HOST" }, { "k8sServicePort", "KUBERNETES_SERVICE_PORT" } };
	static const struct {
		const char *kind, *name;
	} objects[] = { { "DaemonSet", "cilium" }, { "Deployment", "cilium-operator" } };
	int rc = 0;

	for (size_t i = 0; i < 4 && rc == 0; i++) {
		const char *wanted = tree_scalar(tree_find(values, rows[i % 2].key));
		const char *is = environment_find(object_find(rendered, objects[i / 2].kind, objects[i / 2].name),
			rows[i % 2].name);
		if (wanted && !str_equal(is, wanted))
			rc = words_add_format(problems, "%s %s has %s=%s, and %s says %s", objects[i / 2].kind,
				objects[i / 2].name, rows[i % 2].name, is ? is : "(nothing)", rows[i % 2].key, wanted);
	}
	return rc;
}

int cilium_rendered_check(const struct manifest *rendered, const struct value *values, struct words *problems)
{
	static const struct {
		const char *value_key, *config_key;
	} rows[] = { { "kubeProxyReplacement", "kube-proxy-replacement" }, { "hubble.enabled", "enable-hubble" },
		{ "gatewayAPI.enabled", "enable-gateway-api" }, { "envoy.enabled", "external-envoy-proxy" },
		{ "MTU", "mtu" }, { "ipam.mode", "ipam" }, { "l2announcements.enabled", "enable-l2-announcements" } };
	const struct manifest_object *config = object_find(rendered, "ConfigMap", "cilium-config");
	int rc = 0;

	if (!config)
		return words_add(problems, "ConfigMap cilium-config is not there: these are no manifests of Cilium");
	for (size_t i = 0; i < N_ELEMENTS(rows) && rc == 0; i++)
		rc = config_compare(config, values, rows[i].value_key, rows[i].config_key, problems);
	if (rc == 0 && str_equal(tree_scalar(tree_find(values, "encryption.type")), "wireguard"))
		rc = config_compare(config, values, "encryption.enabled", "enable-wireguard", problems);
	if (rc == 0) {
		const char *pod = tree_scalar(value_find(value_find(config->document, "data"), "cluster-pool-ipv4-cidr"));
		const struct value *list = tree_find(values, "ipam.operator.clusterPoolIPv4PodCIDRList");
		const char *wanted = list && list->n == 1 ? value_text(&list->items[0]) : NULL;
		if (wanted && !str_equal(pod, wanted))
			rc = words_add_format(problems, "cilium-config cluster-pool-ipv4-cidr is %s, and must be %s", pod ? pod : "not there",
				wanted);
	}
	if (rc == 0)
		rc = there(rendered, values, "hubble.relay.enabled", "Deployment", "hubble-relay", problems);
	if (rc == 0)
		rc = there(rendered, values, "envoy.enabled", "DaemonSet", "cilium-envoy", problems);
	return rc < 0 ? rc : service_compare(rendered, values, problems);
}

int cilium_rendered_version(const struct manifest *rendered)
{
	for (size_t i = 0; i < rendered->n; i++) {
		const char *label = value_text(
			value_find(value_path(rendered->objects[i].document, "metadata", "labels", NULL), "helm.sh/chart"));
		if (label && str_starts(label, "cilium-"))
			return chart_version_number(label + strlen("cilium-"));
	}
	return -1;
}
