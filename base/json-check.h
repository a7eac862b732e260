// The grammar of RFC 8259, checked to the letter before anything is built. Part of json.c; others use json.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

/* Is @text exactly one JSON text, with no more than @max_tokens values and keys? *ret_n_tokens: how many it has.
 * 0; -EINVAL with "line:column"; -E2BIG too many tokens. Duplicate keys are json.c's business. */
int json_check(const char *text, size_t n_text, size_t max_tokens, size_t *ret_n_tokens, struct diag *reterr);
