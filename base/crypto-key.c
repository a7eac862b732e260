// P-256 keys: generate, read, write, sign, verify.
// SPDX-License-Identifier: Apache-2.0
#include "base/crypto-mbed.h"

#include <errno.h>
#include <mbedtls/ecp.h>
#include <mbedtls/platform_util.h>

mbedtls_pk_context *mbed_pk(const struct key *key)
{
	return (mbedtls_pk_context *)&key->pk;
}

bool mbed_is_p256(const mbedtls_pk_context *pk)
{
	return mbedtls_pk_get_type(pk) == MBEDTLS_PK_ECKEY &&
		mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(*pk)) == MBEDTLS_ECP_DP_SECP256R1;
}

static struct key *key_new(void)
{
	struct key *key = calloc(1, sizeof(*key));

	if (key)
		mbedtls_pk_init(&key->pk);
	return key;
}

struct key *key_free(struct key *key)
{
	if (key)
		mbedtls_pk_free(&key->pk); // wipes the number
	free(key);
	return NULL;
}

int key_generate(struct key **ret)
{
	CLEANUP(key_freep) struct key *key = key_new();

	if (!key)
		return -ENOMEM;
	int r = mbedtls_pk_setup(&key->pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
	if (r == 0)
		r = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key->pk), mbed_random, NULL);
	if (r != 0)
		return mbed_errno(r);
	*ret = TAKE_PTR(key);
	return 0;
}

int key_to_pem(const struct key *key, char **ret)
{
	unsigned char pem[MAX_KEY_PEM];
	int r = mbedtls_pk_write_key_pem(mbed_pk(key), pem, sizeof(pem));

	if (r == 0) {
		*ret = strdup((char *)pem);
		r = *ret ? 0 : MBEDTLS_ERR_PK_ALLOC_FAILED;
	}
	crypto_wipe(pem, sizeof(pem));
	return mbed_errno(r);
}

int key_from_pem(const char *pem, struct key **ret, struct diag *reterr)
{
	CLEANUP(key_freep) struct key *key = key_new();

	if (!key)
		return diag_set(reterr, -ENOMEM, "", "no memory");
	int r = mbedtls_pk_parse_key(&key->pk, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0, mbed_random, NULL);
	if (r != 0)
		return diag_set(reterr, mbed_errno(r), "", "a key must be an unencrypted private key in PEM");
	if (!mbed_is_p256(&key->pk))
		return diag_set(reterr, -EINVAL, "", "a key must be on the curve P-256");
	if (mbedtls_pk_check_pair(&key->pk, &key->pk, mbed_random, NULL) != 0)
		return diag_set(reterr, -EINVAL, "", "a key's public half must fit its private half");
	*ret = TAKE_PTR(key);
	return 0;
}

int mbed_spki(const mbedtls_pk_context *pk, uint8_t **ret, size_t *ret_n)
{
	uint8_t der[MAX_SPKI_DER];
	int n = mbedtls_pk_write_pubkey_der(pk, der, sizeof(der)); // at the end of the buffer

	if (n < 0)
		return mbed_errno(n);
	*ret = malloc((size_t)n);
	if (!*ret)
		return -ENOMEM;
	memcpy(*ret, der + sizeof(der) - n, (size_t)n);
	*ret_n = (size_t)n;
	return 0;
}

int key_spki(const struct key *key, uint8_t **ret_der, size_t *ret_n)
{
	return mbed_spki(&key->pk, ret_der, ret_n);
}

int key_sign(const struct key *key, const void *message, size_t n, uint8_t **ret_der, size_t *ret_n)
{
	uint8_t hash[SHA256_BYTES], signature[MBEDTLS_PK_SIGNATURE_MAX_SIZE];

	sha256(message, n, hash);
	int r = mbedtls_pk_sign(mbed_pk(key), MBEDTLS_MD_SHA256, hash, sizeof(hash), signature, sizeof(signature), ret_n,
		mbed_random, NULL);
	if (r != 0)
		return mbed_errno(r);
	*ret_der = malloc(*ret_n);
	if (!*ret_der)
		return -ENOMEM;
	memcpy(*ret_der, signature, *ret_n);
	return 0;
}

int mbed_parse_spki(const void *spki, size_t n, mbedtls_pk_context *pk)
{
	int r;

	if (n > 10 && memcmp(spki, "-----BEGIN", 10) == 0) {
		AUTO_FREE char *pem = strndup(spki, n); // mbedTLS wants the NUL counted
		if (!pem)
			return -ENOMEM;
		r = mbedtls_pk_parse_public_key(pk, (unsigned char *)pem, strlen(pem) + 1);
	} else {
		r = mbedtls_pk_parse_public_key(pk, spki, n);
	}
	if (r != 0)
		return mbed_errno(r);
	return mbed_is_p256(pk) ? 0 : -EINVAL;
}

int spki_verify(const void *spki, size_t n_spki, const void *message, size_t n_message, const void *signature,
	size_t n_signature)
{
	uint8_t hash[SHA256_BYTES];
	mbedtls_pk_context pk;

	mbedtls_pk_init(&pk);
	int r = mbed_parse_spki(spki, n_spki, &pk);
	if (r == 0) {
		sha256(message, n_message, hash);
		if (mbedtls_pk_verify(&pk, MBEDTLS_MD_SHA256, hash, sizeof(hash), signature, n_signature) != 0)
			r = -EBADMSG; // whatever is wrong with it, it is no signature of this message
	}
	mbedtls_pk_free(&pk);
	return r;
}

int key_pin(const struct key *key, uint8_t ret[static 32])
{
	AUTO_FREE uint8_t *spki = NULL;
	size_t n;
	int r = key_spki(key, &spki, &n);

	if (r == 0)
		sha256(spki, n, ret);
	return r;
}

int public_key_pem_pin(const char *pem, uint8_t ret[static 32])
{
	AUTO_FREE uint8_t *spki = NULL;
	mbedtls_pk_context pk;
	size_t n;

	mbedtls_pk_init(&pk);
	int r = str_starts(pem, "-----BEGIN") ? mbed_parse_spki(pem, strlen(pem), &pk) : -EINVAL;
	if (r == 0)
		r = mbed_spki(&pk, &spki, &n);
	if (r == 0)
		sha256(spki, n, ret);
	mbedtls_pk_free(&pk);
	return r;
}
