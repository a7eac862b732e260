// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-health.h"
#include "base/time.h"
#include <stdarg.h>

enum { MAX_NAMED = 3, RESTLESS_SEC = 60, KEEPALIVE_BYTES = 32 };

static int compare_status(const void *a, const void *b)
{
	return strcmp(((const struct netconf_peer_status *)a)->public_key, ((const struct netconf_peer_status *)b)->public_key);
}

static void look_at_traffic(struct mesh_peer *peer, const struct netconf_peer_status *status, uint64_t now_usec)
{
	// A packet that keeps the way open is 32 bytes and asks for no answer.
	bool sent = status->tx_bytes > peer->tx_bytes + KEEPALIVE_BYTES, heard = status->rx_bytes != peer->rx_bytes;
	if (heard || status->tx_bytes < peer->tx_bytes) // less: it is a new peer to the kernel
		peer->unanswered_usec = 0;
	else if (sent && !peer->unanswered_usec)
		peer->unanswered_usec = now_usec;
	if (heard || !peer->heard_usec)
		peer->heard_usec = now_usec;
	peer->rx_bytes = status->rx_bytes;
	peer->tx_bytes = status->tx_bytes;
	peer->handshake_ago_sec = status->handshake_ago_sec;
}

static bool answers(const struct mesh_peer *peer, uint64_t now_usec)
{
	return peer->handshake_ago_sec >= 0 && peer->handshake_ago_sec < MESH_FRESH_SEC &&
	       (!peer->unanswered_usec || now_usec - peer->unanswered_usec < MESH_UNANSWERED_SEC * USEC_PER_SEC);
}

static void look_at_endpoint(struct mesh_peer *peer, const struct netconf_peer_status *status)
{
	bool elsewhere = status->endpoint[0] && !str_equal(status->endpoint, peer->endpoint);
	if (!elsewhere)
		str_set(&peer->roamed, NULL);
	else if (!str_equal(peer->roamed, status->endpoint))
		str_set(&peer->roamed, status->endpoint); // without memory: not seen this time
	// A peer that answers from elsewhere is there; one that does not is put back where the region says that it is.
	if (peer->quiet_usec && peer->endpoint && (elsewhere || !status->endpoint[0]))
		peer->change |= NETCONF_PEER_ENDPOINT;
}

static void mark_text(uint64_t *mark, const char *text)
{
	for (; text && *text; text++)
		*mark = *mark * 31 + (unsigned char)*text;
	*mark = *mark * 31 + 1;
}

bool mesh_peer_is_silent(const struct mesh_peer *peer, uint64_t now_usec)
{
	// One without ranges is never asked: a next key that is not used yet, a key that is no more.
	return peer->n_allowed_ips && peer->quiet_usec && now_usec - peer->quiet_usec >= MESH_SILENT_SEC * USEC_PER_SEC;
}

static void look_at_peer(struct mesh_peer *peer, const struct netconf_peer_status *status, uint64_t now_usec, struct mesh_view *view)
{
	peer->in_kernel = status != NULL;
	if (status)
		look_at_traffic(peer, status, now_usec);
	if (answers(peer, now_usec))
		peer->quiet_usec = 0;
	else if (!peer->quiet_usec)
		peer->quiet_usec = now_usec;
	if (status)
		look_at_endpoint(peer, status);
	bool silent = mesh_peer_is_silent(peer, now_usec);
	view->n_answer += peer->quiet_usec == 0;
	view->n_silent += silent;
	view->lost |= !status && !peer->change;
	view->restless |= peer->quiet_usec && now_usec - peer->quiet_usec < RESTLESS_SEC * USEC_PER_SEC;
	if (silent || peer->roamed) {
		mark_text(&view->mark, peer->public_key);
		mark_text(&view->mark, silent ? "silent" : peer->roamed);
	}
}

void mesh_health_look(struct mesh_peers *peers, struct netconf_peer_status *status, size_t n, uint64_t now_usec,
	struct mesh_view *ret)
{
	*ret = (struct mesh_view){ 0 };
	if (n)
		qsort(status, n, sizeof(*status), compare_status);
	for (size_t i = 0, j = 0; i < peers->n; i++) {
		int order = -1;
		while (j < n && (order = strcmp(status[j].public_key, peers->peers[i].public_key)) < 0)
			j++;
		look_at_peer(&peers->peers[i], j < n && order == 0 ? &status[j] : NULL, now_usec, ret);
	}
}

static bool can_be_asked(const struct mesh_peer *peer)
{
	return peer->n_allowed_ips && (peer->endpoint || peer->roamed);
}

size_t mesh_health_next(struct mesh_peers *peers, size_t from, bool all, uint64_t now_usec)
{
	for (size_t i = from; i < peers->n; i++) {
		struct mesh_peer *peer = &peers->peers[i];
		bool asked = peer->asked_usec && now_usec - peer->asked_usec < MESH_ASK_SEC * USEC_PER_SEC;
		if (!can_be_asked(peer) || (!all && (asked || (peer->quiet_usec == 0 && peer->in_kernel))))
			continue;
		peer->asked_usec = now_usec;
		return i;
	}
	return peers->n;
}

static bool is_over(uint64_t since_usec, unsigned sec, uint64_t now_usec)
{
	return now_usec - since_usec >= sec * USEC_PER_SEC;
}

size_t mesh_health_next_idle(struct mesh_peers *peers, size_t from, uint64_t now_usec)
{
	for (size_t i = from; i < peers->n; i++) {
		struct mesh_peer *peer = &peers->peers[i];
		if (!can_be_asked(peer) || !peer->in_kernel || peer->quiet_usec || peer->unanswered_usec ||
			!is_over(peer->heard_usec, MESH_IDLE_SEC, now_usec))
			continue;
		peer->asked_usec = peer->unanswered_usec = now_usec;
		return i;
	}
	return peers->n;
}

size_t mesh_health_idle_max(uint64_t last_usec, uint64_t now_usec)
{
	uint64_t n = (now_usec - last_usec) / (USEC_PER_SEC / MESH_IDLE_PER_SEC);
	return n < MESH_IDLE_MAX ? (size_t)n : MESH_IDLE_MAX;
}

static size_t add(char *text, size_t n_text, const char *format, ...) PRINTF_LIKE(3, 4);
static size_t add(char *text, size_t n_text, const char *format, ...)
{
	size_t n = strlen(text);
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text + n, n_text - n, format, arguments);
	va_end(arguments);
	return strlen(text);
}

void mesh_health_sentence(const struct mesh_peers *peers, uint64_t now_usec, char *ret, size_t n_ret)
{
	const char *port = "51820";
	size_t n = 0;
	ret[0] = '\0';
	for (size_t i = 0; i < peers->n; i++) {
		const struct mesh_peer *peer = &peers->peers[i];
		if (!peer->endpoint || !mesh_peer_is_silent(peer, now_usec))
			continue;
		if (n == 0)
			port = strrchr(peer->endpoint, ':') ? strrchr(peer->endpoint, ':') + 1 : port;
		if (n++ < MAX_NAMED)
			(void)add(ret, n_ret, "%s%s at %s", n > 1 ? ", " : "handshake sent to ", peer->name, peer->endpoint);
	}
	if (n > MAX_NAMED)
		(void)add(ret, n_ret, " and %zu more", n - MAX_NAMED);
	if (n)
		(void)add(ret, n_ret, ", no answer: %s up, and is UDP %s to %s filtered? ask the network team",
			n == 1 ? "is that machine" : "are those machines", port, n == 1 ? "it" : "them");
}

static void put_peer(const struct mesh_peer *peer, uint64_t now_usec, struct json_out *out)
{
	json_out_object_begin(out);
	json_out_member(out, "publicKey", peer->public_key);
	json_out_member(out, "endpoint", peer->roamed ? peer->roamed : peer->endpoint ? peer->endpoint : "");
	json_out_member_int(out, "handshakeAgoSec", peer->handshake_ago_sec);
	json_out_member_bool(out, "answers", peer->handshake_ago_sec >= 0 && !mesh_peer_is_silent(peer, now_usec));
	json_out_object_end(out);
}

// It was never heard, and has its time to answer still, or nobody asks it.
static bool is_undecided(const struct mesh_peer *peer, uint64_t now_usec)
{
	return peer->handshake_ago_sec < 0 && !mesh_peer_is_silent(peer, now_usec);
}

void mesh_health_to_json(const struct mesh_peers *peers, size_t max, bool decided, uint64_t now_usec, struct json_out *out)
{
	size_t n = 0;
	json_out_array_begin(out);
	for (int first = 1; first >= 0; first--)
		for (size_t i = 0; i < peers->n && n < max; i++) {
			const struct mesh_peer *peer = &peers->peers[i];
			if (!peer->in_kernel || (decided && is_undecided(peer, now_usec)) ||
				(peer->roamed || mesh_peer_is_silent(peer, now_usec)) != first)
				continue;
			put_peer(peer, now_usec, out);
			n++;
		}
	json_out_array_end(out);
}
