// One error for a person: where it is, and a message that says the rule and then the value.
// Libraries fill it and return; only programs print or log it, once.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

enum { DIAG_WHERE_MAX = 256, DIAG_MESSAGE_MAX = 1024 };

struct diag {
	char where[DIAG_WHERE_MAX];     // "seed.yaml:3:7", "peers[2].port", an URL, or ""
	char message[DIAG_MESSAGE_MAX]; // one sentence without a final newline, never key material
};

/* Set @reterr (may be NULL) and return @error, so that `return diag_set(reterr, -EINVAL, ...)` reads as one step.
 * Text that is too long is cut with "...". Control characters of values are shown as '?'. */
int diag_set(struct diag *reterr, int error, const char *where, const char *format, ...) PRINTF_LIKE(4, 5);

// Put "@where: " or "@where." context in front of an existing where: diag_prefix(d, "seed.yaml") -> "seed.yaml:3:7".
void diag_prefix(struct diag *diag, const char *prefix);

// "where: message", or the message alone. Borrowed from a static thread-local buffer, valid until the next call.
const char *diag_text(const struct diag *diag);
