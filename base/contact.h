// First contact as bytes: hello's signed message, the enrolment commitment and code (DESIGN 5). Both the node and the
// region compute them here; docs/region-api.yaml holds the same test vectors as test-contact.c.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/crypto.h"

enum { NONCE_BYTES = 32, CODE_TEXT = 10 }; // "XXXX-XXXX" + NUL

/* The message that a hello's signature covers: "hearth-hello-v1\0", nonce, time as uint64 big-endian milliseconds,
 * SHA-256 of the CA's DER, SHA-256 of the server certificate's DER: 16 + 32 + 8 + 32 + 32 = 120 bytes. */
enum { HELLO_MESSAGE_BYTES = 120 };
void hello_message(const uint8_t nonce[static 32], uint64_t time_msec, const uint8_t ca_sha256[static 32],
	const uint8_t server_sha256[static 32], uint8_t ret[static HELLO_MESSAGE_BYTES]);

// SHA-256 over "hearth-commit-v1", Nn, node SPKI; each field preceded by its length as uint32 big-endian.
void enrol_commitment(const uint8_t node_nonce[static 32], const uint8_t *node_spki, size_t n_node_spki,
	uint8_t ret[static 32]);
// First 40 bits of SHA-256 over "hearth-code-v1", node SPKI, CA SPKI, Nn, Nr as Crockford base32 XXXX-XXXX.
void enrol_code(const uint8_t *node_spki, size_t n_node_spki, const uint8_t *ca_spki, size_t n_ca_spki,
	const uint8_t node_nonce[static 32], const uint8_t region_nonce[static 32], char ret[static CODE_TEXT]);
/* What a person typed, normalised: upper case, I and L are 1, O is 0, spaces and dashes gone, dash put back.
 * -EINVAL unless eight base32 characters remain. */
int enrol_code_normalise(const char *typed, char ret[static CODE_TEXT]);
