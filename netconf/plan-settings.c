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

static int plan_set(struct planning *planning, const struct plan_link *link)
{
	uint32_t mtu = wanted_mtu(link);
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

// May it get another MTU by its ports behind the change, if there is one, that gives it its own?
static bool follows_ports(const struct planning *planning, const struct plan_link *bridge)
{
	if (bridge->have && wanted_mtu(bridge))
		return false;
	for (size_t i = 0; i < planning->claims.n; i++) {
		const struct plan_link *link = &planning->links[i];
		bool is_port = link->master == bridge, changes = is_port && wanted_mtu(link);
		bool was_port = bridge->have && link->have && link->have->master_index == bridge->have->index;
		if (changes || (bridge->have && is_port != was_port))
			return true;
	}
	return false;
}

// That of its ports when nobody said another one; 0: it has none.
static uint32_t least_mtu_of_ports(const struct planning *planning, const struct plan_link *bridge)
{
	const uint32_t usual = 1500;
	uint32_t least = 0;
	for (size_t i = 0; i < planning->claims.n; i++) {
		uint32_t mtu = planning->links[i].master == bridge ? mtu_at_end(&planning->links[i]) : UINT32_MAX;
		mtu = mtu ? mtu : usual;
		least = least == 0 || mtu < least ? mtu : least;
	}
	return least == UINT32_MAX ? 0 : least;
}

/* The kernel gives a bridge the least MTU of its ports whenever one comes, goes or has another one, until somebody changes the
 * bridge's own: saying what it has already is no change. So it is said behind the ports. */
static int plan_bridge_mtus(struct planning *planning)
{
	for (size_t i = 0; i < planning->claims.n; i++) {
		const struct plan_link *bridge = planning->order[i];
		uint32_t wanted = bridge->declaration->mtu;
		if (bridge->declaration->kind != DECLARATION_BRIDGE || !wanted || wanted == least_mtu_of_ports(planning, bridge) ||
			!follows_ports(planning, bridge))
			continue;
		struct change *change = plan_add_to(planning, CHANGE_LINK_SET, bridge);
		if (!change)
			return -ENOMEM;
		change->set.mtu = wanted;
	}
	return 0;
}

// Do all ports that the bridge has leave it, so that it has the usual MTU until others join?
static bool is_bare_meanwhile(const struct planning *planning, const struct plan_link *bridge)
{
	const struct plan *plan = planning->plan;
	bool has_ports = false;
	for (size_t i = 0; bridge->have && i < planning->kernel->n_links; i++) {
		const struct kernel_link *port = &planning->kernel->links[i];
		bool leaves = false;
		if (port->master_index != bridge->have->index)
			continue;
		for (size_t j = 0; j < plan->n && !leaves; j++)
			leaves = plan->changes[j].type == CHANGE_LINK_MASTER && plan->changes[j].link_index == port->index;
		if (!leaves)
			return false;
		has_ports = true;
	}
	return has_ports;
}

// The bridge that @vlan stands on. NULL: none, or it has the MTU that is said.
static const struct plan_link *bridge_below(const struct plan_link *vlan)
{
	const struct plan_link *below = vlan;
	while (below->declaration->kind == DECLARATION_VLAN && below->parent)
		below = below->parent;
	return below->declaration->kind == DECLARATION_BRIDGE && !below->declaration->mtu ? below : NULL;
}

// The kernel lowers a VLAN's MTU with that of the bridge below it, and does not raise it again.
static int plan_vlans_on_bridges(struct planning *planning)
{
	for (size_t i = 0; i < planning->claims.n; i++) {
		const struct plan_link *vlan = planning->order[i];
		bool is_vlan = vlan->have && vlan->declaration->kind == DECLARATION_VLAN && !wanted_mtu(vlan);
		const struct plan_link *bridge = is_vlan ? bridge_below(vlan) : NULL;
		if (!bridge || vlan->have->mtu > least_mtu_of_ports(planning, bridge) || !is_bare_meanwhile(planning, bridge))
			continue;
		struct change *change = plan_add_to(planning, CHANGE_LINK_SET, vlan);
		if (!change)
			return -ENOMEM;
		change->set.mtu = vlan->have->mtu;
	}
	return 0;
}

int plan_settings(struct planning *planning)
{
	int error = plan_shrinks(planning);
	for (size_t i = 0; error == 0 && i < planning->claims.n; i++)
		error = plan_set(planning, planning->order[i]);
	if (error == 0)
		error = plan_bridge_mtus(planning);
	return error < 0 ? error : plan_vlans_on_bridges(planning);
}
