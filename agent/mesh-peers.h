// The peers of this node's mesh as the region gives them: a full list, then deltas (GET /v1/mesh). What changed is kept per
// peer until it was set in the kernel, so that nothing has to be read from there first. Pure; setting is netconf's business,
// and what the peers answer mesh-health.h's. A peer whose key rotates is two of them. With N peers: an answer costs one pass over them (and, when ranges changed, a
// sort of these), a peer about 350 bytes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"
#include "netconf/netconf.h"

enum { MESH_MAX_BYTES = 8 << 20, MESH_MAX_PEERS = 5000, MESH_ADDRESS_TEXT = 64 };

struct mesh_peer {
	char *name, *public_key, *endpoint; // endpoint may be NULL
	char *next_of; // this is the next key of the peer with that key, a peer of its own in the kernel; NULL: it is not
	char **allowed_ips;
	size_t n_allowed_ips;
	uint16_t keepalive_sec;
	unsigned change; // enum netconf_peer_what: what the kernel does not have yet
	bool renew;      // it loses its endpoint, which only a new peer has not
	// what it does, by the kernel (mesh-health.h)
	bool in_kernel;
	char *roamed; // where it is, when that is not @endpoint; else NULL
	int64_t handshake_ago_sec; // -1: never
	uint64_t rx_bytes, tx_bytes;
	uint64_t heard_usec;      // when something came from it last, or the kernel was first looked at; 0: it was not yet
	uint64_t unanswered_usec; // since when we send and hear nothing; 0: not
	uint64_t quiet_usec;      // since when it does not answer; 0: it does
	uint64_t asked_usec;      // when it was last asked for a handshake
	uint64_t proof_usec;      // ... for an answer that proves a network (mesh-answers.h)
};
struct mesh_peers {
	char generation[64]; // "" before the first answer
	size_t n;
	struct mesh_peer *peers; // by public key
	char **removed;          // keys that the kernel has still
	size_t n_removed;
	struct mesh_reserved { // ranges that no peer may have
		char *range, *whose; // "the address of eth1"
	} *reserved;
	size_t n_reserved;
};
void mesh_peers_done(struct mesh_peers *peers);
/* Apply one answer: all or nothing. -EINVAL with a diag; @peers is then as before. Two peers with ranges that overlap are
 * refused by their names, and so is one with a range that is reserved. */
int mesh_peers_update(struct mesh_peers *peers, const char *json, size_t n, struct diag *reterr);
/* Reserve what the network document declares, in place of what was reserved before (@n 0: nothing). -EINVAL with a diag: a
 * peer that is there overlaps one of them; they are reserved all the same. -ENOMEM. */
int mesh_peers_reserve(struct mesh_peers *peers, const struct netconf_declared *declared, size_t n, struct diag *reterr);
const struct mesh_peer *mesh_peers_find(const struct mesh_peers *peers, const char *public_key); // NULL: none
/* What the kernel does not have yet, borrowed; NULL with *ret_n 0 when it has all. Removals come last: a range that moves to
 * another peer is nobody's at no moment. The caller frees the array. -ENOMEM. */
int mesh_peers_changes(const struct mesh_peers *peers, struct netconf_peer_change **ret, size_t *ret_n);
void mesh_peers_set(struct mesh_peers *peers); // it has all of it now
// The whole list in the form of a full answer, for STATE; the caller frees.
char *mesh_peers_to_json(const struct mesh_peers *peers);
bool mesh_peers_rotate(const struct mesh_peers *peers); // one of them has a next key
/* The ranges of a peer with a next key belong to whichever of the two keys shook hands last: a machine uses one at a time, and
 * may go back. True: some are to be moved, which is a change. */
bool mesh_peers_settle(struct mesh_peers *peers);
// Borrowed views for netconf_set_peers(); the caller frees the array. NULL: out of memory (or no peers).
struct netconf_peer *mesh_peers_view(const struct mesh_peers *peers);
// The peer whose allowed-ips hold exactly the address @address (a /32 or /128), or NULL.
const struct mesh_peer *mesh_peer_with_address(const struct mesh_peers *peers, const char *address);
// The address of @peer in the mesh: its first range's. It must have one.
void mesh_peer_address(const struct mesh_peer *peer, char ret[static MESH_ADDRESS_TEXT]);
