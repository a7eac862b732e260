// SPDX-License-Identifier: Apache-2.0
#include "region/mesh-sight.h"

#include "base/time.h"

void mesh_sights_done(struct mesh_sights *sights)
{
	free(sights->list);
	*sights = (struct mesh_sights){ 0 };
}

static struct mesh_sight *find(const struct mesh_sights *sights, const char *id)
{
	for (size_t i = 0; i < sights->n; i++)
		if (str_equal(sights->list[i].id, id))
			return &sights->list[i];
	return NULL;
}

static struct mesh_sight *add(struct mesh_sights *sights, const char *id)
{
	if (sights->n == sights->n_alloc) {
		size_t n = sights->n_alloc ? sights->n_alloc * 2 : 16;
		struct mesh_sight *more = reallocarray(sights->list, n, sizeof(*more));
		if (!more)
			return NULL;
		sights->list = more;
		sights->n_alloc = n;
	}
	struct mesh_sight *sight = &sights->list[sights->n++];
	*sight = (struct mesh_sight){ 0 };
	(void)snprintf(sight->id, sizeof(sight->id), "%s", id);
	return sight;
}

bool mesh_sights_stands(struct mesh_sights *sights, const char *id, const char *remote, uint64_t now_usec)
{
	struct mesh_sight *sight = find(sights, id);
	if (sight && str_equal(sight->remote, remote)) {
		bool stands = now_usec - sight->since_usec >= MESH_SIGHT_SEC * USEC_PER_SEC;
		if (stands)
			mesh_sights_forget(sights, id);
		return stands;
	}
	if (!sight && !(sight = add(sights, id)))
		return false;
	(void)snprintf(sight->remote, sizeof(sight->remote), "%s", remote);
	sight->since_usec = now_usec;
	return false;
}

void mesh_sights_forget(struct mesh_sights *sights, const char *id)
{
	struct mesh_sight *sight = find(sights, id);
	if (sight)
		*sight = sights->list[--sights->n];
}
