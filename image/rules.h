// Path rules: an ordered list of patterns that says what is left out of the root; the last match wins.
// "usr/share/man/**" leaves out, "!usr/share/man/man8/**" puts back. "*" and "?" stay inside one path component, "**"
// crosses them. A pattern that matches a folder says so for everything below it. Paths have no leading "/" or "./".
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "image/words.h"

bool rules_match(const char *pattern, const char *path); // one pattern, without "!", the whole path
bool rules_leave_out(const struct words *rules, const char *path);
