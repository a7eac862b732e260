// Unpacking by libarchive, the only file of k3s/ that uses it. Names are checked by us first: libarchive's own checks
// see the path with our folder in front, so SECURE_NOABSOLUTEPATHS is done here, the rest twice.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/unpack.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

enum { DEFAULT_FILES = 2000, NAME_LIMIT = 512 };
#define DEFAULT_BYTES (UINT64_C(128) << 20)

static void archive_read_freep(struct archive **archive)
{
	if (*archive)
		(void)archive_read_free(*archive); // reading from memory: nothing to flush
}

static void archive_write_freep(struct archive **archive)
{
	if (*archive)
		(void)archive_write_free(*archive); // closed before on the good path
}

static void entry_freep(struct archive_entry **entry)
{
	if (*entry)
		archive_entry_free(*entry);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int unpack_remove(const char *folder)
{
	if (nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 || errno == ENOENT)
		return 0;
	return -errno;
}

static int name_check(const char *name, struct diag *reterr)
{
	if (!name || !*name)
		return diag_set(reterr, -EPERM, "archive", "an entry has no plain ASCII name");
	if (strlen(name) >= NAME_LIMIT)
		return diag_set(reterr, -EPERM, "archive", "a name is longer than %d bytes", NAME_LIMIT - 1);
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			return diag_set(reterr, -EPERM, "archive", "names must be printable ASCII, not \"%s\"", name);
	if (*name == '/')
		return diag_set(reterr, -EPERM, "archive", "\"%s\": absolute names are not allowed", name);
	for (const char *p = name; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || !p[2]))
			return diag_set(reterr, -EPERM, "archive", "\"%s\": names may not climb", name);
	}
	return 0;
}

static int entry_check(struct archive_entry *entry, struct diag *reterr)
{
	const char *name = archive_entry_pathname(entry);
	int r = name_check(name, reterr);

	if (r < 0)
		return r;
	if (archive_entry_hardlink(entry))
		return diag_set(reterr, -EPERM, "archive", "\"%s\": links are not allowed", name);
	if (archive_entry_filetype(entry) != AE_IFREG && archive_entry_filetype(entry) != AE_IFDIR)
		return diag_set(reterr, -EPERM, "archive", "\"%s\": only regular files and folders are allowed", name);
	return 0;
}

static int data_copy(struct archive *in, struct archive *out, const char *name, uint64_t *left, struct diag *reterr)
{
	char block[16 << 10];

	for (;;) {
		la_ssize_t n = archive_read_data(in, block, sizeof(block));

		if (n == 0)
			return 0;
		if (n < 0)
			return diag_set(reterr, -EBADMSG, "archive", "\"%s\" is damaged: %s", name,
				archive_error_string(in));
		if ((uint64_t)n > *left)
			return diag_set(reterr, -EFBIG, "archive", "holds more bytes than allowed");
		*left -= (uint64_t)n;
		if (archive_write_data(out, block, (size_t)n) != n)
			return diag_set(reterr, -EIO, name, "cannot be written: %s", archive_error_string(out));
	}
}

static int entry_unpack(struct archive *in, struct archive *out, struct archive_entry *entry, const char *folder,
	uint64_t *left, struct diag *reterr)
{
	char *path AUTO_FREE = str_format("%s/%s", folder, archive_entry_pathname(entry));
	struct archive_entry *made CLEANUP(entry_freep) = archive_entry_new();
	bool is_folder = archive_entry_filetype(entry) == AE_IFDIR;
	int r = 0;

	if (!path || !made)
		return -ENOMEM;
	if (archive_entry_size(entry) < 0 || (uint64_t)archive_entry_size(entry) > *left)
		return diag_set(reterr, -EFBIG, "archive", "holds more bytes than allowed");
	archive_entry_set_pathname(made, path);
	archive_entry_set_filetype(made, is_folder ? AE_IFDIR : AE_IFREG);
	archive_entry_set_perm(made, is_folder ? 0700 : 0600);
	archive_entry_set_size(made, is_folder ? 0 : archive_entry_size(entry));
	if (archive_write_header(out, made) != ARCHIVE_OK)
		return diag_set(reterr, -EPERM, "archive", "%s", archive_error_string(out));
	if (!is_folder)
		r = data_copy(in, out, archive_entry_pathname(entry), left, reterr);
	if (r == 0 && archive_write_finish_entry(out) != ARCHIVE_OK)
		return diag_set(reterr, -EIO, path, "%s", archive_error_string(out));
	return r;
}

static int unpack_entries(struct archive *in, struct archive *out, const char *folder,
	const struct unpack_limits *limits, struct diag *reterr)
{
	size_t max_files = limits && limits->max_files ? limits->max_files : DEFAULT_FILES, n = 0;
	uint64_t left = limits && limits->max_bytes ? limits->max_bytes : DEFAULT_BYTES;

	for (;;) {
		struct archive_entry *entry = NULL;
		int r = archive_read_next_header(in, &entry);

		if (r == ARCHIVE_EOF)
			break;
		if (r != ARCHIVE_OK)
			return diag_set(reterr, -EBADMSG, "archive", "is damaged: %s", archive_error_string(in));
		if (++n > max_files)
			return diag_set(reterr, -EFBIG, "archive", "holds more than %zu entries", max_files);
		r = entry_check(entry, reterr);
		if (r == 0)
			r = entry_unpack(in, out, entry, folder, &left, reterr);
		if (r < 0)
			return r;
	}
	if (archive_write_close(out) != ARCHIVE_OK)
		return diag_set(reterr, -EIO, folder, "%s", archive_error_string(out));
	return 0;
}

static int archive_new(struct archive **ret, struct diag *reterr)
{
	struct archive *in CLEANUP(archive_read_freep) = archive_read_new();

	if (!in)
		return -ENOMEM;
	if (archive_read_support_filter_gzip(in) != ARCHIVE_OK || archive_read_support_format_tar(in) != ARCHIVE_OK)
		return diag_set(reterr, -EOPNOTSUPP, "archive", "libarchive cannot read tar.gz");
	*ret = TAKE_PTR(in);
	return 0;
}

static int unpack_all(struct archive *in, const char *folder, const struct unpack_limits *limits, struct diag *reterr)
{
	struct archive *out CLEANUP(archive_write_freep) = archive_write_disk_new();
	char *real AUTO_FREE = NULL;
	int r;

	if (!out)
		return -ENOMEM;
	archive_write_disk_set_options(out,
		ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_NO_OVERWRITE);
	if (mkdir(folder, 0700) < 0)
		return diag_set(reterr, -errno, folder, "cannot be made: %s", strerror(errno));
	real = realpath(folder, NULL); // SECURE_SYMLINKS looks at every component
	r = real ? unpack_entries(in, out, real, limits, reterr) : -errno;
	if (r < 0)
		(void)unpack_remove(folder); // the first error is the one to report
	return r;
}

int unpack_tar_gz(const void *bytes, size_t n, const char *folder, const struct unpack_limits *limits,
	struct diag *reterr)
{
	struct archive *in CLEANUP(archive_read_freep) = NULL;
	int r = archive_new(&in, reterr);

	if (r < 0)
		return r;
	if (archive_read_open_memory(in, bytes, n) != ARCHIVE_OK)
		return diag_set(reterr, -EBADMSG, "archive", "is no tar.gz: %s", archive_error_string(in));
	return unpack_all(in, folder, limits, reterr);
}

int unpack_tar_gz_fd(int fd, const char *folder, const struct unpack_limits *limits, struct diag *reterr)
{
	struct archive *in CLEANUP(archive_read_freep) = NULL;
	int r = archive_new(&in, reterr);

	if (r < 0)
		return r;
	if (archive_read_open_fd(in, fd, 64 << 10) != ARCHIVE_OK)
		return diag_set(reterr, -EBADMSG, "archive", "is no tar.gz: %s", archive_error_string(in));
	return unpack_all(in, folder, limits, reterr);
}
