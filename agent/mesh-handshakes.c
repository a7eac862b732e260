// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-handshakes.h"
#include <errno.h>

void mesh_handshakes_done(struct mesh_handshakes *handshakes)
{
	free(handshakes->before);
	*handshakes = (struct mesh_handshakes){ 0 };
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct mesh_handshake *)a)->public_key, ((const struct mesh_handshake *)b)->public_key);
}

static int take(struct mesh_handshakes *handshakes, const struct netconf_peer_status *status, size_t n)
{
	struct mesh_handshake *before = calloc(n + 1, sizeof(*before));
	if (!before)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		memcpy(before[i].public_key, status[i].public_key, sizeof(before[i].public_key));
		before[i].mark = status[i].handshake_mark;
	}
	qsort(before, n, sizeof(*before), compare);
	handshakes->known = true;
	handshakes->n = n;
	handshakes->before = before;
	return 0;
}

int mesh_handshakes_look(struct mesh_handshakes *handshakes, const struct netconf_peer_status *status, size_t n)
{
	struct mesh_handshake key;
	if (!handshakes->known)
		return take(handshakes, status, n);
	for (size_t i = 0; i < n && !handshakes->seen; i++) {
		if (!status[i].handshake_mark)
			continue; // never
		memcpy(key.public_key, status[i].public_key, sizeof(key.public_key));
		const struct mesh_handshake *found = bsearch(&key, handshakes->before, handshakes->n, sizeof(key), compare);
		handshakes->seen = !found || found->mark != status[i].handshake_mark;
	}
	return 0;
}
