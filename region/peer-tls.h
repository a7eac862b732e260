// Who is at the other end of a TLS connection: reads and verifies the client certificate once per
// connection. The HTTP library asks for it and believes anything; all verifying is here (GnuTLS,
// DESIGN 5). SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/crypto.h"

#include <gnutls/gnutls.h>

struct tls_peer {
	bool looked; // the rest is filled in
	bool has_certificate, is_p256, self_signed, ours;
	char key[SHA256_HEX + 1];
	struct cert_facts facts;
};
struct tls_peer *tls_peer_free(struct tls_peer *peer);
// Before the handshake: no list of CAs is sent, so that any client shows what it has.
void tls_peer_prepare(gnutls_session_t session);
void tls_peer_look(struct tls_peer *peer, gnutls_session_t session);
