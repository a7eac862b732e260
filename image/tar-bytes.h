// A small deterministic tar in memory (fixed times and owners, entries in the order they are added), and gzip of bytes
// without time stamps: what layers of container images and artifacts are made of. By libarchive.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"
#include <sys/types.h>

struct bytes {
	char *data; // owned
	size_t n, n_alloc;
};
void bytes_done(struct bytes *bytes);

struct tar;
int tar_new(struct tar **ret);
struct tar *tar_free(struct tar *tar);
DEFINE_CLEANUP(tar)
// @path as it shall stand in the archive, relative, without "./". The parent folders are the caller's business.
int tar_add_folder(struct tar *tar, const char *path, mode_t mode, struct diag *reterr);
int tar_add_bytes(struct tar *tar, const char *path, mode_t mode, const void *data, size_t n, struct diag *reterr);
// The contents of @source, which must be a regular file.
int tar_add_file(struct tar *tar, const char *path, mode_t mode, const char *source, struct diag *reterr);
// End the archive; the bytes are the caller's then.
int tar_end(struct tar *tar, struct bytes *ret, struct diag *reterr);
int gzip_bytes(const struct bytes *plain, struct bytes *ret, struct diag *reterr);
