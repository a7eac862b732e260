// Running the tools that hearth-image is built on (mmdebstrap, mkfs.erofs, xorriso, ...), and saying what takes long.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

/* Run argv[0] (found by PATH) and wait. Its output is kept; on failure the end of it is in the message.
 * 0; -ENOENT no such program; -EIO it failed. */
int run_program(const char *const argv[], struct diag *reterr);
// The same; *ret is its standard output without the final newline, the caller frees.
int run_capture(const char *const argv[], char **ret, struct diag *reterr);

// "hearth-image: WHAT ..." on stderr now, and its seconds when it ends. One at a time.
void step_begin(const char *format, ...) PRINTF_LIKE(1, 2);
void step_end(void);
