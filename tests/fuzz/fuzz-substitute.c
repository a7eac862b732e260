// fuzzes: k3s
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "k3s/substitute.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	static const char json[] = "{\"A\":\"abcABC/x.y\",\"B\":\"\",\"C\":\"[a-c]*\",\"N\":12}";
	struct value *variables CLEANUP(value_freep) = NULL;
	char *text AUTO_FREE = NULL, *manifest AUTO_FREE = NULL;

	if (n_bytes > 16 << 10 || json_parse(json, strlen(json), 0, &variables, NULL) < 0)
		return 0;
	if (substitute_text((const char *)bytes, n_bytes, variables, &text, NULL) == 0 &&
		!memchr(bytes, '$', n_bytes) && !memchr(bytes, '\0', n_bytes) &&
		(strlen(text) != n_bytes || memcmp(text, bytes, n_bytes) != 0))
		abort(); // without a $ nothing changes
	(void)substitute_manifest((const char *)bytes, n_bytes, "x.yaml", variables, &manifest, NULL); // only must not crash
	return 0;
}
