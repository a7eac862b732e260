// The stage folders of an unpacked bootstrap, in order; which one to lay next; and the files in K3s' manifests folder
// that lay it. When an object of a stage is ready is object.h's question.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/manifest.h"

enum stage_id { STAGE_CRDS, STAGE_CNI, STAGE_STORAGE, STAGE_FLUX, STAGE_SECRETS, STAGE_SYNC, N_STAGES };
const char *stage_folder(enum stage_id id); // "10-crds", "20-cni", ...

struct stage_file {
	char *name; // in K3s' manifests folder: hearth-10-crds-NAME.yaml
	char *text; // after substitution; of 40-secrets with the secrets in it, wiped when freed
	size_t n;
	struct manifest *manifest; // without the secrets
	struct manifest *waits;    // what else its objects bring (k3s/stage-waits.h); NULL: nothing
	bool own;                  // not of the artifact: stages_set_extras()
};
// Of an artifact, per stage; and what hearthd adds to that.
enum { STAGE_MAX_FILES = 200, STAGE_MAX_EXTRAS = 260 };
struct stage {
	size_t n_files;
	struct stage_file files[STAGE_MAX_FILES + STAGE_MAX_EXTRAS];
	char *blocked; // why it cannot be laid yet (a secret is not set at the region), NULL when it can
};
struct stages {
	struct stage of[N_STAGES]; // a folder that is not there is a stage without files: ready at once
	bool own_only; // there is no artifact: files and Addons of one that was laid before are nobody's to take away
};
struct stages *stages_free(struct stages *stages);
DEFINE_CLEANUP(stages)
/* Read the stage folders below @folder, substitute, fill in @secrets (object NAME: text, or NULL; borrowed), parse. A
 * secret that is not there blocks its stage and is no error. Folders or files that are no stage, no .yaml/.yml/.json, or
 * whose name is no Addon name are refused by name. */
int stages_load(const char *folder, const struct value *variables, const struct value *secrets, struct stages **ret,
	struct diag *reterr);

/* Files of 25-storage that hearthd itself lays (k3s/storage.h), by their names in K3s' folder. No artifact may use these
 * names. */
#define STAGE_OWN_PREFIX "hearth-25-storage-hearth-"
/* Files with these prefixes are unlinked when they are no longer wanted and never emptied: K3s then leaves their objects
 * alone. A PersistentVolume has to stay, and a Namespace takes all that is in it along. */
#define STAGE_OWN_VOLUME_PREFIX STAGE_OWN_PREFIX "volume-"
#define STAGE_KEPT_PREFIX "hearth-40-secrets-namespace-" // of the artifact's Secrets
struct stage_extra {
	char *name, *text;
};
struct stage_extras {
	size_t n;
	struct stage_extra *items;
};
struct stage_extras *stage_extras_free(struct stage_extras *extras);
DEFINE_CLEANUP(stage_extras)
struct stage_extras *stage_extras_copy(const struct stage_extras *extras); // NULL: none; returns NULL when memory ran out
/* Make @extras the only own files of 25-storage (copied; NULL: none). -EINVAL when the artifact has a file of that name, or
 * a default StorageClass or a class of the same name beside ours: two defaults are none. After a failure @stages must not
 * be laid. */
int stages_set_extras(struct stages *stages, const struct stage_extras *extras, struct diag *reterr);

// Per stage, as far as is known. stages_next() names the first stage that is not laid (lay it, even when it is empty: it
// may have files to take away) or not ready (wait), else STAGE_NEXT_DONE and N_STAGES.
struct stage_state {
	bool laid, ready;
};
enum stage_next { STAGE_NEXT_LAY, STAGE_NEXT_WAIT, STAGE_NEXT_DONE };
enum stage_next stages_next(const struct stages *stages, const struct stage_state states[static N_STAGES],
	enum stage_id *ret_stage);

/* Make the hearth-STAGE-* files in @folder equal to stage @id of @stages: changed files are replaced atomically; files that are no
 * longer wanted are emptied first (K3s prunes then) and unlinked once they have been empty for @prune_sec; those that are
 * never emptied are unlinked at once.
 * Returns the number of files still waiting to be unlinked, or negative errno. */
int stage_files_apply(const char *folder, const struct stages *stages, enum stage_id id, unsigned prune_sec,
	struct diag *reterr);
/* When the file was last written in @folder, wall time: K3s looks at it only a while later. -ENOENT: it is not there. */
int stage_file_written(const char *folder, const struct stage_file *file, int64_t *ret_wall_sec);
// Are all files of the stage there with that content?
bool stage_files_laid(const char *folder, const struct stage *stage);
/* K3s names an Addon in the cluster for each file it ever applied, whichever server laid it. Is @addon one of a stage whose
 * file @stages does not have any more? Then what it applied has to be pruned. False for those that are never emptied. */
bool stage_addon_is_left(const struct stages *stages, const char *addon);
/* Lay an emptied file for such an Addon, unless a file of it is there: K3s prunes then, and stage_files_apply() unlinks it.
 * Negative errno with a diag. */
int stage_files_empty(const char *folder, const char *addon, struct diag *reterr);
/* Another server holds the Lease: take our files of all stages away without emptying them (nothing is pruned then; that
 * server's own files are what counts). */
int stage_files_leave(const char *folder);
