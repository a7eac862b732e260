// Lines over a file descriptor, with a deadline: QMP and the guest port both speak one JSON text per line.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

struct line_reader {
	int fd; // borrowed, non-blocking or not
	char *bytes;
	size_t n, n_alloc, n_taken, max_bytes; // max_bytes: of one line
};
void line_reader_done(struct line_reader *reader);
/* The next line without its newline, valid until the next call. 0; -ETIMEDOUT; -EPIPE at the end of the stream;
 * -E2BIG for a line over max_bytes. */
int line_read(struct line_reader *reader, uint64_t deadline_usec, char **ret_line, size_t *ret_n);
// Write all of it. 0; -ETIMEDOUT; negative errno.
int line_write(int fd, const char *bytes, size_t n, uint64_t deadline_usec);
// Connect to a unix socket. A file descriptor or negative errno.
int unix_connect(const char *path);
