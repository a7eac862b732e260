// fuzzes: base
// SPDX-License-Identifier: Apache-2.0
#include "base/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	struct manifest *manifest CLEANUP(manifest_freep) = NULL;
	const char *text = (const char *)bytes, *document, *end = text;
	size_t cursor = 0, n_document;

	while (manifest_split(text, n_bytes, &cursor, &document, &n_document) > 0) {
		// documents follow each other with nothing but "---" between them
		if (document < end || document - end > 3 || document + n_document > text + n_bytes ||
			document + n_document != text + cursor)
			abort();
		end = document + n_document;
	}
	if (cursor != n_bytes)
		abort();
	if (manifest_parse(text, n_bytes, "fuzz", &manifest, NULL) == 0)
		for (size_t i = 0; i < manifest->n; i++)
			if (!manifest->objects[i].kind || !manifest->objects[i].name || !manifest->objects[i].api_version)
				abort();
	return 0;
}
