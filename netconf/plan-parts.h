// What the parts of planning share: each claimed link on its way from what it is to what it shall be. Pure. Only for
// plan*.c and apply-netlink.c.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/plan.h"

enum link_fate { // of a link of the kernel, while the plan is done
	LINK_STAYS,
	LINK_CYCLES, // is down for a moment: its routes and IPv6 addresses go
	LINK_GOES,   // with all it has
};
struct plan_link { // one claim
	const struct claim *claim;
	const struct declaration *declaration; // the claim's
	const struct kernel_link *have;        // NULL: this plan makes it
	const struct kernel_link *replaced;    // goes first
	const struct plan_link *master, *parent; // NULL: none
	size_t depth;    // above that of its master and its parent
	bool is_up;      // after masters and options are as they shall be
	bool lets_ports_go; // a bond whose mode changes: they come back
	bool is_lost_mac; // a bond that may have had no port for a moment, or a port that leaves one
	bool is_lost_mtu; // a port that leaves a bond has the MTU of before again
	bool takes_mtu;  // a port that the plan puts into a bond: it has the bond's MTU then
	bool dips;       // a bridge that may have another MTU for a moment, as its ports come and go; what stands on it, too
};
struct planning {
	const struct plan_input *input;
	const struct kernel *kernel;
	struct plan *plan;
	struct claims claims;
	struct plan_link *links; // by claim
	struct plan_link **order; // by depth
	enum link_fate *fates;   // by link of the kernel
	bool *loses_routes;      // by link of the kernel: its last IPv4 address goes, and with that all its IPv4 routes
	struct diag *reterr;
};
/* A zeroed change at the end; borrowed, moves when the plan grows. NULL: out of memory. */
struct change *plan_add(struct plan *plan, enum change_type type, const char *name, int link_index,
	const struct declaration *declaration);
static inline struct change *plan_add_to(struct planning *planning, enum change_type type, const struct plan_link *link)
{
	return plan_add(planning->plan, type, link->claim->name, link->have ? link->have->index : 0, link->declaration);
}
// Whose the address, route or rule at @position of the declaration's list shall be.
static inline uint8_t plan_protocol(const struct declaration *declaration, enum protocol_list list, size_t position)
{
	return declaration->protocols[list] ? declaration->protocols[list][position] : HEARTH_PROTOCOL;
}
/* Is what is right to be marked? What others made by hand (@is_static) becomes Hearth's; what is to be others' again, only if it is
 * Hearth's now: never takes it from a program, a lease, a router or the kernel. */
bool plan_marks(const struct planning *planning, uint8_t have, uint8_t wanted, bool is_static);
// The first link of the declaration @id; NULL: none is there or to be made, or @id is.
const struct plan_link *plan_find(const struct planning *planning, const char *id);
// Is the link removed, and last? One that is made anew or in the way is gone before anything comes.
bool plan_goes_last(const struct plan *plan, int link_index);
enum link_fate plan_fate(const struct planning *planning, int link_index);
const char *plan_name(const struct planning *planning, const struct kernel_link *one); // after the plan
void plan_cycle(struct planning *planning, const struct plan_link *link); // and the VLANs that stand on it
bool plan_is_up_at_end(const struct plan_link *link);
// Has the link Hearth's alias, so that it is Hearth's to remove?
bool plan_is_ours(const struct kernel_link *link);
/* The options that the kernel takes: a bond's mode leaves some without meaning. @have: NULL for one that is made. */
void plan_wanted_options(const struct declaration *declaration, const struct kernel_link *have, struct link_options *ret);

/* The MAC that a bridge gets for good; false: it has one, or the document says one, or nothing is there yet to have it from. */
bool plan_bridge_mac(const struct planning *planning, const struct plan_link *link, uint8_t ret[static 6]);
// Does it have another card's MAC until it has that of a port which the kernel gives one when this plan makes it?
bool plan_bridge_mac_comes_later(const struct planning *planning, const struct plan_link *link);
// Is the MAC that the bridge of somebody else has the one that it shall have, so that it is to have it for good?
bool plan_bridge_keeps_mac(const struct planning *planning, const struct plan_link *link);

// In this order. Each: 0; -ENOMEM; or as plan_make().
int plan_links(struct planning *planning);    // renamed, replaced, made, removed; WireGuard
int plan_ports(struct planning *planning);    // options and masters
int plan_settings(struct planning *planning); // MTU, MAC, up and down
int plan_addresses(struct planning *planning);
int plan_routes(struct planning *planning);
int plan_rules(struct planning *planning);
int plan_notes(struct planning *planning);    // what is declared and not there
