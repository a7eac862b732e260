// The decoders of the keys of a definition; netplan.c has the table that says which key is allowed where and in which
// order they run. Internal to netplan*.c.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/network.h"

// Decode @value into @declaration; @what is the path of keys that leads to it. 0, -EINVAL with a diag, -ENOMEM.
typedef int netplan_decoder_t(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr);

// netplan-link.c
netplan_decoder_t netplan_decode_accept_ra, netplan_decode_dhcp4, netplan_decode_dhcp6, netplan_decode_identifier,
	netplan_decode_link_local, netplan_decode_match, netplan_decode_mtu, netplan_decode_nameservers,
	netplan_decode_optional, netplan_decode_set_name;
netplan_decoder_t netplan_decode_renderer; // @declaration may be NULL: it is a key of the document, too
// netplan-route.c
netplan_decoder_t netplan_decode_addresses, netplan_decode_gateway, netplan_decode_routes;
// netplan-wireguard.c
netplan_decoder_t netplan_decode_key, netplan_decode_keys, netplan_decode_mark, netplan_decode_mode,
	netplan_decode_peers, netplan_decode_port;
