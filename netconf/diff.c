// A plan as the difference between the document and the kernel.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/diff.h"

#include "base/json.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <stdarg.h>

enum { KERNEL = '-', DOCUMENT = '+', PEER_LINE_ALLOWED = 8 };

struct line {
	size_t group, position; // lines of one link stand together, in the order of the links' first lines
	char side;
	char *what;
};
struct diff {
	const struct kernel *kernel;
	const struct plan *plan;
	struct line *lines;
	char (*groups)[IFNAMSIZ];
	size_t n_lines, n_groups;
	bool failed; // memory ran out
};

static void diff_done(struct diff *diff)
{
	for (size_t i = 0; i < diff->n_lines; i++)
		free(diff->lines[i].what);
	free(diff->lines);
	free(diff->groups);
}

static bool more(struct diff *diff, void **array, size_t n, size_t size)
{
	if (n & (n - 1))
		return true;
	void *grown = realloc(*array, (n ? n * 2 : 1) * size);
	if (grown)
		*array = grown;
	diff->failed |= !grown;
	return grown != NULL;
}

static bool find_group(struct diff *diff, const char *name, size_t *ret)
{
	for (size_t i = diff->n_groups; i-- > 0;) { // mostly the last one
		if (str_equal(diff->groups[i], name)) {
			*ret = i;
			return true;
		}
	}
	if (!more(diff, (void **)&diff->groups, diff->n_groups, IFNAMSIZ))
		return false;
	(void)snprintf(diff->groups[diff->n_groups], IFNAMSIZ, "%s", name);
	*ret = diff->n_groups++;
	return true;
}

static void put(struct diff *diff, char side, const char *name, const char *format, ...) PRINTF_LIKE(4, 5);
static void put(struct diff *diff, char side, const char *name, const char *format, ...)
{
	va_list arguments;
	struct line line = {.side = side, .position = diff->n_lines};
	if (!find_group(diff, name, &line.group) ||
		!more(diff, (void **)&diff->lines, diff->n_lines, sizeof(*diff->lines)))
		return;
	va_start(arguments, format);
	int n = vasprintf(&line.what, format, arguments);
	va_end(arguments);
	if (n < 0)
		diff->failed = true;
	else
		diff->lines[diff->n_lines++] = line;
}

static const char *name_of(const struct diff *diff, int link_index)
{
	const struct kernel_link *one = link_index ? kernel_link_by_index(diff->kernel, link_index) : NULL;
	return one ? one->name : "none";
}

// --- links ---

static void put_identity(struct diff *diff, const struct change *change, const struct kernel_link *have)
{
	const struct declaration *declaration = change->declaration;
	if (have && !str_equal(have->kind, declaration_link_kind(declaration->kind))) {
		put(diff, KERNEL, change->name, "kind: %s", have->kind);
		have = NULL;
	}
	if (declaration->kind == DECLARATION_VLAN) {
		if (have)
			put(diff, KERNEL, change->name, "vlan: id %u on %s", have->vlan_id,
				name_of(diff, have->parent_index));
		put(diff, DOCUMENT, change->name, "vlan: id %u on %s", declaration->vlan_id, declaration->parent);
	} else if (declaration->kind == DECLARATION_VRF) {
		if (have)
			put(diff, KERNEL, change->name, "vrf: table %u", have->vrf_table);
		put(diff, DOCUMENT, change->name, "vrf: table %u", declaration->vrf_table);
	} else {
		if (have)
			put(diff, KERNEL, change->name, "kind: %s", have->kind);
		put(diff, DOCUMENT, change->name, "kind: %s", declaration_link_kind(declaration->kind));
	}
}

static void put_set(struct diff *diff, const struct change *change, const struct kernel_link *have)
{
	char mac[18];
	if (change->set.mtu) {
		if (have)
			put(diff, KERNEL, change->name, "mtu: %u", have->mtu);
		put(diff, DOCUMENT, change->name, "mtu: %u", change->set.mtu);
	}
	if (change->set.has_mac) {
		if (have && have->has_mac)
			put(diff, KERNEL, change->name, "macaddress: %s", mac_format(have->mac, mac));
		put(diff, DOCUMENT, change->name, "macaddress: %s", mac_format(change->set.mac, mac));
	}
	if (change->set.sets_ra) {
		put(diff, KERNEL, change->name, "accept-ra: %s", change->set.takes_ra ? "false" : "true");
		put(diff, DOCUMENT, change->name, "accept-ra: %s", change->set.takes_ra ? "true" : "false");
	}
	if (!change->set.up && !change->set.down)
		return;
	if (have)
		put(diff, KERNEL, change->name, "state: %s", change->set.up ? "down" : "up");
	put(diff, DOCUMENT, change->name, "state: %s", change->set.up ? "up" : "down");
}

static void put_targets(struct diff *diff, char side, const char *name, const struct ip *targets, size_t n)
{
	char list[BOND_MAX_ARP_TARGETS * (ADDRESS_TEXT + 2)] = "", text[ADDRESS_TEXT];
	size_t n_list = 0;
	for (size_t i = 0; i < n; i++)
		n_list += (size_t)snprintf(list + n_list, sizeof(list) - n_list, "%s%s", i ? ", " : "",
			ip_format(&targets[i], text));
	put(diff, side, name, "arp-ip-targets: [%s]", list);
}

static void put_options(struct diff *diff, const struct change *change, const struct kernel_link *have)
{
	bool is_port = change->options.kind == LINK_OPTION_BRIDGE_PORT;
	const struct link_options *old = !have ? NULL : is_port ? &have->port_options : &have->options;
	const struct declaration *declaration = change->declaration;
	size_t n;
	char text[32];
	const struct link_option *table = link_options_of(change->options.kind, &n);
	for (size_t i = 0; i < n; i++) {
		if (!link_options_have(&change->options.values, i))
			continue;
		if (old && link_options_have(old, i))
			put(diff, KERNEL, change->name, "%s: %s", table[i].key,
				link_option_format(&table[i], old->value[i], text));
		put(diff, DOCUMENT, change->name, "%s: %s", table[i].key,
			link_option_format(&table[i], change->options.values.value[i], text));
	}
	if (change->options.has_primary) {
		if (have)
			put(diff, KERNEL, change->name, "primary: %s", name_of(diff, have->primary_index));
		put(diff, DOCUMENT, change->name, "primary: %s",
			change->options.primary[0] ? change->options.primary : "none");
	}
	if (change->options.has_arp_targets && declaration) {
		if (have)
			put_targets(diff, KERNEL, change->name, have->arp_targets, have->n_arp_targets);
		put_targets(diff, DOCUMENT, change->name, declaration->arp_targets, declaration->n_arp_targets);
	}
}

// Does a later change make it a port again? A bond's mode changes without ports: they leave and come back.
static bool comes_back(const struct diff *diff, const struct change *change)
{
	const struct plan *plan = diff->plan;
	for (const struct change *later = change + 1; later < plan->changes + plan->n; later++)
		if (later->type == CHANGE_LINK_MASTER && str_equal(later->name, change->name))
			return true;
	return false;
}

static void put_master(struct diff *diff, const struct change *change, const struct kernel_link *have)
{
	const char *old = have && have->master_index ? name_of(diff, have->master_index) : "";
	if (str_equal(old, change->master.name) || (!change->master.name[0] && comes_back(diff, change)))
		return;
	if (old[0])
		put(diff, KERNEL, change->name, "port of: %s", old);
	if (change->master.name[0])
		put(diff, DOCUMENT, change->name, "port of: %s", change->master.name);
}

// --- WireGuard ---

static void put_wireguard(struct diff *diff, const struct change *change, const struct kernel_link *have)
{
	const struct wireguard_settings *wanted = &change->wireguard;
	if (wanted->set_private_key) { // neither is ever shown
		if (have)
			put(diff, KERNEL, change->name, "key: another one");
		put(diff, DOCUMENT, change->name, "key: %s", change->declaration->key_file);
	}
	if (wanted->set_port) {
		if (have)
			put(diff, KERNEL, change->name, "port: %u", have->wireguard.port);
		put(diff, DOCUMENT, change->name, "port: %u", wanted->port);
	}
	if (wanted->set_mark) {
		if (have)
			put(diff, KERNEL, change->name, "mark: %u", have->wireguard.mark);
		put(diff, DOCUMENT, change->name, "mark: %u", wanted->mark);
	}
}

// One peer with the parts that @what names.
static void put_peer(struct diff *diff, char side, const char *name, const struct peer *peer, unsigned what)
{
	char key[PEER_KEY_TEXT], text[ADDRESS_TEXT], endpoint[ADDRESS_TEXT + 16] = "", keepalive[32] = "";
	char allowed[PEER_LINE_ALLOWED * (ADDRESS_TEXT + 2) + 48] = "";
	size_t n = 0;
	if (what & (PEER_NEW | PEER_ENDPOINT) && peer->endpoint.family)
		(void)snprintf(endpoint, sizeof(endpoint), ", endpoint %s",
			endpoint_format(&peer->endpoint, peer->endpoint_port, text));
	if (what & PEER_KEEPALIVE || (what & PEER_NEW && peer->keepalive_sec))
		(void)snprintf(keepalive, sizeof(keepalive), ", keepalive %u", peer->keepalive_sec);
	if (what & (PEER_NEW | PEER_ALLOWED_ADD | PEER_ALLOWED_REPLACE)) {
		n += (size_t)snprintf(allowed, sizeof(allowed), ", allowed-ips");
		for (size_t i = 0; i < peer->n_allowed && i < PEER_LINE_ALLOWED; i++)
			n += (size_t)snprintf(allowed + n, sizeof(allowed) - n, " %s",
				address_format(&peer->allowed[i], text));
		if (peer->n_allowed > PEER_LINE_ALLOWED)
			(void)snprintf(allowed + n, sizeof(allowed) - n, " and %zu more",
				peer->n_allowed - PEER_LINE_ALLOWED);
	}
	put(diff, side, name, "peer: %s%s%s%s%s", peer_key_format(peer->public_key, key), endpoint, keepalive,
		what & PEER_PRESHARED ? ", another preshared key" : "", allowed);
}

static void put_peers(struct diff *diff, const struct change *change, const struct kernel_link *have)
{
	char key[PEER_KEY_TEXT];
	for (size_t i = 0; i < change->peers.n; i++) {
		const struct peer_change *one = &change->peers.changes[i];
		const struct peer *old = have ? peer_table_find(&have->wireguard.peers, one->public_key) : NULL;
		if (one->what & PEER_REMOVE)
			put(diff, KERNEL, change->name, "peer: %s", peer_key_format(one->public_key, key));
		else if (old)
			put_peer(diff, KERNEL, change->name, old, one->what);
		if (one->wanted)
			put_peer(diff, DOCUMENT, change->name, one->wanted, one->what);
	}
}

// --- addresses, routes, rules ---

static bool has_lease(const struct diff *diff, const struct change *change)
{
	size_t n, first = kernel_addresses_of(diff->kernel, change->link_index, &n);
	for (size_t i = first; i < first + n; i++)
		if (address_compare(&diff->kernel->addresses[i].address, &change->address) == 0)
			return !(diff->kernel->addresses[i].flags & IFA_F_PERMANENT);
	return false;
}

static void put_address(struct diff *diff, const struct change *change)
{
	char text[ADDRESS_TEXT];
	const char *address = address_format(&change->address, text);
	if (change->type != CHANGE_ADDRESS_ADD) {
		put(diff, KERNEL, change->name, "address: %s", address);
		return;
	}
	if (has_lease(diff, change))
		put(diff, KERNEL, change->name, "address: %s, which expires", address);
	put(diff, DOCUMENT, change->name, "address: %s", address);
}

static int compare_keys(const void *a, const void *b)
{
	return route_compare_key(&((const struct kernel_route *)a)->route, &((const struct kernel_route *)b)->route);
}

// The route of ours that @change replaces; NULL when it went meanwhile.
static const struct kernel_route *replaced(const struct diff *diff, const struct change *change)
{
	const struct kernel *kernel = diff->kernel;
	struct kernel_route key = {.route = change->route};
	const struct kernel_route *found = !kernel->n_routes ? NULL
		: bsearch(&key, kernel->routes, kernel->n_routes, sizeof(key), compare_keys);
	if (!found)
		return NULL;
	while (found > kernel->routes && compare_keys(found - 1, &key) == 0)
		found--;
	for (; found < kernel->routes + kernel->n_routes && compare_keys(found, &key) == 0; found++)
		if (found->protocol == HEARTH_PROTOCOL)
			return found;
	return NULL;
}

static void put_route(struct diff *diff, const struct change *change)
{
	char text[ROUTE_TEXT];
	const char *group = change->name[0] ? change->name : "routes";
	const struct kernel_route *old = change->type == CHANGE_ROUTE_REPLACE ? replaced(diff, change) : NULL;
	if (old)
		put(diff, KERNEL, group, "route: %s%s%s", route_format(&old->route, text),
			old->link_index && old->link_index != change->link_index ? " dev " : "",
			old->link_index && old->link_index != change->link_index ? name_of(diff, old->link_index) : "");
	put(diff, change->type == CHANGE_ROUTE_REMOVE ? KERNEL : DOCUMENT, group, "route: %s",
		route_format(&change->route, text));
}

// --- the whole ---

static void put_change(struct diff *diff, const struct change *change)
{
	const struct kernel_link *have = kernel_link_by_index(diff->kernel, change->link_index);
	char text[RULE_TEXT];
	switch (change->type) {
	case CHANGE_LINK_RENAME:
		put(diff, KERNEL, change->name, "name: %s", change->old_name);
		put(diff, DOCUMENT, change->name, "name: %s", change->name);
		break;
	case CHANGE_LINK_REPLACE:
	case CHANGE_LINK_CREATE:
		put_identity(diff, change, have);
		break;
	case CHANGE_WIREGUARD:
		put_wireguard(diff, change, have);
		break;
	case CHANGE_LINK_OPTIONS:
		put_options(diff, change, have);
		break;
	case CHANGE_LINK_MASTER:
		put_master(diff, change, have);
		break;
	case CHANGE_LINK_SET:
		put_set(diff, change, have);
		break;
	case CHANGE_ADDRESS_REPREFIX:
	case CHANGE_ADDRESS_ADD:
	case CHANGE_ADDRESS_REMOVE:
		put_address(diff, change);
		break;
	case CHANGE_ROUTE_ADD:
	case CHANGE_ROUTE_REPLACE:
	case CHANGE_ROUTE_REMOVE:
		put_route(diff, change);
		break;
	case CHANGE_RULE_ADD:
	case CHANGE_RULE_REMOVE:
		put(diff, change->type == CHANGE_RULE_ADD ? DOCUMENT : KERNEL, "rules", "rule: %s",
			rule_format(&change->rule, text));
		break;
	case CHANGE_PEERS:
		put_peers(diff, change, have);
		break;
	case CHANGE_LINK_REMOVE:
		put(diff, KERNEL, change->name, "kind: %s", have ? have->kind : "none");
		break;
	case CHANGE_FILE_WRITE:
	case CHANGE_FILE_REMOVE:
		put(diff, change->type == CHANGE_FILE_WRITE ? DOCUMENT : KERNEL, "networkd", "file: %s",
			change->file.name);
		break;
	case CHANGE_NETWORKD:
		put(diff, DOCUMENT, "networkd", "read: its files as they are");
		break;
	}
}

static void put_missing(struct diff *diff, const struct network *network)
{
	CLEANUP(claims_done) struct claims claims = {0};
	char where[DIAG_WHERE_MAX];
	if (claims_make(network, diff->kernel, &claims, NULL) < 0)
		return; // the plan stands on the same claims and said why
	for (size_t i = 0; i < network->n; i++) {
		const struct declaration *declaration = &network->declarations[i];
		bool has_link = declaration->kind != DECLARATION_ETHERNET;
		for (size_t j = 0; j < claims.n && !has_link; j++)
			has_link = claims.claims[j].declaration == declaration;
		if (!has_link)
			put(diff, DOCUMENT, declaration->id, "link: declared at %s, and not there",
				place_text(&declaration->where, where));
	}
}

static int compare_lines(const void *a, const void *b)
{
	const struct line *one = a, *other = b;
	if (one->group != other->group)
		return one->group < other->group ? -1 : 1;
	return one->position < other->position ? -1 : 1;
}

static bool diff_make(struct diff *diff, const struct network *network)
{
	for (size_t i = 0; i < diff->plan->n && !diff->failed; i++)
		put_change(diff, &diff->plan->changes[i]);
	put_missing(diff, network);
	if (diff->n_lines)
		qsort(diff->lines, diff->n_lines, sizeof(*diff->lines), compare_lines);
	return !diff->failed;
}

char *diff_text(const struct network *network, const struct kernel *kernel, const struct plan *plan)
{
	CLEANUP(diff_done) struct diff diff = {.kernel = kernel, .plan = plan};
	AUTO_FREE char *text = NULL;
	size_t n_text = 0;
	FILE *out = diff_make(&diff, network) ? open_memstream(&text, &n_text) : NULL;
	if (!out)
		return NULL;
	if (diff.n_lines)
		(void)fputs("--- kernel\n+++ document\n", out);
	for (size_t i = 0; i < diff.n_lines; i++) {
		const struct line *one = &diff.lines[i];
		if (i == 0 || one[-1].group != one->group)
			(void)fprintf(out, " %s:\n", diff.groups[one->group]);
		(void)fprintf(out, "%c  %s\n", one->side, one->what);
	}
	return fclose(out) == 0 ? TAKE_PTR(text) : NULL;
}

char *diff_json(const struct network *network, const struct kernel *kernel, const struct plan *plan)
{
	CLEANUP(diff_done) struct diff diff = {.kernel = kernel, .plan = plan};
	struct json_out out = {0};
	if (!diff_make(&diff, network))
		return NULL;
	json_out_array_begin(&out);
	for (size_t i = 0; i < diff.n_lines; i++) {
		json_out_object_begin(&out);
		json_out_member(&out, "link", diff.groups[diff.lines[i].group]);
		json_out_member(&out, "side", diff.lines[i].side == KERNEL ? "kernel" : "document");
		json_out_member(&out, "what", diff.lines[i].what);
		json_out_object_end(&out);
	}
	json_out_array_end(&out);
	return json_out_take(&out);
}
