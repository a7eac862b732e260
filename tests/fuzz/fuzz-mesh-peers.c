// fuzzes: agent
// Answers of GET /v1/mesh: the input is applied as a first answer and then once more as a delta on itself.
// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-health.h"
#include "base/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	struct mesh_peers peers = { 0 };
	for (int i = 0; i < 2; i++) {
		size_t n_before = peers.n;
		if (mesh_peers_update(&peers, (const char *)bytes, n_bytes, NULL) < 0 && peers.n != n_before)
			abort(); // all or nothing
	}
	struct netconf_peer_change *changes = NULL;
	size_t n_changes;
	if (mesh_peers_changes(&peers, &changes, &n_changes) == 0 && n_changes < peers.n)
		abort(); // nothing was set yet: all of it is to be
	free(changes);
	struct netconf_peer_status status[2] = { { .handshake_ago_sec = 1, .endpoint = "192.0.2.1:1" }, { .handshake_ago_sec = -1 } };
	for (size_t i = 0; i < 2 && i < peers.n; i++)
		memcpy(status[i].public_key, peers.peers[i].public_key, sizeof(status[i].public_key));
	struct mesh_view health;
	char sentence[64];
	mesh_health_look(&peers, status, 2, USEC_PER_SEC, &health);
	(void)mesh_peers_settle(&peers);
	mesh_health_sentence(&peers, 10 * USEC_PER_SEC, sentence, sizeof(sentence));
	char *json = mesh_peers_to_json(&peers);
	struct netconf_peer *view = mesh_peers_view(&peers);
	free(view);
	free(json);
	mesh_peers_done(&peers);
	return 0;
}
