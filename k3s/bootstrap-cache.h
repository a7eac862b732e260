// The last verified artifact on disk: manifest, layer, and under which keys it was verified. A node that comes up while
// the registry is silent goes on with it; every byte is checked against the digest again, and other keys void it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "k3s/oci-pull.h"

enum { BOOTSTRAP_LAYER_MAX = 16 << 20 };

// SHA-256 over the sorted pins of the keys: which trust this was verified under. -EINVAL: one is no public key.
int bootstrap_keys_hash(const char *const *key_pems, size_t n_keys, char ret[static 65], struct diag *reterr);
/* The one layer of a Flux artifact. -EBADMSG with a diag when @manifest is something else or too large. */
int bootstrap_layer(const char *manifest, size_t n, struct oci_layer *ret, struct diag *reterr);
/* 0: *ret is the layer of @digest, verified under these keys before. -ENOENT otherwise, whatever the reason: pull. */
int bootstrap_cache_load(const char *folder, const char *digest, const char *keys_hash, char **ret, size_t *ret_n);
// Keep it and drop every other artifact in @folder.
int bootstrap_cache_save(const char *folder, const char *digest, const char *keys_hash, const char *manifest,
	size_t n_manifest, const char *layer, size_t n_layer, struct diag *reterr);
