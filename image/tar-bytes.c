// Tar and gzip in memory by libarchive, without anything that differs between two runs.
// SPDX-License-Identifier: Apache-2.0
#include "image/tar-bytes.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

struct tar {
	struct archive *archive;
	struct bytes bytes;
};

void bytes_done(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){0};
}

static la_ssize_t on_write(struct archive *archive, void *user, const void *data, size_t n)
{
	struct bytes *bytes = user;

	if (bytes->n + n > bytes->n_alloc) {
		size_t n_alloc = (bytes->n + n) * 2;
		char *grown = realloc(bytes->data, n_alloc);

		if (!grown) {
			archive_set_error(archive, ENOMEM, "out of memory");
			return -1;
		}
		bytes->data = grown;
		bytes->n_alloc = n_alloc;
	}
	memcpy(bytes->data + bytes->n, data, n);
	bytes->n += n;
	return (la_ssize_t)n;
}

static void archive_freep(struct archive **archive)
{
	if (*archive)
		(void)archive_write_free(*archive); // closed before on the good path
}

static void entry_freep(struct archive_entry **entry)
{
	if (*entry)
		archive_entry_free(*entry);
}

int tar_new(struct tar **ret)
{
	struct tar *tar CLEANUP(tar_freep) = calloc(1, sizeof(*tar));

	if (!tar)
		return -ENOMEM;
	tar->archive = archive_write_new();
	if (!tar->archive || archive_write_set_format_pax_restricted(tar->archive) != ARCHIVE_OK ||
		archive_write_set_bytes_per_block(tar->archive, 0) != ARCHIVE_OK ||
		archive_write_open(tar->archive, &tar->bytes, NULL, on_write, NULL) != ARCHIVE_OK)
		return -ENOMEM;
	*ret = TAKE_PTR(tar);
	return 0;
}

struct tar *tar_free(struct tar *tar)
{
	if (!tar)
		return NULL;
	if (tar->archive)
		(void)archive_write_free(tar->archive); // half-built: what it still writes goes with it
	bytes_done(&tar->bytes);
	free(tar);
	return NULL;
}

static int tar_add(struct tar *tar, const char *path, unsigned type, mode_t mode, const void *data, size_t n,
	struct diag *reterr)
{
	struct archive_entry *entry CLEANUP(entry_freep) = archive_entry_new();

	if (!entry)
		return -ENOMEM;
	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, type);
	archive_entry_set_perm(entry, mode);
	archive_entry_set_size(entry, (la_int64_t)n);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_uid(entry, 0);
	archive_entry_set_gid(entry, 0);
	if (archive_write_header(tar->archive, entry) != ARCHIVE_OK ||
		(n > 0 && archive_write_data(tar->archive, data, n) != (la_ssize_t)n) ||
		archive_write_finish_entry(tar->archive) != ARCHIVE_OK)
		return diag_set(reterr, -EIO, path, "cannot be packed: %s", archive_error_string(tar->archive));
	return 0;
}

int tar_add_folder(struct tar *tar, const char *path, mode_t mode, struct diag *reterr)
{
	return tar_add(tar, path, AE_IFDIR, mode, NULL, 0, reterr);
}

int tar_add_bytes(struct tar *tar, const char *path, mode_t mode, const void *data, size_t n, struct diag *reterr)
{
	return tar_add(tar, path, AE_IFREG, mode, data, n, reterr);
}

static int whole_read(int fd, char *to, size_t n)
{
	while (n > 0) {
		ssize_t got = read(fd, to, n);

		if (got < 0)
			return -errno;
		if (got == 0)
			return -EIO; // it became shorter under our hands
		to += got;
		n -= (size_t)got;
	}
	return 0;
}

int tar_add_file(struct tar *tar, const char *path, mode_t mode, const char *source, struct diag *reterr)
{
	int fd AUTO_CLOSE = open(source, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char *data AUTO_FREE = NULL;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return diag_set(reterr, -errno, source, "cannot be read: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return diag_set(reterr, -EINVAL, source, "must be a regular file");
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return -ENOMEM;
	r = whole_read(fd, data, (size_t)st.st_size);
	if (r < 0)
		return diag_set(reterr, r, source, "cannot be read: %s", strerror(-r));
	return tar_add(tar, path, AE_IFREG, mode, data, (size_t)st.st_size, reterr);
}

int tar_end(struct tar *tar, struct bytes *ret, struct diag *reterr)
{
	if (archive_write_close(tar->archive) != ARCHIVE_OK)
		return diag_set(reterr, -EIO, "archive", "cannot be ended: %s", archive_error_string(tar->archive));
	*ret = tar->bytes;
	tar->bytes = (struct bytes){0};
	return 0;
}

int gzip_bytes(const struct bytes *plain, struct bytes *ret, struct diag *reterr)
{
	struct bytes out CLEANUP(bytes_done) = {0};
	struct archive *archive CLEANUP(archive_freep) = archive_write_new();
	struct archive_entry *entry CLEANUP(entry_freep) = archive_entry_new();

	if (!archive || !entry)
		return -ENOMEM;
	archive_entry_set_filetype(entry, AE_IFREG);
	if (archive_write_set_format_raw(archive) != ARCHIVE_OK || archive_write_add_filter_gzip(archive) != ARCHIVE_OK ||
		archive_write_set_filter_option(archive, "gzip", "timestamp", NULL) != ARCHIVE_OK ||
		archive_write_set_filter_option(archive, "gzip", "compression-level", "9") != ARCHIVE_OK ||
		archive_write_set_bytes_per_block(archive, 0) != ARCHIVE_OK ||
		archive_write_open(archive, &out, NULL, on_write, NULL) != ARCHIVE_OK ||
		archive_write_header(archive, entry) != ARCHIVE_OK ||
		archive_write_data(archive, plain->data, plain->n) != (la_ssize_t)plain->n ||
		archive_write_close(archive) != ARCHIVE_OK)
		return diag_set(reterr, -EIO, "gzip", "%s", archive_error_string(archive));
	*ret = out;
	out = (struct bytes){0};
	return 0;
}
