// WireGuard through generic netlink: read a device with all its peers, change only what is named. Encoding and
// decoding are pure and tested; wireguard_get/set talk to the kernel. Source: linux/wireguard.h, whose rules about
// split dumps and split requests are followed here.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/netlink.h"
#include "netconf/peer.h"

struct wireguard_device {
	bool present;
	int link_index;
	uint8_t private_key[PEER_KEY_BYTES], public_key[PEER_KEY_BYTES]; // zero: none
	uint16_t port;
	uint32_t mark;
	struct peer_table peers; // sorted after wireguard_get()
};
void wireguard_device_done(struct wireguard_device *device); // wipes

/* One message of a dump, behind the genetlink header. A peer that was cut off at the end of the message before is
 * continued by a first peer with the same key. -EBADMSG malformed; -E2BIG over PEER_MAX; -ENOMEM. */
int wireguard_decode(struct wireguard_device *device, const void *attributes, size_t n);
// The device of link @name (@link_index when it is not 0). -ENODEV; -EOPNOTSUPP: the link is no WireGuard link.
int wireguard_get(int link_index, struct wireguard_device *ret, struct diag *reterr);

struct wireguard_settings { // what is to change; an unchanged private key is never sent: it would end all sessions
	bool set_private_key, set_port, set_mark;
	uint8_t private_key[PEER_KEY_BYTES];
	uint16_t port;
	uint32_t mark;
};
/* Requests of at most @max_bytes each for @settings (may be NULL) and @plan (may be NULL), handed over in order;
 * @on_request takes the message. 0; -ENOMEM; or what on_request returned. */
typedef int (*wireguard_request_t)(struct nl_msg *request_take, void *user);
int wireguard_encode(uint16_t family, int link_index, const struct wireguard_settings *settings,
	const struct peer_plan *plan, size_t max_bytes, wireguard_request_t on_request, void *user);
int wireguard_set(int link_index, const struct wireguard_settings *settings, const struct peer_plan *plan,
	struct diag *reterr);
