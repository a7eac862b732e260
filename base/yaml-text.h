// The text that libyaml is given: what it would take too long for or say nothing good about. Part of yaml.c; others use yaml.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

// Is it UTF-8 without NUL bytes, and without so many directives that libyaml takes minutes? 0; -EINVAL with a diag.
int yaml_text_check(const char *text, size_t n_text, const char *name, struct diag *reterr);
// The line, from 1, of the byte at offset @at.
uint32_t yaml_text_line(const char *text, size_t at);
/* Does a tab stand at libyaml's mark, and nothing but blanks before it on its line? @index: characters before the mark, a byte
 * order mark at the begin not counted; @column: those of its line. */
bool yaml_text_tab_indents(const char *text, size_t n_text, size_t index, size_t column);
// How many bytes of a byte order mark the text begins with: 0 or 3.
size_t yaml_text_mark_bytes(const char *text, size_t n_text);
