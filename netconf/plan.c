// Desired network + actual network -> ordered changes.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/plan.h"

#include "base/crypto.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

struct plan *plan_free(struct plan *plan)
{
	if (!plan)
		return NULL;
	for (size_t i = 0; i < plan->n; i++) {
		struct change *change = &plan->changes[i];
		if (change->type == CHANGE_WIREGUARD)
			crypto_wipe(&change->wireguard, sizeof(change->wireguard));
		if (change->type == CHANGE_PEERS)
			peer_plan_done(&change->peers);
		if (change->type == CHANGE_FILE_WRITE || change->type == CHANGE_FILE_REMOVE) {
			free(change->file.name);
			free(change->file.content);
		}
	}
	free(plan->changes);
	kernel_free(plan->kernel);
	free(plan);
	return NULL;
}

static struct change *plan_add(struct plan *plan, enum change_type type, const char *name, int link_index,
	const struct declaration *declaration)
{
	if (plan->n == plan->n_room) {
		size_t n_room = plan->n_room ? plan->n_room * 2 : 16;
		struct change *grown = realloc(plan->changes, n_room * sizeof(*grown));
		if (!grown)
			return NULL;
		plan->changes = grown;
		plan->n_room = n_room;
	}
	struct change *change = &plan->changes[plan->n++];
	*change = (struct change){.type = type, .link_index = link_index, .declaration = declaration};
	(void)snprintf(change->name, sizeof(change->name), "%s", name);
	return change;
}

// --- links ---

static int plan_wireguard(struct plan *plan, const struct claim *claim)
{
	static const struct wireguard_device absent;
	const struct declaration *declaration = claim->declaration;
	const struct wireguard_device *device = claim->link ? &claim->link->wireguard : &absent;
	struct wireguard_settings settings = {
		.set_private_key = !crypto_equal(declaration->private_key, device->private_key, PEER_KEY_BYTES),
		.set_port = declaration->has_port && declaration->port != device->port,
		.set_mark = declaration->mark != device->mark,
		.port = declaration->port,
		.mark = declaration->mark,
	};
	if (!settings.set_private_key && !settings.set_port && !settings.set_mark)
		return 0;
	struct change *change = plan_add(plan, CHANGE_WIREGUARD, claim->name, claim->link ? claim->link->index : 0,
		declaration);
	if (!change)
		return -ENOMEM;
	change->wireguard = settings;
	if (settings.set_private_key)
		memcpy(change->wireguard.private_key, declaration->private_key, PEER_KEY_BYTES);
	return 0;
}

static int plan_peers(struct plan *plan, const struct claim *claim, int64_t now_sec)
{
	static const struct peer_table none;
	struct peer_plan peers;
	if (!claim->declaration->has_peers)
		return 0; // somebody else's: netconf_set_peers()
	int error = peer_plan_make(&claim->declaration->peers, claim->link ? &claim->link->wireguard.peers : &none, NULL,
		0, true, now_sec, &peers);
	if (error < 0 || peers.n == 0) {
		if (error == 0)
			peer_plan_done(&peers);
		return error;
	}
	struct change *change = plan_add(plan, CHANGE_PEERS, claim->name, claim->link ? claim->link->index : 0,
		claim->declaration);
	if (!change) {
		peer_plan_done(&peers);
		return -ENOMEM;
	}
	change->peers = peers;
	return 0;
}

static int plan_links(struct plan *plan, const struct claims *claims, int64_t now_sec)
{
	for (size_t i = 0; i < claims->n; i++) {
		const struct claim *claim = &claims->claims[i];
		const struct declaration *declaration = claim->declaration;
		const struct kernel_link *one = claim->link;
		int index = one ? one->index : 0, error = 0;
		struct change *change;
		if (one && !str_equal(one->name, claim->name)) {
			change = plan_add(plan, CHANGE_LINK_RENAME, claim->name, index, declaration);
			if (!change)
				return -ENOMEM;
			memcpy(change->old_name, one->name, IFNAMSIZ);
		}
		if (!one && !plan_add(plan, CHANGE_LINK_CREATE, claim->name, 0, declaration))
			return -ENOMEM;
		bool is_virtual = declaration->kind != DECLARATION_ETHERNET;
		// a new link gets its alias here too: the kernel ignores one in the request that makes the link
		bool set_alias = is_virtual && (!one || !str_equal(one->alias, HEARTH_ALIAS));
		bool set_mtu = declaration->mtu && (!one || one->mtu != declaration->mtu);
		bool set_up = !one || !(one->flags & IFF_UP);
		if (set_alias || set_mtu || set_up) {
			change = plan_add(plan, CHANGE_LINK_SET, claim->name, index, declaration);
			if (!change)
				return -ENOMEM;
			change->set.mtu = set_mtu ? declaration->mtu : 0;
			change->set.up = set_up;
			change->set.alias = set_alias;
		}
		if (declaration->kind == DECLARATION_WIREGUARD) {
			error = plan_wireguard(plan, claim);
			if (error == 0)
				error = plan_peers(plan, claim, now_sec);
		}
		if (error < 0)
			return error;
	}
	return 0;
}

static int compare_indices(const void *a, const void *b)
{
	int one = *(const int *)a, other = *(const int *)b;
	return one < other ? -1 : one > other;
}

static bool index_is_in(const int *sorted, size_t n, int index)
{
	return n && bsearch(&index, sorted, n, sizeof(index), compare_indices);
}

static int plan_link_removals(struct plan *plan, const struct kernel *kernel, const int *claimed, size_t n_claimed)
{
	for (size_t i = 0; i < kernel->n_links; i++) {
		const struct kernel_link *one = &kernel->links[i];
		bool is_ours = str_equal(one->alias, HEARTH_ALIAS) &&
			       (str_equal(one->kind, "dummy") || str_equal(one->kind, "wireguard"));
		if (is_ours && !index_is_in(claimed, n_claimed, one->index) &&
			!plan_add(plan, CHANGE_LINK_REMOVE, one->name, one->index, NULL))
			return -ENOMEM;
	}
	return 0;
}

// --- addresses ---

static int plan_claim_addresses(struct plan *plan, const struct claim *claim, const struct kernel *kernel, bool *keep)
{
	size_t n = 0, first = claim->link ? kernel_addresses_of(kernel, claim->link->index, &n) : 0, at = first;
	int index = claim->link ? claim->link->index : 0;
	// both lists are sorted: one walk
	for (size_t i = 0; i < claim->declaration->n_addresses; i++) {
		const struct address *wanted = &claim->declaration->addresses[i];
		bool is_there = false;
		while (at < first + n && ip_compare(&kernel->addresses[at].address.ip, &wanted->ip) < 0)
			at++;
		for (size_t j = at; j < first + n && ip_compare(&kernel->addresses[j].address.ip, &wanted->ip) == 0; j++) {
			const struct kernel_address *have = &kernel->addresses[j];
			if (have->address.prefix == wanted->prefix) {
				is_there = (have->flags & IFA_F_PERMANENT) != 0; // a lease's would expire: make it ours
				keep[j] = true;
			} else if (have->protocol == HEARTH_PROTOCOL && wanted->ip.family == AF_INET6) {
				struct change *change = plan_add(plan, CHANGE_ADDRESS_REPREFIX, claim->name, index,
					claim->declaration);
				if (!change)
					return -ENOMEM;
				change->address = have->address;
				keep[j] = true;
			}
		}
		if (is_there)
			continue;
		struct change *change = plan_add(plan, CHANGE_ADDRESS_ADD, claim->name, index, claim->declaration);
		if (!change)
			return -ENOMEM;
		change->address = *wanted;
	}
	return 0;
}

static int plan_addresses(struct plan *plan, const struct claims *claims, const struct kernel *kernel)
{
	AUTO_FREE bool *keep = calloc(kernel->n_addresses + 1, sizeof(*keep));
	if (!keep)
		return -ENOMEM;
	for (size_t i = 0; i < claims->n; i++) {
		int error = plan_claim_addresses(plan, &claims->claims[i], kernel, keep);
		if (error < 0)
			return error;
	}
	// last first: when the first address of a subnet goes the kernel promotes all others, one by one
	for (size_t i = kernel->n_addresses; i-- > 0;) {
		const struct kernel_address *have = &kernel->addresses[i];
		const struct kernel_link *one = kernel_link_by_index(kernel, have->link_index);
		if (keep[i] || have->protocol != HEARTH_PROTOCOL || !one)
			continue;
		struct change *change = plan_add(plan, CHANGE_ADDRESS_REMOVE, one->name, one->index, NULL);
		if (!change)
			return -ENOMEM;
		change->address = have->address;
	}
	return 0;
}

// --- routes ---

struct wanted_route {
	const struct route *route;
	const struct claim *claim;
	const char *where;
};

static int compare_wanted(const void *a, const void *b)
{
	const struct wanted_route *one = a, *other = b;
	return route_compare_key(one->route, other->route);
}

static bool same_route(const struct wanted_route *wanted, const struct kernel_route *have)
{
	if (have->has_other_shape || !route_equal(wanted->route, &have->route))
		return false;
	if (!route_needs_link(wanted->route))
		return true;
	return wanted->claim->link && wanted->claim->link->index == have->link_index;
}

static int put_route(struct plan *plan, enum change_type type, const struct wanted_route *wanted)
{
	const struct claim *claim = wanted->claim;
	bool has_link = route_needs_link(wanted->route);
	struct change *change = plan_add(plan, type, has_link ? claim->name : "",
		has_link && claim->link ? claim->link->index : 0, claim->declaration);
	if (!change)
		return -ENOMEM;
	change->route = *wanted->route;
	return 0;
}

// What the kernel has under the key of one wanted route: routes [first, end).
static int plan_one_route(struct plan *plan, const struct wanted_route *wanted, const struct kernel *kernel,
	size_t first, size_t end, bool *keep, struct diag *reterr)
{
	char text[ROUTE_TEXT];
	size_t ours = end;
	for (size_t i = first; i < end; i++) {
		if (same_route(wanted, &kernel->routes[i])) {
			keep[i] = true;
			return 0;
		}
		if (kernel->routes[i].protocol == HEARTH_PROTOCOL && ours == end)
			ours = i;
	}
	if (ours < end) {
		keep[ours] = true;
		return put_route(plan, CHANGE_ROUTE_REPLACE, wanted);
	}
	if (first < end && !kernel->routes[first].has_other_shape)
		return diag_set(reterr, -EEXIST, wanted->where,
			"route %s: there is another one with this metric that is not Hearth's (protocol %u); choose another "
			"metric",
			route_format(wanted->route, text), kernel->routes[first].protocol);
	return put_route(plan, CHANGE_ROUTE_ADD, wanted);
}

static int collect_routes(const struct claims *claims, struct wanted_route **ret, size_t *ret_n, struct diag *reterr)
{
	char text[ROUTE_TEXT];
	size_t n = 0;
	for (size_t i = 0; i < claims->n; i++)
		n += claims->claims[i].declaration->n_routes;
	AUTO_FREE struct wanted_route *wanted = calloc(n ? n : 1, sizeof(*wanted));
	if (!wanted)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < claims->n; i++) {
		const struct declaration *declaration = claims->claims[i].declaration;
		for (size_t j = 0; j < declaration->n_routes; j++)
			wanted[n++] = (struct wanted_route){&declaration->routes[j], &claims->claims[i],
				declaration->routes_where[j]};
	}
	if (n)
		qsort(wanted, n, sizeof(*wanted), compare_wanted);
	for (size_t i = 1; i < n; i++)
		if (compare_wanted(&wanted[i - 1], &wanted[i]) == 0) // one definition that fits two links, or two layers
			return diag_set(reterr, -EINVAL, wanted[i].where, "route %s: is wanted on %s and on %s",
				route_format(wanted[i].route, text), wanted[i - 1].claim->name, wanted[i].claim->name);
	*ret = TAKE_PTR(wanted);
	*ret_n = n;
	return 0;
}

static bool route_is_first(const struct route *route)
{
	return !route->gateway.family; // gateways are reached through these
}

static int plan_routes(struct plan *plan, const struct claims *claims, const struct kernel *kernel, struct diag *reterr)
{
	AUTO_FREE struct wanted_route *wanted = NULL;
	AUTO_FREE bool *keep = calloc(kernel->n_routes + 1, sizeof(*keep));
	size_t n = 0;
	if (!keep)
		return -ENOMEM;
	int error = collect_routes(claims, &wanted, &n, reterr);
	if (error < 0)
		return error;
	for (int pass = 0; pass < 2; pass++) {
		size_t first = 0;
		for (size_t i = 0; i < n; i++) { // both lists are sorted: one walk
			while (first < kernel->n_routes &&
				route_compare_key(&kernel->routes[first].route, wanted[i].route) < 0)
				first++;
			size_t end = first;
			while (end < kernel->n_routes &&
				route_compare_key(&kernel->routes[end].route, wanted[i].route) == 0)
				end++;
			if (route_is_first(wanted[i].route) != (pass == 0))
				continue;
			error = plan_one_route(plan, &wanted[i], kernel, first, end, keep, reterr);
			if (error < 0)
				return error;
		}
	}
	for (size_t i = 0; i < kernel->n_routes; i++) {
		const struct kernel_route *have = &kernel->routes[i];
		const struct kernel_link *one = kernel_link_by_index(kernel, have->link_index);
		if (keep[i] || have->protocol != HEARTH_PROTOCOL)
			continue;
		struct change *change = plan_add(plan, CHANGE_ROUTE_REMOVE, one ? one->name : "", have->link_index, NULL);
		if (!change)
			return -ENOMEM;
		change->route = have->route;
	}
	return 0;
}

// --- files ---

static int put_file(struct plan *plan, enum change_type type, const struct config_file *file)
{
	struct change *change = plan_add(plan, type, "", 0, NULL);
	if (!change)
		return -ENOMEM;
	change->file.name = strdup(file->name);
	change->file.content = type == CHANGE_FILE_WRITE ? strdup(file->content) : NULL;
	return change->file.name && (change->file.content || type != CHANGE_FILE_WRITE) ? 0 : -ENOMEM;
}

static int plan_files(struct plan *plan, const struct plan_input *input, const struct claims *claims)
{
	CLEANUP(config_files_done) struct config_files wanted = {0};
	bool changed = input->owes_reload, restart = false;
	int error = networkd_render(claims, &wanted);
	for (size_t i = 0; error == 0 && i < wanted.n; i++) {
		const struct config_file *have = config_files_find(input->files, wanted.files[i].name);
		if (have && str_equal(have->content, wanted.files[i].content))
			continue;
		changed = true;
		restart |= str_equal(wanted.files[i].name, "../" NETWORKD_CONF);
		error = put_file(plan, CHANGE_FILE_WRITE, &wanted.files[i]);
	}
	for (size_t i = 0; error == 0 && i < input->files->n; i++) {
		if (config_files_find(&wanted, input->files->files[i].name))
			continue;
		changed = true;
		error = put_file(plan, CHANGE_FILE_REMOVE, &input->files->files[i]);
	}
	if (error < 0 || !changed)
		return error;
	struct change *change = plan_add(plan, CHANGE_NETWORKD, "", 0, NULL);
	if (!change)
		return -ENOMEM;
	change->restart = restart;
	return 0;
}

// --- the whole ---

struct ordered {
	size_t position;
	enum change_type type;
};

static int compare_ordered(const void *a, const void *b)
{
	const struct ordered *one = a, *other = b;
	if (one->type != other->type)
		return one->type < other->type ? -1 : 1;
	return one->position < other->position ? -1 : one->position > other->position;
}

// By type, else as they were put in.
static int plan_order(struct plan *plan)
{
	AUTO_FREE struct ordered *order = calloc(plan->n ? plan->n : 1, sizeof(*order));
	struct change *sorted = calloc(plan->n ? plan->n : 1, sizeof(*sorted));
	if (!order || !sorted) {
		free(sorted);
		return -ENOMEM;
	}
	for (size_t i = 0; i < plan->n; i++)
		order[i] = (struct ordered){i, plan->changes[i].type};
	if (plan->n)
		qsort(order, plan->n, sizeof(*order), compare_ordered);
	for (size_t i = 0; i < plan->n; i++)
		sorted[i] = plan->changes[order[i].position];
	if (plan->n)
		crypto_wipe(plan->changes, plan->n * sizeof(*plan->changes));
	free(plan->changes);
	plan->changes = sorted;
	plan->n_room = plan->n;
	return 0;
}

int plan_make(const struct plan_input *input, struct plan **ret, struct diag *reterr)
{
	CLEANUP(plan_freep) struct plan *plan = calloc(1, sizeof(*plan));
	CLEANUP(claims_done) struct claims claims = {0};
	if (!plan)
		return -ENOMEM;
	int error = claims_make(input->network, input->kernel, &claims, reterr);
	if (error < 0)
		return error;
	AUTO_FREE int *claimed = calloc(claims.n ? claims.n : 1, sizeof(*claimed));
	size_t n_claimed = 0;
	if (!claimed)
		return -ENOMEM;
	for (size_t i = 0; i < claims.n; i++)
		if (claims.claims[i].link)
			claimed[n_claimed++] = claims.claims[i].link->index;
	if (n_claimed)
		qsort(claimed, n_claimed, sizeof(*claimed), compare_indices);
	error = plan_links(plan, &claims, input->now_sec);
	if (error == 0)
		error = plan_addresses(plan, &claims, input->kernel);
	if (error == 0)
		error = plan_routes(plan, &claims, input->kernel, reterr);
	if (error == 0)
		error = plan_link_removals(plan, input->kernel, claimed, n_claimed);
	if (error == 0 && input->has_files)
		error = plan_files(plan, input, &claims);
	if (error == 0)
		error = plan_order(plan);
	if (error < 0)
		return error;
	*ret = TAKE_PTR(plan);
	return 0;
}
