// What a bootstrap keeps of its config: checked, its defaults filled in, copied where bootstrap.h
// says so. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "k3s/bootstrap.h"

struct bootstrap_settings {
	sd_event *event;				  // a reference
	struct kube *kube;				  // borrowed
	struct oci_source sources[BOOTSTRAP_MAX_SOURCES]; // texts owned
	size_t n_sources;
	char *tag; // NULL: a digest is wanted, or nothing
	char *keys[COSIGN_MAX_KEYS];
	size_t n_keys;
	char keys_hash[65]; // "" without an artifact
	struct value *variables;
	char variables_hash[65];     // of the variables, and of the names of the secrets
	const struct value *secrets; // borrowed
	char *self, *manifests_folder, *work_folder, *cache_folder;
	uint64_t max_backoff_usec;
	unsigned prune_sec, look_sec;
	void (*on_changed)(const struct bootstrap_status *status, void *user);
	void *user;
};

/* 0; -EINVAL with a diag that names the member of the assignment; -ENOMEM. *ret must be zeroed
 * before; bootstrap_settings_done() frees it, also after an error. */
int bootstrap_settings_copy(
	const struct bootstrap_config *config, struct bootstrap_settings *ret, struct diag *reterr);
void bootstrap_settings_done(struct bootstrap_settings *settings);
