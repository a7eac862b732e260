// SPDX-License-Identifier: Apache-2.0
#include "agent/vlan-pick.h"
#include <errno.h>
#include <fnmatch.h>
#include <strings.h>

enum { MAC_TEXT = 17, VID_LAST = 4094, DIGITS = 4 };

int vlan_pick_parse(const char *text, size_t n, struct vlan_pick *ret)
{
	struct vlan_pick pick = { 0 };
	if (n && text[n - 1] == '\n')
		n--;
	if (n < MAC_TEXT + 2 || n > MAC_TEXT + 1 + DIGITS || text[MAC_TEXT] != ' ')
		return -EINVAL;
	for (size_t i = 0; i < MAC_TEXT; i++) {
		bool digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
		if (i % 3 == 2 ? text[i] != ':' : !digit)
			return -EINVAL;
		pick.mac[i] = text[i];
	}
	for (size_t i = MAC_TEXT + 1; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		pick.id = pick.id * 10 + (unsigned)(text[i] - '0');
	}
	if (pick.id > VID_LAST)
		return -EINVAL;
	*ret = pick;
	return 0;
}

void vlan_pick_format(const struct vlan_pick *pick, char ret[static VLAN_PICK_TEXT])
{
	(void)snprintf(ret, VLAN_PICK_TEXT, "%s %u\n", pick->mac, pick->id); // fits: 17 + 1 + 4 + 1
}

static const struct value *part_of(const struct value *above, const char *part)
{
	const struct value *network = value_find(above, "network"), *found = value_find(network ? network : above, part);
	return found && found->type == VALUE_OBJECT ? found : NULL;
}

static bool is_plain(const char *id) // it is written into a document
{
	return *id && strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(id);
}

// As netconf matches (netconf/claim.c). What matches by its driver alone is not known here.
static bool is_port(const struct vlan_pick *pick, const char *name, const char *id, const struct value *declared)
{
	const struct value *match = value_find(declared, "match");
	const char *mac = value_text(value_find(match, "macaddress")), *pattern = value_text(value_find(match, "name"));
	if (!match)
		return str_equal(id, name);
	if ((!mac && !pattern) || (mac && strcasecmp(mac, pick->mac) != 0))
		return false;
	return !pattern || (name && (fnmatch(pattern, name, 0) == 0 || str_equal(value_text(value_find(declared, "set-name")), name)));
}

// What @above calls the port.
static const char *port_id(const struct vlan_pick *pick, const struct value *above, const char *name)
{
	const struct value *ethernets = part_of(above, "ethernets");
	for (size_t i = 0; ethernets && i < ethernets->n; i++)
		if (is_plain(ethernets->keys[i]) && is_port(pick, name, ethernets->keys[i], &ethernets->items[i]))
			return ethernets->keys[i];
	return "picked-port";
}

char *vlan_pick_netplan(const struct vlan_pick *pick, const struct value *above, const char *name)
{
	const char *id = port_id(pick, above, name);
	return str_format("{version: 2, ethernets: {\"%s\": {match: {macaddress: \"%s\"}, dhcp4: true, dhcp6: true, accept-ra: true, "
			  "optional: true}}, vlans: {vlan%u: {id: %u, link: \"%s\", dhcp4: true, dhcp6: true, accept-ra: true}}}",
		id, pick->mac, pick->id, pick->id, id);
}

bool vlan_pick_is_in(const struct vlan_pick *pick, const struct value *above)
{
	const struct value *vlans = part_of(above, "vlans");
	int64_t id;
	for (size_t i = 0; vlans && i < vlans->n; i++)
		if (value_int(value_find(&vlans->items[i], "id"), "id", 1, VID_LAST, &id, NULL) == 0 && id == pick->id)
			return true;
	return false;
}
