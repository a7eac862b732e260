// A model of the kernel that refuses what the kernel refuses and drops what the kernel drops, and plans done on it: after
// each the next plan is empty. For tests; behind cmocka.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/test-wants.h"

#include "netconf/plan.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>

enum { ROOM = 256 };

static int last_index;                 // the kernel gives no number twice
static uint32_t mtu_before_bond[ROOM]; // of ports of bonds, by number
static uint8_t mac_before_bond[ROOM][6];
static uint32_t delay_counts[ROOM][2];  // of bonds, by number: up and down
static bool is_way_back;               // what is planned for undoes something
static bool has_own_mtu[ROOM];         // of bridges, by number: somebody changed it

// --- the model ---

static inline struct kernel *kernel_new(void)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	assert_non_null(kernel);
	last_index = 1;
	memset(has_own_mtu, 0, sizeof(has_own_mtu));
	memset(delay_counts, 0, sizeof(delay_counts));
	is_way_back = false;
	kernel->links = calloc(ROOM, sizeof(*kernel->links));
	kernel->addresses = calloc(ROOM, sizeof(*kernel->addresses));
	kernel->routes = calloc(ROOM, sizeof(*kernel->routes));
	kernel->rules = calloc(ROOM, sizeof(*kernel->rules));
	return kernel;
}

static inline struct kernel_link *has_link(struct kernel *kernel, const char *name, const char *kind)
{
	int index = ++last_index;
	struct kernel_link *one = &kernel->links[kernel->n_links++];
	*one = (struct kernel_link){.index = index, .mtu = 1500, .type = ARPHRD_ETHER, .carrier = true, .has_mac = true,
		.mac = {0x52, 0x54, 0, 0, 0, (uint8_t)index}, .has_permanent_mac = kind[0] == '\0',
		.permanent_mac = {0x52, 0x54, 0, 0, 0, (uint8_t)index}};
	(void)snprintf(one->name, sizeof(one->name), "%s", name);
	(void)snprintf(one->kind, sizeof(one->kind), "%s", kind);
	return one;
}

static inline struct kernel *ports(size_t n)
{
	struct kernel *kernel = kernel_new();
	for (size_t i = 0; i < n; i++) {
		AUTO_FREE char *name = str_format("eth%zu", i);
		assert_non_null(name);
		has_link(kernel, name, "")->flags = IFF_UP;
	}
	return kernel;
}

static inline void drop_routes(struct kernel *kernel, int index)
{
	size_t n = 0;
	for (size_t i = 0; i < kernel->n_routes; i++)
		if (kernel->routes[i].link_index != index)
			kernel->routes[n++] = kernel->routes[i];
	kernel->n_routes = n;
}

// An IPv4 route is from an address that the machine has, or it is gone.
static inline void drop_routes_from_nowhere(struct kernel *kernel)
{
	size_t n = 0;
	for (size_t i = 0; i < kernel->n_routes; i++) {
		const struct ip *source = &kernel->routes[i].route.source;
		bool is_there = source->family != AF_INET;
		for (size_t j = 0; j < kernel->n_addresses && !is_there; j++)
			is_there = ip_compare(&kernel->addresses[j].address.ip, source) == 0;
		if (is_there)
			kernel->routes[n++] = kernel->routes[i];
	}
	kernel->n_routes = n;
}

static inline void drop_addresses(struct kernel *kernel, int index, bool only_v6)
{
	size_t n = 0;
	for (size_t i = 0; i < kernel->n_addresses; i++)
		if (kernel->addresses[i].link_index != index ||
			(only_v6 && kernel->addresses[i].address.ip.family != AF_INET6))
			kernel->addresses[n++] = kernel->addresses[i];
	kernel->n_addresses = n;
	drop_routes_from_nowhere(kernel);
}

static inline void goes_down(struct kernel *kernel, struct kernel_link *one)
{
	if (!(one->flags & IFF_UP))
		return;
	one->flags &= ~(unsigned)IFF_UP;
	drop_routes(kernel, one->index);
	drop_addresses(kernel, one->index, true);
	for (size_t i = 0; i < kernel->n_links; i++)
		if (kernel->links[i].parent_index == one->index)
			goes_down(kernel, &kernel->links[i]);
}

static inline void goes_up(struct kernel *kernel, struct kernel_link *one)
{
	const struct kernel_link *parent = kernel_link_by_index(kernel, one->parent_index);
	if (parent && !(parent->flags & IFF_UP))
		fail_msg("%s: up, but %s is down: ENETDOWN", one->name, parent->name);
	if (one->flags & IFF_UP)
		return;
	one->flags |= IFF_UP;
	for (size_t i = 0; i < kernel->n_links; i++)
		if (kernel->links[i].parent_index == one->index)
			goes_up(kernel, &kernel->links[i]);
}

// The least of its ports, until somebody changes it.
static inline void bridge_follows(struct kernel *kernel, int index)
{
	struct kernel_link *bridge = NULL;
	uint32_t least = 0;
	for (size_t i = 0; i < kernel->n_links; i++) {
		struct kernel_link *one = &kernel->links[i];
		if (one->index == index)
			bridge = one;
		if (one->master_index == index && (least == 0 || one->mtu < least))
			least = one->mtu;
	}
	if (!bridge || !str_equal(bridge->kind, "bridge") || has_own_mtu[index])
		return;
	bridge->mtu = least ? least : 1500;
	for (size_t i = 0; i < kernel->n_links; i++)
		if (kernel->links[i].parent_index == index && kernel->links[i].mtu > bridge->mtu)
			kernel->links[i].mtu = bridge->mtu;
}

// With the VLANs on it.
static inline void sinks(struct kernel *kernel, struct kernel_link *one, uint32_t mtu)
{
	one->mtu = mtu;
	for (size_t i = 0; i < kernel->n_links; i++)
		if (kernel->links[i].parent_index == one->index && kernel->links[i].mtu > mtu)
			sinks(kernel, &kernel->links[i], mtu);
}

static inline void leaves(struct kernel *kernel, struct kernel_link *port)
{
	bool was_up = port->flags & IFF_UP;
	int master = port->master_index;
	if (master == 0)
		return;
	if (!str_equal(port->port_kind, "bridge"))
		goes_down(kernel, port);
	if (str_equal(port->port_kind, "vrf") && was_up)
		goes_up(kernel, port);
	if (str_equal(port->port_kind, "bond")) {
		memcpy(port->mac, mac_before_bond[port->index], 6);
		sinks(kernel, port, mtu_before_bond[port->index]);
	}
	port->master_index = 0;
	port->port_kind[0] = '\0';
	port->port_options = (struct link_options){0};
	bridge_follows(kernel, master);
}

static inline void joins(struct kernel *kernel, struct kernel_link *port, struct kernel_link *master)
{
	leaves(kernel, port);
	bool was_up = port->flags & IFF_UP;
	if (str_equal(master->kind, "bond")) {
		if (was_up)
			fail_msg("%s: Device can not be enslaved while up", port->name);
		goes_up(kernel, port);
		mtu_before_bond[port->index] = port->mtu;
		memcpy(mac_before_bond[port->index], port->mac, 6);
		port->mtu = master->mtu;
		memcpy(port->mac, master->mac, 6);
	} else if (str_equal(master->kind, "vrf") && was_up) {
		goes_down(kernel, port);
		goes_up(kernel, port);
	}
	port->master_index = master->index;
	(void)snprintf(port->port_kind, sizeof(port->port_kind), "%s", master->kind);
	bridge_follows(kernel, master->index);
}

static inline void disappears(struct kernel *kernel, int index)
{
	size_t n = 0;
	const struct kernel_link *one = kernel_link_by_index(kernel, index);
	int master = one ? one->master_index : 0; // gone already, with what it stood on
	drop_routes(kernel, index);
	drop_addresses(kernel, index, false);
	for (size_t i = 0; i < kernel->n_links; i++)
		if (kernel->links[i].master_index == index)
			leaves(kernel, &kernel->links[i]);
	for (size_t i = 0; i < kernel->n_links; i++)
		if (kernel->links[i].index != index)
			kernel->links[n++] = kernel->links[i];
	kernel->n_links = n;
	bridge_follows(kernel, master);
	for (size_t i = 0; i < kernel->n_links; i++)
		if (kernel->links[i].parent_index == index) {
			disappears(kernel, kernel->links[i].index);
			i = (size_t)-1; // they moved
		}
}

static inline struct kernel_link *link_named(const struct kernel *kernel, const char *name)
{
	struct kernel_link *one = kernel_link_by_name(kernel, name);
	if (!one)
		fail_msg("%s: no such link", name);
	return one;
}

static inline uint32_t *option_of_bond(struct kernel_link *bond, const char *key)
{
	return &bond->options.value[link_option_find(LINK_OPTION_BOND, key)];
}

static inline bool sets(const struct link_options *set, const char *key)
{
	return link_options_have(set, (size_t)link_option_find(LINK_OPTION_BOND, key));
}

/* What changes by itself with options that are set: one monitor ends the other, and a delay is a count of intervals of the one,
 * kept while there is none. */
static inline void options_follow(struct kernel_link *bond, const struct link_options *set)
{
	static const char *const delays[] = {"up-delay", "down-delay"};
	uint32_t *monitor = option_of_bond(bond, "mii-monitor-interval"), *arp = option_of_bond(bond, "arp-interval");
	if (sets(set, "mode") && !sets(set, "arp-validate"))
		*option_of_bond(bond, "arp-validate") = 0;
	if (sets(set, "arp-interval") && *arp)
		*monitor = 0;
	else if (sets(set, "mii-monitor-interval") && *monitor)
		*arp = 0;
	for (size_t i = 0; i < N_ELEMENTS(delays); i++) {
		uint32_t *count = &delay_counts[bond->index][i], *delay = option_of_bond(bond, delays[i]);
		if (sets(set, delays[i]) && *delay && !*monitor)
			fail_msg("%s: %s without a monitor: EPERM", bond->name, delays[i]);
		if (sets(set, delays[i]) && *monitor)
			*count = *delay / *monitor;
		*delay = *count * *monitor;
	}
}

static inline void is_made(struct kernel *kernel, const struct change *change)
{
	const struct declaration *declaration = change->declaration;
	if (kernel_link_by_name(kernel, change->name))
		fail_msg("%s: File exists", change->name);
	struct kernel_link *made = has_link(kernel, change->name, declaration_link_kind(declaration->kind));
	(void)snprintf(made->alias, sizeof(made->alias), HEARTH_ALIAS);
	made->options = declaration->options;
	if (declaration->kind == DECLARATION_BOND)
		options_follow(made, &declaration->options);
	made->vlan_id = declaration->vlan_id;
	made->vrf_table = declaration->vrf_table;
	memcpy(made->arp_targets, declaration->arp_targets, sizeof(made->arp_targets));
	made->n_arp_targets = declaration->n_arp_targets;
	if (declaration->kind != DECLARATION_VLAN)
		return;
	const struct kernel_link *parent = link_named(kernel, change->parent.name);
	for (size_t i = 0; i < kernel->n_links; i++)
		if (kernel->links[i].parent_index == parent->index && kernel->links[i].vlan_id == declaration->vlan_id)
			fail_msg("%s: VLAN device already exists", change->name);
	made->parent_index = parent->index;
	made->mtu = parent->mtu;
}

static inline void options_are_set(struct kernel *kernel, const struct change *change)
{
	struct kernel_link *one = link_named(kernel, change->name);
	bool is_port = change->options.kind == LINK_OPTION_BRIDGE_PORT, was_up = one->flags & IFF_UP;
	size_t n;
	const struct link_option *table = link_options_of(change->options.kind, &n);
	if (is_port && !str_equal(one->port_kind, "bridge"))
		fail_msg("%s: is no port of a bridge", one->name);
	if (change->options.needs_down)
		goes_down(kernel, one);
	for (size_t i = 0; i < n; i++)
		if (str_equal(table[i].key, "forward-delay") && link_options_have(&change->options.values, i) &&
			change->options.values.value[i] < 200 && one->options.value[link_option_find(LINK_OPTION_BRIDGE, "stp")])
			fail_msg("%s: forward-delay, which comes before stp: Numerical result out of range", one->name);
	for (size_t i = 0; i < n; i++) {
		if (!link_options_have(&change->options.values, i))
			continue;
		if (table[i].only_when_down && (one->flags & IFF_UP))
			fail_msg("%s: unable to set option %s because the bond is up", one->name, table[i].key);
		if (table[i].only_without_ports && kernel_has_ports(kernel, one))
			fail_msg("%s: unable to set option %s because the bond has slaves", one->name, table[i].key);
		link_options_set(is_port ? &one->port_options : &one->options, i, change->options.values.value[i]);
	}
	if (change->options.kind == LINK_OPTION_BOND)
		options_follow(one, &change->options.values);
	if (change->options.has_primary)
		one->primary_index = change->options.primary[0] ? link_named(kernel, change->options.primary)->index : 0;
	if (change->options.has_arp_targets) {
		memcpy(one->arp_targets, change->declaration->arp_targets, sizeof(one->arp_targets));
		one->n_arp_targets = change->declaration->n_arp_targets;
	}
	if (change->options.needs_down && was_up)
		goes_up(kernel, one);
}

static inline void is_set(struct kernel *kernel, const struct change *change)
{
	struct kernel_link *one = link_named(kernel, change->name);
	const struct kernel_link *parent = kernel_link_by_index(kernel, one->parent_index);
	if (change->set.mtu && parent && change->set.mtu > parent->mtu)
		fail_msg("%s: mtu %u is above that of %s: ERANGE", one->name, change->set.mtu, parent->name);
	for (size_t i = 0; change->set.mtu && i < kernel->n_links; i++) {
		struct kernel_link *other = &kernel->links[i];
		if (other->parent_index == one->index && other->mtu > change->set.mtu)
			fail_msg("%s: shrinks by itself, with %s", other->name, one->name);
		if (other->master_index == one->index && str_equal(one->kind, "bond"))
			other->mtu = change->set.mtu;
	}
	if (change->set.mtu && change->set.mtu != one->mtu) {
		one->mtu = change->set.mtu;
		has_own_mtu[one->index] = true;
		bridge_follows(kernel, one->master_index);
	}
	for (size_t i = 0; change->set.has_mac && i < kernel->n_links; i++)
		if (&kernel->links[i] == one || (kernel->links[i].master_index == one->index && str_equal(one->kind, "bond")))
			memcpy(kernel->links[i].mac, change->set.mac, 6);
	if (change->set.up)
		goes_up(kernel, one);
	if (change->set.down)
		goes_down(kernel, one);
}

// With its last IPv4 address a link loses its IPv4 routes.
static inline void v4_may_be_over(struct kernel *kernel, int index)
{
	size_t n = 0;
	for (size_t i = 0; i < kernel->n_addresses; i++)
		if (kernel->addresses[i].link_index == index && kernel->addresses[i].address.ip.family == AF_INET)
			return;
	for (size_t i = 0; i < kernel->n_routes; i++)
		if (kernel->routes[i].link_index != index || kernel->routes[i].route.destination.ip.family != AF_INET)
			kernel->routes[n++] = kernel->routes[i];
	kernel->n_routes = n;
}

static inline void address_changes(struct kernel *kernel, const struct change *change)
{
	bool may_be_gone = change->type == CHANGE_ADDRESS_REPREFIX && change->moves; // with its link, or that went down
	struct kernel_link *one = kernel_link_by_name(kernel, change->name);
	if (!one && may_be_gone)
		return;
	one = link_named(kernel, change->name);
	for (size_t i = 0; i < kernel->n_addresses; i++) {
		const struct kernel_address *have = &kernel->addresses[i];
		bool is_same = have->link_index == one->index && ip_compare(&have->address.ip, &change->address.ip) == 0;
		if (is_same && change->type != CHANGE_ADDRESS_ADD && have->address.prefix == change->address.prefix) {
			kernel->addresses[i] = kernel->addresses[--kernel->n_addresses];
			if (change->address.ip.family == AF_INET)
				v4_may_be_over(kernel, one->index);
			drop_routes_from_nowhere(kernel);
			return;
		}
		if (is_same && change->type == CHANGE_ADDRESS_ADD)
			fail_msg("%s: the address is there", one->name);
	}
	if (may_be_gone)
		return;
	if (change->type != CHANGE_ADDRESS_ADD)
		fail_msg("%s: there is no such address", one->name);
	kernel->addresses[kernel->n_addresses++] = (struct kernel_address){.link_index = one->index,
		.address = change->address, .protocol = change->protocol, .flags = IFA_F_PERMANENT};
}

static inline void route_changes(struct kernel *kernel, const struct change *change)
{
	struct kernel_link *one = change->name[0] ? link_named(kernel, change->name) : NULL;
	size_t at = kernel->n_routes;
	if (one && change->type != CHANGE_ROUTE_REMOVE && !(one->flags & IFF_UP))
		fail_msg("%s: Nexthop device is not up", one->name);
	for (size_t i = 0; i < kernel->n_routes && at == kernel->n_routes; i++)
		if (route_compare_key(&kernel->routes[i].route, &change->route) == 0)
			at = i;
	if (change->type == CHANGE_ROUTE_ADD && at < kernel->n_routes)
		fail_msg("%s: the route is there", change->name);
	if (change->type == CHANGE_ROUTE_REMOVE) {
		if (at == kernel->n_routes)
			fail_msg("%s: there is no such route", change->name);
		kernel->routes[at] = kernel->routes[--kernel->n_routes];
		return;
	}
	kernel->n_routes += at == kernel->n_routes;
	kernel->routes[at] = (struct kernel_route){.link_index = one ? one->index : 0, .route = change->route,
		.protocol = change->protocol};
}

// As rule_find() of the kernel: the first one in its list that has all that is said.
static inline struct kernel_rule *rule_found(struct kernel *kernel, const struct rule *said, uint8_t protocol)
{
	struct kernel_rule *found = NULL;
	for (size_t i = 0; i < kernel->n_rules; i++) {
		struct kernel_rule *one = &kernel->rules[i];
		bool fits = one->rule.family == said->family && one->protocol == protocol && one->rule.table == said->table &&
			    one->rule.priority == said->priority && (!said->mark || one->rule.mark == said->mark) &&
			    (!said->tos || one->rule.tos == said->tos) &&
			    (!said->from.prefix || address_compare(&one->rule.from, &said->from) == 0) &&
			    (!said->to.prefix || address_compare(&one->rule.to, &said->to) == 0);
		if (fits && (!found || one->position < found->position))
			found = one;
	}
	return found;
}

static inline void rule_changes(struct kernel *kernel, const struct change *change)
{
	static uint32_t n_ever = 100; // above those that a test puts there by hand
	if (change->type == CHANGE_RULE_REMOVE) {
		struct kernel_rule *found = rule_found(kernel, &change->rule, change->protocol);
		if (!found)
			fail_msg("there is no such rule");
		*found = kernel->rules[--kernel->n_rules];
		return;
	}
	struct kernel_rule *added = &kernel->rules[kernel->n_rules++];
	*added = (struct kernel_rule){.rule = change->rule, .position = n_ever++, .protocol = change->protocol};
	if (!added->rule.has_priority)
		added->rule.priority = 32766 - (uint32_t)kernel->n_rules;
	added->rule.has_priority = true;
}

static inline void is_done(struct kernel *kernel, const struct change *change)
{
	struct kernel_link *one = change->link_index ? kernel_link_by_index(kernel, change->link_index) : NULL;
	switch (change->type) {
	case CHANGE_LINK_RENAME:
		if (kernel_link_by_name(kernel, change->name))
			fail_msg("%s: File exists", change->name);
		assert_string_equal(one->name, change->old_name);
		memcpy(one->name, change->name, IFNAMSIZ);
		break;
	case CHANGE_LINK_REPLACE:
	case CHANGE_LINK_CREATE:
		is_made(kernel, change);
		break;
	case CHANGE_LINK_OPTIONS:
		options_are_set(kernel, change);
		break;
	case CHANGE_LINK_MASTER:
		one = link_named(kernel, change->name);
		if (change->master.needs_down)
			goes_down(kernel, one);
		if (change->master.name[0])
			joins(kernel, one, link_named(kernel, change->master.name));
		else
			leaves(kernel, one);
		break;
	case CHANGE_LINK_SET:
		is_set(kernel, change);
		break;
	case CHANGE_ADDRESS_REPREFIX:
	case CHANGE_ADDRESS_ADD:
	case CHANGE_ADDRESS_REMOVE:
		address_changes(kernel, change);
		break;
	case CHANGE_ROUTE_ADD:
	case CHANGE_ROUTE_REPLACE:
	case CHANGE_ROUTE_REMOVE:
		route_changes(kernel, change);
		break;
	case CHANGE_RULE_ADD:
	case CHANGE_RULE_REMOVE:
		rule_changes(kernel, change);
		break;
	case CHANGE_LINK_REMOVE:
		disappears(kernel, change->link_index);
		break;
	case CHANGE_WIREGUARD:
	case CHANGE_PEERS:
	case CHANGE_FILE_WRITE:
	case CHANGE_FILE_REMOVE:
	case CHANGE_NETWORKD:
		fail_msg("%s: no test here has it", change_word(change->type));
	}
}

// --- plans on it ---

static inline int make(const struct network *network, struct kernel *kernel, struct plan **ret, struct diag *reterr)
{
	struct plan_input input = {.network = network, .kernel = kernel, .now_sec = 1000000, .without_taking_over = is_way_back};
	kernel_sort(kernel);
	return plan_make(&input, ret, reterr);
}

// Do the plan of @yaml on @kernel; its sentences. The next plan is empty.
static inline void plan_is_done(struct kernel *kernel, const struct plan *plan)
{
	bool are_replaced_gone = false;
	for (size_t i = 0; i < plan->n; i++) {
		bool makes = plan->changes[i].type == CHANGE_LINK_REPLACE || plan->changes[i].type == CHANGE_LINK_CREATE;
		for (size_t j = 0; makes && !are_replaced_gone && j < plan->n; j++)
			if (plan->changes[j].type == CHANGE_LINK_REPLACE)
				disappears(kernel, plan->changes[j].link_index);
		are_replaced_gone |= makes;
		is_done(kernel, &plan->changes[i]);
	}
}

// The sentences of the plan, done; one that comes in two, with the second. Free it.
static inline char *done(struct kernel *kernel, const char *yaml)
{
	CLEANUP(network_freep) struct network *network = wants(yaml);
	CLEANUP(plan_freep) struct plan *plan = NULL, *rest_of_two = NULL, *left = NULL;
	struct diag diag = {0};
	if (make(network, kernel, &plan, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	plan_is_done(kernel, plan);
	char *text = plan_text(plan);
	if (plan->comes_in_two) {
		if (make(network, kernel, &rest_of_two, &diag) < 0)
			fail_msg("second half: %s", diag_text(&diag));
		plan_is_done(kernel, rest_of_two);
	}
	if (make(network, kernel, &left, &diag) < 0)
		fail_msg("second plan: %s", diag_text(&diag));
	AUTO_FREE char *rest = plan_text(left);
	if (!text || !rest || rest[0])
		fail_msg("the second plan is not empty:\n%safter:\n%s", rest, text);
	return text;
}

static inline void becomes(struct kernel *kernel, const char *yaml)
{
	free(done(kernel, yaml));
}

static inline void plan_is(struct kernel *kernel, const char *yaml, const char *sentences)
{
	AUTO_FREE char *text = done(kernel, yaml);
	assert_string_equal(text, sentences);
}

static inline void plan_fails(struct kernel *kernel, const char *yaml, int wanted, const char *words)
{
	CLEANUP(network_freep) struct network *network = wants(yaml);
	CLEANUP(plan_freep) struct plan *plan = NULL;
	struct diag diag = {0};
	assert_int_equal(make(network, kernel, &plan, &diag), wanted);
	if (!strstr(diag.message, words))
		fail_msg("%s", diag_text(&diag));
}
