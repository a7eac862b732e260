// One transfer: what libcurl is told, what its callbacks keep, redirects, and the response as the user sees it.
// SPDX-License-Identifier: Apache-2.0
#include "base/http-call.h"
#include "base/crypto.h"
#include "base/time.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/ssl.h>
#include <strings.h>

#define TIMEOUT_USEC (30 * USEC_PER_SEC)
#define CONNECT_TIMEOUT_USEC (10 * USEC_PER_SEC)

enum { STALL_SEC = 60 };

static const char *const header_names[N_HEADERS] = {
	[HEADER_ETAG] = "etag",
	[HEADER_CONTENT_TYPE] = "content-type",
	[HEADER_WWW_AUTHENTICATE] = "www-authenticate",
	[HEADER_DOCKER_CONTENT_DIGEST] = "docker-content-digest",
	[HEADER_LOCATION] = "location",
	[HEADER_RETRY_AFTER] = "retry-after",
	[HEADER_CONTENT_RANGE] = "content-range",
	[HEADER_LINK] = "link",
};

static bool copy_text(const char *from, char **ret)
{
	*ret = from ? strdup(from) : NULL;
	return !from || *ret;
}

int http_trust_copy(const struct http_trust_config *config, struct http_trust_copy *ret)
{
	if (config->trust == HTTP_TRUST_CA && !config->ca_pem)
		return -EINVAL;
	if (!config->client_cert_pem != !config->client_key_pem)
		return -EINVAL;
	if (config->trust == HTTP_TRUST_NOTHING && config->client_cert_pem) // nothing of ours goes to a stranger
		return -EINVAL;
	*ret = (struct http_trust_copy){ .trust = config->trust };
	if (copy_text(config->ca_pem, &ret->ca_pem) && copy_text(config->client_cert_pem, &ret->client_cert_pem) &&
		copy_text(config->client_key_pem, &ret->client_key_pem) && copy_text(config->proxy, &ret->proxy) &&
		copy_text(config->no_proxy, &ret->no_proxy))
		return 0;
	http_trust_done(ret);
	return -ENOMEM;
}

void http_trust_done(struct http_trust_copy *trust)
{
	if (trust->client_key_pem)
		crypto_wipe(trust->client_key_pem, strlen(trust->client_key_pem));
	free(trust->ca_pem);
	free(trust->client_cert_pem);
	free(trust->client_key_pem);
	free(trust->proxy);
	free(trust->no_proxy);
	*trust = (struct http_trust_copy){ 0 };
}

static void drop_answer(struct http_call *call)
{
	for (size_t i = 0; i < N_HEADERS; i++) {
		free(call->header[i]);
		call->header[i] = NULL;
	}
	free(call->server_cert_pem);
	call->server_cert_pem = NULL;
	call->n_body = 0;
}

void http_call_free(struct http_call *call)
{
	drop_answer(call);
	if (call->body)
		crypto_wipe(call->body, call->n_body_alloc); // answers may hold secrets
	free(call->body);
	curl_easy_cleanup(call->easy);
	for (struct curl_slist *header = call->headers; header; header = header->next)
		crypto_wipe(header->data, strlen(header->data)); // and requests credentials
	curl_slist_free_all(call->headers);
	if (call->request_body)
		crypto_wipe(call->request_body, call->n_request_body); // tokens and kubeconfigs are sent, too
	free(call->request_body);
	free(call->url);
	free(call);
}

// The header's value when the line is "@name: value".
static const char *header_value(const char *line, size_t n, const char *name, size_t *ret_n)
{
	size_t n_name = strlen(name);

	if (n <= n_name || line[n_name] != ':' || strncasecmp(line, name, n_name) != 0)
		return NULL;
	line += n_name + 1;
	n -= n_name + 1;
	while (n > 0 && (*line == ' ' || *line == '\t'))
		line++, n--;
	while (n > 0 && strchr("\r\n \t", line[n - 1]))
		n--;
	*ret_n = n;
	return line;
}

static size_t on_header(char *line, size_t size, size_t n, void *user)
{
	struct http_call *call = user;
	size_t n_value;

	if (n > 5 && strncasecmp(line, "HTTP/", 5) == 0) // a final answer after an interim one
		drop_answer(call);
	for (size_t i = 0; i < N_HEADERS; i++) {
		const char *value = header_value(line, n, header_names[i], &n_value);
		if (!value || call->header[i]) // the first one counts
			continue;
		call->header[i] = strndup(value, n_value);
		if (!call->header[i])
			call->refusal = -ENOMEM;
	}
	return call->refusal ? 0 : size * n;
}

static long status_of(const struct http_call *call)
{
	long status = 0;

	(void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status); // 0 then
	return status;
}

static int keep_in_memory(struct http_call *call, const char *bytes, size_t n)
{
	// An error page beside a large download is kept, too, but never a large one.
	uint64_t max = call->max_body_bytes < HTTP_BODY_MAX ? call->max_body_bytes : HTTP_BODY_MAX;

	if (n > max - call->n_body)
		return -E2BIG;
	if (call->n_body + n + 1 > call->n_body_alloc) {
		size_t n_alloc = (call->n_body + n + 1) * 2;
		char *body = realloc(call->body, n_alloc);
		if (!body)
			return -ENOMEM;
		call->body = body;
		call->n_body_alloc = n_alloc;
	}
	memcpy(call->body + call->n_body, bytes, n);
	call->n_body += n;
	return 0;
}

// Does a 206 go on where we asked? "bytes 100-199/200".
static bool range_fits(const struct http_call *call)
{
	uint64_t from;

	return call->header[HEADER_CONTENT_RANGE] &&
		sscanf(call->header[HEADER_CONTENT_RANGE], "bytes %" SCNu64 "-", &from) == 1 && from == call->resume_from;
}

static int keep_in_file(struct http_call *call, long status, const char *bytes, size_t n)
{
	if (call->n_out == 0 && call->resume_from > 0) {
		if (status == 206 && !range_fits(call))
			return -EBADMSG;
		// The server sends the whole: the part that is there does not count.
		if (status != 206 && (ftruncate(call->out_fd, 0) < 0 || lseek(call->out_fd, 0, SEEK_SET) < 0))
			return -errno;
	}
	if (n > call->max_body_bytes - call->n_out)
		return -E2BIG;
	call->n_out += n;
	while (n > 0) {
		ssize_t written = write(call->out_fd, bytes, n);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		bytes += written;
		n -= (size_t)written;
	}
	return 0;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *user)
{
	struct http_call *call = user;
	long status = status_of(call);

	if (call->is_cancelled)
		return 0;
	call->refusal = call->out_fd > 0 && status >= 200 && status < 300 ?
		keep_in_file(call, status, bytes, size * n) : keep_in_memory(call, bytes, size * n);
	return call->refusal ? CURL_WRITEFUNC_ERROR : size * n;
}

static int on_curl_progress(void *user, curl_off_t n_total, curl_off_t n_done, curl_off_t n_up_total, curl_off_t n_up)
{
	struct http_call *call = user;

	if (call->is_cancelled)
		return 1;
	return call->on_progress ? call->on_progress((uint64_t)n_done, (uint64_t)n_total, call->user) : 0;
}

static CURLcode on_tls(CURL *easy, void *ssl_context, void *user)
{
	((struct http_call *)user)->has_tls_begun = true;
	if (str_starts(curl_version_info(CURLVERSION_NOW)->ssl_version, "OpenSSL")) // Debian's libcurl; else it is something else
		(void)SSL_CTX_set_mode(ssl_context, SSL_MODE_RELEASE_BUFFERS); // 33 KiB for each connection that waits, as most do
	return CURLE_OK;
}

static int on_request(void *user, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	((struct http_call *)user)->has_request_begun = true;
	return CURL_PREREQFUNC_OK;
}

// Milliseconds for libcurl, rounded up: 0 would mean for ever.
static long to_msec(uint64_t usec, uint64_t fallback_usec)
{
	uint64_t msec = ((usec ? usec : fallback_usec) + USEC_PER_MSEC - 1) / USEC_PER_MSEC;

	return msec > INT_MAX ? INT_MAX : (long)msec;
}

static struct curl_blob blob(const char *text)
{
	return (struct curl_blob){ .data = (char *)text, .len = strlen(text), .flags = CURL_BLOB_NOCOPY };
}

// Several setopts; the first failure counts.
#define SET(call, option, value)                                                                   \
	do {                                                                                       \
		if (code == CURLE_OK)                                                              \
			code = curl_easy_setopt((call)->easy, option, value);                      \
	} while (0)

static CURLcode set_trust(struct http_call *call)
{
	const struct http_trust_copy *trust = &call->client->trust;
	CURLcode code = CURLE_OK;

	SET(call, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(call, CURLOPT_PROTOCOLS_STR, trust->trust == HTTP_TRUST_INSECURE_HOST_ALLOWED ? "https,http" : "https");
	if (trust->trust == HTTP_TRUST_NOTHING) {
		SET(call, CURLOPT_SSL_VERIFYPEER, 0L);
		SET(call, CURLOPT_SSL_VERIFYHOST, 0L);
		SET(call, CURLOPT_CERTINFO, 1L);
		SET(call, CURLOPT_FRESH_CONNECT, 1L); // the certificate is only seen in a handshake
		SET(call, CURLOPT_FORBID_REUSE, 1L);
	}
	if (trust->ca_pem || trust->trust == HTTP_TRUST_NOTHING) {
		SET(call, CURLOPT_CAPATH, NULL); // else Debian's own folder of CAs counts, too
		SET(call, CURLOPT_CAINFO, NULL);
	}
	if (trust->ca_pem) {
		struct curl_blob ca = blob(trust->ca_pem);
		SET(call, CURLOPT_CAINFO_BLOB, &ca);
	}
	if (trust->client_cert_pem) {
		struct curl_blob cert = blob(trust->client_cert_pem), key = blob(trust->client_key_pem);
		SET(call, CURLOPT_SSLCERTTYPE, "PEM");
		SET(call, CURLOPT_SSLCERT_BLOB, &cert);
		SET(call, CURLOPT_SSLKEYTYPE, "PEM");
		SET(call, CURLOPT_SSLKEY_BLOB, &key);
	}
	SET(call, CURLOPT_PROXY, trust->proxy ? trust->proxy : ""); // "": whatever the environment says
	SET(call, CURLOPT_NOPROXY, trust->no_proxy ? trust->no_proxy : "");
	return code;
}

static CURLcode set_callbacks(struct http_call *call)
{
	CURLcode code = CURLE_OK;

	SET(call, CURLOPT_PRIVATE, call);
	SET(call, CURLOPT_ERRORBUFFER, call->error);
	SET(call, CURLOPT_HEADERFUNCTION, on_header);
	SET(call, CURLOPT_HEADERDATA, call);
	SET(call, CURLOPT_WRITEFUNCTION, on_body);
	SET(call, CURLOPT_WRITEDATA, call);
	SET(call, CURLOPT_XFERINFOFUNCTION, on_curl_progress);
	SET(call, CURLOPT_XFERINFODATA, call);
	SET(call, CURLOPT_NOPROGRESS, 0L);
	SET(call, CURLOPT_SSL_CTX_FUNCTION, on_tls);
	SET(call, CURLOPT_SSL_CTX_DATA, call);
	SET(call, CURLOPT_PREREQFUNCTION, on_request);
	SET(call, CURLOPT_PREREQDATA, call);
	SET(call, CURLOPT_NOSIGNAL, 1L);
	SET(call, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	return code;
}

static CURLcode set_method(struct http_call *call, const struct http_request *request)
{
	CURLcode code = CURLE_OK;

	if (str_equal(request->method, "HEAD")) {
		SET(call, CURLOPT_NOBODY, 1L);
	} else if (request->body || str_equal(request->method, "POST") || str_equal(request->method, "PUT")) {
		SET(call, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(request->body ? request->n_body : 0));
		SET(call, CURLOPT_POSTFIELDS, call->request_body ? call->request_body : (void *)"");
		SET(call, CURLOPT_CUSTOMREQUEST, request->method);
	} else {
		SET(call, CURLOPT_CUSTOMREQUEST, request->method);
	}
	return code;
}

static bool add_header(struct http_call *call, const char *line)
{
	struct curl_slist *headers = curl_slist_append(call->headers, line);

	if (headers)
		call->headers = headers;
	return headers;
}

static bool copy_headers(struct http_call *call, const struct http_request *request)
{
	bool has_type = false;

	for (size_t i = 0; request->headers && request->headers[i]; i++) {
		has_type |= strncasecmp(request->headers[i], "content-type:", 13) == 0;
		if (!add_header(call, request->headers[i]))
			return false;
	}
	if (!has_type && !add_header(call, "Content-Type:")) // libcurl would say it is a form
		return false;
	return add_header(call, "Expect:"); // no waiting for 100 Continue
}

static CURLcode set_request(struct http_call *call, const struct http_request *request)
{
	char range[32];
	CURLcode code = set_method(call, request);

	SET(call, CURLOPT_URL, call->url);
	SET(call, CURLOPT_HTTPHEADER, call->headers);
	SET(call, CURLOPT_USERAGENT, "hearth/" HEARTH_VERSION);
	SET(call, CURLOPT_TIMEOUT_MS, to_msec(request->timeout_usec, TIMEOUT_USEC));
	SET(call, CURLOPT_CONNECTTIMEOUT_MS, to_msec(request->connect_timeout_usec, CONNECT_TIMEOUT_USEC));
	if (request->close_after)
		SET(call, CURLOPT_FORBID_REUSE, 1L);
	if (request->out_fd > 0 || request->stall_sec) { // hours are allowed, but not hours of silence on a connection that is long gone
		SET(call, CURLOPT_LOW_SPEED_LIMIT, 1L);
		SET(call, CURLOPT_LOW_SPEED_TIME, (long)(request->stall_sec ? request->stall_sec : STALL_SEC));
	}
	if (request->resume_from > 0) {
		(void)snprintf(range, sizeof(range), "%" PRIu64 "-", request->resume_from); // always fits
		SET(call, CURLOPT_RANGE, range);
	}
	return code;
}

int http_call_new(struct http_client *client, const struct http_request *request, struct http_call **ret)
{
	struct http_call *call = calloc(1, sizeof(*call));

	if (!call)
		return -ENOMEM;
	call->client = client;
	call->out_fd = request->out_fd;
	call->resume_from = request->resume_from;
	call->max_body_bytes = request->max_body_bytes ? request->max_body_bytes :
		request->out_fd > 0		       ? HTTP_FILE_MAX :
							 HTTP_BODY_MAX;
	call->follow_redirects = request->follow_redirects && !request->body &&
		(str_equal(request->method, "GET") || str_equal(request->method, "HEAD"));
	call->on_progress = request->on_progress;
	call->easy = curl_easy_init();
	call->url = strdup(request->url);
	if (request->body && (call->request_body = malloc(request->n_body + 1)))
		memcpy(call->request_body, request->body, call->n_request_body = request->n_body);
	if (!call->easy || !call->url || (request->body && !call->request_body) || !copy_headers(call, request) ||
		set_callbacks(call) != CURLE_OK || set_trust(call) != CURLE_OK || set_request(call, request) != CURLE_OK) {
		http_call_free(call);
		return -ENOMEM;
	}
	*ret = call;
	return 0;
}

static bool same_host(const char *a, const char *b)
{
	static const CURLUPart parts[] = { CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT };
	CURLU *url_a = curl_url(), *url_b = curl_url();
	bool same = url_a && url_b && curl_url_set(url_a, CURLUPART_URL, a, 0) == CURLUE_OK &&
		curl_url_set(url_b, CURLUPART_URL, b, 0) == CURLUE_OK;

	for (size_t i = 0; same && i < N_ELEMENTS(parts); i++) {
		char *part_a = NULL, *part_b = NULL;
		same = curl_url_get(url_a, parts[i], &part_a, CURLU_DEFAULT_PORT) == CURLUE_OK &&
			curl_url_get(url_b, parts[i], &part_b, CURLU_DEFAULT_PORT) == CURLUE_OK &&
			strcasecmp(part_a, part_b) == 0;
		curl_free(part_a);
		curl_free(part_b);
	}
	curl_url_cleanup(url_a);
	curl_url_cleanup(url_b);
	return same;
}

// Authorization and Cookie stay behind, and so does the certificate that says who we are.
static CURLcode drop_credentials(struct http_call *call)
{
	struct curl_slist *kept = NULL;
	CURLcode code = CURLE_OK;

	for (struct curl_slist *header = call->headers; header && code == CURLE_OK; header = header->next) {
		if (strncasecmp(header->data, "authorization:", 14) == 0 || strncasecmp(header->data, "cookie:", 7) == 0)
			continue;
		struct curl_slist *more = curl_slist_append(kept, header->data);
		if (more)
			kept = more;
		else
			code = CURLE_OUT_OF_MEMORY;
	}
	SET(call, CURLOPT_HTTPHEADER, kept);
	SET(call, CURLOPT_SSLCERT_BLOB, NULL);
	SET(call, CURLOPT_SSLKEY_BLOB, NULL);
	if (code != CURLE_OK) {
		curl_slist_free_all(kept);
		return code;
	}
	for (struct curl_slist *header = call->headers; header; header = header->next)
		crypto_wipe(header->data, strlen(header->data));
	curl_slist_free_all(call->headers);
	call->headers = kept;
	return code;
}

bool http_call_redirect(struct http_call *call, CURLcode code)
{
	long status = status_of(call);
	char *target = NULL;

	if (code != CURLE_OK || !call->follow_redirects)
		return false;
	if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
		return false;
	if (++call->n_redirects > HTTP_MAX_REDIRECTS)
		return false; // the last answer stands: a redirect
	if (curl_easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &target) != CURLE_OK || !target)
		return false;
	if (strncasecmp(call->url, "https:", 6) == 0 && strncasecmp(target, "https:", 6) != 0)
		return false;
	if (!same_host(call->url, target) && drop_credentials(call) != CURLE_OK)
		return false;
	char *url = strdup(target); // belongs to the handle, which forgets it now
	if (!url || curl_easy_setopt(call->easy, CURLOPT_URL, url) != CURLE_OK) {
		free(url);
		return false;
	}
	free(call->url);
	call->url = url;
	*call->error = '\0';
	call->has_tls_begun = call->has_request_begun = false;
	drop_answer(call);
	return true;
}

// libcurl's list of certificates, leaf first; each a list of "Name:value".
static void take_server_cert(struct http_call *call)
{
	struct curl_certinfo *info = NULL;

	if (curl_easy_getinfo(call->easy, CURLINFO_CERTINFO, &info) != CURLE_OK || !info || info->num_of_certs < 1)
		return;
	for (struct curl_slist *field = info->certinfo[0]; field; field = field->next)
		if (str_starts(field->data, "Cert:") && !call->server_cert_pem)
			call->server_cert_pem = strdup(field->data + strlen("Cert:")); // NULL: as if not shown
}

static void copy_address(CURL *easy, CURLINFO info, char *ret, size_t size)
{
	const char *address = NULL;

	if (curl_easy_getinfo(easy, info, &address) == CURLE_OK && address)
		(void)snprintf(ret, size, "%s", address); // an address always fits
}

void http_call_result(struct http_call *call, CURLcode code, struct http_response *ret)
{
	*ret = (struct http_response){ 0 };
	if (code != CURLE_OK || call->refusal)
		ret->error = http_error(call, code, &ret->diag);
	else
		ret->status = (int)status_of(call);
	take_server_cert(call);
	if (call->body)
		call->body[call->n_body] = '\0';
	ret->body = call->body ? call->body : "";
	ret->n_body = call->n_body;
	ret->etag = call->header[HEADER_ETAG];
	ret->content_type = call->header[HEADER_CONTENT_TYPE];
	ret->www_authenticate = call->header[HEADER_WWW_AUTHENTICATE];
	ret->docker_content_digest = call->header[HEADER_DOCKER_CONTENT_DIGEST];
	ret->location = call->header[HEADER_LOCATION];
	ret->retry_after = call->header[HEADER_RETRY_AFTER];
	ret->link = call->header[HEADER_LINK];
	ret->server_cert_pem = call->server_cert_pem;
	copy_address(call->easy, CURLINFO_LOCAL_IP, ret->local_address, sizeof(ret->local_address));
	copy_address(call->easy, CURLINFO_PRIMARY_IP, ret->remote_address, sizeof(ret->remote_address));
}
