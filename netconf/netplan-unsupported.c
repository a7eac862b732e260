// What netplan knows and Hearth does not take, each by its name and with the reason.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/netplan-keys.h"
#include "netconf/netplan-value.h"

#include <errno.h>
#include <strings.h>

static const struct {
	const char *section, *why;
} sections[] = {
	{"wifis", "Hearth has no wireless networks"},
	{"modems", "Hearth has no modems"},
	{"virtual-ethernets", "veth pairs are made by containers, Hearth leaves them alone"},
	{"nm-devices", "they are NetworkManager's"},
	{"openvswitch", "Hearth talks to the kernel only"},
};

enum unless {
	ALWAYS,
	UNLESS_FALSE, // false is what netplan does without the key, too
	UNLESS_EUI64, // ... and what the kernel does by itself
};

static const char offload[] = "offloads are the driver's; Hearth leaves them as they are";
static const char sriov[] = "Hearth makes no SR-IOV functions";
static const char vxlan[] = "it is a key of other tunnels than wireguard";

static const struct {
	const char *key;
	unsigned kinds; // bits of enum declaration_kind
	enum unless unless;
	const char *why;
} keys[] = {
	{"auth", 1u << DECLARATION_ETHERNET, ALWAYS, "Hearth has no 802.1X"},
	{"delay-virtual-functions-rebind", 1u << DECLARATION_ETHERNET, UNLESS_FALSE, sriov},
	{"embedded-switch-mode", 1u << DECLARATION_ETHERNET, ALWAYS, sriov},
	{"emit-lldp", 1u << DECLARATION_ETHERNET, UNLESS_FALSE, "Hearth receives LLDP and sends none"},
	{"generic-receive-offload", 1u << DECLARATION_ETHERNET, ALWAYS, offload},
	{"generic-segmentation-offload", 1u << DECLARATION_ETHERNET, ALWAYS, offload},
	{"infiniband-mode", 1u << DECLARATION_ETHERNET, ALWAYS, "Hearth has no InfiniBand"},
	{"ipv6-address-generation", UINT32_MAX, UNLESS_EUI64, "addresses are made of the MAC (eui64)"},
	{"ipv6-address-token", UINT32_MAX, ALWAYS, "addresses are made of the MAC; declare the address itself"},
	{"large-receive-offload", 1u << DECLARATION_ETHERNET, ALWAYS, offload},
	{"link", 1u << DECLARATION_ETHERNET, ALWAYS, sriov},
	{"networkmanager", UINT32_MAX, ALWAYS, "the renderer is networkd"},
	{"openvswitch", UINT32_MAX, ALWAYS, "Hearth talks to the kernel only"},
	{"ra-overrides", UINT32_MAX, ALWAYS, "router advertisements are taken as a whole; accept-ra turns them off"},
	{"receive-checksum-offload", 1u << DECLARATION_ETHERNET, ALWAYS, offload},
	{"tcp-segmentation-offload", 1u << DECLARATION_ETHERNET, ALWAYS, offload},
	{"tcp6-segmentation-offload", 1u << DECLARATION_ETHERNET, ALWAYS, offload},
	{"transmit-checksum-offload", 1u << DECLARATION_ETHERNET, ALWAYS, offload},
	{"virtual-function-count", 1u << DECLARATION_ETHERNET, ALWAYS, sriov},
	{"wakeonlan", 1u << DECLARATION_ETHERNET, UNLESS_FALSE, "Hearth leaves wake-on-LAN as the firmware set it"},
	{"wakeonwlan", 1u << DECLARATION_ETHERNET, ALWAYS, "Hearth has no wireless networks"},
	{"ageing", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
	{"aging", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
	{"arp-proxy", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
	{"checksums", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
	{"do-not-fragment", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
	{"extensions", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
	{"flow-label", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
	{"id", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
	{"limit", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
	{"link", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
	{"local", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
	{"mac-learning", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
	{"notifications", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
	{"port-range", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
	{"remote", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
	{"short-circuit", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
	{"ttl", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
	{"type-of-service", 1u << DECLARATION_WIREGUARD, ALWAYS, vxlan},
};

static bool is_harmless(const struct value *value, enum unless unless)
{
	bool on = true;
	switch (unless) {
	case ALWAYS:
		return false;
	case UNLESS_FALSE:
		return netplan_bool(value, "", &on, NULL) == 0 && !on;
	case UNLESS_EUI64:
		return str_equal(netplan_scalar(value), "eui64");
	}
	return false;
}

int netplan_refuse_sections(const struct value *netplan, struct diag *reterr)
{
	for (size_t i = 0; i < N_ELEMENTS(sections); i++) {
		const struct value *section = value_find(netplan, sections[i].section);
		if (section && section->type != VALUE_NULL && (section->type != VALUE_OBJECT || section->n))
			return netplan_refuse_key(section, reterr, "%s: is not supported: %s", sections[i].section,
				sections[i].why);
	}
	return 0;
}

int netplan_refuse_keys(enum declaration_kind kind, const struct value *definition, const char *what,
	struct diag *reterr)
{
	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
		const struct value *value = value_find(definition, keys[i].key);
		if (value && (keys[i].kinds >> kind & 1) && !is_harmless(value, keys[i].unless))
			return netplan_refuse_key(value, reterr, "%s.%s: is not supported: %s", what, keys[i].key, keys[i].why);
	}
	return 0;
}
