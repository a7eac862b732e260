// SPDX-License-Identifier: Apache-2.0
#include "region/cidr.h"

#include <arpa/inet.h>
#include <errno.h>

static unsigned family_bits(int family)
{
	return family == AF_INET ? 32 : 128;
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned length)
{
	unsigned whole = length / 8, rest = length % 8;
	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static bool has_host_bits(const struct cidr *cidr)
{
	for (unsigned bit = cidr->length; bit < family_bits(cidr->family); bit++)
		if (cidr->bytes[bit / 8] & (0x80u >> (bit % 8)))
			return true;
	return false;
}

int cidr_parse(const char *text, const char *what, bool want_network, struct cidr *ret,
	struct diag *reterr)
{
	struct cidr cidr = { 0 };
	char address[CIDR_TEXT];
	if (!text)
		return diag_set(reterr, -EINVAL, what, "is missing; must be a range like 10.64.0.0/16");
	const char *slash = strchr(text, '/');
	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return diag_set(reterr, -EINVAL, what,
			"must be a range like 10.64.0.0/16, not \"%s\"", text);
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (inet_pton(AF_INET, address, cidr.bytes) == 1)
		cidr.family = AF_INET;
	else if (inet_pton(AF_INET6, address, cidr.bytes) == 1)
		cidr.family = AF_INET6;
	else
		return diag_set(reterr, -EINVAL, what,
			"must begin with an IPv4 or IPv6 address, not \"%s\"", text);
	size_t n_digits = strspn(slash + 1, "0123456789");
	if (n_digits == 0 || n_digits > 3 || slash[1 + n_digits] ||
		(n_digits > 1 && slash[1] == '0'))
		return diag_set(reterr, -EINVAL, what,
			"must end with a prefix length like /16, not \"%s\"", text);
	cidr.length = (unsigned)strtoul(slash + 1, NULL, 10);
	if (cidr.length > family_bits(cidr.family))
		return diag_set(reterr, -EINVAL, what,
			"the prefix length is at most %u, not \"%s\"", family_bits(cidr.family),
			text);
	if (want_network && has_host_bits(&cidr))
		return diag_set(reterr, -EINVAL, what,
			"must be the range itself with host bits zero, not \"%s\"", text);
	*ret = cidr;
	return 0;
}

void cidr_format_address(const struct cidr *cidr, char ret[static CIDR_TEXT])
{
	if (!inet_ntop(cidr->family, cidr->bytes, ret, CIDR_TEXT))
		ret[0] = '\0'; // a cidr that was never set
}

void cidr_format(const struct cidr *cidr, char ret[static CIDR_TEXT])
{
	char address[CIDR_TEXT];
	cidr_format_address(cidr, address);
	address[INET6_ADDRSTRLEN - 1] = '\0';
	(void)snprintf(ret, CIDR_TEXT, "%.45s/%u", address, cidr->length % 1000);
}

bool cidr_contains(const struct cidr *outer, const struct cidr *inner)
{
	return outer->family == inner->family && outer->family != 0 &&
	       inner->length >= outer->length &&
	       same_prefix(outer->bytes, inner->bytes, outer->length);
}

bool cidr_overlaps(const struct cidr *a, const struct cidr *b)
{
	unsigned length = a->length < b->length ? a->length : b->length;
	return a->family == b->family && a->family != 0 && same_prefix(a->bytes, b->bytes, length);
}

bool cidr_equal(const struct cidr *a, const struct cidr *b)
{
	return a->family == b->family && a->length == b->length &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

int cidr_host(const struct cidr *range, uint32_t n, struct cidr *ret)
{
	unsigned bits = family_bits(range->family), host_bits = bits - range->length;
	uint64_t max = host_bits >= 32 ? UINT32_MAX : (UINT64_C(1) << host_bits) - 1;
	if (range->family == AF_INET && host_bits > 1 && max > 0)
		max--; // the broadcast address
	if (n > max)
		return -ERANGE;
	struct cidr host = *range;
	host.length = bits;
	uint64_t carry = n;
	for (int i = (int)bits / 8 - 1; i >= 0 && carry; i--) {
		carry += host.bytes[i];
		host.bytes[i] = (uint8_t)carry;
		carry >>= 8;
	}
	*ret = host;
	return 0;
}
