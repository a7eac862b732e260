// SPDX-License-Identifier: Apache-2.0
#include "region/sorted.h"

#include <string.h>

size_t sorted_place(const void *list, size_t n, size_t n_record, const char *id, bool *ret_there)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp((const char *)list + middle * n_record, id);
		if (order == 0) {
			*ret_there = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_there = false;
	return low;
}
