// A growing list of strings, always NULL-terminated: package lists, patterns, argument vectors.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

struct words {
	char **items; // NULL-terminated once something was added; owned
	size_t n, n_alloc;
};
int words_add(struct words *words, const char *word);               // copies; -ENOMEM
int words_add_format(struct words *words, const char *format, ...) PRINTF_LIKE(2, 3);
int words_add_many(struct words *words, const char *const more[]);  // until NULL
bool words_has(const struct words *words, const char *word);
void words_sort(struct words *words);
char *words_join(const struct words *words, const char *between);   // caller frees; NULL: no memory
void words_done(struct words *words);
