// Live objects against wanted ones, and their paths.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "k3s/object.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct value *json(const char *text)
{
	struct value *value = NULL;

	assert_int_equal(json_parse(text, strlen(text), 0, &value, NULL), 0);
	return value;
}

static struct manifest_object wanted(const char *api_version, const char *kind)
{
	return (struct manifest_object){.api_version = (char *)api_version, .kind = (char *)kind, .name = (char *)"x"};
}

static void objects_are_ready_by_their_kind(void **state)
{
	static const struct {
		const char *api_version, *kind, *live;
		bool one, ready;
		const char *says;
	} rows[] = {
		{"v1", "ConfigMap", NULL, false, false, "is not there yet"},
		{"v1", "ConfigMap", "{}", false, true, ""},
		{"v1", "Namespace", "{\"status\":{\"phase\":\"Active\"}}", false, true, ""},
		{"v1", "Namespace", "{\"status\":{\"phase\":\"Terminating\"}}", false, false, "is not Active"},
		{"apps/v1", "Deployment", "{\"spec\":{\"replicas\":2},\"status\":{\"updatedReplicas\":2,\"availableReplicas\":2}}",
			false, true, ""},
		{"apps/v1", "Deployment", "{\"spec\":{\"replicas\":2},\"status\":{\"updatedReplicas\":2,\"availableReplicas\":1}}",
			false, false, "1 of 2 replicas"},
		{"apps/v1", "Deployment", "{\"spec\":{\"replicas\":2},\"status\":{\"updatedReplicas\":2,\"availableReplicas\":1}}",
			true, true, ""},
		{"apps/v1", "Deployment",
			"{\"metadata\":{\"generation\":2},\"spec\":{\"replicas\":1},\"status\":{\"observedGeneration\":1,"
			"\"updatedReplicas\":1,\"availableReplicas\":1}}",
			false, false, "has not seen it"},
		{"apps/v1", "Deployment", "{\"spec\":{\"replicas\":0}}", false, true, ""},
		{"apps/v1", "Deployment", "{}", false, false, "0 of 1"},
		{"apps/v1", "StatefulSet", "{\"spec\":{\"replicas\":3},\"status\":{\"readyReplicas\":2}}", false, false, "2 of 3"},
		{"apps/v1", "StatefulSet",
			"{\"spec\":{\"replicas\":3},\"status\":{\"readyReplicas\":3,\"updatedReplicas\":1}}", false, false,
			"1 of 3 replicas are updated"},
		{"apps/v1", "StatefulSet",
			"{\"spec\":{\"replicas\":3,\"updateStrategy\":{\"rollingUpdate\":{\"partition\":2}}},"
			"\"status\":{\"readyReplicas\":3,\"updatedReplicas\":1}}", false, true, ""},
		{"apps/v1", "StatefulSet",
			"{\"spec\":{\"replicas\":3,\"updateStrategy\":{\"type\":\"OnDelete\"}},"
			"\"status\":{\"readyReplicas\":3}}", false, true, ""},
		{"apps/v1", "DaemonSet",
			"{\"status\":{\"desiredNumberScheduled\":2,\"numberReady\":2,\"updatedNumberScheduled\":2}}", false, true,
			""},
		{"apps/v1", "DaemonSet", "{\"status\":{\"desiredNumberScheduled\":2,\"numberReady\":1}}", false, false, "1 of 2"},
		{"apiextensions.k8s.io/v1", "CustomResourceDefinition",
			"{\"status\":{\"conditions\":[{\"type\":\"Established\",\"status\":\"True\"}]}}", false, true, ""},
		{"apiextensions.k8s.io/v1", "CustomResourceDefinition", "{}", false, false, "is not Established"},
		{"batch/v1", "Job", "{\"status\":{\"conditions\":[{\"type\":\"Complete\",\"status\":\"True\"}]}}", false, true, ""},
		{"batch/v1", "Job", "{\"status\":{\"conditions\":[{\"type\":\"Failed\",\"status\":\"True\",\"message\":\"m\"}]}}",
			false, false, "has failed: m"},
		{"kustomize.toolkit.fluxcd.io/v1", "Kustomization", "{}", false, false, "is not Ready yet"},
		{"kustomize.toolkit.fluxcd.io/v1", "Kustomization",
			"{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\",\"message\":\"no path\"}]}}", false,
			false, "is not Ready yet: no path"},
		{"kustomize.toolkit.fluxcd.io/v1", "Kustomization",
			"{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}", false, true, ""},
		{"source.toolkit.fluxcd.io/v1", "HelmRepository", "{\"spec\":{}}", false, false, "is not Ready yet"},
		{"source.toolkit.fluxcd.io/v1", "HelmRepository", "{\"spec\":{\"type\":\"oci\"}}", false, true, ""},
		{"notification.toolkit.fluxcd.io/v1beta3", "Alert", "{}", false, true, ""},
		{"notification.toolkit.fluxcd.io/v1", "Receiver", "{}", false, false, "is not Ready yet"},
		{"example.org/v1", "Thing", "{}", false, true, ""},
		{"example.org/v1", "Thing", "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\"}]}}", false, false,
			"is not Ready"},
		{"example.org/v1", "Deployment", "{}", false, true, ""}, // the kind of another group
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct manifest_object object = wanted(rows[i].api_version, rows[i].kind);
		struct value *live CLEANUP(value_freep) = rows[i].live ? json(rows[i].live) : NULL;
		char sentence[512];

		if (object_ready(&object, live, rows[i].one, sentence) != rows[i].ready)
			fail_msg("%s %s: %s", rows[i].kind, rows[i].live, sentence);
		if (!strstr(sentence, rows[i].says))
			fail_msg("%s: %s, not %s", rows[i].kind, sentence, rows[i].says);
	}
}

static void a_daemon_set_counts_here_by_its_pod(void **state)
{
#define POD(owner, node, ready)                                                                    \
	"{\"metadata\":{\"ownerReferences\":[{\"kind\":\"DaemonSet\",\"name\":\"" owner "\"}]},\"spec\":{\"nodeName\":\"" node \
	"\"},\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"" ready "\",\"message\":\"m\"}]}}"
	static const struct {
		const char *pods;
		bool ready;
		const char *says;
	} rows[] = {
		{"{\"items\":[" POD("x", "here", "True") "]}", true, ""},
		{"{\"items\":[" POD("x", "here", "False") "]}", false, "its pod on here is not Ready: m"},
		{"{\"items\":[" POD("x", "there", "True") "]}", false, "has no pod on here yet"},
		{"{\"items\":[" POD("y", "here", "True") "]}", false, "has no pod on here yet"},
		{"{}", false, "has no pod on here yet"},
	};
	struct manifest_object object = wanted("apps/v1", "DaemonSet");

	assert_true(object_is_daemon_set(&object));
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct value *pods CLEANUP(value_freep) = json(rows[i].pods);
		char sentence[512];

		assert_int_equal(daemon_set_ready_here(&object, pods, "here", sentence), rows[i].ready);
		assert_non_null(strstr(sentence, rows[i].says));
	}
}

static void paths_come_from_discovery(void **state)
{
	struct value *list CLEANUP(value_freep) =
		json("{\"resources\":[{\"name\":\"things/status\",\"kind\":\"Thing\",\"namespaced\":true},{\"name\":\"things\","
		     "\"kind\":\"Thing\",\"namespaced\":true},{\"name\":\"worlds\",\"kind\":\"World\",\"namespaced\":false}]}");
	static const struct {
		const char *kind, *namespace, *name, *path;
		int r;
	} rows[] = {
		{"Thing", "ns", "x", "/apis/example.org/v1/namespaces/ns/things/x", 0},
		{"Thing", NULL, "x", "/apis/example.org/v1/namespaces/default/things/x", 0},
		{"World", "ns", "x", "/apis/example.org/v1/worlds/x", 0},
		{"Other", NULL, "x", NULL, -ENOENT},
		{"Thing", NULL, "../x", NULL, -EINVAL},
		{"Thing", "a/b", "x", NULL, -EINVAL},
		{"Thing", NULL, "x?y", NULL, -EINVAL},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct manifest_object object = {.api_version = (char *)"example.org/v1", .kind = (char *)rows[i].kind,
			.name = (char *)rows[i].name, .namespace = (char *)rows[i].namespace};
		char *path AUTO_FREE = NULL;

		assert_int_equal(object_path(&object, list, &path), rows[i].r);
		if (rows[i].path)
			assert_string_equal(path, rows[i].path);
	}
}

static void discovery_of_core_and_groups(void **state)
{
	char *core AUTO_FREE = object_discovery_path("v1"), *group AUTO_FREE = object_discovery_path("apps/v1");

	assert_string_equal(core, "/api/v1");
	assert_string_equal(group, "/apis/apps/v1");
}

static void what_was_there_before_its_file_is_known(void **state)
{
	struct manifest_object x = wanted("apps/v1", "DaemonSet");
	static const struct {
		const char *live;
		bool before;
	} rows[] = {
		{"{\"metadata\":{\"creationTimestamp\":\"1970-01-01T00:01:39Z\"}}", true},
		{"{\"metadata\":{\"creationTimestamp\":\"1970-01-01T00:01:40Z\"}}", false},
		{"{\"metadata\":{}}", false},
		{"{\"items\":[{\"metadata\":{\"creationTimestamp\":\"1970-01-01T00:01:39Z\","
		 "\"ownerReferences\":[{\"kind\":\"DaemonSet\",\"name\":\"x\"}]}}]}", true},
		{"{\"items\":[{\"metadata\":{\"creationTimestamp\":\"1970-01-01T00:01:39Z\","
		 "\"ownerReferences\":[{\"kind\":\"DaemonSet\",\"name\":\"other\"}]}}]}", false},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct value *live CLEANUP(value_freep) = json(rows[i].live);

		assert_int_equal(object_predates(&x, live, 100), rows[i].before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_there_before_its_file_is_known),
		cmocka_unit_test(objects_are_ready_by_their_kind),
		cmocka_unit_test(a_daemon_set_counts_here_by_its_pod),
		cmocka_unit_test(paths_come_from_discovery),
		cmocka_unit_test(discovery_of_core_and_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
