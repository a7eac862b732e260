// When a server tells the region what others need: the first one hands over the cluster, once and again when it was Ready;
// any that the assignment asks for it (k3s.renewKubeconfig) hands over its kubeconfig anew. Pure; agent-cluster.c reads
// and sends.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

struct hand_over {
	bool sent, sent_ready; // as first server; ... when it had been Ready
	bool renewed;          // what is asked for now
};
struct hand_over_facts {
	bool first;      // the assignment makes it the first server
	bool ever_ready; // this K3s was Ready once
	bool renew;      // the assignment asks for its kubeconfig
};
bool hand_over_due(const struct hand_over *state, const struct hand_over_facts *facts);
// It was sent as these facts say.
void hand_over_sent(struct hand_over *state, const struct hand_over_facts *facts);
/* The region asks for the kubeconfig no more: true, once, when what this server sent for that is not to be tried again. */
bool hand_over_withdraw(struct hand_over *state, const struct hand_over_facts *facts);
