// Both signature forms with keys made here: good ones hold, everything else is refused with the right error.
// SPDX-License-Identifier: Apache-2.0
#include "base/crypto.h"
#include "k3s/cosign.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "sha256:1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PAYLOAD(type, digest)                                                                      \
	"{\"critical\":{\"identity\":{\"docker-reference\":\"r\"},\"image\":{\"docker-manifest-digest\":\"" digest          \
	"\"},\"type\":\"" type "\"},\"optional\":null}"
#define GOOD_PAYLOAD PAYLOAD("cosign container image signature", DIGEST)
#define STATEMENT(predicate, hex)                                                                  \
	"{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"digest\":{\"sha256\":\"" hex                        \
	"\"}}],\"predicateType\":\"" predicate "\",\"predicate\":{}}"
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SIGN "https://sigstore.dev/cosign/sign/v1"
#define IN_TOTO "application/vnd.in-toto+json"

static struct key *keys[2];
static char *pems[2];

static char *public_pem(const struct key *key)
{
	uint8_t *der AUTO_FREE = NULL;
	char *base64 AUTO_FREE = NULL;
	size_t n = 0;

	assert_int_equal(key_spki(key, &der, &n), 0);
	base64 = base64_encode(der, n);
	return str_format("-----BEGIN PUBLIC KEY-----\n%.64s\n%s\n-----END PUBLIC KEY-----\n", base64, base64 + 64);
}

static int keys_make(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(key_generate(&keys[i]), 0);
		pems[i] = public_pem(keys[i]);
	}
	return 0;
}

static int keys_drop(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		key_free(keys[i]);
		free(pems[i]);
	}
	return 0;
}

static char *sign(const struct key *key, const char *message, size_t n)
{
	uint8_t *der AUTO_FREE = NULL;
	size_t n_der = 0;

	assert_int_equal(key_sign(key, message, n, &der, &n_der), 0);
	return base64_encode(der, n_der);
}

static int verify_simple(size_t signer, const char *payload, const char *signed_payload, const char *digest)
{
	char *signature AUTO_FREE = sign(keys[signer], signed_payload, strlen(signed_payload));

	return cosign_verify_simple(payload, strlen(payload), signature, digest, (const char *const *)pems, 1, NULL);
}

static void simple_signatures(void **state)
{
	assert_int_equal(verify_simple(0, GOOD_PAYLOAD, GOOD_PAYLOAD, DIGEST), 0);
	assert_int_equal(verify_simple(1, GOOD_PAYLOAD, GOOD_PAYLOAD, DIGEST), -EKEYREJECTED);
	assert_int_equal(verify_simple(0, GOOD_PAYLOAD, GOOD_PAYLOAD " ", DIGEST), -EKEYREJECTED);
	assert_int_equal(verify_simple(0, GOOD_PAYLOAD, GOOD_PAYLOAD, OTHER), -EBADMSG);
	assert_int_equal(verify_simple(0, PAYLOAD("something else", DIGEST), PAYLOAD("something else", DIGEST), DIGEST),
		-EBADMSG);
	assert_int_equal(verify_simple(0, "[]", "[]", DIGEST), -EBADMSG);
	assert_int_equal(verify_simple(0, "{", "{", DIGEST), -EBADMSG);
	assert_int_equal(cosign_verify_simple("x", 1, "!", DIGEST, (const char *const *)pems, 2, NULL), -EBADMSG);
	assert_int_equal(cosign_verify_simple("x", 1, "", DIGEST, (const char *const *)pems, 2, NULL), -EKEYREJECTED);
}

static void the_second_key_is_tried_too(void **state)
{
	char *signature AUTO_FREE = sign(keys[1], GOOD_PAYLOAD, strlen(GOOD_PAYLOAD));

	assert_int_equal(cosign_verify_simple(GOOD_PAYLOAD, strlen(GOOD_PAYLOAD), signature, DIGEST,
				 (const char *const *)pems, 2, NULL),
		0);
}

static char *bundle_make(size_t signer, const char *media_type, const char *type, const char *statement)
{
	char *message AUTO_FREE =
		str_format("DSSEv1 %zu %s %zu %s", strlen(type), type, strlen(statement), statement);
	char *signature AUTO_FREE = sign(keys[signer], message, strlen(message));
	char *body AUTO_FREE = base64_encode(statement, strlen(statement));

	return str_format("{\"mediaType\":\"%s\",\"verificationMaterial\":{},\"dsseEnvelope\":{\"payload\":\"%s\","
			  "\"payloadType\":\"%s\",\"signatures\":[{\"sig\":\"%s\"}]}}",
		media_type, body, type, signature);
}

static void bundles(void **state)
{
	static const char v03[] = "application/vnd.dev.sigstore.bundle.v0.3+json";
	static const struct {
		size_t signer;
		const char *media_type, *type, *statement;
		int r;
	} rows[] = {
		{0, v03, IN_TOTO, STATEMENT(SIGN, HEX), 0},
		{1, v03, IN_TOTO, STATEMENT(SIGN, HEX), -EKEYREJECTED},
		{0, v03, IN_TOTO, STATEMENT("https://spdx.dev/Document", HEX), -EBADMSG},
		{0, v03, IN_TOTO, STATEMENT(SIGN, "00"), -EBADMSG},
		{0, v03, IN_TOTO, "{}", -EBADMSG},
		{0, v03, "text/plain", STATEMENT(SIGN, HEX), -EBADMSG},
		{0, "application/vnd.dev.sigstore.bundle.v9+json", IN_TOTO, STATEMENT(SIGN, HEX), -EBADMSG},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *bundle AUTO_FREE =
			bundle_make(rows[i].signer, rows[i].media_type, rows[i].type, rows[i].statement);

		assert_int_equal(
			cosign_verify_bundle(bundle, strlen(bundle), DIGEST, (const char *const *)pems, 1, NULL),
			rows[i].r);
	}
	assert_int_equal(cosign_verify_bundle("{}", 2, DIGEST, (const char *const *)pems, 1, NULL), -EBADMSG);
	assert_int_equal(cosign_verify_bundle("{}", 2, "sha256:x", (const char *const *)pems, 1, NULL), -EINVAL);
}

static void a_statement_changed_after_signing_is_refused(void **state)
{
	static const char v03[] = "application/vnd.dev.sigstore.bundle.v0.3+json";
	char *bundle AUTO_FREE = bundle_make(0, v03, IN_TOTO, STATEMENT(SIGN, HEX));
	char *other AUTO_FREE = base64_encode(STATEMENT(SIGN, "1" HEX), strlen(STATEMENT(SIGN, "1" HEX)));
	char *forged AUTO_FREE = NULL;
	char *payload = strstr(bundle, "\"payload\":\"") + strlen("\"payload\":\"");
	char *end = strchr(payload, '"');

	forged = str_format("%.*s%s%s", (int)(payload - bundle), bundle, other, end);
	assert_int_equal(
		cosign_verify_bundle(forged, strlen(forged), DIGEST, (const char *const *)pems, 2, NULL), -EKEYREJECTED);
}

static void the_region_narrows_and_never_widens(void **state)
{
	const char *outer[] = {pems[0]}, *both[] = {pems[0], pems[1]}, *second[] = {pems[1]};
	const char *got[COSIGN_MAX_KEYS];

	assert_int_equal(cosign_keys_narrow(both, 2, NULL, 0, got, NULL), 2);
	assert_int_equal(cosign_keys_narrow(both, 2, second, 1, got, NULL), 1);
	assert_string_equal(got[0], pems[1]);
	assert_int_equal(cosign_keys_narrow(outer, 1, both, 2, got, NULL), 1);
	assert_string_equal(got[0], pems[0]);
	assert_int_equal(cosign_keys_narrow(outer, 1, second, 1, got, NULL), -EKEYREJECTED);
	assert_int_equal(cosign_keys_narrow(NULL, 0, both, 2, got, NULL), -EKEYREJECTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(simple_signatures),
		cmocka_unit_test(the_second_key_is_tried_too),
		cmocka_unit_test(bundles),
		cmocka_unit_test(a_statement_changed_after_signing_is_refused),
		cmocka_unit_test(the_region_narrows_and_never_widens),
	};

	return cmocka_run_group_tests(tests, keys_make, keys_drop);
}
