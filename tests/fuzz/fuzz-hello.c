// fuzzes: agent
// A hello comes from whoever answers at the region's address: the one parser that faces strangers.
// SPDX-License-Identifier: Apache-2.0
#include "agent/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	static const uint8_t nonce[32] = { 1 }, pins[1][32] = { { 2 } };
	struct hello hello = { 0 };
	struct diag diag = { 0 };
	if (hello_check((const char *)bytes, n_bytes, nonce, pins, 1, 0, &hello, &diag) == REGION_FOUND)
		abort(); // nobody has that pin
	hello_done(&hello);
	if (hello_check((const char *)bytes, n_bytes, nonce, NULL, 0, 0, &hello, &diag) == REGION_FOUND && !hello.ca_pem)
		abort();
	hello_done(&hello);
	return 0;
}
