// Whose addresses, routes and rules were: the kernel keeps a protocol with each (IFA_PROTO, rtm_protocol, FRA_PROTOCOL). What a
// change took away, or marked as Hearth's, comes back with the protocol that it had. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/kernel.h"
#include "netconf/network.h"

struct protocols { // of one declaration, each list in the order of the declaration's
	char id[IFNAMSIZ];
	uint8_t *of[N_PROTOCOL_LISTS]; // NULL: all are Hearth's, and no route is behind another one
	size_t n[N_PROTOCOL_LISTS];
};
struct protocol_table {
	struct protocols *entries;
	size_t n;
};
void protocol_table_done(struct protocol_table *table);
/* The declarations of @network that have something of others', by what @kernel (sorted) has. @network: the kernel's own, as
 * before_document() makes it. -ENOMEM. */
int protocols_of(const struct kernel *kernel, const struct network *network, struct protocol_table *ret);
/* @network is to be made so that each has its protocol of @table again; it borrows from @table. 1: some of them do not fit it
 * (another version of this program wrote them), and those are Hearth's then; reterr says the first. */
int protocols_give(const struct protocol_table *table, struct network *network, struct diag *reterr);
