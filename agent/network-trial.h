// Which network this node should have now, and whether it has to prove itself: an assigned network stands only once it has,
// and what was never confirmed does not survive a restart by itself. Pure; tried-network.c applies, looks and undoes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

enum network_trial {
	NETWORK_TRIAL_FIRST_CONTACT, // what is below the assigned one: network_candidate_next()
	NETWORK_TRIAL_PROBE, // the assigned one, undone when it does not prove itself
	NETWORK_TRIAL_KEEP,  // the assigned one, as it is
};
struct network_trial_facts {
	bool assigned;	// the assignment has a network
	bool from_seed; // ... and there is no region that could answer
	bool confirmed; // this very network proved itself before
	bool region_answers; // now
	bool has_other_proof; // the gateway answers now, or the assigned network has a mesh whose peers are known
	unsigned n_refusals;   // how often it was undone in this start
	uint64_t refused_usec; // the last time
	uint64_t waits_usec;   // network_trial_waits_usec()
};
/* A network that was undone is tried again after 1, 2, 4 ... 30 minutes: it may have been the region that was away. One
 * that is not confirmed waits a minute for the region, then something else has to prove it; when there is nothing that
 * could, it is taken as it is: the region is away anyhow. */
enum network_trial network_trial_decide(const struct network_trial_facts *facts, uint64_t now_usec);
/* Since when it waits for a region that is silent, from what this said the last time (0: it did not wait yet). A region
 * that answers sets it anew: that one call fails in the moment of the next try is no minute of silence. */
uint64_t network_trial_waits_usec(uint64_t before_usec, bool region_answers, uint64_t now_usec);

// --- the proof ---

struct network_proof { // what was seen of the network on trial; CLOCK_BOOTTIME
	uint64_t applied_usec, deadline_usec;
	bool is_half;             // what was before is still there, too, and may be what answers
	bool region_was_silent;   // before it was applied
	uint64_t heard_usec;      // the region's last authenticated answer to a question asked since
	bool peer_answered;       // one of the mesh shook hands since it was applied, or answered to what was sent since
	uint64_t gateway_usec;    // when the gateway from before last answered (ARP, ND); 0: never, or there was none
	const char *never_whole;  // NULL, or why a part of it can never be there: a source address is somebody else's
	bool gateway_is_used;     // a default route of now goes by it: it answers on its wire whatever we are set to
};
enum network_verdict { NETWORK_VERDICT_WAIT, NETWORK_VERDICT_STANDS, NETWORK_VERDICT_UNDO };
/* While the region answered before, only the region counts: a gateway that answers is no proof that the way to the region
 * is still there. @ret_reason is a borrowed phrase for STANDS and UNDO. */
enum network_verdict network_trial_judge(const struct network_proof *proof, uint64_t now_usec, const char **ret_reason);

// --- what is below the assigned one ---

enum network_candidate {
	NETWORK_ASSIGNED,
	NETWORK_LAST_GOOD, // the last one that was confirmed
	NETWORK_VLAN,      // DHCP in the VLAN that a person at the console picked
	NETWORK_SEED,
	NETWORK_DHCP, // on every wired port
	N_NETWORK_CANDIDATES,
};
const char *network_candidate_name(enum network_candidate candidate); // "last good"
const char *network_candidate_phrase(enum network_candidate candidate); // "the last good one"
struct network_candidates {
	bool has_last_good, has_vlan, has_seed;
	enum network_candidate carried; // led to the region before; NETWORK_ASSIGNED: not known
	bool enrolled;       // there is an assignment: then a silent region is no reason to leave what works
	bool safe;           // a person at the console wants DHCP on every wired port
	bool region_answers;
};
/* What is to be tried when the assigned network is not: @now_is is what there is (NETWORK_ASSIGNED: nothing yet) since
 * @since_usec. Before the first enrolment the next one has its turn when the region is not reached in time, and after DHCP
 * the first again. *ret_reason (a borrowed phrase) says why when the answer is not @now_is. */
enum network_candidate network_candidate_next(const struct network_candidates *facts, enum network_candidate now_is,
	uint64_t since_usec, uint64_t now_usec, const char **ret_reason);
