// hearth-image seed ISO SEED.yaml: overwrite the preallocated /hearth/seed.yaml of a finished image in place. Nothing
// else in the image changes, so it also works on a stick the image was written to (/dev/sdX).
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "base/log.h"
#include "base/crypto.h"
#include "base/seed.h"
#include "image/command.h"
#include "image/iso-directory.h"

#include <errno.h>
#include <fcntl.h>

static int read_fd(void *user, uint64_t offset, void *ret, size_t n)
{
	ssize_t got = pread(*(int *)user, ret, n, (off_t)offset);

	return got == (ssize_t)n ? 0 : got < 0 ? -errno : -EIO;
}

// The seed and newlines up to the end of the extent; nothing of an older, longer seed stays.
static int seed_write(const char *iso, const char *seed, size_t n_seed, struct diag *reterr)
{
	AUTO_CLOSE int fd = open(iso, O_RDWR | O_CLOEXEC);
	struct iso_source source = { .read = read_fd, .user = &fd };
	struct iso_extent extent;
	char bytes[SEED_FILE_BYTES];

	if (fd < 0)
		return diag_set(reterr, -errno, iso, "could not be opened for writing: %s", strerror(errno));
	int rc = iso_find(&source, "hearth/seed.yaml", &extent, reterr);
	if (rc == 0 && extent.size != SEED_FILE_BYTES)
		rc = diag_set(reterr, -EINVAL, "hearth/seed.yaml", "must be %d bytes long, not %llu: this image was not made by hearth-image",
			SEED_FILE_BYTES, (unsigned long long)extent.size);
	// Of an image that was cut short the folders are still there: a write would only make it look longer.
	if (rc == 0 && (uint64_t)lseek(fd, 0, SEEK_END) < extent.offset + extent.size)
		rc = diag_set(reterr, -EINVAL, "hearth/seed.yaml", "lies behind the end of the file: the image was not copied whole");
	if (rc < 0) {
		if (reterr)
			diag_prefix(reterr, iso);
		return rc;
	}
	memset(bytes, '\n', sizeof(bytes));
	memcpy(bytes, seed, n_seed);
	ssize_t written = pwrite(fd, bytes, sizeof(bytes), (off_t)extent.offset);
	if (written < 0 || fsync(fd) < 0)
		rc = diag_set(reterr, -errno, iso, "could not be written: %s", strerror(errno));
	else if (written != (ssize_t)sizeof(bytes)) // says no errno
		rc = diag_set(reterr, -EIO, iso, "took only %zd of %zu bytes of the seed: seed it again", written, sizeof(bytes));
	crypto_wipe(bytes, sizeof(bytes));
	return rc;
}

int command_seed(int argc, char *argv[])
{
	CLEANUP(seed_freep) struct seed *seed = NULL;
	struct diag diag = { 0 };
	char *text = NULL;
	size_t n = 0;

	if (argc != 3 || argv[1][0] == '-')
		return command_usage("seed ISO SEED.yaml");
	int rc = file_read(argv[2], SEED_FILE_BYTES, &text, &n, &diag);
	if (rc == 0)
		rc = seed_parse(text, n, argv[2], &seed, &diag);
	if (rc == 0)
		rc = seed_write(argv[1], text, n, &diag);
	if (text)
		crypto_wipe(text, n);
	free(text);
	if (rc < 0) {
		log_error("%s", *diag.message ? diag_text(&diag) : strerror(-rc));
		return 1;
	}
	printf("%s: seeded from %s\n", argv[1], argv[2]);
	return 0;
}
