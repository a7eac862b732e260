// A node gets another WireGuard key (DESIGN 6): it makes the next one, its peers take that without
// addresses, the node switches, and each peer moves the addresses at the new key's first handshake.
// The region says when, one node at a time. Pure; doing it is key-rotation-run.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/store.h"

enum {
	KEY_ROTATION_HEARD_SEC = 60, // who was not heard for longer is not waited for
	KEY_ROTATION_PEERS_SEC = 120 // nor is a peer that does not fetch the next key for longer
};
/* A node that is heard and does not do its part, to make its next key or to switch to it, for giveUpSec
 * (cluster.yaml's meshKeys) is given up, so that the others have their turn. One that was not told to
 * switch is done with at once. One that was may be switching that moment, so that peers keep both keys
 * until it says that it uses the old one and has no next one (KEY_ROTATION_STOPPING). */

const char *key_rotation_state_name(int64_t state); // "waiting", "preparing" ...
const char *key_rotation_sentence(int64_t state);   // for people

struct key_rotation_facts {
	enum key_rotation_state state;
	bool is_heard;	      // the node, lately
	bool other_goes_on;   // one of another node that is heard, past waiting
	bool other_switches;  // ... that was told to switch and did not say so yet
	size_t n_missing;     // peers that are heard and have not fetched the next key
	int64_t state_sec;    // for how long it is in this state, without the time that does not count
	int64_t give_up_sec;
};
// The state after what is known now; what the node itself reports is key_report_judge()'s.
enum key_rotation_state key_rotation_next(const struct key_rotation_facts *facts);

enum key_report {
	KEY_REPORT_NOTHING,
	KEY_REPORT_PREPARED, // it has a next key that peers are to get
	KEY_REPORT_LOST,     // the next key that peers have is no more; it makes another one
	KEY_REPORT_DONE,     // it uses the next key
	KEY_REPORT_KEPT,     // it was told to keep its key, and does
	KEY_REPORT_OTHER     // it uses a key that nobody was told of, and it is proven there
};
struct key_report_facts {
	const char *recorded;	      // the node's key as peers know it
	enum key_rotation_state state; // KEY_ROTATION_DONE, _GIVEN_UP: none goes on
	const char *announced;	      // the next key that peers were told; "" none
	const char *current, *next;   // as the node says; next may be NULL
	bool proven;
};
enum key_report key_report_judge(const struct key_report_facts *facts);
