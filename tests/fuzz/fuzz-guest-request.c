// fuzzes: qemu
// SPDX-License-Identifier: Apache-2.0
#include "qemu/guest-request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	struct guest_request request, again;
	struct guest_answer answer;

	if (guest_request_parse((const char *)bytes, n_bytes, &request, NULL) == 0) {
		if (request.n_args < 1 || request.args[request.n_args])
			abort();
		AUTO_FREE char *line = guest_request_format(&request);
		if (!line || guest_request_parse(line, strlen(line) - 1, &again, NULL) < 0 ||
			again.n_args != request.n_args)
			abort();
		guest_request_done(&again);
	}
	guest_request_done(&request);
	if (guest_answer_parse((const char *)bytes, n_bytes, &answer, NULL) == 0) {
		AUTO_FREE char *line = guest_answer_format(&answer);
		if (!line)
			abort();
	}
	guest_answer_done(&answer);
	return 0;
}
