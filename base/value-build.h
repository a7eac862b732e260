// For the parsers that build values; others use value.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

/* Index of a member whose key an earlier member has, or -1; -2 when memory ran out. Linear-logarithmic, so that a
 * large hostile object costs no more than its reading did. */
ptrdiff_t value_repeated_key(const struct value *object);

// Free what @value holds, not @value itself; half-built ones are fine.
void value_done(struct value *value);
