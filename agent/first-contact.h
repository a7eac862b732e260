// Which network led to the region at first contact, kept on STATE: it stands below the assigned one, also when the stick with the
// seed is gone, and also when it was not the seed's (a bond whose switch was not ready). Pure.
//   { "network": "seed" | "VLAN" | "DHCP", "seed": the seed's network of then, or null }
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/network-trial.h"
#include "base/value.h"

enum { FIRST_CONTACT_BYTES = 128 << 10 }; // a seed has 64 KiB
struct first_contact {
	enum network_candidate candidate; // NETWORK_ASSIGNED: nothing is known
	struct value *document;           // of the file
};
void first_contact_done(struct first_contact *known); // nothing is known
int first_contact_parse(const char *json, size_t n, struct first_contact *ret, struct diag *reterr);
// NULL: no memory. @seed may be NULL.
char *first_contact_format(enum network_candidate candidate, const struct value *seed);
// The seed's network: of the seed that is here, else of the one of then. Borrowed; NULL: none.
const struct value *first_contact_seed(const struct first_contact *known, const struct value *seed);
/* What led to the region, NETWORK_ASSIGNED: not known. It counts as long as the seed that is here, if any, has the same network:
 * with another one somebody wants something else. */
enum network_candidate first_contact_carried(const struct first_contact *known, const struct value *seed);
