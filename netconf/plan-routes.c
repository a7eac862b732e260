// Routes that come, change and go.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/plan-parts.h"
#include "netconf/show-links.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

struct wanted_route {
	const struct route *route;
	uint8_t protocol;
	const struct plan_link *link;
	const struct place *where;
};

static int compare_wanted(const void *a, const void *b)
{
	const struct wanted_route *one = a, *other = b;
	return route_compare_key(one->route, other->route);
}

/* A route of a VRF by way of a gateway leaves through a port of the VRF. The kernel finds out which, in the VRF's table;
 * and IPv6 does not take the VRF's link for it. */
static bool says_link(const struct wanted_route *wanted)
{
	return route_needs_link(wanted->route) &&
	       !(wanted->link->declaration->kind == DECLARATION_VRF && wanted->route->gateway.family);
}

// Do the kernel's routes through the link of @have still stand when this plan is done?
static bool stays(const struct planning *planning, const struct kernel_route *have)
{
	return !have->link_index || plan_fate(planning, have->link_index) == LINK_STAYS;
}

/* A lease's, or the kernel's own for an address on the same link: it goes with what it came with, and nobody wants it kept. IPv4
 * takes another one beside it. */
static bool is_by_itself(const struct wanted_route *wanted, const struct kernel_route *have)
{
	bool is_own = have->protocol == RTPROT_KERNEL && wanted->link->have && wanted->link->have->index == have->link_index;
	return have->route.destination.ip.family == AF_INET && (have->protocol == RTPROT_DHCP || is_own);
}

static bool same_route(const struct planning *planning, const struct wanted_route *wanted,
	const struct kernel_route *have)
{
	bool is_route = !have->has_other_shape && !is_by_itself(wanted, have) && stays(planning, have);
	if (!is_route || !route_equal(wanted->route, &have->route))
		return false;
	if (!says_link(wanted))
		return true;
	return wanted->link->have && wanted->link->have->index == have->link_index;
}

// Is an address of @link usable at once? Else the kernel first asks whether somebody else has it.
static bool is_usable_at_once(const struct plan_link *link)
{
	if (link->have)
		return link->have->flags & (IFF_NOARP | IFF_LOOPBACK);
	return link->declaration->kind == DECLARATION_DUMMY || link->declaration->kind == DECLARATION_WIREGUARD;
}

/* The kernel takes an IPv6 route only once its source address is known to be nobody else's: a second or two after it came,
 * or when the cable is in. */
static bool source_waits(const struct planning *planning, const struct ip *source, bool *ret_taken)
{
	const struct kernel *kernel = planning->kernel;
	if (source->family != AF_INET6)
		return false;
	for (size_t i = 0; i < planning->claims.n; i++) {
		const struct plan_link *link = &planning->links[i];
		for (size_t j = 0; j < link->declaration->n_addresses; j++) {
			if (ip_compare(&link->declaration->addresses[j].ip, source) != 0)
				continue;
			size_t n = 0, first = link->have ? kernel_addresses_of(kernel, link->have->index, &n) : 0;
			bool stays = link->have && plan_fate(planning, link->have->index) == LINK_STAYS, is_ready = false;
			for (size_t k = first; stays && k < first + n; k++) {
				if (ip_compare(&kernel->addresses[k].address.ip, source) != 0)
					continue;
				is_ready |= !(kernel->addresses[k].flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED));
				*ret_taken |= (kernel->addresses[k].flags & IFA_F_DADFAILED) != 0;
			}
			return !is_ready && !is_usable_at_once(link);
		}
	}
	return false; // nobody declares it: the kernel says whether it is there
}

// The first one is told, or the first that waits in vain.
static int put_off(struct plan *plan, const struct wanted_route *wanted, bool is_taken)
{
	char route[ROUTE_TEXT], source[ADDRESS_TEXT];
	if (plan->waits_for && (plan->source_is_taken || !is_taken))
		return 0;
	free(plan->waits_for);
	plan->source_is_taken = is_taken;
	plan->waits_for = str_format(is_taken ? "%s: route %s is left out: somebody else has its source address %s"
					      : "%s: route %s comes once the kernel knows that nobody else has its source "
						"address %s: a cable has to be in",
		wanted->link->claim->name, route_format(wanted->route, route), ip_format(&wanted->route->source, source));
	return plan->waits_for ? 0 : -ENOMEM;
}

static int put_route(struct planning *planning, enum change_type type, const struct wanted_route *wanted)
{
	bool is_taken = false;
	if (source_waits(planning, &wanted->route->source, &is_taken))
		return put_off(planning->plan, wanted, is_taken);
	const struct plan_link *link = wanted->link;
	bool has_link = says_link(wanted);
	struct change *change = plan_add(planning->plan, type, has_link ? link->claim->name : "",
		has_link && link->have ? link->have->index : 0, link->declaration);
	if (!change)
		return -ENOMEM;
	change->route = *wanted->route;
	change->protocol = wanted->protocol;
	return 0;
}

// It is there as it shall be. The kernel marks the first one of a key: it has to be the only one.
static int mark_route(struct planning *planning, const struct wanted_route *wanted, const struct kernel_route *have, bool is_only)
{
	bool is_static = show_is_configured(have->protocol) && !have->has_other_metrics;
	if (!is_only || !plan_marks(planning, have->protocol, wanted->protocol, is_static))
		return 0;
	bool has_link = says_link(wanted);
	struct mark *mark = marks_add(&planning->plan->marks, MARK_ROUTE, has_link ? wanted->link->claim->name : "");
	if (!mark)
		return -ENOMEM;
	mark->link_index = has_link ? have->link_index : 0;
	mark->route = *wanted->route;
	mark->protocol = wanted->protocol;
	return 0;
}

// One that is in the way of @wanted, and why it stays.
static int refuse_route(const struct planning *planning, const struct wanted_route *wanted, const struct kernel_route *other)
{
	char text[ROUTE_TEXT];
	return place_refuse(planning->reterr, -EEXIST, wanted->where,
		show_is_configured(other->protocol)
			? "route %s: there is another one with this metric that is not Hearth's (protocol %u); remove it, or apply a "
			  "document that has it as it is, which makes it Hearth's, or choose another metric"
			: "route %s: there is another one with this metric that is not Hearth's (protocol %u); choose another metric",
		route_format(wanted->route, text), other->protocol);
}

// What the kernel has under the key of one wanted route: routes [first, end).
static int plan_one_route(struct planning *planning, const struct wanted_route *wanted, size_t first, size_t end,
	bool *keep)
{
	const struct kernel_route *routes = planning->kernel->routes;
	size_t ours = end, others = end;
	bool goes = false; // one of others is in the way until its link goes, behind all that is added; or a router said it
	for (size_t i = first; i < end; i++) {
		if (same_route(planning, wanted, &routes[i])) {
			keep[i] = true;
			return mark_route(planning, wanted, &routes[i], end - first == 1);
		}
		if (routes[i].protocol == HEARTH_PROTOCOL && ours == end)
			ours = i;
		bool is_routers = routes[i].protocol == RTPROT_RA; // two of them are one with two gateways
		goes |= is_routers;
		bool is_no_other = routes[i].protocol == HEARTH_PROTOCOL || is_routers || routes[i].has_other_shape;
		if (is_no_other || is_by_itself(wanted, &routes[i]))
			continue;
		goes |= !stays(planning, &routes[i]);
		if (stays(planning, &routes[i]) && others == end)
			others = i;
	}
	// replacing takes the place of the first one, whosever it is; what is by itself stands behind ours
	bool is_v4 = wanted->route->destination.ip.family == AF_INET;
	if (ours < end && is_v4 && others < end)
		return put_route(planning, CHANGE_ROUTE_ADD, wanted); // ours goes when this one is there
	if (ours < end) {
		keep[ours] = true;
		return put_route(planning, CHANGE_ROUTE_REPLACE, wanted);
	}
	if (others < end)
		return refuse_route(planning, wanted, &routes[others]);
	return put_route(planning, goes && !is_v4 ? CHANGE_ROUTE_REPLACE : CHANGE_ROUTE_ADD, wanted);
}

static bool wants_routes(const struct plan_link *link)
{
	return plan_is_up_at_end(link); // the kernel takes none for a link that is down
}

static int collect_routes(const struct planning *planning, struct wanted_route **ret, size_t *ret_n)
{
	char text[ROUTE_TEXT];
	size_t n = 0;
	for (size_t i = 0; i < planning->claims.n; i++)
		n += planning->links[i].declaration->n_routes;
	AUTO_FREE struct wanted_route *wanted = calloc(n + 1, sizeof(*wanted));
	if (!wanted)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < planning->claims.n; i++) {
		const struct plan_link *link = &planning->links[i];
		for (size_t j = 0; wants_routes(link) && j < link->declaration->n_routes; j++)
			wanted[n++] = (struct wanted_route){&link->declaration->routes[j],
				plan_protocol(link->declaration, PROTOCOLS_ROUTES, j), link,
				&link->declaration->routes_where[j]};
	}
	sort_items(wanted, n, sizeof(*wanted), compare_wanted);
	for (size_t i = 1; i < n; i++)
		if (compare_wanted(&wanted[i - 1], &wanted[i]) == 0) // one definition that fits two links, or two layers
			return place_refuse(planning->reterr, -EINVAL, wanted[i].where, "route %s: is wanted on %s and on %s",
				route_format(wanted[i].route, text), wanted[i - 1].link->claim->name,
				wanted[i].link->claim->name);
	*ret = TAKE_PTR(wanted);
	*ret_n = n;
	return 0;
}

static bool route_is_first(const struct route *route)
{
	return !route->gateway.family; // gateways are reached through these
}

static int plan_wanted(struct planning *planning, const struct wanted_route *wanted, size_t n, bool *keep)
{
	const struct kernel *kernel = planning->kernel;
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
			int error = plan_one_route(planning, &wanted[i], first, end, keep);
			if (error < 0)
				return error;
		}
	}
	return 0;
}

int plan_routes(struct planning *planning)
{
	const struct kernel *kernel = planning->kernel;
	AUTO_FREE struct wanted_route *wanted = NULL;
	AUTO_FREE bool *keep = calloc(kernel->n_routes + 1, sizeof(*keep));
	size_t n = 0;
	if (!keep)
		return -ENOMEM;
	int error = collect_routes(planning, &wanted, &n);
	if (error == 0)
		error = plan_wanted(planning, wanted, n, keep);
	for (size_t i = 0; error == 0 && i < kernel->n_routes; i++) {
		const struct kernel_route *have = &kernel->routes[i];
		const struct kernel_link *one = kernel_link_by_index(kernel, have->link_index);
		if (keep[i] || have->protocol != HEARTH_PROTOCOL || !stays(planning, have))
			continue;
		struct change *change =
			plan_add(planning->plan, CHANGE_ROUTE_REMOVE, one ? plan_name(planning, one) : "", have->link_index, NULL);
		if (!change)
			return -ENOMEM;
		change->route = have->route;
	}
	return error;
}
