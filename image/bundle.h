// What a bootstrap is made of, read for judging: every object of its stages and, when a checkout of the Git or OCI source
// is given, of the folders that its Kustomizations name. What it is judged by is preflight.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/manifest.h"

enum bundle_stage { BUNDLE_CRDS, BUNDLE_CNI, BUNDLE_STORAGE, BUNDLE_FLUX, BUNDLE_SECRETS, BUNDLE_SYNC, BUNDLE_N_STAGES };
enum { BUNDLE_TREE = BUNDLE_N_STAGES, BUNDLE_MAX_FILES = 4000, BUNDLE_MAX_DEPTH = 16, BUNDLE_MAX_STAGE_FILES = 200 };
const char *bundle_stage_folder(enum bundle_stage stage); // "10-crds" (k3s/stages.h)

struct bundle_object {
	unsigned stage;     // enum bundle_stage, or BUNDLE_TREE: applied by Flux
	size_t group;       // BUNDLE_TREE: index of the Flux Kustomization in objects[] that applies it
	const char *where;  // file, for messages
	const struct manifest_object *object;
};
struct bundle {
	size_t n, n_files;
	struct bundle_object *objects;
	struct manifest **manifests; // own what objects borrow
	char **names;
};
void bundle_done(struct bundle *bundle);
// The objects of one file's text. -EINVAL with its name and line.
int bundle_add(struct bundle *bundle, unsigned stage, size_t group, const char *where, const char *text, size_t n,
	struct diag *reterr);
// The stage folders below @folder; those that are not there are empty. What nodes refuse by its name (k3s/stages.h) is
// -EINVAL, too, by the same rule.
int bundle_load(struct bundle *bundle, const char *folder, struct diag *reterr);
// The .yaml and .yml files below @folder as applied by objects[group]; what is no manifest (a patch, a values file) is left.
int bundle_load_tree(struct bundle *bundle, const char *folder, size_t group, struct diag *reterr);

// Group of "apps/v1"; "" of "v1". Caller frees.
char *bundle_api_group(const char *api_version);
bool bundle_is(const struct bundle_object *object, const char *group, const char *kind);
const char *bundle_namespace(const struct bundle_object *object); // "default" when it names none
