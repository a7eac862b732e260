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
	bool is_plain = !(have->flags & ~(uint32_t)(IFA_F_PERMANENT | IFA_F_SECONDARY | IFA_F_NODAD)) && !have->metric &&
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

static int plan_addresses_of(struct planning *planning, const struct plan_link *link, bool *keep)
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
		for (size_t j = find_address(kernel, first, n, &wanted->ip); j < first + n && ip_compare(&kernel->addresses[j].address.ip, &wanted->ip) == 0; j++) {
			const struct kernel_address *have = &kernel->addresses[j];
			if (have->address.prefix == wanted->prefix) {
				// a lease's would expire: make it ours
				is_there = (have->flags & IFA_F_PERMANENT) && !(is_v6 && cycles);
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

int plan_addresses(struct planning *planning)
{
	const struct kernel *kernel = planning->kernel;
	AUTO_FREE bool *keep = calloc(kernel->n_addresses + 1, sizeof(*keep));
	if (!keep)
		return -ENOMEM;
	for (size_t i = 0; i < planning->claims.n; i++) {
		int error = plan_addresses_of(planning, &planning->links[i], keep);
		if (error < 0)
			return error;
	}
	// last first: when the first address of a subnet goes the kernel promotes all others, one by one
	for (size_t i = kernel->n_addresses; i-- > 0;) {
		const struct kernel_address *have = &kernel->addresses[i];
		const struct kernel_link *one = kernel_link_by_index(kernel, have->link_index);
		if (keep[i] || have->protocol != HEARTH_PROTOCOL || !one)
			continue;
		enum link_fate fate = plan_fate(planning, one->index);
		if (fate == LINK_GOES || (fate == LINK_CYCLES && have->address.ip.family == AF_INET6))
			continue; // goes by itself
		struct change *change = plan_add(planning->plan, CHANGE_ADDRESS_REMOVE,
			plan_name(planning, one), one->index, NULL);
		if (!change)
			return -ENOMEM;
		change->address = have->address;
	}
	return 0;
}
