// Shell patterns over bytes as envsubst has them: * ? [class] [^class] \x; unlike a path's, * crosses '/'. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

// 1 the whole @text matches, 0 it does not, -EINVAL the pattern is bad (seen only when matching gets that far).
int glob_match(const char *pattern, size_t n_pattern, const char *text, size_t n_text);
