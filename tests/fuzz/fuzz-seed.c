// fuzzes: base
// A seed that is taken keeps its rules; one that is refused says why, without its token.
// SPDX-License-Identifier: Apache-2.0
#include "base/seed.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	const char *const macs[] = { "52:54:77:00:00:01" };
	CLEANUP(seed_freep) struct seed *seed = NULL;
	struct diag diag = { 0 };

	if (seed_parse((const char *)bytes, n_bytes, "input", &seed, &diag) < 0) {
		if (!*diag.message)
			abort();
		return 0;
	}
	if (seed->token && seed->n_pins == 0)
		abort();
	for (size_t i = 0; i < seed->n_urls; i++)
		if (!str_starts(seed->urls[i], "https://"))
			abort();
	const struct value *network = seed_network(seed, "serial", "uuid", macs, 1);
	if (network && network->type != VALUE_OBJECT)
		abort();
	return 0;
}
