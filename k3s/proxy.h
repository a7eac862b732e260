// The proxy of K3s' environment file: HTTP_PROXY, HTTPS_PROXY, and a NO_PROXY that always has what must never go through
// one: this machine, the cluster's own ranges and names, the region. Pure; the caller writes the file.
// Source: docs.k3s.io "Configuring an HTTP proxy"; golang.org/x/net/http/httpproxy (ranges and .suffixes in NO_PROXY).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

struct k3s_proxy {
	const char *http, *https, *no; // as the assignment has them, NULL: none
	const char *const *always;     // NULL-terminated: addresses, ranges, names; a NULL-free list of borrowed texts
};
/* Lines for a systemd EnvironmentFile, "" without a proxy; the caller frees. Texts must be free of quotes, backslashes and
 * white space (the assignment's decoder sees to it). NULL: out of memory. */
char *k3s_proxy_environment(const struct k3s_proxy *proxy);
// The host of an http(s) URL, without brackets, port and path. -EINVAL: none, or longer than @ret.
int k3s_url_host(const char *url, char *ret, size_t size);
