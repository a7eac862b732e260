// Lists of records that begin with their id, a char array, sorted by it. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Where @id is among the @n records of @n_record bytes each, or where it would be; @list may be NULL when @n is 0.
size_t sorted_place(const void *list, size_t n, size_t n_record, const char *id, bool *ret_there);
