// SPDX-License-Identifier: Apache-2.0
#include "agent/network-trial.h"
#include "base/time.h"

enum {
	AGAIN_SEC = 60,
	AGAIN_CAP_SEC = 1800,
	REGION_WAIT_SEC = 60,
};

static uint64_t again_after_usec(unsigned n_refusals)
{
	unsigned doubled = n_refusals < 6 ? n_refusals - 1 : 5; // beyond, the cap counts
	uint64_t sec = (uint64_t)AGAIN_SEC << doubled;
	return (sec < AGAIN_CAP_SEC ? sec : AGAIN_CAP_SEC) * USEC_PER_SEC;
}

enum network_trial network_trial_decide(const struct network_trial_facts *f, uint64_t now_usec)
{
	if (!f->assigned || (f->n_refusals && now_usec < f->refused_usec + again_after_usec(f->n_refusals)))
		return NETWORK_TRIAL_FIRST_CONTACT;
	if (f->from_seed || f->confirmed)
		return NETWORK_TRIAL_KEEP;
	if (f->region_answers)
		return NETWORK_TRIAL_PROBE;
	if (now_usec < f->waits_usec + REGION_WAIT_SEC * USEC_PER_SEC)
		return NETWORK_TRIAL_FIRST_CONTACT;
	return f->has_other_proof ? NETWORK_TRIAL_PROBE : NETWORK_TRIAL_KEEP;
}

uint64_t network_trial_waits_usec(uint64_t before_usec, bool region_answers, uint64_t now_usec)
{
	return before_usec == 0 || region_answers ? now_usec : before_usec;
}

// --- the proof ---

// Why it stands, or NULL.
static const char *proof_of(const struct network_proof *p)
{
	if (p->is_half)
		return NULL;
	if (p->heard_usec > p->applied_usec)
		return "the region answers through it";
	if (p->region_was_silent && p->peer_answered)
		return "the region is silent as before, and a peer of the mesh answers through it";
	if (p->region_was_silent && p->gateway_is_used && p->gateway_usec > p->applied_usec)
		return "the region is silent as before, and the gateway answers as before";
	return NULL;
}

enum network_verdict network_trial_judge(const struct network_proof *p, uint64_t now_usec, const char **ret_reason)
{
	const char *proof = proof_of(p);
	if (p->never_whole) {
		*ret_reason = p->never_whole;
		return NETWORK_VERDICT_UNDO;
	}
	if (proof) {
		*ret_reason = proof;
		return NETWORK_VERDICT_STANDS;
	}
	if (now_usec < p->deadline_usec)
		return NETWORK_VERDICT_WAIT;
	*ret_reason = p->region_was_silent ? "with it neither the region nor the mesh nor the gateway answers"
					   : "with it the region does not answer any more";
	return NETWORK_VERDICT_UNDO;
}

// --- what is below the assigned one ---

const char *network_candidate_name(enum network_candidate candidate)
{
	static const char *const names[N_NETWORK_CANDIDATES] = {
		[NETWORK_ASSIGNED] = "assigned",
		[NETWORK_LAST_GOOD] = "last good",
		[NETWORK_VLAN] = "VLAN",
		[NETWORK_SEED] = "seed",
		[NETWORK_DHCP] = "DHCP",
	};
	return candidate < N_NETWORK_CANDIDATES ? names[candidate] : "unknown";
}

const char *network_candidate_phrase(enum network_candidate candidate)
{
	static const char *const phrases[N_NETWORK_CANDIDATES] = {
		[NETWORK_ASSIGNED] = "the assigned one",
		[NETWORK_LAST_GOOD] = "the last good one",
		[NETWORK_VLAN] = "the VLAN that a person picked",
		[NETWORK_SEED] = "the seed's",
		[NETWORK_DHCP] = "DHCP on every wired port",
	};
	return candidate < N_NETWORK_CANDIDATES ? phrases[candidate] : "another";
}

static bool is_there(const struct network_candidates *facts, enum network_candidate candidate)
{
	return candidate == NETWORK_DHCP || (candidate == NETWORK_LAST_GOOD && facts->has_last_good) ||
	       (candidate == NETWORK_VLAN && facts->has_vlan) || (candidate == NETWORK_SEED && facts->has_seed);
}

static enum network_candidate first_from(const struct network_candidates *facts, enum network_candidate candidate)
{
	while (!is_there(facts, candidate))
		candidate++; // DHCP is the last and always there
	return candidate;
}

enum network_candidate network_candidate_next(const struct network_candidates *facts, enum network_candidate now_is,
	uint64_t since_usec, uint64_t now_usec, const char **ret_reason)
{
	// the seed's has the longest turn: where it is needed nothing else works
	static const unsigned patience_sec[N_NETWORK_CANDIDATES] = {
		[NETWORK_LAST_GOOD] = 60,
		[NETWORK_VLAN] = 120, // a person wants it
		[NETWORK_SEED] = 120,
		[NETWORK_DHCP] = 60,
	};
	if (facts->safe) {
		*ret_reason = "a person at the console wants the safe network";
		return NETWORK_DHCP;
	}
	if (now_is == NETWORK_ASSIGNED || !is_there(facts, now_is)) {
		enum network_candidate first = first_from(facts, NETWORK_LAST_GOOD);
		if (first != NETWORK_LAST_GOOD && facts->carried != NETWORK_ASSIGNED && is_there(facts, facts->carried)) {
			*ret_reason = "it led to the region before";
			return facts->carried;
		}
		*ret_reason = first == NETWORK_VLAN ? "a person at the console picked it" :
						    "the first of last good, seed and DHCP that this node has";
		return first;
	}
	if (facts->enrolled || facts->region_answers || now_usec < since_usec + patience_sec[now_is] * USEC_PER_SEC)
		return now_is;
	*ret_reason = "the region was not reached with the one before";
	return first_from(facts, now_is == NETWORK_DHCP ? NETWORK_LAST_GOOD : now_is + 1);
}
