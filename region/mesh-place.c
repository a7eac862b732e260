// SPDX-License-Identifier: Apache-2.0
#include "region/mesh-place.h"

#include "base/crypto.h"

#include <arpa/inet.h>
#include <errno.h>

static bool within(const struct cidr *address, const char *range_text)
{
	struct cidr range;
	return cidr_parse(range_text, "", true, &range, NULL) >= 0 &&
	       cidr_contains(&range, address);
}

static bool is_of(const struct cidr *address, const char *const *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (within(address, ranges[i]))
			return true;
	return false;
}

static bool is_private(const struct cidr *address)
{
	static const char *const ranges[] = { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
		"100.64.0.0/10", "fc00::/7" };
	return is_of(address, ranges, N_ELEMENTS(ranges));
}

static bool is_loopback(const struct cidr *address)
{
	return within(address, "127.0.0.0/8") || within(address, "::1/128");
}

// Nobody's, or only on one link.
static bool is_special(const struct cidr *address)
{
	static const char *const ranges[] = { "0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3",
		"::/127", "::ffff:0:0/96", "fe80::/10", "ff00::/8" };
	return is_loopback(address) || is_of(address, ranges, N_ELEMENTS(ranges));
}

static bool is_of_cluster(const struct cluster_config *config, const struct cidr *address)
{
	return cidr_contains(&config->mesh, address) || cidr_contains(&config->pod, address) ||
	       cidr_contains(&config->service, address);
}

// For is_of_cluster() and the like: the address alone.
static struct cidr host_of(const struct cidr *address)
{
	struct cidr host = *address;
	host.length = address->family == AF_INET ? 32 : 128;
	return host;
}

static bool same_address(const struct cidr *a, const struct cidr *b)
{
	struct cidr one = host_of(a), other = host_of(b);
	return cidr_equal(&one, &other);
}

static bool address_parse(const char *text, struct cidr *ret)
{
	*ret = (struct cidr){ .family = AF_INET, .length = 32 };
	if (text && inet_pton(AF_INET, text, ret->bytes) == 1)
		return true;
	*ret = (struct cidr){ .family = AF_INET6, .length = 128 };
	return text && inet_pton(AF_INET6, text, ret->bytes) == 1;
}

static void add(
	struct mesh_place *place, enum mesh_way way, const struct cidr *address, uint16_t port)
{
	if (place->n == MESH_PLACE_MAX)
		return;
	for (size_t i = 0; i < place->n; i++)
		if (same_address(&place->candidates[i].address, address))
			return;
	place->candidates[place->n++] = (struct mesh_candidate){ way, *address, port };
}

static void add_candidate(const struct cluster_config *config, const struct cidr *address,
	uint16_t port, struct mesh_place *place)
{
	struct cidr host = host_of(address);
	if (is_special(&host) || within(&host, "10.0.2.0/24") || is_of_cluster(config, &host))
		return;
	add(place, is_private(&host) ? MESH_WAY_PREFIX : MESH_WAY_OWN, address, port);
}

static void add_reported(
	const struct cluster_config *config, const struct value *list, struct mesh_place *place)
{
	for (size_t i = 0; i < list->n; i++) {
		int64_t prefix, port;
		struct cidr address;
		if (!address_parse(value_text(value_find(&list->items[i], "address")), &address) ||
			value_int(value_find(&list->items[i], "prefix"), "", 0, address.length,
				&prefix, NULL) < 0 ||
			value_int(value_find(&list->items[i], "port"), "", 1, 65535, &port, NULL) <
				0)
			continue;
		address.length = (unsigned)prefix;
		add_candidate(config, &address, (uint16_t)port, place);
	}
}

static void add_nics(
	const struct cluster_config *config, const struct value *nics, struct mesh_place *place)
{
	for (size_t i = 0; nics && i < nics->n; i++) {
		const struct value *addresses = value_find(&nics->items[i], "addresses");
		for (size_t j = 0; addresses && j < addresses->n; j++) {
			const char *text = value_text(&addresses->items[j]);
			struct cidr address;
			if (text && cidr_parse(text, "", false, &address, NULL) >= 0)
				add_candidate(config, &address, MESH_PORT, place);
		}
	}
}

/* A private address counts everywhere when the region sees the node come from it, or when it sees
 * nothing: a request from loopback came by a proxy on its own machine. Who comes from an address
 * that is not its own is behind NAT. */
static void look_from_outside(const char *remote, struct mesh_place *place)
{
	struct cidr seen;
	bool known = address_parse(remote, &seen) && !is_loopback(&seen), is_own = false,
	     same_family = false;
	for (size_t i = 0; i < place->n; i++) {
		struct mesh_candidate *candidate = &place->candidates[i];
		bool fits = known && same_address(&candidate->address, &seen);
		if (fits || !known)
			candidate->way = MESH_WAY_OWN;
		is_own |= fits;
		same_family |= candidate->address.family == seen.family;
	}
	if (known && same_family && !is_own)
		place->outside = seen;
}

void mesh_place_of(const struct cluster_config *config, int64_t number, const struct value *facts,
	const char *remote, struct mesh_place *ret)
{
	const struct value *reported = value_find(facts, "meshCandidates");
	char mac[18];
	struct cidr lan;
	*ret = (struct mesh_place){ 0 };
	if (reported)
		add_reported(config, reported, ret);
	else
		add_nics(config, value_find(facts, "nics"), ret);
	look_from_outside(remote, ret);
	if (assign_lan_mac(config, facts, mac) < 0 || assign_lan_address(config, number, &lan) < 0)
		return;
	lan.length = config->lan.length;
	struct mesh_place own = *ret;
	ret->n = 0;
	add(ret, MESH_WAY_TEMPLATE, &lan, MESH_PORT);
	for (size_t i = 0; i < own.n; i++)
		add(ret, own.candidates[i].way, &own.candidates[i].address, own.candidates[i].port);
}

// ---- as text: "MARK t 10.77.0.12/24 51820,p 192.168.1.4/24 51820,n 203.0.113.9/32 0"

// Another LAN or other ranges make other places of the same facts.
static void config_mark(const struct cluster_config *config, char ret[static 9])
{
	char lan[CIDR_TEXT] = "", mesh[CIDR_TEXT], pod[CIDR_TEXT], service[CIDR_TEXT], text[256];
	char hex[SHA256_HEX + 1];
	uint8_t hash[SHA256_BYTES];
	if (config->has_lan)
		cidr_format(&config->lan, lan);
	cidr_format(&config->mesh, mesh);
	cidr_format(&config->pod, pod);
	cidr_format(&config->service, service);
	(void)snprintf(text, sizeof(text), "%s %s %s %s %s", lan,
		config->has_lan ? config->lan_mac_prefix : "", mesh, pod, service);
	sha256(text, strlen(text), hash);
	hex_encode(hash, sizeof(hash), hex);
	(void)snprintf(ret, 9, "%.8s", hex);
}

static void put(char *text, char kind, const struct cidr *address, unsigned port)
{
	char cidr[CIDR_TEXT];
	size_t n = strlen(text);
	cidr_format(address, cidr);
	(void)snprintf(
		text + n, MESH_PLACE_TEXT - n, "%s%c %s %u", n > 9 ? "," : "", kind, cidr, port);
}

void mesh_place_format(const struct cluster_config *config, const struct mesh_place *place,
	char ret[static MESH_PLACE_TEXT])
{
	config_mark(config, ret);
	(void)strcat(ret, " "); // 9 bytes by now
	for (size_t i = 0; i < place->n; i++)
		put(ret, (char)place->candidates[i].way, &place->candidates[i].address,
			place->candidates[i].port);
	if (place->outside.family)
		put(ret, 'n', &place->outside, 0);
}

static int parse_item(const char *item, struct mesh_place *place)
{
	char kind, cidr[CIDR_TEXT];
	unsigned port;
	struct cidr address;
	if (sscanf(item, "%c %49s %u", &kind, cidr, &port) != 3 || port > UINT16_MAX ||
		cidr_parse(cidr, "", false, &address, NULL) < 0)
		return -EINVAL;
	if (kind == 'n') {
		place->outside = address;
		return 0;
	}
	if ((kind != MESH_WAY_TEMPLATE && kind != MESH_WAY_OWN && kind != MESH_WAY_PREFIX) ||
		place->n == MESH_PLACE_MAX)
		return -EINVAL;
	place->candidates[place->n++] =
		(struct mesh_candidate){ (enum mesh_way)kind, address, (uint16_t)port };
	return 0;
}

int mesh_place_parse(const struct cluster_config *config, const char *text, struct mesh_place *ret)
{
	struct mesh_place place = { 0 };
	char mark[9], copy[MESH_PLACE_TEXT], *rest = copy;
	config_mark(config, mark);
	if (strncmp(text, mark, 8) != 0 || text[8] != ' ')
		return -ESTALE;
	(void)snprintf(copy, sizeof(copy), "%s", text + 9);
	for (char *item; *copy && (item = strsep(&rest, ","));) {
		int r = parse_item(item, &place);
		if (r < 0)
			return r;
	}
	*ret = place;
	return 0;
}

// ---- the choice

static bool endpoint_put(
	const struct mesh_candidate *candidate, char ret[static MESH_ENDPOINT_TEXT])
{
	char address[CIDR_TEXT];
	cidr_format_address(&candidate->address, address);
	(void)snprintf(ret, MESH_ENDPOINT_TEXT,
		candidate->address.family == AF_INET6 ? "[%s]:%d" : "%s:%d", address,
		candidate->port);
	return true;
}

static bool has_family(const struct mesh_place *place, int family)
{
	for (size_t i = 0; i < place->n; i++)
		if (place->candidates[i].address.family == family)
			return true;
	return place->n == 0; // nothing is known of it
}

static bool shares_prefix(const struct mesh_place *place, const struct cidr *address)
{
	for (size_t i = 0; i < place->n; i++) {
		const struct cidr *own = &place->candidates[i].address;
		if (own->length == address->length && cidr_overlaps(own, address) &&
			!same_address(own, address))
			return true;
	}
	return false;
}

bool mesh_place_choose(const struct mesh_place *asker, const struct mesh_place *peer,
	char ret[static MESH_ENDPOINT_TEXT])
{
	bool both_behind = asker->outside.family && peer->outside.family;
	bool same_outside = both_behind && cidr_equal(&asker->outside, &peer->outside);
	const struct mesh_candidate *end = peer->candidates + peer->n;
	for (const struct mesh_candidate *c = peer->candidates; c < end; c++)
		if (c->way == MESH_WAY_TEMPLATE)
			return endpoint_put(c, ret);
	for (const struct mesh_candidate *c = peer->candidates; c < end; c++)
		if (shares_prefix(asker, &c->address) && (!both_behind || same_outside))
			return endpoint_put(c, ret);
	for (const struct mesh_candidate *c = peer->candidates; c < end; c++)
		if (c->way == MESH_WAY_OWN && has_family(asker, c->address.family))
			return endpoint_put(c, ret);
	for (const struct mesh_candidate *c = peer->candidates; c < end; c++)
		if (same_outside && has_family(asker, c->address.family))
			return endpoint_put(c, ret);
	return false;
}

bool mesh_place_guess(const struct mesh_place *asker, const struct mesh_place *peer,
	char ret[static MESH_ENDPOINT_TEXT])
{
	for (size_t i = 0; i < peer->n; i++)
		if (shares_prefix(asker, &peer->candidates[i].address))
			return endpoint_put(&peer->candidates[i], ret);
	return false;
}

bool mesh_place_has(const struct mesh_place *place, const char *endpoint)
{
	char text[MESH_ENDPOINT_TEXT];
	for (size_t i = 0; i < place->n; i++)
		if (endpoint_put(&place->candidates[i], text) && str_equal(text, endpoint))
			return true;
	return false;
}

void mesh_place_for_outside(const struct cluster_config *config, const struct node *node,
	char ret[static MESH_ENDPOINT_TEXT])
{
	CLEANUP(value_freep) struct value *facts = NULL;
	struct mesh_place place, nobody = { 0 };
	if (node->facts)
		(void)json_parse(node->facts, strlen(node->facts), 0, &facts,
			NULL); // stored facts were checked; none is fine
	mesh_place_of(config, node->number, facts, node->remote, &place);
	if (!mesh_place_choose(&nobody, &place, ret))
		ret[0] = '\0';
}

bool mesh_endpoint_is_usable(const struct cluster_config *config, const char *text)
{
	char address_text[CIDR_TEXT];
	struct cidr address;
	const char *port = strrchr(text, ':');
	char *end;
	size_t n = port ? (size_t)(port - text) : 0;
	bool is_v6 = text[0] == '[';
	if (is_v6 && (n < 2 || text[n - 1] != ']'))
		return false;
	if (is_v6) {
		text++;
		n -= 2;
	}
	if (n == 0 || n >= sizeof(address_text) || port[1] < '1' || port[1] > '9')
		return false;
	unsigned long number = strtoul(port + 1, &end, 10);
	memcpy(address_text, text, n);
	address_text[n] = '\0';
	return !*end && number <= UINT16_MAX && address_parse(address_text, &address) &&
	       (address.family == AF_INET6) == is_v6 && !is_special(&address) &&
	       !is_of_cluster(config, &address);
}
