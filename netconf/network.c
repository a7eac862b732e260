// The desired network as a value: made from a document or by default, laid over another, its keys loaded, freed.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/network.h"

#include "base/crypto.h"

#include <errno.h>

static const struct {
	const char *section, *link_kind;
} kinds[N_DECLARATION_KINDS] = {
	[DECLARATION_ETHERNET] = {"ethernets", ""},
	[DECLARATION_DUMMY] = {"dummy-devices", "dummy"},
	[DECLARATION_WIREGUARD] = {"tunnels", "wireguard"},
	[DECLARATION_BOND] = {"bonds", "bond"},
	[DECLARATION_BRIDGE] = {"bridges", "bridge"},
	[DECLARATION_VLAN] = {"vlans", "vlan"},
	[DECLARATION_VRF] = {"vrfs", "vrf"},
};

const char *declaration_section(enum declaration_kind kind)
{
	return kinds[kind].section;
}

const char *declaration_link_kind(enum declaration_kind kind)
{
	return kinds[kind].link_kind;
}

static void free_texts(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

static void overrides_done(struct dhcp_overrides *overrides)
{
	free(overrides->hostname);
	free(overrides->use_domains);
}

static void declaration_done(struct declaration *declaration)
{
	free_texts(declaration->match_drivers, declaration->n_match_drivers);
	free_texts(declaration->search, declaration->n_search);
	free_texts(declaration->preshared_files, declaration->n_preshared_files);
	free_texts(declaration->ports, declaration->n_ports);
	for (size_t i = 0; i < declaration->n_bridge_ports; i++)
		free(declaration->bridge_ports[i].port);
	free(declaration->bridge_ports);
	free(declaration->ports_where);
	free(declaration->master);
	free(declaration->parent);
	free(declaration->primary);
	free(declaration->rules);
	free(declaration->rules_where);
	overrides_done(&declaration->dhcp4_overrides);
	overrides_done(&declaration->dhcp6_overrides);
	free(declaration->preshared_owner);
	free(declaration->id);
	free(declaration->match_name);
	free(declaration->match_mac);
	free(declaration->set_name);
	free(declaration->addresses);
	free(declaration->addresses_where);
	free(declaration->routes);
	free(declaration->routes_where);
	free(declaration->key_file);
	peer_table_done(&declaration->peers);
	crypto_wipe(declaration->private_key, sizeof(declaration->private_key));
}

struct network *network_free(struct network *network)
{
	if (!network)
		return NULL;
	for (size_t i = 0; i < network->n; i++)
		declaration_done(&network->declarations[i]);
	free(network->declarations);
	free_texts(network->files, network->n_files);
	free(network);
	return NULL;
}

const struct declaration *network_find(const struct network *network, const char *id)
{
	for (size_t i = 0; i < network->n; i++)
		if (str_equal(network->declarations[i].id, id))
			return &network->declarations[i];
	return NULL;
}

bool link_name_valid(const char *name)
{
	size_t n = strlen(name);
	static const char *const others[] = {".", "..", "all", "default"}; // sysctl's folders beside those of links
	bool is_plain = n > 0 && n < IFNAMSIZ && name[0] != '!' && !strpbrk(name, "/:%*?[]\\\"'");
	for (size_t i = 0; i < n && is_plain; i++)
		is_plain = name[i] > ' ' && name[i] < 0x7f;
	for (size_t i = 0; i < N_ELEMENTS(others) && is_plain; i++)
		is_plain = !str_equal(name, others[i]);
	return is_plain && strspn(name, "0123456789") < n; // systemd takes a number for the link's index
}

static int load_key(const struct declaration *declaration, const char *file, uint8_t ret[static PEER_KEY_BYTES], struct diag *reterr)
{
	struct diag rule = {0};
	int error = peer_key_load(file, ret, &rule);
	return error < 0 ? place_refuse(reterr, error, &declaration->where, "%s: key file %s", declaration->id, diag_text(&rule)) : 0;
}

int network_load_keys(struct network *network, struct diag *reterr)
{
	for (size_t i = 0; i < network->n; i++) {
		struct declaration *declaration = &network->declarations[i];
		if (declaration->kind != DECLARATION_WIREGUARD)
			continue;
		int error = load_key(declaration, declaration->key_file, declaration->private_key, reterr);
		if (error < 0)
			return error;
		declaration->private_key[0] &= 248; // Curve25519's clamp, as the kernel does: else we would never be equal
		declaration->private_key[31] = (declaration->private_key[31] & 127) | 64;
		declaration->has_private_key = true;
		for (size_t j = 0; j < declaration->n_preshared_files; j++) {
			// const of the search only: the table is ours
			struct peer *peer = (struct peer *)peer_table_find(&declaration->peers,
				declaration->preshared_owner[j]);
			error = peer ? load_key(declaration, declaration->preshared_files[j], peer->preshared_key, reterr) : -EINVAL;
			if (error < 0)
				return error;
		}
	}
	return 0;
}

int netconf_decode(const struct value *netplan, struct network **ret, struct diag *reterr)
{
	CLEANUP(network_freep) struct network *network = calloc(1, sizeof(*network));
	if (!network)
		return -ENOMEM;
	int error = network_decode(network, netplan, NULL, reterr);
	if (error == 0)
		error = network_validate(network, reterr);
	if (error < 0)
		return error;
	*ret = TAKE_PTR(network);
	return 0;
}

int netconf_default(struct network **ret)
{
	CLEANUP(network_freep) struct network *network = calloc(1, sizeof(*network));
	if (!network)
		return -ENOMEM;
	network->declarations = calloc(1, sizeof(*network->declarations));
	if (!network->declarations)
		return -ENOMEM;
	network->declarations[0] = (struct declaration){.kind = DECLARATION_ETHERNET, .id = strdup("wired"),
		.where.file = "default", .has_match = true, .match_wired = true, .dhcp4 = true, .dhcp6 = true,
		.has_accept_ra = true, .accept_ra = true, .optional = true};
	network->n = 1;
	if (!network->declarations[0].id)
		return -ENOMEM;
	*ret = TAKE_PTR(network);
	return 0;
}

static void drop_port(struct declaration *master, size_t i)
{
	free(master->ports[i]);
	memmove(&master->ports[i], &master->ports[i + 1], (master->n_ports - i - 1) * sizeof(*master->ports));
	if (master->ports_where)
		memmove(&master->ports_where[i], &master->ports_where[i + 1],
			(master->n_ports - i - 1) * sizeof(*master->ports_where));
	master->n_ports--;
}

// A master of the layer below keeps those of its ports that the layer above leaves without one.
static int adopt_ports(struct network *network, struct declaration *master)
{
	for (size_t i = 0; i < master->n_ports;) {
		// const of the search only: the network is ours
		struct declaration *port = (struct declaration *)network_find(network, master->ports[i]);
		bool is_ours = port && (!port->master || str_equal(port->master, master->id));
		if (!is_ours) {
			drop_port(master, i);
			continue;
		}
		if (!port->master && !(port->master = strdup(master->id)))
			return -ENOMEM;
		i++;
	}
	return 0;
}

// What the layer above declares anew has the ports that it says there, and none that only the layer below gave it.
static void leave_master(const struct network *network, struct declaration *port)
{
	const struct declaration *master = port->master ? network_find(network, port->master) : NULL;
	if (master && declaration_has_port(master, port->id))
		return;
	free(port->master);
	port->master = NULL;
}

bool netconf_has_tunnel(const struct network *network, const char *link)
{
	const struct declaration *declaration = network_find(network, link);
	return declaration && declaration->kind == DECLARATION_WIREGUARD;
}

void netconf_limit_mtu(struct network *network, const char *link, uint32_t mtu)
{
	for (size_t i = 0; i < network->n; i++) {
		struct declaration *declaration = &network->declarations[i];
		if (str_equal(declaration->id, link) && (declaration->mtu == 0 || declaration->mtu > mtu))
			declaration->mtu = mtu;
	}
}

int netconf_layer(struct network *network, struct network *below_take)
{
	struct declaration *grown = network->declarations;
	if (below_take && below_take->n) {
		grown = realloc(grown, (network->n + below_take->n) * sizeof(*grown));
		if (!grown) {
			network_free(below_take);
			return -ENOMEM;
		}
		network->declarations = grown;
		for (; below_take->n_files; below_take->n_files--) { // places of what it declares go by them
			char **files = realloc(network->files, (network->n_files + 1) * sizeof(*files));
			if (!files) {
				network_free(below_take);
				return -ENOMEM;
			}
			network->files = files;
			files[network->n_files++] = below_take->files[below_take->n_files - 1];
		}
		for (size_t i = 0; i < below_take->n; i++) {
			if (network_find(network, below_take->declarations[i].id))
				declaration_done(&below_take->declarations[i]); // declared anew above
			else
				grown[network->n++] = below_take->declarations[i];
		}
		below_take->n = 0;
	}
	network_free(below_take);
	int error = 0;
	for (size_t i = 0; error == 0 && i < network->n; i++)
		error = adopt_ports(network, &network->declarations[i]);
	for (size_t i = 0; error == 0 && i < network->n; i++)
		leave_master(network, &network->declarations[i]);
	return error;
}
