// Whole files: read with a limit, replaced atomically, with or without a checksum line.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "base/crypto.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { CHECKED_HEADER_BYTES = 15 + SHA256_HEX + 1, MAX_SET_ASIDE = 1000, MAX_TEMP_NAMES = 16 };
#define CHECKED_LABEL "hearth-file-v1 "

static int fail(struct diag *reterr, int error, const char *path, const char *what)
{
	return diag_set(reterr, error, path, "%s: %s", what, strerror(-error));
}

int file_read(const char *path, size_t max_bytes, char **ret, size_t *ret_n, struct diag *reterr)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	AUTO_FREE char *text = NULL;
	size_t n = 0, n_alloc = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(reterr, -errno, path, "cannot be opened");
	if (S_ISDIR(st.st_mode))
		return fail(reterr, -EISDIR, path, "cannot be read");
	if (st.st_size > 0 && (uint64_t)st.st_size <= max_bytes)
		n_alloc = (size_t)st.st_size + 2; // one more than its size, to see the end without growing
	for (;;) {
		if (n + 2 > n_alloc || !text) {
			if (text || n_alloc == 0)
				n_alloc = n_alloc ? n_alloc * 2 : 4096;
			char *more = realloc(text, n_alloc);
			if (!more)
				return fail(reterr, -ENOMEM, path, "cannot be read");
			text = more;
		}
		ssize_t got = read(fd, text + n, n_alloc - n - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail(reterr, -errno, path, "cannot be read");
		if (got == 0)
			break;
		n += (size_t)got;
		if (n > max_bytes)
			return diag_set(reterr, -E2BIG, path, "must not be longer than %zu bytes", max_bytes);
	}
	text[n] = '\0';
	if (ret_n)
		*ret_n = n;
	*ret = TAKE_PTR(text);
	return 0;
}

static int write_all(int fd, const void *bytes, size_t n)
{
	for (const char *p = bytes; n > 0;) {
		ssize_t written = write(fd, p, n);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		p += written;
		n -= (size_t)written;
	}
	return 0;
}

static int sync_folder_of(const char *path)
{
	AUTO_FREE char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	AUTO_CLOSE int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

// A new file beside @path that nobody else has. A leftover of a power cut is not reused: its name is simply taken.
// The lock says that it is being written (file_remove_leftovers); it goes with the descriptor.
static int temp_open(const char *path, mode_t mode, char **ret_name)
{
	for (int i = 0; i < MAX_TEMP_NAMES; i++) {
		uint32_t random;
		crypto_random(&random, sizeof(random));
		AUTO_FREE char *name = str_format("%s.new-%08x", path, random);
		if (!name)
			return -ENOMEM;
		int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 && errno == EEXIST)
			continue;
		if (fd < 0)
			return -errno;
		struct stat st;
		if ((flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) ||
			(fstat(fd, &st) == 0 && st.st_nlink == 0)) {
			(void)close(fd); // taken for a leftover before it was locked: another name
			continue;
		}
		if (fchmod(fd, mode) < 0) { // the umask has no say
			int error = -errno;
			(void)close(fd);
			(void)unlink(name); // nothing was written
			return error;
		}
		*ret_name = TAKE_PTR(name);
		return fd;
	}
	return -EEXIST;
}

struct part {
	const void *bytes;
	size_t n;
};

static int replace(const char *path, const struct part parts[], size_t n_parts, mode_t mode, bool durable,
	struct diag *reterr)
{
	AUTO_FREE char *name = NULL;
	int fd = temp_open(path, mode, &name);
	int r = fd < 0 ? fd : 0;

	for (size_t i = 0; r == 0 && i < n_parts; i++)
		r = write_all(fd, parts[i].bytes, parts[i].n);
	if (r == 0 && durable && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && rename(name, path) < 0) // before the close, which ends the lock
		r = -errno;
	if (fd >= 0)
		(void)close(fd); // what has to last was synced
	if (r < 0) {
		if (name)
			(void)unlink(name); // the old file stands; the rest is only tidiness
		return fail(reterr, r, path, "cannot be written");
	}
	r = durable ? sync_folder_of(path) : 0;
	return r < 0 ? fail(reterr, r, path, "cannot be made durable") : 0;
}

int file_write_atomic(const char *path, const void *bytes, size_t n, mode_t mode, struct diag *reterr)
{
	return replace(path, &(struct part){ bytes, n }, 1, mode, true, reterr);
}

int file_write_volatile(const char *path, const void *bytes, size_t n, mode_t mode, struct diag *reterr)
{
	return replace(path, &(struct part){ bytes, n }, 1, mode, false, reterr);
}

static void checked_header(const void *bytes, size_t n, char ret[static CHECKED_HEADER_BYTES + 1])
{
	uint8_t hash[SHA256_BYTES];

	memcpy(ret, CHECKED_LABEL, strlen(CHECKED_LABEL));
	sha256(bytes, n, hash);
	hex_encode(hash, sizeof(hash), ret + strlen(CHECKED_LABEL));
	memcpy(ret + CHECKED_HEADER_BYTES - 1, "\n", 2);
}

static void copy_hash(const char *header, char ret[static SHA256_HEX + 1])
{
	memcpy(ret, header + strlen(CHECKED_LABEL), SHA256_HEX);
	ret[SHA256_HEX] = '\0';
}

int file_save_checked(const char *path, const void *bytes, size_t n, mode_t mode, struct diag *reterr)
{
	char hash[SHA256_HEX + 1];

	return file_save_hashed(path, bytes, n, mode, hash, reterr);
}

int file_save_hashed(const char *path, const void *bytes, size_t n, mode_t mode, char ret_hash[static SHA256_HEX + 1],
	struct diag *reterr)
{
	char header[CHECKED_HEADER_BYTES + 1];

	checked_header(bytes, n, header);
	copy_hash(header, ret_hash);
	return replace(path, (struct part[]){ { header, CHECKED_HEADER_BYTES }, { bytes, n } }, 2, mode, true, reterr);
}

int file_set_aside(const char *path, char **ret_name)
{
	for (int i = 1; i <= MAX_SET_ASIDE; i++) {
		AUTO_FREE char *name = str_format("%s.damaged-%d", path, i);
		if (!name)
			return -ENOMEM;
		if (link(path, name) < 0) { // unlike rename, never over an earlier one
			if (errno == EEXIST)
				continue;
			return -errno;
		}
		if (unlink(path) < 0)
			return -errno;
		*ret_name = TAKE_PTR(name);
		return sync_folder_of(path);
	}
	return -EEXIST;
}

static int read_checked(const char *path, size_t max_bytes, char **ret, size_t *ret_n, char ret_hash[static SHA256_HEX + 1],
	struct diag *reterr)
{
	AUTO_FREE char *text = NULL;
	size_t n;
	char header[CHECKED_HEADER_BYTES + 1];
	int r = file_read(path, max_bytes + CHECKED_HEADER_BYTES, &text, &n, reterr);

	if (r < 0)
		return r;
	if (n >= CHECKED_HEADER_BYTES) {
		checked_header(text + CHECKED_HEADER_BYTES, n - CHECKED_HEADER_BYTES, header);
		if (memcmp(text, header, CHECKED_HEADER_BYTES) == 0) {
			memmove(text, text + CHECKED_HEADER_BYTES, n - CHECKED_HEADER_BYTES + 1);
			crypto_wipe(text + n - CHECKED_HEADER_BYTES + 1, CHECKED_HEADER_BYTES);
			copy_hash(header, ret_hash);
			*ret_n = n - CHECKED_HEADER_BYTES;
			*ret = TAKE_PTR(text);
			return 0;
		}
	}
	crypto_wipe(text, n);
	return diag_set(reterr, -EBADMSG, path, "is damaged (its checksum does not fit)");
}

static int load_checked(const char *path, size_t max_bytes, char **ret, size_t *ret_n, char ret_hash[static SHA256_HEX + 1],
	struct diag *reterr)
{
	AUTO_FREE char *aside = NULL;
	int r = read_checked(path, max_bytes, ret, ret_n, ret_hash, reterr);

	if (r != -EBADMSG)
		return r;
	r = file_set_aside(path, &aside);
	if (r < 0)
		return diag_set(reterr, -EBADMSG, path, "is damaged and cannot be set aside: %s", strerror(-r));
	return diag_set(reterr, -EBADMSG, path, "is damaged (its checksum does not fit) and was set aside as %s", aside);
}

int file_read_checked(const char *path, size_t max_bytes, char **ret, size_t *ret_n, struct diag *reterr)
{
	char hash[SHA256_HEX + 1];

	return read_checked(path, max_bytes, ret, ret_n, hash, reterr);
}

int file_load_checked(const char *path, size_t max_bytes, char **ret, size_t *ret_n, struct diag *reterr)
{
	char hash[SHA256_HEX + 1];
	size_t n;

	return load_checked(path, max_bytes, ret, ret_n ? ret_n : &n, hash, reterr);
}

int file_load_hashed(const char *path, size_t max_bytes, char **ret, char ret_hash[static SHA256_HEX + 1], struct diag *reterr)
{
	size_t n;

	return load_checked(path, max_bytes, ret, &n, ret_hash, reterr);
}

bool file_holds_checked(const char *path, const void *bytes, size_t n)
{
	AUTO_FREE char *text = NULL;
	size_t n_text;

	if (file_read(path, n + CHECKED_HEADER_BYTES, &text, &n_text, NULL) < 0)
		return false;
	bool is_same = n_text == n + CHECKED_HEADER_BYTES && memcmp(text, CHECKED_LABEL, strlen(CHECKED_LABEL)) == 0 &&
		       memcmp(text + CHECKED_HEADER_BYTES, bytes, n) == 0;
	crypto_wipe(text, n_text);
	return is_same;
}

static bool is_leftover_name(const char *name)
{
	static const char mark[] = ".new-";
	size_t n = strlen(name), n_suffix = strlen(mark) + 8;
	const char *suffix = name + n - (n > n_suffix ? n_suffix : 0);
	return n > n_suffix && strncmp(suffix, mark, strlen(mark)) == 0 &&
	       strspn(suffix + strlen(mark), "0123456789abcdef") == 8;
}

static void remove_leftover(int folder_fd, const char *name)
{
	struct stat st;
	AUTO_CLOSE int fd =
		openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void)unlinkat(folder_fd, name, 0); // tried again the next time
}

int file_remove_leftovers(const char *folder)
{
	DIR *dir = opendir(folder);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *entry; (entry = readdir(dir));)
		if (is_leftover_name(entry->d_name))
			remove_leftover(dirfd(dir), entry->d_name);
	(void)closedir(dir); // it was only read
	return 0;
}

int file_make_folders(const char *path, mode_t mode)
{
	AUTO_FREE char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *p = copy + 1; *copy && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	if (mkdir(copy, mode) == 0)
		return 0;
	struct stat st;
	if (errno != EEXIST)
		return -errno;
	if (stat(copy, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int file_replace(const char *from, const char *to, struct diag *reterr)
{
	if (rename(from, to) < 0)
		return fail(reterr, -errno, to, "cannot be replaced");
	int r = sync_folder_of(to);
	return r < 0 ? fail(reterr, r, to, "cannot be made durable") : 0;
}

int file_remove(const char *path)
{
	if (unlink(path) < 0)
		return errno == ENOENT ? 0 : -errno;
	return sync_folder_of(path);
}

bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}
