// IP addresses and prefixes as values: parse, format, compare. No kernel here.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"
#include <sys/socket.h>

enum { ADDRESS_TEXT = 64 };

struct ip {
	sa_family_t family; // AF_INET, AF_INET6; 0: none
	uint8_t bytes[16];  // IPv4 uses the first 4, the rest is zero
};
struct address {
	struct ip ip;
	uint8_t prefix;
};

static inline size_t ip_n_bytes(sa_family_t family)
{
	return family == AF_INET ? 4 : 16;
}
static inline uint8_t ip_max_prefix(sa_family_t family)
{
	return family == AF_INET ? 32 : 128;
}
// 0; -EINVAL. No brackets, no zone, no host names.
int ip_parse(const char *text, struct ip *ret);
const char *ip_format(const struct ip *ip, char buffer[static ADDRESS_TEXT]); // returns @buffer
int ip_compare(const struct ip *a, const struct ip *b);
bool ip_is_link_local(const struct ip *ip);
// "10.0.0.1/24". Without a prefix: -EINVAL when @needs_prefix, else the whole address.
int address_parse(const char *text, bool needs_prefix, struct address *ret);
const char *address_format(const struct address *address, char buffer[static ADDRESS_TEXT]);
int address_compare(const struct address *a, const struct address *b); // family, bytes, prefix
void address_mask(struct address *address);                            // clear the host bits
void address_broadcast(const struct address *address, uint8_t ret[static 4]); // IPv4: the last one of its subnet
// "10.0.0.1:51820", "[2001:db8::1]:51820"; port 1-65535.
int endpoint_parse(const char *text, struct ip *ret_ip, uint16_t *ret_port);
const char *endpoint_format(const struct ip *ip, uint16_t port, char buffer[static ADDRESS_TEXT]);
// Six bytes with colons, any case.
int mac_parse(const char *text, uint8_t ret[static 6]);
const char *mac_format(const uint8_t mac[static 6], char buffer[static 18]);
