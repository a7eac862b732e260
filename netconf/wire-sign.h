// What a frame tells of the switch at the other end: VLANs by 802.1Q tags or by LLDP, and by LLDP the switch and its port.
// Pure. Sources: IEEE 802.1AB-2016 8 and 9 (TLVs), IEEE 802.1Q-2022 D.2 (VLAN Name, Management VID).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

enum {
	WIRE_NAME_MAX = 32,  // a VLAN's name, by the standard
	WIRE_PLACE_MAX = 64, // of the switch's and the port's name together; longer ones are cut
	WIRE_MAX_VLANS = 9,  // of one frame: no more can be offered on the console
};
struct wire_vlan {
	uint16_t id;	// 1-4094
	bool told;	// by LLDP; else a tag on the wire
	char name[WIRE_NAME_MAX + 1]; // by LLDP, printable ASCII; "": none
};
struct wire_sign {
	size_t n_vlans;
	struct wire_vlan vlans[WIRE_MAX_VLANS];
	char place[WIRE_PLACE_MAX + 1]; // "leaf-3 port Ethernet7", printable ASCII; "": the frame is no LLDP
};
/* Read an Ethernet frame of @n bytes. @tag: the tag control information that the kernel has taken off the frame (packet(7),
 * PACKET_AUXDATA), 0: none. The VLAN that LLDP calls the port's own is not one of @ret: it comes without a tag. Returns
 * whether there is anything in @ret; a malformed LLDP frame tells what stands before the fault. */
bool wire_sign_read(const uint8_t *frame, size_t n, uint16_t tag, struct wire_sign *ret);
