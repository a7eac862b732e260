// application/x-www-form-urlencoded, as browsers send it. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

/* The value of @name in @body, decoded; NULL when absent or not decodable (bad escapes, a NUL). The
 * caller frees. */
char *form_value(const char *body, const char *name);
