// What hearth-console shows, as text: one line for serial lines, a dashboard for screens. Pure: status in, text out.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

/* "hearth: NAME | PHASE | code CODE | SENTENCE" without a newline; control characters become '?'. The caller frees. */
char *screen_line(const struct value *status);
/* The dashboard of @columns x @rows: name, phase, code in big digits and as QR, sentence, warnings; starts by clearing
 * the screen. The caller frees. */
char *screen_dashboard(const struct value *status, unsigned columns, unsigned rows);
