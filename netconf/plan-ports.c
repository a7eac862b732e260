// What bonds, bridges and ports of bridges are set to, and which link is a port of which.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/plan-parts.h"

#include <errno.h>
#include <linux/if_bonding.h>
#include <linux/if_link.h>

void plan_cycle(struct planning *planning, const struct plan_link *link)
{
	if (!link->have || planning->fates[link->have - planning->kernel->links] != LINK_STAYS)
		return;
	planning->fates[link->have - planning->kernel->links] = LINK_CYCLES;
	for (size_t i = 0; i < planning->claims.n; i++)
		if (planning->links[i].parent == link)
			plan_cycle(planning, &planning->links[i]);
}

// --- options ---

static uint32_t option_of(const struct link_options *options, uint16_t attribute, uint32_t otherwise)
{
	size_t n;
	const struct link_option *table = link_options_of(LINK_OPTION_BOND, &n);
	for (size_t i = 0; i < n; i++)
		if (table[i].attribute == attribute && link_options_have(options, i))
			return options->value[i];
	return otherwise;
}

static uint32_t mode_of(const struct declaration *declaration, const struct kernel_link *have)
{
	uint32_t now = have ? option_of(&have->options, IFLA_BOND_MODE, BOND_MODE_ROUNDROBIN) : BOND_MODE_ROUNDROBIN;
	return option_of(&declaration->options, IFLA_BOND_MODE, now);
}

static bool has_primary(uint32_t mode)
{
	return mode == BOND_MODE_ACTIVEBACKUP || mode == BOND_MODE_TLB || mode == BOND_MODE_ALB;
}

// As networkd, which netplan leaves this to: what a mode does not know is not said to the kernel, it would refuse it.
static bool has_meaning(uint16_t attribute, uint32_t mode)
{
	switch (attribute) {
	case IFLA_BOND_AD_LACP_RATE:
	case IFLA_BOND_AD_SELECT:
		return mode == BOND_MODE_8023AD;
	case IFLA_BOND_XMIT_HASH_POLICY:
		return mode == BOND_MODE_8023AD || mode == BOND_MODE_XOR || mode == BOND_MODE_TLB;
	case IFLA_BOND_PACKETS_PER_SLAVE:
		return mode == BOND_MODE_ROUNDROBIN;
	case IFLA_BOND_PRIMARY_RESELECT:
		return has_primary(mode);
	default:
		return true;
	}
}

void plan_wanted_options(const struct declaration *declaration, const struct kernel_link *have, struct link_options *ret)
{
	size_t n;
	const struct link_option *table = link_options_of(LINK_OPTION_BOND, &n);
	*ret = declaration->options;
	if (declaration->kind != DECLARATION_BOND)
		return;
	uint32_t mode = mode_of(declaration, have);
	for (size_t i = 0; i < n; i++)
		if (!has_meaning(table[i].attribute, mode))
			ret->has &= ~(UINT32_C(1) << i);
}

static bool has_target(const struct ip *targets, size_t n, const struct ip *target)
{
	for (size_t i = 0; i < n; i++)
		if (ip_compare(&targets[i], target) == 0)
			return true;
	return false;
}

// @none_are_said: a document that says none means none.
static bool targets_differ(const struct declaration *declaration, const struct kernel_link *have, bool none_are_said)
{
	if (declaration->n_arp_targets == 0 && !none_are_said)
		return false; // as it is
	for (size_t i = 0; i < declaration->n_arp_targets; i++)
		if (!has_target(have->arp_targets, have->n_arp_targets, &declaration->arp_targets[i]))
			return true;
	return declaration->n_arp_targets != have->n_arp_targets;
}

static const struct plan_link *primary_of(const struct planning *planning, const struct plan_link *bond)
{
	for (size_t i = 0; bond->declaration->primary && i < planning->claims.n; i++)
		if (str_equal(planning->links[i].declaration->id, bond->declaration->primary))
			return has_primary(mode_of(bond->declaration, bond->have)) ? &planning->links[i] : NULL;
	return NULL; // none, or one that is awaited
}

static void find_needs(struct planning *planning, struct plan_link *link, struct change *change, uint32_t differ)
{
	size_t n;
	const struct link_option *table = link_options_of(change->options.kind, &n);
	for (size_t i = 0; i < n; i++) {
		if (!(differ & (UINT32_C(1) << i)))
			continue;
		change->options.needs_down |= table[i].only_when_down && link->is_up;
		change->options.needs_no_ports |= table[i].only_without_ports && kernel_has_ports(planning->kernel, link->have);
	}
	link->lets_ports_go = link->is_lost_mac = change->options.needs_no_ports;
	if (change->options.needs_down)
		plan_cycle(planning, link);
}

static void copy_options(struct link_options *to, const struct link_options *from, uint32_t bits)
{
	for (size_t i = 0; i < LINK_OPTIONS_MAX; i++)
		if (bits & (UINT32_C(1) << i))
			link_options_set(to, i, from->value[i]);
}

// Of a bridge, what is set before all else: with STP the kernel takes no forward delay below 2 s, and of one message it takes that first.
static uint32_t set_first(const struct link_options *wanted, uint32_t differ)
{
	int stp = link_option_find(LINK_OPTION_BRIDGE, "stp"), delay = link_option_find(LINK_OPTION_BRIDGE, "forward-delay");
	uint32_t both = UINT32_C(1) << stp | UINT32_C(1) << delay;
	return (differ & both) == both && !wanted->value[stp] ? UINT32_C(1) << stp : 0;
}

// NULL: out of memory.
static struct change *put_options(struct planning *planning, struct plan_link *link, const struct link_options *wanted, uint32_t bits)
{
	struct change *change = plan_add_to(planning, CHANGE_LINK_OPTIONS, link);
	if (!change)
		return NULL;
	change->options.kind = link->declaration->kind == DECLARATION_BOND ? LINK_OPTION_BOND : LINK_OPTION_BRIDGE;
	copy_options(&change->options.values, wanted, bits);
	if (bits)
		find_needs(planning, link, change, bits);
	return change;
}

// 0: it is not said
static uint32_t bit_of(const struct link_options *wanted, const char *key)
{
	int position = link_option_find(LINK_OPTION_BOND, key);
	return link_options_have(wanted, (size_t)position) ? UINT32_C(1) << position : 0;
}

/* What is right and must be said again with what differs: the kernel counts a bond's delays in intervals of its monitor, keeps the
 * count while it has none, and forgets what ARP has to prove when the mode changes. */
static uint32_t said_again(const struct link_options *wanted, uint32_t differ)
{
	uint32_t monitor = bit_of(wanted, "mii-monitor-interval"), mode = bit_of(wanted, "mode"), again = 0;
	bool has_monitor = monitor && wanted->value[link_option_find(LINK_OPTION_BOND, "mii-monitor-interval")];
	bool has_proof = bit_of(wanted, "arp-validate") && wanted->value[link_option_find(LINK_OPTION_BOND, "arp-validate")];
	if (has_monitor && (differ & (monitor | mode)))
		again |= bit_of(wanted, "up-delay") | bit_of(wanted, "down-delay");
	if (has_proof && (differ & mode))
		again |= bit_of(wanted, "arp-validate");
	return again;
}

static int plan_bond_or_bridge(struct planning *planning, struct plan_link *link)
{
	struct link_options wanted;
	bool is_bond = link->declaration->kind == DECLARATION_BOND;
	const struct plan_link *primary = is_bond ? primary_of(planning, link) : NULL;
	if (!is_bond && link->declaration->kind != DECLARATION_BRIDGE)
		return 0;
	plan_wanted_options(link->declaration, link->have, &wanted);
	uint32_t differ = link->have ? link_options_differ(&wanted, &link->have->options) : 0;
	if (is_bond)
		differ |= said_again(&wanted, differ);
	else if (link->have && link->have->has_root && !(differ & ~link_options_of_root()))
		differ = 0; // else what is set may make it the root itself
	bool is_way_back = planning->input->without_taking_over; // what the kernel had is all said
	bool clear_primary = is_way_back && is_bond && link->have && link->have->primary_index && !link->declaration->primary &&
			     has_primary(mode_of(link->declaration, link->have));
	bool set_primary = primary && !(link->have && primary->have && link->have->primary_index == primary->have->index);
	bool set_targets = is_bond && link->have && targets_differ(link->declaration, link->have, is_way_back);
	if (!differ && !set_primary && !clear_primary && !set_targets)
		return 0;
	uint32_t first = is_bond ? 0 : set_first(&wanted, differ);
	if (first && !put_options(planning, link, &wanted, first))
		return -ENOMEM;
	struct change *change = put_options(planning, link, &wanted, differ & ~first);
	if (!change)
		return -ENOMEM;
	change->options.has_primary = set_primary || clear_primary;
	change->options.has_arp_targets = set_targets;
	if (set_primary)
		memcpy(change->options.primary, primary->claim->name, IFNAMSIZ);
	return 0;
}

static int plan_port_options(struct planning *planning, const struct plan_link *link, bool joins)
{
	const struct link_options *wanted = &link->declaration->port_options;
	if (!link->master || link->master->declaration->kind != DECLARATION_BRIDGE)
		return 0;
	uint32_t differ = joins || !link->have ? wanted->has : link_options_differ(wanted, &link->have->port_options);
	if (!differ)
		return 0;
	struct change *change = plan_add_to(planning, CHANGE_LINK_OPTIONS, link);
	if (!change)
		return -ENOMEM;
	change->options.kind = LINK_OPTION_BRIDGE_PORT;
	copy_options(&change->options.values, wanted, differ);
	return 0;
}

// --- masters ---

static struct plan_link *claim_of(const struct planning *planning, const struct kernel_link *one)
{
	for (size_t i = 0; one && i < planning->claims.n; i++)
		if (planning->links[i].have == one)
			return &planning->links[i];
	return NULL;
}

static int put_master(struct planning *planning, const struct kernel_link *port, const struct plan_link *link,
	const struct plan_link *master, bool is_up)
{
	struct change *change = plan_add(planning->plan, CHANGE_LINK_MASTER, link ? link->claim->name : port->name,
		port ? port->index : 0, link ? link->declaration : NULL);
	if (!change)
		return -ENOMEM;
	change->master.is_up = port && (port->flags & IFF_UP);
	if (!master)
		return 0;
	memcpy(change->master.name, master->claim->name, IFNAMSIZ);
	change->master.index = master->have ? master->have->index : 0;
	change->master.needs_down = is_up && master->declaration->kind == DECLARATION_BOND;
	return 0;
}

// Is @port to leave the link that has it? @link is the claim on the port, NULL when it has none.
static bool leaves(const struct planning *planning, const struct kernel_link *port, const struct plan_link *link)
{
	const struct kernel_link *master = kernel_link_by_index(planning->kernel, port->master_index);
	if (!master || plan_fate(planning, master->index) == LINK_GOES) // then the kernel lets it go
		return master && link && !link->master && !claim_of(planning, master);
	if (link && link->master)
		return false; // goes from one to the other in one step
	if (link)
		return plan_is_ours(master) || claim_of(planning, master) != NULL;
	// what nobody declares stays in the bridges of others, and what virtual machines put into ours stays there
	return plan_is_ours(master) && (port->kind[0] == '\0' || plan_is_ours(port)) &&
	       plan_fate(planning, port->index) != LINK_GOES;
}

// A bond whose mode changes lets all its ports go, and has them back afterwards.
static const struct plan_link *must_return(const struct planning *planning, const struct kernel_link *port)
{
	const struct plan_link *master = claim_of(planning, kernel_link_by_index(planning->kernel, port->master_index));
	return master && master->lets_ports_go ? master : NULL;
}

// The kernel takes it down, and gives it the MAC and the MTU that it had before.
static void leave_bond(struct plan_link *link)
{
	link->is_up = false;
	link->is_lost_mac = link->is_lost_mtu = true;
}

static int plan_releases(struct planning *planning)
{
	for (size_t i = 0; i < planning->kernel->n_links; i++) {
		const struct kernel_link *port = &planning->kernel->links[i];
		struct plan_link *link = port->master_index ? claim_of(planning, port) : NULL;
		const struct plan_link *back = port->master_index ? must_return(planning, port) : NULL;
		if (!port->master_index || planning->fates[i] == LINK_GOES || !(back || leaves(planning, port, link)))
			continue;
		int error = put_master(planning, port, link, NULL, false);
		if (error == 0 && back && !link && !leaves(planning, port, NULL))
			error = put_master(planning, port, NULL, back, false);
		if (error < 0)
			return error;
		struct plan_link *bond = claim_of(planning, kernel_link_by_index(planning->kernel, port->master_index));
		if (bond && str_equal(port->port_kind, "bond"))
			bond->is_lost_mac = true;
		if (link && !str_equal(port->port_kind, "bridge"))
			plan_cycle(planning, link);
		if (link && str_equal(port->port_kind, "bond"))
			leave_bond(link);
	}
	return 0;
}

static bool is_port_of(const struct plan_link *link, const struct plan_link *master)
{
	return link->have && master->have && link->have->master_index == master->have->index;
}

// A bond takes its MAC from its first port, and gives each back the one it came with.
static int set_own_mac(struct planning *planning, const struct plan_link *link)
{
	const struct kernel_link *have = link->have;
	const struct declaration *declaration = link->declaration;
	bool is_of_bond = have && str_equal(have->port_kind, "bond"); // until it has joined another one
	if (!have || is_of_bond || !declaration->has_mac || !have->has_mac || memcmp(have->mac, declaration->mac, 6) == 0)
		return 0;
	struct change *change = plan_add_to(planning, CHANGE_LINK_SET, link);
	if (!change)
		return -ENOMEM;
	change->set.has_mac = change->set.joins_bond = true;
	memcpy(change->set.mac, declaration->mac, sizeof(change->set.mac));
	return 0;
}

static int plan_join(struct planning *planning, struct plan_link *link)
{
	const struct plan_link *master = link->master;
	bool joins = master && (!is_port_of(link, master) || must_return(planning, link->have));
	int error = joins && master->declaration->kind == DECLARATION_BOND ? set_own_mac(planning, link) : 0;
	if (error == 0 && joins)
		error = put_master(planning, link->have, link, master, link->is_up);
	if (error == 0)
		error = plan_port_options(planning, link, joins);
	if (error < 0 || !joins)
		return error;
	bool leaves_bond = link->have && str_equal(link->have->port_kind, "bond");
	if (leaves_bond)
		leave_bond(link);
	if (leaves_bond || master->declaration->kind != DECLARATION_BRIDGE ||
		(link->have && str_equal(link->have->port_kind, "vrf")))
		plan_cycle(planning, link);
	if (master->declaration->kind == DECLARATION_BOND)
		link->is_up = link->takes_mtu = true; // the bond brings it up
	return 0;
}

// Those of order[begin, end) that are ports of @bond, as it lists them: the first one that joins gives it its MAC.
static int plan_bond_joins(struct planning *planning, const struct plan_link *bond, size_t begin, size_t end)
{
	for (size_t place = 0; place < bond->declaration->n_ports; place++)
		for (size_t i = begin; i < end; i++) {
			struct plan_link *port = planning->order[i];
			if (port->master != bond || !str_equal(port->declaration->id, bond->declaration->ports[place]))
				continue;
			int error = plan_join(planning, port);
			if (error < 0)
				return error;
		}
	return 0;
}

// Ports that are as deep as each other: as declared, but for those of a bond.
static int plan_joins_of(struct planning *planning, size_t begin, size_t end)
{
	int error = 0;
	for (size_t i = begin; error == 0 && i < end; i++) {
		struct plan_link *link = planning->order[i];
		const struct plan_link *master = link->master;
		size_t first = begin; // of this master's
		if (!master || master->declaration->kind != DECLARATION_BOND) {
			error = plan_join(planning, link);
			continue;
		}
		while (planning->order[first]->master != master)
			first++;
		if (first == i)
			error = plan_bond_joins(planning, master, begin, end);
	}
	return error;
}

// The ports of a bond before the bond itself; where they stand on links of different depth, the deeper ones first.
static int plan_joins(struct planning *planning)
{
	struct plan_link **order = planning->order;
	for (size_t end = planning->claims.n, begin; end; end = begin) {
		for (begin = end - 1; begin && order[begin - 1]->depth == order[end - 1]->depth;)
			begin--;
		int error = plan_joins_of(planning, begin, end);
		if (error < 0)
			return error;
	}
	return 0;
}

static bool goes_from(const struct planning *planning, const struct kernel_link *port)
{
	for (size_t i = 0; i < planning->plan->n; i++)
		if (planning->plan->changes[i].type == CHANGE_LINK_MASTER && planning->plan->changes[i].link_index == port->index)
			return true;
	return plan_fate(planning, port->index) == LINK_GOES;
}

/* The kernel gives a bridge the least MTU of its ports, without any the usual one, until somebody changes the bridge's own: saying
 * what it has already is no change. */
static bool may_dip(const struct planning *planning, const struct plan_link *bridge)
{
	size_t n_go = 0, n_stay = 0, n_come = 0;
	for (size_t i = 0; i < planning->kernel->n_links; i++) {
		const struct kernel_link *port = &planning->kernel->links[i];
		bool is_port = port->master_index == bridge->have->index, goes = is_port && goes_from(planning, port);
		n_go += goes;
		n_stay += is_port && !goes;
	}
	for (size_t i = 0; i < planning->claims.n; i++)
		n_come += planning->links[i].master == bridge && !is_port_of(&planning->links[i], bridge);
	return bridge->declaration->mtu ? n_go || n_come : n_go && !n_stay;
}

static void find_dips(struct planning *planning)
{
	for (size_t i = 0; i < planning->claims.n; i++) {
		struct plan_link *link = planning->order[i]; // what stands on another one comes behind it
		if (link->declaration->kind == DECLARATION_BRIDGE && link->have)
			link->dips = may_dip(planning, link);
		else if (link->declaration->kind == DECLARATION_VLAN && link->parent)
			link->dips = link->parent->dips;
	}
}

int plan_ports(struct planning *planning)
{
	int error = 0;
	for (size_t i = 0; error == 0 && i < planning->claims.n; i++)
		error = plan_bond_or_bridge(planning, planning->order[i]);
	if (error == 0)
		error = plan_releases(planning);
	if (error == 0)
		error = plan_joins(planning);
	find_dips(planning);
	return error;
}
