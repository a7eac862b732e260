// A kernel by hand, for tests; behind cmocka.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/kernel.h"

#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>

static inline struct kernel *kernel_new(void)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	assert_non_null(kernel);
	kernel->links = calloc(2048, sizeof(*kernel->links));
	kernel->addresses = calloc(2048, sizeof(*kernel->addresses));
	kernel->routes = calloc(8192, sizeof(*kernel->routes));
	kernel->rules = calloc(512, sizeof(*kernel->rules));
	return kernel;
}

static inline struct kernel_link *has_link(struct kernel *kernel, int index, const char *name, const char *kind)
{
	struct kernel_link *one = &kernel->links[kernel->n_links++];
	*one = (struct kernel_link){.index = index, .flags = IFF_UP, .mtu = 1500, .type = ARPHRD_ETHER, .carrier = true,
		.has_mac = true, .mac = {0x52, 0x54, 0, 0, 0, (uint8_t)index}};
	(void)snprintf(one->name, sizeof(one->name), "%s", name);
	(void)snprintf(one->kind, sizeof(one->kind), "%s", kind);
	return one;
}

static inline struct kernel_address *has_address(struct kernel *kernel, int link_index, const char *text, uint8_t protocol)
{
	struct kernel_address *one = &kernel->addresses[kernel->n_addresses++];
	*one = (struct kernel_address){.link_index = link_index, .protocol = protocol, .flags = IFA_F_PERMANENT};
	assert_int_equal(address_parse(text, true, &one->address), 0);
	if (ip_is_link_local(&one->address.ip))
		one->scope = RT_SCOPE_LINK;
	return one;
}

static inline struct kernel_route *has_route(struct kernel *kernel, int link_index, const char *to, const char *via,
	uint32_t metric, uint8_t protocol)
{
	struct kernel_route *one = &kernel->routes[kernel->n_routes++];
	*one = (struct kernel_route){.link_index = link_index, .protocol = protocol,
		.route = {.table = RT_TABLE_MAIN, .metric = metric, .type = RTN_UNICAST,
			.scope = via || strchr(to, ':') ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK}};
	assert_int_equal(address_parse(to, true, &one->route.destination), 0);
	if (via)
		assert_int_equal(ip_parse(via, &one->route.gateway), 0);
	return one;
}
