// Hashes, random bytes, encodings, pins, sealing; and the one table from mbedTLS' errors to errno.
// SPDX-License-Identifier: Apache-2.0
#include "base/crypto-mbed.h"

#include <endian.h>
#include <errno.h>
#include <mbedtls/base64.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/ecp.h>
#include <mbedtls/error.h>
#include <mbedtls/gcm.h>
#include <mbedtls/pem.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>
#include <sys/random.h>

enum { GCM_NONCE_BYTES = 12, GCM_TAG_BYTES = 16 };

int mbed_errno(int error)
{
	switch (error) {
	case 0:
		return 0;
	case MBEDTLS_ERR_MPI_ALLOC_FAILED:
	case MBEDTLS_ERR_PK_ALLOC_FAILED:
	case MBEDTLS_ERR_X509_ALLOC_FAILED:
	case MBEDTLS_ERR_PEM_ALLOC_FAILED:
	case MBEDTLS_ERR_ECP_ALLOC_FAILED:
		return -ENOMEM;
	case MBEDTLS_ERR_ECP_VERIFY_FAILED:
	case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
	case MBEDTLS_ERR_GCM_AUTH_FAILED:
	case MBEDTLS_ERR_PK_SIG_LEN_MISMATCH:
		return -EBADMSG;
	case MBEDTLS_ERR_BASE64_BUFFER_TOO_SMALL:
	case MBEDTLS_ERR_X509_BUFFER_TOO_SMALL:
	case MBEDTLS_ERR_ECP_BUFFER_TOO_SMALL:
		return -E2BIG;
	default:
		return error < 0 ? -EINVAL : 0; // positive: a length
	}
}

void crypto_random(void *ret, size_t n)
{
	for (uint8_t *p = ret; n > 0;) {
		ssize_t got = getrandom(p, n, 0);
		if (got < 0)
			continue; // only EINTR can happen: flags are 0 and the buffer is ours
		p += got;
		n -= (size_t)got;
	}
}

int mbed_random(void *unused, unsigned char *ret, size_t n)
{
	crypto_random(ret, n);
	return 0;
}

void crypto_wipe(void *bytes, size_t n)
{
	if (bytes)
		mbedtls_platform_zeroize(bytes, n);
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
	return mbedtls_ct_memcmp(a, b, n) == 0;
}

void sha256(const void *bytes, size_t n, uint8_t ret[static 32])
{
	(void)mbedtls_sha256(bytes, n, ret, 0); // fails only for hardware drivers, which Debian's build has not
}

void sha256_parts(const struct hash_part parts[], size_t n_parts, uint8_t ret[static 32])
{
	mbedtls_sha256_context hash;

	mbedtls_sha256_init(&hash);
	(void)mbedtls_sha256_starts(&hash, 0); // as in sha256()
	for (size_t i = 0; i < n_parts; i++) {
		uint32_t length = htobe32((uint32_t)parts[i].n);
		(void)mbedtls_sha256_update(&hash, (const void *)&length, sizeof(length));
		(void)mbedtls_sha256_update(&hash, parts[i].bytes, parts[i].n);
	}
	(void)mbedtls_sha256_finish(&hash, ret);
	mbedtls_sha256_free(&hash);
}

void hex_encode(const uint8_t *bytes, size_t n, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*ret++ = digits[bytes[i] >> 4];
		*ret++ = digits[bytes[i] & 15];
	}
	*ret = '\0';
}

int hex_decode(const char *hex, uint8_t *ret, size_t n)
{
	if (strspn(hex, "0123456789abcdef") != 2 * n || hex[2 * n])
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		uint8_t high = (uint8_t)hex[2 * i], low = (uint8_t)hex[2 * i + 1];
		ret[i] = (uint8_t)((high <= '9' ? high - '0' : high - 'a' + 10) << 4 |
			(low <= '9' ? low - '0' : low - 'a' + 10));
	}
	return 0;
}

char *base64_encode(const void *bytes, size_t n)
{
	size_t n_text = (n + 2) / 3 * 4 + 1;
	char *text = malloc(n_text);

	if (text && mbedtls_base64_encode((unsigned char *)text, n_text, &n_text, bytes, n) != 0) {
		free(text);
		return NULL;
	}
	if (text)
		text[n_text] = '\0';
	return text;
}

char *base64url_encode(const void *bytes, size_t n)
{
	char *text = base64_encode(bytes, n);

	if (!text)
		return NULL;
	for (char *p = text; *p; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	text[strcspn(text, "=")] = '\0';
	return text;
}

static int decode(const char *text, const char *alphabet, bool padded, uint8_t **ret, size_t *ret_n)
{
	size_t n_text = strlen(text), n_digits = strspn(text, alphabet), n_padding = n_text - n_digits;
	uint32_t bits = 0;
	size_t n = 0;

	if (strspn(text + n_digits, "=") != n_padding || n_digits % 4 == 1)
		return -EINVAL;
	if (n_padding != (padded ? (4 - n_digits % 4) % 4 : 0))
		return -EINVAL;
	AUTO_FREE uint8_t *bytes = malloc(n_digits / 4 * 3 + 4);
	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < n_digits; i++) {
		bits = bits << 6 | (uint32_t)(strchr(alphabet, text[i]) - alphabet);
		if (i % 4 != 0)
			bytes[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	// The bits that no byte took must be zero: one text per value.
	if ((n_digits % 4 == 2 && bits & 15) || (n_digits % 4 == 3 && bits & 3))
		return -EINVAL;
	bytes[n] = '\0'; // convenient for texts
	*ret_n = n;
	*ret = TAKE_PTR(bytes);
	return 0;
}

int base64_decode(const char *text, uint8_t **ret, size_t *ret_n)
{
	return decode(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true, ret, ret_n);
}

int base64url_decode(const char *text, uint8_t **ret, size_t *ret_n)
{
	return decode(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false, ret, ret_n);
}

void pin_format(const uint8_t hash[static 32], char ret[static PIN_TEXT])
{
	memcpy(ret, "sha256:", 7);
	hex_encode(hash, 32, ret + 7);
}

int pin_parse(const char *text, uint8_t ret_hash[static 32])
{
	return str_starts(text, "sha256:") ? hex_decode(text + 7, ret_hash, 32) : -EINVAL;
}

int seal_bytes(const uint8_t key[static 32], const char *aad, const void *bytes, size_t n, uint8_t **ret, size_t *ret_n)
{
	mbedtls_gcm_context gcm;
	AUTO_FREE uint8_t *sealed = malloc(GCM_NONCE_BYTES + n + GCM_TAG_BYTES);

	if (!sealed)
		return -ENOMEM;
	crypto_random(sealed, GCM_NONCE_BYTES);
	mbedtls_gcm_init(&gcm);
	int r = mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 256);
	if (r == 0)
		r = mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, n, sealed, GCM_NONCE_BYTES,
			(const unsigned char *)aad, strlen(aad), bytes, sealed + GCM_NONCE_BYTES, GCM_TAG_BYTES,
			sealed + GCM_NONCE_BYTES + n);
	mbedtls_gcm_free(&gcm);
	if (r != 0)
		return mbed_errno(r);
	*ret_n = GCM_NONCE_BYTES + n + GCM_TAG_BYTES;
	*ret = TAKE_PTR(sealed);
	return 0;
}

int unseal_bytes(const uint8_t key[static 32], const char *aad, const void *bytes, size_t n, uint8_t **ret, size_t *ret_n)
{
	const uint8_t *sealed = bytes;
	mbedtls_gcm_context gcm;

	if (n < GCM_NONCE_BYTES + GCM_TAG_BYTES)
		return -EBADMSG;
	n -= GCM_NONCE_BYTES + GCM_TAG_BYTES;
	AUTO_FREE uint8_t *plain = malloc(n + 1);
	if (!plain)
		return -ENOMEM;
	mbedtls_gcm_init(&gcm);
	int r = mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 256);
	if (r == 0)
		r = mbedtls_gcm_auth_decrypt(&gcm, n, sealed, GCM_NONCE_BYTES, (const unsigned char *)aad, strlen(aad),
			sealed + GCM_NONCE_BYTES + n, GCM_TAG_BYTES, sealed + GCM_NONCE_BYTES, plain);
	mbedtls_gcm_free(&gcm);
	if (r != 0)
		return mbed_errno(r);
	plain[n] = '\0'; // convenient for texts
	*ret_n = n;
	*ret = TAKE_PTR(plain);
	return 0;
}

// RFC 7748, section 5: clear the low three bits and the top one, set the one below it.
static void clamp(uint8_t key[static 32])
{
	key[0] &= 248;
	key[31] = (uint8_t)((key[31] & 127) | 64);
}

void wg_key_generate(uint8_t ret_private[static 32])
{
	crypto_random(ret_private, 32);
	clamp(ret_private);
}

int wg_key_public(const uint8_t private_key[static 32], uint8_t ret_public[static 32])
{
	uint8_t clamped[32];
	mbedtls_ecp_group group;
	mbedtls_ecp_point point;
	mbedtls_mpi scalar;
	size_t n = 0;

	memcpy(clamped, private_key, sizeof(clamped));
	clamp(clamped);
	mbedtls_ecp_group_init(&group);
	mbedtls_ecp_point_init(&point);
	mbedtls_mpi_init(&scalar);
	int r = mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_CURVE25519);
	if (r == 0)
		r = mbedtls_mpi_read_binary_le(&scalar, clamped, sizeof(clamped));
	if (r == 0)
		r = mbedtls_ecp_mul(&group, &point, &scalar, &group.G, mbed_random, NULL);
	if (r == 0) // little-endian on Montgomery curves
		r = mbedtls_ecp_point_write_binary(&group, &point, MBEDTLS_ECP_PF_COMPRESSED, &n, ret_public, 32);
	mbedtls_mpi_free(&scalar);
	mbedtls_ecp_point_free(&point);
	mbedtls_ecp_group_free(&group);
	crypto_wipe(clamped, sizeof(clamped));
	return r == 0 && n != 32 ? -EINVAL : mbed_errno(r);
}
