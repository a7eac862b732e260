// One request of the distribution API with its follow-ups: a bearer token when the registry asks for one, the fallback
// tag when it knows no referrers, a fresh start when it ignores a range. Every answer is checked against its digest.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/oci-pull.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/time.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>

enum { TOKEN_MAX_BYTES = 64 << 10, FETCH_TIMEOUT_SEC = 30, BLOB_TIMEOUT_SEC = 4 * 3600, BLOB_STALL_SEC = 30 };

#define ACCEPT_MANIFEST                                                                            \
	"Accept: " OCI_TYPE_MANIFEST ", " OCI_TYPE_INDEX                                           \
	", application/vnd.docker.distribution.manifest.v2+json"

enum fetch_kind { FETCH_MANIFEST, FETCH_BLOB, FETCH_FILE, FETCH_REFERRERS };

struct oci_fetch {
	enum fetch_kind kind;
	struct http_client *client;
	struct http_call *call;
	char *registry, *repository, *reference; // reference: digest or tag
	char *username, *password;
	char *bearer; // "Authorization: Bearer ..." once a token was given
	bool asked_token, fell_back;
	int api_status;   // of the referrers API, before the fallback
	char *page;       // of referrers, after the first
	unsigned retry_after_sec;
	size_t max_bytes;
	char *path, *part;
	int part_fd;
	uint64_t max_file_bytes, part_bytes;
	int (*on_progress)(uint64_t n_done, uint64_t n_total, void *user);
	oci_fetched_t on_fetched;
	void *user;
};

static void wipe_free(char *text)
{
	if (text)
		crypto_wipe(text, strlen(text));
	free(text);
}

static struct oci_fetch *fetch_free(struct oci_fetch *fetch)
{
	if (!fetch)
		return NULL;
	if (fetch->part_fd >= 0)
		(void)close(fetch->part_fd); // synced before where it matters
	free(fetch->registry);
	free(fetch->repository);
	free(fetch->reference);
	free(fetch->username);
	wipe_free(fetch->password);
	wipe_free(fetch->bearer);
	free(fetch->page);
	free(fetch->path);
	free(fetch->part);
	free(fetch);
	return NULL;
}

void oci_fetch_cancel(struct oci_fetch *fetch)
{
	if (!fetch)
		return;
	http_call_cancel(fetch->call);
	fetch_free(fetch);
}

static void fetch_end(struct oci_fetch *fetch, const struct oci_fetched *fetched)
{
	fetch->on_fetched(fetched, fetch->user);
	fetch_free(fetch);
}

static void fetch_fail(struct oci_fetch *fetch, int error, const char *format, ...) PRINTF_LIKE(3, 4);
static void fetch_fail(struct oci_fetch *fetch, int error, const char *format, ...)
{
	struct diag diag = {0};
	struct oci_fetched fetched = {.error = error, .diag = &diag, .retry_after_sec = fetch->retry_after_sec};
	char message[DIAG_MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	(void)diag_set(&diag, error, "", "%s", message);
	fetch_end(fetch, &fetched);
}

static void on_answer(const struct http_response *response, void *user);
static void on_token(const struct http_response *response, void *user);

// "Authorization: ..." for the registry, NULL when there is nothing to show. -ENOMEM.
static int authorization(const struct oci_fetch *fetch, char **ret)
{
	char *pair = NULL, *encoded = NULL;

	*ret = NULL;
	if (fetch->bearer) {
		*ret = strdup(fetch->bearer);
		return *ret ? 0 : -ENOMEM;
	}
	if (!fetch->username)
		return 0;
	pair = str_format("%s:%s", fetch->username, fetch->password ? fetch->password : "");
	if (pair)
		encoded = base64_encode(pair, strlen(pair));
	if (encoded)
		*ret = str_format("Authorization: Basic %s", encoded);
	wipe_free(pair);
	wipe_free(encoded);
	return *ret ? 0 : -ENOMEM;
}

// Digest of the part that is already there, to go on from.
static int part_open(struct oci_fetch *fetch)
{
	struct stat st;

	if (fetch->part_fd < 0)
		fetch->part_fd = open(fetch->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fetch->part_fd < 0 || fstat(fetch->part_fd, &st) < 0)
		return -errno;
	fetch->part_bytes = (uint64_t)st.st_size;
	if (fetch->part_bytes > fetch->max_file_bytes) {
		if (ftruncate(fetch->part_fd, 0) < 0)
			return -errno;
		fetch->part_bytes = 0;
	}
	if (lseek(fetch->part_fd, (off_t)fetch->part_bytes, SEEK_SET) < 0)
		return -errno;
	return 0;
}

static int on_file_progress(uint64_t n_done, uint64_t n_total, void *user)
{
	struct oci_fetch *fetch = user;

	return fetch->on_progress(n_done, n_total, fetch->user);
}

static int fetch_send(struct oci_fetch *fetch)
{
	static const char *const places[] = {"manifests", "blobs", "blobs", "referrers"};
	char *url AUTO_FREE = NULL, *auth = NULL;
	const char *headers[3] = {0};
	struct http_request request = {.method = "GET", .headers = headers, .follow_redirects = true,
		.timeout_usec = FETCH_TIMEOUT_SEC * UINT64_C(1000000), .max_body_bytes = fetch->max_bytes};
	size_t n_headers = 0;
	int r;

	if (fetch->kind == FETCH_REFERRERS && fetch->fell_back)
		url = str_format("%s/v2/%s/manifests/sha256-%s", fetch->registry, fetch->repository,
			fetch->reference + strlen("sha256:"));
	else if (fetch->page)
		url = str_format("%s%s", fetch->registry, fetch->page);
	else
		url = str_format("%s/v2/%s/%s/%s", fetch->registry, fetch->repository, places[fetch->kind],
			fetch->reference);
	if (!url)
		return -ENOMEM;
	request.url = url;
	if (fetch->kind == FETCH_MANIFEST || fetch->kind == FETCH_REFERRERS)
		headers[n_headers++] = ACCEPT_MANIFEST;
	r = authorization(fetch, &auth);
	if (r < 0)
		return r;
	if (auth)
		headers[n_headers++] = auth;
	if (fetch->kind == FETCH_FILE) {
		r = part_open(fetch);
		request.out_fd = fetch->part_fd;
		request.resume_from = fetch->part_bytes;
		request.on_progress = fetch->on_progress ? on_file_progress : NULL;
		request.close_after = true; // with the layer a pull is over
		request.max_body_bytes = (size_t)fetch->max_file_bytes;
		request.timeout_usec = BLOB_TIMEOUT_SEC * UINT64_C(1000000);
		request.stall_sec = BLOB_STALL_SEC;
	}
	if (fetch->kind == FETCH_BLOB) { // as long as it takes, but not in silence
		request.timeout_usec = BLOB_TIMEOUT_SEC * UINT64_C(1000000);
		request.stall_sec = BLOB_STALL_SEC;
	}
	if (r == 0)
		r = http_call_start(fetch->client, &request, on_answer, fetch, &fetch->call);
	wipe_free(auth);
	return r;
}

static void fetch_again(struct oci_fetch *fetch)
{
	int r = fetch_send(fetch);

	if (r < 0)
		fetch_fail(fetch, r, "%s/%s: cannot ask: %s", fetch->registry, fetch->repository, strerror(-r));
}

static void url_escape(FILE *out, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (const char *p = text; *p; p++) {
		if (strchr(plain, *p))
			fputc(*p, out);
		else
			fprintf(out, "%%%02X", (unsigned)(unsigned char)*p);
	}
}

/* Ask the realm for a token. The password goes there only by https, or when the registry itself is spoken to without
 * TLS on purpose. */
static int token_ask(struct oci_fetch *fetch, const struct oci_challenge *challenge)
{
	char *url AUTO_FREE = NULL, *auth = NULL, *scope AUTO_FREE = NULL;
	const char *headers[2] = {0};
	size_t n = 0;
	FILE *out;
	int r;

	if (!str_starts(challenge->realm, "https://") &&
		(!str_starts(challenge->realm, "http://") || str_starts(fetch->registry, "https://")))
		return -EACCES;
	scope = str_format("repository:%s:pull", fetch->repository);
	out = open_memstream(&url, &n);
	if (!scope || !out) {
		if (out)
			(void)fclose(out); // nothing written yet
		return -ENOMEM;
	}
	fprintf(out, "%s%cservice=", challenge->realm, strchr(challenge->realm, '?') ? '&' : '?');
	url_escape(out, challenge->service);
	fputs("&scope=", out);
	url_escape(out, *challenge->scope ? challenge->scope : scope);
	if (fclose(out) != 0)
		return -ENOMEM;
	r = authorization(fetch, &auth);
	if (r < 0)
		return r;
	headers[0] = auth;
	fetch->asked_token = true;
	r = http_call_start(fetch->client,
		&(struct http_request){.method = "GET", .url = url, .headers = auth ? headers : NULL,
			.timeout_usec = FETCH_TIMEOUT_SEC * UINT64_C(1000000), .max_body_bytes = TOKEN_MAX_BYTES},
		on_token, fetch, &fetch->call);
	wipe_free(auth);
	return r;
}

static void on_token(const struct http_response *response, void *user)
{
	struct value *document CLEANUP(value_freep) = NULL;
	struct oci_fetch *fetch = user;
	const char *token;

	fetch->call = NULL;
	if (response->error < 0) {
		fetch_fail(fetch, response->error, "the token service of %s cannot be reached: %s", fetch->registry,
			diag_text(&response->diag));
		return;
	}
	if (response->status != 200) {
		fetch_fail(fetch, -EACCES, "the token service of %s refuses us (HTTP %d)", fetch->registry,
			response->status);
		return;
	}
	if (json_parse(response->body, response->n_body, TOKEN_MAX_BYTES, &document, NULL) < 0) {
		fetch_fail(fetch, -EBADMSG, "the token service of %s answered something that is no JSON",
			fetch->registry);
		return;
	}
	token = value_text(value_find(document, "token"));
	if (!token)
		token = value_text(value_find(document, "access_token"));
	if (!token || !*token || strpbrk(token, "\r\n")) {
		fetch_fail(fetch, -EBADMSG, "the token service of %s gave no token", fetch->registry);
		return;
	}
	fetch->bearer = str_format("Authorization: Bearer %s", token);
	if (!fetch->bearer) {
		fetch_fail(fetch, -ENOMEM, "out of memory");
		return;
	}
	fetch_again(fetch);
}

int oci_file_digest(int fd, char ret[static OCI_DIGEST_TEXT])
{
	struct sha256_stream *stream CLEANUP(sha256_stream_freep) = sha256_stream_new();
	uint8_t hash[SHA256_BYTES];
	char block[64 << 10];
	off_t at = 0;

	if (!stream)
		return -ENOMEM;
	for (;;) {
		ssize_t n = pread(fd, block, sizeof(block), at);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		sha256_stream_add(stream, block, (size_t)n);
		at += n;
	}
	sha256_stream_end(stream, hash);
	pin_format(hash, ret);
	return 0;
}

// The folder of @path made durable, so that the rename is.
static int folder_sync(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder AUTO_FREE = slash ? str_format("%.*s", (int)(slash - path + (slash == path)), path) : strdup(".");
	int fd AUTO_CLOSE = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd < 0)
		return folder ? -errno : -ENOMEM;
	return fsync(fd) < 0 ? -errno : 0;
}

static void file_finish(struct oci_fetch *fetch)
{
	struct oci_fetched fetched = {0};
	int r = oci_file_digest(fetch->part_fd, fetched.digest);

	if (r == 0 && !str_equal(fetched.digest, fetch->reference)) {
		(void)unlink(fetch->part); // a damaged part is worth nothing
		fetch_fail(fetch, -EBADMSG, "%s: %s has digest %s: tampered with or damaged on the way", fetch->registry,
			fetch->reference, fetched.digest);
		return;
	}
	if (r == 0 && fsync(fetch->part_fd) < 0)
		r = -errno;
	if (r == 0 && rename(fetch->part, fetch->path) < 0)
		r = -errno;
	if (r == 0)
		r = folder_sync(fetch->path);
	if (r < 0) {
		fetch_fail(fetch, r, "%s cannot be written: %s", fetch->path, strerror(-r));
		return;
	}
	fetch_end(fetch, &fetched);
}

static void memory_finish(struct oci_fetch *fetch, const struct http_response *response)
{
	struct oci_fetched fetched = {.bytes = response->body, .n = response->n_body,
		.media_type = response->content_type};
	bool by_digest = fetch->kind != FETCH_REFERRERS && oci_digest_valid(fetch->reference);
	char *next AUTO_FREE = NULL;
	uint8_t hash[SHA256_BYTES];

	sha256(response->body, response->n_body, hash);
	pin_format(hash, fetched.digest);
	if (by_digest && !str_equal(fetched.digest, fetch->reference)) {
		fetch_fail(fetch, -EBADMSG, "%s: %s has digest %s: tampered with or damaged on the way", fetch->registry,
			fetch->reference, fetched.digest);
		return;
	}
	if (fetch->kind == FETCH_REFERRERS && response->link && !fetch->fell_back) {
		char *prefix AUTO_FREE = str_format("/v2/%s/referrers/", fetch->repository);

		next = prefix ? oci_link_next(response->link, fetch->registry, prefix) : NULL;
		fetched.next = next;
	}
	fetch_end(fetch, &fetched);
}

// 401 asks for a token once; everything else of this kind is an answer.
static void on_refused(struct oci_fetch *fetch, const struct http_response *response)
{
	struct oci_challenge challenge;
	int r = -EACCES;

	if (response->status == 401 && !fetch->asked_token && response->www_authenticate &&
		oci_challenge_parse(response->www_authenticate, &challenge) == 0)
		r = token_ask(fetch, &challenge);
	if (r == 0)
		return;
	if (response->status == 403)
		fetch_fail(fetch, r, "registry %s refuses us %s (HTTP 403): this user may not read it", fetch->registry,
			fetch->repository);
	else
		fetch_fail(fetch, r, "registry %s refuses us %s (HTTP %d): %s", fetch->registry, fetch->repository,
			response->status,
			fetch->username ? "user name or password is wrong" : "it wants a user name and a password");
}

// The registry has no referrers API, or it is out of order: what its older form knows is looked at first.
static bool fall_back(struct oci_fetch *fetch, int status)
{
	if (fetch->kind != FETCH_REFERRERS || fetch->fell_back || fetch->page || status < 400 || status == 401 ||
		status == 403 || status == 429)
		return false;
	fetch->fell_back = true;
	fetch->api_status = status;
	fetch_again(fetch);
	return true;
}

static void on_answer(const struct http_response *response, void *user)
{
	struct oci_fetch *fetch = user;

	fetch->call = NULL;
	if (response->error < 0) {
		if (response->error == -EBADMSG && fetch->kind == FETCH_FILE)
			(void)unlink(fetch->part); // the registry does not go on where it ends: never, as it would be asked again
		if (response->error == -ENOSPC || response->error == -EDQUOT)
			fetch_fail(fetch, response->error, "%s cannot be stored: %s", fetch->reference, strerror(-response->error));
		else if (response->error == -ETIMEDOUT)
			fetch_fail(fetch, response->error, "registry %s is silent: %s", fetch->registry,
				diag_text(&response->diag));
		else if (response->error == -E2BIG)
			fetch_fail(fetch, -EFBIG, "%s: %s of %s is larger than allowed", fetch->registry,
				fetch->reference, fetch->repository);
		else
			fetch_fail(fetch, response->error, "registry %s cannot be reached: %s", fetch->registry,
				diag_text(&response->diag));
		return;
	}
	switch (response->status) {
	case 200:
	case 206:
		if (fetch->kind == FETCH_FILE)
			file_finish(fetch);
		else
			memory_finish(fetch, response);
		return;
	case 416: // nothing behind what we have: it is whole, or it is not what it should be
		if (fetch->kind == FETCH_FILE && fetch->part_bytes > 0) {
			file_finish(fetch);
			return;
		}
		break;
	case 401:
	case 403:
		on_refused(fetch, response);
		return;
	case 404:
	case 405:
		if (fall_back(fetch, response->status))
			return;
		if (fetch->kind == FETCH_REFERRERS && fetch->api_status >= 500) {
			fetch_fail(fetch, -EAGAIN, "registry %s answers HTTP %d when asked who signed %s: its referrers cannot be "
						   "told", fetch->registry, fetch->api_status, fetch->reference);
			return;
		}
		fetch_fail(fetch, -ENOENT, "registry %s has no %s %s: was it pushed there?", fetch->registry,
			fetch->repository, fetch->reference);
		return;
	case 429:
	case 503:
		fetch->retry_after_sec =
			response->retry_after ? oci_retry_after(response->retry_after, time_wall_msec() / 1000) : 0;
		break;
	}
	if (fall_back(fetch, response->status))
		return;
	if (response->status == 429) {
		fetch_fail(fetch, -EAGAIN, "registry %s says that it is asked too often (HTTP 429)", fetch->registry);
		return;
	}
	fetch_fail(fetch, -EAGAIN, "registry %s answers HTTP %d for %s %s", fetch->registry, response->status,
		fetch->repository, fetch->reference);
}

static int fetch_start(const struct oci_source *source, enum fetch_kind kind, const char *reference, size_t max_bytes,
	const char *path, const char *page, uint64_t max_file_bytes, int (*on_progress)(uint64_t, uint64_t, void *),
	oci_fetched_t on_fetched, void *user, struct oci_fetch **ret)
{
	struct oci_fetch *fetch;
	size_t n_url = strlen(source->url);
	int r = -ENOMEM;

	if (!oci_name_valid(source->repository) || (!oci_digest_valid(reference) &&
							   (kind != FETCH_MANIFEST || !oci_tag_valid(reference))))
		return -EINVAL;
	while (n_url > 0 && source->url[n_url - 1] == '/')
		n_url--;
	fetch = calloc(1, sizeof(*fetch));
	if (!fetch)
		return -ENOMEM;
	*fetch = (struct oci_fetch){.kind = kind, .client = source->client, .max_bytes = max_bytes, .part_fd = -1,
		.max_file_bytes = max_file_bytes, .on_progress = on_progress, .on_fetched = on_fetched, .user = user,
		.registry = strndup(source->url, n_url), .repository = strdup(source->repository),
		.reference = strdup(reference)};
	if (!fetch->registry || !fetch->repository || !fetch->reference)
		goto fail;
	if (source->username) {
		fetch->username = strdup(source->username);
		fetch->password = strdup(source->password ? source->password : "");
		if (!fetch->username || !fetch->password)
			goto fail;
	}
	if (page) {
		fetch->page = strdup(page);
		if (!fetch->page)
			goto fail;
	}
	if (path) {
		fetch->path = strdup(path);
		fetch->part = str_format("%s.part", path);
		if (!fetch->path || !fetch->part)
			goto fail;
	}
	r = fetch_send(fetch);
	if (r < 0)
		goto fail;
	if (ret)
		*ret = fetch;
	return 0;
fail:
	fetch_free(fetch);
	return r;
}

int oci_fetch_manifest(const struct oci_source *source, const char *reference, oci_fetched_t on_fetched, void *user,
	struct oci_fetch **ret)
{
	return fetch_start(source, FETCH_MANIFEST, reference, OCI_MANIFEST_MAX, NULL, NULL, 0, NULL, on_fetched, user, ret);
}

int oci_fetch_blob(const struct oci_source *source, const char *digest, size_t max_bytes, oci_fetched_t on_fetched,
	void *user, struct oci_fetch **ret)
{
	return fetch_start(source, FETCH_BLOB, digest, max_bytes, NULL, NULL, 0, NULL, on_fetched, user, ret);
}

int oci_fetch_blob_file(const struct oci_source *source, const char *digest, const char *path, uint64_t max_bytes,
	int (*on_progress)(uint64_t n_done, uint64_t n_total, void *user), oci_fetched_t on_fetched, void *user,
	struct oci_fetch **ret)
{
	return fetch_start(source, FETCH_FILE, digest, 0, path, NULL, max_bytes, on_progress, on_fetched, user, ret);
}

int oci_fetch_referrers(const struct oci_source *source, const char *digest, const char *page, oci_fetched_t on_fetched,
	void *user, struct oci_fetch **ret)
{
	return fetch_start(source, FETCH_REFERRERS, digest, OCI_MANIFEST_MAX, NULL, page, 0, NULL, on_fetched, user, ret);
}
