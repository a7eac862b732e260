// WireGuard devices through generic netlink.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/wireguard.h"

#include "base/crypto.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>

enum { GET_ATTEMPTS = 16 }; // the device changes under a dump, or the kernel runs out of buffers: not for ever

void wireguard_device_done(struct wireguard_device *device)
{
	peer_table_done(&device->peers);
	crypto_wipe(device, sizeof(*device));
}

// --- decode ---

static bool attribute_copy(struct nlattr *attribute, void *ret, size_t n)
{
	if (!attribute || (size_t)nla_len(attribute) < n)
		return false;
	memcpy(ret, nla_data(attribute), n);
	return true;
}

static void decode_endpoint(struct nlattr *attribute, struct peer *peer)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	sa_family_t family;
	if (!attribute_copy(attribute, &family, sizeof(family)))
		return;
	if (family == AF_INET && attribute_copy(attribute, &v4, sizeof(v4))) {
		peer->endpoint = (struct ip){.family = AF_INET};
		memcpy(peer->endpoint.bytes, &v4.sin_addr, 4);
		peer->endpoint_port = ntohs(v4.sin_port);
	} else if (family == AF_INET6 && attribute_copy(attribute, &v6, sizeof(v6))) {
		peer->endpoint = (struct ip){.family = AF_INET6};
		memcpy(peer->endpoint.bytes, &v6.sin6_addr, 16);
		peer->endpoint_port = ntohs(v6.sin6_port);
	}
}

static int decode_allowed(struct nlattr *list, struct peer *peer)
{
	struct nlattr *item, *fields[WGALLOWEDIP_A_MAX + 1];
	int left;
	nla_for_each_nested(item, list, left) {
		struct address address = {0};
		uint16_t family;
		if (nla_parse_nested(fields, WGALLOWEDIP_A_MAX, item, NULL) < 0)
			return -EBADMSG;
		if (!attribute_copy(fields[WGALLOWEDIP_A_FAMILY], &family, sizeof(family)) ||
			(family != AF_INET && family != AF_INET6))
			return -EBADMSG;
		address.ip.family = family;
		if (!attribute_copy(fields[WGALLOWEDIP_A_IPADDR], address.ip.bytes, ip_n_bytes(family)) ||
			!attribute_copy(fields[WGALLOWEDIP_A_CIDR_MASK], &address.prefix, 1) ||
			address.prefix > ip_max_prefix(family))
			return -EBADMSG;
		int error = peer_add_allowed(peer, &address);
		if (error < 0)
			return error;
	}
	return 0;
}

static int decode_peer(struct wireguard_device *device, struct nlattr *item, bool is_first)
{
	struct nlattr *fields[WGPEER_A_MAX + 1];
	uint8_t key[PEER_KEY_BYTES];
	struct {
		int64_t seconds, nanoseconds;
	} handshake;
	if (nla_parse_nested(fields, WGPEER_A_MAX, item, NULL) < 0 ||
		!attribute_copy(fields[WGPEER_A_PUBLIC_KEY], key, sizeof(key)))
		return -EBADMSG;
	struct peer *peer = device->peers.n ? &device->peers.peers[device->peers.n - 1] : NULL;
	if (!peer || !is_first || memcmp(peer->public_key, key, sizeof(key)) != 0) {
		if (device->peers.n == 4 * PEER_MAX) // others may set more than we do
			return -E2BIG;
		peer = peer_table_add(&device->peers);
		if (!peer)
			return -ENOMEM;
		memcpy(peer->public_key, key, sizeof(key));
	}
	(void)attribute_copy(fields[WGPEER_A_PRESHARED_KEY], peer->preshared_key, PEER_KEY_BYTES); // absent: as it is
	(void)attribute_copy(fields[WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL], &peer->keepalive_sec, 2);
	(void)attribute_copy(fields[WGPEER_A_RX_BYTES], &peer->rx_bytes, 8);
	(void)attribute_copy(fields[WGPEER_A_TX_BYTES], &peer->tx_bytes, 8);
	if (attribute_copy(fields[WGPEER_A_LAST_HANDSHAKE_TIME], &handshake, sizeof(handshake))) {
		peer->handshake_sec = handshake.seconds;
		peer->handshake_nsec = handshake.nanoseconds;
	}
	decode_endpoint(fields[WGPEER_A_ENDPOINT], peer);
	return fields[WGPEER_A_ALLOWEDIPS] ? decode_allowed(fields[WGPEER_A_ALLOWEDIPS], peer) : 0;
}

int wireguard_decode(struct wireguard_device *device, const void *attributes, size_t n)
{
	struct nlattr *fields[WGDEVICE_A_MAX + 1], *item;
	int left;
	uint32_t index;
	bool is_first = true;
	if (n > INT32_MAX ||
		nla_parse(fields, WGDEVICE_A_MAX, (struct nlattr *)(uintptr_t)attributes, (int)n, NULL) < 0)
		return -EBADMSG;
	device->present = true;
	if (attribute_copy(fields[WGDEVICE_A_IFINDEX], &index, sizeof(index)))
		device->link_index = (int)index;
	(void)attribute_copy(fields[WGDEVICE_A_PRIVATE_KEY], device->private_key, PEER_KEY_BYTES); // absent: none
	(void)attribute_copy(fields[WGDEVICE_A_PUBLIC_KEY], device->public_key, PEER_KEY_BYTES);
	(void)attribute_copy(fields[WGDEVICE_A_LISTEN_PORT], &device->port, 2);
	(void)attribute_copy(fields[WGDEVICE_A_FWMARK], &device->mark, 4);
	if (!fields[WGDEVICE_A_PEERS])
		return 0;
	nla_for_each_nested(item, fields[WGDEVICE_A_PEERS], left) {
		int error = decode_peer(device, item, is_first);
		if (error < 0)
			return error;
		is_first = false;
	}
	return 0;
}

static int on_device(const struct nlmsghdr *message, void *user)
{
	if (nlmsg_datalen(message) < (int)GENL_HDRLEN)
		return -EBADMSG;
	return wireguard_decode(user, (char *)nlmsg_data(message) + GENL_HDRLEN,
		(size_t)nlmsg_datalen(message) - GENL_HDRLEN);
}

static int get_once(struct netlink *netlink, uint16_t family, int link_index, struct wireguard_device *device)
{
	struct genlmsghdr header = {.cmd = WG_CMD_GET_DEVICE, .version = WG_GENL_VERSION};
	struct nl_msg *request = netlink_message(family, 0, &header, sizeof(header));
	if (!request)
		return -ENOMEM;
	if (nla_put_u32(request, WGDEVICE_A_IFINDEX, (uint32_t)link_index) < 0) {
		nlmsg_free(request);
		return -ENOMEM;
	}
	return netlink_dump(netlink, request, on_device, device);
}

// A socket of its own per attempt: after ENOBUFS the old one still has the rest of a dump to give.
static int get_whole(int link_index, struct wireguard_device *device, struct diag *reterr)
{
	CLEANUP(netlink_freep) struct netlink *netlink = NULL;
	uint16_t family;
	int error = netlink_open(NETLINK_GENERIC, &netlink, reterr);
	if (error == 0)
		error = netlink_family(netlink, WG_GENL_NAME, &family, reterr);
	if (error < 0)
		return error;
	error = get_once(netlink, family, link_index, device);
	return error < 0 ? diag_set(reterr, error, "wireguard", "the device cannot be read: %s", strerror(-error)) : 0;
}

int wireguard_get(int link_index, struct wireguard_device *ret, struct diag *reterr)
{
	struct wireguard_device device = {0};
	struct diag diag = {0};
	int error = -EAGAIN;
	for (int attempt = 0; (error == -EAGAIN || error == -ENOBUFS) && attempt < GET_ATTEMPTS; attempt++) {
		wireguard_device_done(&device);
		error = get_whole(link_index, &device, &diag);
	}
	if (error < 0) {
		wireguard_device_done(&device);
		if (reterr)
			*reterr = diag;
		return error;
	}
	peer_table_sort(&device.peers);
	*ret = device;
	return 0;
}

// --- encode ---

struct encoder {
	uint16_t family;
	int link_index;
	size_t max_bytes;
	wireguard_request_t on_request;
	void *user;
	struct nl_msg *request;
	struct nlattr *peers, *peer, *allowed; // open nests
};

enum {
	PEER_ROOM = 200,   // key, preshared key, flags, endpoint, keepalive, nests: 164 bytes
	ALLOWED_ROOM = 48, // nest, family, IPv6 address, prefix: 40 bytes
};

static int encoder_open(struct encoder *encoder)
{
	struct genlmsghdr header = {.cmd = WG_CMD_SET_DEVICE, .version = WG_GENL_VERSION};
	encoder->request = nlmsg_alloc_size(encoder->max_bytes);
	if (!encoder->request || !nlmsg_put(encoder->request, 0, 0, encoder->family, 0, 0) ||
		nlmsg_append(encoder->request, &header, sizeof(header), NLMSG_ALIGNTO) < 0 ||
		nla_put_u32(encoder->request, WGDEVICE_A_IFINDEX, (uint32_t)encoder->link_index) < 0)
		return -ENOMEM;
	return 0;
}

static int encoder_send(struct encoder *encoder)
{
	if (!encoder->request)
		return 0;
	if (encoder->peers)
		(void)nla_nest_end(encoder->request, encoder->peers);
	encoder->peers = NULL;
	return encoder->on_request(TAKE_PTR(encoder->request), encoder->user);
}

static size_t encoder_room(const struct encoder *encoder)
{
	return encoder->max_bytes - nlmsg_hdr(encoder->request)->nlmsg_len;
}

// A new request when @n more bytes would not fit.
static int encoder_need(struct encoder *encoder, size_t n)
{
	int error = 0;
	if (encoder->request && encoder_room(encoder) < n)
		error = encoder_send(encoder);
	if (error == 0 && !encoder->request)
		error = encoder_open(encoder);
	if (error == 0 && !encoder->peers) {
		encoder->peers = nla_nest_start(encoder->request, WGDEVICE_A_PEERS);
		error = encoder->peers ? 0 : -ENOMEM;
	}
	return error;
}

static int put_endpoint(struct nl_msg *request, const struct peer *peer)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(peer->endpoint_port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(peer->endpoint_port)};
	if (peer->endpoint.family == AF_INET) {
		memcpy(&v4.sin_addr, peer->endpoint.bytes, 4);
		return nla_put(request, WGPEER_A_ENDPOINT, sizeof(v4), &v4);
	}
	memcpy(&v6.sin6_addr, peer->endpoint.bytes, 16);
	return nla_put(request, WGPEER_A_ENDPOINT, sizeof(v6), &v6);
}

static int peer_open(struct encoder *encoder, const struct peer_change *change, bool is_continued)
{
	int error = encoder_need(encoder, PEER_ROOM + ALLOWED_ROOM);
	if (error < 0)
		return error;
	struct nl_msg *request = encoder->request;
	unsigned what = change->what;
	uint32_t flags = 0;
	if (what & PEER_REMOVE)
		flags = WGPEER_F_REMOVE_ME;
	else if ((what & PEER_ALLOWED_REPLACE) && !is_continued)
		flags = WGPEER_F_REPLACE_ALLOWEDIPS;
	if (!(what & PEER_NEW) || is_continued)
		flags |= WGPEER_F_UPDATE_ONLY; // somebody removed it meanwhile: do not bring half a peer back
	encoder->peer = nla_nest_start(request, 0);
	if (!encoder->peer || nla_put(request, WGPEER_A_PUBLIC_KEY, PEER_KEY_BYTES, change->public_key) < 0 ||
		nla_put_u32(request, WGPEER_A_FLAGS, flags) < 0)
		return -ENOMEM;
	if (is_continued || (what & PEER_REMOVE))
		return 0;
	const struct peer *wanted = change->wanted;
	if ((what & PEER_PRESHARED) &&
		nla_put(request, WGPEER_A_PRESHARED_KEY, PEER_KEY_BYTES, wanted->preshared_key) < 0)
		return -ENOMEM;
	if ((what & PEER_ENDPOINT) && put_endpoint(request, wanted) < 0)
		return -ENOMEM;
	if ((what & PEER_KEEPALIVE) &&
		nla_put_u16(request, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, wanted->keepalive_sec) < 0)
		return -ENOMEM;
	return 0;
}

static int put_allowed(struct nl_msg *request, const struct address *allowed)
{
	struct nlattr *nest = nla_nest_start(request, 0);
	if (!nest || nla_put_u16(request, WGALLOWEDIP_A_FAMILY, allowed->ip.family) < 0 ||
		nla_put(request, WGALLOWEDIP_A_IPADDR, (int)ip_n_bytes(allowed->ip.family), allowed->ip.bytes) < 0 ||
		nla_put_u8(request, WGALLOWEDIP_A_CIDR_MASK, allowed->prefix) < 0)
		return -ENOMEM;
	(void)nla_nest_end(request, nest);
	return 0;
}

static void peer_close(struct encoder *encoder)
{
	if (encoder->allowed)
		(void)nla_nest_end(encoder->request, encoder->allowed);
	(void)nla_nest_end(encoder->request, encoder->peer);
	encoder->allowed = encoder->peer = NULL;
}

static int encode_peer(struct encoder *encoder, const struct peer_change *change)
{
	int error = peer_open(encoder, change, false);
	bool has_allowed = (change->what & (PEER_ALLOWED_ADD | PEER_ALLOWED_REPLACE)) && change->wanted->n_allowed;
	for (size_t i = 0; error == 0 && has_allowed && i < change->wanted->n_allowed; i++) {
		if (encoder_room(encoder) < ALLOWED_ROOM) {
			peer_close(encoder);
			error = peer_open(encoder, change, true); // there is no room: this starts a new request
			if (error < 0)
				return error;
		}
		if (!encoder->allowed) {
			encoder->allowed = nla_nest_start(encoder->request, WGPEER_A_ALLOWEDIPS);
			if (!encoder->allowed)
				return -ENOMEM;
		}
		error = put_allowed(encoder->request, &change->wanted->allowed[i]);
	}
	if (error == 0)
		peer_close(encoder);
	return error;
}

int wireguard_encode(uint16_t family, int link_index, const struct wireguard_settings *settings,
	const struct peer_plan *plan, size_t max_bytes, wireguard_request_t on_request, void *user)
{
	struct encoder encoder = {.family = family, .link_index = link_index, .max_bytes = max_bytes,
		.on_request = on_request, .user = user};
	int error = 0;
	if (settings) {
		error = encoder_open(&encoder);
		if (error == 0 && settings->set_private_key &&
			nla_put(encoder.request, WGDEVICE_A_PRIVATE_KEY, PEER_KEY_BYTES, settings->private_key) < 0)
			error = -ENOMEM;
		if (error == 0 && settings->set_port &&
			nla_put_u16(encoder.request, WGDEVICE_A_LISTEN_PORT, settings->port) < 0)
			error = -ENOMEM;
		if (error == 0 && settings->set_mark &&
			nla_put_u32(encoder.request, WGDEVICE_A_FWMARK, settings->mark) < 0)
			error = -ENOMEM;
	}
	for (size_t i = 0; error == 0 && plan && i < plan->n; i++)
		error = encode_peer(&encoder, &plan->changes[i]);
	if (error == 0)
		error = encoder_send(&encoder);
	nl_msgp(&encoder.request); // wipes it
	return error;
}

struct sender {
	struct netlink *netlink;
	struct diag *reterr;
};

static int send_request(struct nl_msg *request_take, void *user)
{
	struct sender *sender = user;
	int error = netlink_call(sender->netlink, request_take, sender->reterr);
	if (error < 0 && sender->reterr)
		diag_prefix(sender->reterr, "wireguard");
	return error;
}

int wireguard_set(int link_index, const struct wireguard_settings *settings, const struct peer_plan *plan,
	struct diag *reterr)
{
	CLEANUP(netlink_freep) struct netlink *netlink = NULL;
	uint16_t family;
	int error = netlink_open(NETLINK_GENERIC, &netlink, reterr);
	if (error == 0)
		error = netlink_family(netlink, WG_GENL_NAME, &family, reterr);
	if (error < 0)
		return error;
	struct sender sender = {netlink, reterr};
	return wireguard_encode(family, link_index, settings, plan, 24 << 10, send_request, &sender);
}
