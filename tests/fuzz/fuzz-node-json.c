// fuzzes: k3s
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "k3s/health.h"
#include "k3s/lease.h"
#include "k3s/object.h"
#include "k3s/readiness.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

// Whatever etcd and kubelet answer becomes one harmless line.
static void health(const uint8_t *bytes, size_t n_bytes)
{
	char *text AUTO_FREE = strndup((const char *)bytes, n_bytes);
	char sentence[HEALTH_SENTENCE_MAX];

	for (int status = 200; text && status <= 503; status += 303) {
		etcd_health_sentence(status, text, sentence);
		for (const char *c = sentence; *c; c++)
			if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
				abort();
		kubelet_health_sentence(status, text, sentence);
		if (!*sentence != (status == 200))
			abort();
	}
}

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
	size_t n;
	char sentence[512];

	health(bytes, n_bytes);
	if (json_parse((const char *)bytes, n_bytes, 0, &value, NULL) < 0)
		return 0;
	if (node_readiness_from(value, &readiness, NULL) == 0 && !readiness.ready && !*readiness.sentence)
		abort(); // a wait without a reason
	(void)node_label_missing(value, value);
	ranges = node_list_pod_cidrs(value, &n);
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
