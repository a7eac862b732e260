// SPDX-License-Identifier: Apache-2.0
#include "agent/ranges.h"
#include <arpa/inet.h>
#include <errno.h>

struct range {
	int family;
	uint8_t bytes[16];
	unsigned bits;
};

static bool range_parse(const char *text, struct range *ret)
{
	char address[64];
	size_t n = strcspn(text, "/");
	if (n >= sizeof(address))
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	*ret = (struct range){ .family = strchr(address, ':') ? AF_INET6 : AF_INET };
	unsigned max_bits = ret->family == AF_INET6 ? 128 : 32;
	ret->bits = text[n] ? (unsigned)strtoul(text + n + 1, NULL, 10) : max_bits;
	return ret->bits <= max_bits && inet_pton(ret->family, address, ret->bytes) == 1;
}

bool ranges_overlap(const char *a, const char *b)
{
	struct range x, y;
	if (!range_parse(a, &x) || !range_parse(b, &y) || x.family != y.family)
		return false;
	unsigned bits = x.bits < y.bits ? x.bits : y.bits; // the wider one holds the other or they are apart
	if (memcmp(x.bytes, y.bytes, bits / 8) != 0)
		return false;
	uint8_t mask = (uint8_t)(0xff << (8 - bits % 8));
	return bits % 8 == 0 || (x.bytes[bits / 8] & mask) == (y.bytes[bits / 8] & mask);
}

bool ranges_have_address(const struct netconf_links *links, const char *address)
{
	struct range wanted, there;
	if (!range_parse(address, &wanted))
		return false;
	for (size_t i = 0; links && i < links->n; i++)
		for (size_t j = 0; j < links->links[i].n_addresses; j++)
			if (range_parse(links->links[i].addresses[j].text, &there) && there.family == wanted.family &&
				memcmp(there.bytes, wanted.bytes, wanted.family == AF_INET6 ? 16 : 4) == 0)
				return true;
	return false;
}

int ranges_check(const struct assignment *assignment, const struct netconf_links *links, struct diag *reterr)
{
	const struct {
		const char *name, *range;
	} ranges[] = {
		{ "pod", assignment->pod_cidr },
		{ "service", assignment->service_cidr },
		{ "mesh", assignment->mesh_cidr },
	};
	for (size_t i = 0; links && i < links->n; i++) {
		const struct netconf_link *link = &links->links[i];
		for (size_t j = 0; link->wired && j < link->n_addresses; j++)
			for (size_t k = 0; link->addresses[j].global && k < N_ELEMENTS(ranges); k++)
				if (ranges[k].range && ranges_overlap(ranges[k].range, link->addresses[j].text))
					return diag_set(reterr, -EADDRINUSE, "cluster", "the %s range %s overlaps the network of %s (%s)",
						ranges[k].name, ranges[k].range, link->name, link->addresses[j].text);
	}
	return 0;
}
