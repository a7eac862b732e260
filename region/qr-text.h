// A QR code as lines of text for a terminal: two modules a character, by half blocks of UTF-8.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

/* Light modules are drawn, so that it reads on a dark terminal as printed on paper; a light
 * terminal shows it inverted, which phones read, too. *ret_columns: how wide it is. NULL: @text is
 * too long for a QR code (2,953 bytes), or memory ran out. The caller wipes and frees. */
char *qr_text(const char *text, unsigned *ret_columns);
