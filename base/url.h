// The URLs that Hearth takes from people: an https origin, and host[:port] of registries.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

/* "https://HOST[:PORT]" with at most a final "/", which is dropped: into @ret, the caller frees. HOST is a DNS name, an
 * IPv4 address or an IPv6 address in brackets. -EINVAL for anything else; -ENOMEM. */
int url_origin(const char *text, char **ret);
/* "http://[USER:PASSWORD@]HOST:PORT", perhaps with a final "/", which is dropped: a proxy. USER and PASSWORD are percent-encoded
 * where RFC 3986 wants it. Into @ret, the caller frees. -EINVAL; -ENOMEM. */
int url_proxy(const char *text, char **ret);
// What may be shown of a proxy's URL: HOST:PORT. Borrowed from @url.
const char *url_proxy_host(const char *url);
// HOST[:PORT] as above, @n bytes.
bool url_host_port_valid(const char *text, size_t n);
