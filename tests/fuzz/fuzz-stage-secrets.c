// fuzzes: k3s
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "base/manifest.h"
#include "k3s/stage-secrets.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	static const char json[] = "{\"t\":\"a\\\"b\\n---\\nkind: X\\n\"}";
	struct value *secrets CLEANUP(value_freep) = NULL;
	struct manifest *before CLEANUP(manifest_freep) = NULL, *after CLEANUP(manifest_freep) = NULL;
	char *text AUTO_FREE = strndup((const char *)bytes, n_bytes), *guarded AUTO_FREE = NULL, *filled AUTO_FREE = NULL;
	struct diag diag = {0};

	if (n_bytes > 16 << 10 || !text || json_parse(json, strlen(json), 0, &secrets, NULL) < 0)
		return 0;
	guarded = stage_secrets_guard(text);
	if (!guarded || stage_secrets_fill(guarded, "fuzz", secrets, &filled, &diag) < 0 ||
		manifest_parse(guarded, strlen(guarded), "fuzz", &before, NULL) < 0)
		return 0;
	// whatever a secret holds, it makes no other objects
	if (manifest_parse(filled, strlen(filled), "fuzz", &after, &diag) < 0 || after->n != before->n)
		abort();
	return 0;
}
