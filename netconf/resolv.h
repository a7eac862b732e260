// resolv.conf from what the document declares and what networkd learned. Rendering and parsing are pure.
// Source: resolv.conf(5); /run/systemd/netif/links/INDEX as systemd 257 writes it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/claim.h"

enum { RESOLV_MAX_SERVERS = 3, RESOLV_MAX_SEARCH = 6 }; // MAXNS of glibc; kubelet takes no more than three either

struct resolv {
	char servers[RESOLV_MAX_SERVERS][ADDRESS_TEXT];
	char search[RESOLV_MAX_SEARCH][254];
	size_t n_servers, n_search;
};
// Once each; no address: ignored. A link-local one without a zone gets that of @link, which it belongs to.
void resolv_add_server(struct resolv *resolv, const char *server, const char *link);
void resolv_add_search(struct resolv *resolv, const char *domain);
/* Lines DNS= and DOMAINS= of networkd's state of one link. Servers with a port or a name of TLS keep their address. */
void resolv_add_state(struct resolv *resolv, const char *state, const char *link);
char *resolv_render(const struct resolv *resolv); // the caller frees
// Declared servers in the order of the document, then those of the claimed links' leases.
void resolv_collect(struct resolv *resolv, const struct claims *claims);
