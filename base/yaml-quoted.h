// The text of a quoted YAML scalar. libfyaml 0.8 gets '''' and an escaped line break after an escaped character wrong, and
// loses bytes at the end (real CRDs of the Gateway API have such texts), so quoted scalars are unfolded here. Pure.
// Source: YAML 1.2.2, 7.3.1 "Double-Quoted Style", 7.3.2 "Single-Quoted Style", 5.7 "Escaped Characters".
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

/* @raw: what stands between the quotes, @n bytes of valid UTF-8 that libfyaml took for such a scalar. A line break is a
 * space, every empty line after it a line break; blanks around breaks are gone. '' is a quote, or with @is_double backslashes
 * escape. @ret_n: bytes of the text, which may hold U+0000. Caller frees.
 * -EINVAL: an escape that is none, or names no character (a lone surrogate); -ENOMEM. */
int yaml_unquote(const char *raw, size_t n, bool is_double, char **ret, size_t *ret_n);
