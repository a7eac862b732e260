// Parts of network_validate(). Internal to network*.c.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/network.h"

// network-upper.c: ports get their masters and their options, what stands on what is looked through.
int network_resolve(struct network *network, struct diag *reterr);
// bond-validate.c: what contradicts is refused, what networkd would leave unsent is left out, the rest is as the kernel shows it
int bond_validate(struct declaration *declaration, struct diag *reterr);
int bridge_validate(struct declaration *declaration, struct diag *reterr);
