// One route as a value: what identifies it, what else can differ, how it reads. No kernel calls here.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/address.h"

enum { ROUTE_TEXT = 320 };

struct route {
	struct address destination; // masked; 0.0.0.0/0 and ::/0 are the default routes
	struct ip gateway;          // family 0: none
	struct ip source;           // preferred source; family 0: none
	uint32_t table, metric;
	uint8_t type;  // RTN_*
	uint8_t scope; // RT_SCOPE_*; IPv4 only, IPv6 always RT_SCOPE_UNIVERSE
	bool on_link;
	uint32_t mtu, cwnd, rwnd; // RTAX_MTU, RTAX_INITCWND (congestion-window), RTAX_INITRWND; 0: none
};
// The kernel's own key: table, destination, metric. Orders routes so that equal keys are neighbours.
int route_compare_key(const struct route *a, const struct route *b);
// Do two routes with the same key also send packets the same way (the link is the caller's to compare)?
bool route_equal(const struct route *a, const struct route *b);
// RT_SCOPE_* when none is said: as netplan has it, but for blackholes and the like, which the kernel shows as global.
uint8_t route_default_scope(const struct route *route);
bool route_needs_link(const struct route *route); // blackhole, unreachable, prohibit and throw have none
// "10.1.0.0/16 via 10.77.0.1 metric 100": all that is not usual, so that two that differ read differently.
const char *route_format(const struct route *route, char buffer[static ROUTE_TEXT]);
// RTN_* by netplan's word or back; negative or NULL when there is none.
int route_type_parse(const char *word);
const char *route_type_word(uint8_t type);
