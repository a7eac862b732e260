// fuzzes: image
// What an ELF file says that it needs. A loader that is too long or a name without an end is none.
// SPDX-License-Identifier: Apache-2.0
#include "image/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	struct elf_needs needs = { 0 };
	struct diag diag = { 0 };

	if (elf_needs_read(bytes, n_bytes, &needs, &diag) < 0) {
		if (!*diag.message || needs.loader || needs.run_path || needs.libraries.n)
			abort();
		return 0;
	}
	if (needs.libraries.n > ELF_MAX_NEEDED)
		abort();
	for (size_t i = 0; i < needs.libraries.n; i++)
		if (strlen(needs.libraries.items[i]) >= n_bytes)
			abort();
	elf_needs_done(&needs);
	return 0;
}
