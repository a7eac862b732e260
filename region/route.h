// Who may ask for what: the one table of routes, and the decision whether a peer is admitted.
// Default deny: a path that is in no row is answered 404 before anything of the request is looked
// at. Pure. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

enum peer_class {
	PEER_ANY,  // TLS only
	PEER_KEY,  // self-signed client certificate (or one of ours): proof of possession of a key
	PEER_NODE, // certificate of our CA, approved, not revoked
	PEER_NODE_OR_EXPIRED, // the same, its dates aside
	PEER_SERVER,	      // node, a server that keeps its key
	PEER_NODE_OR_PULL,    // node, or the pull credential
	PEER_ADMIN,	      // session of the page
};

// What is known of the peer of one request.
struct peer_facts {
	bool has_certificate;
	bool is_p256;	  // the only kind of key we take
	bool self_signed; // and its signature verifies
	bool ours;	  // chain to our CA, clientAuth, CA:false; dates aside
	bool in_date;
	bool known;    // a node record for this key
	bool approved; // reserved or approved
	bool revoked;
	bool quarantined;
	bool server; // and keeps its key
	bool has_pull_credential, has_session;
};

enum peer_verdict {
	PEER_ADMITTED,
	PEER_NO_CERTIFICATE,
	PEER_WRONG_KEY_KIND,
	PEER_FOREIGN,
	PEER_EXPIRED,
	PEER_UNKNOWN,
	PEER_NOT_APPROVED,
	PEER_REVOKED,
	PEER_NOT_SERVER,
	PEER_NO_CREDENTIAL,
	PEER_NO_SESSION,
};
enum peer_verdict peer_admit(enum peer_class required, const struct peer_facts *peer);
const char *peer_verdict_code(enum peer_verdict verdict);     // "no-certificate"
const char *peer_verdict_sentence(enum peer_verdict verdict); // for a person
unsigned peer_verdict_status(enum peer_verdict verdict);      // 401 or 403

struct region;
struct request;
struct route {
	const char *methods; // "GET HEAD"
	const char *path;    // a final '*' matches any rest
	enum peer_class peer;
	size_t max_body;
	int (*handle)(struct region *region, struct request *request);
	/* What takes long, done once and without the region's lock when the request is there as a
	 * whole, before
	 * @handle: it reads the request and takes the lock itself where it needs the region. Its
	 * result is request->prepared. NULL: nothing. */
	int (*prepare)(struct region *region, struct request *request);
};
/* The row for @method and @path. NULL with *ret_status 404 (no such path) or 405 (not with this
 * method). */
const struct route *route_find(const struct route *routes, size_t n_routes, const char *method,
	const char *path, unsigned *ret_status);
