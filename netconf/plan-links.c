// Links that get another name, are made, made anew or removed, and what WireGuard links are set to.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/plan-parts.h"

#include "base/crypto.h"

#include <errno.h>

bool plan_is_ours(const struct kernel_link *link)
{
	return str_equal(link->alias, HEARTH_ALIAS);
}

enum link_fate plan_fate(const struct planning *planning, int link_index)
{
	const struct kernel_link *one = kernel_link_by_index(planning->kernel, link_index);
	return one ? planning->fates[one - planning->kernel->links] : LINK_STAYS;
}

const char *plan_name(const struct planning *planning, const struct kernel_link *one)
{
	for (size_t i = 0; i < planning->claims.n; i++)
		if (planning->claims.claims[i].link == one)
			return planning->claims.claims[i].name;
	return one->name;
}

// --- how links stand on each other ---

const struct plan_link *plan_find(const struct planning *planning, const char *id)
{
	for (size_t i = 0; id && i < planning->claims.n; i++)
		if (str_equal(planning->links[i].declaration->id, id))
			return &planning->links[i];
	return NULL;
}

static int compare_depths(const void *a, const void *b)
{
	const struct plan_link *one = *(struct plan_link *const *)a, *other = *(struct plan_link *const *)b;
	if (one->depth != other->depth)
		return one->depth < other->depth ? -1 : 1;
	return one < other ? -1 : one > other; // as declared
}

// Rounds, not recursion: they end even where two layers together make a circle. -EINVAL then.
static int find_depths(struct planning *planning)
{
	bool changed = true;
	for (size_t round = 0; changed && round <= planning->claims.n; round++) {
		changed = false;
		for (size_t i = 0; i < planning->claims.n; i++) {
			struct plan_link *link = &planning->links[i];
			size_t depth = 0;
			if (link->master)
				depth = link->master->depth + 1;
			if (link->parent && link->parent->depth >= depth)
				depth = link->parent->depth + 1;
			changed |= depth != link->depth;
			link->depth = depth;
		}
	}
	for (size_t i = 0; changed && i < planning->claims.n; i++)
		if (planning->links[i].depth > planning->claims.n)
			return place_refuse(planning->reterr, -EINVAL, &planning->links[i].declaration->where,
				"%s: stands on itself, by way of its link or of what it is a port of",
				planning->links[i].claim->name);
	return 0;
}

static int stack_links(struct planning *planning)
{
	size_t n = planning->claims.n;
	planning->links = calloc(n + 1, sizeof(*planning->links));
	planning->order = calloc(n + 1, sizeof(struct plan_link *));
	planning->fates = calloc(planning->kernel->n_links + 1, sizeof(*planning->fates));
	planning->loses_routes = calloc(planning->kernel->n_links + 1, sizeof(bool));
	if (!planning->links || !planning->order || !planning->fates || !planning->loses_routes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct claim *claim = &planning->claims.claims[i];
		planning->links[i] = (struct plan_link){.claim = claim, .declaration = claim->declaration,
			.have = claim->link, .is_up = claim->link && (claim->link->flags & IFF_UP)};
		planning->order[i] = &planning->links[i];
	}
	for (size_t i = 0; i < n; i++) {
		planning->links[i].master = plan_find(planning, planning->links[i].declaration->master);
		planning->links[i].parent = plan_find(planning, planning->links[i].declaration->parent);
	}
	int error = find_depths(planning);
	sort_items(planning->order, n, sizeof(*planning->order), compare_depths);
	return error;
}

// --- names ---

struct renaming {
	const struct plan_link *link;
	char name[IFNAMSIZ]; // what it has now
};

static bool is_held(const struct renaming *renamings, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (renamings[i].link && str_equal(renamings[i].name, name))
			return true;
	return false;
}

static int rename_to(struct planning *planning, struct renaming *renaming, const char *name)
{
	struct change *change = plan_add(planning->plan, CHANGE_LINK_RENAME, name, renaming->link->have->index,
		renaming->link->declaration);
	if (!change)
		return -ENOMEM;
	change->has_other_name = kernel_link_has_other_name(renaming->link->have, name);
	memcpy(change->old_name, renaming->name, IFNAMSIZ);
	memcpy(renaming->name, change->name, IFNAMSIZ);
	return 0;
}

// A name that no link has, for one of those whose names go round in a circle.
static void free_name(const struct planning *planning, char ret[static IFNAMSIZ])
{
	for (unsigned i = 0; i <= planning->kernel->n_links; i++) {
		(void)snprintf(ret, IFNAMSIZ, "hearth-%u", i);
		if (!kernel_link_by_name(planning->kernel, ret))
			return;
	}
}

static int plan_renames(struct planning *planning)
{
	AUTO_FREE struct renaming *renamings = calloc(planning->claims.n + 1, sizeof(*renamings));
	char name[IFNAMSIZ];
	size_t n = 0, n_left;
	int error = 0;
	if (!renamings)
		return -ENOMEM;
	for (size_t i = 0; i < planning->claims.n; i++) {
		const struct plan_link *link = &planning->links[i];
		if (!link->have || str_equal(link->have->name, link->claim->name))
			continue;
		renamings[n].link = link;
		memcpy(renamings[n++].name, link->have->name, IFNAMSIZ);
	}
	for (n_left = n; error == 0 && n_left;) {
		size_t n_before = n_left;
		for (size_t i = 0; error == 0 && i < n; i++) {
			const struct plan_link *link = renamings[i].link;
			if (!link || is_held(renamings, n, link->claim->name))
				continue;
			error = rename_to(planning, &renamings[i], link->claim->name);
			renamings[i].link = NULL;
			n_left--;
		}
		for (size_t i = 0; error == 0 && n_left == n_before && i < n; i++) {
			if (!renamings[i].link)
				continue;
			free_name(planning, name); // one steps aside, then all others can go on
			error = rename_to(planning, &renamings[i], name);
			break;
		}
	}
	return error;
}

// --- made, and made anew ---

static bool has_no_mac(const struct kernel_link *one)
{
	static const uint8_t zeros[6];
	return one->has_mac && memcmp(one->mac, zeros, sizeof(zeros)) == 0;
}

// Made on a bridge that had no port yet. The kernel does not let it come up, and gives it no other MAC by itself.
static bool lacks_mac(const struct plan_link *link)
{
	return plan_is_ours(link->have) && !link->is_up && has_no_mac(link->have) && link->parent && link->parent->have &&
	       !has_no_mac(link->parent->have);
}

static bool is_another(const struct plan_link *link)
{
	if (link->declaration->kind != DECLARATION_ETHERNET &&
		!str_equal(link->have->kind, declaration_link_kind(link->declaration->kind)))
		return true;
	if (link->declaration->kind == DECLARATION_VRF)
		return link->have->vrf_table != link->declaration->vrf_table;
	if (link->declaration->kind != DECLARATION_VLAN || !link->parent) // a parent that is awaited changes nothing yet
		return false;
	return link->have->vlan_id != link->declaration->vlan_id || !link->parent->have ||
	       link->parent->have->index != link->have->parent_index || lacks_mac(link);
}

// A virtual link that somebody made, and nobody marked, is Hearth's once it is declared.
static int mark_link(struct planning *planning, const struct plan_link *link)
{
	bool is_taken = link->declaration->kind != DECLARATION_ETHERNET && !link->have->alias[0];
	if (!is_taken || planning->input->without_taking_over)
		return 0;
	struct mark *mark = marks_add(&planning->plan->marks, MARK_LINK, link->claim->name);
	if (!mark)
		return -ENOMEM;
	mark->has_mac = plan_bridge_keeps_mac(planning, link);
	if (mark->has_mac)
		memcpy(mark->mac, link->have->mac, sizeof(mark->mac));
	return 0;
}

static int plan_one_made(struct planning *planning, struct plan_link *link)
{
	enum change_type type = CHANGE_LINK_CREATE;
	if (link->have && is_another(link)) {
		if (!plan_is_ours(link->have))
			return place_refuse(planning->reterr, -EEXIST, &link->declaration->where,
				"%s: a %s link of that name with another %s is there, and it is not Hearth's; remove it, or "
				"choose another name",
				link->claim->name, link->have->kind,
				link->declaration->kind == DECLARATION_VRF ? "table" : "id or link below it");
		type = CHANGE_LINK_REPLACE;
		link->replaced = link->have;
		link->have = NULL;
		link->is_up = false;
		planning->fates[link->replaced - planning->kernel->links] = LINK_GOES;
	}
	if (link->have)
		return mark_link(planning, link);
	struct change *change = plan_add(planning->plan, type, link->claim->name,
		link->replaced ? link->replaced->index : 0, link->declaration);
	if (!change)
		return -ENOMEM;
	if (link->parent) {
		memcpy(change->parent.name, link->parent->claim->name, IFNAMSIZ);
		change->parent.index = link->parent->have ? link->parent->have->index : 0;
	}
	change->parent.has_mac = plan_bridge_mac(planning, link, change->parent.mac);
	return 0;
}

// --- WireGuard ---

static bool has_key(const struct plan_link *link)
{
	return link->have && crypto_equal(link->declaration->private_key, link->have->wireguard.private_key, PEER_KEY_BYTES);
}

static bool gets_port(const struct plan_link *link, uint16_t port)
{
	const struct declaration *declaration = link->declaration;
	return declaration->kind == DECLARATION_WIREGUARD && declaration->has_port && declaration->port == port &&
	       !(link->have && link->have->wireguard.port == port);
}

// A port that another tunnel gets is let go first: of two that swap theirs, the kernel would refuse both.
static int plan_free_port(struct planning *planning, const struct plan_link *link)
{
	const struct declaration *declaration = link->declaration;
	uint16_t port = link->have ? link->have->wireguard.port : 0;
	bool is_wanted = false;
	if (!port || !declaration->has_port || declaration->port == port)
		return 0;
	for (size_t i = 0; i < planning->claims.n && !is_wanted; i++)
		is_wanted = gets_port(&planning->links[i], port);
	struct change *change = is_wanted ? plan_add_to(planning, CHANGE_WIREGUARD, link) : NULL;
	if (change)
		change->wireguard = (struct wireguard_settings){.set_port = true}; // any free one, for a moment
	return is_wanted && !change ? -ENOMEM : 0;
}

static int plan_wireguard(struct planning *planning, const struct plan_link *link)
{
	static const struct wireguard_device absent;
	const struct declaration *declaration = link->declaration;
	const struct wireguard_device *device = link->have ? &link->have->wireguard : &absent;
	struct wireguard_settings settings = {
		.set_private_key = !has_key(link),
		.set_port = declaration->has_port && declaration->port != device->port,
		.set_mark = declaration->mark != device->mark,
		.port = declaration->port,
		.mark = declaration->mark,
	};
	if (!settings.set_private_key && !settings.set_port && !settings.set_mark)
		return 0;
	struct change *change = plan_add_to(planning, CHANGE_WIREGUARD, link);
	if (!change)
		return -ENOMEM;
	change->wireguard = settings;
	if (settings.set_private_key)
		memcpy(change->wireguard.private_key, declaration->private_key, PEER_KEY_BYTES);
	return 0;
}

// The kernel does not take a link's own key as a peer's, and says nothing. One document may have the peers of all nodes.
static void drop_self(struct peer_plan *peers, const struct wireguard_device *device)
{
	size_t n = 0;
	for (size_t i = 0; i < peers->n; i++)
		if (memcmp(peers->changes[i].public_key, device->public_key, PEER_KEY_BYTES) != 0)
			peers->changes[n++] = peers->changes[i];
	peers->n = n;
}

static int plan_peers(struct planning *planning, const struct plan_link *link)
{
	static const struct peer_table none;
	struct peer_plan peers;
	bool is_renamed = link->have && !str_equal(link->have->name, link->claim->name);
	if (!link->declaration->has_peers && !(is_renamed && !has_key(link))) // with another name and key it is another tunnel
		return 0; // somebody else's: netconf_set_peers()
	int error = peer_plan_make(&link->declaration->peers, link->have ? &link->have->wireguard.peers : &none,
		planning->input->now_sec, &peers);
	if (error == 0 && has_key(link))
		drop_self(&peers, &link->have->wireguard);
	if (error < 0 || peers.n == 0) {
		if (error == 0)
			peer_plan_done(&peers);
		return error;
	}
	struct change *change = plan_add_to(planning, CHANGE_PEERS, link);
	if (!change) {
		peer_plan_done(&peers);
		return -ENOMEM;
	}
	change->peers = peers;
	return 0;
}

// --- removed ---

static bool is_claimed(const struct planning *planning, const struct kernel_link *one)
{
	for (size_t i = 0; i < planning->claims.n; i++)
		if (planning->claims.claims[i].link == one)
			return true;
	return false;
}

static bool can_make(const char *kind)
{
	for (int i = 0; i < N_DECLARATION_KINDS; i++)
		if (i != DECLARATION_ETHERNET && str_equal(kind, declaration_link_kind((enum declaration_kind)i)))
			return true;
	return false;
}

// How many links are below @one: VLANs on VLANs go before what they stand on.
static size_t n_below(const struct kernel *kernel, const struct kernel_link *one)
{
	size_t n = 0;
	while (n <= kernel->n_links && (one = kernel_link_by_index(kernel, one->parent_index)))
		n++;
	return n;
}

struct removal {
	const struct kernel_link *link;
	size_t n_below;
};

static int compare_removals(const void *a, const void *b)
{
	const struct removal *one = a, *other = b;
	if (one->n_below != other->n_below)
		return one->n_below > other->n_below ? -1 : 1;
	return one->link < other->link ? -1 : one->link > other->link;
}

// Does the kernel take what is wanted only once @one is gone? A name is free for one link.
static bool is_in_the_way(const struct planning *planning, const struct kernel_link *one)
{
	for (size_t i = 0; i < planning->claims.n; i++) {
		const struct claim *claim = &planning->claims.claims[i];
		if (str_equal(claim->name, one->name) || claims_are_one(&planning->claims, claim->declaration, one))
			return true;
	}
	return false;
}

static int plan_removals(struct planning *planning)
{
	const struct kernel *kernel = planning->kernel;
	AUTO_FREE struct removal *removals = calloc(kernel->n_links + 1, sizeof(*removals));
	size_t n = 0;
	if (!removals)
		return -ENOMEM;
	for (size_t i = 0; i < kernel->n_links; i++) {
		const struct kernel_link *one = &kernel->links[i];
		if (!plan_is_ours(one) || !can_make(one->kind) || is_claimed(planning, one))
			continue;
		planning->fates[i] = LINK_GOES;
		removals[n++] = (struct removal){one, n_below(kernel, one)};
	}
	sort_items(removals, n, sizeof(*removals), compare_removals);
	for (size_t i = 0; i < n; i++) {
		const struct kernel_link *one = removals[i].link;
		struct change *change = plan_add(planning->plan, CHANGE_LINK_REMOVE, one->name, one->index, NULL);
		if (!change)
			return -ENOMEM;
		change->is_in_the_way = is_in_the_way(planning, one);
	}
	return 0;
}

// --- the whole ---

int plan_links(struct planning *planning)
{
	int error = stack_links(planning);
	if (error == 0)
		error = plan_renames(planning);
	for (size_t i = 0; error == 0 && i < planning->claims.n; i++)
		error = plan_one_made(planning, planning->order[i]);
	for (size_t i = 0; error == 0 && i < planning->claims.n; i++)
		if (planning->links[i].declaration->kind == DECLARATION_WIREGUARD)
			error = plan_free_port(planning, &planning->links[i]);
	for (size_t i = 0; error == 0 && i < planning->claims.n; i++) {
		if (planning->links[i].declaration->kind != DECLARATION_WIREGUARD)
			continue;
		error = plan_wireguard(planning, &planning->links[i]);
		if (error == 0)
			error = plan_peers(planning, &planning->links[i]);
	}
	return error < 0 ? error : plan_removals(planning);
}
