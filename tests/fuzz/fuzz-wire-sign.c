// fuzzes: netconf
// Frames of strangers that tell of VLANs and switches: the first two bytes are the tag that the kernel took off.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/wire-listen.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static void check_text(const char *text, size_t n)
{
	size_t i = 0;
	for (; i < n && text[i]; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			abort(); // it goes to terminals
	if (i == n)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	struct wire_sign sign;
	struct wire_table table = {0};
	if (n_bytes < 2)
		return 0;
	uint8_t *frame AUTO_FREE = malloc(n_bytes - 2 ? n_bytes - 2 : 1); // of its own, so that one byte too far is seen
	if (!frame)
		return 0;
	memcpy(frame, bytes + 2, n_bytes - 2);
	if (!wire_sign_read(frame, n_bytes - 2, (uint16_t)(bytes[0] << 8 | bytes[1]), &sign))
		return 0;
	check_text(sign.place, sizeof(sign.place));
	for (size_t i = 0; i < sign.n_vlans; i++) {
		if (sign.vlans[i].id < 1 || sign.vlans[i].id > 4094)
			abort();
		check_text(sign.vlans[i].name, sizeof(sign.vlans[i].name));
	}
	for (int i = 0; i < 2; i++)
		if (wire_table_take(&table, "eth0", "52:54:00:00:00:01", &sign) && i)
			abort(); // the same is no news
	return 0;
}
