// A hello made by a region of our own, then spoilt in every way that has to be noticed.
// SPDX-License-Identifier: Apache-2.0
#include "agent/hello.h"
#include "base/contact.h"
#include "base/json.h"
#include "base/time.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const int64_t now_sec = 1795392000;

struct fake_region {
	struct key *ca_key, *server_key;
	char *ca, *server;
	struct cert_facts ca_facts, server_facts;
	uint8_t pin[1][32], nonce[32];
};

static void make_certificate(struct cert_request request, const char *issuer, const struct key *key, char **ret)
{
	struct diag diag = { 0 };
	request.not_before_sec = now_sec - 3600;
	request.not_after_sec = now_sec + 90 * 86400;
	if (cert_issue(&request, issuer, key, ret, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
}

static void region_make(struct fake_region *r, enum cert_usage usage)
{
	static const char *const sans[] = { "127.0.0.1", NULL };
	uint8_t *spki AUTO_FREE = NULL;
	size_t n = 0;
	*r = (struct fake_region){ .nonce = { 7 } };
	assert_int_equal(key_generate(&r->ca_key), 0);
	assert_int_equal(key_generate(&r->server_key), 0);
	assert_int_equal(key_spki(r->server_key, &spki, &n), 0);
	make_certificate((struct cert_request){ .usage = CERT_USAGE_CA, .common_name = "ca" }, NULL, r->ca_key, &r->ca);
	make_certificate((struct cert_request){ .usage = usage, .common_name = "s", .spki = spki, .n_spki = n, .sans = sans }, r->ca,
		r->ca_key, &r->server);
	assert_int_equal(cert_facts_from_pem(r->ca, &r->ca_facts, NULL), 0);
	assert_int_equal(cert_facts_from_pem(r->server, &r->server_facts, NULL), 0);
	memcpy(r->pin[0], r->ca_facts.spki_sha256, 32);
}

static void region_done(struct fake_region *r)
{
	key_free(r->ca_key);
	key_free(r->server_key);
	free(r->ca);
	free(r->server);
	cert_facts_done(&r->ca_facts);
	cert_facts_done(&r->server_facts);
}

static char *region_hello(const struct fake_region *r, int64_t signed_msec, int64_t said_msec)
{
	uint8_t message[HELLO_MESSAGE_BYTES], *signature AUTO_FREE = NULL;
	size_t n = 0;
	struct json_out out = { 0 };
	hello_message(r->nonce, (uint64_t)signed_msec, r->ca_facts.sha256, r->server_facts.sha256, message);
	assert_int_equal(key_sign(r->server_key, message, sizeof(message), &signature, &n), 0);
	char *text AUTO_FREE = base64_encode(signature, n), *nonce AUTO_FREE = base64url_encode(r->nonce, 32);
	json_out_object_begin(&out);
	json_out_member(&out, "ca", r->ca);
	json_out_member(&out, "server", r->server);
	json_out_member_int(&out, "timeMsec", said_msec);
	json_out_member(&out, "nonce", nonce);
	json_out_member(&out, "signature", text);
	json_out_object_end(&out);
	return json_out_take(&out);
}

static void expect(const struct fake_region *r, const char *json, const uint8_t (*pins)[32], size_t n_pins,
	uint64_t round_trip_usec, enum region_contact contact, const char *words)
{
	struct hello hello CLEANUP(hello_done) = { 0 };
	struct diag diag = { 0 };
	enum region_contact got = hello_check(json, strlen(json), r->nonce, pins, n_pins, round_trip_usec, &hello, &diag);
	if (got != contact || !strstr(diag_text(&diag), words))
		fail_msg("%d: %s", got, diag_text(&diag));
}

static void good_hello_gives_time_and_ca(void **state)
{
	struct fake_region r CLEANUP(region_done);
	region_make(&r, CERT_USAGE_SERVER);
	char *json AUTO_FREE = region_hello(&r, now_sec * 1000, now_sec * 1000);
	struct hello hello CLEANUP(hello_done) = { 0 };
	assert_int_equal(hello_check(json, strlen(json), r.nonce, (const uint8_t(*)[32])r.pin, 1, 400000, &hello, NULL), REGION_FOUND);
	assert_string_equal(hello.ca_pem, r.ca);
	assert_true(hello.region_msec == now_sec * 1000 + 200); // half the round trip on top
	expect(&r, json, NULL, 0, 0, REGION_FOUND, "");
}

static void other_ca_is_a_wrong_pin(void **state)
{
	struct fake_region r CLEANUP(region_done);
	uint8_t pins[1][32] = { { 9 } };
	region_make(&r, CERT_USAGE_SERVER);
	char *json AUTO_FREE = region_hello(&r, now_sec * 1000, now_sec * 1000);
	expect(&r, json, (const uint8_t(*)[32])pins, 1, 0, REGION_WRONG_PIN, "the pin says sha256:0900");
}

static void spoilt_hello_is_refused_with_its_reason(void **state)
{
	struct fake_region r CLEANUP(region_done);
	region_make(&r, CERT_USAGE_SERVER);
	const uint8_t (*pin)[32] = (const uint8_t(*)[32])r.pin;
	char *good AUTO_FREE = region_hello(&r, now_sec * 1000, now_sec * 1000);
	char *other_time AUTO_FREE = region_hello(&r, now_sec * 1000, now_sec * 1000 + 1);
	char *year_1970 AUTO_FREE = region_hello(&r, 1000, 1000);
	expect(&r, good, pin, 1, 10 * USEC_PER_SEC, REGION_BAD_HELLO, "took 10 s");
	expect(&r, other_time, pin, 1, 0, REGION_BAD_HELLO, "not signed by the server's key");
	expect(&r, year_1970, pin, 1, 0, REGION_BAD_HELLO, "its certificate holds from");
	expect(&r, "{}", pin, 1, 0, REGION_BAD_HELLO, "");
	r.nonce[0]++;
	expect(&r, good, pin, 1, 0, REGION_BAD_HELLO, "another nonce");
}

static void node_certificate_is_no_server(void **state)
{
	struct fake_region r CLEANUP(region_done);
	region_make(&r, CERT_USAGE_CLIENT);
	char *json AUTO_FREE = region_hello(&r, now_sec * 1000, now_sec * 1000);
	expect(&r, json, (const uint8_t(*)[32])r.pin, 1, 0, REGION_BAD_HELLO, "not a server's");
}

static void server_of_another_ca_is_refused(void **state)
{
	struct fake_region r CLEANUP(region_done), other CLEANUP(region_done);
	region_make(&r, CERT_USAGE_SERVER);
	region_make(&other, CERT_USAGE_SERVER);
	char *ca = r.ca;
	r.ca = other.ca; // a stranger shows the right CA with a server certificate of his own
	char *json AUTO_FREE = region_hello(&r, now_sec * 1000, now_sec * 1000);
	r.ca = ca;
	expect(&r, json, (const uint8_t(*)[32])other.pin, 1, 0, REGION_BAD_HELLO, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_hello_gives_time_and_ca),
		cmocka_unit_test(other_ca_is_a_wrong_pin),
		cmocka_unit_test(spoilt_hello_is_refused_with_its_reason),
		cmocka_unit_test(node_certificate_is_no_server),
		cmocka_unit_test(server_of_another_ca_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
