// HTTP(S) requests by libcurl's multi interface on an sd-event loop: no threads of ours, no blocking DNS (curl's own
// resolver), no CA folder of the system. One client per trust: a CA, and perhaps a client certificate.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"
#include <systemd/sd-event.h>

enum { HTTP_BODY_MAX = 16 << 20 };
#define HTTP_FILE_MAX (UINT64_C(8) << 30)

enum http_trust {
	HTTP_TRUST_CA,     // verify chain and name against ca_pem alone
	HTTP_TRUST_NOTHING, // hello only: verify nothing
	HTTP_TRUST_SYSTEM, // the system's CAs (image builder fetching a public release)
	HTTP_TRUST_INSECURE_HOST_ALLOWED, // plain http:// is allowed too (OCI registries marked insecure)
};
struct http_trust_config {
	enum http_trust trust;
	const char *ca_pem;          // borrowed for http_client_new()
	const char *client_cert_pem; // may be NULL
	const char *client_key_pem;  // may be NULL
	const char *proxy;           // may be NULL: environment is not consulted
	const char *no_proxy;        // names and ranges with commas between that are reached without it; may be NULL
};

struct http_client;
int http_client_new(sd_event *event, const struct http_trust_config *config, struct http_client **ret);
struct http_client *http_client_free(struct http_client *client); // cancels what is under way, no callbacks
DEFINE_CLEANUP(http_client)

struct http_request {
	const char *method; // "GET" ...
	const char *url;
	const char *const *headers; // NULL-terminated "Name: value"; may be NULL
	const void *body;           // copied; may be NULL
	size_t n_body;
	uint64_t timeout_usec;        // whole transfer; 0: 30 s
	uint64_t connect_timeout_usec; // 0: 10 s
	unsigned stall_sec;            // no byte for so long ends it (-ETIMEDOUT); 0: 60 s into out_fd, else not looked at
	bool close_after;             // the last for a while: keep no idle connection (some 60 KB of TLS state)
	uint64_t max_body_bytes;      // answer; 0: HTTP_BODY_MAX, with out_fd HTTP_FILE_MAX
	int out_fd;                   // > 0: the body of a 2xx goes there instead of memory (borrowed)
	/* Range: bytes=N-. Status 206: what follows byte N, written where out_fd stands. Status 200: the server sent the
	 * whole; out_fd was truncated and written from its start. A 206 from another byte is -EBADMSG. */
	uint64_t resume_from;
	bool follow_redirects;        // GET and HEAD, 5 at most, never from https to http; another host (or port) gets
				      // neither Authorization nor Cookie nor our client certificate
	// progress, may be NULL; returning non-zero cancels (-ECANCELED). @user is that of the call, NULL in http_perform()
	int (*on_progress)(uint64_t n_done, uint64_t n_total, void *user);
};
struct http_response {
	int error;           // 0 or negative errno: -EHOSTUNREACH, -ECONNREFUSED, -ETIMEDOUT, -EKEYREJECTED (TLS), ...
	struct diag diag;    // for a person, when error != 0: which step failed (DNS, TCP, TLS, HTTP)
	int status;          // HTTP status when error == 0
	const char *body;    // NUL-terminated; borrowed for the callback
	size_t n_body;
	const char *etag, *content_type, *www_authenticate, *docker_content_digest, *location, *retry_after, *link; // or NULL
	const char *server_cert_pem; // leaf certificate the server showed, or NULL
	char local_address[64], remote_address[64]; // of the connection, or ""
};
typedef void (*http_callback_t)(const struct http_response *response, void *user);

struct http_call; // one request under way
/* Start; @on_response runs once from the event loop, never from inside this call. *ret may be NULL. */
int http_call_start(struct http_client *client, const struct http_request *request, http_callback_t on_response,
	void *user, struct http_call **ret);
// Cancel: no callback. Safe for NULL. Do not use after the callback ran.
void http_call_cancel(struct http_call *call);

/* For command-line programs: run one request on a private event loop; the response's borrowed texts live until
 * http_result_done(). Returns 0 when an HTTP answer came (any status), else the error. */
struct http_result {
	struct http_response response;
	char *owned[10];
};
int http_perform(const struct http_trust_config *config, const struct http_request *request, struct http_result *ret);
void http_result_done(struct http_result *result);
