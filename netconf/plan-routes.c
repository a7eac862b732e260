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
	bool is_behind; // on the way back: another one of its key was before it
	const struct plan_link *link;    // that declares it
	const struct plan_link *through; // NULL: none, or the kernel finds out
	const struct place *where;
};

static int compare_wanted(const void *a, const void *b)
{
	const struct wanted_route *one = a, *other = b;
	return route_compare_key(one->route, other->route);
}

// Of the addresses of @declaration, the longest prefix that has @gateway; 0: none has.
static uint8_t prefix_to(const struct declaration *declaration, const struct ip *gateway)
{
	uint8_t longest = 0;
	for (size_t i = 0; i < declaration->n_addresses; i++) {
		struct address subnet = declaration->addresses[i], other = {*gateway, subnet.prefix};
		address_mask(&subnet);
		address_mask(&other);
		if (subnet.ip.family == gateway->family && subnet.prefix > longest && ip_compare(&subnet.ip, &other.ip) == 0)
			longest = subnet.prefix;
	}
	return longest;
}

// The port of @vrf with an address in the gateway's subnet. NULL: none has one that is declared, two have, or a lease may bring one.
static const struct plan_link *port_to(const struct planning *planning, const struct plan_link *vrf, const struct ip *gateway)
{
	const struct plan_link *port = NULL;
	uint8_t longest = 0;
	for (size_t i = 0; i < planning->claims.n; i++) {
		const struct plan_link *link = &planning->links[i];
		if (link->master != vrf)
			continue;
		if (gateway->family == AF_INET ? link->declaration->dhcp4 : link->declaration->dhcp6)
			return NULL;
		uint8_t prefix = prefix_to(link->declaration, gateway);
		if (prefix && prefix >= longest)
			port = prefix > longest ? link : NULL;
		longest = prefix > longest ? prefix : longest;
	}
	return port;
}

/* A route of a VRF by way of a gateway leaves through a port of the VRF; IPv6 does not take the VRF's link for it. Where no
 * declared address says which one, the kernel finds out in the VRF's table. */
static const struct plan_link *find_through(const struct planning *planning, const struct plan_link *link, const struct route *route)
{
	if (!route_needs_link(route))
		return NULL;
	bool is_of_port = link->declaration->kind == DECLARATION_VRF && route->gateway.family;
	return is_of_port ? port_to(planning, link, &route->gateway) : link;
}

static bool leaves_through(const struct wanted_route *wanted, const struct kernel_route *have)
{
	const struct plan_link *through = wanted->through;
	return !through || (through->have && through->have->index == have->link_index);
}

// Do the kernel's routes through the link of @have still stand when this plan is done?
static bool stays(const struct planning *planning, const struct kernel_route *have)
{
	const struct kernel_link *one = kernel_link_by_index(planning->kernel, have->link_index);
	if (!one)
		return true; // through none
	ptrdiff_t at = one - planning->kernel->links;
	bool loses = planning->loses_routes[at] && have->route.destination.ip.family == AF_INET;
	return planning->fates[at] == LINK_STAYS && !loses;
}

/* A lease's, or the kernel's own for an address on the same link: it goes with what it came with, and nobody wants it kept. IPv4
 * takes another one beside it. */
static bool is_by_itself(const struct wanted_route *wanted, const struct kernel_route *have)
{
	bool is_own = have->protocol == RTPROT_KERNEL && wanted->link->have && wanted->link->have->index == have->link_index;
	return have->route.destination.ip.family == AF_INET && (have->protocol == RTPROT_DHCP || is_own);
}

// The link that is to have @source, and the address if it is there already. NULL: nobody declares it.
static const struct plan_link *find_source(const struct planning *planning, const struct ip *source,
	const struct kernel_address **ret_there)
{
	const struct kernel *kernel = planning->kernel;
	*ret_there = NULL;
	for (size_t i = 0; i < planning->claims.n; i++) {
		const struct plan_link *link = &planning->links[i];
		for (size_t j = 0; j < link->declaration->n_addresses; j++) {
			const struct address *declared = &link->declaration->addresses[j];
			if (ip_compare(&declared->ip, source) != 0)
				continue;
			size_t n = 0, first = link->have ? kernel_addresses_of(kernel, link->have->index, &n) : 0;
			bool stays = link->have && plan_fate(planning, link->have->index) == LINK_STAYS;
			for (size_t k = first; stays && k < first + n; k++)
				if (address_compare(&kernel->addresses[k].address, declared) == 0)
					*ret_there = &kernel->addresses[k];
			return link;
		}
	}
	return NULL;
}

// Does a link that has @source go before routes come?
static bool goes_with_link(const struct planning *planning, const struct ip *source)
{
	const struct kernel *kernel = planning->kernel;
	for (size_t i = 0; i < kernel->n_links; i++) {
		if (planning->fates[i] != LINK_GOES)
			continue;
		bool has_source = false;
		size_t n, first = kernel_addresses_of(kernel, kernel->links[i].index, &n);
		for (size_t j = first; j < first + n && !has_source; j++)
			has_source = ip_compare(&kernel->addresses[j].address.ip, source) == 0;
		if (has_source && !plan_goes_last(planning->plan, kernel->links[i].index))
			return true;
	}
	return false;
}

// Is @source taken off to come again behind another address of its subnet?
static bool steps_back(const struct plan *plan, const struct ip *source)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->changes[i].type == CHANGE_ADDRESS_REPREFIX && plan->changes[i].steps_back &&
			ip_compare(&plan->changes[i].address.ip, source) == 0)
			return true;
	return false;
}

/* When an address goes, though it comes again, the kernel takes it off the IPv6 routes from it, whatever link they go through,
 * and takes the IPv4 routes from it in the link's table away. */
static bool loses_source(const struct planning *planning, const struct route *route)
{
	const struct kernel_address *there;
	if (route->source.family == AF_INET)
		return goes_with_link(planning, &route->source) || steps_back(planning->plan, &route->source);
	return route->source.family == AF_INET6 && find_source(planning, &route->source, &there) && !there;
}

static bool same_route(const struct planning *planning, const struct wanted_route *wanted,
	const struct kernel_route *have)
{
	bool is_route = !have->has_other_shape && !is_by_itself(wanted, have) && stays(planning, have);
	if (!is_route || !route_equal(wanted->route, &have->route) || loses_source(planning, wanted->route))
		return false;
	return leaves_through(wanted, have);
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
	const struct kernel_address *there = NULL;
	const struct plan_link *link = source->family == AF_INET6 ? find_source(planning, source, &there) : NULL;
	*ret_taken = there && (there->flags & IFA_F_DADFAILED);
	bool is_ready = there && !(there->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED));
	return link && !is_ready && !is_usable_at_once(link); // nobody declares it: the kernel says whether it is there
}

// The first one is told, or the first that waits in vain.
static int tell_left_out(struct plan *plan, bool is_in_vain, char *sentence_take)
{
	AUTO_FREE char *sentence = sentence_take;
	if (!sentence)
		return -ENOMEM;
	if (plan->waits_for && (plan->waits_in_vain || !is_in_vain))
		return 0;
	free(plan->waits_for);
	plan->waits_for = TAKE_PTR(sentence);
	plan->waits_in_vain = is_in_vain;
	return 0;
}

static int put_off(struct plan *plan, const struct wanted_route *wanted, bool is_taken)
{
	char route[ROUTE_TEXT], source[ADDRESS_TEXT];
	return tell_left_out(plan, is_taken, str_format(is_taken ? "%s: route %s is left out: somebody else has its source address %s"
		: "%s: route %s comes once the kernel knows that nobody else has its source address %s: a cable has to be in",
		wanted->link->claim->name, route_format(wanted->route, route), ip_format(&wanted->route->source, source)));
}

static int put_route(struct planning *planning, enum change_type type, const struct wanted_route *wanted, bool is_last)
{
	bool is_taken = false;
	if (source_waits(planning, &wanted->route->source, &is_taken))
		return put_off(planning->plan, wanted, is_taken);
	const struct plan_link *link = wanted->through;
	struct change *change = plan_add(planning->plan, type, link ? link->claim->name : "",
		link && link->have ? link->have->index : 0, wanted->link->declaration);
	if (!change)
		return -ENOMEM;
	change->route = *wanted->route;
	change->is_last = is_last;
	change->protocol = wanted->protocol;
	return 0;
}

// It is there as it shall be. The kernel marks the first one of a key, of IPv6 more than one: that has to be the only one.
static int mark_route(struct planning *planning, const struct wanted_route *wanted, const struct kernel_route *have,
	bool can_be_marked)
{
	bool is_static = show_is_configured(have->protocol) && !have->has_other_metrics;
	if (!can_be_marked || !plan_marks(planning, have->protocol, wanted->protocol, is_static))
		return 0;
	struct mark *mark = marks_add(&planning->plan->marks, MARK_ROUTE, wanted->through ? wanted->through->claim->name : "");
	if (!mark)
		return -ENOMEM;
	mark->link_index = wanted->through ? have->link_index : 0;
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

// On the way back all else comes.
static int leave_out(struct plan *plan, const struct wanted_route *wanted, const struct kernel_route *other)
{
	char route[ROUTE_TEXT];
	return tell_left_out(plan, true, str_format("%s: route %s is left out: there is another one with this metric that is not "
		"Hearth's (protocol %u)", wanted->link->claim->name, route_format(wanted->route, route), other->protocol));
}

// Told to take away @have, would the kernel take @wanted, which is before it? It looks at all that is said of the one that goes.
static bool is_taken_for(const struct wanted_route *wanted, const struct kernel_route *have)
{
	const struct route *one = wanted->route, *goes = &have->route;
	return leaves_through(wanted, have) && one->type == goes->type && one->scope == goes->scope && one->mtu == goes->mtu &&
	       one->cwnd == goes->cwnd && one->rwnd == goes->rwnd &&
	       (!goes->gateway.family || ip_compare(&one->gateway, &goes->gateway) == 0) &&
	       (!goes->source.family || ip_compare(&one->source, &goes->source) == 0);
}

enum fate { // of a route of the kernel
	FATE_OPEN, // goes if it is Hearth's
	FATE_STAYS,
	FATE_GOES_BEFORE, // the one that is wanted instead comes
};
struct beside { // what the kernel has under the key of one wanted route, by its place; end: none
	size_t first, end;
	size_t ours;
	size_t others; // in the way: neither by itself nor going
	bool goes; // one of others is in the way until its link goes, behind all that is added; or a router said it
};

static struct beside look_beside(const struct planning *planning, const struct wanted_route *wanted, size_t first, size_t end)
{
	struct beside beside = {first, end, end, end, false};
	for (size_t i = first; i < end; i++) {
		const struct kernel_route *one = &planning->kernel->routes[i];
		if (one->protocol == HEARTH_PROTOCOL && beside.ours == end)
			beside.ours = i;
		bool is_routers = one->protocol == RTPROT_RA; // two of them are one with two gateways
		beside.goes |= is_routers;
		bool is_no_other = one->protocol == HEARTH_PROTOCOL || is_routers || one->has_other_shape;
		if (is_no_other || is_by_itself(wanted, one))
			continue;
		beside.goes |= !stays(planning, one);
		if (stays(planning, one) && beside.others == end)
			beside.others = i;
	}
	return beside;
}

/* Replacing takes the place of the first one, whosever it is. On the way back what was beside others' comes beside them again,
 * on its side. */
static int plan_v4(struct planning *planning, const struct wanted_route *wanted, const struct beside *beside, enum fate *fates)
{
	bool has_ours = beside->ours < beside->end, has_others = beside->others < beside->end;
	bool is_last = wanted->is_behind && has_others;
	if (has_ours && beside->ours == beside->first && !is_last) {
		fates[beside->ours] = FATE_STAYS;
		return put_route(planning, CHANGE_ROUTE_REPLACE, wanted, false);
	}
	if (has_others && !has_ours && !planning->input->without_taking_over)
		return refuse_route(planning, wanted, &planning->kernel->routes[beside->others]);
	// ours goes when this one is there, but that it is another one must be to be seen
	if (has_ours && !is_last && is_taken_for(wanted, &planning->kernel->routes[beside->ours]))
		fates[beside->ours] = FATE_GOES_BEFORE;
	return put_route(planning, CHANGE_ROUTE_ADD, wanted, is_last);
}

static int plan_v6(struct planning *planning, const struct wanted_route *wanted, const struct beside *beside, enum fate *fates)
{
	const struct kernel_route *other = beside->others < beside->end ? &planning->kernel->routes[beside->others] : NULL;
	// replacing takes the first one that has a gateway as the new one has, or has none as the new one has none
	const struct kernel_route *ours = beside->ours < beside->others ? &planning->kernel->routes[beside->ours] : NULL;
	bool is_alike = ours && !ours->route.gateway.family == !wanted->route->gateway.family;
	if (ours && (is_alike || !other)) {
		fates[beside->ours] = FATE_STAYS;
		return put_route(planning, CHANGE_ROUTE_REPLACE, wanted, false);
	}
	// two with a gateway would become one, and only on the way back there may be two
	bool may_be_second = planning->input->without_taking_over && other &&
			     !(other->route.gateway.family && wanted->route->gateway.family);
	if (other && !may_be_second)
		return planning->input->without_taking_over ? leave_out(planning->plan, wanted, other) : refuse_route(planning, wanted, other);
	return put_route(planning, beside->goes ? CHANGE_ROUTE_REPLACE : CHANGE_ROUTE_ADD, wanted, may_be_second);
}

// What the kernel has under the key of one wanted route: routes [first, end).
static int plan_one_route(struct planning *planning, const struct wanted_route *wanted, size_t first, size_t end,
	enum fate *fates)
{
	bool is_v4 = wanted->route->destination.ip.family == AF_INET;
	for (size_t i = first; i < end; i++) {
		if (!same_route(planning, wanted, &planning->kernel->routes[i]))
			continue;
		fates[i] = FATE_STAYS;
		return mark_route(planning, wanted, &planning->kernel->routes[i], is_v4 ? i == first : end - first == 1);
	}
	struct beside beside = look_beside(planning, wanted, first, end);
	return (is_v4 ? plan_v4 : plan_v6)(planning, wanted, &beside, fates);
}

// The kernel takes none for a link that is down.
static bool can_come(const struct wanted_route *wanted)
{
	return plan_is_up_at_end(wanted->link) && (!wanted->through || plan_is_up_at_end(wanted->through));
}

static struct wanted_route wanted_of(const struct planning *planning, const struct plan_link *link, size_t position)
{
	const struct declaration *declaration = link->declaration;
	const struct route *route = &declaration->routes[position];
	const uint8_t *behind = declaration->protocols[PROTOCOLS_BEHIND];
	return (struct wanted_route){.route = route, .protocol = plan_protocol(declaration, PROTOCOLS_ROUTES, position),
		.is_behind = behind && behind[position], .link = link, .through = find_through(planning, link, route),
		.where = &declaration->routes_where[position]};
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
		for (size_t j = 0; j < link->declaration->n_routes; j++) {
			wanted[n] = wanted_of(planning, link, j);
			n += can_come(&wanted[n]);
		}
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

static int plan_wanted(struct planning *planning, const struct wanted_route *wanted, size_t n, enum fate *fates)
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
			int error = plan_one_route(planning, &wanted[i], first, end, fates);
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
	AUTO_FREE enum fate *fates = calloc(kernel->n_routes + 1, sizeof(*fates));
	size_t n = 0;
	if (!fates)
		return -ENOMEM;
	int error = collect_routes(planning, &wanted, &n);
	if (error == 0)
		error = plan_wanted(planning, wanted, n, fates);
	for (size_t i = 0; error == 0 && i < kernel->n_routes; i++) {
		const struct kernel_route *have = &kernel->routes[i];
		const struct kernel_link *one = kernel_link_by_index(kernel, have->link_index);
		if (fates[i] == FATE_STAYS || have->protocol != HEARTH_PROTOCOL || !stays(planning, have))
			continue;
		struct change *change =
			plan_add(planning->plan, CHANGE_ROUTE_REMOVE, one ? plan_name(planning, one) : "", have->link_index, NULL);
		if (!change)
			return -ENOMEM;
		change->route = have->route;
		change->goes_before = fates[i] == FATE_GOES_BEFORE;
	}
	return error;
}
