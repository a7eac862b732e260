// Kinds before their objects, a network before pods, the Gateway API before Cilium.
// SPDX-License-Identifier: Apache-2.0
#include "image/preflight.h"
#include "base/crypto.h"
#include "image/chart.h"
#include "image/tree.h"

#include <errno.h>

// Served by the API server, and by K3s' own controllers, before any stage.
static bool group_built_in(const char *group)
{
	static const char *const groups[] = { "", "apps", "batch", "autoscaling", "policy", "helm.cattle.io", "k3s.cattle.io",
		"rbac.authorization.k8s.io", "apiextensions.k8s.io", "networking.k8s.io", "storage.k8s.io", "scheduling.k8s.io",
		"admissionregistration.k8s.io", "apiregistration.k8s.io", "coordination.k8s.io", "certificates.k8s.io",
		"discovery.k8s.io", "node.k8s.io", "events.k8s.io", "flowcontrol.apiserver.k8s.io", "resource.k8s.io",
		"authentication.k8s.io", "authorization.k8s.io" };

	for (size_t i = 0; i < N_ELEMENTS(groups); i++)
		if (str_equal(group, groups[i]))
			return true;
	return false;
}

static bool crd_is_of(const struct bundle_object *crd, const char *group, const char *kind)
{
	const struct value *spec = value_find(crd->object->document, "spec");

	return bundle_is(crd, "apiextensions.k8s.io", "CustomResourceDefinition") &&
	       str_equal(value_text(value_find(spec, "group")), group) &&
	       str_equal(value_text(value_path(spec, "names", "kind", NULL)), kind);
}

static bool is_cilium(const struct bundle_object *object)
{
	return str_equal(object->object->name, "cilium") &&
	       (bundle_is(object, "apps", "DaemonSet") || bundle_is(object, "helm.cattle.io", "HelmChart") ||
		       bundle_is(object, "helm.toolkit.fluxcd.io", "HelmRelease"));
}

static const struct bundle_object *cilium_find(const struct bundle *bundle)
{
	for (size_t i = 0; i < bundle->n; i++)
		if (is_cilium(&bundle->objects[i]))
			return &bundle->objects[i];
	return NULL;
}

static bool crd_in_time(const struct bundle *bundle, const struct bundle_object *crd, const struct bundle_object *object)
{
	if (crd->stage != BUNDLE_TREE || object->stage != BUNDLE_TREE)
		return crd->stage <= object->stage; // within a stage K3s tries again until it is there
	return crd->group == object->group || preflight_before(bundle, crd->group, object->group);
}

static int kind_check(const struct bundle *bundle, const struct bundle_object *object, struct words *problems)
{
	AUTO_FREE char *group = bundle_api_group(object->object->api_version);
	const struct bundle_object *late = NULL, *cilium = cilium_find(bundle);

	if (!group)
		return -ENOMEM;
	if (group_built_in(group) || str_equal(group, "kustomize.config.k8s.io"))
		return 0;
	if (str_equal(group, "cilium.io") && cilium && cilium->stage <= object->stage)
		return 0; // its operator makes them
	for (size_t i = 0; i < bundle->n; i++) {
		if (!crd_is_of(&bundle->objects[i], group, object->object->kind))
			continue;
		if (crd_in_time(bundle, &bundle->objects[i], object))
			return 0;
		late = &bundle->objects[i];
	}
	if (late && late->stage == BUNDLE_TREE && object->stage == BUNDLE_TREE)
		return words_add_format(problems, "%s: %s %s is of a kind whose CRD Kustomization %s brings, and Kustomization %s does not depend on it",
			object->where, object->object->kind, object->object->name,
			bundle->objects[late->group].object->name, bundle->objects[object->group].object->name);
	if (late)
		return words_add_format(problems, "%s: %s %s is of a kind whose CRD comes in a later stage (%s)", object->where,
			object->object->kind, object->object->name, late->where);
	if (object->stage == BUNDLE_TREE)
		return 0; // a chart may bring it
	return words_add_format(problems, "%s: no stage brings the CRD of %s %s (%s)", object->where, object->object->kind,
		object->object->name, object->object->api_version);
}

// The pod's spec of a workload; NULL: it is none.
static const struct value *pod_spec(const struct bundle_object *object)
{
	const struct value *spec = value_find(object->object->document, "spec");

	if (bundle_is(object, "", "Pod"))
		return spec;
	if (bundle_is(object, "apps", "Deployment") || bundle_is(object, "apps", "DaemonSet") ||
		bundle_is(object, "apps", "StatefulSet") || bundle_is(object, "batch", "Job"))
		return value_path(spec, "template", "spec", NULL);
	return NULL;
}

static int network_check(const struct bundle *bundle, const struct cluster_facts *facts, struct preflight *preflight)
{
	const struct bundle_object *cilium = cilium_find(bundle), *first = NULL;
	bool network = facts->own_cni;
	int rc = 0;

	for (size_t i = 0; i < bundle->n && rc == 0; i++) {
		const struct bundle_object *object = &bundle->objects[i];
		const struct value *spec = pod_spec(object);
		bool on_host = str_equal(tree_scalar(value_find(spec, "hostNetwork")), "true");
		if (object->stage == BUNDLE_CNI && ((spec && on_host) || bundle_is(object, "helm.cattle.io", "HelmChart")))
			network = true;
		if (!spec || on_host)
			continue;
		if (object->stage == BUNDLE_CRDS && !facts->own_cni)
			rc = words_add_format(&preflight->problems, "%s: %s %s would wait for a network, and the stage that brings it waits for this one",
				object->where, object->object->kind, object->object->name);
		if (!first && object->stage > BUNDLE_CNI)
			first = object;
	}
	if (rc < 0)
		return rc;
	if (facts->own_cni && cilium && cilium->stage == BUNDLE_CNI)
		return words_add(&preflight->problems, "cluster.yaml says k3s.cni: bridge, hearthd's own network, and 20-cni brings Cilium: say k3s.cni: none");
	if (network)
		return 0;
	if (cilium && cilium->stage > BUNDLE_CNI)
		return words_add_format(&preflight->problems, "%s: Cilium would come by Flux, whose pods wait for a network: it must be in 20-cni first; Flux adopts it there",
			cilium->where);
	if (first && facts->known)
		return words_add_format(&preflight->problems, "%s: %s %s would wait for a network for ever: 20-cni brings none, and k3s.cni is not bridge",
			first->where, first->object->kind, first->object->name);
	return first ? words_add(&preflight->advice, "20-cni brings no network: k3s.cni of cluster.yaml must be bridge then") : 0;
}

/* Chart and settings of a Cilium in 20-cni: its version, -1 unknown. *ret_gateway: the Gateway API is switched on. */
static int cilium_look(const struct bundle *bundle, const struct bundle_object *cilium, bool *ret_gateway)
{
	const char *content = value_text(value_path(cilium->object->document, "spec", "chartContent", NULL));
	const char *values = value_text(value_path(cilium->object->document, "spec", "valuesContent", NULL));
	const char *label = value_text(
		value_find(value_path(cilium->object->document, "metadata", "labels", NULL), "helm.sh/chart"));
	CLEANUP(chart_freep) struct chart *chart = NULL;
	AUTO_FREE uint8_t *bytes = NULL;
	size_t n = 0;

	*ret_gateway = values && strstr(values, "gatewayAPI:\n  enabled: true");
	for (size_t i = 0; i < bundle->n && !values; i++)
		if (str_equal(bundle->objects[i].object->name, "cilium-config") &&
			str_equal(tree_scalar(value_path(bundle->objects[i].object->document, "data", "enable-gateway-api", NULL)),
				"true"))
			*ret_gateway = true;
	if (content && base64_decode(content, &bytes, &n) == 0 && chart_parse((char *)bytes, n, "chart", &chart, NULL) == 0)
		return chart_version_number(chart->version);
	return label && str_starts(label, "cilium-") ? chart_version_number(label + strlen("cilium-")) : -1;
}

static int gateway_check(const struct bundle *bundle, struct preflight *preflight)
{
	// Cilium's documents, "Gateway API Support", prerequisites
	static const char *const kinds[] = { "GatewayClass", "Gateway", "HTTPRoute", "GRPCRoute", "ReferenceGrant", "TLSRoute" };
	const struct bundle_object *cilium = cilium_find(bundle);
	bool gateway;
	int version, rc = 0;

	if (!cilium || cilium->stage != BUNDLE_CNI)
		return 0;
	version = cilium_look(bundle, cilium, &gateway);
	for (size_t i = 0; i < N_ELEMENTS(kinds) && rc == 0 && gateway; i++) {
		bool there = false, optional = str_equal(kinds[i], "TLSRoute");
		for (size_t j = 0; j < bundle->n; j++)
			there = there || (bundle->objects[j].stage == BUNDLE_CRDS &&
						 crd_is_of(&bundle->objects[j], "gateway.networking.k8s.io", kinds[i]));
		if (!there && !optional)
			rc = words_add_format(&preflight->problems, "10-crds must bring the Gateway API's %s: Cilium's operator looks for it once, when it starts",
				kinds[i]);
		else if (!there && (version < 0 || version == 1016))
			rc = words_add(&preflight->advice, "Cilium 1.16 was seen to need the experimental TLSRoute CRD (Gateway API v1.1.0), and 10-crds does not bring it");
	}
	return rc;
}

int preflight_order(const struct bundle *bundle, const struct cluster_facts *facts, struct preflight *preflight)
{
	int rc = 0;

	for (size_t i = 0; i < bundle->n && rc == 0; i++)
		rc = kind_check(bundle, &bundle->objects[i], &preflight->problems);
	if (rc == 0)
		rc = network_check(bundle, facts, preflight);
	return rc < 0 ? rc : gateway_check(bundle, preflight);
}
