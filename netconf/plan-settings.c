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

// What the link has when all is done; 0: what the kernel gives a new one, or what a port had before its bond.
static uint32_t mtu_at_end(const struct plan_link *link)
{
	if (link->declaration->mtu)
		return link->declaration->mtu;
	if (link->have)
		return link->is_lost_mtu ? 0 : link->have->mtu;
	return link->parent ? mtu_at_end(link->parent) : 0;
}

// The bond gives its MTU to its ports, whatever they had.
static bool gets_bond_mtu(const struct plan_link *link)
{
	uint32_t mtu = is_bond_port(link) ? link->master->declaration->mtu : 0;
	return is_bond_port(link) && (link->takes_mtu || (mtu && mtu != mtu_before(link->master)));
}

// What a bridge has when nobody said another one; 0: it has no ports, or it is not known.
static uint32_t least_mtu_of_ports(const struct planning *planning, const struct plan_link *bridge)
{
	const uint32_t usual = 1500;
	uint32_t least = 0;
	for (size_t i = 0; i < planning->claims.n; i++) {
		const struct plan_link *port = &planning->links[i];
		if (port->master != bridge)
			continue;
		if (port->is_lost_mtu && !port->declaration->mtu)
			return 0;
		uint32_t mtu = mtu_at_end(port) ? mtu_at_end(port) : usual;
		least = least == 0 || mtu < least ? mtu : least;
	}
	return least;
}

// What a VLAN, or a VLAN on it, stands on in the end; else the link itself.
static const struct plan_link *below_vlans(const struct plan_link *link)
{
	while (link->declaration->kind == DECLARATION_VLAN && link->parent)
		link = link->parent;
	return link;
}

// May the MTU it has not last, because it is a bridge whose ports come and go or stands on one?
static bool dips(const struct planning *planning, const struct plan_link *link)
{
	const struct plan_link *bridge = below_vlans(link);
	if (!link->dips)
		return false;
	uint32_t least = least_mtu_of_ports(planning, bridge);
	return bridge->declaration->mtu ? least != bridge->declaration->mtu : link != bridge && link->have && link->have->mtu <= least;
}

// Does a VLAN stand on a port that leaves its bond? Its MTU sinks with that one's.
static bool sinks_with_port(const struct plan_link *link)
{
	for (const struct plan_link *below = link; below->declaration->kind == DECLARATION_VLAN && below->parent;) {
		below = below->parent;
		if (below->is_lost_mtu)
			return true;
	}
	return false;
}

// 0: nothing to do
static uint32_t wanted_mtu(const struct planning *planning, const struct plan_link *link)
{
	bool may_sink = dips(planning, link) || sinks_with_port(link), is_lost = link->is_lost_mtu || may_sink;
	if (link->declaration->mtu) {
		uint32_t now = gets_bond_mtu(link) ? mtu_at_end(link->master) : is_lost ? 0 : mtu_before(link);
		return now != link->declaration->mtu ? link->declaration->mtu : 0;
	}
	if (!link->parent)
		return 0;
	uint32_t below = mtu_at_end(link->parent);
	if (link->have) // the kernel lowers it with what is below, and does not raise it again
		return may_sink && link->have->mtu <= below ? link->have->mtu : 0;
	// a VLAN is made with the MTU that its parent has then, and does not grow with it
	return may_sink || below != mtu_before(link->parent) ? below : 0;
}

// One that has sunk with what is below is raised, behind that.
static bool shrinks(const struct plan_link *link, uint32_t mtu)
{
	bool may_have_sunk = sinks_with_port(link) || (link->dips && link->declaration->kind == DECLARATION_VLAN);
	return mtu && link->have && mtu < link->have->mtu && !is_bond_port(link) && !may_have_sunk;
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
		uint32_t mtu = wanted_mtu(planning, link);
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

// The kernel brings all VLANs of a link up with it.
static bool comes_up_with_parent(const struct planning *planning, const struct plan_link *link)
{
	const struct plan_link *parent = link->declaration->kind == DECLARATION_VLAN ? link->parent : NULL;
	if (!parent || parent->declaration->activation == ACTIVATION_OFF)
		return false;
	if (comes_up_with_parent(planning, parent))
		return true;
	bool was_up = parent->have && parent->is_up && (parent->have->flags & IFF_UP) &&
		      plan_fate(planning, parent->have->index) != LINK_CYCLES;
	return plan_is_up_at_end(parent) && !was_up;
}

static bool loses_port_at_end(const struct planning *planning, const struct plan_link *bridge)
{
	for (size_t i = 0; bridge->have && i < planning->kernel->n_links; i++)
		if (planning->kernel->links[i].master_index == bridge->have->index && planning->fates[i] == LINK_GOES)
			return true;
	return false;
}

// Is a VLAN to have more than the bridge below it, which grows when a port of it is removed behind everything?
static bool waits_for_bridge(const struct planning *planning, const struct plan_link *link, uint32_t mtu)
{
	const struct plan_link *below = below_vlans(link);
	return mtu && below != link && below->declaration->kind == DECLARATION_BRIDGE && !below->declaration->mtu && below->have &&
	       mtu > below->have->mtu && loses_port_at_end(planning, below);
}

static int plan_set(struct planning *planning, const struct plan_link *link)
{
	uint32_t mtu = wanted_mtu(planning, link);
	if (waits_for_bridge(planning, link, mtu)) {
		planning->plan->comes_in_two = true;
		mtu = 0;
	}
	uint8_t lasting[6];
	bool lasts = link->have && plan_bridge_mac(planning, link, lasting);
	bool set_mtu = mtu && !shrinks(link, mtu), set_mac = lasts || needs_mac(link), will_be_up = plan_is_up_at_end(link);
	bool up = will_be_up && !link->is_up, is_off = link->declaration->activation == ACTIVATION_OFF;
	bool down = is_off && (link->is_up || comes_up_with_parent(planning, link));
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

// Does a port of the bridge get another MTU behind it, or is one removed behind everything?
static bool follows_later(const struct planning *planning, const struct plan_link *bridge, bool *ret_is_last)
{
	bool follows = false;
	for (size_t i = 0; i < planning->claims.n; i++)
		follows |= planning->links[i].master == bridge && wanted_mtu(planning, &planning->links[i]);
	*ret_is_last = loses_port_at_end(planning, bridge);
	return follows || *ret_is_last;
}

static bool has_vlans(const struct planning *planning, const struct plan_link *bridge)
{
	for (size_t i = 0; i < planning->claims.n; i++)
		if (planning->links[i].parent == bridge)
			return true;
	return false;
}

// A bridge's MTU is said once more behind those of its ports. What went with it until then, or goes later, is known then.
static int plan_bridge_mtus(struct planning *planning)
{
	for (size_t i = 0; i < planning->claims.n; i++) {
		const struct plan_link *bridge = planning->order[i];
		uint32_t wanted = bridge->declaration->mtu;
		bool is_last = false;
		if (bridge->declaration->kind != DECLARATION_BRIDGE || !wanted || wanted == least_mtu_of_ports(planning, bridge) ||
			!follows_later(planning, bridge, &is_last))
			continue;
		struct change *change = plan_add_to(planning, CHANGE_LINK_SET, bridge);
		if (!change)
			return -ENOMEM;
		change->set.mtu = wanted;
		planning->plan->comes_in_two |= is_last || has_vlans(planning, bridge);
	}
	return 0;
}

int plan_settings(struct planning *planning)
{
	int error = plan_shrinks(planning);
	for (size_t i = 0; error == 0 && i < planning->claims.n; i++)
		error = plan_set(planning, planning->order[i]);
	return error < 0 ? error : plan_bridge_mtus(planning);
}
