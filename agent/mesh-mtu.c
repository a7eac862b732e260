// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-mtu.h"

unsigned mesh_mtu_of_chain(unsigned assigned, unsigned link_mtu)
{
	unsigned carried = link_mtu > MESH_MTU_OVERHEAD ? link_mtu - MESH_MTU_OVERHEAD : 0;
	unsigned mtu = link_mtu && carried < assigned ? carried : assigned;
	return mtu < MESH_MTU_MIN ? MESH_MTU_MIN : mtu;
}

void mesh_mtu_begin(struct mesh_mtu_search *search, unsigned mtu)
{
	*search = (struct mesh_mtu_search){ .size = MESH_MTU_SMALL, .mtu = mtu };
}

static enum mesh_mtu_end try_size(struct mesh_mtu_search *search, unsigned size)
{
	search->size = size;
	search->n_tries = 0;
	return MESH_MTU_GOES_ON;
}

// Whatever was in the way when the search began may have gone meanwhile.
static enum mesh_mtu_end look_again(struct mesh_mtu_search *search)
{
	search->again = true;
	return try_size(search, search->mtu);
}

enum mesh_mtu_end mesh_mtu_answer(struct mesh_mtu_search *search, bool arrived, unsigned *ret_mtu)
{
	if (!arrived && ++search->n_tries < MESH_MTU_TRIES)
		return MESH_MTU_GOES_ON; // one packet may get lost
	if (search->size == MESH_MTU_SMALL)
		return arrived ? try_size(search, search->mtu) : MESH_MTU_UNKNOWN;
	if (arrived && search->size == search->mtu)
		return MESH_MTU_FITS;
	if (search->again) {
		*ret_mtu = search->low ? search->low : MESH_MTU_MIN;
		return search->low ? MESH_MTU_SMALLER : MESH_MTU_TOO_SMALL;
	}
	if (arrived)
		search->low = search->size;
	else
		search->high = search->size;
	if (!search->low && search->high > MESH_MTU_MIN)
		return try_size(search, MESH_MTU_MIN);
	if (!search->low || search->high - search->low <= MESH_MTU_NEAR)
		return look_again(search);
	return try_size(search, search->low + (search->high - search->low) / 2);
}
