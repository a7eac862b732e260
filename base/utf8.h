// UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

/* Length in bytes (1-4) of the valid sequence at @text with @n bytes left; 0 when there is none. @ret_code, may be NULL,
 * gets the code point. */
size_t utf8_sequence(const char *text, size_t n, uint32_t *ret_code);
// Write the code point as 1-4 bytes (must be valid, no surrogate); returns how many.
size_t utf8_encode(uint32_t code, char ret[static 4]);
// Is all of it valid? *ret_at, may be NULL, gets the offset of the first bad byte.
bool utf8_valid(const char *text, size_t n, size_t *ret_at);
// Control characters (C0, DEL, and C1 as UTF-8) become '?': texts of strangers are shown on terminals and in logs.
void utf8_make_printable(char *text);
