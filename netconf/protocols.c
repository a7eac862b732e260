// Protocols of a declared network: looked up in the kernel, and given back.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/protocols.h"

#include "netconf/show-links.h"

#include <errno.h>

void protocol_table_done(struct protocol_table *table)
{
	for (size_t i = 0; i < table->n; i++)
		for (size_t list = 0; list < N_PROTOCOL_LISTS; list++)
			free(table->entries[i].of[list]);
	free(table->entries);
	*table = (struct protocol_table){0};
}

static size_t length_of(const struct declaration *declaration, enum protocol_list list)
{
	const size_t lengths[N_PROTOCOL_LISTS] = {[PROTOCOLS_ADDRESSES] = declaration->n_addresses,
		[PROTOCOLS_ROUTES] = declaration->n_routes, [PROTOCOLS_RULES] = declaration->n_rules,
		[PROTOCOLS_BEHIND] = declaration->n_routes};
	return lengths[list];
}

// --- what the kernel has ---

static uint8_t of_address(const struct kernel *kernel, const char *link, const struct address *address)
{
	const struct kernel_link *one = kernel_link_by_name(kernel, link);
	size_t n = 0, first = one ? kernel_addresses_of(kernel, one->index, &n) : 0;
	for (size_t i = first; i < first + n; i++)
		if (!kernel->addresses[i].has_peer && address_compare(&kernel->addresses[i].address, address) == 0)
			return kernel->addresses[i].protocol;
	return HEARTH_PROTOCOL;
}

// What netplan has no words for is none that the document has, however equal the rest.
static bool is_route(const struct kernel_route *have, const struct kernel_link *link, const struct route *route)
{
	bool is_over_link = !route_needs_link(route) || (link && have->link_index == link->index);
	return is_over_link && !have->has_other_shape && show_is_configured(have->protocol) && route_equal(&have->route, route);
}

// The place of @route in @kernel, and of the first one with its key; kernel->n_routes: it is nobody's who configures.
static size_t find_route(const struct kernel *kernel, const char *link, const struct route *route, size_t *ret_first)
{
	const struct kernel_link *one = kernel_link_by_name(kernel, link);
	size_t low = 0, high = kernel->n_routes;
	while (low < high) { // the first of those that are not below it
		size_t middle = low + (high - low) / 2;
		if (route_compare_key(&kernel->routes[middle].route, route) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_first = low;
	for (; low < kernel->n_routes && route_compare_key(&kernel->routes[low].route, route) == 0; low++)
		if (is_route(&kernel->routes[low], one, route))
			return low;
	return kernel->n_routes;
}

static uint8_t of_route(const struct kernel *kernel, const char *link, const struct route *route)
{
	size_t first, at = find_route(kernel, link, route, &first);
	return at < kernel->n_routes ? kernel->routes[at].protocol : HEARTH_PROTOCOL;
}

static uint8_t is_behind(const struct kernel *kernel, const char *link, const struct route *route)
{
	size_t first, at = find_route(kernel, link, route, &first);
	return at < kernel->n_routes && at > first;
}

static uint8_t of_rule(const struct kernel *kernel, const struct rule *rule)
{
	for (size_t i = 0; i < kernel->n_rules; i++)
		if (!kernel->rules[i].has_other_shape && show_is_configured(kernel->rules[i].protocol) &&
			rule_fits(rule, &kernel->rules[i].rule))
			return kernel->rules[i].protocol;
	return HEARTH_PROTOCOL;
}

static uint8_t look_up(const struct kernel *kernel, const struct declaration *declaration, enum protocol_list list, size_t at)
{
	switch (list) {
	case PROTOCOLS_ADDRESSES:
		return of_address(kernel, declaration->id, &declaration->addresses[at]);
	case PROTOCOLS_ROUTES:
		return of_route(kernel, declaration->id, &declaration->routes[at]);
	case PROTOCOLS_RULES:
		return of_rule(kernel, &declaration->rules[at]);
	case PROTOCOLS_BEHIND:
		return is_behind(kernel, declaration->id, &declaration->routes[at]);
	case N_PROTOCOL_LISTS:
		break;
	}
	return HEARTH_PROTOCOL;
}

static int look_up_list(const struct kernel *kernel, const struct declaration *declaration, enum protocol_list list,
	struct protocols *ret)
{
	size_t n = length_of(declaration, list);
	uint8_t usual = list == PROTOCOLS_BEHIND ? 0 : HEARTH_PROTOCOL;
	bool has_others = false;
	AUTO_FREE uint8_t *found = calloc(n + 1, sizeof(*found));
	if (!found)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		found[i] = look_up(kernel, declaration, list, i);
		has_others |= found[i] != usual;
	}
	if (!has_others)
		return 0;
	ret->of[list] = TAKE_PTR(found);
	ret->n[list] = n;
	return 0;
}

int protocols_of(const struct kernel *kernel, const struct network *network, struct protocol_table *ret)
{
	CLEANUP(protocol_table_done) struct protocol_table table = {.entries = calloc(network->n + 1, sizeof(*table.entries))};
	if (!table.entries)
		return -ENOMEM;
	for (size_t i = 0; i < network->n; i++) {
		const struct declaration *declaration = &network->declarations[i];
		struct protocols *entry = &table.entries[table.n++];
		(void)snprintf(entry->id, sizeof(entry->id), "%s", declaration->id);
		for (enum protocol_list list = 0; list < N_PROTOCOL_LISTS; list++)
			if (look_up_list(kernel, declaration, list, entry) < 0)
				return -ENOMEM;
		if (!entry->of[PROTOCOLS_ADDRESSES] && !entry->of[PROTOCOLS_ROUTES] && !entry->of[PROTOCOLS_RULES] &&
			!entry->of[PROTOCOLS_BEHIND])
			table.n--;
	}
	*ret = table;
	table = (struct protocol_table){0};
	return 0;
}

// --- given back ---

static bool give(const struct protocols *entry, struct network *network, struct diag *reterr)
{
	struct declaration *declaration = NULL;
	bool fits = true;
	for (size_t i = 0; i < network->n; i++)
		if (str_equal(network->declarations[i].id, entry->id))
			declaration = &network->declarations[i];
	if (!declaration) {
		(void)diag_set(reterr, -EINVAL, "", "whose all of %s was is not known any more: there is no such link in it", entry->id);
		return false;
	}
	for (enum protocol_list list = 0; list < N_PROTOCOL_LISTS; list++) {
		size_t n = length_of(declaration, list);
		if (!entry->of[list] || entry->n[list] == n) {
			declaration->protocols[list] = entry->of[list];
			continue;
		}
		fits = false;
		(void)diag_set(reterr, -EINVAL, "", "whose all of %s was is not known any more: of %zu of its things %zu are noted",
			entry->id, n, entry->n[list]);
	}
	return fits;
}

int protocols_give(const struct protocol_table *table, struct network *network, struct diag *reterr)
{
	bool is_whole = true;
	for (size_t i = 0; i < table->n; i++)
		is_whole &= give(&table->entries[i], network, is_whole ? reterr : NULL);
	return is_whole ? 0 : 1;
}
