// fuzzes: k3s
// Link and Retry-After of a registry: a next page stays where we asked, a wait has an end.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/oci-pull.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	char *text AUTO_FREE = strndup((const char *)bytes, n_bytes);
	char *next AUTO_FREE = text ? oci_link_next(text, "https://r:1", "/v2/a/referrers/") : NULL;

	if (next && (strncmp(next, "/v2/a/referrers/", 16) != 0 || strstr(next, "..") || strpbrk(next, " \r\n\t#")))
		abort();
	if (text && oci_retry_after(text, 1700000000) > OCI_RETRY_AFTER_MAX_SEC)
		abort();
	return 0;
}
