// Helpers of the build steps: hashes, cache keys, copies, EROFS.
// SPDX-License-Identifier: Apache-2.0
#include "image/build.h"
#include "image/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

void build_done(struct build *build)
{
	free(build->base);
	free(build->kernel);
	free(build->kernel_version);
	free(build->kubernetes);
}

int sha256_file(const char *path, char ret_hex[static SHA256_HEX + 1], struct diag *reterr)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(sha256_stream_freep) struct sha256_stream *stream = sha256_stream_new();
	AUTO_FREE char *chunk = malloc(1 << 20);
	uint8_t hash[SHA256_BYTES];
	ssize_t n;

	if (fd < 0)
		return diag_set(reterr, -errno, path, "could not be opened: %s", strerror(errno));
	if (!stream || !chunk)
		return -ENOMEM;
	while ((n = read(fd, chunk, 1 << 20)) > 0)
		sha256_stream_add(stream, chunk, (size_t)n);
	if (n < 0)
		return diag_set(reterr, -errno, path, "could not be read: %s", strerror(errno));
	sha256_stream_end(stream, hash);
	hex_encode(hash, sizeof(hash), ret_hex);
	return 0;
}

void cache_key(const char *text, char ret_key[static 17])
{
	uint8_t hash[SHA256_BYTES];

	sha256(text, strlen(text), hash);
	hex_encode(hash, 8, ret_key);
}

void fixed_uuid(const char *what, char ret[static 37])
{
	uint8_t h[SHA256_BYTES];

	sha256(what, strlen(what), h);
	h[6] = (h[6] & 0x0f) | 0x50; // RFC 9562: version 5 shaped, variant 10
	h[8] = (h[8] & 0x3f) | 0x80;
	snprintf(ret, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", h[0], h[1], h[2], h[3],
		h[4], h[5], h[6], h[7], h[8], h[9], h[10], h[11], h[12], h[13], h[14], h[15]);
}

int remove_tree(const char *path, struct diag *reterr)
{
	return run_program((const char *const[]){ "rm", "-rf", "--one-file-system", path, NULL }, reterr);
}

int cache_publish(const char *work, const char *name, struct diag *reterr)
{
	if (rename(work, name) == 0)
		return 0;
	if (errno == EEXIST || errno == ENOTEMPTY)
		return remove_tree(work, reterr);
	return diag_set(reterr, -errno, name, "could not be made: %s", strerror(errno));
}

struct cached {
	char *path;
	struct timespec used;
};

static int cached_compare(const void *a, const void *b) // the last used first
{
	const struct cached *x = a, *y = b;

	if (x->used.tv_sec != y->used.tv_sec)
		return x->used.tv_sec > y->used.tv_sec ? -1 : 1;
	return x->used.tv_nsec == y->used.tv_nsec ? 0 : x->used.tv_nsec > y->used.tv_nsec ? -1 : 1;
}

int cache_prune(const char *cache, const char *kind, const char *used, struct diag *reterr)
{
	struct dirent **entries = NULL;
	struct cached *all = NULL;
	size_t n_all = 0;
	int rc = 0;

	if (utimensat(AT_FDCWD, used, NULL, 0) < 0)
		return diag_set(reterr, -errno, used, "cannot be marked as used: %s", strerror(errno));
	int n = scandir(cache, &entries, NULL, NULL);
	if (n < 0)
		return diag_set(reterr, -errno, cache, "could not be read: %s", strerror(errno));
	all = calloc((size_t)n + 1, sizeof(*all));
	if (!all)
		rc = -ENOMEM;
	for (int i = 0; i < n; i++) {
		struct stat st;
		char *path = all && str_starts(entries[i]->d_name, kind) ? str_format("%s/%s", cache, entries[i]->d_name) : NULL;
		if (path && lstat(path, &st) == 0)
			all[n_all++] = (struct cached){ .path = path, .used = st.st_mtim };
		else
			free(path); // gone under our hands, or of another kind
		free(entries[i]);
	}
	free(entries);
	if (n_all > 0)
		qsort(all, n_all, sizeof(*all), cached_compare);
	for (size_t i = 0; i < n_all; i++) {
		if (i >= CACHE_KEPT && rc == 0)
			rc = remove_tree(all[i].path, reterr);
		free(all[i].path);
	}
	free(all);
	return rc;
}

int file_link_or_copy(const char *from, const char *to, struct diag *reterr)
{
	(void)unlink(to); // may not be there
	if (link(from, to) == 0)
		return 0;
	return run_program((const char *const[]){ "cp", "--reflink=auto", from, to, NULL }, reterr);
}

int erofs_make(const struct build *build, const char *compression, const char *source, bool is_tar, const char *path,
	struct diag *reterr)
{
	char uuid[37], time[32];
	AUTO_FREE char *compress = str_format("-z%s", compression);
	CLEANUP(words_done) struct words argv = { 0 };

	if (!compress)
		return -ENOMEM;
	fixed_uuid(build->recipe->name, uuid);
	snprintf(time, sizeof(time), "%" PRId64, build->epoch_sec);
	(void)unlink(path); // mkfs.erofs keeps the length of an old file
	int rc = words_add_many(&argv, (const char *const[]){ "mkfs.erofs", "--quiet", compress, "-C65536", "-T", time, "-U",
							uuid, "--force-uid=0", "--force-gid=0", NULL });
	// The root keeps the owners and times that its tar names.
	if (rc == 0 && is_tar) {
		words_done(&argv);
		rc = words_add_many(&argv, (const char *const[]){ "mkfs.erofs", "--quiet", compress, "-C65536", "-T", time,
								"-U", uuid, "--tar=f", NULL });
	}
	if (rc == 0)
		rc = words_add_many(&argv, (const char *const[]){ path, source, NULL });
	return rc < 0 ? rc : run_program((const char *const *)argv.items, reterr);
}
