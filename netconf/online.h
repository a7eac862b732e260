// How far each declared link is, decided from what was read. Pure; netconf_online() reads and calls this.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/claim.h"

/* @leases: per link of @kernel, does networkd hold a DHCPv4 lease? */
int online_make(const struct network *network, const struct kernel *kernel, const bool leases[],
	const struct netconf_online *previous, uint64_t now_usec, struct netconf_online **ret, struct diag *reterr);
