// fuzzes: base
// A reference that is taken has parts that are valid each by itself.
// SPDX-License-Identifier: Apache-2.0
#include "base/oci.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	AUTO_FREE char *text = strndup((const char *)bytes, n_bytes);
	struct oci_reference reference;
	struct diag diag = { 0 };

	if (!text)
		return 0;
	if (oci_reference_parse(text, &reference, &diag) < 0) {
		if (!*diag.message)
			abort();
		return 0;
	}
	if (!*reference.registry || !oci_name_valid(reference.name) || (*reference.tag && !oci_tag_valid(reference.tag)) ||
		(*reference.digest && !oci_digest_valid(reference.digest)))
		abort();
	return 0;
}
