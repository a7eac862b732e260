// Bringing one artifact here: its manifest, its signature, its one layer, in this order and from one place; the next place
// when that fails. Nothing of it is opened. Kept in the cache when there is one. What is done with it, and when to try again,
// is bootstrap.c's.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "k3s/bootstrap-cache.h"
#include "k3s/cosign.h"

enum bootstrap_pull_step { BOOTSTRAP_PULL_VERIFYING, BOOTSTRAP_PULL_LAYER };
struct bootstrap_pulled {
	int error;                // 0, or why not
	bool refused;             // by what it is, not by the way to it
	const struct diag *diag;  // with error
	unsigned retry_after_sec; // with error: not before, 0 when the registry does not say
	// without:
	const char *digest, *layer_path;
	bool kept; // the cache knows it; without a cache the layer is gone after the callback
};
struct bootstrap_pull_config { // all borrowed, to outlive the pull
	sd_event *event;
	const struct oci_source *sources; // asked in this order
	size_t n_sources;                 // at least 1
	const char *const *key_pems;
	size_t n_keys;
	const char *keys_hash;
	const char *cache_folder; // "": not kept
	const char *work_folder;  // where the layer lies then
	/* The manifest is here: what it was asked for by names this digest. false: that was all, on_pulled does not come. NULL:
	 * go on. */
	bool (*on_named)(const char *digest, void *user);
	void (*on_step)(enum bootstrap_pull_step step, void *user);
	void (*on_pulled)(const struct bootstrap_pulled *pulled, void *user);
	void *user;
};
struct bootstrap_pull;
/* @reference: a digest or a tag. The pull frees itself when on_named says false, and before on_pulled is called; until then
 * bootstrap_pull_cancel() ends it without a callback. Neither comes before this returns. */
int bootstrap_pull_start(const struct bootstrap_pull_config *config, const char *reference, struct bootstrap_pull **ret);
void bootstrap_pull_cancel(struct bootstrap_pull *pull); // NULL is fine
