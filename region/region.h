// The running region: its keys, store and rules, and the people waiting for changes. One lock
// guards all of it; handlers of every listener take it. Answers that depend on a write leave after
// the commit (http-server.c). SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/crypto.h"
#include "region/cluster-config.h"
#include "region/mesh-sight.h"
#include "region/request.h"
#include "region/store.h"

#include <pthread.h>

struct http_server;
struct mesh_offers;
struct session_table;

// What nodes have fetched of the mesh, while it matters (key-rotation-run.h). In memory alone: they ask
// again twice a minute.
struct mesh_fetch {
	char id[ID_TEXT];
	int64_t generation;
};
struct mesh_fetches {
	struct mesh_fetch *list; // by id
	size_t n, n_missing;	 // at the last step, and as many are waited for since
	int64_t wanted;		 // from this generation on; 0: nobody waits
};

struct region {
	pthread_mutex_t lock;
	const char *dir, *boot_dir, *layout_dir; // borrowed; the latter two may be NULL
	struct cluster_config *config;
	struct store *store;
	char *ca_pem, *server_pem, *server_key_pem;
	struct key *ca_key, *server_key;
	uint8_t *ca_spki;
	size_t n_ca_spki;
	uint8_t ca_sha256[32], server_sha256[32];
	int64_t server_not_before_sec, server_not_after_sec;
	char ca_pin[PIN_TEXT];
	uint8_t seal_key[32];
	char epoch[17];
	char *pull_user, *pull_password;
	struct mesh_offers *offers; // of endpoints that nodes see of each other; never NULL once loaded
	struct mesh_sights sights;  // of nodes that come from elsewhere than their place says
	int64_t last_time_sec; // last sane wall time, also in the store
	uint64_t started_usec;
	int64_t loaded_sec, away_sec; // when it started; for how long it had been away then
	struct http_server *http;
	struct session_table *sessions;
	// waiting and committing (http-server.c)
	struct request *waiting, *committing;
	bool commit_pending, wake_all, stopping;
	int wake_fd;
	uint64_t n_requests, n_refused; // for /metrics
	struct mesh_fetches fetches;
};

// Load keys, rules and store of @dir. -ESTALE: the clock cannot be right (diag says what to do).
int region_load(struct region *region, const char *dir, struct diag *reterr);
void region_unload(struct region *region);

// Let those waiting for @topic ("cluster" or an enrolment id) look again after the next commit.
void region_wake(struct region *region, const char *topic);
void region_audit(struct region *region, const char *actor, const char *action, const char *subject,
	const char *format, ...) PRINTF_LIKE(5, 6);
int64_t region_now_sec(const struct region *region);
// How long @node was not heard, without the time in which the region itself was away.
int64_t region_silence_sec(const struct region *region, const struct node *node);
// 0; -ESTALE when the wall clock left what it can be since the last tick: then no time and no
// certificate is signed.
int region_check_clock(struct region *region, struct diag *reterr);
void region_tick(struct region
		*region); // every few seconds: remember the time, forget machines unheard for a day

// Secrets, sealed. Names: "token", "token-next", "token-previous" (rotation.h), "agent-token", "pull", "kubeconfig", "server-token",
// "user/NAME".
int region_secret_put(struct region *region, const char *name, const char *text);
int region_secret_get(
	struct region *region, const char *name, char **ret); // -ENOENT; the caller wipes and frees
int region_secret_remove(struct region *region, const char *name);
void secret_text_free(char **text);			      // wipes; for CLEANUP
// A node that may know it, or gave it, was revoked since it was put (rotation.h). false: there is
// none.
int region_secret_is_doubtful(struct region *region, const char *name, bool *ret);

int region_node_certificate(struct region *region, struct node *node, const uint8_t *spki,
	size_t n_spki, struct diag *reterr);
// Issue a new server certificate into the folder and this struct. Used by init and when the old one
// is two thirds old.
int region_server_certificate(struct region *region, struct diag *reterr);
int region_cluster(struct region *region, struct cluster **ret); // the cluster's record
// A node's place in the mesh changed: new generation, everybody is told.
int region_mesh_changed(struct region *region, struct node *node);
int region_mesh_remove(struct region *region, const char *public_key);
