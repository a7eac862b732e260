// Value trees that are made, not parsed: documents of a bootstrap and a chart's values, merged and written as YAML.
// What is put in is copied. Keys of a path end with NULL; maps on the way are made.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

struct value *tree_new(enum value_type type); // NULL: no memory
int tree_copy(const struct value *from, struct value *into);
/* Put a scalar (@text as it is written; a bool's "true") or a copy of @from. -EEXIST: something that is no map is in the
 * way; -ENOMEM. */
int tree_put(struct value *root, enum value_type type, const char *text, ...) __attribute__((sentinel));
int tree_put_copy(struct value *root, const struct value *from, ...) __attribute__((sentinel));
// A new last item of the array at the path, which is made when it is missing; NULL: no memory, or no array.
struct value *tree_append(struct value *root, enum value_type type, const char *text, ...) __attribute__((sentinel));
/* Helm's rule: maps are merged key by key, everything else of @from replaces, a null takes away. */
int tree_merge(struct value *into, const struct value *from);
// Value at a dotted path, "hubble.relay.enabled"; NULL when it is not there.
const struct value *tree_find(const struct value *root, const char *dotted);
int tree_put_dotted(struct value *root, enum value_type type, const char *text, const char *dotted);
// The text of any scalar ("true", "6443"), NULL of others.
const char *tree_scalar(const struct value *value);

/* The tree as YAML in block style, in the order of its keys; texts are quoted where YAML 1.1 or 1.2 would take them for
 * something else. Plain yes/no/on/off of a file are written as the bools that Helm takes them for. Caller frees. */
char *tree_to_yaml(const struct value *value);
