// Hosts and ports, RFC 3986 as far as Hearth wants it: no user, no path, no query.
// SPDX-License-Identifier: Apache-2.0
#include "base/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>

enum { HOST_MAX = 253, LABEL_MAX = 63 };

static bool port_valid(const char *text, size_t n)
{
	unsigned long port = 0;

	if (n == 0 || n > 5 || *text == '0')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		port = port * 10 + (unsigned long)(text[i] - '0');
	}
	return port <= 65535;
}

static bool name_valid(const char *text, size_t n)
{
	size_t n_label = 0;

	if (n == 0 || n > HOST_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '.') {
			if (n_label == 0 || text[i - 1] == '-')
				return false;
			n_label = 0;
			continue;
		}
		bool dash = text[i] == '-' && n_label > 0;
		if ((!isalnum((unsigned char)text[i]) && !dash) || ++n_label > LABEL_MAX)
			return false;
	}
	return n_label > 0 && text[n - 1] != '-';
}

bool url_host_port_valid(const char *text, size_t n)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr in6;

	if (n > 0 && *text == '[') {
		const char *end = memchr(text, ']', n);
		size_t n_address = end ? (size_t)(end - text) - 1 : 0;
		if (!end || n_address >= sizeof(address))
			return false;
		memcpy(address, text + 1, n_address);
		address[n_address] = '\0';
		if (inet_pton(AF_INET6, address, &in6) != 1)
			return false;
		size_t n_rest = n - n_address - 2;
		return n_rest == 0 || (end[1] == ':' && port_valid(end + 2, n_rest - 1));
	}
	const char *colon = memchr(text, ':', n);
	size_t n_host = colon ? (size_t)(colon - text) : n;
	return name_valid(text, n_host) && (!colon || port_valid(colon + 1, n - n_host - 1));
}

int url_origin(const char *text, char **ret)
{
	static const char scheme[] = "https://";

	if (!str_starts(text, scheme))
		return -EINVAL;
	size_t n = strlen(text);
	if (text[n - 1] == '/' && n > strlen(scheme))
		n--;
	if (!url_host_port_valid(text + strlen(scheme), n - strlen(scheme)))
		return -EINVAL;
	*ret = strndup(text, n);
	return *ret ? 0 : -ENOMEM;
}

static const char proxy_scheme[] = "http://";

const char *url_proxy_host(const char *url)
{
	const char *host = url + strlen(proxy_scheme), *at = strrchr(host, '@');

	return at ? at + 1 : host;
}

int url_proxy(const char *text, char **ret)
{
	static const char user_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%!&()*+,;=:";

	if (!str_starts(text, proxy_scheme))
		return -EINVAL;
	const char *user = text + strlen(proxy_scheme), *host = url_proxy_host(text);
	size_t n = strlen(text), n_user = host > user ? (size_t)(host - user) - 1 : 0;
	if (text[n - 1] == '/' && text + n > host)
		n--;
	size_t n_host = n - (size_t)(host - text);
	if (strspn(user, user_characters) < n_user || (host > user && n_user == 0))
		return -EINVAL;
	const char *colon = memrchr(host, ':', n_host);
	if (!url_host_port_valid(host, n_host) || !colon || memchr(colon, ']', n_host - (size_t)(colon - host)))
		return -EINVAL; // proxies have no usual port
	*ret = strndup(text, n);
	return *ret ? 0 : -ENOMEM;
}
