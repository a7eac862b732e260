// The keys of a link itself: which one it is, what it is called, how it is configured, its name servers.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/netplan-keys.h"
#include "netconf/netplan-value.h"

#include <errno.h>
#include <strings.h>

int netplan_decode_match(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	static const char *const known[] = {"name", "macaddress", "driver", NULL};
	char path[NETPLAN_PATH_TEXT];
	uint8_t mac[6];
	int error = netplan_need_type(value, VALUE_OBJECT, what, reterr);
	if (error == 0)
		error = netplan_only_keys(value, what, known, reterr);
	const struct value *name = value_find(value, "name"), *address = value_find(value, "macaddress");
	const struct value *driver = value_find(value, "driver");
	declaration->has_match = true;
	if (error == 0 && name) {
		netplan_path_set(path, "%s.name", what);
		error = netplan_set_text(&declaration->match_name, name, path, reterr);
	}
	if (error == 0 && address) {
		netplan_path_set(path, "%s.macaddress", what);
		error = netplan_set_text(&declaration->match_mac, address, path, reterr);
		if (error == 0 && mac_parse(declaration->match_mac, mac) < 0)
			return netplan_refuse(address, reterr, "%s: must be a MAC like 52:54:00:12:34:56, not \"%s\"",
				path, declaration->match_mac);
	}
	if (error < 0 || !driver)
		return error;
	while (declaration->n_match_drivers) // a later document's are instead of an earlier one's
		free(declaration->match_drivers[--declaration->n_match_drivers]);
	size_t n = driver->type == VALUE_ARRAY ? driver->n : 1;
	for (size_t i = 0; i < n; i++) {
		const struct value *item = driver->type == VALUE_ARRAY ? &driver->items[i] : driver;
		if (!netplan_scalar(item) || !*netplan_scalar(item))
			return netplan_refuse(item, reterr, "%s.driver: must be the name of a driver", what);
		error = netplan_append_text(&declaration->match_drivers, &declaration->n_match_drivers,
			netplan_scalar(item));
		if (error < 0)
			return error;
	}
	return 0;
}

static bool has_server(const struct declaration *declaration, const struct ip *server)
{
	for (size_t i = 0; i < declaration->n_servers; i++)
		if (ip_compare(&declaration->servers[i], server) == 0)
			return true;
	return false;
}

int netplan_decode_nameservers(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	static const char *const known[] = {"addresses", "search", NULL};
	int error = netplan_need_type(value, VALUE_OBJECT, what, reterr);
	if (error == 0)
		error = netplan_only_keys(value, what, known, reterr);
	const struct value *addresses = value_find(value, "addresses"), *search = value_find(value, "search");
	if (error == 0 && addresses)
		error = netplan_need_type(addresses, VALUE_ARRAY, "nameservers.addresses", reterr);
	if (error == 0 && search)
		error = netplan_need_type(search, VALUE_ARRAY, "nameservers.search", reterr);
	for (size_t i = 0; error == 0 && addresses && i < addresses->n; i++) {
		const struct value *item = &addresses->items[i];
		struct ip ip;
		if (!netplan_scalar(item) || ip_parse(netplan_scalar(item), &ip) < 0)
			return netplan_refuse(item, reterr, "%s.addresses[%zu]: must be an address, not \"%s\"", what, i,
				netplan_scalar(item) ? netplan_scalar(item) : "");
		if (has_server(declaration, &ip))
			continue;
		if (declaration->n_servers == NETWORK_MAX_SERVERS)
			return netplan_refuse(item, reterr, "%s.addresses: at most %d servers on one link", what,
				NETWORK_MAX_SERVERS);
		declaration->servers[declaration->n_servers++] = ip;
	}
	for (size_t i = 0; error == 0 && search && i < search->n; i++) {
		const struct value *item = &search->items[i];
		const char *text = netplan_scalar(item);
		if (text && text[0] == '~') // only says which server to ask for it, and resolv.conf cannot
			continue;
		if (!text || !*text || strlen(text) > 253 || declaration->n_search == 32 ||
			strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != strlen(text))
			return netplan_refuse(item, reterr,
				"%s.search[%zu]: must be a domain name (32 at most), not \"%s\"", what, i,
				text ? text : "");
		error = netplan_add_text(&declaration->search, &declaration->n_search, text);
	}
	return error;
}

int netplan_decode_link_local(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	int error = netplan_need_type(value, VALUE_ARRAY, what, reterr);
	declaration->has_link_local = true;
	declaration->link_local4 = declaration->link_local6 = false;
	for (size_t i = 0; error == 0 && i < value->n; i++) {
		const char *word = netplan_scalar(&value->items[i]);
		if (word && strcasecmp(word, "ipv4") == 0)
			declaration->link_local4 = true;
		else if (word && strcasecmp(word, "ipv6") == 0)
			declaration->link_local6 = true;
		else
			return netplan_refuse(&value->items[i], reterr, "%s[%zu]: must be ipv4 or ipv6, not \"%s\"",
				what, i, word ? word : "");
	}
	return error;
}

// 0: as it is. 65536 is the loopback's.
int netplan_decode_mtu(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	int error = netplan_number(value, what, 0, 65536, &declaration->mtu, reterr);
	if (error == 0 && declaration->mtu && declaration->mtu < 68)
		return netplan_refuse(value, reterr, "%s: must be a number 68-65536, not %u", what, declaration->mtu);
	return error;
}

int netplan_decode_mtu6(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	int error = netplan_number(value, what, 0, 65536, &declaration->mtu6, reterr);
	if (error == 0 && declaration->mtu6 && declaration->mtu6 < 1280)
		return netplan_refuse(value, reterr, "%s: must be at least 1280, IPv6's least, not %u", what,
			declaration->mtu6);
	return error;
}

int netplan_decode_mac(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	const char *text = netplan_scalar(value);
	if (str_equal(text, "permanent") || str_equal(text, "random"))
		return netplan_refuse(value, reterr, "%s: \"%s\" is not supported; declare the MAC itself", what, text);
	if (!text || mac_parse(text, declaration->mac) < 0)
		return netplan_refuse(value, reterr, "%s: must be a MAC like 52:54:00:12:34:56, not \"%s\"", what,
			text ? text : "");
	if (declaration->mac[0] & 1)
		return netplan_refuse(value, reterr, "%s: %s is the address of a group, no link can have it", what, text);
	static const uint8_t none[6];
	if (memcmp(declaration->mac, none, sizeof(none)) == 0)
		return netplan_refuse(value, reterr, "%s: 00:00:00:00:00:00 is no address, no link can have it", what);
	declaration->has_mac = true;
	return 0;
}

int netplan_decode_accept_ra(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	declaration->has_accept_ra = true;
	return netplan_bool(value, what, &declaration->accept_ra, reterr);
}

int netplan_decode_privacy(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	declaration->has_privacy = true;
	return netplan_bool(value, what, &declaration->privacy, reterr);
}

int netplan_decode_critical(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	return netplan_bool(value, what, &declaration->critical, reterr);
}

int netplan_decode_ignore_carrier(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	return netplan_bool(value, what, &declaration->ignore_carrier, reterr);
}

int netplan_decode_activation(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	const char *word = netplan_scalar(value);
	if (!str_equal(word, "manual") && !str_equal(word, "off"))
		return netplan_refuse(value, reterr, "%s: must be manual or off, not \"%s\"", what, word ? word : "");
	declaration->activation = str_equal(word, "off") ? ACTIVATION_OFF : ACTIVATION_MANUAL;
	return 0;
}

int netplan_decode_optional(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	return netplan_bool(value, what, &declaration->optional, reterr);
}

// Which addresses the start of the machine does not wait for. Hearth's waits for none of them.
int netplan_decode_optional_addresses(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	static const char *const known[] = {"ipv4-ll", "ipv6-ra", "dhcp4", "dhcp6", "static"};
	(void)declaration; // nothing of it is kept
	int error = netplan_need_type(value, VALUE_ARRAY, what, reterr);
	for (size_t i = 0; error == 0 && i < value->n; i++) {
		const char *word = netplan_scalar(&value->items[i]);
		bool is_known = false;
		for (size_t j = 0; word && j < N_ELEMENTS(known); j++)
			is_known |= strcasecmp(word, known[j]) == 0;
		if (!is_known)
			return netplan_refuse(&value->items[i], reterr,
				"%s[%zu]: must be ipv4-ll, ipv6-ra, dhcp4, dhcp6 or static, not \"%s\"", what, i,
				word ? word : "");
	}
	return error;
}

int netplan_decode_set_name(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	int error = netplan_set_text(&declaration->set_name, value, what, reterr);
	if (error == 0 && !link_name_valid(declaration->set_name))
		return netplan_refuse(value, reterr, "%s: must be %s, not \"%s\"", what, LINK_NAME_RULE,
			declaration->set_name);
	return error;
}

int netplan_decode_renderer(struct declaration *declaration, const struct value *value, const char *what,
	struct diag *reterr)
{
	if (!str_equal(netplan_scalar(value), "networkd"))
		return netplan_refuse(value, reterr, "%s: must be networkd, not \"%s\"", what,
			netplan_scalar(value) ? netplan_scalar(value) : "");
	return 0;
}
