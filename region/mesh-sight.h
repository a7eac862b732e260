// From where nodes come to the region, when that is not where their place (mesh-place.h) says. A node that
// comes by two proxies in turn, or now by one and now straight, is in one place all the same: another address
// counts once the node has come from it alone for a while. In memory: after a restart of the region the time
// counts anew. Pure: no store, no clock of its own. It costs a search among the nodes that come from elsewhere.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/store.h"

enum { MESH_SIGHT_SEC = 300 }; // ten statuses of a node without news

struct mesh_sight {
	char id[ID_TEXT], remote[64];
	uint64_t since_usec;
};
struct mesh_sights {
	struct mesh_sight *list;
	size_t n, n_alloc;
};
void mesh_sights_done(struct mesh_sights *sights);

// Node @id came from @remote, which is not what its place says. True: it did so alone for MESH_SIGHT_SEC, and
// is forgotten here. Without memory it is as if it had not come.
bool mesh_sights_stands(struct mesh_sights *sights, const char *id, const char *remote, uint64_t now_usec);
// It came from where its place says, has another place or is no node any more.
void mesh_sights_forget(struct mesh_sights *sights, const char *id);
