// fuzzes: k3s
// SPDX-License-Identifier: Apache-2.0
#include "k3s/cosign.h"
#include "k3s/bootstrap-cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	// a key whose other half nobody has: whatever is accepted is a forgery
	static const char *const keys[] = {"-----BEGIN PUBLIC KEY-----\n"
					   "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5a5SH6zWrLTHsbpG3OCHGVAVP0wA\n"
					   "SmJMjfZi1oRsZEoiOxgYlY6hLF8Vzdf0hZT7BF09yQeQOYGDhEHJZ6Jy7Q==\n"
					   "-----END PUBLIC KEY-----\n"};
	char *text AUTO_FREE = strndup((const char *)bytes, n_bytes);
	struct oci_challenge challenge;
	struct oci_manifest manifest;
	struct oci_layer layer;

	if (!text)
		return 0;
	if (cosign_verify_bundle((const char *)bytes, n_bytes, DIGEST, keys, 1, NULL) == 0 ||
		cosign_verify_simple((const char *)bytes, n_bytes, "MAYCAQECAQE=", DIGEST, keys, 1, NULL) == 0 ||
		cosign_verify_simple((const char *)bytes, n_bytes, text, DIGEST, keys, 1, NULL) == 0)
		abort();
	(void)oci_challenge_parse(text, &challenge); // only must not crash
	if (oci_manifest_parse((const char *)bytes, n_bytes, &manifest, NULL) == 0) {
		for (size_t i = 0; i < manifest.n_layers; i++)
			if (!oci_digest_valid(manifest.layers[i].digest))
				abort();
		oci_manifest_done(&manifest);
	}
	if (bootstrap_layer((const char *)bytes, n_bytes, &layer, NULL) == 0 && layer.size > BOOTSTRAP_LAYER_MAX)
		abort();
	return 0;
}
