// fuzzes: k3s
// Whatever a layer holds: plain files and folders below one folder, within the limits, or nothing at all.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/unpack.h"

#include <ftw.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

enum { MAX_FILES = 20, MAX_BYTES = 1 << 20 };

static size_t n_files;
static uint64_t n_all_bytes;

static int look(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		abort();
	if ((S_ISREG(st->st_mode) && (st->st_mode & 07077)) || (S_ISREG(st->st_mode) && st->st_nlink != 1))
		abort();
	if (S_ISREG(st->st_mode)) {
		n_files++;
		n_all_bytes += (uint64_t)st->st_size;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	static char root[] = "/tmp/fuzz-unpack-XXXXXX";
	static bool made;
	static const struct unpack_limits limits = {.max_files = MAX_FILES, .max_bytes = MAX_BYTES};
	char *folder AUTO_FREE = NULL;
	struct diag diag = {0};

	if (!made && !mkdtemp(root))
		abort();
	made = true;
	folder = str_format("%s/out", root);
	if (!folder)
		return 0;
	n_files = n_all_bytes = 0;
	if (unpack_tar_gz(bytes, n_bytes, folder, &limits, &diag) < 0) {
		struct stat st;

		if (lstat(folder, &st) == 0 || !*diag.message) // nothing half unpacked, and a reason
			abort();
		return 0;
	}
	if (nftw(folder, look, 8, FTW_PHYS) != 0 || n_files > MAX_FILES || n_all_bytes > MAX_BYTES)
		abort();
	if (unpack_remove(folder) < 0 || rmdir(root) < 0 || mkdir(root, 0700) < 0) // nothing beside it either
		abort();
	return 0;
}
