// SPDX-License-Identifier: Apache-2.0
#include "region/body.h"

#include "base/crypto.h"
#include "region/key-rotation-run.h"
#include "region/status-parts.h"

#include <ctype.h>
#include <errno.h>

// MAX_DEPTH: lists that people read repeat what machines said, deeper inside than it came, and
// JSON_MAX_DEPTH bounds those as well.
enum { MAX_NICS = 64, MAX_TEXT = 4096, MAX_SEEN = 5000, MAX_DEPTH = 16 };

static bool is_deeper_than(const struct value *value, unsigned max)
{
	if (value->type != VALUE_OBJECT && value->type != VALUE_ARRAY)
		return false;
	if (max == 0)
		return true;
	for (size_t i = 0; i < value->n; i++)
		if (is_deeper_than(&value->items[i], max - 1))
			return true;
	return false;
}

static int check_depth(const struct value *body, struct diag *reterr)
{
	return is_deeper_than(body, MAX_DEPTH)
		       ? diag_set(reterr, -EINVAL, "", "must be nested at most %d deep", MAX_DEPTH)
		       : 0;
}

static int check_object(const struct value *body, struct diag *reterr)
{
	if (!body || body->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "", "the body must be a JSON object");
	return 0;
}

static int decode_bytes32(
	const struct value *body, const char *key, const char **ret, struct diag *reterr)
{
	AUTO_FREE uint8_t *bytes = NULL;
	size_t n = 0;
	int r = value_string(value_find(body, key), key, ret, reterr);
	if (r < 0)
		return r;
	if (base64_decode(*ret, &bytes, &n) < 0 || n != 32)
		return diag_set(reterr, -EINVAL, key, "must be base64 of 32 bytes");
	return 0;
}

static int decode_optional_bool(
	const struct value *body, const char *key, bool *ret, struct diag *reterr)
{
	const struct value *value = value_find(body, key);
	return value ? value_bool(value, key, ret, reterr) : 0;
}

static int decode_optional_text(const struct value *body, const char *key, size_t max,
	const char **ret, struct diag *reterr)
{
	const struct value *value = value_find(body, key);
	if (!value || value->type == VALUE_NULL)
		return 0;
	int r = value_string(value, key, ret, reterr);
	if (r >= 0 && strlen(*ret) > max)
		r = diag_set(reterr, -EINVAL, key, "must be at most %zu bytes long, not %zu", max,
			strlen(*ret));
	return r;
}

/* Hints that firmware fills in when nobody set them name no machine: nothing but one character
 * (zeros, F, X, dots), or words and sequences that vendors leave there. Compared by letters and
 * digits alone, in either case. */
static const char *hint(const char *text)
{
	static const char *const placeholders[] = { "notspecified", "notsettable", "notset",
		"notavailable", "notapplicable", "notpresent", "nodata", "na", "none", "null",
		"unknown", "unspecified", "undefined", "invalid", "empty", "default",
		"defaultstring", "tobefilledbyoem", "tobefilled", "oem", "oemstring", "serial",
		"serialnumber", "sernum", "systemserial", "systemserialnumber",
		"chassisserialnumber", "baseboardserialnumber", "mbserialnumber", "productserial",
		"assettag", "012345678", "0123456789", "123456789", "1234567890",
		"0123456789abcdef", "0123456789abcdef0123456789abcdef",
		"1234567890abcdef1234567890abcdef", "03000200040005000006000700080009",
		"00020003000400050006000700080009", "12345678123412341234123456789abc",
		"123456781234567890abcddeefaabbcc", "12345678123456789012345678901234" };
	char plain[128]; // no hint is longer
	size_t n = 0;
	bool varies = false;
	for (const char *c = text ? text : ""; *c && n < sizeof(plain) - 1; c++)
		if (isalnum((unsigned char)*c) || (unsigned char)*c >= 0x80) {
			plain[n] = (char)tolower((unsigned char)*c);
			varies |= plain[n++] != plain[0];
		}
	plain[n] = '\0';
	for (size_t i = 0; varies && i < N_ELEMENTS(placeholders); i++)
		varies = !str_equal(placeholders[i], plain);
	return varies ? text : "";
}

static int check_facts(const struct value *facts, struct diag *reterr)
{
	if (!facts || facts->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "facts", "must be an object");
	const struct value *nics = value_find(facts, "nics");
	if (!nics)
		return 0;
	if (nics->type != VALUE_ARRAY || nics->n > MAX_NICS)
		return diag_set(
			reterr, -EINVAL, "facts.nics", "must be a list of at most %d", MAX_NICS);
	for (size_t i = 0; i < nics->n; i++) {
		const char *mac = value_text(value_find(&nics->items[i], "mac"));
		for (size_t c = 0; mac && mac[c]; c++)
			if (c >= 59 ||
				(c % 3 == 2 ? mac[c] != ':' : !isxdigit((unsigned char)mac[c])))
				return diag_set(reterr, -EINVAL, "facts.nics",
					"entry %zu: mac must look like 52:54:77:00:00:0b", i);
	}
	return 0;
}

int enrolment_body_decode(const struct value *body, struct enrolment_body *ret, struct diag *reterr)
{
	static const char *const keys[] = { "commitment", "token", "facts", "wgPublicKey",
		"durable", NULL };
	struct enrolment_body decoded = { .facts = value_find(body, "facts") };
	const char *uuid = NULL, *serial = NULL;
	int r = check_object(body, reterr);
	if (r < 0 || (r = check_depth(body, reterr)) < 0 ||
		(r = value_only_keys(body, "body", keys, reterr)) < 0 ||
		(r = decode_bytes32(body, "commitment", &decoded.commitment, reterr)) < 0 ||
		(r = decode_bytes32(body, "wgPublicKey", &decoded.wg_public, reterr)) < 0 ||
		(r = decode_optional_text(body, "token", 128, &decoded.token, reterr)) < 0 ||
		(r = decode_optional_bool(body, "durable", &decoded.durable, reterr)) < 0 ||
		(r = check_facts(decoded.facts, reterr)) < 0 ||
		(r = decode_optional_text(decoded.facts, "uuid", 63, &uuid, reterr)) < 0 ||
		(r = decode_optional_text(decoded.facts, "serial", 127, &serial, reterr)) < 0 ||
		(r = decode_optional_bool(decoded.facts, "unauthenticatedBoot",
			 &decoded.unauthenticated_boot, reterr)) < 0)
		return r;
	decoded.uuid = hint(uuid);
	decoded.serial = hint(serial);
	*ret = decoded;
	return 0;
}

int enrolment_change_decode(
	const struct value *body, struct enrolment_change *ret, struct diag *reterr)
{
	static const char *const keys[] = { "nodeNonce", "durable", NULL };
	struct enrolment_change decoded = { 0 };
	int r = check_object(body, reterr);
	if (r < 0 || (r = value_only_keys(body, "body", keys, reterr)) < 0 ||
		(value_find(body, "nodeNonce") &&
			(r = decode_bytes32(body, "nodeNonce", &decoded.node_nonce, reterr)) < 0) ||
		(r = decode_optional_bool(body, "durable", &decoded.durable, reterr)) < 0)
		return r;
	*ret = decoded;
	return 0;
}

// Unknown keys are fine here: newer nodes tell more, and the whole status is kept as text.
int status_body_decode(const struct value *body, struct status_body *ret, struct diag *reterr)
{
	struct status_body decoded = { .phase = "", .sentence = "" };
	int r = check_object(body, reterr);
	if (r < 0 || (r = check_depth(body, reterr)) < 0 ||
		(r = decode_optional_text(body, "phase", 64, &decoded.phase, reterr)) < 0 ||
		(r = decode_optional_text(body, "sentence", MAX_TEXT, &decoded.sentence, reterr)) <
			0 ||
		(r = decode_optional_text(body, "podCidr", 63, &decoded.pod_cidr, reterr)) < 0 ||
		(r = decode_optional_bool(body, "ready", &decoded.ready, reterr)) < 0 ||
		(r = status_parts_check(body, reterr)) < 0 ||
		(r = key_rotation_report_check(body, reterr)) < 0)
		return r;
	decoded.pod_cidrs_seen = value_find(body, "podCidrsSeen");
	if (decoded.pod_cidrs_seen && decoded.pod_cidrs_seen->type == VALUE_NULL)
		decoded.pod_cidrs_seen = NULL;
	if (decoded.pod_cidrs_seen && (decoded.pod_cidrs_seen->type != VALUE_OBJECT ||
					      decoded.pod_cidrs_seen->n > MAX_SEEN))
		return diag_set(reterr, -EINVAL, "podCidrsSeen",
			"must map at most %d node names to ranges", MAX_SEEN);
	if ((r = member_report_decode(body, &decoded.report, reterr)) < 0)
		return r;
	decoded.facts = value_find(body, "facts");
	if (decoded.facts && decoded.facts->type == VALUE_NULL)
		decoded.facts = NULL;
	if (decoded.facts && (r = check_facts(decoded.facts, reterr)) < 0)
		return r;
	*ret = decoded;
	return 0;
}

int cluster_body_decode(const struct value *body, struct cluster_body *ret, struct diag *reterr)
{
	static const char *const keys[] = { "caCert", "caHash", "endpoints", "kubeconfig",
		"serverToken", "everReady", NULL };
	struct cluster_body decoded = { 0 };
	uint8_t hash[SHA256_BYTES];
	char prefix[3 + SHA256_HEX + 3];
	int r = check_object(body, reterr);
	if (r < 0 || (r = value_only_keys(body, "body", keys, reterr)) < 0 ||
		(r = value_string(value_find(body, "caCert"), "caCert", &decoded.ca_cert, reterr)) <
			0 ||
		(r = value_string(value_find(body, "caHash"), "caHash", &decoded.ca_hash, reterr)) <
			0 ||
		(r = value_string(value_find(body, "kubeconfig"), "kubeconfig", &decoded.kubeconfig,
			 reterr)) < 0 ||
		(r = decode_optional_text(
			 body, "serverToken", 1024, &decoded.server_token, reterr)) < 0 ||
		(r = decode_optional_bool(body, "everReady", &decoded.ever_ready, reterr)) < 0)
		return r;
	if (!str_starts(decoded.ca_cert, "-----BEGIN CERTIFICATE-----"))
		return diag_set(reterr, -EINVAL, "caCert", "must be a PEM certificate");
	if (hex_decode(decoded.ca_hash, hash, sizeof(hash)) < 0)
		return diag_set(reterr, -EINVAL, "caHash", "must be 64 lower-case hex digits");
	(void)snprintf(prefix, sizeof(prefix), "K10%.64s::", decoded.ca_hash);
	if (decoded.server_token && !str_starts(decoded.server_token, prefix))
		return diag_set(
			reterr, -EINVAL, "serverToken", "must be K10<caHash>::server:<secret>");
	decoded.endpoints = value_find(body, "endpoints");
	if (decoded.endpoints && decoded.endpoints->type != VALUE_ARRAY)
		return diag_set(reterr, -EINVAL, "endpoints", "must be a list");
	*ret = decoded;
	return 0;
}

int renew_body_decode(const struct value *body, const char **ret_csr, struct diag *reterr)
{
	static const char *const keys[] = { "csr", NULL };
	int r = check_object(body, reterr);
	return r < 0 || (r = value_only_keys(body, "body", keys, reterr)) < 0
		       ? r
		       : value_string(value_find(body, "csr"), "csr", ret_csr, reterr);
}
