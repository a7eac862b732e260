// SPDX-License-Identifier: Apache-2.0
#include "netconf/wire-sign.h"

#include <net/ethernet.h>

enum { HEADER_BYTES = 14, TAG_BYTES = 4, VID_MASK = 0xfff, VID_LAST = 4094 };
enum { TLV_END = 0, TLV_PORT_ID = 2, TLV_SYSTEM_NAME = 5, TLV_ORGANISATION = 127 };
enum { PORT_ID_ALIAS = 1, PORT_ID_NAME = 5, PORT_ID_LOCAL = 7 }; // those that are text
enum { OF_VLAN_NAME = 3, OF_MANAGEMENT_VID = 6 };

static unsigned be16(const uint8_t *bytes)
{
	return (unsigned)bytes[0] << 8 | bytes[1];
}

// Text of strangers, cut to what fits: it goes to terminals.
static void text_from_wire(const uint8_t *bytes, size_t n, char *ret, size_t n_ret)
{
	size_t i = 0;
	for (; i < n && i + 1 < n_ret; i++)
		ret[i] = bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '?';
	ret[i] = '\0';
}

static void add_vlan(struct wire_sign *sign, unsigned id, bool told, const uint8_t *name, size_t n_name)
{
	struct wire_vlan *vlan = NULL;
	if (id < 1 || id > VID_LAST)
		return;
	for (size_t i = 0; i < sign->n_vlans && !vlan; i++)
		if (sign->vlans[i].id == id)
			vlan = &sign->vlans[i];
	if (!vlan && sign->n_vlans == WIRE_MAX_VLANS)
		return;
	if (!vlan) {
		vlan = &sign->vlans[sign->n_vlans++];
		*vlan = (struct wire_vlan){.id = (uint16_t)id};
	}
	vlan->told |= told;
	if (n_name && !vlan->name[0])
		text_from_wire(name, n_name, vlan->name, sizeof(vlan->name));
}

static void read_organisation(const uint8_t *value, size_t n, struct wire_sign *sign)
{
	static const uint8_t of_8021[] = {0x00, 0x80, 0xc2};
	if (n < 6 || memcmp(value, of_8021, sizeof(of_8021)) != 0)
		return;
	if (value[3] == OF_VLAN_NAME && n >= 7)
		add_vlan(sign, be16(value + 4), true, value + 7, value[6] <= n - 7 ? value[6] : n - 7);
	else if (value[3] == OF_MANAGEMENT_VID)
		add_vlan(sign, be16(value + 4), true, (const uint8_t *)"management", 10);
}

static void read_lldp(const uint8_t *bytes, size_t n, struct wire_sign *sign)
{
	char system[WIRE_NAME_MAX + 1] = "", port[WIRE_NAME_MAX - 6 + 1] = "";
	while (n >= 2) {
		unsigned kind = bytes[0] >> 1;
		size_t n_value = be16(bytes) & 0x1ff;
		const uint8_t *value = bytes + 2;
		if (kind == TLV_END || n_value > n - 2)
			break;
		if (kind == TLV_SYSTEM_NAME)
			text_from_wire(value, n_value, system, sizeof(system));
		else if (kind == TLV_PORT_ID && n_value > 1 &&
			(value[0] == PORT_ID_ALIAS || value[0] == PORT_ID_NAME || value[0] == PORT_ID_LOCAL))
			text_from_wire(value + 1, n_value - 1, port, sizeof(port));
		else if (kind == TLV_ORGANISATION)
			read_organisation(value, n_value, sign);
		bytes += 2 + n_value;
		n -= 2 + n_value;
	}
	(void)snprintf(sign->place, sizeof(sign->place), "%s%s%s", system[0] ? system : "a switch without a name",
		port[0] ? " port " : "", port); // fits
}

bool wire_sign_read(const uint8_t *frame, size_t n, uint16_t tag, struct wire_sign *ret)
{
	size_t at = HEADER_BYTES;
	*ret = (struct wire_sign){0};
	if (n < HEADER_BYTES)
		return false;
	unsigned type = be16(frame + 12);
	if (tag & VID_MASK) {
		add_vlan(ret, tag & VID_MASK, false, NULL, 0);
	} else if ((type == ETHERTYPE_VLAN || type == 0x88a8) && n >= HEADER_BYTES + TAG_BYTES) {
		add_vlan(ret, be16(frame + 14) & VID_MASK, false, NULL, 0);
		type = be16(frame + 16);
		at += TAG_BYTES;
	}
	if (type == 0x88cc) // LLDP
		read_lldp(frame + at, n - at, ret);
	return ret->n_vlans || ret->place[0];
}
