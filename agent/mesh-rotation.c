// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-rotation.h"
#include "base/time.h"
#include "base/util.h"

// The current key is not proven yet.
static enum mesh_rotation_step step_of_trial(const struct mesh_rotation_facts *facts)
{
	const struct mesh_keys *keys = facts->keys;
	if (facts->shook_hands || (facts->region_answers && str_equal(facts->recorded, keys->current)))
		return MESH_ROTATION_PROVEN;
	bool is_wanted = facts->rotates && str_equal(facts->to, keys->current);
	if (facts->region_answers)
		return !is_wanted && str_equal(facts->recorded, keys->old) ? MESH_ROTATION_GO_BACK : MESH_ROTATION_KEEP;
	return facts->now_usec - facts->switched_usec < MESH_ROTATION_PROOF_SEC * USEC_PER_SEC ? MESH_ROTATION_KEEP
											       : MESH_ROTATION_GO_BACK;
}

enum mesh_rotation_step mesh_rotation_next(const struct mesh_rotation_facts *facts)
{
	const struct mesh_keys *keys = facts->keys;
	if (keys->old)
		return step_of_trial(facts);
	if (!facts->region_answers)
		return MESH_ROTATION_KEEP;
	if (!facts->rotates)
		return keys->next ? MESH_ROTATION_DROP_NEXT : MESH_ROTATION_KEEP;
	if (!keys->next) // with a `to` of another key: that one was lost, and the region hears of the new one
		return str_equal(facts->to, keys->current) ? MESH_ROTATION_KEEP : MESH_ROTATION_MAKE_NEXT;
	return facts->may_switch && str_equal(facts->to, keys->next) ? MESH_ROTATION_SWITCH : MESH_ROTATION_KEEP;
}
