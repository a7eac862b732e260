// Unpack a tar.gz that came from outside into a new folder: regular files and folders only, nothing above the folder,
// no links, no devices, limits on size and count. By libarchive with every SECURE flag.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

struct unpack_limits {
	size_t max_files;      // 0: 2000
	uint64_t max_bytes;    // 0: 128 MiB, of all files together after decompression
};
/* @folder must not exist; it is made 0700 and removed again after a failure.
 * -EBADMSG damaged archive; -EPERM an entry that is not allowed (named in the diag); -EFBIG limits. */
int unpack_tar_gz(const void *bytes, size_t n, const char *folder, const struct unpack_limits *limits,
	struct diag *reterr);
// The same from a file: what is in memory does not grow with it.
int unpack_tar_gz_fd(int fd, const char *folder, const struct unpack_limits *limits, struct diag *reterr);
// rm -r, without following links. A missing folder is success.
int unpack_remove(const char *folder);
