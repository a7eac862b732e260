// What http.c, http-call.c and http-error.c share. Others use http.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/http.h"
#include <curl/curl.h>

struct http_trust_copy {
	enum http_trust trust;
	char *ca_pem, *client_cert_pem, *client_key_pem, *proxy, *no_proxy;
};

struct http_client {
	sd_event *event;
	sd_event_source *timer;
	CURLM *multi;
	struct http_trust_copy trust;
	struct http_call *calls;
	unsigned n_entered; // depth of dispatch: nothing is freed while it is not 0
	bool in_curl;       // inside libcurl: handles cannot be removed now
	bool is_dead;       // freed by its owner during dispatch
};

enum { HTTP_MAX_REDIRECTS = 5 };

enum http_header { HEADER_ETAG, HEADER_CONTENT_TYPE, HEADER_WWW_AUTHENTICATE, HEADER_DOCKER_CONTENT_DIGEST,
	HEADER_LOCATION, HEADER_RETRY_AFTER, HEADER_CONTENT_RANGE, HEADER_LINK, N_HEADERS };

struct http_call {
	struct http_client *client;
	struct http_call *previous, *next;
	CURL *easy;
	http_callback_t on_response;
	void *user;
	int (*on_progress)(uint64_t n_done, uint64_t n_total, void *user);
	struct curl_slist *headers;
	char *url; // as asked or redirected to
	void *request_body;
	size_t n_request_body;
	int out_fd;
	uint64_t resume_from, n_out, max_body_bytes;
	unsigned n_redirects;
	bool follow_redirects, is_added, is_cancelled, in_callback;
	bool has_tls_begun, has_request_begun; // of this hop
	int refusal; // errno of what our own callbacks refused, 0 none
	char *body;
	size_t n_body, n_body_alloc;
	char *header[N_HEADERS];
	char *server_cert_pem;
	char error[CURL_ERROR_SIZE];
};

int http_trust_copy(const struct http_trust_config *config, struct http_trust_copy *ret);
void http_trust_done(struct http_trust_copy *trust);

// A call with its easy handle ready to be added; not yet in the client's list.
int http_call_new(struct http_client *client, const struct http_request *request, struct http_call **ret);
void http_call_free(struct http_call *call); // must not be in the multi handle
/* Was this the end of one hop only? Then the call is prepared for the next and true is returned. A hop to another host
 * loses Authorization, Cookie and the client certificate; one from https to http is not taken. */
bool http_call_redirect(struct http_call *call, CURLcode code);
// Everything in @ret is borrowed from the call.
void http_call_result(struct http_call *call, CURLcode code, struct http_response *ret);
// CURLcode to negative errno, and the sentence with the step that failed.
int http_error(const struct http_call *call, CURLcode code, struct diag *reterr);
