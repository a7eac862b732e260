// SPDX-License-Identifier: Apache-2.0
#include "agent/hello.h"
#include "base/contact.h"
#include "base/json.h"
#include "base/time.h"
#include <errno.h>

void hello_done(struct hello *hello)
{
	free(hello->ca_pem);
	free(hello->ca_spki);
	*hello = (struct hello){ 0 };
}

struct hello_parts { // borrowed of the document
	const char *ca, *server, *nonce, *signature;
	int64_t time_msec;
};

static int hello_parts_from(const struct value *document, struct hello_parts *ret, struct diag *reterr)
{
	int r;
	if ((r = value_string(value_find(document, "ca"), "ca", &ret->ca, reterr)) < 0 ||
		(r = value_string(value_find(document, "server"), "server", &ret->server, reterr)) < 0 ||
		(r = value_string(value_find(document, "nonce"), "nonce", &ret->nonce, reterr)) < 0 ||
		(r = value_string(value_find(document, "signature"), "signature", &ret->signature, reterr)) < 0)
		return r;
	return value_int(value_find(document, "timeMsec"), "timeMsec", 0, INT64_MAX / 2, &ret->time_msec, reterr);
}

static bool pin_fits(const uint8_t spki_sha256[static 32], const uint8_t (*pins)[32], size_t n_pins)
{
	for (size_t i = 0; i < n_pins; i++)
		if (memcmp(pins[i], spki_sha256, 32) == 0)
			return true;
	return n_pins == 0;
}

static int check_signature(const struct hello_parts *parts, const uint8_t nonce[static 32], const struct cert_facts *ca,
	const struct cert_facts *server, struct diag *reterr)
{
	uint8_t message[HELLO_MESSAGE_BYTES];
	uint8_t *signature AUTO_FREE = NULL;
	size_t n = 0;
	char *sent AUTO_FREE = base64url_encode(nonce, NONCE_BYTES);
	if (!str_equal(sent, parts->nonce))
		return diag_set(reterr, -EBADMSG, "nonce", "the hello answers another nonce than ours");
	if (base64_decode(parts->signature, &signature, &n) < 0)
		return diag_set(reterr, -EBADMSG, "signature", "must be base64");
	hello_message(nonce, (uint64_t)parts->time_msec, ca->sha256, server->sha256, message);
	if (spki_verify(server->spki, server->n_spki, message, sizeof(message), signature, n) < 0)
		return diag_set(reterr, -EBADMSG, "signature", "the hello is not signed by the server's key");
	return 0;
}

static int check_time(const struct hello_parts *parts, const struct cert_facts *server, uint64_t round_trip_usec,
	struct diag *reterr)
{
	char from[32], to[32], said[32];
	int64_t sec = parts->time_msec / 1000;
	if (round_trip_usec >= HELLO_MAX_ROUND_TRIP_SEC * USEC_PER_SEC)
		return diag_set(reterr, -ETIME, "", "the hello took %llu s; a time that old is not taken (at most %d s)",
			(unsigned long long)(round_trip_usec / USEC_PER_SEC), HELLO_MAX_ROUND_TRIP_SEC);
	if (sec < server->not_before_sec || sec > server->not_after_sec)
		return diag_set(reterr, -EBADMSG, "timeMsec",
			"the region says it is %s, but its certificate holds from %s to %s", time_format_utc(sec, said),
			time_format_utc(server->not_before_sec, from), time_format_utc(server->not_after_sec, to));
	return 0;
}

static enum region_contact wrong_pin(const struct cert_facts *ca, const uint8_t (*pins)[32], struct diag *reterr)
{
	char seen[PIN_TEXT], wanted[PIN_TEXT];
	pin_format(ca->spki_sha256, seen);
	pin_format(pins[0], wanted);
	(void)diag_set(reterr, -EKEYREJECTED, "", "its CA is %s, the pin says %s", seen, wanted);
	return REGION_WRONG_PIN;
}

static int take(const struct hello_parts *parts, const struct cert_facts *ca, uint64_t round_trip_usec, struct hello *ret)
{
	ret->ca_pem = strdup(parts->ca);
	ret->ca_spki = malloc(ca->n_spki);
	if (!ret->ca_pem || !ret->ca_spki) {
		hello_done(ret);
		return -ENOMEM;
	}
	memcpy(ret->ca_spki, ca->spki, ca->n_spki);
	ret->n_ca_spki = ca->n_spki;
	memcpy(ret->ca_pin, ca->spki_sha256, 32);
	ret->error_msec = (int64_t)(round_trip_usec / 2 / USEC_PER_MSEC);
	ret->region_msec = parts->time_msec + ret->error_msec;
	return 0;
}

enum region_contact hello_check(const char *json, size_t n, const uint8_t nonce[static 32], const uint8_t (*pins)[32],
	size_t n_pins, uint64_t round_trip_usec, struct hello *ret, struct diag *reterr)
{
	struct value *document CLEANUP(value_freep) = NULL;
	struct hello_parts parts = { 0 };
	struct cert_facts ca CLEANUP(cert_facts_done) = { 0 }, server CLEANUP(cert_facts_done) = { 0 };
	*ret = (struct hello){ 0 };
	if (json_parse(json, n, HELLO_MAX_BYTES, &document, reterr) < 0 || hello_parts_from(document, &parts, reterr) < 0 ||
		cert_facts_from_pem(parts.ca, &ca, reterr) < 0 || cert_facts_from_pem(parts.server, &server, reterr) < 0)
		return REGION_BAD_HELLO;
	if (!pin_fits(ca.spki_sha256, pins, n_pins))
		return wrong_pin(&ca, pins, reterr);
	if (!server.server_auth) {
		(void)diag_set(reterr, -EKEYREJECTED, "server", "its certificate is not a server's (no EKU serverAuth)");
		return REGION_BAD_HELLO;
	}
	if (cert_verify(parts.server, parts.ca, false, reterr) < 0 ||
		check_signature(&parts, nonce, &ca, &server, reterr) < 0 ||
		check_time(&parts, &server, round_trip_usec, reterr) < 0 || take(&parts, &ca, round_trip_usec, ret) < 0)
		return REGION_BAD_HELLO;
	return REGION_FOUND;
}
