// cosign signatures by P-256 keys, in both forms publishers write: the legacy tag sha256-HEX.sig (simple signing) and
// the Sigstore bundle v0.3 (a DSSE envelope) found as an OCI referrer. Transparency logs
// and certificates are not consulted: trust is the list of keys. Verifying is pure; fetching is asynchronous.
// Source: sigstore/cosign specs/SIGNATURE_SPEC.md, sigstore/protobuf-specs bundle v0.3, secure-systems-lab/dsse.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "k3s/oci-pull.h"

enum { COSIGN_MAX_KEYS = 16, COSIGN_MAX_BYTES = 1 << 20 };

/* Does @payload, signed by @signature_base64, vouch for the manifest @digest with one of the keys?
 * 0; -EBADMSG form wrong or it speaks of another digest; -EKEYREJECTED none of the keys signed it. */
int cosign_verify_simple(const char *payload, size_t n, const char *signature_base64, const char *digest,
	const char *const *key_pems, size_t n_keys, struct diag *reterr);
int cosign_verify_bundle(const char *bundle, size_t n, const char *digest, const char *const *key_pems, size_t n_keys,
	struct diag *reterr);

/* Keys that may sign: @outer (image, else the seed's trust group) narrowed by @narrow; a list without members does not
 * narrow. Compared by SPKI. Borrowed texts. Returns the number; -EKEYREJECTED when nothing remains. */
int cosign_keys_narrow(const char *const *outer, size_t n_outer, const char *const *narrow, size_t n_narrow,
	const char *ret[static COSIGN_MAX_KEYS], struct diag *reterr);

enum cosign_form { COSIGN_FORM_NONE, COSIGN_FORM_SIMPLE, COSIGN_FORM_BUNDLE };
struct cosign_check;
struct cosign_checked {
	int error; // 0; -ENOKEY not signed at all; -EKEYREJECTED signed, but by none of the keys; -EBADMSG; else of the connection
	enum cosign_form form;
	const struct diag *diag;  // when error != 0
	unsigned retry_after_sec; // as in struct oci_fetched
};
typedef void (*cosign_checked_t)(const struct cosign_checked *checked, void *user);
/* Look for signatures of @digest at @source, bundles first (every page of them), and verify. Texts and keys are copied,
 * the client of @source is borrowed. */
int cosign_check_start(const struct oci_source *source, const char *digest, const char *const *key_pems, size_t n_keys,
	cosign_checked_t on_checked, void *user, struct cosign_check **ret);
void cosign_check_cancel(struct cosign_check *check);
