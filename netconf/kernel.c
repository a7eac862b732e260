// The kernel's network as a value: order, look-up, release.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/kernel.h"

#include <linux/if_arp.h>

void kernel_drop_links(struct kernel *kernel)
{
	for (size_t i = 0; i < kernel->n_links; i++) {
		wireguard_device_done(&kernel->links[i].wireguard);
		free(kernel->links[i].other_names);
	}
	free(TAKE_PTR(kernel->links));
	kernel->n_links = 0;
}

struct kernel *kernel_free(struct kernel *kernel)
{
	if (!kernel)
		return NULL;
	kernel_drop_links(kernel);
	free(kernel->addresses);
	free(kernel->routes);
	free(kernel->rules);
	free(kernel);
	return NULL;
}

static int compare_links(const void *a, const void *b)
{
	int one = ((const struct kernel_link *)a)->index, other = ((const struct kernel_link *)b)->index;
	return one < other ? -1 : one > other;
}

static int compare_addresses(const void *a, const void *b)
{
	const struct kernel_address *one = a, *other = b;
	if (one->link_index != other->link_index)
		return one->link_index < other->link_index ? -1 : 1;
	return address_compare(&one->address, &other->address);
}

static int compare_positions(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_routes(const void *a, const void *b)
{
	const struct kernel_route *one = a, *other = b;
	int order = route_compare_key(&one->route, &other->route);
	return order ? order : compare_positions(one->position, other->position);
}

static int compare_rules(const void *a, const void *b)
{
	const struct kernel_rule *one = a, *other = b;
	int order = rule_compare(&one->rule, &other->rule);
	return order ? order : compare_positions(one->position, other->position);
}

int kernel_compare_listed_rules(const void *a, const void *b)
{
	const struct kernel_rule *const *one = a, *const *other = b;
	if ((*one)->rule.family != (*other)->rule.family)
		return (*one)->rule.family < (*other)->rule.family ? -1 : 1;
	if ((*one)->rule.priority != (*other)->rule.priority)
		return (*one)->rule.priority < (*other)->rule.priority ? -1 : 1;
	int order = compare_positions((*one)->position, (*other)->position);
	return order ? order : *one < *other ? -1 : *one > *other;
}

void kernel_sort(struct kernel *kernel)
{
	sort_items(kernel->links, kernel->n_links, sizeof(*kernel->links), compare_links);
	sort_items(kernel->addresses, kernel->n_addresses, sizeof(*kernel->addresses), compare_addresses);
	sort_items(kernel->routes, kernel->n_routes, sizeof(*kernel->routes), compare_routes);
	sort_items(kernel->rules, kernel->n_rules, sizeof(*kernel->rules), compare_rules);
}

struct kernel_link *kernel_link_by_name(const struct kernel *kernel, const char *name)
{
	for (size_t i = 0; i < kernel->n_links; i++)
		if (str_equal(kernel->links[i].name, name))
			return &kernel->links[i];
	return NULL;
}

bool kernel_link_has_other_name(const struct kernel_link *link, const char *name)
{
	for (const char *other = link->other_names; other && *other; other += strlen(other) + 1)
		if (str_equal(other, name))
			return true;
	return false;
}

bool kernel_has_ports(const struct kernel *kernel, const struct kernel_link *master)
{
	for (size_t i = 0; i < kernel->n_links; i++)
		if (kernel->links[i].master_index == master->index)
			return true;
	return false;
}

struct kernel_link *kernel_link_by_index(const struct kernel *kernel, int index)
{
	struct kernel_link key = {.index = index};
	if (!kernel->n_links)
		return NULL;
	return bsearch(&key, kernel->links, kernel->n_links, sizeof(key), compare_links);
}

size_t kernel_addresses_of(const struct kernel *kernel, int link_index, size_t *ret_n)
{
	size_t low = 0, high = kernel->n_addresses;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (kernel->addresses[middle].link_index < link_index)
			low = middle + 1;
		else
			high = middle;
	}
	size_t n = 0;
	while (low + n < kernel->n_addresses && kernel->addresses[low + n].link_index == link_index)
		n++;
	*ret_n = n;
	return low;
}

bool kernel_link_is_wired(const struct kernel_link *link)
{
	static const char *const not_a_port[] = { // USB functions of BMCs, phones and gadgets
		"cdc_ether", "cdc_ncm", "cdc_eem", "cdc_subset", "cdc_mbim", "rndis_host", "g_ether", "usb0", NULL};
	if (link->type != ARPHRD_ETHER || link->kind[0] || link->wireless || (link->flags & IFF_LOOPBACK))
		return false;
	for (size_t i = 0; not_a_port[i]; i++)
		if (str_equal(link->driver, not_a_port[i]))
			return false;
	return !str_starts(link->name, "usb"); // a gadget's own end
}
