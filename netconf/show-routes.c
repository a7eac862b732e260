// Routes and rules of the kernel: each stands with a declaration.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/show-links.h"
#include "netconf/show-state.h"

#include <linux/rtnetlink.h>

// --- routes ---

struct left_out { // how many, and why
	size_t n_program, n_shape, n_link, n_twin, n_metrics;
};

// Where a route without a link stands: the VRF whose table it is in, else the first declaration.
static struct declaration *home_of_route(const struct show *show, const struct route *route)
{
	for (size_t i = 0; i < show->network->n; i++)
		if (show->network->declarations[i].kind == DECLARATION_VRF &&
			show->network->declarations[i].vrf_table == route->table)
			return &show->network->declarations[i];
	return show->network->n ? &show->network->declarations[0] : NULL;
}

// netplan has a word for it, and asks for nothing that it has not.
static bool can_say_route(const struct route *route)
{
	bool is_v4 = route->destination.ip.family == AF_INET;
	if (!route_type_word(route->type) || (is_v4 && route->scope != RT_SCOPE_UNIVERSE &&
						     route->scope != RT_SCOPE_LINK && route->scope != RT_SCOPE_HOST))
		return false;
	return !is_v4 || route->type != RTN_UNICAST || route->scope != RT_SCOPE_UNIVERSE || route->gateway.family;
}

// A document can have one of those with one key. What Hearth made is to stay, and what others did stays without being said.
static bool is_before_ours(const struct kernel *kernel, size_t at)
{
	const struct kernel_route *routes = kernel->routes;
	bool found = false;
	for (size_t i = at + 1; i < kernel->n_routes && !found && route_compare_key(&routes[at].route, &routes[i].route) == 0; i++)
		found = routes[i].protocol == HEARTH_PROTOCOL && !routes[i].has_other_shape;
	return found && routes[at].protocol != HEARTH_PROTOCOL;
}

void show_routes(struct show *show)
{
	const struct route *previous = NULL;
	struct left_out left = {0};
	for (size_t i = 0; i < show->kernel->n_routes && !show->failed; i++) {
		const struct kernel_route *one = &show->kernel->routes[i];
		if (one->protocol == RTPROT_KERNEL || one->protocol == RTPROT_REDIRECT || one->protocol == RTPROT_RA ||
			one->protocol == RTPROT_DHCP)
			continue;
		bool needs_link = route_needs_link(&one->route);
		struct declaration *home = needs_link ? show_of_index(show, one->link_index) : home_of_route(show, &one->route);
		if (!show_is_configured(one->protocol))
			left.n_program++;
		else if (one->has_other_shape || !can_say_route(&one->route))
			left.n_shape++;
		else if (!home || home->n_routes == NETWORK_MAX_ROUTES)
			left.n_link++;
		else if ((previous && route_compare_key(previous, &one->route) == 0) || is_before_ours(show->kernel, i))
			left.n_twin++;
		else {
			struct route *added = show_grow(show, (void **)&home->routes, home->n_routes, sizeof(*added));
			if (!added)
				return;
			*added = one->route;
			home->n_routes++;
			previous = &one->route;
			left.n_metrics += one->has_other_metrics;
		}
	}
	if (left.n_program)
		show_note(show, "Left out: routes of routing programs: %zu", left.n_program);
	if (left.n_shape)
		show_note(show, "Left out: routes that netplan has no words for (several next hops, a scope, a type): %zu",
			left.n_shape);
	if (left.n_link)
		show_note(show, "Left out: routes over links that are left out: %zu", left.n_link);
	if (left.n_twin)
		show_note(show, "Left out: routes with destination, table and metric of another: %zu", left.n_twin);
	if (left.n_metrics)
		show_note(show, "Routes with metrics that are not shown (an advertised MSS ...): %zu", left.n_metrics);
}

// --- rules ---

// Does it send packets of that table somewhere, or is it the VRF of the table?
static bool declares_table(const struct declaration *declaration, uint32_t table)
{
	if (declaration->kind == DECLARATION_VRF)
		return declaration->vrf_table == table;
	for (size_t i = 0; i < declaration->n_routes; i++)
		if (declaration->routes[i].table == table && route_needs_link(&declaration->routes[i]))
			return true;
	return false;
}

// Where a rule stands: beside the routes it leads to, else with the first declaration that is no VRF.
static struct declaration *home_of_rule(const struct show *show, const struct rule *rule)
{
	struct declaration *first = NULL;
	for (size_t i = 0; i < show->network->n; i++) {
		struct declaration *declaration = &show->network->declarations[i];
		if (declares_table(declaration, rule->table))
			return declaration;
		if (!first && declaration->kind != DECLARATION_VRF)
			first = declaration;
	}
	return first;
}

struct listed_rule {
	const struct kernel_rule *rule; // first, for kernel_compare_listed_rules()
	struct declaration *home;
};

// In the order that the kernel looks at them in, which counts among those of one priority.
static void add_listed(struct show *show, struct listed_rule *listed, size_t n)
{
	sort_items(listed, n, sizeof(*listed), kernel_compare_listed_rules);
	for (size_t i = 0; i < n; i++) {
		struct declaration *home = listed[i].home;
		struct rule *added = show_grow(show, (void **)&home->rules, home->n_rules, sizeof(*added));
		if (!added)
			return;
		*added = listed[i].rule->rule;
		home->n_rules++;
	}
}

void show_rules(struct show *show)
{
	AUTO_FREE struct listed_rule *listed = calloc(show->kernel->n_rules + 1, sizeof(*listed));
	size_t n = 0, n_shape = 0, n_program = 0;
	show->failed |= !listed;
	for (size_t i = 0; i < show->kernel->n_rules && !show->failed; i++) {
		const struct kernel_rule *one = &show->kernel->rules[i];
		struct declaration *home = home_of_rule(show, &one->rule);
		if (one->protocol == RTPROT_KERNEL || (n && rule_compare(&listed[n - 1].rule->rule, &one->rule) == 0))
			continue;
		if (!show_is_configured(one->protocol))
			n_program++;
		else if (one->has_other_shape || one->rule.table == 0 || one->rule.priority > INT32_MAX || !home)
			n_shape++;
		else
			listed[n++] = (struct listed_rule){one, home};
	}
	if (!show->failed)
		add_listed(show, listed, n);
	if (n_program)
		show_note(show, "Left out: rules of programs: %zu", n_program);
	if (n_shape)
		show_note(show, "Left out: rules that netplan has no words for (a link, ports, a user, another action): %zu",
			n_shape);
}
