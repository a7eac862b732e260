// WireGuard peers as values, and the delta between the peers that are wanted and those the kernel has. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"
#include "netconf/address.h"

enum { PEER_KEY_BYTES = 32, PEER_KEY_TEXT = 45, PEER_MAX = 5000, PEER_MAX_ALLOWED = 4096 };
enum { PEER_FRESH_SEC = 180 }; // REJECT_AFTER_TIME of the protocol: an older handshake is no session

struct peer {
	uint8_t public_key[PEER_KEY_BYTES], preshared_key[PEER_KEY_BYTES]; // preshared: zero = none
	struct ip endpoint;                                                // family 0: none
	uint16_t endpoint_port, keepalive_sec;
	struct address *allowed; // masked
	size_t n_allowed;
	// only of the kernel's peers
	int64_t handshake_sec; // wall time; 0: never
	int64_t handshake_nsec; // below the second
	uint64_t rx_bytes, tx_bytes;
};
struct peer_table {
	struct peer *peers;
	size_t n, n_room;
};
void peer_table_done(struct peer_table *table); // wipes
/* A zeroed peer at the end; borrowed, moves when the table grows. NULL: out of memory. */
struct peer *peer_table_add(struct peer_table *table);
int peer_add_allowed(struct peer *peer, const struct address *allowed); // masks; -ENOMEM, -E2BIG
void peer_table_sort(struct peer_table *table); // by key; allowed by address
const struct peer *peer_table_find(const struct peer_table *sorted, const uint8_t public_key[static PEER_KEY_BYTES]);

int peer_key_parse(const char *base64, uint8_t ret[static PEER_KEY_BYTES]); // -EINVAL
const char *peer_key_format(const uint8_t key[static PEER_KEY_BYTES], char buffer[static PEER_KEY_TEXT]);
/* A key file: base64 and white space. -EINVAL never shows what is in it. */
int peer_key_load(const char *path, uint8_t ret[static PEER_KEY_BYTES], struct diag *reterr);

/* Refuse a table that cannot hold: one key twice, one allowed address of two peers. Sorts @table. -EINVAL, -ENOMEM. */
int peer_table_check(struct peer_table *table, struct diag *reterr);

enum peer_what {
	PEER_NEW = 1,
	PEER_REMOVE = 2,
	PEER_ENDPOINT = 4,
	PEER_KEEPALIVE = 8,
	PEER_PRESHARED = 16,
	PEER_ALLOWED_ADD = 32,     // none is taken away: no moment without allowed addresses
	PEER_ALLOWED_REPLACE = 64,
};
struct peer_change {
	uint8_t public_key[PEER_KEY_BYTES];
	unsigned what;
	const struct peer *wanted; // NULL with PEER_REMOVE; borrowed
};
struct peer_plan {
	/* Who gains allowed addresses first, then who loses some, removals last: the kernel moves an address to its new
	 * peer in one step, so one that moves (key rotation) is at no moment nobody's. */
	struct peer_change *changes;
	size_t n;
};
void peer_plan_done(struct peer_plan *plan);
/* @wanted and @actual sorted. What is not wanted is removed.
 * An endpoint that differs is set only when the last handshake is older than PEER_FRESH_SEC. -ENOMEM. */
int peer_plan_make(const struct peer_table *wanted, const struct peer_table *actual,
	int64_t now_sec, struct peer_plan *ret);
