// Which network this node should have now, and whether it has to prove itself: an assigned network stands only after the
// region answered through it, and what was never confirmed does not survive a restart by itself. Pure; agent-network.c
// applies, probes and undoes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

enum network_trial {
	NETWORK_TRIAL_FIRST_CONTACT, // that of the seed, or DHCP
	NETWORK_TRIAL_PROBE, // the assigned one, undone when the region does not answer through it
	NETWORK_TRIAL_KEEP,  // the assigned one, as it is
};
struct network_trial_facts {
	bool assigned;	// the assignment has a network
	bool from_seed; // ... and there is no region that could answer
	bool confirmed; // the region answered through this very network before
	bool region_answers; // now
	unsigned n_refusals;   // how often it was undone in this start
	uint64_t refused_usec; // the last time
	uint64_t waits_usec;   // network_trial_waits_usec()
};
/* A network that was undone is tried again after 1, 2, 4 ... 30 minutes: it may have been the region that was away. One
 * that is not confirmed waits a minute for the region, then it is taken as it is: the region is away anyhow. */
enum network_trial network_trial_decide(const struct network_trial_facts *facts, uint64_t now_usec);
/* Since when it waits for a region that is silent, from what this said the last time (0: it did not wait yet). A region
 * that answers sets it anew: that one call fails in the moment of the next try is no minute of silence. */
uint64_t network_trial_waits_usec(uint64_t before_usec, bool region_answers, uint64_t now_usec);
