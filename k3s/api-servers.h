// Which API server this node talks to: the rule behind the stable API address (DESIGN 7). Pure: the caller probes
// (GET https://ADDRESS:6443/readyz), tells what came, and asks who is next. A server uses its own apiserver while that is
// ready, else another one that is. A worker stays with one that is ready, and leaves it when two probes in a row fail.
// When nobody is ready nothing changes: the one at hand is as good as any.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

enum {
	API_SERVERS_MAX = 16,
	API_SERVERS_NONE = -1,
	API_PROBE_SEC = 5,       // while all is well
	API_PROBE_AGAIN_SEC = 1, // after a failure: two of them and a timeout each fit into ten seconds
	API_PROBE_TIMEOUT_SEC = 2,
	API_PROBE_FAILURES = 2,  // in a row: it is not ready
	// While nobody is ready there is nothing to choose, and each probe that is given up costs a server that is late already.
	API_PROBE_MAX_SEC = 15,
	API_PROBE_PATIENT_SEC = 10,
};

struct api_server {
	char name[254], address[64];
	bool ready;          // the last probe found it so, and since then fewer than API_PROBE_FAILURES failed
	unsigned n_failures; // in a row
};
struct api_servers {
	size_t n;
	struct api_server servers[API_SERVERS_MAX];
	int own;    // this node's, API_SERVERS_NONE on a worker
	int target; // API_SERVERS_NONE until the first api_servers_set()
};

struct api_servers_member {
	const char *name, *address;
};
/* The membership. Who was there with the same address keeps what is known of it, the target stays if it is still there.
 *   self       this node's name
 *   remembered address of the target before a restart of the caller, or NULL
 * Beyond API_SERVERS_MAX nobody is taken. An empty list has no target. */
void api_servers_set(struct api_servers *servers, const struct api_servers_member *members, size_t n, const char *self,
	const char *remembered);
// What a probe of server @at found. True: the target is another one now.
bool api_servers_answer(struct api_servers *servers, size_t at, bool ready);
// Is @at worth a probe? Our own and the target always, the others only while those two do not do; an only server never.
bool api_servers_wants(const struct api_servers *servers, size_t at);
/* When the next round of probes is due: API_PROBE_SEC, sooner when the target failed once, later the longer nobody is ready, up
 * to API_PROBE_MAX_SEC: every node does this. */
unsigned api_servers_wait_sec(const struct api_servers *servers);
// How long a probe waits for its answer: API_PROBE_TIMEOUT_SEC, API_PROBE_PATIENT_SEC while nobody is ready.
unsigned api_servers_timeout_sec(const struct api_servers *servers);
const struct api_server *api_servers_target(const struct api_servers *servers); // NULL: none
