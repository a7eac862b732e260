// Address ranges, IPv4 and IPv6: parse, format, contain, overlap, pick the n-th host. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

enum { CIDR_TEXT = 50 };

struct cidr {
	int family;	   // AF_INET or AF_INET6; 0: not set
	uint8_t bytes[16]; // network order; host bits are kept as written
	unsigned length;   // prefix length
};

/* "10.64.0.0/16" or "fd00::/48". With @want_network the host bits must be zero.
 * 0; -EINVAL with the rule in @reterr (where = @what). */
int cidr_parse(const char *text, const char *what, bool want_network, struct cidr *ret,
	struct diag *reterr);
void cidr_format(const struct cidr *cidr, char ret[static CIDR_TEXT]);
bool cidr_contains(const struct cidr *outer, const struct cidr *inner);
bool cidr_overlaps(const struct cidr *a, const struct cidr *b);
bool cidr_equal(const struct cidr *a, const struct cidr *b);
/* The @n-th address of the range (0 is the network address itself) as a host (/32 or /128).
 * -ERANGE when the range has no such host (IPv4: the broadcast address is no host). */
int cidr_host(const struct cidr *range, uint32_t n, struct cidr *ret);
// The address without the length: "10.66.0.11".
void cidr_format_address(const struct cidr *cidr, char ret[static CIDR_TEXT]);
