// MTU, MAC, up and down of links, in the order in which the kernel takes them.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/plan-parts.h"

#include <errno.h>

bool plan_is_up_at_end(const struct plan_link *link)
{
	switch (link->declaration->activation) {
	case ACTIVATION_UP:
		return !link->parent || plan_is_up_at_end(link->parent); // a VLAN cannot be up on one that is down
	case ACTIVATION_MANUAL:
		return link->is_up;
	case ACTIVATION_OFF:
		break;
	}
	return false;
}

static bool is_bond_port(const struct plan_link *link)
{
	return link->master && link->master->declaration->kind == DECLARATION_BOND;
}

// A new VLAN has that of what it stands on; 0: what the kernel gives a new link.
static uint32_t mtu_before(const struct plan_link *link)
{
	if (link->have)
		return link->have->mtu;
	return link->parent ? mtu_before(link->parent) : 0;
}

// What the link has when all is done; 0: what the kernel gives a new one.
static uint32_t mtu_at_end(const struct plan_link *link)
{
	if (link->declaration->mtu)
		return link->declaration->mtu;
	if (link->have)
		return link->have->mtu;
	return link->parent ? mtu_at_end(link->parent) : 0;
}

// The bond gives its MTU to its ports, whatever they had.
static bool gets_bond_mtu(const struct plan_link *link)
{
	uint32_t mtu = is_bond_port(link) ? link->master->declaration->mtu : 0;
	return is_bond_port(link) && (link->takes_mtu || (mtu && mtu != mtu_before(link->master)));
}

// 0: nothing to do
static uint32_t wanted_mtu(const struct plan_link *link)
{
	if (link->declaration->mtu) {
		uint32_t now = gets_bond_mtu(link) ? mtu_at_end(link->master) : link->is_lost_mtu ? 0 : mtu_before(link);
		return now != link->declaration->mtu ? link->declaration->mtu : 0;
	}
	// a VLAN is made with the MTU that its parent has then, and does not grow with it
	if (link->have || !link->parent)
		return 0;
	return mtu_at_end(link->parent) != mtu_before(link->parent) ? mtu_at_end(link->parent) : 0;
}

static bool shrinks(const struct plan_link *link, uint32_t mtu)
{
	return mtu && link->have && mtu < link->have->mtu && !is_bond_port(link);
}

static bool needs_mac(const struct plan_link *link)
{
	const struct declaration *declaration = link->declaration;
	if (!declaration->has_mac || is_bond_port(link)) // those have the bond's
		return false;
	return !link->have || link->is_lost_mac || !link->have->has_mac || memcmp(link->have->mac, declaration->mac, 6) != 0;
}

// VLANs before what they stand on.
static int plan_shrinks(struct planning *planning)
{
	for (size_t i = planning->claims.n; i-- > 0;) {
		const struct plan_link *link = planning->order[i];
		uint32_t mtu = wanted_mtu(link);
		if (!shrinks(link, mtu))
			continue;
		struct change *change = plan_add_to(planning, CHANGE_LINK_SET, link);
		if (!change)
			return -ENOMEM;
		change->set.mtu = mtu;
	}
	return 0;
}

// Where networkd is at work it takes them itself: what the kernel took before it looked would stay.
static bool kernel_takes_ra(const struct planning *planning, const struct declaration *declaration)
{
	return !planning->input->has_files && (!declaration->has_accept_ra || declaration->accept_ra);
}

// networkd sees to its links itself.
static bool sets_ra(const struct planning *planning, const struct plan_link *link)
{
	const struct declaration *declaration = link->declaration;
	return !planning->input->has_files && declaration->has_accept_ra && link->have && link->have->has_ra &&
	       link->have->takes_ra != declaration->accept_ra;
}

static int plan_set(struct planning *planning, const struct plan_link *link)
{
	uint32_t mtu = wanted_mtu(link);
	uint8_t lasting[6];
	bool lasts = link->have && plan_bridge_mac(planning, link, lasting);
	bool set_mtu = mtu && !shrinks(link, mtu), set_mac = lasts || needs_mac(link), will_be_up = plan_is_up_at_end(link);
	bool up = will_be_up && !link->is_up, down = link->declaration->activation == ACTIVATION_OFF && link->is_up;
	planning->plan->comes_in_two |= plan_bridge_mac_comes_later(planning, link);
	if (down)
		plan_cycle(planning, link);
	bool set_ra = sets_ra(planning, link);
	if (!set_mtu && !set_mac && !up && !down && !set_ra)
		return 0;
	struct change *change = plan_add_to(planning, CHANGE_LINK_SET, link);
	if (!change)
		return -ENOMEM;
	change->set.mtu = set_mtu ? mtu : 0;
	change->set.up = up;
	change->set.no_kernel_ra = up && !kernel_takes_ra(planning, link->declaration);
	change->set.sets_ra = set_ra;
	change->set.takes_ra = set_ra && link->declaration->accept_ra;
	change->set.down = down;
	change->set.has_mac = set_mac;
	if (set_mac)
		memcpy(change->set.mac, lasts ? lasting : link->declaration->mac, sizeof(change->set.mac));
	return 0;
}

int plan_settings(struct planning *planning)
{
	int error = plan_shrinks(planning);
	for (size_t i = 0; error == 0 && i < planning->claims.n; i++)
		error = plan_set(planning, planning->order[i]);
	return error;
}
