// A manifest file: several YAML documents in one text, each one Kubernetes object. Splitting is ours ("---" lines,
// as Kubernetes' own reader does); each document is parsed by base/yaml.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

enum { MANIFEST_MAX_OBJECTS = 1000, MANIFEST_MAX_BYTES = 8 << 20 };

struct manifest_object {
	char *api_version, *kind, *name; // required
	char *namespace;                 // NULL when the document names none
	struct value *document;          // NULL after manifest_forget()
};
struct manifest {
	size_t n;
	struct manifest_object *objects;
};
struct manifest *manifest_free(struct manifest *manifest);
DEFINE_CLEANUP(manifest)
/* Documents that are empty or only comments are skipped; a List is taken apart by nobody: refused with a sentence.
 * @name: the file's name for messages. */
int manifest_parse(const char *text, size_t n, const char *name, struct manifest **ret, struct diag *reterr);

/* Forget the documents of all objects but those of @kept_kind; what identifies them stays. The tree of a big CRD takes twice
 * the bytes of its text. */
void manifest_forget(struct manifest *manifest, const char *kept_kind);

/* Walk the documents of a stream: 1 and a slice of @text (without its "---" line), 0 at the end. *cursor starts at 0. */
int manifest_split(const char *text, size_t n, size_t *cursor, const char **ret_document, size_t *ret_n);
