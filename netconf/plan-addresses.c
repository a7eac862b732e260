// Addresses that come and go.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/plan-parts.h"
#include "netconf/show-links.h"

#include <errno.h>
#include <linux/if_addr.h>

static int put_address(struct planning *planning, enum change_type type, const struct plan_link *link,
	const struct address *address, uint8_t protocol)
{
	struct change *change = plan_add_to(planning, type, link);
	if (!change)
		return -ENOMEM;
	change->address = *address;
	change->protocol = protocol;
	return 0;
}

// It is there as it shall be.
static int mark_address(struct planning *planning, const struct plan_link *link, const struct kernel_address *have, uint8_t wanted)
{
	// a document says no more of one than that; undoing could not give the rest back
	bool is_plain = !(have->flags & ~(uint32_t)(IFA_F_PERMANENT | IFA_F_SECONDARY | IFA_F_NODAD)) && !have->metric && !have->has_more &&
			have->scope == RT_SCOPE_UNIVERSE;
	bool is_static = have->protocol == IFAPROT_UNSPEC && show_is_static(have) && is_plain;
	if (!plan_marks(planning, have->protocol, wanted, is_static))
		return 0;
	struct mark *mark = marks_add(&planning->plan->marks, MARK_ADDRESS, link->claim->name);
	if (!mark)
		return -ENOMEM;
	mark->link_index = have->link_index;
	mark->address = *have;
	mark->protocol = wanted;
	return 0;
}

// The first of @n sorted addresses from @first on that is not below @ip.
static size_t find_address(const struct kernel *kernel, size_t first, size_t n, const struct ip *ip)
{
	size_t low = first, high = first + n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (ip_compare(&kernel->addresses[middle].address.ip, ip) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

// --- which one is the first of its subnet ---

static bool share_subnet(const struct address *one, const struct address *other)
{
	struct address first = *one, second = *other;
	address_mask(&first);
	address_mask(&second);
	return one->ip.family == AF_INET && address_compare(&first, &second) == 0;
}

static bool is_first_of_subnet(const struct declaration *declaration, size_t position)
{
	for (size_t i = 0; i < position; i++)
		if (share_subnet(&declaration->addresses[i], &declaration->addresses[position]))
			return false;
	return true;
}

static bool declares(const struct declaration *declaration, const struct address *address)
{
	for (size_t i = 0; i < declaration->n_addresses; i++)
		if (address_compare(&declaration->addresses[i], address) == 0)
			return true;
	return false;
}

// Is another address of ours the first one of the subnet of @wanted? Addresses of @link are @n from @first on.
static bool is_behind(const struct kernel *kernel, size_t first, size_t n, const struct address *wanted)
{
	for (size_t i = first; i < first + n; i++) {
		const struct kernel_address *have = &kernel->addresses[i];
		if (!(have->flags & IFA_F_SECONDARY) && have->protocol == HEARTH_PROTOCOL && share_subnet(&have->address, wanted))
			return ip_compare(&have->address.ip, &wanted->ip) != 0;
	}
	return false;
}

// Has the link no IPv4 address while some step back? Then the kernel takes its routes, too.
static bool is_bare(const struct kernel *kernel, size_t first, size_t n, const bool *stepped)
{
	for (size_t i = first; i < first + n; i++)
		if (kernel->addresses[i].address.ip.family == AF_INET && !stepped[i])
			return false;
	return true;
}

/* The machine speaks from the first address that the kernel got of a subnet. Where that is to be the one at @position, others
 * that stay are taken off and come again behind it; what goes goes later, and the kernel promotes the next one. Addresses of @link
 * are @n from @first on. */
static int plan_first(struct planning *planning, const struct plan_link *link, size_t position, size_t first, size_t n, bool *stepped)
{
	const struct kernel *kernel = planning->kernel;
	const struct declaration *declaration = link->declaration;
	const struct address *wanted = &declaration->addresses[position];
	if (!is_behind(kernel, first, n, wanted) || !is_first_of_subnet(declaration, position))
		return 0;
	for (size_t i = first; i < first + n; i++) {
		const struct kernel_address *have = &kernel->addresses[i];
		bool stays = have->protocol == HEARTH_PROTOCOL && share_subnet(&have->address, wanted) && declares(declaration, &have->address);
		if (!stays || ip_compare(&have->address.ip, &wanted->ip) == 0)
			continue;
		int error = put_address(planning, CHANGE_ADDRESS_REPREFIX, link, &have->address, have->protocol);
		if (error < 0)
			return error;
		planning->plan->changes[planning->plan->n - 1].steps_back = stepped[i] = true;
	}
	planning->loses_routes[link->have - kernel->links] |= is_bare(kernel, first, n, stepped);
	return 0;
}

// --- those that come ---

// @stepped, @keep: by address of the kernel; what was taken off to come again, and what is not to be removed.
static int plan_addresses_of(struct planning *planning, const struct plan_link *link, bool *stepped, bool *keep)
{
	const struct kernel *kernel = planning->kernel;
	size_t n = 0, first = link->have ? kernel_addresses_of(kernel, link->have->index, &n) : 0;
	bool cycles = link->have && plan_fate(planning, link->have->index) == LINK_CYCLES;
	int error = 0;
	// in the order of the document: the first of a subnet is the one the machine speaks from
	for (size_t i = 0; error == 0 && i < link->declaration->n_addresses; i++) {
		const struct address *wanted = &link->declaration->addresses[i];
		uint8_t protocol = plan_protocol(link->declaration, PROTOCOLS_ADDRESSES, i);
		bool is_v6 = wanted->ip.family == AF_INET6, is_there = false;
		if (link->have && !is_v6)
			error = plan_first(planning, link, i, first, n, stepped);
		for (size_t j = find_address(kernel, first, n, &wanted->ip); j < first + n && ip_compare(&kernel->addresses[j].address.ip, &wanted->ip) == 0; j++) {
			const struct kernel_address *have = &kernel->addresses[j];
			if (have->address.prefix == wanted->prefix) {
				// a lease's would expire: make it ours
				is_there = (have->flags & IFA_F_PERMANENT) && !(is_v6 && cycles) && !stepped[j];
				keep[j] = true;
				if (is_there && error == 0)
					error = mark_address(planning, link, have, protocol);
			} else if (have->protocol == HEARTH_PROTOCOL && is_v6) {
				keep[j] = true;
				if (!cycles && error == 0)
					error = put_address(planning, CHANGE_ADDRESS_REPREFIX, link, &have->address,
						have->protocol);
			}
		}
		if (error == 0 && !is_there)
			error = put_address(planning, CHANGE_ADDRESS_ADD, link, wanted, protocol);
	}
	return error;
}

// --- those that go ---

static int compare_ips(const void *a, const void *b)
{
	return ip_compare(a, b);
}

// The IPv6 addresses that come, sorted. NULL: out of memory.
static struct ip *coming(const struct plan *plan, size_t *ret_n)
{
	struct ip *ips = calloc(plan->n + 1, sizeof(*ips));
	size_t n = 0;
	if (!ips)
		return NULL;
	for (size_t i = 0; i < plan->n; i++)
		if (plan->changes[i].type == CHANGE_ADDRESS_ADD && plan->changes[i].address.ip.family == AF_INET6)
			ips[n++] = plan->changes[i].address.ip;
	sort_items(ips, n, sizeof(*ips), compare_ips);
	*ret_n = n;
	return ips;
}

bool plan_goes_last(const struct plan *plan, int link_index)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->changes[i].type == CHANGE_LINK_REMOVE && plan->changes[i].link_index == link_index)
			return !plan->changes[i].is_in_the_way;
	return false;
}

static bool wants_v4_routes(const struct planning *planning, const struct kernel_link *one)
{
	for (size_t i = 0; i < planning->claims.n; i++)
		for (size_t j = 0; planning->links[i].have == one && j < planning->links[i].declaration->n_routes; j++)
			if (planning->links[i].declaration->routes[j].destination.ip.family == AF_INET)
				return true;
	return false;
}

// Is the link left without an IPv4 address, though it is to have IPv4 routes? The kernel takes them with its last address.
static bool loses_routes(const struct planning *planning, const struct kernel_link *one, const bool *keep)
{
	const struct kernel *kernel = planning->kernel;
	size_t n = 0, first = kernel_addresses_of(kernel, one->index, &n);
	for (size_t i = first; i < first + n; i++)
		if (kernel->addresses[i].address.ip.family == AF_INET && (keep[i] || kernel->addresses[i].protocol != HEARTH_PROTOCOL))
			return false;
	for (size_t i = 0; i < planning->plan->n; i++) {
		const struct change *change = &planning->plan->changes[i];
		if (change->type == CHANGE_ADDRESS_ADD && change->link_index == one->index && change->address.ip.family == AF_INET)
			return false;
	}
	return wants_v4_routes(planning, one);
}

static int remove_addresses(struct planning *planning, const bool *keep)
{
	const struct kernel *kernel = planning->kernel;
	size_t n_coming = 0;
	AUTO_FREE struct ip *ips = coming(planning->plan, &n_coming);
	if (!ips)
		return -ENOMEM;
	const struct kernel_link *looked_at = NULL;
	// last first: when the first address of a subnet goes the kernel promotes all others, one by one
	for (size_t i = kernel->n_addresses; i-- > 0;) {
		const struct kernel_address *have = &kernel->addresses[i];
		const struct kernel_link *one = kernel_link_by_index(kernel, have->link_index);
		if (keep[i] || have->protocol != HEARTH_PROTOCOL || !one)
			continue;
		bool is_v4 = have->address.ip.family == AF_INET;
		if (is_v4 && one != looked_at) // they are sorted by link
			planning->loses_routes[one - kernel->links] |= loses_routes(planning, one, keep);
		looked_at = is_v4 ? one : looked_at;
		bool moves = n_coming && bsearch(&have->address.ip, ips, n_coming, sizeof(*ips), compare_ips);
		enum link_fate fate = plan_fate(planning, one->index);
		if (fate == LINK_GOES ? !moves || !plan_goes_last(planning->plan, one->index)
				      : fate == LINK_CYCLES && !is_v4)
			continue; // goes by itself, and in time
		struct change *change = plan_add(planning->plan, moves ? CHANGE_ADDRESS_REPREFIX : CHANGE_ADDRESS_REMOVE,
			plan_name(planning, one), one->index, NULL);
		if (!change)
			return -ENOMEM;
		change->address = have->address;
		change->moves = moves;
		change->goes_before = is_v4 && planning->loses_routes[one - kernel->links];
	}
	return 0;
}

int plan_addresses(struct planning *planning)
{
	AUTO_FREE bool *keep = calloc(planning->kernel->n_addresses + 1, sizeof(*keep));
	AUTO_FREE bool *stepped = calloc(planning->kernel->n_addresses + 1, sizeof(*stepped));
	if (!keep || !stepped)
		return -ENOMEM;
	for (size_t i = 0; i < planning->claims.n; i++) {
		int error = plan_addresses_of(planning, &planning->links[i], stepped, keep);
		if (error < 0)
			return error;
	}
	return remove_addresses(planning, keep);
}
