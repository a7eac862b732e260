// SPDX-License-Identifier: Apache-2.0
#include "image/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 64 }; // deeper than any overlay or module tree

struct pack {
	struct archive *archive;
	char *path;
	int64_t time_sec;
	struct words folders; // written already, sorted is not needed: a few hundred
};

struct pack *pack_free(struct pack *pack)
{
	if (!pack)
		return NULL;
	if (pack->archive)
		archive_write_free(pack->archive);
	words_done(&pack->folders);
	free(pack->path);
	free(pack);
	return NULL;
}

static int archive_failed(struct pack *pack, struct diag *reterr)
{
	int error = archive_errno(pack->archive);

	return diag_set(reterr, error > 0 ? -error : -EIO, pack->path, "could not be written: %s",
		archive_error_string(pack->archive));
}

int pack_open(const char *path, enum pack_format format, int zstd_level, int64_t time_sec, struct pack **ret,
	struct diag *reterr)
{
	CLEANUP(pack_freep) struct pack *pack = calloc(1, sizeof(*pack));
	char level[16];
	int rc;

	if (!pack || !(pack->path = strdup(path)) || !(pack->archive = archive_write_new()))
		return -ENOMEM;
	pack->time_sec = time_sec;
	rc = format == PACK_FORMAT_CPIO ? archive_write_set_format_cpio_newc(pack->archive) :
					  archive_write_set_format_pax_restricted(pack->archive);
	if (rc == ARCHIVE_OK && zstd_level > 0) {
		snprintf(level, sizeof(level), "%d", zstd_level);
		rc = archive_write_add_filter_zstd(pack->archive);
		if (rc == ARCHIVE_OK)
			rc = archive_write_set_filter_option(pack->archive, "zstd", "compression-level", level);
	}
	// No padding of the end to a tape block: one compressed cpio follows another.
	if (rc == ARCHIVE_OK)
		rc = archive_write_set_bytes_in_last_block(pack->archive, 1);
	if (rc == ARCHIVE_OK)
		rc = archive_write_open_filename(pack->archive, path);
	if (rc != ARCHIVE_OK)
		return archive_failed(pack, reterr);
	*ret = TAKE_PTR(pack);
	return 0;
}

int pack_close(struct pack *pack, struct diag *reterr)
{
	return archive_write_close(pack->archive) == ARCHIVE_OK ? 0 : archive_failed(pack, reterr);
}

static struct archive_entry *entry_new(struct pack *pack, const char *path, mode_t type_and_mode, int64_t size)
{
	struct archive_entry *entry = archive_entry_new();

	if (!entry)
		return NULL;
	archive_entry_set_pathname(entry, path);
	archive_entry_set_mode(entry, type_and_mode);
	archive_entry_set_size(entry, size);
	archive_entry_set_mtime(entry, pack->time_sec, 0);
	archive_entry_set_nlink(entry, 1);
	return entry;
}

static int header_write(struct pack *pack, struct archive_entry *entry, struct diag *reterr)
{
	int rc = entry ? archive_write_header(pack->archive, entry) : ARCHIVE_FATAL;

	if (!entry)
		return -ENOMEM;
	archive_entry_free(entry);
	return rc == ARCHIVE_OK ? 0 : archive_failed(pack, reterr);
}

int pack_folder(struct pack *pack, const char *path, mode_t mode, struct diag *reterr)
{
	const char *slash = strrchr(path, '/');
	int rc = 0;

	if (!*path || words_has(&pack->folders, path))
		return 0;
	if (slash) {
		AUTO_FREE char *parent = strndup(path, (size_t)(slash - path));
		rc = parent ? pack_folder(pack, parent, 0755, reterr) : -ENOMEM;
	}
	if (rc == 0)
		rc = words_add(&pack->folders, path);
	return rc < 0 ? rc : header_write(pack, entry_new(pack, path, S_IFDIR | mode, 0), reterr);
}

static int parents(struct pack *pack, const char *path, struct diag *reterr)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *parent = slash ? strndup(path, (size_t)(slash - path)) : strdup("");

	return parent ? pack_folder(pack, parent, 0755, reterr) : -ENOMEM;
}

static int content_write(struct pack *pack, const void *bytes, size_t n, struct diag *reterr)
{
	return archive_write_data(pack->archive, bytes, n) == (la_ssize_t)n ? 0 : archive_failed(pack, reterr);
}

int pack_bytes(struct pack *pack, const char *path, mode_t mode, const void *bytes, size_t n, struct diag *reterr)
{
	int rc = parents(pack, path, reterr);

	if (rc == 0)
		rc = header_write(pack, entry_new(pack, path, S_IFREG | mode, (int64_t)n), reterr);
	return rc == 0 && n > 0 ? content_write(pack, bytes, n, reterr) : rc;
}

int pack_file(struct pack *pack, const char *path, mode_t mode, const char *source, struct diag *reterr)
{
	AUTO_CLOSE int fd = open(source, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char chunk[64 << 10];
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return diag_set(reterr, -errno, source, "could not be read: %s", strerror(errno));
	int rc = parents(pack, path, reterr);
	if (rc == 0)
		rc = header_write(pack, entry_new(pack, path, S_IFREG | mode, st.st_size), reterr);
	while (rc == 0 && (n = read(fd, chunk, sizeof(chunk))) != 0)
		rc = n < 0 ? diag_set(reterr, -errno, source, "could not be read: %s", strerror(errno)) :
			     content_write(pack, chunk, (size_t)n, reterr);
	return rc;
}

int pack_link(struct pack *pack, const char *path, const char *target, struct diag *reterr)
{
	int rc = parents(pack, path, reterr);

	if (rc < 0)
		return rc;
	struct archive_entry *entry = entry_new(pack, path, S_IFLNK | 0777, 0);
	if (entry)
		archive_entry_set_symlink(entry, target);
	return header_write(pack, entry, reterr);
}

int pack_copy(struct pack *pack, struct archive *from, struct archive_entry *entry, struct diag *reterr)
{
	char chunk[64 << 10];
	la_ssize_t n;
	int rc = 0;

	if (archive_entry_filetype(entry) == AE_IFDIR)
		rc = words_add(&pack->folders, archive_entry_pathname(entry));
	if (rc < 0)
		return rc;
	if (archive_entry_mtime(entry) > pack->time_sec)
		archive_entry_set_mtime(entry, pack->time_sec, 0);
	archive_entry_unset_atime(entry);
	archive_entry_unset_ctime(entry);
	archive_entry_unset_birthtime(entry);
	archive_entry_set_uname(entry, NULL);
	archive_entry_set_gname(entry, NULL);
	if (archive_write_header(pack->archive, entry) != ARCHIVE_OK)
		return archive_failed(pack, reterr);
	while (rc == 0 && (n = archive_read_data(from, chunk, sizeof(chunk))) != 0)
		rc = n < 0 ? diag_set(reterr, -EIO, archive_entry_pathname(entry), "could not be read: %s",
				     archive_error_string(from)) :
			     content_write(pack, chunk, (size_t)n, reterr);
	return rc;
}

static int list_below(const char *source, const char *path, unsigned depth, struct words *ret, struct diag *reterr)
{
	AUTO_FREE char *folder = str_format("%s%s%s", source, *path ? "/" : "", path);
	DIR *dir = folder ? opendir(folder) : NULL;
	int rc = 0;

	if (!dir)
		return diag_set(reterr, folder ? -errno : -ENOMEM, folder ? folder : source, "could not be listed: %s",
			strerror(errno));
	for (struct dirent *entry; rc == 0 && (entry = readdir(dir));) {
		struct stat st;
		if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
			continue;
		AUTO_FREE char *below = str_format("%s%s%s", path, *path ? "/" : "", entry->d_name);
		if (!below)
			rc = -ENOMEM;
		else if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			rc = diag_set(reterr, -errno, below, "could not be read: %s", strerror(errno));
		else if (S_ISDIR(st.st_mode) && depth < MAX_DEPTH)
			rc = list_below(source, below, depth + 1, ret, reterr);
		else if (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode))
			rc = words_add(ret, below);
		else
			rc = diag_set(reterr, -EINVAL, below, "must be a file, a folder or a symlink");
	}
	closedir(dir);
	return rc;
}

int tree_list(const char *source, struct words *ret, struct diag *reterr)
{
	int rc = list_below(source, "", 0, ret, reterr);

	words_sort(ret);
	return rc;
}

int pack_tree_one(struct pack *pack, const char *path, const char *source, struct diag *reterr)
{
	char target[4096];
	struct stat st;

	if (lstat(source, &st) < 0)
		return diag_set(reterr, -errno, source, "could not be read: %s", strerror(errno));
	if (!S_ISLNK(st.st_mode))
		return pack_file(pack, path, st.st_mode & 0111 ? 0755 : 0644, source, reterr);
	ssize_t n = readlink(source, target, sizeof(target) - 1);
	if (n < 0)
		return diag_set(reterr, -errno, source, "could not be read: %s", strerror(errno));
	target[n] = '\0';
	return pack_link(pack, path, target, reterr);
}

int pack_tree(struct pack *pack, const char *path, const char *source, struct diag *reterr)
{
	CLEANUP(words_done) struct words files = { 0 };
	int rc = tree_list(source, &files, reterr);

	for (size_t i = 0; i < files.n && rc == 0; i++) {
		AUTO_FREE char *from = str_format("%s/%s", source, files.items[i]);
		AUTO_FREE char *to = str_format("%s%s%s", path, *path ? "/" : "", files.items[i]);
		rc = from && to ? pack_tree_one(pack, to, from, reterr) : -ENOMEM;
	}
	return rc;
}
