// fuzzes: agent
// Answers of GET /v1/mesh: the input is applied as a first answer and then once more as a delta on itself.
// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-peers.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	struct mesh_peers peers = { 0 };
	for (int i = 0; i < 2; i++) {
		size_t n_before = peers.n;
		if (mesh_peers_update(&peers, (const char *)bytes, n_bytes, NULL) < 0 && peers.n != n_before)
			abort(); // all or nothing
	}
	char *json = mesh_peers_to_json(&peers);
	struct netconf_peer *view = mesh_peers_view(&peers);
	free(view);
	free(json);
	mesh_peers_done(&peers);
	return 0;
}
