// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-peers.h"
#include "base/crypto.h"
#include "base/json.h"
#include "netconf/address.h"
#include <errno.h>

/* The next key calls by itself, so that a node which has switched is heard by a peer that it cannot call, and by one that
 * starts anew. A node that has not switched drops the call unread. */
enum { NEXT_KEEPALIVE_SEC = 25 };

static void peer_done(struct mesh_peer *peer)
{
	free(peer->name);
	free(peer->public_key);
	free(peer->next_of);
	free(peer->endpoint);
	for (size_t i = 0; i < peer->n_allowed_ips; i++)
		free(peer->allowed_ips[i]);
	free(peer->allowed_ips);
	free(peer->roamed);
	*peer = (struct mesh_peer){ 0 };
}

static void removed_done(struct mesh_peers *peers)
{
	for (size_t i = 0; i < peers->n_removed; i++)
		free(peers->removed[i]);
	free(peers->removed);
	peers->removed = NULL;
	peers->n_removed = 0;
}

static void reserved_done(struct mesh_peers *peers)
{
	for (size_t i = 0; i < peers->n_reserved; i++) {
		free(peers->reserved[i].range);
		free(peers->reserved[i].whose);
	}
	free(peers->reserved);
	peers->reserved = NULL;
	peers->n_reserved = 0;
}

void mesh_peers_done(struct mesh_peers *peers)
{
	for (size_t i = 0; i < peers->n; i++)
		peer_done(&peers->peers[i]);
	free(peers->peers);
	removed_done(peers);
	reserved_done(peers);
	*peers = (struct mesh_peers){ 0 };
}

static bool is_wg_key(const char *text)
{
	uint8_t *bytes AUTO_FREE = NULL;
	size_t n = 0;
	return base64_decode(text, &bytes, &n) == 0 && n == 32;
}

static int decode_allowed(const struct value *list, struct mesh_peer *peer, struct diag *reterr)
{
	if (!list || list->type != VALUE_ARRAY || list->n > NETCONF_MAX_ALLOWED)
		return diag_set(reterr, -EINVAL, "allowedIps", "must be a list of at most %d ranges", NETCONF_MAX_ALLOWED);
	peer->allowed_ips = calloc(list->n + 1, sizeof(char *));
	if (!peer->allowed_ips)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		const char *text;
		int r = value_string(&list->items[i], "allowedIps", &text, reterr);
		if (r < 0)
			return r;
		if (!(peer->allowed_ips[peer->n_allowed_ips] = strdup(text)))
			return -ENOMEM;
		peer->n_allowed_ips++;
	}
	return 0;
}

// As the kernel's are written, to be compared with them.
static int decode_endpoint(const struct value *endpoint, const char *name, struct mesh_peer *peer, struct diag *reterr)
{
	char canonical[ADDRESS_TEXT];
	const char *text;
	struct ip ip;
	uint16_t port;
	int r = value_string(endpoint, "endpoint", &text, reterr);
	if (r < 0)
		return r;
	if (endpoint_parse(text, &ip, &port) < 0)
		return diag_set(reterr, -EINVAL, "endpoint", "of %s must be ADDRESS:PORT or [IPV6]:PORT, not \"%s\"", name, text);
	return (peer->endpoint = strdup(endpoint_format(&ip, port, canonical))) ? 0 : -ENOMEM;
}

static int decode_peer(const struct value *object, struct mesh_peer *peer, struct diag *reterr)
{
	const char *key = NULL, *name = value_text(value_find(object, "name"));
	const struct value *endpoint = value_find(object, "endpoint"), *keepalive = value_find(object, "keepaliveSec");
	int64_t sec = 0;
	int r = value_string(value_find(object, "publicKey"), "publicKey", &key, reterr);
	if (r < 0)
		return r;
	if (!is_wg_key(key))
		return diag_set(reterr, -EINVAL, "publicKey", "must be base64 of 32 bytes");
	if (keepalive && (r = value_int(keepalive, "keepaliveSec", 0, 65535, &sec, reterr)) < 0)
		return r;
	if (endpoint && endpoint->type != VALUE_NULL && (r = decode_endpoint(endpoint, name ? name : "", peer, reterr)) < 0)
		return r;
	peer->keepalive_sec = (uint16_t)sec;
	peer->handshake_ago_sec = -1;
	peer->public_key = strdup(key);
	peer->name = strdup(name ? name : "");
	if (!peer->public_key || !peer->name)
		return -ENOMEM;
	return decode_allowed(value_find(object, "allowedIps"), peer, reterr);
}

// The next key of @peer, as the peer behind it; @ret_has false: it has none.
static int decode_next(const struct value *object, const struct mesh_peer *peer, struct mesh_peer *ret, bool *ret_has,
	struct diag *reterr)
{
	const struct value *next = value_find(object, "nextPublicKey");
	const char *key = NULL;
	*ret_has = next && next->type != VALUE_NULL;
	if (!*ret_has)
		return 0;
	int r = value_string(next, "nextPublicKey", &key, reterr);
	if (r < 0)
		return r;
	if (!is_wg_key(key))
		return diag_set(reterr, -EINVAL, "nextPublicKey", "must be base64 of 32 bytes");
	ret->keepalive_sec = peer->keepalive_sec ? peer->keepalive_sec : NEXT_KEEPALIVE_SEC;
	ret->handshake_ago_sec = -1;
	ret->public_key = strdup(key);
	ret->name = strdup(peer->name);
	ret->next_of = strdup(peer->public_key);
	ret->allowed_ips = calloc(1, sizeof(char *));
	if (!ret->public_key || !ret->name || !ret->next_of || !ret->allowed_ips ||
		(peer->endpoint && !(ret->endpoint = strdup(peer->endpoint))))
		return -ENOMEM;
	return 0;
}

static int compare_peers(const void *a, const void *b)
{
	return strcmp(((const struct mesh_peer *)a)->public_key, ((const struct mesh_peer *)b)->public_key);
}

const struct mesh_peer *mesh_peers_find(const struct mesh_peers *peers, const char *public_key)
{
	const struct mesh_peer key = { .public_key = (char *)(uintptr_t)public_key };
	return peers->n ? bsearch(&key, peers->peers, peers->n, sizeof(key), compare_peers) : NULL;
}

static struct mesh_peer *find(struct mesh_peers *peers, const char *public_key)
{
	return (struct mesh_peer *)(uintptr_t)mesh_peers_find(peers, public_key);
}

static void swap_ranges(struct mesh_peer *a, struct mesh_peer *b)
{
	char **allowed_ips = a->allowed_ips;
	size_t n = a->n_allowed_ips;
	a->allowed_ips = b->allowed_ips;
	a->n_allowed_ips = b->n_allowed_ips;
	b->allowed_ips = allowed_ips;
	b->n_allowed_ips = n;
}

static bool same_ranges(const struct mesh_peer *a, const struct mesh_peer *b)
{
	bool same = a->n_allowed_ips == b->n_allowed_ips;
	for (size_t i = 0; same && i < a->n_allowed_ips; i++)
		same = str_equal(a->allowed_ips[i], b->allowed_ips[i]);
	return same;
}

// --- ranges that overlap ---

struct range {
	struct address address;
	const void *owner; // NULL: it is reserved
	const char *text, *whose;
};

static int compare_ranges(const void *a, const void *b)
{
	const struct range *one = a, *other = b;
	int order = ip_compare(&one->address.ip, &other->address.ip);
	return order ? order : (int)one->address.prefix - (int)other->address.prefix;
}

// Sorted by their first address, the wider first: whoever overlaps lies within the last one that lies in no other.
static int check_ranges(struct range *ranges, size_t n, struct diag *reterr)
{
	const struct range *outer = NULL;
	if (n)
		qsort(ranges, n, sizeof(*ranges), compare_ranges);
	for (size_t i = 0; i < n; i++) {
		const struct range *range = &ranges[i];
		struct address within = range->address;
		if (outer && outer->address.ip.family == within.ip.family) {
			within.prefix = outer->address.prefix;
			address_mask(&within);
		}
		if (!outer || ip_compare(&within.ip, &outer->address.ip) != 0) {
			outer = range;
		} else if (range->owner != outer->owner) {
			bool reserved = !range->owner || !outer->owner;
			return diag_set(reterr, -EINVAL, "peers", "allowedIps of %s must not overlap%s: %s of %s and %s of %s",
				reserved ? "a peer" : "two peers", reserved ? " what the network document declares" : "", range->text,
				range->whose, outer->text, outer->whose);
		}
	}
	return 0;
}

static int add_range(struct range *ranges, size_t *n, const void *owner, const char *whose, const char *text, struct diag *reterr)
{
	struct range *range = &ranges[(*n)++];
	*range = (struct range){ .owner = owner, .whose = whose, .text = text };
	if (address_parse(text, false, &range->address) < 0)
		return diag_set(reterr, -EINVAL, "allowedIps", "of %s must be ADDRESS/PREFIX, not \"%s\"", whose, text);
	address_mask(&range->address);
	return 0;
}

static int check_overlaps(const struct mesh_peers *reserving, const struct mesh_peer *peers, size_t n_peers, struct diag *reterr)
{
	size_t n = 0, n_all = reserving->n_reserved;
	int r = 0;
	for (size_t i = 0; i < n_peers; i++)
		n_all += peers[i].n_allowed_ips;
	struct range *ranges AUTO_FREE = calloc(n_all + 1, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	for (size_t i = 0; i < reserving->n_reserved && r == 0; i++)
		r = add_range(ranges, &n, NULL, reserving->reserved[i].whose, reserving->reserved[i].range, reterr);
	for (size_t i = 0; i < n_peers; i++)
		for (size_t j = 0; j < peers[i].n_allowed_ips && r == 0; j++)
			r = add_range(ranges, &n, &peers[i], peers[i].name, peers[i].allowed_ips[j], reterr);
	return r < 0 ? r : check_ranges(ranges, n, reterr);
}

int mesh_peers_reserve(struct mesh_peers *peers, const struct netconf_declared *declared, size_t n, struct diag *reterr)
{
	reserved_done(peers);
	peers->reserved = calloc(n + 1, sizeof(*peers->reserved));
	if (!peers->reserved)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct mesh_reserved *reserved = &peers->reserved[peers->n_reserved++];
		reserved->range = strdup(declared[i].range);
		reserved->whose = str_format("%s %s", declared[i].of_peer ? "a peer of" : "the network of", declared[i].link);
		if (!reserved->range || !reserved->whose)
			return -ENOMEM;
	}
	return check_overlaps(peers, peers->peers, peers->n, reterr);
}

// --- from what there is to what the region says ---

// What has to change for @now to become @next, which takes over what is known of it.
static unsigned peer_take_over(struct mesh_peer *now, struct mesh_peer *next)
{
	unsigned change = now->change;
	next->renew = now->renew;
	if (!str_equal(now->endpoint, next->endpoint) && next->endpoint)
		change |= NETCONF_PEER_ENDPOINT;
	else if (now->endpoint && !next->endpoint && now->quiet_usec)
		next->renew = true;
	if (now->keepalive_sec != next->keepalive_sec)
		change |= NETCONF_PEER_KEEPALIVE;
	if (!same_ranges(now, next))
		change |= NETCONF_PEER_ALLOWED;
	next->in_kernel = now->in_kernel;
	next->roamed = TAKE_PTR(now->roamed);
	next->handshake_ago_sec = now->handshake_ago_sec;
	next->rx_bytes = now->rx_bytes;
	next->tx_bytes = now->tx_bytes;
	next->heard_usec = now->heard_usec;
	next->unanswered_usec = now->unanswered_usec;
	next->quiet_usec = now->quiet_usec;
	next->proof_usec = now->proof_usec;
	return next->renew || (change & NETCONF_PEER_NEW) ? NETCONF_PEER_NEW : change;
}

struct step { // of the merge: what becomes of one key
	struct mesh_peer *now, *next; // either may be NULL
};

static bool is_among(const char *key, const char *const *removed, size_t n_removed)
{
	for (size_t i = 0; i < n_removed; i++)
		if (str_equal(key, removed[i]))
			return true;
	return false;
}

// By a delta: named, or the next key of a peer that is named or that was told without it.
static bool is_removed(const struct mesh_peer *peer, const struct mesh_peers *fresh, const char *const *removed, size_t n_removed)
{
	return is_among(peer->public_key, removed, n_removed) ||
	       (peer->next_of && (mesh_peers_find(fresh, peer->next_of) || is_among(peer->next_of, removed, n_removed)));
}

// News of a peer in the middle of its rotation move no range back.
static void keep_places(const struct mesh_peers *peers, struct mesh_peers *fresh)
{
	for (size_t i = 0; i < fresh->n; i++) {
		struct mesh_peer *next = &fresh->peers[i];
		const struct mesh_peer *now = next->next_of ? mesh_peers_find(peers, next->public_key) : NULL;
		if (now && str_equal(now->next_of, next->next_of) && now->n_allowed_ips)
			swap_ranges(find(fresh, next->next_of), next);
	}
}

static struct step step_take(struct mesh_peers *now, size_t *i, struct mesh_peers *next, size_t *j)
{
	struct step step = { 0 };
	int order = *i == now->n ? 1 : *j == next->n ? -1 : compare_peers(&now->peers[*i], &next->peers[*j]);
	if (order <= 0)
		step.now = &now->peers[(*i)++];
	if (order >= 0)
		step.next = &next->peers[(*j)++];
	return step;
}

/* The peers as they are to be: those of @fresh, and in a delta those of @peers that are in neither list. Borrowed, nothing is
 * changed yet: whether it can be is checked on this. */
static int preview(struct mesh_peers *peers, struct mesh_peers *fresh, bool full, const char *const *removed, size_t n_removed,
	struct diag *reterr)
{
	struct mesh_peer *all AUTO_FREE = calloc(peers->n + fresh->n + 1, sizeof(*all));
	size_t n = 0, n_machines = 0;
	bool ranges_changed = false;
	if (!all)
		return -ENOMEM;
	for (size_t i = 0, j = 0; i < peers->n || j < fresh->n;) {
		struct step step = step_take(peers, &i, fresh, &j);
		if (step.next)
			all[n++] = *step.next;
		else if (!full && !is_removed(step.now, fresh, removed, n_removed))
			all[n++] = *step.now;
		else
			continue;
		n_machines += !all[n - 1].next_of;
		ranges_changed |= step.next && (!step.now || !same_ranges(step.now, step.next));
	}
	if (n_machines > MESH_MAX_PEERS)
		return diag_set(reterr, -EINVAL, "peers", "a mesh has at most %d peers, not %zu: it is one cluster", MESH_MAX_PEERS,
			n_machines);
	return ranges_changed ? check_overlaps(peers, all, n, reterr) : 0;
}

// Both sorted. Nothing fails here: @all has room, and @gone for every peer that there is.
static void merge(struct mesh_peers *peers, struct mesh_peers *fresh, bool full, const char *const *removed, size_t n_removed,
	struct mesh_peer *all_take, char **gone_take)
{
	size_t n = 0, n_gone = 0;
	for (size_t i = 0; i < peers->n_removed; i++) // it has them still, unless they are back
		if (mesh_peers_find(fresh, peers->removed[i]))
			free(peers->removed[i]);
		else
			gone_take[n_gone++] = peers->removed[i];
	for (size_t i = 0, j = 0; i < peers->n || j < fresh->n;) {
		struct step step = step_take(peers, &i, fresh, &j);
		if (step.next) {
			step.next->change = step.now ? peer_take_over(step.now, step.next) : NETCONF_PEER_NEW;
			all_take[n++] = *step.next;
		} else if (!full && !is_removed(step.now, fresh, removed, n_removed)) {
			all_take[n++] = *step.now;
			continue;
		} else {
			gone_take[n_gone++] = TAKE_PTR(step.now->public_key);
		}
		if (step.now)
			peer_done(step.now);
	}
	free(peers->peers);
	free(peers->removed);
	free(fresh->peers);
	*fresh = (struct mesh_peers){ 0 };
	peers->peers = all_take;
	peers->n = n;
	peers->removed = gone_take;
	peers->n_removed = n_gone;
}

static int check_twice(const struct mesh_peers *sorted, struct diag *reterr)
{
	for (size_t i = 1; i < sorted->n; i++)
		if (str_equal(sorted->peers[i - 1].public_key, sorted->peers[i].public_key))
			return diag_set(reterr, -EINVAL, "peers", "a public key must be there once, not of %s and %s",
				sorted->peers[i - 1].name, sorted->peers[i].name);
	return 0;
}

static int decode_removed(const struct value *list, const char ***ret, struct diag *reterr)
{
	if (list && (list->type != VALUE_ARRAY || list->n > 2 * MESH_MAX_PEERS))
		return diag_set(reterr, -EINVAL, "removed", "must be a list of at most %d keys", 2 * MESH_MAX_PEERS);
	*ret = calloc(list ? list->n + 1 : 1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	for (size_t i = 0; list && i < list->n; i++) {
		int r = value_string(&list->items[i], "removed", &(*ret)[i], reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

static int take_peers(struct mesh_peers *peers, const struct value *document, bool full, struct diag *reterr)
{
	struct mesh_peers fresh CLEANUP(mesh_peers_done) = { 0 };
	const struct value *list = value_find(document, "peers"), *removed_list = value_find(document, "removed");
	const char **removed AUTO_FREE = NULL;
	int r;
	if (!list || list->type != VALUE_ARRAY || list->n > MESH_MAX_PEERS)
		return diag_set(reterr, -EINVAL, "peers", "must be a list of at most %d peers", MESH_MAX_PEERS);
	if ((r = decode_removed(removed_list, &removed, reterr)) < 0)
		return r;
	size_t n_removed = removed_list && !full ? removed_list->n : 0;
	fresh.peers = calloc(2 * list->n + 1, sizeof(*fresh.peers));
	if (!fresh.peers)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		struct mesh_peer *peer = &fresh.peers[fresh.n];
		bool has_next = false;
		fresh.n += 2; // both are freed
		if ((r = decode_peer(&list->items[i], peer, reterr)) < 0 ||
			(r = decode_next(&list->items[i], peer, peer + 1, &has_next, reterr)) < 0)
			return r;
		fresh.n -= !has_next;
	}
	qsort(fresh.peers, fresh.n, sizeof(*fresh.peers), compare_peers);
	if ((r = check_twice(&fresh, reterr)) < 0)
		return r;
	keep_places(peers, &fresh);
	if ((r = preview(peers, &fresh, full, removed, n_removed, reterr)) < 0)
		return r;
	struct mesh_peer *all = calloc(peers->n + fresh.n + 1, sizeof(*all));
	char **gone = calloc(peers->n_removed + peers->n + 1, sizeof(*gone));
	if (!all || !gone) {
		free(all);
		free(gone);
		return -ENOMEM;
	}
	merge(peers, &fresh, full, removed, n_removed, all, gone);
	return 0;
}

int mesh_peers_update(struct mesh_peers *peers, const char *json, size_t n, struct diag *reterr)
{
	struct value *document CLEANUP(value_freep) = NULL;
	const char *generation = NULL;
	bool full = false;
	int r = json_parse(json, n, MESH_MAX_BYTES, &document, reterr);
	if (r < 0 || (r = value_string(value_find(document, "generation"), "generation", &generation, reterr)) < 0 ||
		(r = value_bool(value_find(document, "full"), "full", &full, reterr)) < 0)
		return r;
	if (strlen(generation) >= sizeof(peers->generation))
		return diag_set(reterr, -EINVAL, "generation", "is too long");
	if ((r = take_peers(peers, document, full, reterr)) < 0)
		return r;
	memcpy(peers->generation, generation, strlen(generation) + 1);
	return 0;
}

static struct netconf_peer peer_view(const struct mesh_peer *peer)
{
	return (struct netconf_peer){
		.public_key = peer->public_key,
		.endpoint = peer->endpoint,
		.allowed_ips = (const char *const *)peer->allowed_ips,
		.n_allowed_ips = peer->n_allowed_ips,
		.keepalive_sec = peer->keepalive_sec,
	};
}

static bool gives_ranges_away(const struct mesh_peer *peer)
{
	return (peer->change & NETCONF_PEER_ALLOWED) && !peer->n_allowed_ips;
}

int mesh_peers_changes(const struct mesh_peers *peers, struct netconf_peer_change **ret, size_t *ret_n)
{
	size_t n = peers->n_removed;
	for (size_t i = 0; i < peers->n; i++)
		n += (peers->peers[i].change != 0) + (size_t)peers->peers[i].renew;
	*ret = NULL;
	*ret_n = n;
	if (n == 0)
		return 0;
	struct netconf_peer_change *changes = calloc(n, sizeof(*changes));
	if (!changes)
		return -ENOMEM;
	n = 0;
	for (int last = 0; last < 2; last++)
		for (size_t i = 0; i < peers->n; i++) {
			const struct mesh_peer *peer = &peers->peers[i];
			if (gives_ranges_away(peer) != last)
				continue;
			if (peer->renew)
				changes[n++] = (struct netconf_peer_change){ { .public_key = peer->public_key }, NETCONF_PEER_REMOVE };
			if (peer->change)
				changes[n++] = (struct netconf_peer_change){ peer_view(peer), peer->change };
		}
	for (size_t i = 0; i < peers->n_removed; i++)
		changes[n++] = (struct netconf_peer_change){ { .public_key = peers->removed[i] }, NETCONF_PEER_REMOVE };
	*ret = changes;
	return 0;
}

void mesh_peers_set(struct mesh_peers *peers)
{
	removed_done(peers);
	for (size_t i = 0; i < peers->n; i++) {
		peers->peers[i].change = 0;
		peers->peers[i].renew = false;
	}
}

bool mesh_peers_rotate(const struct mesh_peers *peers)
{
	for (size_t i = 0; i < peers->n; i++)
		if (peers->peers[i].next_of)
			return true;
	return false;
}

static uint64_t handshake_ago_sec(const struct mesh_peer *peer)
{
	return peer->handshake_ago_sec < 0 ? UINT64_MAX : (uint64_t)peer->handshake_ago_sec;
}

bool mesh_peers_settle(struct mesh_peers *peers)
{
	bool moved = false;
	for (size_t i = 0; i < peers->n; i++) {
		struct mesh_peer *next = &peers->peers[i], *peer = next->next_of ? find(peers, next->next_of) : NULL;
		if (!peer)
			continue;
		// In the same second: nobody goes back as fast as that.
		bool at_next = next->handshake_ago_sec >= 0 && handshake_ago_sec(next) <= handshake_ago_sec(peer);
		if (at_next ? !peer->n_allowed_ips : !next->n_allowed_ips)
			continue;
		swap_ranges(peer, next);
		peer->change |= NETCONF_PEER_ALLOWED;
		next->change |= NETCONF_PEER_ALLOWED;
		moved = true;
	}
	return moved;
}

static const struct mesh_peer *next_of(const struct mesh_peers *peers, const struct mesh_peer *peer)
{
	for (size_t i = 0; i < peers->n; i++)
		if (str_equal(peers->peers[i].next_of, peer->public_key))
			return &peers->peers[i];
	return NULL;
}

char *mesh_peers_to_json(const struct mesh_peers *peers)
{
	bool rotate = mesh_peers_rotate(peers);
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_member(&out, "generation", peers->generation);
	json_out_member_bool(&out, "full", true);
	json_out_key(&out, "peers");
	json_out_array_begin(&out);
	for (size_t i = 0; i < peers->n; i++) {
		const struct mesh_peer *peer = &peers->peers[i], *next = rotate ? next_of(peers, peer) : NULL,
				       *at = next && next->n_allowed_ips ? next : peer;
		if (peer->next_of)
			continue;
		json_out_object_begin(&out);
		json_out_member(&out, "name", peer->name);
		json_out_member(&out, "publicKey", peer->public_key);
		if (next)
			json_out_member(&out, "nextPublicKey", next->public_key);
		json_out_member(&out, "endpoint", peer->endpoint);
		json_out_key(&out, "allowedIps");
		json_out_array_begin(&out);
		for (size_t j = 0; j < at->n_allowed_ips; j++)
			json_out_string(&out, at->allowed_ips[j]);
		json_out_array_end(&out);
		json_out_member_int(&out, "keepaliveSec", peer->keepalive_sec);
		json_out_object_end(&out);
	}
	json_out_array_end(&out);
	json_out_object_end(&out);
	return json_out_take(&out);
}

struct netconf_peer *mesh_peers_view(const struct mesh_peers *peers)
{
	if (!peers->n)
		return NULL;
	struct netconf_peer *view = calloc(peers->n, sizeof(*view));
	for (size_t i = 0; view && i < peers->n; i++)
		view[i] = peer_view(&peers->peers[i]);
	return view;
}

const struct mesh_peer *mesh_peer_with_address(const struct mesh_peers *peers, const char *address)
{
	size_t n = strlen(address);
	for (size_t i = 0; i < peers->n; i++)
		for (size_t j = 0; j < peers->peers[i].n_allowed_ips; j++) {
			const char *range = peers->peers[i].allowed_ips[j];
			if (strncmp(range, address, n) == 0 && (str_equal(range + n, "/32") || str_equal(range + n, "/128")))
				return &peers->peers[i];
		}
	return NULL;
}

void mesh_peer_address(const struct mesh_peer *peer, char ret[static MESH_ADDRESS_TEXT])
{
	const char *range = peer->allowed_ips[0];
	(void)snprintf(ret, MESH_ADDRESS_TEXT, "%.*s", (int)strcspn(range, "/"), range);
}
