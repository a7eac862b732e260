// All cryptography, by mbedTLS: P-256 keys, certificates, pins, ECDSA-SHA256, SHA-256, AES-GCM, random, encodings.
// Foreign error codes become errno here and nowhere else. Keys are wiped when freed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

enum { SHA256_BYTES = 32, SHA256_HEX = 64, PIN_TEXT = 7 + 64 + 1 };

void crypto_random(void *ret, size_t n); // getrandom(2); blocks until the kernel's pool is ready, aborts never
void crypto_wipe(void *bytes, size_t n);
bool crypto_equal(const void *a, const void *b, size_t n); // constant time
void sha256(const void *bytes, size_t n, uint8_t ret[static 32]);
// Each part preceded by its length as uint32 big-endian, so that no two lists of parts give the same bytes.
struct hash_part {
	const void *bytes;
	size_t n;
};
void sha256_parts(const struct hash_part parts[], size_t n_parts, uint8_t ret[static 32]);

struct sha256_stream;
struct sha256_stream *sha256_stream_new(void);
struct sha256_stream *sha256_stream_free(struct sha256_stream *stream);
DEFINE_CLEANUP(sha256_stream)
void sha256_stream_add(struct sha256_stream *stream, const void *bytes, size_t n);
void sha256_stream_end(struct sha256_stream *stream, uint8_t ret[static 32]);

void hex_encode(const uint8_t *bytes, size_t n, char *ret); // 2n + 1 bytes, lower case
int hex_decode(const char *hex, uint8_t *ret, size_t n);    // exactly 2n lower-case digits, else -EINVAL
char *base64_encode(const void *bytes, size_t n);           // standard alphabet, padded; caller frees
char *base64url_encode(const void *bytes, size_t n);        // unpadded
int base64_decode(const char *text, uint8_t **ret, size_t *ret_n);    // strict; caller frees
int base64url_decode(const char *text, uint8_t **ret, size_t *ret_n); // strict, unpadded

// "sha256:" + 64 lower-case hex digits. Parse: -EINVAL otherwise.
void pin_format(const uint8_t hash[static 32], char ret[static PIN_TEXT]);
int pin_parse(const char *text, uint8_t ret_hash[static 32]);

// A P-256 key pair (ECDSA).
struct key;
int key_generate(struct key **ret);
struct key *key_free(struct key *key);
DEFINE_CLEANUP(key)
int key_to_pem(const struct key *key, char **ret); // SEC1 or PKCS8 PEM; the caller wipes and frees
int key_from_pem(const char *pem, struct key **ret, struct diag *reterr);
int key_spki(const struct key *key, uint8_t **ret_der, size_t *ret_n); // SubjectPublicKeyInfo DER; caller frees
// ECDSA over SHA-256(message), DER signature; caller frees.
int key_sign(const struct key *key, const void *message, size_t n, uint8_t **ret_der, size_t *ret_n);
/* Verify with a public key given as SPKI (DER, or PEM "PUBLIC KEY"). 0; -EBADMSG signature wrong; -EINVAL no P-256 key. */
int spki_verify(const void *spki, size_t n_spki, const void *message, size_t n_message, const void *signature,
	size_t n_signature);
// SHA-256 of the SPKI DER.
int key_pin(const struct key *key, uint8_t ret[static 32]);
int public_key_pem_pin(const char *pem, uint8_t ret[static 32]);
// "-----BEGIN CERTIFICATE REQUEST-----"; caller frees.
int key_csr_pem(const struct key *key, const char *common_name, char **ret);

enum cert_usage { CERT_USAGE_CA, CERT_USAGE_SERVER, CERT_USAGE_CLIENT };
struct cert_request {
	enum cert_usage usage;
	const char *common_name;
	const char *organisation;      // may be NULL
	const uint8_t *spki;           // subject public key (DER); NULL: @issuer_key's own (self-signed)
	size_t n_spki;
	const char *const *sans;       // NULL-terminated names or IP addresses; may be NULL
	int64_t not_before_sec, not_after_sec; // seconds since 1970
};
/* Issue a certificate: serial 16 random bytes; CA: basicConstraints CA:true + keyCertSign; server: EKU serverAuth,
 * CA:false, SANs; client: EKU clientAuth, CA:false. @issuer_cert_pem NULL: self-signed by @issuer_key. */
int cert_issue(const struct cert_request *request, const char *issuer_cert_pem, const struct key *issuer_key,
	char **ret_pem, struct diag *reterr);

struct cert_facts {
	uint8_t sha256[32];      // of the DER
	uint8_t spki_sha256[32]; // the pin
	uint8_t *spki;           // DER, owned
	size_t n_spki;
	int64_t not_before_sec, not_after_sec;
	bool is_ca, server_auth, client_auth;
	char common_name[128], organisation[128];
};
void cert_facts_done(struct cert_facts *facts);
int cert_facts_from_pem(const char *pem, struct cert_facts *ret, struct diag *reterr);
int cert_facts_from_der(const void *der, size_t n, struct cert_facts *ret, struct diag *reterr);
int cert_pem_to_der(const char *pem, uint8_t **ret, size_t *ret_n);
int cert_der_to_pem(const void *der, size_t n, char **ret);
// SPKI of a CSR whose self-signature verifies; caller frees.
int csr_spki(const char *csr_pem, uint8_t **ret_spki, size_t *ret_n, struct diag *reterr);
/* Does the chain @cert_pem <- @ca_pem hold (signature, CA flag)? @check_dates false ignores the dates (first hello).
 * 0; -EKEYREJECTED with the reason. */
int cert_verify(const char *cert_pem, const char *ca_pem, bool check_dates, struct diag *reterr);

// AES-256-GCM, 12-byte random nonce in front, 16-byte tag behind; @aad binds the context. Caller frees.
int seal_bytes(const uint8_t key[static 32], const char *aad, const void *bytes, size_t n, uint8_t **ret, size_t *ret_n);
int unseal_bytes(const uint8_t key[static 32], const char *aad, const void *bytes, size_t n, uint8_t **ret, size_t *ret_n); // -EBADMSG

// WireGuard (X25519) keys, 32 raw bytes.
void wg_key_generate(uint8_t ret_private[static 32]);
int wg_key_public(const uint8_t private_key[static 32], uint8_t ret_public[static 32]);
