// The VLAN that a person at the console picked for first contact: hearth-console asks for it by RUN_VLAN_PICK, hearthd keeps it
// in STATE_VLAN_PICK. One line, "MAC ID". Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

enum { VLAN_PICK_TEXT = 32 };
struct vlan_pick {
	char mac[18]; // of the port, lower case
	unsigned id;  // 0: none, 1-4094
};
/* -EINVAL for anything but a MAC of lower-case hex digits, a space and 0-4094, with or without a newline. */
int vlan_pick_parse(const char *text, size_t n, struct vlan_pick *ret);
void vlan_pick_format(const struct vlan_pick *pick, char ret[static VLAN_PICK_TEXT]); // with a newline
/* The netplan document for it (YAML): DHCP and router advertisements in that VLAN and on its port. @above (may be NULL) is the
 * netplan document that it is to stand below: one that declares the port itself (by MAC, or by @name) keeps its declaration, and
 * the VLAN stands on that. The caller frees. */
char *vlan_pick_netplan(const struct vlan_pick *pick, const struct value *above, const char *name);
// Does the netplan document @above itself have a VLAN of that number? The kernel has room for one on a port.
bool vlan_pick_is_in(const struct vlan_pick *pick, const struct value *above);
