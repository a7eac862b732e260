// What hearth-console shows, as text: a line for each change for serial lines, a dashboard for screens. Pure: status in, text out.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

enum { SCREEN_MAX_VLANS = 9 }; // one digit each
/* What a serial line has to say of @status, a newline behind each line: warnings, "hearth: NAME | warning | TEXT", then
 * "hearth: NAME | PHASE | code CODE | SENTENCE", and when VLANs are offered " | press 1 for VLAN 42 ...". Each only if it is new; a
 * warning that comes and goes (a region's URLs in turns) is new once the phase or the sentence was another one. "": nothing is.
 * Other control characters become '?'. *said is what was said, at first NULL; it is replaced. The caller frees both. NULL: no memory. */
char *screen_lines(const struct value *status, char **said);
/* The dashboard of @columns x @rows: name, phase, code in big digits and as QR, sentence, offered VLANs, warnings, addresses; where the
 * network is the question the key of the safe one and the last tries, as far as they fit. Starts by clearing the screen. The caller frees. */
char *screen_dashboard(const struct value *status, unsigned columns, unsigned rows);
/* The VLAN of the status that the digit @key stands for, 0: none any more. False: it stands for nothing. *ret_mac is borrowed. */
bool screen_vlan_of(const struct value *status, char key, const char **ret_mac, unsigned *ret_id);
