// What hearth-console shows, as text: a line for each change for serial lines, a dashboard for screens. Pure: status in, text out.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/time.h"
#include "base/value.h"

enum { SCREEN_MAX_VLANS = 9 }; // one digit each
// What a serial line has said and need not say again; zeroed at first.
enum { SCREEN_SAID_WARNINGS = 16 };
#define SCREEN_FORGET_USEC (10 * 60 * USEC_PER_SEC)
struct screen_said {
	char *state; // the line of phase and sentence
	struct screen_warning {
		char *line; // NULL: none
		uint64_t seen_usec;
		bool is_there; // it was in the last status
	} warnings[SCREEN_SAID_WARNINGS];
};
void screen_said_done(struct screen_said *said);
/* What a serial line has to say of @status at @now_usec, a newline behind each line: warnings, "hearth: NAME | warning | TEXT", then
 * "hearth: NAME | PHASE | code CODE | SENTENCE", and when VLANs are offered " | press 1 for VLAN 42 ...". Each only if it is new; a
 * warning that goes and comes again within ten minutes (a region's URLs in turns) is not, unless phase or sentence changed meanwhile.
 * "": nothing is. Other control characters become '?'. The caller frees. NULL: no memory. */
char *screen_lines(const struct value *status, uint64_t now_usec, struct screen_said *said);
/* The dashboard of @columns x @rows: name, phase, code in big digits and as QR, sentence, offered VLANs, warnings, addresses; where the
 * network is the question the key of the safe one and the last tries, as far as they fit. Starts by clearing the screen. The caller frees. */
char *screen_dashboard(const struct value *status, unsigned columns, unsigned rows);
/* The VLAN of the status that the digit @key stands for, 0: none any more. False: it stands for nothing. *ret_mac is borrowed. */
bool screen_vlan_of(const struct value *status, char key, const char **ret_mac, unsigned *ret_id);
