// SPDX-License-Identifier: Apache-2.0
#include "agent/network-trial.h"
#include "base/time.h"

enum { AGAIN_SEC = 60, AGAIN_CAP_SEC = 1800, REGION_WAIT_SEC = 60 };

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
	return now_usec < f->waits_usec + REGION_WAIT_SEC * USEC_PER_SEC ? NETWORK_TRIAL_FIRST_CONTACT : NETWORK_TRIAL_KEEP;
}

uint64_t network_trial_waits_usec(uint64_t before_usec, bool region_answers, uint64_t now_usec)
{
	return before_usec == 0 || region_answers ? now_usec : before_usec;
}
