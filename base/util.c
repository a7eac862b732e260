// The helpers of util.h that are no inline functions.
// SPDX-License-Identifier: Apache-2.0
#include "base/util.h"

#include <stdarg.h>

char *str_format(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	int r = vasprintf(&text, format, args);
	va_end(args);
	return r < 0 ? NULL : text;
}

void str_set(char **field, const char *text)
{
	char *copy = text && *text ? strdup(text) : NULL;
	free(*field);
	*field = copy;
}

void sort_items(void *items, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	const char *item = items;

	for (size_t i = 1; i < n; i++, item += size) {
		if (compare(item, item + size) > 0) {
			qsort(items, n, size, compare);
			return;
		}
	}
}
