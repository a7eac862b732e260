// Peers of a mesh link, given by the caller: made equal in the kernel by delta; and what they are doing.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/netconf.h"
#include "netconf/wireguard.h"

#include "base/time.h"

#include <errno.h>

static int decode_one(const struct netconf_peer *given, size_t nth, struct peer_table *table, struct diag *reterr)
{
	char where[64];
	struct peer *peer = peer_table_add(table);
	if (!peer)
		return -ENOMEM;
	(void)snprintf(where, sizeof(where), "peers[%zu].publicKey", nth);
	if (!given->public_key || peer_key_parse(given->public_key, peer->public_key) < 0)
		return diag_set(reterr, -EINVAL, where, "must be 44 characters of base64, not \"%s\"",
			given->public_key ? given->public_key : "");
	(void)snprintf(where, sizeof(where), "peers[%zu].endpoint", nth);
	if (given->endpoint && endpoint_parse(given->endpoint, &peer->endpoint, &peer->endpoint_port) < 0)
		return diag_set(reterr, -EINVAL, where, "must be ADDRESS:PORT or [IPV6]:PORT, not \"%s\"", given->endpoint);
	(void)snprintf(where, sizeof(where), "peers[%zu].allowedIps", nth);
	if (given->n_allowed_ips > NETCONF_MAX_ALLOWED)
		return diag_set(reterr, -EINVAL, where, "at most %d, not %zu", NETCONF_MAX_ALLOWED, given->n_allowed_ips);
	for (size_t i = 0; i < given->n_allowed_ips; i++) {
		struct address allowed;
		if (address_parse(given->allowed_ips[i], false, &allowed) < 0)
			return diag_set(reterr, -EINVAL, where, "must be ADDRESS/PREFIX, not \"%s\"", given->allowed_ips[i]);
		if (peer_add_allowed(peer, &allowed) < 0)
			return -ENOMEM;
	}
	peer->keepalive_sec = given->keepalive_sec;
	return given->preshared_key_file ? peer_key_load(given->preshared_key_file, peer->preshared_key, reterr) : 0;
}

static int link_index_of(const char *name, int *ret, struct diag *reterr)
{
	int index = strlen(name) < IFNAMSIZ ? (int)if_nametoindex(name) : 0;
	if (!index)
		return diag_set(reterr, -ENODEV, name, "there is no such link");
	*ret = index;
	return 0;
}

int netconf_set_peers(const char *link_name, const struct netconf_peer *peers, size_t n_peers, struct diag *reterr)
{
	CLEANUP(peer_table_done) struct peer_table wanted = {0};
	CLEANUP(wireguard_device_done) struct wireguard_device device = {0};
	CLEANUP(peer_plan_done) struct peer_plan plan = {0};
	int index = 0, error = 0;
	if (n_peers > NETCONF_MAX_PEERS)
		return diag_set(reterr, -EINVAL, "peers", "at most %d on one link", NETCONF_MAX_PEERS);
	for (size_t i = 0; error == 0 && i < n_peers; i++)
		error = decode_one(&peers[i], i, &wanted, reterr);
	if (error == 0)
		error = peer_table_check(&wanted, reterr);
	if (error == 0)
		error = link_index_of(link_name, &index, reterr);
	if (error == 0)
		error = wireguard_get(index, &device, reterr);
	if (error == 0)
		error = peer_plan_make(&wanted, &device.peers, time_wall_msec() / 1000, &plan);
	if (error == 0 && plan.n)
		error = wireguard_set(index, NULL, &plan, reterr);
	return error < 0 ? error : (int)plan.n;
}

static unsigned peer_what(const struct netconf_peer_change *change)
{
	const struct netconf_peer *peer = &change->peer;
	unsigned what = 0;
	if (change->what & NETCONF_PEER_REMOVE)
		return PEER_REMOVE;
	if (change->what & NETCONF_PEER_NEW)
		return PEER_NEW | PEER_KEEPALIVE | PEER_ALLOWED_REPLACE | PEER_PRESHARED | (peer->endpoint ? PEER_ENDPOINT : 0u);
	if ((change->what & NETCONF_PEER_ENDPOINT) && peer->endpoint)
		what |= PEER_ENDPOINT;
	if (change->what & NETCONF_PEER_KEEPALIVE)
		what |= PEER_KEEPALIVE;
	if (change->what & NETCONF_PEER_ALLOWED)
		what |= PEER_ALLOWED_REPLACE;
	return what;
}

int netconf_change_peers(const char *link_name, const struct netconf_peer_change *changes, size_t n, struct diag *reterr)
{
	CLEANUP(peer_table_done) struct peer_table table = {0};
	CLEANUP(peer_plan_done) struct peer_plan plan = {.changes = calloc(n ? n : 1, sizeof(*plan.changes))};
	int index = 0, error = plan.changes ? 0 : -ENOMEM;
	for (size_t i = 0; error == 0 && i < n; i++)
		error = decode_one(&changes[i].peer, i, &table, reterr);
	for (size_t i = 0; error == 0 && i < n; i++) {
		struct peer_change *change = &plan.changes[plan.n++];
		memcpy(change->public_key, table.peers[i].public_key, PEER_KEY_BYTES);
		change->what = peer_what(&changes[i]);
		change->wanted = &table.peers[i];
	}
	if (error == 0)
		error = link_index_of(link_name, &index, reterr);
	return error == 0 && plan.n ? wireguard_set(index, NULL, &plan, reterr) : error;
}

int netconf_peers_status(const char *link_name, struct netconf_peer_status **ret, size_t *ret_n, struct diag *reterr)
{
	CLEANUP(wireguard_device_done) struct wireguard_device device = {0};
	int64_t now_sec = time_wall_msec() / 1000;
	int index = 0, error = link_index_of(link_name, &index, reterr);
	if (error == 0)
		error = wireguard_get(index, &device, reterr);
	if (error < 0)
		return error;
	struct netconf_peer_status *status = calloc(device.peers.n ? device.peers.n : 1, sizeof(*status));
	if (!status)
		return -ENOMEM;
	for (size_t i = 0; i < device.peers.n; i++) {
		const struct peer *peer = &device.peers.peers[i];
		(void)peer_key_format(peer->public_key, status[i].public_key);
		if (peer->endpoint.family)
			(void)endpoint_format(&peer->endpoint, peer->endpoint_port, status[i].endpoint);
		int64_t ago_sec = now_sec - peer->handshake_sec;
		status[i].handshake_ago_sec = peer->handshake_sec == 0 ? -1 : ago_sec > 0 ? ago_sec : 0;
		status[i].handshake_mark = (uint64_t)peer->handshake_sec * UINT64_C(1000000000) + (uint64_t)peer->handshake_nsec;
		status[i].rx_bytes = peer->rx_bytes;
		status[i].tx_bytes = peer->tx_bytes;
		status[i].n_allowed_ips = peer->n_allowed;
	}
	*ret = status;
	*ret_n = device.peers.n;
	return 0;
}
