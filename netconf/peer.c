// WireGuard peers: tables, keys as text, and the delta that leaves unchanged peers alone.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/peer.h"

#include "base/crypto.h"
#include "base/file.h"

#include <errno.h>

void peer_table_done(struct peer_table *table)
{
	for (size_t i = 0; i < table->n; i++)
		free(table->peers[i].allowed);
	if (table->peers)
		crypto_wipe(table->peers, table->n_room * sizeof(*table->peers));
	free(table->peers);
	*table = (struct peer_table){0};
}

struct peer *peer_table_add(struct peer_table *table)
{
	if (table->n == table->n_room) {
		size_t n_room = table->n_room ? table->n_room * 2 : 8;
		struct peer *grown = calloc(n_room, sizeof(*grown)); // no realloc: keys would stay behind in freed memory
		if (!grown)
			return NULL;
		if (table->n)
			memcpy(grown, table->peers, table->n * sizeof(*grown));
		if (table->peers)
			crypto_wipe(table->peers, table->n_room * sizeof(*table->peers));
		free(table->peers);
		table->peers = grown;
		table->n_room = n_room;
	}
	return &table->peers[table->n++];
}

int peer_add_allowed(struct peer *peer, const struct address *allowed)
{
	if (peer->n_allowed == PEER_MAX_ALLOWED)
		return -E2BIG;
	if ((peer->n_allowed & (peer->n_allowed - 1)) == 0) { // grows at 0, 1, 2, 4, 8 ...
		size_t n_room = peer->n_allowed ? peer->n_allowed * 2 : 1;
		struct address *grown = realloc(peer->allowed, n_room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		peer->allowed = grown;
	}
	peer->allowed[peer->n_allowed] = *allowed;
	address_mask(&peer->allowed[peer->n_allowed++]);
	return 0;
}

static int compare_peers(const void *a, const void *b)
{
	return memcmp(((const struct peer *)a)->public_key, ((const struct peer *)b)->public_key, PEER_KEY_BYTES);
}

static int compare_addresses(const void *a, const void *b)
{
	return address_compare(a, b);
}

void peer_table_sort(struct peer_table *table)
{
	sort_items(table->peers, table->n, sizeof(*table->peers), compare_peers);
	for (size_t i = 0; i < table->n; i++)
		sort_items(table->peers[i].allowed, table->peers[i].n_allowed, sizeof(struct address), compare_addresses);
}

const struct peer *peer_table_find(const struct peer_table *sorted, const uint8_t public_key[static PEER_KEY_BYTES])
{
	size_t low = 0, high = sorted->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(sorted->peers[middle].public_key, public_key, PEER_KEY_BYTES);
		if (order == 0)
			return &sorted->peers[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

int peer_key_parse(const char *base64, uint8_t ret[static PEER_KEY_BYTES])
{
	uint8_t *bytes = NULL;
	size_t n = 0;
	if (strlen(base64) != PEER_KEY_TEXT - 1 || base64_decode(base64, &bytes, &n) < 0)
		return -EINVAL;
	int error = n == PEER_KEY_BYTES ? 0 : -EINVAL;
	if (error == 0)
		memcpy(ret, bytes, PEER_KEY_BYTES);
	crypto_wipe(bytes, n);
	free(bytes);
	return error;
}

const char *peer_key_format(const uint8_t key[static PEER_KEY_BYTES], char buffer[static PEER_KEY_TEXT])
{
	AUTO_FREE char *text = base64_encode(key, PEER_KEY_BYTES);
	(void)snprintf(buffer, PEER_KEY_TEXT, "%s", text ? text : "?"); // "?" only without memory
	return buffer;
}

int peer_key_load(const char *path, uint8_t ret[static PEER_KEY_BYTES], struct diag *reterr)
{
	char *text = NULL;
	size_t n = 0;
	int error = file_read(path, 4096, &text, &n, reterr);
	if (error < 0)
		return error;
	size_t n_text = n;
	while (n_text > 0 && strchr(" \t\r\n", text[n_text - 1]))
		n_text--;
	text[n_text] = '\0';
	error = peer_key_parse(text + strspn(text, " \t\r\n"), ret);
	crypto_wipe(text, n);
	free(text);
	if (error < 0)
		return diag_set(reterr, -EINVAL, path, "must hold one WireGuard key: 44 characters of base64");
	return 0;
}

struct owned_address {
	struct address address;
	size_t peer;
};

static int compare_owned(const void *a, const void *b)
{
	return address_compare(&((const struct owned_address *)a)->address, &((const struct owned_address *)b)->address);
}

int peer_table_check(struct peer_table *table, struct diag *reterr)
{
	char key[PEER_KEY_TEXT], other[PEER_KEY_TEXT], text[ADDRESS_TEXT];
	size_t n = 0;
	peer_table_sort(table);
	for (size_t i = 0; i < table->n; i++) {
		n += table->peers[i].n_allowed;
		if (i > 0 && compare_peers(&table->peers[i - 1], &table->peers[i]) == 0)
			return diag_set(reterr, -EINVAL, "peers", "the public key %s is there twice",
				peer_key_format(table->peers[i].public_key, key));
	}
	AUTO_FREE struct owned_address *owned = calloc(n ? n : 1, sizeof(*owned));
	if (!owned)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < table->n; i++)
		for (size_t j = 0; j < table->peers[i].n_allowed; j++)
			owned[n++] = (struct owned_address){table->peers[i].allowed[j], i};
	sort_items(owned, n, sizeof(*owned), compare_owned);
	for (size_t i = 1; i < n; i++)
		if (owned[i].peer != owned[i - 1].peer && compare_owned(&owned[i], &owned[i - 1]) == 0)
			return diag_set(reterr, -EINVAL, "peers",
				"allowed address %s can belong to one peer only, not to %s and %s",
				address_format(&owned[i].address, text),
				peer_key_format(table->peers[owned[i - 1].peer].public_key, other),
				peer_key_format(table->peers[owned[i].peer].public_key, key));
	return 0;
}

void peer_plan_done(struct peer_plan *plan)
{
	free(plan->changes);
	*plan = (struct peer_plan){0};
}

static bool allowed_has(const struct peer *peer, const struct address *address)
{
	return peer->n_allowed &&
	       bsearch(address, peer->allowed, peer->n_allowed, sizeof(*address), compare_addresses) != NULL;
}

static unsigned allowed_delta(const struct peer *wanted, const struct peer *actual)
{
	for (size_t i = 0; i < actual->n_allowed; i++)
		if (!allowed_has(wanted, &actual->allowed[i]))
			return PEER_ALLOWED_REPLACE;
	for (size_t i = 0; i < wanted->n_allowed; i++)
		if (!allowed_has(actual, &wanted->allowed[i]))
			return PEER_ALLOWED_ADD;
	return 0;
}

static unsigned peer_delta(const struct peer *wanted, const struct peer *actual, int64_t now_sec)
{
	static const uint8_t none[PEER_KEY_BYTES];
	unsigned what = 0;
	if (!actual) {
		what = PEER_NEW;
		if (wanted->endpoint.family)
			what |= PEER_ENDPOINT;
		if (wanted->keepalive_sec)
			what |= PEER_KEEPALIVE;
		if (!crypto_equal(wanted->preshared_key, none, sizeof(none)))
			what |= PEER_PRESHARED;
		if (wanted->n_allowed)
			what |= PEER_ALLOWED_REPLACE;
		return what;
	}
	bool fresh = actual->handshake_sec > 0 && now_sec - actual->handshake_sec < PEER_FRESH_SEC;
	bool moved = wanted->endpoint.family && (ip_compare(&wanted->endpoint, &actual->endpoint) != 0 ||
							wanted->endpoint_port != actual->endpoint_port);
	if (moved && !(fresh && actual->endpoint.family))
		what |= PEER_ENDPOINT;
	if (wanted->keepalive_sec != actual->keepalive_sec)
		what |= PEER_KEEPALIVE;
	if (!crypto_equal(wanted->preshared_key, actual->preshared_key, PEER_KEY_BYTES))
		what |= PEER_PRESHARED;
	return what | allowed_delta(wanted, actual);
}

static void plan_put(struct peer_plan *plan, const uint8_t *public_key, unsigned what, const struct peer *wanted)
{
	struct peer_change *change = &plan->changes[plan->n++];
	memcpy(change->public_key, public_key, PEER_KEY_BYTES);
	change->what = what;
	change->wanted = wanted;
}

// May take allowed addresses away from a peer that stays.
static bool takes_away(unsigned what)
{
	return (what & PEER_ALLOWED_REPLACE) && !(what & PEER_NEW);
}

int peer_plan_make(const struct peer_table *wanted, const struct peer_table *actual,
	int64_t now_sec, struct peer_plan *ret)
{
	size_t n_room = wanted->n + actual->n;
	struct peer_plan plan = {.changes = calloc(n_room ? n_room : 1, sizeof(*plan.changes))};
	if (!plan.changes)
		return -ENOMEM;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < wanted->n; i++) {
			const struct peer *peer = &wanted->peers[i];
			unsigned what = peer_delta(peer, peer_table_find(actual, peer->public_key), now_sec);
			if (what && takes_away(what) == (pass == 1))
				plan_put(&plan, peer->public_key, what, peer);
		}
	for (size_t i = 0; i < actual->n; i++)
		if (!peer_table_find(wanted, actual->peers[i].public_key))
			plan_put(&plan, actual->peers[i].public_key, PEER_REMOVE, NULL);
	*ret = plan;
	return 0;
}
