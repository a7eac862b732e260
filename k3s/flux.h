// What Flux says of its own objects: the lists of its kinds become one order (what is waited for stands before what waits
// for it), how many are ready, the first that is not, and why. Pure; asking the API is flux-watch.h's.
// Source: fluxcd/pkg apis/meta (conditions, dependsOn, observedGeneration), kustomize-controller and helm-controller API
// references (spec.dependsOn, sourceRef, chartRef, wait, healthChecks), kstatus for what Ready means.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/json.h"

enum flux_kind { // sources before what consumes them
	FLUX_GIT_REPOSITORY,
	FLUX_OCI_REPOSITORY,
	FLUX_BUCKET,
	FLUX_EXTERNAL_ARTIFACT,
	FLUX_HELM_REPOSITORY,
	FLUX_HELM_CHART,
	FLUX_KUSTOMIZATION,
	FLUX_HELM_RELEASE,
	N_FLUX_KINDS,
};
const char *flux_kind_name(enum flux_kind kind);   // "GitRepository"
const char *flux_kind_plural(enum flux_kind kind); // "gitrepositories"
const char *flux_kind_api(enum flux_kind kind);    // "source.toolkit.fluxcd.io/v1"

enum {
	FLUX_MAX_OBJECTS = 10000, // of all kinds: more than any cluster runs
	FLUX_MAX_EDGES = 100000,  // of all objects: who waits for whom
	FLUX_MAX_CYCLES = 8,      // that are named
	FLUX_MAX_ITEMS = 32,      // in the status document
	FLUX_MESSAGE_MAX = 512,   // bytes of a message, the rest is cut
	FLUX_SENTENCE_MAX = 1024,
};

struct flux_reference {
	enum flux_kind kind;
	char *namespace, *name;
};
struct flux_object {
	enum flux_kind kind;
	char *namespace, *name;
	bool ready, suspended;
	bool wait;         // Kustomization: it is ready only when all that it applies is
	int64_t since_sec; // wall time of the condition that makes it not ready; 0: not known
	char *message;     // why it is not ready, printable, FLUX_MESSAGE_MAX at most; NULL when it is
	size_t n_references;
	struct flux_reference *references; // what it waits for: dependsOn, source, health checks
	bool has_source, has_parent;
	size_t source;                // has_source: which of the references
	struct flux_reference parent; // has_parent: the Kustomization that applied it
	const char *cycle;            // NULL, or the circle of objects that wait for each other; borrowed from struct flux
};
struct flux_edge {
	size_t waiter, waited; // indexes into objects
};
struct flux {
	size_t n, n_ready, n_suspended;
	struct flux_object *objects; // after flux_arrange(): in dependency order
	size_t n_edges;
	struct flux_edge *edges; // after flux_arrange(): sorted by waiter
	size_t n_cycles;
	char *cycles[FLUX_MAX_CYCLES];
};
struct flux *flux_new(void); // NULL: no memory
struct flux *flux_free(struct flux *flux);
DEFINE_CLEANUP(flux)

/* One page of a list of @kind: {"items": [...]}. -EBADMSG: it is no such list, or an object of it has no name;
 * -E2BIG: more than FLUX_MAX_OBJECTS; -ENOMEM. After a failure @flux is of no use. */
int flux_add(struct flux *flux, enum flux_kind kind, const struct value *list, struct diag *reterr);
/* After the last page: put them in order, count, find circles. Once. 0; -E2BIG more than FLUX_MAX_EDGES; -ENOMEM. */
int flux_arrange(struct flux *flux, struct diag *reterr);

// The first in order that is not ready; NULL when all are.
const struct flux_object *flux_first(const struct flux *flux);
/* One sentence about flux_first(): what it is, since when, why, what waits behind it, where it is mended. "" when all are
 * ready. The age goes in steps, so that the sentence changes only now and then. */
void flux_sentence(const struct flux *flux, int64_t now_sec, char ret[static FLUX_SENTENCE_MAX]);
// "" when nothing is suspended, else a warning that names the first.
void flux_suspended(const struct flux *flux, char ret[static FLUX_SENTENCE_MAX]);
// {"n","nReady","items"} of docs/contracts.md.
void flux_to_json(const struct flux *flux, int64_t now_sec, struct json_out *out);
