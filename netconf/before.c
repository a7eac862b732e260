// The kernel's network, completed where the tried one changes it.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/before.h"

#include "netconf/claim.h"
#include "netconf/network-text.h"
#include "netconf/show.h"

#include "base/crypto.h"
#include "base/file.h"
#include "base/yaml.h"

#include <errno.h>
#include <linux/if_arp.h>

enum { MAX_DOCUMENT = 16 << 20, IPV6_MIN_MTU = 1280, MAX_MTU = 65535 };

static struct declaration *declaration_of(struct network *network, const char *id)
{
	for (size_t i = 0; i < network->n; i++)
		if (str_equal(network->declarations[i].id, id))
			return &network->declarations[i];
	return NULL;
}

// --- what show leaves out because it is usual ---

static void set_mtu(const struct kernel_link *one, struct declaration *declaration)
{
	if (one->mtu >= IPV6_MIN_MTU && one->mtu <= MAX_MTU)
		declaration->mtu = one->mtu;
}

static void complete_link(const struct kernel_link *one, struct declaration *declaration)
{
	if (declaration->kind != DECLARATION_VRF && declaration->kind != DECLARATION_BRIDGE) // a bridge's follows its ports until one is said
		set_mtu(one, declaration);
	if (!(one->flags & IFF_UP))
		declaration->activation = ACTIVATION_OFF;
	/* show takes it for the kernel's own; once the link was removed nobody else knows it, and a bridge that loses a port may get
	 * that of another one. A bridge that lost them all before has zeros. */
	bool is_known = one->has_mac && memcmp(one->mac, (const uint8_t[6]){0}, sizeof(one->mac)) != 0;
	bool is_bridge = declaration->kind == DECLARATION_BRIDGE && str_equal(one->alias, HEARTH_ALIAS);
	if (is_known && (declaration->kind == DECLARATION_DUMMY || declaration->kind == DECLARATION_VRF || is_bridge)) {
		declaration->has_mac = true;
		memcpy(declaration->mac, one->mac, sizeof(declaration->mac));
	}
}

/* A bond of ours without ports, to which no document gives a MAC, has one that the kernel made up, and takes the first port's later: said,
 * it would have that one for good. */
static bool has_made_up_mac(const struct kernel *kernel, const struct network *confirmed, const struct kernel_link *one)
{
	const struct declaration *said = confirmed ? network_find(confirmed, one->name) : NULL;
	bool is_ours = str_equal(one->kind, "bond") && str_equal(one->alias, HEARTH_ALIAS);
	return is_ours && !(said && said->has_mac) && !kernel_has_ports(kernel, one);
}

static struct bridge_port *port_of(struct declaration *bridge, const char *port)
{
	for (size_t i = 0; i < bridge->n_bridge_ports; i++)
		if (str_equal(bridge->bridge_ports[i].port, port))
			return &bridge->bridge_ports[i];
	struct bridge_port *grown = realloc(bridge->bridge_ports, (bridge->n_bridge_ports + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	bridge->bridge_ports = grown;
	struct bridge_port *added = &grown[bridge->n_bridge_ports];
	*added = (struct bridge_port){.port = strdup(port)};
	if (!added->port)
		return NULL;
	bridge->n_bridge_ports++;
	return added;
}

// What the tried network says of an option, the kernel's value of it is said for the way back.
static void complete_options(const struct link_options *tried, const struct link_options *actual, struct link_options *ret)
{
	for (size_t i = 0; i < LINK_OPTIONS_MAX; i++)
		if (link_options_have(tried, i) && link_options_have(actual, i))
			link_options_set(ret, i, actual->value[i]);
}

// netplan says some of a port's options at the bridge, the others at the port.
static bool is_said_at_bridge(size_t position)
{
	size_t n;
	const struct link_option *table = link_options_of(LINK_OPTION_BRIDGE_PORT, &n);
	return position < n && (str_equal(table[position].key, "path-cost") || str_equal(table[position].key, "port-priority"));
}

// @said: a document's options of a port; the kernel's values of them are said for the way back.
static int complete_port(const struct kernel *kernel, const struct kernel_link *one, const struct link_options *said,
	struct declaration *declaration, struct network *before)
{
	const struct kernel_link *master = kernel_link_by_index(kernel, one->master_index);
	struct declaration *bridge = master && str_equal(one->port_kind, "bridge") ? declaration_of(before, master->name) : NULL;
	if (!bridge || !declaration_has_port(bridge, one->name)) // show has left out a port that no document can name
		return 0;
	for (size_t i = 0; i < LINK_OPTIONS_MAX; i++) {
		if (!link_options_have(said, i) || !link_options_have(&one->port_options, i))
			continue;
		struct bridge_port *port = is_said_at_bridge(i) ? port_of(bridge, one->name) : NULL;
		if (is_said_at_bridge(i) && !port)
			return -ENOMEM;
		link_options_set(port ? &port->options : &declaration->port_options, i, one->port_options.value[i]);
	}
	return 0;
}

/* show takes the path-cost 5 for the kernel's own. Where the confirmed document says it, a port that leaves has lost it; where
 * nobody does, saying it would keep the kernel from following the card's speed. */
static int complete_confirmed_ports(const struct kernel *kernel, const struct network *confirmed, struct network *before)
{
	CLEANUP(claims_done) struct claims claims = {0};
	int error = confirmed ? claims_make(confirmed, kernel, &claims, NULL) : 0;
	if (error < 0)
		return error == -ENOMEM ? error : 0; // it does not fit the machine any more
	for (size_t i = 0; error == 0 && i < claims.n; i++) {
		const struct kernel_link *one = claims.claims[i].link;
		struct declaration *found = one ? declaration_of(before, one->name) : NULL;
		if (found)
			error = complete_port(kernel, one, &claims.claims[i].declaration->port_options, found, before);
	}
	return error;
}

// A link that show leaves out, say one that is down and without settings.
static struct declaration *add(struct network *before, const struct kernel_link *one)
{
	struct declaration *grown = realloc(before->declarations, (before->n + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	before->declarations = grown;
	struct declaration *added = &grown[before->n];
	*added = (struct declaration){.kind = DECLARATION_ETHERNET, .id = strdup(one->name)};
	if (!added->id)
		return NULL;
	before->n++;
	return added;
}

/* A card that has another name then is found by the MAC that is its own for good; one without (a veth), by the name that it has
 * then. A VLAN or a tunnel is found by what it is. */
static int find_again(const struct kernel_link *one, const char *name_then, struct declaration *ret)
{
	char mac[18];
	free(ret->match_mac);
	free(ret->match_name);
	free(ret->set_name);
	ret->has_match = true;
	ret->match_mac = one->has_permanent_mac ? strdup(mac_format(one->permanent_mac, mac)) : NULL;
	ret->match_name = one->has_permanent_mac ? NULL : strdup(name_then);
	ret->set_name = strdup(one->name);
	return (ret->match_mac || ret->match_name) && ret->set_name ? 0 : -ENOMEM;
}

// A bond gets a monitor by itself with a mode that wants one.
static struct link_options options_at_stake(const struct declaration *tried)
{
	struct link_options said = tried->options;
	size_t mode = (size_t)link_option_find(LINK_OPTION_BOND, "mode"), monitor = (size_t)link_option_find(LINK_OPTION_BOND, "mii-monitor-interval");
	if (tried->kind == DECLARATION_BOND && link_options_have(&said, mode))
		link_options_set(&said, monitor, 0);
	return said;
}

static int complete_claimed(const struct kernel *kernel, const struct network *confirmed, const struct claim *claim, struct network *before)
{
	const struct kernel_link *one = claim->link;
	if (!one || (one->flags & IFF_LOOPBACK))
		return 0;
	struct declaration *found = declaration_of(before, one->name);
	if (!found)
		found = add(before, one);
	if (!found)
		return -ENOMEM;
	complete_link(one, found);
	if (found->kind == DECLARATION_BRIDGE && claim->declaration->mtu)
		set_mtu(one, found);
	struct link_options tried = options_at_stake(claim->declaration);
	complete_options(&tried, &one->options, &found->options);
	found->has_accept_ra = one->has_ra; // of the kernel: networkd has its files
	found->accept_ra = one->takes_ra;
	bool is_of_bond = str_equal(one->port_kind, "bond"); // one that has its bond's
	bool comes_again = claim->declaration->n_ports && has_made_up_mac(kernel, confirmed, one); // when the ports that are tried leave
	if (claim->declaration->has_mac && !comes_again && (is_of_bond ? one->has_own_mac : one->has_mac)) {
		found->has_mac = true;
		memcpy(found->mac, is_of_bond ? one->own_mac : one->mac, sizeof(found->mac));
	}
	if (found->kind == DECLARATION_ETHERNET && !str_equal(claim->name, one->name) && find_again(one, claim->name, found) < 0)
		return -ENOMEM;
	return complete_port(kernel, one, &claim->declaration->port_options, found, before);
}

static int complete(const struct kernel *kernel, const struct network *tried, const struct network *confirmed, struct network *before,
	struct diag *reterr)
{
	CLEANUP(claims_done) struct claims claims = {0};
	for (size_t i = 0; i < before->n; i++) {
		const struct kernel_link *one = kernel_link_by_name(kernel, before->declarations[i].id);
		if (!one || (one->flags & IFF_LOOPBACK))
			continue;
		complete_link(one, &before->declarations[i]);
		before->declarations[i].has_mac &= !has_made_up_mac(kernel, confirmed, one);
	}
	int error = claims_make(tried, kernel, &claims, reterr);
	for (size_t i = 0; error == 0 && i < claims.n; i++)
		error = complete_claimed(kernel, confirmed, &claims.claims[i], before);
	return error;
}

// --- what show leaves out because it is no person's ---

static bool is_known_kind(const char *kind)
{
	for (enum declaration_kind known = DECLARATION_DUMMY; known < N_DECLARATION_KINDS; known++)
		if (str_equal(kind, declaration_link_kind(known)))
			return true;
	return false;
}

static bool has_ours(const struct kernel *kernel, const struct kernel_link *one)
{
	size_t n, first = kernel_addresses_of(kernel, one->index, &n);
	for (size_t i = first; i < first + n; i++)
		if (kernel->addresses[i].protocol == HEARTH_PROTOCOL)
			return true;
	for (size_t i = 0; i < kernel->n_routes; i++)
		if (kernel->routes[i].link_index == one->index && kernel->routes[i].protocol == HEARTH_PROTOCOL)
			return true;
	return false;
}

static bool is_claimed(const struct claims *claims, const struct kernel_link *one)
{
	for (size_t i = 0; i < claims->n; i++)
		if (claims->claims[i].link == one)
			return true;
	return false;
}

/* A container's bridge or a veth that the tried network names, or that has something of ours, is to be said like any other
 * link: its name is what a declaration goes by. */
static int involve(struct kernel *kernel, const struct network *tried, struct diag *reterr)
{
	CLEANUP(claims_done) struct claims claims = {0};
	int error = claims_make(tried, kernel, &claims, reterr);
	for (size_t i = 0; error == 0 && i < kernel->n_links; i++) {
		struct kernel_link *one = &kernel->links[i];
		if (!one->kind[0] || (!is_claimed(&claims, one) && !has_ours(kernel, one)))
			continue;
		if (is_known_kind(one->kind)) {
			(void)snprintf(one->alias, sizeof(one->alias), "%s", HEARTH_ALIAS);
		} else {
			one->kind[0] = '\0';
			one->type = ARPHRD_ETHER;
		}
	}
	return error;
}

// --- the document ---

static int decode(const char *document, struct network **ret, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *value = NULL;
	int error = yaml_parse(document, strlen(document), MAX_DOCUMENT, "the kernel's network", &value, reterr);
	return error < 0 ? error : netconf_decode(value, ret, reterr);
}

int before_document(struct kernel *kernel, const struct network *tried, const struct network *confirmed, const char *key_folder,
	char **ret, struct network **ret_network, struct diag *reterr)
{
	CLEANUP(network_freep) struct network *shown = NULL, *again = NULL;
	AUTO_FREE char *text = NULL, *complete_text = NULL;
	int error = involve(kernel, tried, reterr);
	if (error < 0)
		return error;
	text = show_text(kernel, key_folder);
	if (!text)
		return -ENOMEM;
	error = decode(text, &shown, reterr);
	if (error == 0)
		error = complete(kernel, tried, confirmed, shown, reterr);
	if (error == 0)
		error = complete_confirmed_ports(kernel, confirmed, shown);
	if (error < 0)
		return error;
	complete_text = network_text(shown);
	if (!complete_text)
		return -ENOMEM;
	error = decode(complete_text, &again, reterr); // now, when nothing was changed yet
	if (error < 0)
		return error;
	*ret = TAKE_PTR(complete_text);
	*ret_network = TAKE_PTR(again);
	return 0;
}

// --- keys ---

static int save_key(const char *path, const uint8_t key[static PEER_KEY_BYTES], struct diag *reterr)
{
	AUTO_FREE char *text = base64_encode(key, PEER_KEY_BYTES);
	if (!text)
		return -ENOMEM;
	int error = file_write_atomic(path, text, strlen(text), 0600, reterr);
	crypto_wipe(text, strlen(text));
	return error;
}

static const struct peer *peer_with(const struct wireguard_device *device, const uint8_t key[static PEER_KEY_BYTES])
{
	for (size_t i = 0; i < device->peers.n; i++)
		if (memcmp(device->peers.peers[i].public_key, key, PEER_KEY_BYTES) == 0)
			return &device->peers.peers[i];
	return NULL;
}

int before_save_keys(const struct network *before, const struct kernel *kernel, struct diag *reterr)
{
	int error = 0;
	for (size_t i = 0; error == 0 && i < before->n; i++) {
		const struct declaration *declaration = &before->declarations[i];
		const struct kernel_link *one = kernel_link_by_name(kernel, declaration->id);
		if (declaration->kind != DECLARATION_WIREGUARD || !one || !one->wireguard.present)
			continue;
		if (declaration->key_file)
			error = save_key(declaration->key_file, one->wireguard.private_key, reterr);
		for (size_t j = 0; error == 0 && j < declaration->n_preshared_files; j++) {
			const struct peer *peer = peer_with(&one->wireguard, declaration->preshared_owner[j]);
			if (declaration->preshared_files[j] && peer)
				error = save_key(declaration->preshared_files[j], peer->preshared_key, reterr);
		}
	}
	return error;
}
