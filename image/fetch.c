// SPDX-License-Identifier: Apache-2.0
#include "image/fetch.h"

#include "base/crypto.h"
#include "base/file.h"
#include "base/http.h"
#include "base/time.h"
#include "image/build.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define FETCH_TIMEOUT_USEC (UINT64_C(3600) * USEC_PER_SEC) // 300 MB at 100 KB/s

// http_perform() has no user pointer for progress, and there is one transfer at a time.
static struct {
	const char *name;
	uint64_t before, shown_usec;
} progress;

static int on_progress(uint64_t n_done, uint64_t n_total, void *user)
{
	uint64_t now = time_boot_usec();

	if (n_total == 0 || now - progress.shown_usec < USEC_PER_SEC)
		return 0;
	progress.shown_usec = now;
	fprintf(stderr, "hearth-image: %s: %.1f of %.1f MB\n", progress.name, (double)(progress.before + n_done) / 1e6,
		(double)(progress.before + n_total) / 1e6);
	return 0;
}

static int transfer(const struct fetch_from *from, const char *url, int fd, uint64_t have, int *ret_status, struct diag *reterr)
{
	const char *slash = strrchr(url, '/');
	const struct http_trust_config trust = {
		.trust = !str_starts(url, "https://") ? HTTP_TRUST_INSECURE_HOST_ALLOWED :
			 from->ca_pem		      ? HTTP_TRUST_CA : HTTP_TRUST_SYSTEM,
		.ca_pem = from->ca_pem,
		.proxy = getenv("https_proxy"),
	};
	const struct http_request request = { .method = "GET", .url = url, .timeout_usec = FETCH_TIMEOUT_USEC, .stall_sec = from->stall_sec, .out_fd = fd,
		.resume_from = have, .max_body_bytes = SIZE_MAX, .follow_redirects = true, .on_progress = on_progress };
	struct http_result result = { 0 };

	progress.name = slash ? slash + 1 : url;
	progress.before = have;
	progress.shown_usec = time_boot_usec();
	int rc = http_perform(&trust, &request, &result);

	if (rc < 0 && reterr)
		*reterr = result.response.diag;
	*ret_status = result.response.status;
	http_result_done(&result);
	return rc;
}

// *ret_resumed: what is there now did not all come from this place.
static int part_fetch(const struct fetch_from *from, const char *url, const char *part, bool *ret_resumed, struct diag *reterr)
{
	AUTO_CLOSE int fd = open(part, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	struct stat st;
	int status = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return diag_set(reterr, -errno, part, "could not be opened: %s", strerror(errno));
	int rc = transfer(from, url, fd, (uint64_t)st.st_size, &status, reterr);
	*ret_resumed = st.st_size > 0 && status == 206;
	if (rc == 0 && status == 416) {
		// What we have is as long as the file or longer, and it is not the file: from the beginning.
		if (ftruncate(fd, 0) < 0)
			return diag_set(reterr, -errno, part, "could not be emptied: %s", strerror(errno));
		rc = transfer(from, url, fd, 0, &status, reterr);
	}
	if (rc == -EBADMSG)
		(void)unlink(part); // the server does not go on where it ends: never, as it would be asked again
	// The part stays: error pages are not written to it, and a server that is busy now may go on later.
	if (rc == 0 && status != 200 && status != 206)
		return diag_set(reterr, -EPROTO, url, "answered with HTTP status %d", status);
	return rc;
}

// @part is the wanted file afterwards, or it is gone or to be gone on from.
static int place_fetch(const struct fetch_from *from, const char *url, const char *sha256_hex, const char *part, struct diag *reterr)
{
	char hex[SHA256_HEX + 1];
	bool resumed = true;
	int rc;

	while (resumed) { // a part of another place's other file is no fault of this one
		rc = part_fetch(from, url, part, &resumed, reterr);
		if (rc == 0)
			rc = sha256_file(part, hex, reterr);
		if (rc < 0)
			return rc;
		if (str_equal(hex, sha256_hex))
			return 0;
		(void)unlink(part); // to go on with it would give the same wrong file
	}
	return diag_set(reterr, -EBADMSG, url, "must have the SHA-256 %s, but has %s: refused", sha256_hex, hex);
}

int fetch_file(const struct fetch_from *from, const char *sha256_hex, const char *path, struct diag *reterr)
{
	AUTO_FREE char *part = str_format("%s.part", path);
	char hex[SHA256_HEX + 1];
	uint8_t bytes[SHA256_BYTES];
	int rc = -EINVAL;

	if (!part)
		return -ENOMEM;
	if (hex_decode(sha256_hex, bytes, sizeof(bytes)) < 0)
		return diag_set(reterr, -EINVAL, "sha256", "must be 64 lower-case hex digits, not \"%s\"", sha256_hex);
	if (file_exists(path) && sha256_file(path, hex, NULL) == 0 && str_equal(hex, sha256_hex))
		return 0;
	if (file_exists(part) && sha256_file(part, hex, NULL) == 0 && str_equal(hex, sha256_hex))
		rc = 0;
	for (size_t i = 0; i < from->urls->n && rc < 0; i++) {
		struct diag diag = { 0 };
		rc = place_fetch(from, from->urls->items[i], sha256_hex, part, &diag);
		if (rc < 0 && i + 1 < from->urls->n)
			fprintf(stderr, "hearth-image: %s; asking %s\n", diag_text(&diag), from->urls->items[i + 1]);
		else if (rc < 0 && reterr)
			*reterr = diag;
	}
	if (rc < 0)
		return rc;
	return rename(part, path) == 0 ? 0 : diag_set(reterr, -errno, path, "could not be made: %s", strerror(errno));
}
