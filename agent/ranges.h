// Do the cluster's ranges collide with the networks this machine is already in? Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/assignment.h"
#include "netconf/netconf.h"

// Two ranges "ADDRESS/BITS" of one family that share an address. Malformed text overlaps nothing.
bool ranges_overlap(const char *a, const char *b);
// Has a link the address, "10.66.0.11"? @links may be NULL.
bool ranges_have_address(const struct netconf_links *links, const char *address);
/* -EADDRINUSE with a diag that names range, link and address when a range of the cluster overlaps a network of a wired
 * port; 0 otherwise. @links may be NULL. */
int ranges_check(const struct assignment *assignment, const struct netconf_links *links, struct diag *reterr);
