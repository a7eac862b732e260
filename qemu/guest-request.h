// The lines on the virtio-serial port hearth.lab (docs/contracts.md, Lab): requests that the guest helper takes, and its
// answers. Both ends parse here; what is run is not decided here.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

enum {
	GUEST_MAX_ARGS = 256,
	GUEST_REQUEST_BYTES = 1 << 20, // an argument may carry a small file
	GUEST_ANSWER_BYTES = 16 << 20, // two outputs of 1 MiB, every byte escaped in the worst case
	GUEST_TIMEOUT_MAX_SEC = 3600,
};

struct guest_request {
	int64_t id;
	unsigned timeout_sec;
	size_t n_args;
	char **args; // NULL-terminated
};
void guest_request_done(struct guest_request *request);
// One line without its newline. -EINVAL with a reason. id is set to -1 when it could not be read.
int guest_request_parse(const char *line, size_t n, struct guest_request *ret, struct diag *reterr);
char *guest_request_format(const struct guest_request *request); // with newline; NULL: no memory

struct guest_answer {
	int64_t id;
	int exit; // exit code, 128 + signal, 124 timed out, 127 not found
	char *out, *err;
	bool is_cut; // an output was longer than 1 MiB
};
void guest_answer_done(struct guest_answer *answer);
int guest_answer_parse(const char *line, size_t n, struct guest_answer *ret, struct diag *reterr);
char *guest_answer_format(const struct guest_answer *answer); // with newline; NULL: no memory
