// Files that survive power cuts: read whole with a limit, write by temp file + fsync + rename + fsync of the folder.
// Checked files carry a trailing checksum; a damaged one is set aside (renamed NAME.damaged-N), never deleted.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/crypto.h"
#include "base/diag.h"
#include <sys/types.h>

/* Read a whole file. *ret is NUL-terminated after n bytes; the caller frees. @ret_n may be NULL.
 * -E2BIG over @max_bytes; else the errno of open/read. */
int file_read(const char *path, size_t max_bytes, char **ret, size_t *ret_n, struct diag *reterr);
/* Replace @path as a whole: after success the new content is durable, after failure or a power cut it is the old or
 * the new one. The folder must exist. */
int file_write_atomic(const char *path, const void *bytes, size_t n, mode_t mode, struct diag *reterr);
// The same without fsync, for /run.
int file_write_volatile(const char *path, const void *bytes, size_t n, mode_t mode, struct diag *reterr);
/* Checked files: "hearth-file-v1 <sha256 hex of content>\n" + content. load: -EBADMSG when damaged, and the file has
 * been set aside. */
int file_save_checked(const char *path, const void *bytes, size_t n, mode_t mode, struct diag *reterr);
int file_load_checked(const char *path, size_t max_bytes, char **ret, size_t *ret_n, struct diag *reterr);
// As file_load_checked(), but a damaged one stays where it is (-EBADMSG), until who knows what to do without it has done that.
int file_read_checked(const char *path, size_t max_bytes, char **ret, size_t *ret_n, struct diag *reterr);
// As file_load_checked(); @ret_hash is the SHA-256 of the content, lower-case hex, which is computed anyway.
int file_save_hashed(const char *path, const void *bytes, size_t n, mode_t mode, char ret_hash[static SHA256_HEX + 1],
	struct diag *reterr);
int file_load_hashed(const char *path, size_t max_bytes, char **ret, char ret_hash[static SHA256_HEX + 1], struct diag *reterr);
// Is it a checked file of exactly these bytes? The checksum is left to who loads it.
bool file_holds_checked(const char *path, const void *bytes, size_t n);
/* Put a file that is not to be trusted out of the way as NAME.damaged-N, durably; it is never deleted. @ret_name: that name,
 * the caller frees. */
int file_set_aside(const char *path, char **ret_name);
// @from becomes @to, in the same folder, durably.
int file_replace(const char *from, const char *to, struct diag *reterr);
int file_make_folders(const char *path, mode_t mode); // mkdir -p
// Remove and fsync the folder; a missing file is success.
int file_remove(const char *path);
/* Remove what power cuts left of unfinished writes in @folder: regular files named
 * NAME.new-XXXXXXXX (lower-case hex) that nobody is writing. Nothing else, and no folder below. A
 * missing folder is success. */
int file_remove_leftovers(const char *folder);
bool file_exists(const char *path);
