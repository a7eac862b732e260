// Small files, whole or to a limit. Nothing here says anything: the callers know what is missing.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <sys/types.h>

// At most @max bytes, NUL-terminated behind them; the caller frees. NULL with errno.
char *read_file(const char *path, size_t max, size_t *ret_n);
// The first line, "" when there is none; what could upset a terminal or JSON becomes '?'.
void read_line(const char *path, char *ret, size_t size);
int write_file(const char *path, const void *bytes, size_t n, mode_t mode); // 0 or negative errno
