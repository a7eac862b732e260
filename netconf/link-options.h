// The settings of bonds, bridges and ports of bridges, as one table: netplan's key, the kernel's attribute, its width, its
// unit and its words. Decoding a document, reading the kernel, comparing, sending and showing all go by it. Pure.
// Sources: netplan's YAML reference (version 2), linux/if_link.h, Documentation/networking/bonding.rst, ip-link(8).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"
#include "base/util.h"

enum link_option_kind { LINK_OPTION_BOND, LINK_OPTION_BRIDGE, LINK_OPTION_BRIDGE_PORT };
enum { LINK_OPTIONS_MAX = 24, BOND_MAX_ARP_TARGETS = 16 };

struct link_option {
	enum link_option_kind of;
	const char *key;          // netplan's: "mii-monitor-interval"
	uint16_t attribute;       // IFLA_BOND_*, IFLA_BR_*, IFLA_BRPORT_*
	uint8_t n_bytes;          // on the wire: 1, 2 or 4
	bool only_when_down;      // the kernel takes it only while the link is down (bonds)
	bool only_without_ports;  // ... and while it has no port (a bond's mode)
	bool seconds;             // bridge times: netplan's seconds, the kernel's hundredths
	uint32_t min, max;        // of the kernel's number
	const char *const *words; // NULL: a number; else by the kernel's number, ended by NULL
	bool boolean;             // netplan says true or false
};
struct link_options { // values in the kernel's numbers, by the position in the kind's table
	uint32_t has;     // bit per option that is said
	uint32_t value[LINK_OPTIONS_MAX];
};
// The table of one kind; at most LINK_OPTIONS_MAX.
const struct link_option *link_options_of(enum link_option_kind kind, size_t *ret_n);
// Position in the table of @kind by netplan's key (older spellings too: "mii-monitor-interval"); -ENOENT.
int link_option_find(enum link_option_kind kind, const char *key);
/* @text of the document to the kernel's number. -EINVAL: @reterr says what it must be (no place). */
int link_option_parse(const struct link_option *option, const char *text, uint32_t *ret, struct diag *reterr);
// As netplan would write it: "802.3ad", "100", "true".
const char *link_option_format(const struct link_option *option, uint32_t value, char buffer[static 32]);
void link_options_set(struct link_options *options, size_t position, uint32_t value);
bool link_options_have(const struct link_options *options, size_t position);
// Bits of a bridge's options that are those of the root of its tree.
uint32_t link_options_of_root(void);
/* Bits of the options that @wanted says and @have does not have so. */
uint32_t link_options_differ(const struct link_options *wanted, const struct link_options *have);
