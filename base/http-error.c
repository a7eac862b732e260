// What a failed transfer means: errno for programs, the step that failed (DNS, TCP, TLS, HTTP) for people.
// SPDX-License-Identifier: Apache-2.0
#include "base/http-call.h"
#include "base/time.h"

#include <errno.h>

// How far did it come? libcurl's times say it only for a fresh connection whose handshake has ended.
static const char *step_of(const struct http_call *call)
{
	curl_off_t resolved = 0;

	if (call->has_request_begun)
		return "HTTP";
	if (call->has_tls_begun)
		return "TLS";
	(void)curl_easy_getinfo(call->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved); // 0 then, which says DNS
	return resolved == 0 ? "DNS" : "TCP";
}

// Without libcurl's own words, which have the milliseconds: who tries again and again says the same each time.
static int no_connection(const struct http_call *call, struct diag *reterr)
{
	long error = 0;

	(void)curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &error); // 0 then
	return diag_set(reterr, error > 0 ? -(int)error : -EHOSTUNREACH, call->url, "TCP: no connection: %s",
		error > 0 ? strerror((int)error) : curl_easy_strerror(CURLE_COULDNT_CONNECT));
}

static const char *detail(const struct http_call *call, CURLcode code)
{
	return *call->error ? call->error : curl_easy_strerror(code);
}

// Whole seconds, for the same reason.
static int timed_out(const struct http_call *call, struct diag *reterr)
{
	curl_off_t usec = 0;

	if (str_starts(call->error, "Operation too slow")) // says for how long it was
		return diag_set(reterr, -ETIMEDOUT, call->url, "%s: no answer in time: %s", step_of(call), call->error);
	(void)curl_easy_getinfo(call->easy, CURLINFO_TOTAL_TIME_T, &usec); // 0 then
	return diag_set(reterr, -ETIMEDOUT, call->url, "%s: no answer in time, after %lld s", step_of(call),
		(long long)(usec / (curl_off_t)USEC_PER_SEC));
}

int http_error(const struct http_call *call, CURLcode code, struct diag *reterr)
{
	const char *url = call->url;

	if (call->refusal == -E2BIG)
		return diag_set(reterr, -E2BIG, url, "HTTP: the answer must not be longer than %llu bytes",
			(unsigned long long)call->max_body_bytes);
	if (call->refusal == -EBADMSG)
		return diag_set(reterr, -EBADMSG, url, "HTTP: the answer to a resumed request must go on at byte %llu, not \"%s\"",
			(unsigned long long)call->resume_from,
			call->header[HEADER_CONTENT_RANGE] ? call->header[HEADER_CONTENT_RANGE] : "");
	if (call->refusal)
		return diag_set(reterr, call->refusal, url, "the answer cannot be stored: %s", strerror(-call->refusal));
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return diag_set(reterr, -EHOSTUNREACH, url, "DNS: the host name has no address: %s", detail(call, code));
	case CURLE_COULDNT_RESOLVE_PROXY:
		return diag_set(reterr, -EHOSTUNREACH, url, "DNS: the proxy's name has no address: %s", detail(call, code));
	case CURLE_COULDNT_CONNECT:
		return no_connection(call, reterr);
	case CURLE_OPERATION_TIMEDOUT:
		return timed_out(call, reterr);
	case CURLE_PEER_FAILED_VERIFICATION:
		return diag_set(reterr, -EKEYREJECTED, url, "TLS: the server's certificate is not trusted: %s",
			detail(call, code));
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
		return diag_set(reterr, -EKEYREJECTED, url, "TLS: no secure connection: %s", detail(call, code));
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		return diag_set(reterr, -EINVAL, url, "TLS: our own certificate, key or CA cannot be used: %s",
			detail(call, code));
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return diag_set(reterr, -EINVAL, url, "the URL cannot be used: %s", detail(call, code));
	case CURLE_ABORTED_BY_CALLBACK:
		return diag_set(reterr, -ECANCELED, url, "cancelled");
	case CURLE_OUT_OF_MEMORY:
		return diag_set(reterr, -ENOMEM, url, "no memory");
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
		return diag_set(reterr, -ECONNRESET, url, "%s: the connection broke: %s", step_of(call), detail(call, code));
	default:
		return diag_set(reterr, -EPROTO, url, "%s: %s", step_of(call), detail(call, code));
	}
}
