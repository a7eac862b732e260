// Repeated keys: by comparing each with each in small objects, by sorting in large ones.
// SPDX-License-Identifier: Apache-2.0
#include "base/value-build.h"

enum { SMALL_OBJECT = 32 };

static int compare_keys(const void *a, const void *b)
{
	char *const *key_a = *(char *const *const *)a, *const *key_b = *(char *const *const *)b;
	int order = strcmp(*key_a, *key_b);

	if (order)
		return order;
	return key_a < key_b ? -1 : key_a > key_b; // equal keys stay in their order
}

ptrdiff_t value_repeated_key(const struct value *object)
{
	if (object->n <= SMALL_OBJECT) {
		for (size_t i = 1; i < object->n; i++)
			for (size_t j = 0; j < i; j++)
				if (strcmp(object->keys[i], object->keys[j]) == 0)
					return (ptrdiff_t)i;
		return -1;
	}
	AUTO_FREE char ***sorted = calloc(object->n, sizeof(*sorted));
	if (!sorted)
		return -2;
	for (size_t i = 0; i < object->n; i++)
		sorted[i] = &object->keys[i];
	qsort(sorted, object->n, sizeof(*sorted), compare_keys);
	for (size_t i = 1; i < object->n; i++)
		if (strcmp(*sorted[i - 1], *sorted[i]) == 0)
			return sorted[i] - object->keys;
	return -1;
}
