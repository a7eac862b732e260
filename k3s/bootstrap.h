// The bootstrap of one cluster, kept true: pull the artifact by digest or tag, verify its signature before a byte of it is
// unpacked, unpack, substitute, lay stage after stage while this server holds the Lease, watch readiness. Whatever is
// refused is said in one sentence and tried again with backoff; nothing of a refused artifact is applied and what was
// laid before stays, watched like any other: the last one that was entirely ready is kept on disk.
// An artifact that gets no further for come_back_sec, by its own fault while this server lays it, is given up for that last
// one (never the other way round, and never one that was entirely ready itself), until another digest or other variables
// are wanted. Which one was entirely ready last stands in the Lease, too: who takes it over knows it, and pulls it when it
// has to come back and is not here; until then it watches, if all it has is an older one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "k3s/cosign.h"
#include "k3s/kube.h"
#include "k3s/stages.h"

enum bootstrap_phase {
	BOOTSTRAP_PULLING,
	BOOTSTRAP_VERIFYING,
	BOOTSTRAP_UNPACKING,
	BOOTSTRAP_WATCHING, // artifact is good: laying (holder) and watching
	BOOTSTRAP_STEADY,   // every stage is ready
};
const char *bootstrap_phase_text(enum bootstrap_phase phase);

struct bootstrap_status {
	enum bootstrap_phase phase;
	int error;                  // why the last attempt was refused, 0 when it was not
	bool holder;                // we hold the Lease
	bool cluster_network_ready; // 10-crds and 20-cni
	bool ready;                 // every stage
	enum stage_id stage;        // the first that is not ready, N_STAGES when all are
	char digest[OCI_DIGEST_TEXT]; // of the one that is laid or watched, "" none yet
	bool came_back;             // that one is the last good one, as the wanted one is refused or was given up
	char sentence[1024];        // what it waits for and why; "" when steady
};

enum { BOOTSTRAP_MAX_SOURCES = 17 };

struct bootstrap_config {
	sd_event *event;
	struct kube *kube;             // admin; borrowed, outlives the bootstrap
	const struct oci_source *sources; // copied, their clients borrowed: asked in this order, the registry itself last
	size_t n_sources;              // 1 to BOOTSTRAP_MAX_SOURCES; without an artifact 0
	const char *digest;            // "sha256:..."; NULL: as @tag says
	const char *tag;               // without a digest: looked up again every look_sec, the signature is over its digest
	                               // NULL too: there is no artifact, only @extras
	const struct stage_extras *extras; // beside the artifact's 25-storage, or NULL; copied
	const struct value *variables; // object or NULL; copied
	/* What people stored at the region, object NAME: text, or NULL; borrowed, outlives the bootstrap (others: a new
	 * bootstrap). Stage 40-secrets waits for those that it names and that are not there. */
	const struct value *secrets;
	const char *const *key_pems;   // allowed keys, already narrowed; copied
	size_t n_keys;
	const char *self;              // name of this node, the Lease holder
	const char *manifests_folder;  // NULL: /var/lib/rancher/k3s/server/manifests
	const char *work_folder;       // NULL: /run/hearth/bootstrap; made when missing
	/* The verified artifact is kept here, so that a silent registry stops nobody. NULL: /state/hearth/bootstrap; "":
	 * not kept. */
	const char *cache_folder;
	uint64_t max_backoff_usec;     // 0: 30 s
	unsigned look_sec;             // 0: 60
	unsigned come_back_sec;        // 0: never
	unsigned prune_sec;            // 0: 45 (K3s looks every 15 s; within half of this it surely has)
	void (*on_changed)(const struct bootstrap_status *status, void *user);
	void *user;
};
struct bootstrap;
int bootstrap_new(const struct bootstrap_config *config, struct bootstrap **ret, struct diag *reterr);
// Stops; what is laid stays. Not from inside on_changed.
struct bootstrap *bootstrap_free(struct bootstrap *bootstrap);
DEFINE_CLEANUP(bootstrap)
const struct bootstrap_status *bootstrap_status(const struct bootstrap *bootstrap);
/* Lay other extras from now on (copied; NULL: none). Not from inside on_changed. -ENOMEM. */
int bootstrap_set_extras(struct bootstrap *bootstrap, const struct stage_extras *extras);
const char *bootstrap_holder(const struct bootstrap *bootstrap); // who holds the Lease as far as is known, "" unknown
void bootstrap_retry(struct bootstrap *bootstrap); // network changed or a key was pressed: try now
