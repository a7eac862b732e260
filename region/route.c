// SPDX-License-Identifier: Apache-2.0
#include "region/route.h"

static enum peer_verdict admit_node(const struct peer_facts *peer, bool check_dates)
{
	if (!peer->has_certificate)
		return PEER_NO_CERTIFICATE;
	if (peer->revoked)
		return PEER_REVOKED;
	if (!peer->ours)
		return PEER_FOREIGN;
	if (!peer->known)
		return PEER_UNKNOWN;
	if (!peer->approved)
		return PEER_NOT_APPROVED;
	if (check_dates && !peer->in_date)
		return PEER_EXPIRED;
	return PEER_ADMITTED;
}

enum peer_verdict peer_admit(enum peer_class required, const struct peer_facts *peer)
{
	enum peer_verdict node;
	switch (required) {
	case PEER_ANY:
		return PEER_ADMITTED;
	case PEER_KEY:
		if (!peer->has_certificate)
			return PEER_NO_CERTIFICATE;
		if (!peer->is_p256)
			return PEER_WRONG_KEY_KIND;
		if (peer->revoked)
			return PEER_REVOKED;
		return peer->self_signed || peer->ours ? PEER_ADMITTED : PEER_FOREIGN;
	case PEER_NODE:
		return admit_node(peer, true);
	case PEER_NODE_OR_EXPIRED:
		return admit_node(peer, false);
	case PEER_SERVER:
		node = admit_node(peer, true);
		return node != PEER_ADMITTED || peer->server ? node : PEER_NOT_SERVER;
	case PEER_NODE_OR_PULL:
		if (peer->has_pull_credential)
			return PEER_ADMITTED;
		node = admit_node(peer, true);
		return node == PEER_NO_CERTIFICATE ? PEER_NO_CREDENTIAL : node;
	case PEER_ADMIN:
		return peer->has_session ? PEER_ADMITTED : PEER_NO_SESSION;
	}
	return PEER_NO_CERTIFICATE;
}

static const struct {
	const char *code, *sentence;
	unsigned status;
} verdicts[] = {
	[PEER_ADMITTED] = { "admitted", "admitted", 200 },
	[PEER_NO_CERTIFICATE] = { "no-certificate",
		"this needs a client certificate; the request had none", 401 },
	[PEER_WRONG_KEY_KIND] = { "wrong-key-kind", "the client certificate must hold a P-256 key",
		403 },
	[PEER_FOREIGN] = { "foreign-certificate",
		"the client certificate was not issued by this region", 403 },
	[PEER_EXPIRED] = { "expired-certificate",
		"the node certificate is out of date; renew it at /v1/renew", 403 },
	[PEER_UNKNOWN] = { "unknown-key", "this region knows no node with this key; enrol again",
		403 },
	[PEER_NOT_APPROVED] = { "not-approved", "this node is not approved", 403 },
	[PEER_REVOKED] = { "revoked",
		"this key was revoked; an administrator has to clear the node and enrol it anew",
		403 },
	[PEER_NOT_SERVER] = { "not-server", "only a server that keeps its key may do this", 403 },
	[PEER_NO_CREDENTIAL] = { "no-credential",
		"this needs the certificate of an approved node or the pull credential", 401 },
	[PEER_NO_SESSION] = { "no-session", "this needs a login at the page", 401 },
};

const char *peer_verdict_code(enum peer_verdict verdict)
{
	return verdicts[verdict].code;
}

const char *peer_verdict_sentence(enum peer_verdict verdict)
{
	return verdicts[verdict].sentence;
}

unsigned peer_verdict_status(enum peer_verdict verdict)
{
	return verdicts[verdict].status;
}

static bool path_matches(const char *pattern, const char *path)
{
	size_t n = strlen(pattern);
	return pattern[n - 1] == '*' ? strncmp(pattern, path, n - 1) == 0
				     : str_equal(pattern, path);
}

static bool method_matches(const char *methods, const char *method)
{
	size_t n = strlen(method);
	for (const char *m = methods; *m; m += strcspn(m, " "), m += *m == ' ')
		if (strcspn(m, " ") == n && strncmp(m, method, n) == 0)
			return true;
	return false;
}

const struct route *route_find(const struct route *routes, size_t n_routes, const char *method,
	const char *path, unsigned *ret_status)
{
	*ret_status = 404;
	for (size_t i = 0; i < n_routes; i++) {
		if (!path_matches(routes[i].path, path))
			continue;
		if (method_matches(routes[i].methods, method))
			return &routes[i];
		*ret_status = 405;
	}
	return NULL;
}
