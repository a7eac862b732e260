// fuzzes: k3s
// What the API says of an object, of a list of pods, of the kinds it serves: any JSON.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "k3s/object.h"
#include "k3s/readiness.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static const char wanted_yaml[] = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: n}\nspec: {replicas: 2}\n"
				  "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: a, namespace: n}\n"
				  "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: a, namespace: n}\n"
				  "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: a, namespace: n}\n"
				  "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"
				  "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b}\n"
				  "---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a, namespace: n}\n"
				  "---\napiVersion: x.io/v1\nkind: Widget\nmetadata: {name: a, namespace: n}\n";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	static struct manifest *wanted;
	struct value *live CLEANUP(value_freep) = NULL;

	if (!wanted && manifest_parse(wanted_yaml, strlen(wanted_yaml), "fuzz", &wanted, NULL) < 0)
		abort();
	if (json_parse((const char *)bytes, n_bytes, 0, &live, NULL) < 0)
		return 0;
	for (size_t i = 0; i < wanted->n; i++) {
		const struct manifest_object *object = &wanted->objects[i];
		char sentence[512] = "", *path AUTO_FREE = NULL;
		bool ready = object_ready(object, live, i % 2 == 0, sentence);

		if (ready != !*sentence) // not ready has a reason, ready has none
			abort();
		if (object_is_daemon_set(object))
			(void)daemon_set_ready_here(object, live, "node-1", sentence); // only must not crash
		(void)object_predates(object, live, 1700000000);
		if (object_path(object, live, &path) == 0 && (*path != '/' || strstr(path, "..")))
			abort();
	}
	return 0;
}
