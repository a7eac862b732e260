// SPDX-License-Identifier: Apache-2.0
#include "agent/hand-over.h"

bool hand_over_due(const struct hand_over *state, const struct hand_over_facts *facts)
{
	bool told = state->sent && (state->sent_ready || !facts->ever_ready);
	return (facts->first && !told) || (facts->renew && !state->renewed);
}

void hand_over_sent(struct hand_over *state, const struct hand_over_facts *facts)
{
	state->sent |= facts->first;
	state->sent_ready |= facts->first && facts->ever_ready;
	state->renewed = facts->renew; // whatever the reason, the kubeconfig was in it
}

bool hand_over_withdraw(struct hand_over *state, const struct hand_over_facts *facts)
{
	if (facts->renew || !state->renewed)
		return false;
	state->renewed = false;
	return !facts->first; // what a first server has to say is wanted in any case
}
