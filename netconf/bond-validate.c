// What the parameters of a bond or a bridge mean together. A bond's mode decides which others it has.
// Sources: drivers/net/bonding (bond_options.c, bond_netlink.c), net/bridge, systemd's netdev/bond.c.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/network-validate.h"

#include <errno.h>
#include <linux/if_bonding.h>

enum { IMPLIED_MIIMON_MSEC = 100, STP_MIN_DELAY = 200, STP_MAX_DELAY = 3000 };

static size_t position(enum link_option_kind kind, const char *key)
{
	return (size_t)link_option_find(kind, key); // of a key that is there
}

static uint32_t value_of(const struct declaration *declaration, const char *key)
{
	size_t at = position(LINK_OPTION_BOND, key);
	return link_options_have(&declaration->options, at) ? declaration->options.value[at] : 0;
}

static void leave_out(struct declaration *declaration, enum link_option_kind kind, const char *key)
{
	declaration->options.has &= ~(1u << position(kind, key));
}

// 802.3ad, balance-tlb and balance-alb watch their ports by MII only.
static bool mode_has_arp(uint32_t mode)
{
	return mode != BOND_MODE_8023AD && mode != BOND_MODE_TLB && mode != BOND_MODE_ALB;
}

static bool mode_has_primary(uint32_t mode)
{
	return mode == BOND_MODE_ACTIVEBACKUP || mode == BOND_MODE_TLB || mode == BOND_MODE_ALB;
}

// As networkd: these are sent in their mode only, and without a word in the others.
static void leave_out_other_modes(struct declaration *declaration, uint32_t mode)
{
	static const struct {
		const char *key;
		uint32_t mode;
	} bound[] = {{"lacp-rate", BOND_MODE_8023AD}, {"ad-select", BOND_MODE_8023AD},
		{"fail-over-mac-policy", BOND_MODE_ACTIVEBACKUP}, {"packets-per-member", BOND_MODE_ROUNDROBIN}};
	for (size_t i = 0; i < N_ELEMENTS(bound); i++)
		if (mode != bound[i].mode)
			leave_out(declaration, LINK_OPTION_BOND, bound[i].key);
	if (mode_has_arp(mode))
		return;
	static const char *const arp[] = {"arp-interval", "arp-validate", "arp-all-targets"};
	for (size_t i = 0; i < N_ELEMENTS(arp); i++)
		if (value_of(declaration, arp[i]) == 0)
			leave_out(declaration, LINK_OPTION_BOND, arp[i]);
	if (value_of(declaration, "mii-monitor-interval") == 0) // the kernel turns it on in these modes
		leave_out(declaration, LINK_OPTION_BOND, "mii-monitor-interval");
}

static int refuse(const struct declaration *declaration, struct diag *reterr, const char *rule)
{
	return place_refuse(reterr, -EINVAL, &declaration->where, "bonds.%s.parameters: %s", declaration->id, rule);
}

// The kernel counts delays in whole intervals, rounds down and shows what is left.
static int validate_delay(struct declaration *declaration, const char *key, uint32_t miimon, struct diag *reterr)
{
	uint32_t delay = value_of(declaration, key);
	if (!link_options_have(&declaration->options, position(LINK_OPTION_BOND, key)))
		return 0;
	if (miimon == 0 && delay == 0) {
		leave_out(declaration, LINK_OPTION_BOND, key); // what it has anyway, and the kernel refuses to hear it
		return 0;
	}
	if (miimon == 0)
		return place_refuse(reterr, -EINVAL, &declaration->where,
			"bonds.%s.parameters: %s needs mii-monitor-interval, the delay is a number of such intervals",
			declaration->id, key);
	link_options_set(&declaration->options, position(LINK_OPTION_BOND, key), delay / miimon * miimon);
	return 0;
}

int bond_validate(struct declaration *declaration, struct diag *reterr)
{
	if (!link_options_have(&declaration->options, position(LINK_OPTION_BOND, "mode")))
		link_options_set(&declaration->options, position(LINK_OPTION_BOND, "mode"), BOND_MODE_ROUNDROBIN);
	uint32_t mode = value_of(declaration, "mode");
	leave_out_other_modes(declaration, mode);
	uint32_t miimon = value_of(declaration, "mii-monitor-interval"), arp = value_of(declaration, "arp-interval");
	if (arp && !mode_has_arp(mode))
		return refuse(declaration, reterr,
			"arp-interval is not for 802.3ad, balance-tlb and balance-alb; mii-monitor-interval is");
	if (arp && miimon)
		return refuse(declaration, reterr, "arp-interval and mii-monitor-interval exclude each other");
	if (value_of(declaration, "arp-validate") && (miimon || !mode_has_arp(mode)))
		return refuse(declaration, reterr, "arp-validate needs arp-interval and not mii-monitor-interval");
	if (value_of(declaration, "arp-all-targets") && !mode_has_arp(mode))
		return refuse(declaration, reterr, "arp-all-targets is not for 802.3ad, balance-tlb and balance-alb");
	if (arp == 0)
		declaration->n_arp_targets = 0; // as networkd: nobody would ask them
	if (declaration->primary && !mode_has_primary(mode))
		return refuse(declaration, reterr, "primary is for active-backup, balance-tlb and balance-alb only");
	if (miimon == 0 && !mode_has_arp(mode))
		miimon = IMPLIED_MIIMON_MSEC;
	int error = validate_delay(declaration, "up-delay", miimon, reterr);
	return error < 0 ? error : validate_delay(declaration, "down-delay", miimon, reterr);
}

int bridge_validate(struct declaration *declaration, struct diag *reterr)
{
	size_t delay_at = position(LINK_OPTION_BRIDGE, "forward-delay"), stp_at = position(LINK_OPTION_BRIDGE, "stp");
	if (!link_options_have(&declaration->options, stp_at) || !declaration->options.value[stp_at] ||
		!link_options_have(&declaration->options, delay_at))
		return 0;
	uint32_t delay = declaration->options.value[delay_at];
	if (delay == 0) // networkd sends the 0 beside STP, and the kernel raises it
		declaration->options.value[delay_at] = STP_MIN_DELAY;
	else if (delay < STP_MIN_DELAY || delay > STP_MAX_DELAY)
		return place_refuse(reterr, -EINVAL, &declaration->where,
			"bridges.%s.parameters.forward-delay: must be 2-30 seconds with STP", declaration->id);
	return 0;
}
