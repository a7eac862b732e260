// What the crypto-*.c files share; nobody else includes mbedTLS.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/crypto.h"
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

enum { MAX_SPKI_DER = 128, MAX_CERT_PEM = 16 << 10, MAX_KEY_PEM = 512, MAX_SIGNATURE = 80 }; // P-256

struct key {
	mbedtls_pk_context pk;
};

// mbedTLS' random source: getrandom(2).
int mbed_random(void *unused, unsigned char *ret, size_t n);
int mbed_errno(int error); // MBEDTLS_ERR_* to negative errno; 0 stays 0
bool mbed_is_p256(const mbedtls_pk_context *pk);
// mbedTLS takes no const where it changes nothing.
mbedtls_pk_context *mbed_pk(const struct key *key);
// SubjectPublicKeyInfo DER; caller frees.
int mbed_spki(const mbedtls_pk_context *pk, uint8_t **ret, size_t *ret_n);
// Parse SPKI (DER, or PEM "PUBLIC KEY") into @pk, which the caller has initialised. -EINVAL unless P-256.
int mbed_parse_spki(const void *spki, size_t n, mbedtls_pk_context *pk);
// "CN=..." or "O=...,CN=..." with the values escaped; NULL without memory.
char *mbed_subject(const char *organisation, const char *common_name);
