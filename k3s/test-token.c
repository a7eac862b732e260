// Token forms, and the CA hash by K3s' rule for one certificate and for a bundle.
// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"
#include "k3s/token.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void tokens_parse_in_both_forms(void **state)
{
	struct k3s_token token;

	assert_int_equal(k3s_token_parse("s3cret\n", &token, NULL), 0);
	assert_false(token.has_ca_hash);
	assert_string_equal(token.secret, "s3cret");
	assert_string_equal(token.user, "");
	assert_int_equal(k3s_token_parse("  K10" HASH "::server:a:b \n", &token, NULL), 0);
	assert_true(token.has_ca_hash);
	assert_string_equal(token.ca_hash, HASH);
	assert_string_equal(token.user, "server");
	assert_string_equal(token.secret, "a:b"); // a secret may hold colons
}

static void bad_tokens_are_refused_without_showing_them(void **state)
{
	static const char *const rows[] = {"", " \n", "a b", "K10abc", "K10" HASH ":server:SECRETX",
		"K10" HASH "::SECRETX", "K10" HASH "::server:", "K10" HASH "::namesthataretoolong:SECRETX",
		"K100123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef::server:SECRETX", "SECRETX\tY"};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct k3s_token token;
		struct diag diag = {0};

		assert_int_equal(k3s_token_parse(rows[i], &token, &diag), -EINVAL);
		assert_true(*diag.message);
		assert_null(strstr(diag_text(&diag), "SECRETX"));
	}
}

static void format_is_the_inverse_of_parse(void **state)
{
	char *full AUTO_FREE = k3s_token_format(HASH, "node", "s3cret");
	char *bare AUTO_FREE = k3s_token_format(NULL, "node", "s3cret");
	struct k3s_token token;

	assert_string_equal(full, "K10" HASH "::node:s3cret");
	assert_string_equal(bare, "s3cret");
	assert_int_equal(k3s_token_parse(full, &token, NULL), 0);
	assert_string_equal(token.user, "node");
}

struct chain {
	struct key *root, *middle;
	char *root_pem, *middle_pem;
};

static void chain_make(struct chain *chain)
{
	struct cert_request request = {.usage = CERT_USAGE_CA, .common_name = "root", .not_before_sec = 1700000000,
		.not_after_sec = 2000000000};
	uint8_t *spki AUTO_FREE = NULL;

	assert_int_equal(key_generate(&chain->root), 0);
	assert_int_equal(key_generate(&chain->middle), 0);
	assert_int_equal(cert_issue(&request, NULL, chain->root, &chain->root_pem, NULL), 0);
	assert_int_equal(key_spki(chain->middle, &spki, &request.n_spki), 0);
	request.spki = spki;
	request.common_name = "middle";
	assert_int_equal(cert_issue(&request, chain->root_pem, chain->root, &chain->middle_pem, NULL), 0);
}

static void chain_done(struct chain *chain)
{
	key_free(chain->root);
	key_free(chain->middle);
	free(chain->root_pem);
	free(chain->middle_pem);
}

static void hex_of(const void *bytes, size_t n, char ret[static SHA256_HEX + 1])
{
	uint8_t hash[SHA256_BYTES];

	sha256(bytes, n, hash);
	hex_encode(hash, sizeof(hash), ret);
}

static void one_certificate_hashes_as_its_file(void **state)
{
	struct chain chain CLEANUP(chain_done) = {0};
	char got[SHA256_HEX + 1], want[SHA256_HEX + 1];
	char *with_newline AUTO_FREE = NULL;

	chain_make(&chain);
	assert_int_equal(k3s_ca_hash(chain.root_pem, strlen(chain.root_pem), got, NULL), 0);
	hex_of(chain.root_pem, strlen(chain.root_pem), want);
	assert_string_equal(got, want);
	with_newline = str_format("%s\n", chain.root_pem); // every byte of the file counts
	assert_int_equal(k3s_ca_hash(with_newline, strlen(with_newline), got, NULL), 0);
	assert_string_not_equal(got, want);
}

static void a_bundle_hashes_as_the_der_of_its_root(void **state)
{
	struct chain chain CLEANUP(chain_done) = {0};
	char got[SHA256_HEX + 1], want[SHA256_HEX + 1];
	char *bundle AUTO_FREE = NULL;
	uint8_t *der AUTO_FREE = NULL;
	size_t n = 0;

	chain_make(&chain);
	bundle = str_format("%s%s", chain.middle_pem, chain.root_pem);
	assert_int_equal(k3s_ca_hash(bundle, strlen(bundle), got, NULL), 0);
	assert_int_equal(cert_pem_to_der(chain.root_pem, &der, &n), 0);
	hex_of(der, n, want);
	assert_string_equal(got, want);
}

static void what_is_no_certificate_has_no_hash(void **state)
{
	static const char *const rows[] = {"", "x", "-----BEGIN CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
	char got[SHA256_HEX + 1];

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct diag diag = {0};

		assert_true(k3s_ca_hash(rows[i], strlen(rows[i]), got, &diag) < 0);
		assert_true(*diag.message);
	}
}

static void each_token_is_given_more_time_than_the_one_before(void **state)
{
	const uint64_t minute = 60 * USEC_PER_SEC;

	assert_int_equal(k3s_token_patience_usec(0), minute);
	assert_int_equal(k3s_token_patience_usec(1), 2 * minute);
	assert_int_equal(k3s_token_patience_usec(4), 16 * minute);
	assert_int_equal(k3s_token_patience_usec(1000), 16 * minute);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_parse_in_both_forms),
		cmocka_unit_test(bad_tokens_are_refused_without_showing_them),
		cmocka_unit_test(format_is_the_inverse_of_parse),
		cmocka_unit_test(one_certificate_hashes_as_its_file),
		cmocka_unit_test(a_bundle_hashes_as_the_der_of_its_root),
		cmocka_unit_test(what_is_no_certificate_has_no_hash),
		cmocka_unit_test(each_token_is_given_more_time_than_the_one_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
