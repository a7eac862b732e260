// Plans of links that stand on each other, done on a model of the kernel that refuses what the kernel refuses and drops
// what the kernel drops. After each the next plan is empty.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/test-wants.h"

#include "base/yaml.h"
#include "netconf/plan.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <time.h>

enum { ROOM = 256 };

static int last_index;                 // the kernel gives no number twice
static uint32_t mtu_before_bond[ROOM]; // of ports of bonds, by number

// --- the model ---

static struct kernel *kernel_new(void)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	assert_non_null(kernel);
	last_index = 1;
	kernel->links = calloc(ROOM, sizeof(*kernel->links));
	kernel->addresses = calloc(ROOM, sizeof(*kernel->addresses));
	kernel->routes = calloc(ROOM, sizeof(*kernel->routes));
	kernel->rules = calloc(ROOM, sizeof(*kernel->rules));
	return kernel;
}

static struct kernel_link *has_link(struct kernel *kernel, const char *name, const char *kind)
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

static struct kernel *ports(size_t n)
{
	struct kernel *kernel = kernel_new();
	for (size_t i = 0; i < n; i++) {
		char name[IFNAMSIZ];
		(void)snprintf(name, sizeof(name), "eth%zu", i);
		has_link(kernel, name, "")->flags = IFF_UP;
	}
	return kernel;
}

static void drop_routes(struct kernel *kernel, int index)
{
	size_t n = 0;
	for (size_t i = 0; i < kernel->n_routes; i++)
		if (kernel->routes[i].link_index != index)
			kernel->routes[n++] = kernel->routes[i];
	kernel->n_routes = n;
}

static void drop_addresses(struct kernel *kernel, int index, bool only_v6)
{
	size_t n = 0;
	for (size_t i = 0; i < kernel->n_addresses; i++)
		if (kernel->addresses[i].link_index != index ||
			(only_v6 && kernel->addresses[i].address.ip.family != AF_INET6))
			kernel->addresses[n++] = kernel->addresses[i];
	kernel->n_addresses = n;
}

static void goes_down(struct kernel *kernel, struct kernel_link *one)
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

static void goes_up(struct kernel *kernel, struct kernel_link *one)
{
	const struct kernel_link *parent = kernel_link_by_index(kernel, one->parent_index);
	if (parent && !(parent->flags & IFF_UP))
		fail_msg("%s: up, but %s is down: ENETDOWN", one->name, parent->name);
	one->flags |= IFF_UP;
	for (size_t i = 0; i < kernel->n_links; i++)
		if (kernel->links[i].parent_index == one->index)
			goes_up(kernel, &kernel->links[i]);
}

static void leaves(struct kernel *kernel, struct kernel_link *port)
{
	bool was_up = port->flags & IFF_UP;
	if (port->master_index == 0)
		return;
	if (!str_equal(port->port_kind, "bridge"))
		goes_down(kernel, port);
	if (str_equal(port->port_kind, "vrf") && was_up)
		goes_up(kernel, port);
	if (str_equal(port->port_kind, "bond")) {
		memcpy(port->mac, port->permanent_mac, 6);
		port->mtu = mtu_before_bond[port->index];
	}
	port->master_index = 0;
	port->port_kind[0] = '\0';
	port->port_options = (struct link_options){0};
}

static void joins(struct kernel *kernel, struct kernel_link *port, struct kernel_link *master)
{
	leaves(kernel, port);
	bool was_up = port->flags & IFF_UP;
	if (str_equal(master->kind, "bond")) {
		if (was_up)
			fail_msg("%s: Device can not be enslaved while up", port->name);
		port->flags |= IFF_UP;
		mtu_before_bond[port->index] = port->mtu;
		port->mtu = master->mtu;
		memcpy(port->mac, master->mac, 6);
	} else if (str_equal(master->kind, "vrf") && was_up) {
		goes_down(kernel, port);
		goes_up(kernel, port);
	}
	port->master_index = master->index;
	(void)snprintf(port->port_kind, sizeof(port->port_kind), "%s", master->kind);
}

static bool has_ports(const struct kernel *kernel, const struct kernel_link *master)
{
	for (size_t i = 0; i < kernel->n_links; i++)
		if (kernel->links[i].master_index == master->index)
			return true;
	return false;
}

static void disappears(struct kernel *kernel, int index)
{
	size_t n = 0;
	drop_routes(kernel, index);
	drop_addresses(kernel, index, false);
	for (size_t i = 0; i < kernel->n_links; i++)
		if (kernel->links[i].master_index == index)
			leaves(kernel, &kernel->links[i]);
	for (size_t i = 0; i < kernel->n_links; i++)
		if (kernel->links[i].index != index)
			kernel->links[n++] = kernel->links[i];
	kernel->n_links = n;
	for (size_t i = 0; i < kernel->n_links; i++)
		if (kernel->links[i].parent_index == index) {
			disappears(kernel, kernel->links[i].index);
			i = (size_t)-1; // they moved
		}
}

static struct kernel_link *link_named(const struct kernel *kernel, const char *name)
{
	struct kernel_link *one = kernel_link_by_name(kernel, name);
	if (!one)
		fail_msg("%s: no such link", name);
	return one;
}

static void is_made(struct kernel *kernel, const struct change *change)
{
	const struct declaration *declaration = change->declaration;
	if (kernel_link_by_name(kernel, change->name))
		fail_msg("%s: File exists", change->name);
	struct kernel_link *made = has_link(kernel, change->name, declaration_link_kind(declaration->kind));
	(void)snprintf(made->alias, sizeof(made->alias), HEARTH_ALIAS);
	made->options = declaration->options;
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

static void options_are_set(struct kernel *kernel, const struct change *change)
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
		if (table[i].only_without_ports && has_ports(kernel, one))
			fail_msg("%s: unable to set option %s because the bond has slaves", one->name, table[i].key);
		link_options_set(is_port ? &one->port_options : &one->options, i, change->options.values.value[i]);
	}
	if (change->options.has_primary)
		one->primary_index = link_named(kernel, change->options.primary)->index;
	if (change->options.needs_down && was_up)
		goes_up(kernel, one);
}

static void is_set(struct kernel *kernel, const struct change *change)
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
	one->mtu = change->set.mtu ? change->set.mtu : one->mtu;
	for (size_t i = 0; change->set.has_mac && i < kernel->n_links; i++)
		if (&kernel->links[i] == one || (kernel->links[i].master_index == one->index && str_equal(one->kind, "bond")))
			memcpy(kernel->links[i].mac, change->set.mac, 6);
	if (change->set.up)
		goes_up(kernel, one);
	if (change->set.down)
		goes_down(kernel, one);
}

// With its last IPv4 address a link loses its IPv4 routes.
static void v4_may_be_over(struct kernel *kernel, int index)
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

static void address_changes(struct kernel *kernel, const struct change *change)
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

static void route_changes(struct kernel *kernel, const struct change *change)
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
static struct kernel_rule *rule_found(struct kernel *kernel, const struct rule *said, uint8_t protocol)
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

static void rule_changes(struct kernel *kernel, const struct change *change)
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

static void is_done(struct kernel *kernel, const struct change *change)
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

static int make(const struct network *network, struct kernel *kernel, struct plan **ret, struct diag *reterr)
{
	struct plan_input input = {.network = network, .kernel = kernel, .now_sec = 1000000};
	kernel_sort(kernel);
	return plan_make(&input, ret, reterr);
}

// Do the plan of @yaml on @kernel; its sentences. The next plan is empty.
static char *done(struct kernel *kernel, const char *yaml)
{
	CLEANUP(network_freep) struct network *network = wants(yaml);
	CLEANUP(plan_freep) struct plan *plan = NULL, *second = NULL;
	struct diag diag = {0};
	bool are_replaced_gone = false;
	if (make(network, kernel, &plan, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	for (size_t i = 0; i < plan->n; i++) {
		bool makes = plan->changes[i].type == CHANGE_LINK_REPLACE || plan->changes[i].type == CHANGE_LINK_CREATE;
		for (size_t j = 0; makes && !are_replaced_gone && j < plan->n; j++)
			if (plan->changes[j].type == CHANGE_LINK_REPLACE)
				disappears(kernel, plan->changes[j].link_index);
		are_replaced_gone |= makes;
		is_done(kernel, &plan->changes[i]);
	}
	char *text = plan_text(plan);
	if (make(network, kernel, &second, &diag) < 0)
		fail_msg("second plan: %s", diag_text(&diag));
	AUTO_FREE char *rest = plan_text(second);
	if (!text || !rest || rest[0])
		fail_msg("the second plan is not empty:\n%safter:\n%s", rest, text);
	return text;
}

static void becomes(struct kernel *kernel, const char *yaml)
{
	free(done(kernel, yaml));
}

static void plan_is(struct kernel *kernel, const char *yaml, const char *sentences)
{
	AUTO_FREE char *text = done(kernel, yaml);
	assert_string_equal(text, sentences);
}

static void plan_fails(struct kernel *kernel, const char *yaml, int wanted, const char *words)
{
	CLEANUP(network_freep) struct network *network = wants(yaml);
	CLEANUP(plan_freep) struct plan *plan = NULL;
	struct diag diag = {0};
	assert_int_equal(make(network, kernel, &plan, &diag), wanted);
	if (!strstr(diag.message, words))
		fail_msg("%s", diag_text(&diag));
}

#define TWO_PORTS "version: 2\nethernets: {eth0: {}, eth1: {}}\n"
#define BOND(parameters) "bonds:\n  bond0: {interfaces: [eth0, eth1], parameters: {" parameters "}, addresses: [10.0.0.2/24]}\n"
#define RACK                                                                                       \
	TWO_PORTS "bonds:\n  bond0: {interfaces: [eth0, eth1], parameters: {mode: active-backup, primary: eth1}, mtu: 9000}\n" \
		  "vlans:\n  v100: {id: 100, link: bond0, mtu: 1400, addresses: [10.1.0.2/24, 'fd00::2/64'],\n"            \
		  "         routes: [{to: default, via: 10.1.0.1, table: 100}, {to: 'fd01::/64', via: 'fd00::1', table: 100}]}\n" \
		  "vrfs:\n  blue: {table: 100, interfaces: [v100]}\n"

static void a_rack_is_made_in_the_order_in_which_it_stands(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	plan_is(kernel, RACK,
		"bond0: make a bond link\nblue: make a VRF link, table 100\nv100: make a VLAN link, id 100 on bond0\n"
		"bond0: set primary eth1\neth0: becomes a port of bond0 (stops traffic)\n"
		"eth1: becomes a port of bond0 (stops traffic)\nv100: becomes a port of blue\n"
		"bond0: set mtu 9000 up\nblue: set up\nv100: set mtu 1400 up\n"
		"v100: add address 10.1.0.2/24\nv100: add address fd00::2/64\n"
		"v100: add route 0.0.0.0/0 via 10.1.0.1 table 100\nv100: add route fd01::/64 via fd00::1 metric 1024 table 100\n");
}

static void a_rack_goes_from_the_top(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, RACK);
	becomes(kernel, TWO_PORTS);
	assert_int_equal(kernel->n_links, 2);
	assert_true(kernel->links[0].flags & kernel->links[1].flags & IFF_UP);
	assert_int_equal(kernel->n_addresses + kernel->n_routes, 0);
}

static void a_port_that_is_not_there_yet_is_waited_for(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, RACK);
	assert_int_equal(link_named(kernel, "eth0")->master_index, link_named(kernel, "bond0")->index);
	has_link(kernel, "eth1", "");
	plan_is(kernel, RACK, "bond0: set primary eth1\neth1: becomes a port of bond0\n");
}

static void a_vlan_that_a_bridge_without_ports_gave_no_mac_is_made_anew(void **state)
{
	static const char yaml[] = "version: 2\nethernets: {eth0: {}}\nbridges: {br0: {interfaces: [eth0]}}\n"
				   "vlans: {v7: {id: 7, link: br0}}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, yaml);
	struct kernel_link *vlan = link_named(kernel, "v7"), *bridge = link_named(kernel, "br0");
	memset(vlan->mac, 0, sizeof(vlan->mac));
	plan_is(kernel, yaml, ""); // it is up: it will get one with its bridge
	memset(bridge->mac, 0, sizeof(bridge->mac));
	vlan->flags &= ~(unsigned)IFF_UP;
	plan_is(kernel, yaml, "v7: set up\n"); // made anew it would have none either
	bridge->mac[5] = 1;
	vlan->flags &= ~(unsigned)IFF_UP;
	plan_is(kernel, yaml, "v7: remove, and make anew as a VLAN link, id 7 on br0 (stops traffic)\nv7: set up\n");
}

static void a_vlan_waits_for_what_it_stands_on(void **state)
{
	static const char yaml[] = "version: 2\nethernets: {eth9: {}}\nvlans:\n  v1: {id: 1, link: eth9}\n"
				   "  v2: {id: 2, link: v1, addresses: [10.0.0.1/24]}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	plan_is(kernel, yaml, "");
	has_link(kernel, "eth9", "");
	plan_is(kernel, yaml,
		"v1: make a VLAN link, id 1 on eth9\nv2: make a VLAN link, id 2 on v1\neth9: set up\nv1: set up\nv2: set up\n"
		"v2: add address 10.0.0.1/24\n");
}

// Whatever the ports are called: the first one that joins gives the bond its MAC.
static void ports_join_a_bond_as_it_lists_them(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(3);
	plan_is(kernel, "version: 2\nethernets: {eth0: {}, eth1: {}, z: {match: {name: eth2}}}\n"
			"bonds: {bond0: {interfaces: [z, eth1, eth0], parameters: {mode: balance-rr}}}\n",
		"bond0: make a bond link\neth2: becomes a port of bond0 (stops traffic)\neth1: becomes a port of bond0 (stops traffic)\n"
		"eth0: becomes a port of bond0 (stops traffic)\nbond0: set up\n");
}

static void a_port_that_leaves_a_bond_is_brought_up_again(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, TWO_PORTS BOND("mode: active-backup"));
	plan_is(kernel, TWO_PORTS "bonds:\n  bond0: {interfaces: [eth0], parameters: {mode: active-backup}, "
				  "addresses: [10.0.0.2/24]}\n",
		"eth1: is a port no longer (stops traffic)\neth1: set up\n");
}

static void a_port_that_nobody_declares_any_more_leaves(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, TWO_PORTS BOND("mode: active-backup"));
	plan_is(kernel, "version: 2\nethernets: {eth0: {}}\nbonds:\n  bond0: {interfaces: [eth0], "
			"parameters: {mode: active-backup}, addresses: [10.0.0.2/24]}\n",
		"eth1: is a port no longer (stops traffic)\n");
}

static void a_mode_changes_without_ports_and_they_come_back(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, TWO_PORTS BOND("mode: active-backup"));
	plan_is(kernel, TWO_PORTS BOND("mode: balance-xor"),
		"eth0: is a port no longer (stops traffic)\neth1: is a port no longer (stops traffic)\n"
		"bond0: set mode balance-xor, down meanwhile (stops traffic)\n"
		"eth0: becomes a port of bond0 (stops traffic)\neth1: becomes a port of bond0 (stops traffic)\n");
}

static void an_option_that_a_bond_takes_while_up_touches_nothing_else(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, TWO_PORTS BOND("mode: active-backup, mii-monitor-interval: 100"));
	plan_is(kernel, TWO_PORTS BOND("mode: active-backup, mii-monitor-interval: 200"),
		"bond0: set mii-monitor-interval 200\n");
}

static void what_a_bond_loses_while_it_is_down_comes_back(void **state)
{
	static const char before[] = RACK, slow[] = TWO_PORTS
		"bonds:\n  bond0: {interfaces: [eth0, eth1], parameters: {mode: 802.3ad, lacp-rate: slow}}\n"
		"vlans:\n  v1: {id: 1, link: bond0, addresses: [10.1.0.2/24, 'fd00::2/64'], routes: [{to: default, via: 10.1.0.1}]}\n",
		fast[] = TWO_PORTS
		"bonds:\n  bond0: {interfaces: [eth0, eth1], parameters: {mode: 802.3ad, lacp-rate: fast}}\n"
		"vlans:\n  v1: {id: 1, link: bond0, addresses: [10.1.0.2/24, 'fd00::2/64'], routes: [{to: default, via: 10.1.0.1}]}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, slow);
	plan_is(kernel, fast,
		"bond0: set lacp-rate fast, down meanwhile (stops traffic)\nv1: add address fd00::2/64\n"
		"v1: replace route 0.0.0.0/0 via 10.1.0.1\n");
	becomes(kernel, before);
}

static void a_vlan_of_another_id_is_made_anew_with_all_above_it(void **state)
{
	static const char vlans[] = "version: 2\nethernets: {eth0: {}}\nvlans:\n  v1: {id: %d, link: eth0, addresses: [10.1.0.2/24]}\n"
				    "  v2: {id: 2, link: v1, addresses: [10.2.0.2/24], routes: [{to: default, via: 10.2.0.1}]}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	AUTO_FREE char *first = str_format(vlans, 1), *second = str_format(vlans, 3);
	becomes(kernel, first);
	plan_is(kernel, second,
		"v1: remove, and make anew as a VLAN link, id 3 on eth0 (stops traffic)\n"
		"v2: remove, and make anew as a VLAN link, id 2 on v1 (stops traffic)\nv1: set up\nv2: set up\n"
		"v1: add address 10.1.0.2/24\nv2: add address 10.2.0.2/24\nv2: replace route 0.0.0.0/0 via 10.2.0.1\n");
}

#define VLANS                                                                                      \
	"version: 2\nethernets: {eth0: {}}\nvlans:\n"                                              \
	"  %s: {id: 1, link: eth0, addresses: [10.1.0.2/24], routes: [{to: default, via: 10.1.0.1}]}\n" \
	"  %s: {id: 2, link: %s, addresses: ['fd00::2/64']}\n"

static void vlans_that_are_declared_by_other_names_get_them_and_nothing_else_changes(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	AUTO_FREE char *first = str_format(VLANS, "v1", "v2", "v1"), *second = str_format(VLANS, "lan", "top", "lan");
	becomes(kernel, first);
	plan_is(kernel, second, "v1: rename to lan\nv2: rename to top\n");
}

static void vlans_whose_names_are_those_of_others_are_made_anew(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	AUTO_FREE char *first = str_format(VLANS, "v1", "v2", "v1"), *second = str_format(VLANS, "lan", "v1", "lan");
	becomes(kernel, first);
	becomes(kernel, second);
	becomes(kernel, "version: 2\nethernets: {eth0: {}}\nvlans: {a: {id: 1, link: eth0}, b: {id: 2, link: eth0}}\n");
	plan_is(kernel, "version: 2\nethernets: {eth0: {}}\nvlans: {a: {id: 2, link: eth0}}\n",
		"b: remove the link (stops traffic)\n"
		"a: remove, and make anew as a VLAN link, id 2 on eth0 (stops traffic)\na: set up\n");
}

static void a_vlan_moves_to_a_bond_that_is_made_with_it(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, "version: 2\nethernets: {eth0: {}}\nvlans: {v1: {id: 1, link: eth0, addresses: [10.1.0.2/24]}}\n");
	plan_is(kernel, "version: 2\nethernets: {eth0: {}}\nbonds: {bond0: {interfaces: [eth0]}}\n"
			"vlans: {v1: {id: 1, link: bond0, addresses: [10.1.0.2/24]}}\n",
		"bond0: make a bond link\nv1: remove, and make anew as a VLAN link, id 1 on bond0 (stops traffic)\n"
		"eth0: becomes a port of bond0 (stops traffic)\nbond0: set up\nv1: set up\nv1: add address 10.1.0.2/24\n");
}

static void a_name_that_one_of_ours_leaves_is_free(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, "version: 2\nethernets: {eth0: {}}\nbridges: {lan0: {interfaces: [eth0], addresses: [10.0.0.2/24]}}\n");
	plan_is(kernel, "version: 2\nethernets: {lan: {match: {macaddress: '52:54:00:00:00:02'}, set-name: lan0, addresses: [10.0.0.2/24]}}\n",
		"lan0: remove the link (stops traffic)\neth0: rename to lan0\nlan0: is a port no longer (stops traffic)\n"
		"lan0: add address 10.0.0.2/24\n");
}

static void a_vlan_of_others_with_another_id_is_not_touched(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	struct kernel_link *vlan = has_link(kernel, "v1", "vlan");
	vlan->vlan_id = 7;
	vlan->parent_index = 2;
	plan_fails(kernel, "version: 2\nethernets: {eth0: {}}\nvlans:\n  v1: {id: 1, link: eth0}\n", -EEXIST,
		"v1: a vlan link of that name with another id or link below it is there, and it is not Hearth's");
}

static void a_vrf_with_another_table_takes_its_ports_along(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, "version: 2\nethernets: {eth0: {addresses: ['fd00::2/64', 10.0.0.2/24]}}\n"
			"vrfs: {blue: {table: 100, interfaces: [eth0]}}\n");
	plan_is(kernel, "version: 2\nethernets: {eth0: {addresses: ['fd00::2/64', 10.0.0.2/24]}}\n"
			"vrfs: {blue: {table: 200, interfaces: [eth0]}}\n",
		"blue: remove, and make anew as a VRF link, table 200 (stops traffic)\n"
		"eth0: becomes a port of blue (stops traffic)\nblue: set up\neth0: add address fd00::2/64\n");
}

static void mtus_grow_from_below_and_shrink_from_above(void **state)
{
	static const char yaml[] = "version: 2\nethernets: {eth0: {mtu: %d}}\nvlans:\n  v1: {id: 1, link: eth0, mtu: %d}\n"
				   "  v2: {id: 2, link: v1, mtu: %d}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	AUTO_FREE char *small = str_format(yaml, 1500, 1500, 1400), *big = str_format(yaml, 9000, 9000, 8000);
	becomes(kernel, small);
	plan_is(kernel, big, "eth0: set mtu 9000\nv1: set mtu 9000\nv2: set mtu 8000\n");
	plan_is(kernel, small, "v2: set mtu 1400\nv1: set mtu 1500\neth0: set mtu 1500\n");
}

static void a_new_vlan_has_the_mtu_that_its_parent_gets(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, "version: 2\nethernets: {eth0: {mtu: 9000}}\nvlans: {v1: {id: 1, link: eth0}}\n");
	assert_int_equal(link_named(kernel, "v1")->mtu, 9000);
}

static void what_a_port_has_of_its_bond_goes_when_it_leaves(void **state)
{
	static const char port[] = "version: 2\nethernets: {eth0: {mtu: 9000, macaddress: '02:00:00:00:00:99'}}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	AUTO_FREE char *bond = str_format("%sbonds: {bond0: {interfaces: [eth0], mtu: 9000, macaddress: '02:00:00:00:00:99'}}\n",
		port);
	becomes(kernel, bond);
	becomes(kernel, port); // the MTU and the MAC of the bond were those that it shall have
	assert_int_equal(link_named(kernel, "eth0")->mtu, 9000);
	becomes(kernel, bond);
	AUTO_FREE char *bridge = str_format("%sbridges: {br0: {interfaces: [eth0]}}\n", port);
	becomes(kernel, bridge);
	assert_int_equal(link_named(kernel, "eth0")->mtu, 9000);
}

static void what_we_made_of_another_kind_is_made_anew(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, TWO_PORTS "bonds: {lan: {interfaces: [eth0, eth1], addresses: [10.0.0.2/24]}}\n");
	plan_is(kernel, TWO_PORTS "bridges: {lan: {interfaces: [eth0], addresses: [10.0.0.2/24]}}\n",
		"lan: remove, and make anew as a bridge link (stops traffic)\neth1: is a port no longer (stops traffic)\n"
		"eth0: becomes a port of lan (stops traffic)\neth1: set up\nlan: set up\neth0: set up\n"
		"lan: add address 10.0.0.2/24\n");
	plan_is(kernel, TWO_PORTS "vlans: {lan: {id: 7, link: eth0}}\n",
		"lan: remove, and make anew as a VLAN link, id 7 on eth0 (stops traffic)\n"
		"eth0: is a port no longer (stops traffic)\nlan: set up\n");
	plan_is(kernel, "version: 2\nethernets: {eth9: {}}\ndummy-devices: {lan: {}}\n",
		"lan: remove, and make anew as a dummy link (stops traffic)\nlan: set up\n");
	plan_is(kernel, "version: 2\nethernets: {eth9: {}}\nvlans: {lan: {id: 7, link: eth9}}\n", "lan: remove the link (stops traffic)\n");
}

static void stp_is_off_before_there_is_no_forward_delay(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_new();
	static const char slow[] = "version: 2\nbridges: {br0: {parameters: {stp: true, forward-delay: 12, priority: 4096}}}\n";
	becomes(kernel, slow);
	plan_is(kernel, "version: 2\nbridges: {br0: {parameters: {stp: false, forward-delay: 0, priority: 0}}}\n",
		"br0: set stp false\nbr0: set priority 0 forward-delay 0\n");
	plan_is(kernel, slow, "br0: set stp true priority 4096 forward-delay 12\n");
}

static void foreign_ports_of_our_bridge_stay_in_it(void **state)
{
	static const char yaml[] = TWO_PORTS "bridges: {br0: {interfaces: [eth0], parameters: {path-cost: {eth0: 50}}}}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, yaml);
	joins(kernel, has_link(kernel, "vnet0", "tun"), link_named(kernel, "br0"));
	plan_is(kernel, yaml, "");
	assert_int_equal(link_named(kernel, "vnet0")->master_index, link_named(kernel, "br0")->index);
}

static void a_declared_port_stays_in_the_bridge_of_others(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	struct kernel_link *bridge = has_link(kernel, "docker0", "bridge");
	joins(kernel, &kernel->links[0], bridge);
	plan_is(kernel, "version: 2\nethernets: {eth0: {}}\n", "");
}

static void a_bridges_port_is_set_once_it_is_one(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	plan_is(kernel, "version: 2\nethernets: {eth0: {}}\nbridges:\n"
			"  br0: {interfaces: [eth0], parameters: {stp: false, path-cost: {eth0: 50}}}\n",
		"br0: make a bridge link\neth0: becomes a port of br0 (stops traffic)\neth0: set path-cost 50\nbr0: set up\n");
}

static void a_bond_in_a_bridge_has_its_ports_first(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	plan_is(kernel, "version: 2\nethernets: {eth0: {}}\nbonds: {bond0: {interfaces: [eth0]}}\n"
			"bridges: {br0: {interfaces: [bond0]}}\n",
		"br0: make a bridge link\nbond0: make a bond link\neth0: becomes a port of bond0 (stops traffic)\n"
		"bond0: becomes a port of br0\nbr0: set up\nbond0: set up\n");
}

static void names_that_went_round_go_back(void **state)
{
	static const char yaml[] =
		"version: 2\nethernets:\n  a: {match: {macaddress: '52:54:00:00:00:02'}, set-name: eth1, addresses: [10.0.0.1/24]}\n"
		"  b: {match: {macaddress: '52:54:00:00:00:03'}, set-name: eth0}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	plan_is(kernel, yaml,
		"eth0: rename to hearth-0\neth1: rename to eth0\nhearth-0: rename to eth1\neth1: add address 10.0.0.1/24\n");
}

static void a_port_is_known_by_the_mac_that_it_was_given(void **state)
{
	static const char yaml[] = "version: 2\nethernets:\n  a: {match: {macaddress: '52:54:00:00:00:02'}, "
				   "macaddress: '02:00:00:00:00:99', set-name: lan0}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	kernel->links[0].has_permanent_mac = false;
	plan_is(kernel, yaml, "eth0: rename to lan0\nlan0: set macaddress 02:00:00:00:00:99 (stops traffic)\n");
}

static void what_is_switched_off_goes_down_and_loses_its_routes(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, "version: 2\nethernets: {eth0: {addresses: [10.0.0.2/24, 'fd00::2/64'], routes: [{to: default, via: 10.0.0.1}]}}\n");
	plan_is(kernel, "version: 2\nethernets: {eth0: {activation-mode: 'off', addresses: [10.0.0.2/24, 'fd00::2/64'], "
			"routes: [{to: default, via: 10.0.0.1}]}}\n",
		"eth0: set down (stops traffic)\neth0: add address fd00::2/64\n");
}

static void rules_come_and_go_and_those_of_others_stay(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	struct kernel_rule *other = &kernel->rules[kernel->n_rules++];
	*other = (struct kernel_rule){.rule = {.family = AF_INET, .table = 7, .priority = 50, .has_priority = true}};
	plan_is(kernel, "version: 2\nethernets:\n  eth0:\n    routing-policy: [{from: 10.1.0.0/16, table: 100}, "
			"{from: 10.2.0.0/16, table: 100, priority: 40}]\n",
		"add rule from 10.1.0.0/16 table 100\nadd rule from 10.2.0.0/16 table 100 priority 40\n");
	plan_is(kernel, "version: 2\nethernets:\n  eth0:\n    routing-policy: [{from: 10.1.0.0/16, table: 100}, "
			"{from: 10.2.0.0/16, table: 100, priority: 30}]\n",
		"add rule from 10.2.0.0/16 table 100 priority 30\n"
		"remove rule from 10.2.0.0/16 table 100 priority 40 (stops traffic)\n");
	becomes(kernel, "version: 2\nethernets: {eth0: {}}\n");
	assert_int_equal(kernel->n_rules, 1);
}

#define POLICY(rules) "version: 2\nethernets: {eth0: {routing-policy: [" rules "]}}\n"
#define FROM_SOME "{from: 10.1.0.0/16, table: 100, priority: 40}"
#define FROM_ALL "{from: 0.0.0.0/0, table: 100, priority: 40}"

// The kernel is told what a rule has, and takes the first one that has it.
static void the_rule_that_is_meant_goes_and_no_other(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, POLICY(FROM_SOME));
	becomes(kernel, POLICY(FROM_SOME ", " FROM_ALL ", {to: 10.9.0.0/16, table: 100, priority: 40}"));
	plan_is(kernel, POLICY(FROM_SOME), "add rule from 10.1.0.0/16 table 100 priority 40 once more\n"
					   "remove rule from 10.1.0.0/16 table 100 priority 40 once\n"
					   "remove rule from all table 100 priority 40 (stops traffic)\n"
					   "remove rule from all to 10.9.0.0/16 table 100 priority 40 (stops traffic)\n");
	assert_int_equal(kernel->n_rules, 1);
	becomes(kernel, POLICY(FROM_ALL ", " FROM_SOME));
	plan_is(kernel, POLICY(""), "remove rule from all table 100 priority 40 (stops traffic)\n"
				    "remove rule from 10.1.0.0/16 table 100 priority 40 (stops traffic)\n");
	assert_int_equal(kernel->n_rules, 0);
}

// Of one priority the first that fits is used: they stand as the document says them.
static void rules_of_one_priority_stand_as_they_are_said(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, POLICY(FROM_SOME ", {from: 10.0.0.0/8, table: 7, priority: 40}"));
	plan_is(kernel, POLICY("{from: 10.1.0.0/16, table: 9, priority: 40}, {from: 10.0.0.0/8, table: 7, priority: 40}"),
		"add rule from 10.1.0.0/16 table 9 priority 40\n"
		"add rule from 10.0.0.0/8 table 7 priority 40 once more\n"
		"remove rule from 10.1.0.0/16 table 100 priority 40 (stops traffic)\n"
		"remove rule from 10.0.0.0/8 table 7 priority 40 once\n");
	plan_is(kernel, POLICY("{from: 10.0.0.0/8, table: 7, priority: 40}, {from: 10.1.0.0/16, table: 9, priority: 40}"),
		"add rule from 10.1.0.0/16 table 9 priority 40 once more\n"
		"remove rule from 10.1.0.0/16 table 9 priority 40 once\n");
	plan_is(kernel, POLICY("{from: 10.0.0.0/8, table: 7, priority: 40}, {from: 10.1.0.0/16, table: 9, priority: 40}, "
			       "{from: 10.1.0.0/16, table: 9, priority: 30}"),
		"add rule from 10.1.0.0/16 table 9 priority 30\n");
}

// A third one of that priority, behind the one that gets a twin, keeps its place, too.
static void a_twin_changes_no_order(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, POLICY(FROM_SOME ", {from: 10.0.0.0/8, table: 7, priority: 40}, " FROM_ALL));
	plan_is(kernel, POLICY(FROM_SOME ", {from: 10.0.0.0/8, table: 7, priority: 40}"),
		"add rule from 10.1.0.0/16 table 100 priority 40 once more\n"
		"add rule from 10.0.0.0/8 table 7 priority 40 once more\n"
		"remove rule from 10.1.0.0/16 table 100 priority 40 once\n"
		"remove rule from 10.0.0.0/8 table 7 priority 40 once\n"
		"remove rule from all table 100 priority 40 (stops traffic)\n");
	assert_int_equal(kernel->n_rules, 2);
}

// One of another shape would go in its place: it stays where it is, and the plan comes to its end.
static void a_rule_that_cannot_move_stays(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	struct kernel_rule *strange = &kernel->rules[kernel->n_rules++];
	*strange = (struct kernel_rule){.rule = {.family = AF_INET, .table = 100, .priority = 40, .has_priority = true},
		.protocol = HEARTH_PROTOCOL, .has_other_shape = true};
	becomes(kernel, POLICY(FROM_ALL));
	plan_is(kernel, POLICY(FROM_SOME ", " FROM_ALL), "add rule from 10.1.0.0/16 table 100 priority 40\n");
}

// The twin of a change that was left half done is the one that stays: each further try would leave one more.
static void a_twin_that_is_there_is_enough(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	becomes(kernel, POLICY(FROM_SOME));
	becomes(kernel, POLICY(FROM_SOME ", " FROM_ALL));
	struct kernel_rule twin = kernel->rules[kernel->rules[0].rule.from.ip.family ? 0 : 1]; // the other one is from all
	twin.position = UINT32_MAX;
	kernel->rules[kernel->n_rules++] = twin;
	plan_is(kernel, POLICY(FROM_SOME), "remove rule from 10.1.0.0/16 table 100 priority 40 (stops traffic)\n"
					   "remove rule from all table 100 priority 40 (stops traffic)\n");
	assert_int_equal(kernel->n_rules, 1);
}

// It has a link or a user that a document cannot say: nothing would tell it from the one that goes.
static void a_rule_that_cannot_be_told_from_a_strange_one_stays(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(1);
	struct kernel_rule *strange = &kernel->rules[kernel->n_rules++];
	*strange = (struct kernel_rule){.rule = {.family = AF_INET, .table = 100, .priority = 40, .has_priority = true},
		.protocol = HEARTH_PROTOCOL, .has_other_shape = true};
	becomes(kernel, POLICY(FROM_ALL ", " FROM_SOME));
	plan_is(kernel, POLICY(""), "remove rule from 10.1.0.0/16 table 100 priority 40 (stops traffic)\n");
	assert_int_equal(kernel->n_rules, 2);
}

// 16 links with 4,096 rules each: what a document may have must not keep the agent from its work.
static char *document_of_many_rules(unsigned n_links, unsigned n_each)
{
	char *text = NULL;
	size_t n_text = 0;
	FILE *out = open_memstream(&text, &n_text);
	assert_non_null(out);
	fprintf(out, "version: 2\nethernets:\n");
	for (unsigned i = 0; i < n_links; i++) {
		fprintf(out, "  eth%u:\n    routing-policy:\n", i);
		for (unsigned j = 0; j < n_each; j++)
			fprintf(out, "    - {from: 10.%u.%u.%u, table: 100%s}\n", i, j >> 8, j & 255,
				j % 2 ? ", priority: 40" : "");
	}
	assert_int_equal(fclose(out), 0);
	return text;
}

static void many_rules_are_found_quickly(void **state)
{
	enum { LINKS = 16, EACH = 4096, ALL = LINKS * EACH, MOST_SEC = 5 };
	CLEANUP(kernel_freep) struct kernel *kernel = ports(LINKS);
	CLEANUP(plan_freep) struct plan *first = NULL, *second = NULL;
	AUTO_FREE char *text = document_of_many_rules(LINKS, EACH);
	CLEANUP(network_freep) struct network *network = wants(text);
	struct diag diag = {0};
	clock_t begin = clock();
	assert_int_equal(make(network, kernel, &first, &diag), 0);
	assert_int_equal(first->n, ALL);
	free(kernel->rules);
	kernel->rules = calloc(ALL, sizeof(*kernel->rules));
	assert_non_null(kernel->rules);
	for (size_t i = 0; i < first->n; i++) {
		struct kernel_rule *one = &kernel->rules[kernel->n_rules++];
		*one = (struct kernel_rule){.rule = first->changes[i].rule, .protocol = HEARTH_PROTOCOL};
		if (!one->rule.has_priority)
			one->rule.priority = 32766;
		one->rule.has_priority = true;
	}
	assert_int_equal(make(network, kernel, &second, &diag), 0);
	assert_int_equal(second->n, 0);
	assert_true(clock() - begin < (clock_t)MOST_SEC * CLOCKS_PER_SEC);
}

static void a_static_address_moves_from_a_port_to_the_bond_it_joins(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, "version: 2\nethernets: {eth0: {addresses: [10.0.0.2/24], routes: [{to: default, via: 10.0.0.1}]}}\n");
	plan_is(kernel, "version: 2\nethernets: {eth0: {}}\nbonds:\n  bond0: {interfaces: [eth0], addresses: [10.0.0.2/24], "
			"routes: [{to: default, via: 10.0.0.1}]}\n",
		"bond0: make a bond link\neth0: becomes a port of bond0 (stops traffic)\nbond0: set up\n"
		"bond0: add address 10.0.0.2/24\nbond0: replace route 0.0.0.0/0 via 10.0.0.1\n"
		"eth0: remove address 10.0.0.2/24 (stops traffic)\n");
}

// The kernel asks on the new link whether somebody has it, and the old one would answer.
#define UNNUMBERED(addresses, routes) \
	"version: 2\ndummy-devices: {d0: {" addresses "routes: [{to: 10.9.0.0/24, scope: link}, {to: 'fd09::/64'}" routes "]}}\n" \
	"vrfs: {blue: {table: 9, interfaces: [%s]}}\n"

static void routes_come_after_the_last_ipv4_address_is_gone(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_new();
	AUTO_FREE char *numbered = str_format(UNNUMBERED("addresses: [10.1.0.2/24, 10.2.0.2/24, 'fd01::1/64'], ", ""), "");
	AUTO_FREE char *unnumbered = str_format(UNNUMBERED("addresses: ['fd01::1/64'], ", ", {to: 10.8.0.0/24, scope: link}"), "");
	AUTO_FREE char *in_vrf = str_format(UNNUMBERED("", ""), "d0");
	becomes(kernel, numbered);
	plan_is(kernel, unnumbered, "d0: remove address 10.2.0.2/24 (stops traffic)\n"
		"d0: remove address 10.1.0.2/24 (stops traffic)\nd0: add route 10.8.0.0/24\nd0: replace route 10.9.0.0/24\n");
	plan_is(kernel, unnumbered, "");
	becomes(kernel, numbered);
	becomes(kernel, in_vrf); // which takes the link down for a moment, and all routes with it
	plan_is(kernel, in_vrf, "");
}

static void an_ipv6_address_goes_before_it_comes_on_another_link(void **state)
{
	CLEANUP(kernel_freep) struct kernel *kernel = ports(2);
	becomes(kernel, "version: 2\nethernets: {eth0: {addresses: ['fd00::2/64', 'fd00::3/64', 10.0.0.2/24]}, eth1: {}}\n");
	plan_is(kernel, "version: 2\nethernets: {eth0: {}, eth1: {addresses: ['fd00::2/64', 10.0.0.2/24]}}\n",
		"eth0: take off address fd00::2/64, it moves to another link (stops traffic)\n"
		"eth1: add address fd00::2/64\neth1: add address 10.0.0.2/24\n"
		"eth0: remove address fd00::3/64 (stops traffic)\neth0: remove address 10.0.0.2/24 (stops traffic)\n");
	becomes(kernel, "version: 2\nethernets: {eth0: {}, eth1: {}}\nbridges: {br0: {addresses: ['fd00::2/64']}}\n");
	plan_is(kernel, "version: 2\nethernets: {eth0: {}, eth1: {addresses: ['fd00::2/64']}}\n",
		"br0: take off address fd00::2/64, it moves to another link (stops traffic)\n"
		"eth1: add address fd00::2/64\nbr0: remove the link (stops traffic)\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rack_is_made_in_the_order_in_which_it_stands),
		cmocka_unit_test(a_rack_goes_from_the_top),
		cmocka_unit_test(a_port_that_is_not_there_yet_is_waited_for),
		cmocka_unit_test(a_vlan_that_a_bridge_without_ports_gave_no_mac_is_made_anew),
		cmocka_unit_test(a_vlan_waits_for_what_it_stands_on),
		cmocka_unit_test(ports_join_a_bond_as_it_lists_them),
		cmocka_unit_test(a_port_that_leaves_a_bond_is_brought_up_again),
		cmocka_unit_test(a_port_that_nobody_declares_any_more_leaves),
		cmocka_unit_test(a_mode_changes_without_ports_and_they_come_back),
		cmocka_unit_test(an_option_that_a_bond_takes_while_up_touches_nothing_else),
		cmocka_unit_test(what_a_bond_loses_while_it_is_down_comes_back),
		cmocka_unit_test(a_vlan_of_another_id_is_made_anew_with_all_above_it),
		cmocka_unit_test(vlans_that_are_declared_by_other_names_get_them_and_nothing_else_changes),
		cmocka_unit_test(vlans_whose_names_are_those_of_others_are_made_anew),
		cmocka_unit_test(a_vlan_moves_to_a_bond_that_is_made_with_it),
		cmocka_unit_test(a_name_that_one_of_ours_leaves_is_free),
		cmocka_unit_test(a_vlan_of_others_with_another_id_is_not_touched),
		cmocka_unit_test(a_vrf_with_another_table_takes_its_ports_along),
		cmocka_unit_test(mtus_grow_from_below_and_shrink_from_above),
		cmocka_unit_test(a_new_vlan_has_the_mtu_that_its_parent_gets),
		cmocka_unit_test(what_a_port_has_of_its_bond_goes_when_it_leaves),
		cmocka_unit_test(what_we_made_of_another_kind_is_made_anew),
		cmocka_unit_test(stp_is_off_before_there_is_no_forward_delay),
		cmocka_unit_test(foreign_ports_of_our_bridge_stay_in_it),
		cmocka_unit_test(a_declared_port_stays_in_the_bridge_of_others),
		cmocka_unit_test(a_bridges_port_is_set_once_it_is_one),
		cmocka_unit_test(a_bond_in_a_bridge_has_its_ports_first),
		cmocka_unit_test(names_that_went_round_go_back),
		cmocka_unit_test(a_port_is_known_by_the_mac_that_it_was_given),
		cmocka_unit_test(what_is_switched_off_goes_down_and_loses_its_routes),
		cmocka_unit_test(rules_come_and_go_and_those_of_others_stay),
		cmocka_unit_test(the_rule_that_is_meant_goes_and_no_other),
		cmocka_unit_test(rules_of_one_priority_stand_as_they_are_said),
		cmocka_unit_test(a_twin_changes_no_order),
		cmocka_unit_test(a_rule_that_cannot_move_stays),
		cmocka_unit_test(a_twin_that_is_there_is_enough),
		cmocka_unit_test(a_rule_that_cannot_be_told_from_a_strange_one_stays),
		cmocka_unit_test(many_rules_are_found_quickly),
		cmocka_unit_test(a_static_address_moves_from_a_port_to_the_bond_it_joins),
		cmocka_unit_test(routes_come_after_the_last_ipv4_address_is_gone),
		cmocka_unit_test(an_ipv6_address_goes_before_it_comes_on_another_link),
	};
	return cmocka_run_group_tests_name("plan-stack", tests, NULL, NULL);
}
