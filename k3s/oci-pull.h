// Pulling from a registry over the OCI distribution API (spec 1.1), asynchronously: manifests and blobs by digest or
// tag, basic and bearer authentication (never sent to another host), every byte checked against its digest.
// Who signed it is cosign.h's question.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/http.h"
#include "base/oci.h"
#include "base/value.h"

enum { OCI_MANIFEST_MAX = 4 << 20, OCI_RETRY_AFTER_MAX_SEC = 600 };

// Where to pull from. Borrowed texts live as long as the source is used.
struct oci_source {
	struct http_client *client;      // its CA and client certificate are the trust
	const char *url;                 // "https://10.0.2.2:7443", no path
	const char *repository;          // "hearth/bootstrap"
	const char *username, *password; // basic, or to ask a token service with; may be NULL
};

struct oci_fetched {
	/* 0; -ENOENT (404), -EACCES (401, 403), -EBADMSG (digest or form), -EFBIG (limit), -EAGAIN (429, 5xx: come again), or
	 * of the connection. */
	int error;
	const struct diag *diag; // when error != 0: one sentence
	const char *bytes;       // NUL-terminated, borrowed for the callback; NULL when it went to a file
	size_t n;
	char digest[OCI_DIGEST_TEXT]; // of the bytes, computed
	const char *media_type;  // Content-Type or NULL
	unsigned retry_after_sec; // with -EAGAIN: not before, 0 when the registry does not say (at most OCI_RETRY_AFTER_MAX_SEC)
	const char *next;        // of referrers: where the next page is, for oci_fetch_referrers(), or NULL
};
typedef void (*oci_fetched_t)(const struct oci_fetched *fetched, void *user);

struct oci_fetch;
/* A manifest by tag or digest; an index is returned as it is. Checked against the digest when @reference is one. */
int oci_fetch_manifest(const struct oci_source *source, const char *reference, oci_fetched_t on_fetched, void *user,
	struct oci_fetch **ret);
// A blob into memory, at most @max_bytes.
int oci_fetch_blob(const struct oci_source *source, const char *digest, size_t max_bytes, oci_fetched_t on_fetched,
	void *user, struct oci_fetch **ret);
/* A blob into @path: written as PATH.part (kept and resumed after a failure), checked, fsynced, renamed.
 * @on_progress may be NULL. A damaged part is thrown away and reported as -EBADMSG: call again. */
int oci_fetch_blob_file(const struct oci_source *source, const char *digest, const char *path, uint64_t max_bytes,
	int (*on_progress)(uint64_t n_done, uint64_t n_total, void *user), oci_fetched_t on_fetched, void *user,
	struct oci_fetch **ret);
/* The referrers of @digest: an index, from the referrers API or, where a registry has none (or it is out of order), from
 * the fallback tag sha256-HEX. No referrers at all: -ENOENT. @page: NULL, or `next` of the page before. */
int oci_fetch_referrers(const struct oci_source *source, const char *digest, const char *page, oci_fetched_t on_fetched,
	void *user, struct oci_fetch **ret);
void oci_fetch_cancel(struct oci_fetch *fetch); // no callback; NULL is fine; not after the callback

// "Bearer realm=...,service=...,scope=..." of WWW-Authenticate (RFC 6750, docker token authentication). Pure.
// -EINVAL: another scheme, no realm, or a text that is longer than 511 bytes.
struct oci_challenge {
	char realm[512], service[512], scope[512];
};
int oci_challenge_parse(const char *header, struct oci_challenge *ret);
/* The path of rel="next" in a Link header (RFC 8288), when it stays below @prefix ("/v2/NAME/referrers/") of @registry
 * (its URL). Pure; caller frees; NULL: none, or none that is taken. */
char *oci_link_next(const char *header, const char *registry, const char *prefix);
// Seconds of a Retry-After header (RFC 9110; a date counts from @now_wall_sec), cut to OCI_RETRY_AFTER_MAX_SEC. Pure; 0: none.
unsigned oci_retry_after(const char *header, int64_t now_wall_sec);

// Digest of the whole of @fd, wherever it stands.
int oci_file_digest(int fd, char ret[static OCI_DIGEST_TEXT]);

// What Hearth needs of a manifest. Pure.
struct oci_layer {
	char digest[OCI_DIGEST_TEXT], media_type[128];
	uint64_t size;
	const struct value *annotations; // borrowed of the document, or NULL
};
enum { OCI_MAX_LAYERS = 32 };
struct oci_manifest {
	char config_type[128], artifact_type[128];
	size_t n_layers;
	struct oci_layer layers[OCI_MAX_LAYERS];
	struct value *document; // owned
};
int oci_manifest_parse(const char *text, size_t n, struct oci_manifest *ret, struct diag *reterr);
void oci_manifest_done(struct oci_manifest *manifest);
