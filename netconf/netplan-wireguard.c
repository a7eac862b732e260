// The keys of a WireGuard tunnel and of its peers. Keys are named by their files, never shown.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/netplan-keys.h"
#include "netconf/netplan-value.h"

#include <errno.h>

int netplan_decode_mode(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	if (!str_equal(netplan_scalar(value), "wireguard"))
		return netplan_refuse(value, reterr, "%s: must be wireguard, other tunnels are not supported: \"%s\"",
			what, netplan_scalar(value) ? netplan_scalar(value) : "");
	declaration->has_mode = true;
	return 0;
}

static int key_path(char **field, const struct value *value, const char *what, struct diag *reterr)
{
	const char *text = netplan_scalar(value);
	if (!text || text[0] != '/') // never show it: it may be a key
		return netplan_refuse(value, reterr,
			"%s: must be the absolute path of a file with the key, never the key itself", what);
	return netplan_set_text(field, value, what, reterr);
}

// key and keys are one to netplan: the path, or a mapping with it.
int netplan_decode_key(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	static const char *const known[] = {"private", "private-key-flags", "input", "output", NULL};
	char path[NETPLAN_PATH_TEXT];
	if (value->type != VALUE_OBJECT)
		return key_path(&declaration->key_file, value, what, reterr);
	int error = netplan_only_keys(value, what, known, reterr);
	for (size_t i = 0; error == 0 && i < value->n; i++) {
		netplan_path_set(path, "%s.%s", what, value->keys[i]);
		if (!str_equal(value->keys[i], "private"))
			return netplan_refuse(&value->items[i], reterr, "%s: is not supported: wireguard has the key private only",
				path);
		error = key_path(&declaration->key_file, &value->items[i], path, reterr);
	}
	return error;
}

// 0 is netplan's for none said, here and in mark
int netplan_decode_port(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	uint32_t port;
	int error = netplan_number(value, what, 0, 65535, &port, reterr);
	if (error == 0) {
		declaration->port = (uint16_t)port;
		declaration->has_port = port != 0;
	}
	return error;
}

int netplan_decode_mark(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	int error = netplan_number(value, what, 0, UINT32_MAX, &declaration->mark, reterr);
	if (error == 0)
		declaration->has_mark = declaration->mark != 0;
	return error;
}

static int decode_peer_keys(struct peer *peer, const struct value *keys, const char *what, char **shared_file,
	struct diag *reterr)
{
	static const char *const known[] = {"public", "shared", NULL};
	char path[NETPLAN_PATH_TEXT];
	if (!keys)
		return 0;
	int error = netplan_need_type(keys, VALUE_OBJECT, what, reterr);
	if (error == 0)
		error = netplan_only_keys(keys, what, known, reterr);
	if (error < 0)
		return error;
	const struct value *public_key = value_find(keys, "public"), *shared = value_find(keys, "shared");
	if (!public_key || !netplan_scalar(public_key) || peer_key_parse(netplan_scalar(public_key),
		peer->public_key) < 0)
		return netplan_refuse(public_key ? public_key : keys, reterr,
			"%s.keys.public: must be a public key, 44 characters of base64", what);
	if (!shared)
		return 0;
	netplan_path_set(path, "%s.keys.shared", what);
	return key_path(shared_file, shared, path, reterr);
}

static int decode_peer_allowed(struct peer *peer, const struct value *allowed, const char *what, struct diag *reterr)
{
	if (allowed->type != VALUE_ARRAY)
		return netplan_refuse(allowed, reterr, "%s.allowed-ips: must be a list", what);
	for (size_t i = 0; i < allowed->n; i++) {
		const char *text = netplan_scalar(&allowed->items[i]);
		struct address address;
		if (!text || address_parse(text, false, &address) < 0)
			return netplan_refuse(&allowed->items[i], reterr,
				"%s.allowed-ips[%zu]: must be ADDRESS/PREFIX, not \"%s\"", what, i, text ? text : "");
		int error = peer_add_allowed(peer, &address);
		if (error == -E2BIG)
			return netplan_refuse(&allowed->items[i], reterr, "%s.allowed-ips: at most %d", what, PEER_MAX_ALLOWED);
		if (error < 0)
			return error;
	}
	return 0;
}

static int decode_peer(struct declaration *declaration, const struct value *item, const char *what,
	struct diag *reterr)
{
	static const char *const known[] = {"keys", "endpoint", "allowed-ips", "keepalive", NULL};
	AUTO_FREE char *shared_file = NULL;
	char path[NETPLAN_PATH_TEXT];
	int error = netplan_need_type(item, VALUE_OBJECT, what, reterr);
	if (error == 0)
		error = netplan_only_keys(item, what, known, reterr);
	if (error < 0)
		return error;
	struct peer *peer = peer_table_add(&declaration->peers);
	if (!peer)
		return -ENOMEM;
	const struct value *keys = value_find(item, "keys"), *endpoint = value_find(item, "endpoint");
	const struct value *allowed = value_find(item, "allowed-ips"), *keepalive = value_find(item, "keepalive");
	if (!keys)
		return netplan_refuse(item, reterr, "%s: needs the key keys", what);
	error = decode_peer_keys(peer, keys, what, &shared_file, reterr);
	if (error < 0)
		return error;
	bool has_endpoint = endpoint && !str_equal(netplan_scalar(endpoint), ""); // netplan takes "" as none
	if (has_endpoint && (!netplan_scalar(endpoint) ||
				endpoint_parse(netplan_scalar(endpoint), &peer->endpoint, &peer->endpoint_port) < 0))
		return netplan_refuse(endpoint, reterr,
			"%s.endpoint: must be ADDRESS:PORT or [IPV6]:PORT (names are not resolved), not \"%s\"", what,
			netplan_scalar(endpoint) ? netplan_scalar(endpoint) : "");
	if (keepalive) {
		uint32_t number;
		netplan_path_set(path, "%s.keepalive", what);
		error = netplan_number(keepalive, path, 0, 65535, &number, reterr);
		if (error < 0)
			return error;
		peer->keepalive_sec = (uint16_t)number;
	}
	error = allowed ? decode_peer_allowed(peer, allowed, what, reterr) : 0;
	if (error < 0 || !shared_file)
		return error;
	if (netplan_grow((void **)&declaration->preshared_owner, declaration->n_preshared_files, PEER_KEY_BYTES) < 0)
		return -ENOMEM;
	memcpy(declaration->preshared_owner[declaration->n_preshared_files], peer->public_key, PEER_KEY_BYTES);
	return netplan_append_text(&declaration->preshared_files, &declaration->n_preshared_files, shared_file);
}

int netplan_decode_peers(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	char path[NETPLAN_PATH_TEXT];
	int error = netplan_need_type(value, VALUE_ARRAY, what, reterr);
	if (error == 0 && declaration->peers.n + value->n > PEER_MAX)
		return netplan_refuse(value, reterr, "%s: at most %d peers", what, PEER_MAX);
	declaration->has_peers = true;
	for (size_t i = 0; error == 0 && i < value->n; i++) {
		netplan_path_set_element(path, what, i);
		error = decode_peer(declaration, &value->items[i], path, reterr);
	}
	return error;
}
