// fuzzes: k3s
// SPDX-License-Identifier: Apache-2.0
#include "k3s/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	char *text AUTO_FREE = strndup((const char *)bytes, n_bytes);
	struct k3s_token token, again;
	char hash[SHA256_HEX + 1];

	if (text && k3s_token_parse(text, &token, NULL) == 0) {
		char *formatted AUTO_FREE =
			k3s_token_format(token.has_ca_hash ? token.ca_hash : NULL, token.user, token.secret);

		if (!formatted || k3s_token_parse(formatted, &again, NULL) < 0 ||
			!str_equal(again.secret, token.secret) || !str_equal(again.user, token.user))
			abort();
	}
	if (k3s_ca_hash((const char *)bytes, n_bytes, hash, NULL) == 0 && strlen(hash) != SHA256_HEX)
		abort();
	return 0;
}
