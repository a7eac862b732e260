// fuzzes: image
// The ISO directory parser on any bytes. The first 32 KiB of an ISO are not looked at, so the input begins behind them.
// SPDX-License-Identifier: Apache-2.0
#include "image/iso-directory.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

struct input {
	const uint8_t *bytes;
	size_t n;
};

static int read_input(void *user, uint64_t offset, void *ret, size_t n)
{
	const struct input *input = user;

	if (offset < 32768 || offset - 32768 > input->n || n > input->n - (offset - 32768))
		return -EIO;
	memcpy(ret, input->bytes + (offset - 32768), n);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	struct input input = { .bytes = bytes, .n = n_bytes };
	struct iso_source source = { .read = read_input, .user = &input };
	struct iso_extent extent;
	struct diag diag = { 0 };

	(void)iso_find(&source, "hearth/seed.yaml", &extent, &diag);
	(void)iso_find(&source, "", &extent, &diag);
	return 0;
}
