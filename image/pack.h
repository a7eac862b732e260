// Writing archives (tar for mkfs.erofs, newc cpio for the kernel) by libarchive, so that the same content gives the
// same bytes: owner root, one time, sorted folders, parents before children. Foreign error codes end here.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"
#include "image/words.h"
#include <sys/types.h>

enum pack_format { PACK_FORMAT_TAR, PACK_FORMAT_CPIO };

struct pack;
/* @zstd_level 0: not compressed. @time_sec: time of every entry. */
int pack_open(const char *path, enum pack_format format, int zstd_level, int64_t time_sec, struct pack **ret,
	struct diag *reterr);
struct pack *pack_free(struct pack *pack);
DEFINE_CLEANUP(pack)
int pack_close(struct pack *pack, struct diag *reterr); // flush and check; pack_free() still has to follow

// Paths have no leading slash. Missing parent folders (0755) are added; a folder added twice is written once.
int pack_folder(struct pack *pack, const char *path, mode_t mode, struct diag *reterr);
int pack_bytes(struct pack *pack, const char *path, mode_t mode, const void *bytes, size_t n, struct diag *reterr);
int pack_file(struct pack *pack, const char *path, mode_t mode, const char *source, struct diag *reterr);
int pack_link(struct pack *pack, const char *path, const char *target, struct diag *reterr);
/* Everything below the folder @source, under @path ("" is the top): folders 0755, files 0755 with an x bit else 0644,
 * symlinks as they are; other kinds are refused. */
int pack_tree(struct pack *pack, const char *path, const char *source, struct diag *reterr);
// One file or symlink by the same rules.
int pack_tree_one(struct pack *pack, const char *path, const char *source, struct diag *reterr);
// Every path that pack_tree() would add, without folders, sorted.
int tree_list(const char *source, struct words *ret, struct diag *reterr);

struct archive_entry;
struct archive;
// One entry of another archive with its content; the time is clamped to the pack's.
int pack_copy(struct pack *pack, struct archive *from, struct archive_entry *entry, struct diag *reterr);
