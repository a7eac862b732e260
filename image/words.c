// SPDX-License-Identifier: Apache-2.0
#include "image/words.h"

#include <errno.h>
#include <stdarg.h>

static int words_take(struct words *words, char *word)
{
	if (!word)
		return -ENOMEM;
	if (words->n + 2 > words->n_alloc) {
		size_t n_alloc = words->n_alloc ? 2 * words->n_alloc : 16;
		char **items = realloc(words->items, n_alloc * sizeof(*items));
		if (!items) {
			free(word);
			return -ENOMEM;
		}
		words->items = items;
		words->n_alloc = n_alloc;
	}
	words->items[words->n++] = word;
	words->items[words->n] = NULL;
	return 0;
}

int words_add(struct words *words, const char *word)
{
	return words_take(words, strdup(word));
}

int words_add_format(struct words *words, const char *format, ...)
{
	char *word = NULL;
	va_list args;

	va_start(args, format);
	int n = vasprintf(&word, format, args);
	va_end(args);
	return n < 0 ? -ENOMEM : words_take(words, word);
}

int words_add_many(struct words *words, const char *const more[])
{
	int rc = 0;

	for (size_t i = 0; more[i] && rc == 0; i++)
		rc = words_add(words, more[i]);
	return rc;
}

bool words_has(const struct words *words, const char *word)
{
	for (size_t i = 0; i < words->n; i++)
		if (str_equal(words->items[i], word))
			return true;
	return false;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void words_sort(struct words *words)
{
	if (words->n > 1)
		qsort(words->items, words->n, sizeof(*words->items), compare);
}

char *words_join(const struct words *words, const char *between)
{
	size_t n = 1;

	for (size_t i = 0; i < words->n; i++)
		n += strlen(words->items[i]) + strlen(between);
	char *text = malloc(n), *end = text;
	if (!text)
		return NULL;
	*end = '\0';
	for (size_t i = 0; i < words->n; i++) {
		if (i > 0)
			end = stpcpy(end, between);
		end = stpcpy(end, words->items[i]);
	}
	return text;
}

void words_done(struct words *words)
{
	for (size_t i = 0; i < words->n; i++)
		free(words->items[i]);
	free(words->items);
	*words = (struct words){ 0 };
}
