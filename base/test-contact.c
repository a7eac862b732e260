// First contact against vectors computed elsewhere; the same ones stand in docs/region-api.yaml (x-test-vectors).
// SPDX-License-Identifier: Apache-2.0
#include "base/contact.h"
#include "base/yaml.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct vectors {
	struct value *document;
	const struct value *list;
};

static const char *text_of(const struct vectors *vectors, const char *group, const char *name)
{
	const char *text = value_text(value_path(vectors->list, group, name, NULL));

	if (!text)
		fail_msg("docs/region-api.yaml: x-test-vectors: %s.%s is missing", group, name);
	return text;
}

static void bytes_of(const struct vectors *vectors, const char *group, const char *name, uint8_t *ret, size_t n)
{
	if (hex_decode(text_of(vectors, group, name), ret, n) < 0)
		fail_msg("docs/region-api.yaml: x-test-vectors: %s.%s is not %zu bytes of hex", group, name, n);
}

static int set_up(void **state)
{
	static struct vectors vectors;
	struct diag diag = { 0 };

	if (yaml_load(TEST_SOURCE_DIR "/docs/region-api.yaml", 0, &vectors.document, &diag) < 0) {
		print_error("%s\n", diag_text(&diag));
		return -1;
	}
	vectors.list = value_find(vectors.document, "x-test-vectors");
	*state = &vectors;
	return 0;
}

static int tear_down(void **state)
{
	value_free(((struct vectors *)*state)->document);
	return 0;
}

static void hello_message_is_the_documented_one(void **state)
{
	uint8_t nonce[32], ca[32], server[32], expected[HELLO_MESSAGE_BYTES], message[HELLO_MESSAGE_BYTES];
	const struct vectors *vectors = *state;
	AUTO_FREE uint8_t *signature = NULL, *typed = NULL;
	int64_t time_msec;
	size_t n, n_typed;

	bytes_of(vectors, "hello", "nonce", nonce, 32);
	bytes_of(vectors, "hello", "caSha256", ca, 32);
	bytes_of(vectors, "hello", "serverSha256", server, 32);
	bytes_of(vectors, "hello", "message", expected, HELLO_MESSAGE_BYTES);
	assert_int_equal(value_int(value_path(vectors->list, "hello", "timeMsec", NULL), "timeMsec", 0, INT64_MAX, &time_msec,
				 NULL), 0);
	hello_message(nonce, (uint64_t)time_msec, ca, server, message);
	assert_memory_equal(message, expected, HELLO_MESSAGE_BYTES);
	assert_int_equal(base64url_decode(text_of(vectors, "hello", "nonceInQuery"), &typed, &n_typed), 0);
	assert_int_equal(n_typed, 32);
	assert_memory_equal(typed, nonce, 32);

	const char *public_key = text_of(vectors, "hello", "serverPublicKey");
	assert_int_equal(base64_decode(text_of(vectors, "hello", "signature"), &signature, &n), 0);
	assert_int_equal(spki_verify(public_key, strlen(public_key), message, sizeof(message), signature, n), 0);
	message[55] ^= 1; // one millisecond
	assert_int_equal(spki_verify(public_key, strlen(public_key), message, sizeof(message), signature, n), -EBADMSG);
}

static void enrolment_commitment_and_code_are_the_documented_ones(void **state)
{
	uint8_t node_nonce[32], region_nonce[32], node[91], ca[91], commitment[32], expected[32];
	const struct vectors *vectors = *state;
	char code[CODE_TEXT], pin[PIN_TEXT];

	bytes_of(vectors, "enrolment", "nodeNonce", node_nonce, 32);
	bytes_of(vectors, "enrolment", "regionNonce", region_nonce, 32);
	bytes_of(vectors, "enrolment", "nodeSpki", node, sizeof(node));
	bytes_of(vectors, "enrolment", "caSpki", ca, sizeof(ca));
	bytes_of(vectors, "enrolment", "commitment", expected, 32);
	enrol_commitment(node_nonce, node, sizeof(node), commitment);
	assert_memory_equal(commitment, expected, 32);
	enrol_code(node, sizeof(node), ca, sizeof(ca), node_nonce, region_nonce, code);
	assert_string_equal(code, text_of(vectors, "enrolment", "code"));
	sha256(ca, sizeof(ca), expected);
	pin_format(expected, pin);
	assert_string_equal(pin, text_of(vectors, "enrolment", "pin"));

	ca[90] ^= 1; // another CA in the middle: another code
	enrol_code(node, sizeof(node), ca, sizeof(ca), node_nonce, region_nonce, code);
	assert_string_not_equal(code, text_of(vectors, "enrolment", "code"));
}

static void enrol_code_is_taken_as_people_type_it(void **state)
{
	static const struct {
		const char *typed, *code;
	} rows[] = {
		{ "VFYM-S07K", "VFYM-S07K" }, { "vfym-s07k", "VFYM-S07K" }, { "vfyms07k", "VFYM-S07K" },
		{ " VFYM S07K\n", "VFYM-S07K" }, { "VFYM-SO7K", "VFYM-S07K" }, { "il0o-abcd", "1100-ABCD" },
		{ "V-F-Y-M-S-0-7-K", "VFYM-S07K" }, { "", NULL }, { "VFYM-S07", NULL }, { "VFYM-S07KX", NULL },
		{ "VFYM-S07U", NULL }, { "VFYM_S07K", NULL }, { "VFYM-S07\xc3\xa4", NULL }, { "--------", NULL },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char code[CODE_TEXT] = "";
		assert_int_equal(enrol_code_normalise(rows[i].typed, code), rows[i].code ? 0 : -EINVAL);
		assert_string_equal(code, rows[i].code ? rows[i].code : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_message_is_the_documented_one),
		cmocka_unit_test(enrolment_commitment_and_code_are_the_documented_ones),
		cmocka_unit_test(enrol_code_is_taken_as_people_type_it),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
