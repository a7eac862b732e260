// Keys, certificates, pins, sealing and encodings, against known values where there are any.
// SPDX-License-Identifier: Apache-2.0
#include "base/crypto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char p384_public[] = "-----BEGIN PUBLIC KEY-----\n"
	"MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE8avtGLZ9LvxhFVZ7kM1I6rdeIG8MTO9y\n"
	"ncjgyeBe+oZaQztaU00tz5rizNqZ//UVgjF6e6ToJd5K35LBex58dNUCXCHFzE/Z\n"
	"oguG2arNk836P05kAA4TiQt0yfOycD79\n"
	"-----END PUBLIC KEY-----\n";

static struct key *new_key(void)
{
	struct key *key = NULL;

	assert_int_equal(key_generate(&key), 0);
	return key;
}

static char *issue(const struct cert_request *request, const char *issuer_pem, const struct key *issuer)
{
	struct diag diag = { 0 };
	char *pem = NULL;

	if (cert_issue(request, issuer_pem, issuer, &pem, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	return pem;
}

static char *issue_ca(const struct key *key)
{
	return issue(&(struct cert_request){ .usage = CERT_USAGE_CA, .common_name = "Test CA, of \"Hearth\"",
			     .organisation = "hearth", .not_before_sec = 1700000000, .not_after_sec = 2500000000 },
		NULL, key);
}

static char *issue_leaf(enum cert_usage usage, const struct key *subject, const char *ca_pem, const struct key *ca,
	int64_t not_before_sec, int64_t not_after_sec)
{
	static const char *const sans[] = { "region.example", "10.0.2.2", "2001:db8::1", NULL };
	AUTO_FREE uint8_t *spki = NULL;
	size_t n;

	assert_int_equal(key_spki(subject, &spki, &n), 0);
	return issue(&(struct cert_request){ .usage = usage, .common_name = "leaf", .spki = spki, .n_spki = n,
			     .sans = usage == CERT_USAGE_SERVER ? sans : NULL, .not_before_sec = not_before_sec,
			     .not_after_sec = not_after_sec },
		ca_pem, ca);
}

static void sha256_is_sha256_in_one_piece_and_in_many(void **state)
{
	uint8_t hash[32], again[32], parts_hash[32];
	char hex[SHA256_HEX + 1];

	sha256("abc", 3, hash);
	hex_encode(hash, 32, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	CLEANUP(sha256_stream_freep) struct sha256_stream *stream = sha256_stream_new();
	for (size_t i = 0; i < 3; i++)
		sha256_stream_add(stream, &"abc"[i], 1);
	sha256_stream_end(stream, again);
	assert_memory_equal(hash, again, 32);
	const struct hash_part parts[] = { { "ab", 2 }, { "", 0 }, { "c", 1 } };
	sha256_parts(parts, 3, parts_hash);
	sha256("\0\0\0\2ab\0\0\0\0\0\0\0\1c", 15, again);
	assert_memory_equal(parts_hash, again, 32);
}

static void hex_is_lower_case_and_of_the_exact_length(void **state)
{
	uint8_t bytes[2] = { 0 };

	assert_int_equal(hex_decode("00ff", bytes, 2), 0);
	assert_memory_equal(bytes, "\0\xff", 2);
	assert_int_equal(hex_decode("00FF", bytes, 2), -EINVAL);
	assert_int_equal(hex_decode("00f", bytes, 2), -EINVAL);
	assert_int_equal(hex_decode("00ff0", bytes, 2), -EINVAL);
	assert_int_equal(hex_decode("00fg", bytes, 2), -EINVAL);
	assert_int_equal(hex_decode("", bytes, 0), 0);
}

static void base64_has_one_text_per_value(void **state)
{
	static const struct {
		const char *bytes, *text, *url;
	} rows[] = { { "", "", "" }, { "f", "Zg==", "Zg" }, { "fo", "Zm8=", "Zm8" }, { "foo", "Zm9v", "Zm9v" },
		{ "foobar", "Zm9vYmFy", "Zm9vYmFy" }, { "\xfb\xff\xfe", "+//+", "-__-" } };
	static const char *const bad[] = { "Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zm9v=", "Zg==Zg==", "Z===", "====", "Zm 9v",
		"Zm9v\n", "-__-", "Zg==x" };
	static const char *const bad_url[] = { "Z", "Zg==", "Zh", "+//+", "Zm9v ", "Zm9" };
	uint8_t *bytes = NULL;
	size_t n;

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO_FREE char *text = base64_encode(rows[i].bytes, strlen(rows[i].bytes)),
			       *url = base64url_encode(rows[i].bytes, strlen(rows[i].bytes));
		assert_string_equal(text, rows[i].text);
		assert_string_equal(url, rows[i].url);
		assert_int_equal(base64_decode(text, &bytes, &n), 0);
		assert_int_equal(n, strlen(rows[i].bytes));
		assert_memory_equal(bytes, rows[i].bytes, n + 1);
		free(bytes);
		assert_int_equal(base64url_decode(url, &bytes, &n), 0);
		assert_memory_equal(bytes, rows[i].bytes, n + 1);
		free(bytes);
	}
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_int_equal(base64_decode(bad[i], &bytes, &n), -EINVAL);
	for (size_t i = 0; i < N_ELEMENTS(bad_url); i++)
		assert_int_equal(base64url_decode(bad_url[i], &bytes, &n), -EINVAL);
}

static void pin_has_one_form(void **state)
{
	char good[PIN_TEXT], again[PIN_TEXT];
	uint8_t hash[32];

	memset(hash, 0xa5, sizeof(hash));
	pin_format(hash, good);
	assert_int_equal(strlen(good), PIN_TEXT - 1);
	memset(hash, 0, sizeof(hash));
	assert_int_equal(pin_parse(good, hash), 0);
	pin_format(hash, again);
	assert_string_equal(good, again);
	assert_int_equal(pin_parse(good + 7, hash), -EINVAL);
	good[70] = '\0';
	assert_int_equal(pin_parse(good, hash), -EINVAL);
	good[70] = 'A';
	assert_int_equal(pin_parse(good, hash), -EINVAL);
}

static void key_survives_its_pem(void **state)
{
	CLEANUP(key_freep) struct key *key = new_key(), *again = NULL;
	AUTO_FREE char *pem = NULL;
	uint8_t pin[32], pin_again[32];
	struct diag diag = { 0 };

	assert_int_equal(key_to_pem(key, &pem), 0);
	assert_int_equal(key_from_pem(pem, &again, &diag), 0);
	assert_int_equal(key_pin(key, pin), 0);
	assert_int_equal(key_pin(again, pin_again), 0);
	assert_memory_equal(pin, pin_again, 32);
	struct key *none = NULL;
	assert_int_equal(key_from_pem("", &none, &diag), -EINVAL);
	assert_int_equal(key_from_pem("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", &none, &diag),
		-EINVAL);
	assert_null(none);
}

static void signature_holds_for_its_key_and_message_only(void **state)
{
	CLEANUP(key_freep) struct key *key = new_key(), *other = new_key();
	AUTO_FREE uint8_t *signature = NULL, *spki = NULL, *other_spki = NULL;
	size_t n, n_spki, n_other;

	assert_int_equal(key_sign(key, "message", 7, &signature, &n), 0);
	assert_int_equal(key_spki(key, &spki, &n_spki), 0);
	assert_int_equal(key_spki(other, &other_spki, &n_other), 0);
	assert_int_equal(spki_verify(spki, n_spki, "message", 7, signature, n), 0);
	assert_int_equal(spki_verify(spki, n_spki, "messagE", 7, signature, n), -EBADMSG);
	assert_int_equal(spki_verify(spki, n_spki, "message", 7, signature, n - 1), -EBADMSG);
	assert_int_equal(spki_verify(spki, n_spki, "message", 7, signature, 0), -EBADMSG);
	assert_int_equal(spki_verify(other_spki, n_other, "message", 7, signature, n), -EBADMSG);
	assert_int_equal(spki_verify(spki, n_spki - 1, "message", 7, signature, n), -EINVAL);
	assert_int_equal(spki_verify(p384_public, strlen(p384_public), "message", 7, signature, n), -EINVAL);
	signature[n - 1] ^= 1;
	assert_int_equal(spki_verify(spki, n_spki, "message", 7, signature, n), -EBADMSG);
}

static void cert_says_what_was_asked_for(void **state)
{
	CLEANUP(key_freep) struct key *ca = new_key(), *server = new_key();
	AUTO_FREE char *ca_pem = issue_ca(ca), *pem = issue_leaf(CERT_USAGE_SERVER, server, ca_pem, ca, 1700000000, 1800000000),
		       *client_pem = issue_leaf(CERT_USAGE_CLIENT, server, ca_pem, ca, 1700000000, 2600000000);
	struct cert_facts facts;
	uint8_t pin[32];

	assert_int_equal(cert_facts_from_pem(pem, &facts, NULL), 0);
	assert_true(facts.server_auth && !facts.client_auth && !facts.is_ca);
	assert_string_equal(facts.common_name, "leaf");
	assert_string_equal(facts.organisation, "");
	assert_int_equal(facts.not_before_sec, 1700000000);
	assert_int_equal(facts.not_after_sec, 1800000000);
	assert_int_equal(key_pin(server, pin), 0);
	assert_memory_equal(facts.spki_sha256, pin, 32);
	cert_facts_done(&facts);

	assert_int_equal(cert_facts_from_pem(client_pem, &facts, NULL), 0);
	assert_true(!facts.server_auth && facts.client_auth && !facts.is_ca);
	assert_int_equal(facts.not_after_sec, 2600000000); // 2052: another form of time in X.509
	cert_facts_done(&facts);

	assert_int_equal(cert_facts_from_pem(ca_pem, &facts, NULL), 0);
	assert_true(!facts.server_auth && !facts.client_auth && facts.is_ca);
	assert_string_equal(facts.common_name, "Test CA, of \"Hearth\"");
	assert_string_equal(facts.organisation, "hearth");
	assert_int_equal(key_pin(ca, pin), 0);
	assert_memory_equal(facts.spki_sha256, pin, 32);
	cert_facts_done(&facts);
}

static void cert_der_and_pem_are_the_same(void **state)
{
	CLEANUP(key_freep) struct key *ca = new_key();
	AUTO_FREE char *pem = issue_ca(ca), *again = NULL;
	AUTO_FREE uint8_t *der = NULL, *longer = NULL;
	struct cert_facts facts;
	struct diag diag = { 0 };
	size_t n;

	assert_int_equal(cert_pem_to_der(pem, &der, &n), 0);
	assert_int_equal(cert_der_to_pem(der, n, &again), 0);
	assert_string_equal(pem, again);
	longer = calloc(1, n + 1);
	memcpy(longer, der, n);
	assert_int_equal(cert_facts_from_der(longer, n + 1, &facts, &diag), -EINVAL);
	for (size_t shorter = 0; shorter < n; shorter++)
		assert_true(cert_facts_from_der(der, shorter, &facts, &diag) < 0);
	assert_true(cert_facts_from_pem("no certificate", &facts, &diag) < 0);
}

static void cert_verify_wants_the_right_ca(void **state)
{
	CLEANUP(key_freep) struct key *ca = new_key(), *other = new_key(), *node = new_key(), *rogue = new_key();
	AUTO_FREE char *ca_pem = issue_ca(ca), *other_pem = issue_ca(other), // the same name
		*leaf = issue_leaf(CERT_USAGE_CLIENT, node, ca_pem, ca, 1700000000, 2500000000),
		*own = issue_leaf(CERT_USAGE_CLIENT, node, NULL, node, 1700000000, 2500000000),
		*by_leaf = issue_leaf(CERT_USAGE_CLIENT, rogue, leaf, node, 1700000000, 2500000000);
	struct diag diag = { 0 };

	assert_int_equal(cert_verify(leaf, ca_pem, true, &diag), 0);
	assert_int_equal(cert_verify(leaf, other_pem, true, &diag), -EKEYREJECTED);
	assert_int_equal(cert_verify(own, ca_pem, true, &diag), -EKEYREJECTED);
	assert_int_equal(cert_verify(by_leaf, ca_pem, true, &diag), -EKEYREJECTED);
	assert_int_equal(cert_verify(by_leaf, leaf, true, &diag), -EKEYREJECTED); // a leaf is no CA
	assert_string_equal(diag.message, "the CA's certificate must be that of a CA");
	AUTO_FREE char *chain = str_format("%s%s", by_leaf, leaf);
	assert_int_equal(cert_verify(chain, ca_pem, true, &diag), -EKEYREJECTED);
	assert_int_equal(cert_verify("", ca_pem, true, &diag), -EKEYREJECTED);
	AUTO_FREE char *both = str_format("%s%s", other_pem, ca_pem); // during rotation
	assert_int_equal(cert_verify(leaf, both, true, &diag), 0);
}

static void cert_verify_can_leave_the_dates_to_later(void **state)
{
	CLEANUP(key_freep) struct key *ca = new_key(), *node = new_key(), *other = new_key();
	AUTO_FREE char *ca_pem = issue_ca(ca), *other_pem = issue_ca(other),
		*past = issue_leaf(CERT_USAGE_SERVER, node, ca_pem, ca, 1000000000, 1000000100),
		*future = issue_leaf(CERT_USAGE_SERVER, node, ca_pem, ca, 4000000000, 4000000100);
	struct diag diag = { 0 };

	assert_int_equal(cert_verify(past, ca_pem, true, &diag), -EKEYREJECTED);
	assert_non_null(strstr(diag.message, "expired"));
	assert_int_equal(cert_verify(future, ca_pem, true, &diag), -EKEYREJECTED);
	assert_int_equal(cert_verify(past, ca_pem, false, &diag), 0);
	assert_int_equal(cert_verify(future, ca_pem, false, &diag), 0);
	assert_int_equal(cert_verify(past, other_pem, false, &diag), -EKEYREJECTED);
}

static void cert_issue_refuses_nonsense(void **state)
{
	CLEANUP(key_freep) struct key *ca = new_key(), *other = new_key();
	AUTO_FREE char *ca_pem = issue_ca(ca);
	struct cert_request request = { .usage = CERT_USAGE_CLIENT, .common_name = "x", .not_before_sec = 10, .not_after_sec = 20 };
	struct diag diag = { 0 };
	char *pem = NULL;

	assert_int_equal(cert_issue(&request, ca_pem, other, &pem, &diag), -EINVAL);
	assert_non_null(strstr(diag.message, "issuer's key"));
	request.spki = (const uint8_t *)"no key";
	request.n_spki = 6;
	assert_int_equal(cert_issue(&request, ca_pem, ca, &pem, &diag), -EINVAL);
	request.spki = NULL;
	request.not_after_sec = 10;
	assert_int_equal(cert_issue(&request, ca_pem, ca, &pem, &diag), -EINVAL);
	assert_null(pem);
}

static void csr_is_taken_when_its_key_signed_it(void **state)
{
	CLEANUP(key_freep) struct key *key = new_key();
	AUTO_FREE char *pem = NULL;
	AUTO_FREE uint8_t *spki = NULL, *expected = NULL, *der = NULL;
	struct diag diag = { 0 };
	size_t n, n_expected;

	assert_int_equal(key_csr_pem(key, "n-42, really", &pem), 0);
	assert_int_equal(csr_spki(pem, &spki, &n, &diag), 0);
	assert_int_equal(key_spki(key, &expected, &n_expected), 0);
	assert_int_equal(n, n_expected);
	assert_memory_equal(spki, expected, n);
	assert_int_equal(csr_spki("", &der, &n, &diag), -EINVAL);
	// Another letter in the body: another signature, another name or no DER any more. The letter before the padding
	// has bits that mean nothing.
	for (char *p = strchr(pem, '\n') + 1; *p != '-'; p++) {
		char was = *p;
		if (was == '\n' || was == '=' || p[1] == '=')
			continue;
		*p = was == 'A' ? 'B' : 'A';
		assert_true(csr_spki(pem, &der, &n, &diag) < 0);
		*p = was;
	}
}

static void sealed_bytes_open_with_key_and_purpose_only(void **state)
{
	uint8_t key[32], other[32];
	AUTO_FREE uint8_t *sealed = NULL, *plain = NULL, *again = NULL;
	size_t n, n_plain;

	crypto_random(key, 32);
	crypto_random(other, 32);
	assert_int_equal(seal_bytes(key, "token", "secret", 6, &sealed, &n), 0);
	assert_int_equal(n, 12 + 6 + 16);
	assert_int_equal(unseal_bytes(key, "token", sealed, n, &plain, &n_plain), 0);
	assert_int_equal(n_plain, 6);
	assert_memory_equal(plain, "secret", 7);
	assert_int_equal(unseal_bytes(other, "token", sealed, n, &again, &n_plain), -EBADMSG);
	assert_int_equal(unseal_bytes(key, "agent-token", sealed, n, &again, &n_plain), -EBADMSG);
	for (size_t i = 0; i < n; i++) {
		sealed[i] ^= 0x10;
		assert_int_equal(unseal_bytes(key, "token", sealed, n, &again, &n_plain), -EBADMSG);
		sealed[i] ^= 0x10;
		assert_int_equal(unseal_bytes(key, "token", sealed, i, &again, &n_plain), -EBADMSG);
	}
	assert_null(again);
	assert_int_equal(seal_bytes(key, "x", "", 0, &again, &n_plain), 0);
	assert_int_equal(n_plain, 28);
}

static void wg_public_key_is_what_wg_says(void **state)
{
	// echo AAEC...Hh8= | wg pubkey
	uint8_t private_key[32], public_key[32], generated[32];

	for (uint8_t i = 0; i < 32; i++)
		private_key[i] = i;
	assert_int_equal(wg_key_public(private_key, public_key), 0);
	AUTO_FREE char *text = base64_encode(public_key, 32);
	assert_string_equal(text, "j0DFrbaPJWJK5bIU6nZ6bslNgp09e14a0bpvPiE4KF8=");
	wg_key_generate(generated);
	assert_int_equal(generated[0] & 7, 0);
	assert_int_equal(generated[31] & 0xc0, 0x40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_is_sha256_in_one_piece_and_in_many),
		cmocka_unit_test(hex_is_lower_case_and_of_the_exact_length),
		cmocka_unit_test(base64_has_one_text_per_value),
		cmocka_unit_test(pin_has_one_form),
		cmocka_unit_test(key_survives_its_pem),
		cmocka_unit_test(signature_holds_for_its_key_and_message_only),
		cmocka_unit_test(cert_says_what_was_asked_for),
		cmocka_unit_test(cert_der_and_pem_are_the_same),
		cmocka_unit_test(cert_verify_wants_the_right_ca),
		cmocka_unit_test(cert_verify_can_leave_the_dates_to_later),
		cmocka_unit_test(cert_issue_refuses_nonsense),
		cmocka_unit_test(csr_is_taken_when_its_key_signed_it),
		cmocka_unit_test(sealed_bytes_open_with_key_and_purpose_only),
		cmocka_unit_test(wg_public_key_is_what_wg_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
