// fuzzes: k3s
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "k3s/lease.h"
#include "k3s/object.h"
#include "k3s/readiness.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	static const struct {
		const char *api_version, *kind;
	} kinds[] = {{"apps/v1", "Deployment"}, {"apps/v1", "DaemonSet"}, {"batch/v1", "Job"}, {"v1", "Namespace"},
		{"kustomize.toolkit.fluxcd.io/v1", "Kustomization"}};
	struct value *value CLEANUP(value_freep) = NULL;
	struct node_readiness readiness;
	struct lease_seen seen = {0};
	char *ranges AUTO_FREE = NULL;
	char sentence[512];

	if (json_parse((const char *)bytes, n_bytes, 0, &value, NULL) < 0)
		return 0;
	if (node_readiness_from(value, &readiness, NULL) == 0 && !readiness.ready && !*readiness.sentence)
		abort(); // a wait without a reason
	(void)node_label_missing(value, value);
	ranges = node_list_pod_cidrs(value);
	for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
		struct manifest_object object = {.api_version = (char *)kinds[i].api_version, .kind = (char *)kinds[i].kind,
			.name = (char *)"x"};
		char *path AUTO_FREE = NULL;

		if (object_ready(&object, value, false, sentence) != !*sentence)
			abort();
		if (daemon_set_ready_here(&object, value, "n1", sentence) != !*sentence)
			abort();
		if (object_path(&object, value, &path) == 0 && *path != '/')
			abort();
	}
	(void)lease_step(&seen, value, "me", 1);
	return 0;
}
