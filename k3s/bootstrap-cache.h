// The verified artifacts on disk: manifest, layer, and under which keys each was verified; and notes: which one was
// entirely ready last, which one was given up, and what a tag said last. A node that comes up while the registry is silent goes on with what is
// here; every byte is checked against the digest again, and other keys void it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "k3s/oci-pull.h"

enum { BOOTSTRAP_LAYER_MAX = 64 << 20, BOOTSTRAP_NOTE_MAX = 160 };

// SHA-256 over the sorted pins of the keys: which trust this was verified under. -EINVAL: one is no public key.
int bootstrap_keys_hash(const char *const *key_pems, size_t n_keys, char ret[static 65], struct diag *reterr);
/* The one layer of a Flux artifact. -EBADMSG with a diag when @manifest is something else or too large. */
int bootstrap_layer(const char *manifest, size_t n, struct oci_layer *ret, struct diag *reterr);

// Where the layer of @digest is kept. Caller frees; NULL: no memory.
char *bootstrap_cache_layer(const char *folder, const char *digest);
// 0: the layer of @digest is there, verified under these keys before. -ENOENT otherwise, whatever the reason: pull.
int bootstrap_cache_check(const char *folder, const char *digest, const char *keys_hash);
// The layer is there and good: keep it for the next start.
int bootstrap_cache_save(const char *folder, const char *digest, const char *keys_hash, const char *manifest,
	size_t n_manifest, struct diag *reterr);
// Drop every artifact but these; any of them may be "".
void bootstrap_cache_keep(const char *folder, const char *const digests[], size_t n);

enum bootstrap_note {
	BOOTSTRAP_NOTE_READY, // digest of the last one that was entirely ready
	BOOTSTRAP_NOTE_BROKEN, // digest and variables of the one that was given up
	BOOTSTRAP_NOTE_TAG, // digest that a tag had, and the hash that tells the tag
};
// @text NULL takes the note away.
int bootstrap_note_write(const char *folder, enum bootstrap_note note, const char *text);
void bootstrap_note_read(const char *folder, enum bootstrap_note note, char ret[static BOOTSTRAP_NOTE_MAX]); // "" none

/* What @tag of @repository names, for a hearthd that starts while nobody can be asked. @folder "": not kept, and nothing is
 * known. Reading leaves @ret alone when the note is of another tag, or none. */
void bootstrap_tag_note(const char *folder, const char *repository, const char *tag, const char *digest);
void bootstrap_tag_noted(const char *folder, const char *repository, const char *tag, char ret[static OCI_DIGEST_TEXT]);
