// IP addresses, prefixes, endpoints and MACs as text and bytes.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>

static int number_parse(const char *text, unsigned max, unsigned *ret)
{
	unsigned number = 0;
	size_t n = strlen(text);
	if (n == 0 || n > 5 || (n > 1 && text[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		number = number * 10 + (unsigned)(text[i] - '0');
	}
	if (number > max)
		return -EINVAL;
	*ret = number;
	return 0;
}

// To be cut in pieces; false: too long for any address.
static bool copy_text(const char *text, char ret[static ADDRESS_TEXT])
{
	size_t n = strlen(text);
	if (n >= ADDRESS_TEXT)
		return false;
	memcpy(ret, text, n + 1);
	return true;
}

int ip_parse(const char *text, struct ip *ret)
{
	struct ip ip = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};
	if (inet_pton(ip.family, text, ip.bytes) != 1)
		return -EINVAL;
	*ret = ip;
	return 0;
}

// @n, at most 255, without an end; returns what is behind it.
static char *put_decimal(char *to, unsigned n)
{
	if (n >= 100)
		*to++ = (char)('0' + n / 100);
	if (n >= 10)
		*to++ = (char)('0' + n / 10 % 10);
	*to++ = (char)('0' + n % 10);
	return to;
}

// Documents, plans and journals have thousands of IPv4 addresses, and inet_ntop() prints each by sprintf().
static void format_v4(const struct ip *ip, char *to)
{
	for (size_t i = 0; i < 4; i++) {
		to = put_decimal(to, ip->bytes[i]);
		*to++ = i < 3 ? '.' : '\0';
	}
}

const char *ip_format(const struct ip *ip, char buffer[static ADDRESS_TEXT])
{
	if (ip->family == AF_INET)
		format_v4(ip, buffer);
	else if (!inet_ntop(ip->family, ip->bytes, buffer, ADDRESS_TEXT))
		(void)snprintf(buffer, ADDRESS_TEXT, "none"); // family 0
	return buffer;
}

int ip_compare(const struct ip *a, const struct ip *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool ip_is_link_local(const struct ip *ip)
{
	if (ip->family == AF_INET)
		return ip->bytes[0] == 169 && ip->bytes[1] == 254;
	return ip->family == AF_INET6 && ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

int address_parse(const char *text, bool needs_prefix, struct address *ret)
{
	char copy[ADDRESS_TEXT];
	unsigned prefix = 0;
	struct address address = {0};
	if (!copy_text(text, copy))
		return -EINVAL;
	char *slash = strchr(copy, '/');
	if (!slash && needs_prefix)
		return -EINVAL;
	if (slash)
		*slash = '\0';
	if (ip_parse(copy, &address.ip) < 0)
		return -EINVAL;
	address.prefix = ip_max_prefix(address.ip.family);
	if (slash) {
		if (number_parse(slash + 1, address.prefix, &prefix) < 0)
			return -EINVAL;
		address.prefix = (uint8_t)prefix;
	}
	*ret = address;
	return 0;
}

const char *address_format(const struct address *address, char buffer[static ADDRESS_TEXT])
{
	char *end = buffer + strlen(ip_format(&address->ip, buffer)); // 45 characters at most
	*end++ = '/';
	*put_decimal(end, address->prefix) = '\0';
	return buffer;
}

int address_compare(const struct address *a, const struct address *b)
{
	int order = ip_compare(&a->ip, &b->ip);
	return order ? order : (int)a->prefix - (int)b->prefix;
}

void address_mask(struct address *address)
{
	size_t n = ip_n_bytes(address->ip.family);
	for (size_t i = 0; i < n; i++) {
		unsigned bits = address->prefix > i * 8 ? address->prefix - (unsigned)i * 8 : 0;
		if (bits < 8)
			address->ip.bytes[i] &= (uint8_t)(0xff00 >> bits);
	}
}

void address_broadcast(const struct address *address, uint8_t ret[static 4])
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned bits = address->prefix > i * 8 ? address->prefix - i * 8 : 0;
		ret[i] = address->ip.bytes[i] | (uint8_t)(bits < 8 ? 0xff >> bits : 0);
	}
}

int endpoint_parse(const char *text, struct ip *ret_ip, uint16_t *ret_port)
{
	char copy[ADDRESS_TEXT];
	unsigned port;
	struct ip ip;
	if (!copy_text(text, copy))
		return -EINVAL;
	char *colon = strrchr(copy, ':'), *host = copy;
	if (!colon)
		return -EINVAL;
	*colon = '\0';
	bool bracketed = copy[0] == '[' && colon > copy && colon[-1] == ']';
	if (bracketed) {
		colon[-1] = '\0';
		host++;
	}
	if (ip_parse(host, &ip) < 0 || bracketed != (ip.family == AF_INET6))
		return -EINVAL;
	if (number_parse(colon + 1, 65535, &port) < 0 || port == 0)
		return -EINVAL;
	*ret_ip = ip;
	*ret_port = (uint16_t)port;
	return 0;
}

const char *endpoint_format(const struct ip *ip, uint16_t port, char buffer[static ADDRESS_TEXT])
{
	char text[ADDRESS_TEXT];
	(void)snprintf(buffer, ADDRESS_TEXT, ip->family == AF_INET6 ? "[%.46s]:%u" : "%.46s:%u", ip_format(ip, text),
		port);
	return buffer;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	int lower = tolower((unsigned char)c);
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

int mac_parse(const char *text, uint8_t ret[static 6])
{
	uint8_t mac[6];
	if (strlen(text) != 17)
		return -EINVAL;
	for (int i = 0; i < 6; i++) {
		int high = hex_digit(text[3 * i]), low = hex_digit(text[3 * i + 1]);
		if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret, mac, 6);
	return 0;
}

const char *mac_format(const uint8_t mac[static 6], char buffer[static 18])
{
	(void)snprintf(buffer, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return buffer;
}
