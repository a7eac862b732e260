// The tree that JSON and YAML parse to: one shape, so that a decoder serves both. Immutable after parsing; nodes know
// their line and column. Objects keep their order; duplicate keys never get here.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

enum value_type { VALUE_NULL, VALUE_BOOL, VALUE_NUMBER, VALUE_STRING, VALUE_ARRAY, VALUE_OBJECT };

struct value {
	enum value_type type;
	bool boolean;
	bool quoted;           // the scalar was quoted (in YAML a plain `yes`, `1e3` or `007` keeps its text in .text)
	bool plain;            // YAML only: a plain scalar
	uint32_t line, column; // from 1; columns count characters
	uint32_t key_line, key_column; // of an object's member: its key's
	char *text;            // string: the UTF-8 text, NUL-terminated, without NUL inside; number, bool, null: as written
	size_t n;              // array, object: number of members
	struct value *items;   // array: n items; object: n values
	char **keys;           // object: n keys
};

struct value *value_free(struct value *value); // NULL is fine; returns NULL
DEFINE_CLEANUP(value)
struct value *value_free_secret(struct value *value); // the same, and every text in it is wiped

// Borrowed; NULL when @object is NULL, no object, or has no such key.
const struct value *value_find(const struct value *object, const char *key);
// value_find along keys: value_path(v, "cluster", "name", NULL).
const struct value *value_path(const struct value *object, ...) __attribute__((sentinel));
// The text of a string (or, from YAML, of any plain scalar that is not null); else NULL. NULL in, NULL out.
const char *value_text(const struct value *value);
/* What a refusal calls it: its text in quotes (a long one is cut), "an empty value" (also an empty text), "a list", "an object". */
enum { VALUE_SHOWN_TEXT = 72 };
const char *value_shown(const struct value *value, char ret[static VALUE_SHOWN_TEXT]);
// Decoders: 0, or -EINVAL with a diag "LINE:COLUMN" + rule and value. @what names the key in the message.
int value_string(const struct value *value, const char *what, const char **ret, struct diag *reterr);
int value_bool(const struct value *value, const char *what, bool *ret, struct diag *reterr); // YAML: also yes/no/on/off
int value_int(const struct value *value, const char *what, int64_t min, int64_t max, int64_t *ret, struct diag *reterr);
// Refuse every key of @object that is not in the NULL-terminated list; names the nearest known key.
int value_only_keys(const struct value *object, const char *what, const char *const known[], struct diag *reterr);
// The known word nearest to @word (Damerau-Levenshtein distance <= 2), or NULL.
const char *value_nearest(const char *word, const char *const known[]);
// Same type, text, members in the same order (objects: in any order).
bool value_equal(const struct value *a, const struct value *b);
