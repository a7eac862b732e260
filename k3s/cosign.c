// The two signature forms on bytes, and the list of keys. Pure; fetching is cosign-check.c's.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/cosign.h"
#include "base/crypto.h"
#include "base/json.h"
#include <errno.h>

#define BUNDLE_TYPE "application/vnd.dev.sigstore.bundle.v0.3+json"
#define STATEMENT_TYPE "application/vnd.in-toto+json"
#define SIGN_PREDICATE "https://sigstore.dev/cosign/sign/v1"

// 0 when one of the keys made @signature over @message.
static int any_key_verify(const void *message, size_t n, const char *signature_base64, const char *const *key_pems,
	size_t n_keys, struct diag *reterr)
{
	uint8_t *signature AUTO_FREE = NULL;
	size_t n_signature = 0;

	if (base64_decode(signature_base64, &signature, &n_signature) < 0)
		return diag_set(reterr, -EBADMSG, "signature", "must be base64");
	for (size_t i = 0; i < n_keys; i++)
		if (spki_verify(key_pems[i], strlen(key_pems[i]), message, n, signature, n_signature) == 0)
			return 0;
	return diag_set(reterr, -EKEYREJECTED, "signature", "was made by none of the %zu allowed keys", n_keys);
}

int cosign_verify_simple(const char *payload, size_t n, const char *signature_base64, const char *digest,
	const char *const *key_pems, size_t n_keys, struct diag *reterr)
{
	struct value *document CLEANUP(value_freep) = NULL;
	const struct value *critical;
	const char *signed_digest;
	int r = any_key_verify(payload, n, signature_base64, key_pems, n_keys, reterr);

	if (r < 0)
		return r;
	r = json_parse(payload, n, COSIGN_MAX_BYTES, &document, reterr);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	critical = value_find(document, "critical");
	if (!str_equal(value_text(value_find(critical, "type")), "cosign container image signature"))
		return diag_set(reterr, -EBADMSG, "signature", "is no cosign image signature");
	signed_digest = value_text(value_path(critical, "image", "docker-manifest-digest", NULL));
	if (!signed_digest || !str_equal(signed_digest, digest))
		return diag_set(reterr, -EBADMSG, "signature", "vouches for %s, not for %s",
			signed_digest ? signed_digest : "nothing", digest);
	return 0;
}

// DSSE's pre-authentication encoding: what is really signed.
static char *pae(const char *type, const uint8_t *body, size_t n_body, size_t *ret_n)
{
	char *head AUTO_FREE = str_format("DSSEv1 %zu %s %zu ", strlen(type), type, n_body);
	size_t n_head = head ? strlen(head) : 0;
	char *all = head ? malloc(n_head + n_body) : NULL;

	if (!all)
		return NULL;
	memcpy(all, head, n_head);
	memcpy(all + n_head, body, n_body);
	*ret_n = n_head + n_body;
	return all;
}

static int statement_check(const uint8_t *body, size_t n, const char *digest, struct diag *reterr)
{
	struct value *document CLEANUP(value_freep) = NULL;
	const struct value *subjects;
	const char *type;
	int r = json_parse((const char *)body, n, COSIGN_MAX_BYTES, &document, reterr);

	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	type = value_text(value_find(document, "_type"));
	if (!type || !str_starts(type, "https://in-toto.io/Statement/"))
		return diag_set(reterr, -EBADMSG, "signature", "its statement is no in-toto statement");
	if (!str_equal(value_text(value_find(document, "predicateType")), SIGN_PREDICATE))
		return diag_set(reterr, -EBADMSG, "signature", "is an attestation, not a signature");
	subjects = value_find(document, "subject");
	for (size_t i = 0; subjects && subjects->type == VALUE_ARRAY && i < subjects->n; i++) {
		const char *hex = value_text(value_path(&subjects->items[i], "digest", "sha256", NULL));

		if (hex && str_equal(hex, digest + strlen("sha256:")))
			return 0;
	}
	return diag_set(reterr, -EBADMSG, "signature", "does not vouch for %s", digest);
}

int cosign_verify_bundle(const char *bundle, size_t n, const char *digest, const char *const *key_pems, size_t n_keys,
	struct diag *reterr)
{
	struct value *document CLEANUP(value_freep) = NULL;
	uint8_t *body AUTO_FREE = NULL;
	char *message AUTO_FREE = NULL;
	const struct value *envelope, *signatures;
	const char *payload, *type, *signature;
	size_t n_body = 0, n_message = 0;
	int r;

	if (!oci_digest_valid(digest))
		return diag_set(reterr, -EINVAL, "digest", "must be sha256: and 64 hex digits");
	r = json_parse(bundle, n, COSIGN_MAX_BYTES, &document, reterr);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	if (!str_equal(value_text(value_find(document, "mediaType")), BUNDLE_TYPE))
		return diag_set(reterr, -EBADMSG, "signature", "is no Sigstore bundle v0.3");
	envelope = value_find(document, "dsseEnvelope");
	payload = value_text(value_find(envelope, "payload"));
	type = value_text(value_find(envelope, "payloadType"));
	signatures = value_find(envelope, "signatures");
	if (!payload || !str_equal(type, STATEMENT_TYPE) || !signatures || signatures->type != VALUE_ARRAY ||
		signatures->n != 1)
		return diag_set(reterr, -EBADMSG, "signature",
			"needs a DSSE envelope with one signature over an in-toto statement");
	signature = value_text(value_find(&signatures->items[0], "sig"));
	if (!signature || base64_decode(payload, &body, &n_body) < 0)
		return diag_set(reterr, -EBADMSG, "signature", "its DSSE envelope must be base64");
	message = pae(type, body, n_body, &n_message);
	if (!message)
		return -ENOMEM;
	r = any_key_verify(message, n_message, signature, key_pems, n_keys, reterr);
	if (r < 0)
		return r;
	return statement_check(body, n_body, digest, reterr);
}

int cosign_keys_narrow(const char *const *outer, size_t n_outer, const char *const *narrow, size_t n_narrow,
	const char *ret[static COSIGN_MAX_KEYS], struct diag *reterr)
{
	int n = 0;

	for (size_t i = 0; i < n_outer && n < COSIGN_MAX_KEYS; i++) {
		uint8_t pin[SHA256_BYTES], other[SHA256_BYTES];
		bool wanted = n_narrow == 0;

		if (public_key_pem_pin(outer[i], pin) < 0)
			continue;
		for (size_t j = 0; j < n_narrow && !wanted; j++)
			wanted = public_key_pem_pin(narrow[j], other) == 0 && memcmp(pin, other, sizeof(pin)) == 0;
		if (wanted)
			ret[n++] = outer[i];
	}
	if (n > 0)
		return n;
	if (n_outer == 0)
		return diag_set(reterr, -EKEYREJECTED, "signing keys",
			"neither the image nor the seed names a key that may sign the bootstrap");
	return diag_set(reterr, -EKEYREJECTED, "signing keys",
		"none of the region's keys is among those of the image or the seed");
}
