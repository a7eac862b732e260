// K3s tokens: the short form (a bare secret) and the full form K10<CA hash>::<user>:<secret>; the CA hash by K3s' own
// rule: SHA-256 over the PEM bytes when the file holds one certificate, else over the DER of the first one's root.
// Source: k3s pkg/clientaccess/token.go.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/crypto.h"

enum { K3S_TOKEN_MAX = 512, K3S_CA_MAX_BYTES = 64 << 10 };

struct k3s_token {
	bool has_ca_hash;
	char ca_hash[SHA256_HEX + 1];
	char user[16];              // "server", "node"; "" in the short form
	char secret[K3S_TOKEN_MAX];
};
/* White space around it is trimmed, as K3s does. -EINVAL; no message ever holds the secret. */
int k3s_token_parse(const char *text, struct k3s_token *ret, struct diag *reterr);
// Full form when @ca_hash is given, else the secret alone. Caller wipes and frees. NULL: out of memory.
char *k3s_token_format(const char *ca_hash, const char *user, const char *secret);
void k3s_token_done(struct k3s_token *token); // wipes
/* How long K3s is given to come up with one of two tokens before it is started with the other one, @n_changes after the first:
 * a minute, and each time twice as long, to a quarter of an hour, so that a slow machine gets there with the right one. */
uint64_t k3s_token_patience_usec(unsigned n_changes);
int k3s_ca_hash(const char *pem, size_t n, char ret[static SHA256_HEX + 1], struct diag *reterr);
