// The decoders of the keys of a definition; netplan.c has the table that says which key is allowed where and in which
// order they run. Internal to netplan*.c.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/network.h"

// Decode @value into @declaration; @what is the path of keys that leads to it. 0, -EINVAL with a diag, -ENOMEM.
typedef int netplan_decoder_t(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr);

// netplan-link.c
netplan_decoder_t netplan_decode_accept_ra, netplan_decode_activation, netplan_decode_critical,
	netplan_decode_ignore_carrier, netplan_decode_link_local, netplan_decode_mac, netplan_decode_match, netplan_decode_mtu,
	netplan_decode_mtu6, netplan_decode_nameservers, netplan_decode_optional, netplan_decode_optional_addresses,
	netplan_decode_privacy, netplan_decode_set_name;
netplan_decoder_t netplan_decode_renderer; // @declaration may be NULL: it is a key of the document, too
// netplan-dhcp.c
netplan_decoder_t netplan_decode_dhcp4, netplan_decode_dhcp4_overrides, netplan_decode_dhcp6,
	netplan_decode_dhcp6_overrides, netplan_decode_identifier;
// netplan-route.c
netplan_decoder_t netplan_decode_addresses, netplan_decode_gateway, netplan_decode_routes;
// netplan-rule.c
netplan_decoder_t netplan_decode_rules;
// netplan-upper.c
netplan_decoder_t netplan_decode_id, netplan_decode_interfaces, netplan_decode_link, netplan_decode_parameters,
	netplan_decode_port_option, netplan_decode_table;
// netplan-wireguard.c
netplan_decoder_t netplan_decode_key, netplan_decode_mark, netplan_decode_mode, netplan_decode_peers,
	netplan_decode_port;
// netplan-unsupported.c: refuse by name what netplan knows and Hearth does not take. 0: nothing of that.
int netplan_refuse_sections(const struct value *netplan, struct diag *reterr);
int netplan_refuse_keys(enum declaration_kind kind, const struct value *definition, const char *what,
	struct diag *reterr);
