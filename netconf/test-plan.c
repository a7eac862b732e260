// Plans as sentences: what a desired network and a kernel give.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/test-by-hand.h"
#include "netconf/test-wants.h"

#include "base/yaml.h"
#include "netconf/plan.h"

#include <errno.h>

static char waits_for[256]; // what the last plan leaves out
static bool waits_in_vain;
static char notes[1024];

static int try_plan(const char *yaml, struct kernel *kernel, const struct config_files *files, char **ret_text,
	struct diag *reterr)
{
	CLEANUP(network_freep) struct network *network = wants(yaml);
	CLEANUP(plan_freep) struct plan *plan = NULL;
	kernel_sort(kernel);
	for (size_t i = 0; i < network->n; i++)
		if (network->declarations[i].kind == DECLARATION_WIREGUARD)
			memset(network->declarations[i].private_key, 7, PEER_KEY_BYTES);
	struct plan_input input = {.network = network, .kernel = kernel, .has_files = files != NULL, .files = files,
		.now_sec = 1000000};
	int error = plan_make(&input, &plan, reterr);
	if (error < 0)
		return error;
	*ret_text = plan_text(plan);
	(void)snprintf(waits_for, sizeof(waits_for), "%s", plan_waits_for(plan) ? plan_waits_for(plan) : "");
	waits_in_vain = plan_waits_in_vain(plan);
	notes[0] = '\0';
	for (size_t i = 0, n = 0; i < plan->n_notes && n < sizeof(notes); i++)
		n += (size_t)snprintf(notes + n, sizeof(notes) - n, "%s\n", plan->notes[i]);
	return 0;
}

// The plan of @yaml on @kernel_take is exactly @sentences.
static void plan_is(const char *yaml, struct kernel *kernel_take, const char *sentences)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_take;
	AUTO_FREE char *text = NULL;
	struct diag diag = {0};
	if (try_plan(yaml, kernel, NULL, &text, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	assert_string_equal(text, sentences);
}

static void plan_fails(const char *yaml, struct kernel *kernel_take, int wanted, const char *words)
{
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_take;
	AUTO_FREE char *text = NULL;
	struct diag diag = {0};
	assert_int_equal(try_plan(yaml, kernel, NULL, &text, &diag), wanted);
	if (!strstr(diag.message, words))
		fail_msg("%s", diag_text(&diag));
}

#define STATIC "version: 2\nethernets:\n  eth0: {addresses: [10.0.0.2/24], routes: [{to: default, via: 10.0.0.1}]}\n"
#define MESH                                                                                       \
	"version: 2\ntunnels:\n  hearth0: {mode: wireguard, key: /k, port: 51820, mtu: 1420, addresses: [10.66.0.11/16]}\n"

static void a_new_address_comes_before_its_route(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "")->flags = 0;
	plan_is(STATIC, kernel,
		"eth0: set up\neth0: add address 10.0.0.2/24\neth0: add route 0.0.0.0/0 via 10.0.0.1\n");
}

static void what_is_there_is_left_alone(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, "10.0.0.2/24", HEARTH_PROTOCOL);
	has_route(kernel, 2, "0.0.0.0/0", "10.0.0.1", 0, HEARTH_PROTOCOL);
	plan_is(STATIC, kernel, "");
}

static void a_persons_own_address_that_is_wanted_is_enough(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, "10.0.0.2/24", 0);
	has_route(kernel, 2, "0.0.0.0/0", "10.0.0.1", 0, RTPROT_STATIC);
	plan_is(STATIC, kernel, "");
}

static void a_lease_with_the_wanted_address_becomes_permanent(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, "10.0.0.2/24", 0)->flags = 0;
	has_route(kernel, 2, "0.0.0.0/0", "10.0.0.1", 0, HEARTH_PROTOCOL);
	plan_is(STATIC, kernel, "eth0: add address 10.0.0.2/24\n");
}

static void what_is_not_ours_is_never_removed(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 1, "lo", "");
	has_link(kernel, 2, "eth0", "");
	has_link(kernel, 3, "cni0", "bridge");
	has_link(kernel, 4, "veth1234", "veth");
	has_link(kernel, 5, "wg-of-others", "wireguard");
	has_link(kernel, 6, "dummy0", "dummy");
	has_address(kernel, 2, "10.0.2.15/24", 0)->flags = 0; // DHCP
	has_address(kernel, 2, "192.168.0.1/24", 0);
	has_address(kernel, 3, "10.64.0.1/24", 0);
	has_route(kernel, 2, "10.0.2.0/24", NULL, 0, RTPROT_KERNEL);
	has_route(kernel, 2, "0.0.0.0/0", "10.0.2.2", 100, RTPROT_DHCP);
	has_route(kernel, 3, "10.64.0.0/24", NULL, 0, RTPROT_KERNEL);
	has_route(kernel, 5, "172.16.0.0/12", NULL, 0, RTPROT_BOOT);
	plan_is("version: 2\n", kernel, "");
}

static void what_is_ours_and_not_wanted_goes_last(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	(void)snprintf(has_link(kernel, 7, "old0", "dummy")->alias, 32, HEARTH_ALIAS);
	has_address(kernel, 2, "10.9.9.9/24", HEARTH_PROTOCOL);
	has_route(kernel, 2, "10.8.0.0/16", "10.9.9.1", 0, HEARTH_PROTOCOL);
	plan_is(STATIC, kernel,
		"eth0: add address 10.0.0.2/24\neth0: add route 0.0.0.0/0 via 10.0.0.1\n"
		"eth0: remove route 10.8.0.0/16 via 10.9.9.1 (stops traffic)\n"
		"eth0: remove address 10.9.9.9/24 (stops traffic)\nold0: remove the link (stops traffic)\n");
}

static void a_new_gateway_replaces_the_route_in_one_step(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, "10.0.0.2/24", HEARTH_PROTOCOL);
	has_route(kernel, 2, "0.0.0.0/0", "10.0.0.254", 0, HEARTH_PROTOCOL);
	plan_is(STATIC, kernel, "eth0: replace route 0.0.0.0/0 via 10.0.0.1\n");
}

static void an_mtu_below_that_of_ipv6_stops_traffic(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	plan_is("ethernets: {eth0: {mtu: 1279}}", kernel, "eth0: set mtu 1279 (stops traffic)\n");
}

static void a_foreign_route_in_the_way_is_named(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_route(kernel, 2, "0.0.0.0/0", "10.0.0.254", 0, RTPROT_BIRD);
	plan_fails(STATIC, kernel, -EEXIST, "not Hearth's (protocol 12); choose another metric");
}

// All names of a card count, but for a match that gives it another one.
static void a_card_goes_by_its_other_names_too(void **state)
{
	static const struct {
		const char *document, *wanted;
	} cases[] = {
		{"ethernets: {enp1s0f0: {mtu: 1400}}", "eth0: set mtu 1400\n"},
		{"ethernets: {lan: {match: {name: \"enp*\"}, mtu: 1400}}", "eth0: set mtu 1400\n"},
		{"ethernets: {lan: {match: {name: enx525400000002}, mtu: 1400}}", "eth0: set mtu 1400\n"},
		{"ethernets: {lan: {match: {name: \"enp*\"}, set-name: lan0, mtu: 1400}}", ""},
		{"ethernets: {lan: {match: {name: eth0}, set-name: enp1s0f0}}", "eth0: rename to enp1s0f0, its other name until now\n"},
		{"ethernets: {enp1s0f1: {mtu: 1400}}", ""},
		{"ethernets: {enp1s0f0: {mtu: 1400}, eth0: {mtu: 1300}}", "eth0: set mtu 1400\n"},
		{"ethernets: {enp1s0f0: {}}\nvlans: {v7: {id: 7, link: enp1s0f0}}", "v7: make a VLAN link, id 7 on eth0\nv7: set up\n"},
	};
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct kernel *kernel = kernel_new();
		struct kernel_link *card = has_link(kernel, 2, "eth0", "");
		card->other_names = calloc(1, 26);
		assert_non_null(card->other_names);
		memcpy(card->other_names, "enp1s0f0\0enx525400000002", 25);
		plan_is(cases[i].document, kernel, cases[i].wanted);
	}
	struct kernel *kernel = kernel_new();
	struct kernel_link *card = has_link(kernel, 2, "eth0", "");
	card->other_names = calloc(1, 10);
	assert_non_null(card->other_names);
	memcpy(card->other_names, "enp1s0f0", 9);
	plan_fails("bridges: {enp1s0f0: {}}", kernel, -EEXIST, "enp1s0f0: the link eth0 has that as another name");
	kernel = kernel_new();
	card = has_link(kernel, 2, "eth0", "");
	has_link(kernel, 3, "eth1", "");
	card->other_names = calloc(1, 10);
	assert_non_null(card->other_names);
	memcpy(card->other_names, "enp1s0f0", 9);
	plan_fails("ethernets: {lan: {match: {name: eth1}, set-name: enp1s0f0}}", kernel, -EEXIST,
		"lan: the link eth0 has enp1s0f0 as another name");
}

// Without networkd, which does so by itself; the link need not come up for it.
static void accept_ra_is_the_kernels_from_now_on(void **state)
{
	static const struct {
		bool has_ra, takes_ra, has_files;
		const char *said, *wanted;
	} cases[] = {
		{true, true, false, "accept-ra: false", "eth0: set no accept-ra\n"},
		{true, false, false, "accept-ra: false", ""},
		{true, false, false, "accept-ra: true", "eth0: set accept-ra\n"},
		{true, true, false, "accept-ra: true", ""},
		{true, true, false, "", ""},
		{true, false, false, "", ""},
		{false, false, false, "accept-ra: true", ""}, // without IPv6
		{true, true, true, "accept-ra: false", NULL},
	};
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		static const struct config_files none;
		CLEANUP(kernel_freep) struct kernel *kernel = kernel_new();
		AUTO_FREE char *document = str_format("ethernets: {eth0: {%s}}", cases[i].said), *text = NULL;
		struct kernel_link *one = has_link(kernel, 2, "eth0", "");
		one->has_ra = cases[i].has_ra;
		one->takes_ra = cases[i].takes_ra;
		assert_int_equal(try_plan(document, kernel, cases[i].has_files ? &none : NULL, &text, NULL), 0);
		if (cases[i].wanted)
			assert_string_equal(text, cases[i].wanted);
		assert_true(cases[i].wanted || !strstr(text, "set"));
	}
}

// networkd gives what DHCPv4 brings the metric 100, and of two routes of one metric the kernel goes by the first.
static void a_said_route_goes_before_that_of_a_lease(void **state)
{
	static const char document[] = "version: 2\nethernets: {eth0: {dhcp4: true, addresses: [10.0.0.2/24], "
				       "routes: [{to: default, via: 10.0.0.1, metric: 100}]}}\n";
	static const struct {
		const char *lease_via, *ours_via, *wanted;
		bool is_lease_first; // replacing would take the lease's
	} cases[] = {
		{"10.0.0.254", NULL, "eth0: add route 0.0.0.0/0 via 10.0.0.1 metric 100\n", false},
		{"10.0.0.1", NULL, "eth0: add route 0.0.0.0/0 via 10.0.0.1 metric 100\n", false},
		{"10.0.0.254", "10.0.0.1", "", false},
		{"10.0.0.254", "10.0.0.3", "eth0: replace route 0.0.0.0/0 via 10.0.0.1 metric 100\n", false},
		{"10.0.0.254", "10.0.0.3", "eth0: add route 0.0.0.0/0 via 10.0.0.1 metric 100\n"
					   "eth0: remove route 0.0.0.0/0 via 10.0.0.3 metric 100 (stops traffic)\n", true},
	};
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct kernel *kernel = kernel_new();
		has_link(kernel, 2, "eth0", "");
		has_address(kernel, 2, "10.0.0.2/24", HEARTH_PROTOCOL);
		has_route(kernel, 2, "0.0.0.0/0", cases[i].lease_via, 100, RTPROT_DHCP)->position = !cases[i].is_lease_first;
		if (cases[i].ours_via)
			has_route(kernel, 2, "0.0.0.0/0", cases[i].ours_via, 100, HEARTH_PROTOCOL);
		plan_is(document, kernel, cases[i].wanted);
	}
}

// The kernel makes one for the subnet of an address, with its source.
static void a_subnet_may_be_said_too(void **state)
{
	static const char document[] = "version: 2\nethernets: {eth0: {addresses: [10.0.0.2/24], "
				       "routes: [{to: 10.0.0.0/24, scope: link}]}}\n";
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, "10.0.0.2/24", HEARTH_PROTOCOL);
	has_route(kernel, 2, "10.0.0.0/24", NULL, 0, RTPROT_KERNEL);
	plan_is(document, kernel, "eth0: add route 10.0.0.0/24\n");
	struct kernel *second = kernel_new();
	has_link(second, 2, "eth0", "");
	has_address(second, 2, "10.0.0.2/24", HEARTH_PROTOCOL);
	has_route(second, 2, "10.0.0.0/24", NULL, 0, RTPROT_KERNEL);
	has_route(second, 2, "10.0.0.0/24", NULL, 0, HEARTH_PROTOCOL);
	plan_is(document, second, "");
	struct kernel *others = kernel_new();
	has_link(others, 2, "eth0", "");
	has_link(others, 3, "cni0", "bridge");
	has_route(others, 3, "10.0.0.0/24", NULL, 0, RTPROT_KERNEL);
	plan_fails(document, others, -EEXIST, "not Hearth's (protocol 2); choose another metric");
}

static void a_foreign_route_beside_ours_is_not_replaced(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, "10.0.0.2/24", HEARTH_PROTOCOL);
	has_route(kernel, 2, "0.0.0.0/0", "10.0.0.254", 0, RTPROT_BIRD);
	has_route(kernel, 2, "0.0.0.0/0", "10.0.0.3", 0, HEARTH_PROTOCOL);
	plan_is(STATIC, kernel, "eth0: add route 0.0.0.0/0 via 10.0.0.1\n"
				"eth0: remove route 0.0.0.0/0 via 10.0.0.3 (stops traffic)\n");
}

// Ours is the first, and is replaced; behind others', it goes before one that the kernel is told no difference of.
static void ours_goes_first_when_it_cannot_be_told_from_the_new_one(void **state)
{
	static const char document[] =
		"version: 2\nethernets: {eth0: {addresses: [10.0.0.2/24], routes: [{to: default, via: 10.0.0.1, from: 10.0.0.2}]}}\n";
	for (int place = 0; place < 2; place++) {
		struct kernel *kernel = kernel_new();
		has_link(kernel, 2, "eth0", "");
		has_address(kernel, 2, "10.0.0.2/24", HEARTH_PROTOCOL);
		has_route(kernel, 2, "0.0.0.0/0", "10.0.0.1", 0, HEARTH_PROTOCOL)->position = 5;
		has_route(kernel, 2, "0.0.0.0/0", "10.0.0.254", 0, RTPROT_BIRD)->position = place == 0 ? 6 : 4;
		plan_is(document, kernel, place == 0 ? "eth0: replace route 0.0.0.0/0 via 10.0.0.1 from 10.0.0.2\n"
						     : "eth0: remove route 0.0.0.0/0 via 10.0.0.1 (stops traffic)\n"
						       "eth0: add route 0.0.0.0/0 via 10.0.0.1 from 10.0.0.2\n");
	}
}

static void a_foreign_ipv6_route_before_ours_is_not_replaced(void **state)
{
	static const char document[] =
		"version: 2\nethernets: {eth0: {addresses: ['fd00::2/64'], routes: [{to: 'fd50::/16', via: 'fd00::1', metric: 7}]}}\n";
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, "fd00::2/64", HEARTH_PROTOCOL);
	has_route(kernel, 2, "fd50::/16", NULL, 7, RTPROT_STATIC)->position = 4;
	has_route(kernel, 2, "fd50::/16", "fd00::3", 7, HEARTH_PROTOCOL)->position = 5;
	plan_fails(document, kernel, -EEXIST, "not Hearth's (protocol 4)");
}

// Told to replace one with a gateway, the kernel passes by ours, which has none, and takes the one behind it.
static void a_foreign_ipv6_gateway_behind_our_blackhole_is_not_replaced(void **state)
{
	static const char document[] =
		"version: 2\nethernets: {eth0: {addresses: ['fd00::2/64'], routes: [{to: 'fd50::/16', via: 'fd00::1', metric: 7}]}}\n";
	for (int alone = 0; alone < 2; alone++) {
		struct kernel *kernel = kernel_new();
		has_link(kernel, 2, "eth0", "");
		has_address(kernel, 2, "fd00::2/64", HEARTH_PROTOCOL);
		struct kernel_route *ours = has_route(kernel, 2, "fd50::/16", NULL, 7, HEARTH_PROTOCOL);
		ours->route.type = RTN_BLACKHOLE;
		ours->position = 4;
		if (alone) {
			plan_is(document, kernel, "eth0: replace route fd50::/16 via fd00::1 metric 7\n");
			continue;
		}
		has_route(kernel, 2, "fd50::/16", "fd00::3", 7, RTPROT_STATIC)->position = 5;
		plan_fails(document, kernel, -EEXIST, "not Hearth's (protocol 4)");
	}
}

// Of IPv6 routes both have the metric 1024 unless somebody says another one.
static void a_routers_route_gives_way(void **state)
{
	static const char document[] =
		"version: 2\nethernets: {eth0: {addresses: ['fd00::2/64'], routes: [{to: '::/0', via: 'fd00::1'}]}}\n";
	for (int shape = 0; shape < 2; shape++) {
		struct kernel *kernel = kernel_new();
		has_link(kernel, 2, "eth0", "");
		has_address(kernel, 2, "fd00::2/64", HEARTH_PROTOCOL);
		has_route(kernel, 2, "::/0", "fe80::1", 1024, RTPROT_RA);
		kernel->routes[0].has_other_shape = shape; // two routers
		plan_is(document, kernel, "eth0: replace route ::/0 via fd00::1 metric 1024\n");
	}
}

static void a_foreign_route_that_goes_with_its_link_is_not_in_the_way(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	(void)snprintf(has_link(kernel, 7, "old0", "bridge")->alias, 32, HEARTH_ALIAS);
	has_address(kernel, 2, "10.0.0.2/24", HEARTH_PROTOCOL);
	has_route(kernel, 7, "0.0.0.0/0", "10.0.0.254", 0, RTPROT_STATIC);
	plan_is(STATIC, kernel, "eth0: add route 0.0.0.0/0 via 10.0.0.1\nold0: remove the link (stops traffic)\n");
}

static void a_wider_ipv4_prefix_is_added_before_the_old_one_goes(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, "10.0.0.2/16", HEARTH_PROTOCOL);
	has_route(kernel, 2, "0.0.0.0/0", "10.0.0.1", 0, HEARTH_PROTOCOL);
	plan_is(STATIC, kernel, "eth0: add address 10.0.0.2/24\neth0: remove address 10.0.0.2/16 (stops traffic)\n");
}

static void a_wider_ipv6_prefix_needs_the_old_one_gone_first(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, "fd00::2/64", HEARTH_PROTOCOL);
	plan_is("version: 2\nethernets:\n  eth0: {addresses: ['fd00::2/48']}\n", kernel,
		"eth0: take off address fd00::2/64, its prefix changes (stops traffic)\neth0: add address fd00::2/48\n");
}

#define SOURCE                                                                                     \
	"version: 2\nethernets:\n  eth0: {addresses: ['fd00::2/64'], routes: [{to: 'fd01::/64', via: 'fd00::1', from: 'fd00::2'}]}\n"

static void an_ipv6_route_waits_until_its_source_is_usable(void **state)
{
	static const struct {
		uint32_t address_flags, link_flags;
		bool has_address;
		const char *wanted;
	} cases[] = {
		{0, IFF_UP, false, "eth0: add address fd00::2/64\n"},
		{0, IFF_UP | IFF_NOARP, false,
			"eth0: add address fd00::2/64\neth0: add route fd01::/64 via fd00::1 from fd00::2 metric 1024\n"},
		{IFA_F_TENTATIVE, IFF_UP, true, ""},
		{IFA_F_DADFAILED, IFF_UP, true, ""},
		{0, IFF_UP, true, "eth0: add route fd01::/64 via fd00::1 from fd00::2 metric 1024\n"},
		{0, 0, true, "eth0: set up\neth0: add route fd01::/64 via fd00::1 from fd00::2 metric 1024\n"},
	};
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct kernel *kernel = kernel_new();
		has_link(kernel, 2, "eth0", "")->flags = cases[i].link_flags;
		if (cases[i].has_address)
			has_address(kernel, 2, "fd00::2/64", HEARTH_PROTOCOL)->flags |= cases[i].address_flags;
		plan_is(SOURCE, kernel, cases[i].wanted);
		bool has_route = strstr(cases[i].wanted, "route") != NULL, is_taken = cases[i].address_flags & IFA_F_DADFAILED;
		assert_string_equal(waits_for, has_route ? ""
			: is_taken ? "eth0: route fd01::/64 via fd00::1 from fd00::2 metric 1024 is left out: somebody else has its "
				     "source address fd00::2"
				   : "eth0: route fd01::/64 via fd00::1 from fd00::2 metric 1024 comes once the kernel knows that "
				     "nobody else has its source address fd00::2: a cable has to be in");
		assert_int_equal(waits_in_vain, is_taken);
	}
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_address(kernel, 2, "fd00::2/64", HEARTH_PROTOCOL)->flags |= IFA_F_TENTATIVE;
	struct kernel_route *old = has_route(kernel, 2, "fd01::/64", "fd00::9", 1024, HEARTH_PROTOCOL);
	old->route.mtu = 1400;
	plan_is(SOURCE, kernel, ""); // until then the old one stays
}

static void the_mesh_link_is_made_keyed_and_then_brought_up(void **state)
{
	plan_is(MESH, kernel_new(),
		"hearth0: make a WireGuard link\nhearth0: set WireGuard key of /k port 51820\n"
		"hearth0: set mtu 1420 up\nhearth0: add address 10.66.0.11/16\n");
}

static void an_unchanged_private_key_is_never_sent_again(void **state)
{
	struct kernel *kernel = kernel_new();
	struct kernel_link *mesh = has_link(kernel, 9, "hearth0", "wireguard");
	mesh->mtu = 1420;
	(void)snprintf(mesh->alias, sizeof(mesh->alias), HEARTH_ALIAS);
	memset(mesh->wireguard.private_key, 7, PEER_KEY_BYTES);
	mesh->wireguard.port = 4000;
	has_address(kernel, 9, "10.66.0.11/16", HEARTH_PROTOCOL);
	plan_is(MESH, kernel, "hearth0: set WireGuard port 51820 (stops traffic)\n");
}

static void a_mesh_without_declared_peers_keeps_those_it_has(void **state)
{
	struct kernel *kernel = kernel_new();
	struct kernel_link *mesh = has_link(kernel, 9, "hearth0", "wireguard");
	mesh->mtu = 1420;
	(void)snprintf(mesh->alias, sizeof(mesh->alias), HEARTH_ALIAS);
	memset(mesh->wireguard.private_key, 7, PEER_KEY_BYTES);
	mesh->wireguard.port = 51820;
	assert_non_null(peer_table_add(&mesh->wireguard.peers));
	has_address(kernel, 9, "10.66.0.11/16", HEARTH_PROTOCOL);
	plan_is(MESH, kernel, "");
}

// Sessions go on with another name; with another key, too, it is another tunnel, which has the peers that it is given.
static void a_tunnel_with_another_name_and_key_has_no_peers_of_before(void **state)
{
	for (uint8_t key = 6; key < 8; key++) {
		struct kernel *kernel = kernel_new();
		struct kernel_link *mesh = has_link(kernel, 9, "wg7", "wireguard");
		mesh->mtu = 1420;
		(void)snprintf(mesh->alias, sizeof(mesh->alias), HEARTH_ALIAS);
		memset(mesh->wireguard.private_key, key, PEER_KEY_BYTES);
		mesh->wireguard.present = true;
		mesh->wireguard.port = 51820;
		assert_non_null(peer_table_add(&mesh->wireguard.peers));
		has_address(kernel, 9, "10.66.0.11/16", HEARTH_PROTOCOL);
		plan_is(MESH, kernel, key == 7 ? "wg7: rename to hearth0\n"
					       : "wg7: rename to hearth0\nhearth0: set WireGuard key of /k (stops traffic)\n"
						 "hearth0: peers: add 0, change 0, remove 1 (stops traffic)\n");
	}
}

static void a_link_does_not_ask_itself_to_be_its_peer(void **state)
{
	static const char yaml[] =
		"version: 2\ntunnels:\n  hearth0:\n    mode: wireguard\n    key: /k\n    peers:\n"
		"    - keys: {public: 'BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc='}\n      allowed-ips: [10.66.0.7/32]\n"
		"    - keys: {public: 'CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg='}\n      allowed-ips: [10.66.0.8/32]\n";
	for (uint8_t key = 6; key < 8; key++) { // another key of before is changed: then nobody knows yet which peer is itself
		struct kernel *kernel = kernel_new();
		struct kernel_link *mesh = has_link(kernel, 9, "hearth0", "wireguard");
		(void)snprintf(mesh->alias, sizeof(mesh->alias), HEARTH_ALIAS);
		memset(mesh->wireguard.private_key, key, PEER_KEY_BYTES);
		memset(mesh->wireguard.public_key, 7, PEER_KEY_BYTES);
		plan_is(yaml, kernel, key == 7 ? "hearth0: peers: add 1, change 0, remove 0\n"
					       : "hearth0: set WireGuard key of /k (stops traffic)\n"
						 "hearth0: peers: add 2, change 0, remove 0\n");
	}
}

static void a_tunnel_that_is_declared_by_another_name_gets_it_and_keeps_its_sessions(void **state)
{
	struct kernel *kernel = kernel_new();
	for (int i = 0; i < 2; i++) {
		struct kernel_link *mesh = has_link(kernel, 9 + i, i ? "wg-old" : "wg-others", "wireguard");
		mesh->mtu = 1420;
		mesh->wireguard.present = true;
		mesh->wireguard.port = 51820;
		memset(mesh->wireguard.private_key, 7, PEER_KEY_BYTES);
	}
	(void)snprintf(kernel->links[1].alias, 32, HEARTH_ALIAS);
	has_address(kernel, 10, "10.66.0.11/16", HEARTH_PROTOCOL);
	plan_is(MESH, kernel, "wg-old: rename to hearth0\n");
}

static void tunnels_that_swap_their_ports_let_them_go_first(void **state)
{
	static const char yaml[] = "version: 2\ntunnels:\n  a: {mode: wireguard, key: /k, port: 1002}\n"
				   "  b: {mode: wireguard, key: /k, port: 1001}\n  c: {mode: wireguard, key: /k, port: 1004}\n";
	struct kernel *kernel = kernel_new();
	for (int i = 0; i < 3; i++) {
		char name[] = {(char)('a' + i), '\0'};
		struct kernel_link *one = has_link(kernel, 9 + i, name, "wireguard");
		(void)snprintf(one->alias, sizeof(one->alias), HEARTH_ALIAS);
		memset(one->wireguard.private_key, 7, PEER_KEY_BYTES);
		one->wireguard.present = true;
		one->wireguard.port = (uint16_t)(1001 + i);
	}
	plan_is(yaml, kernel,
		"a: set WireGuard port 0 (stops traffic)\nb: set WireGuard port 0 (stops traffic)\n"
		"a: set WireGuard port 1002 (stops traffic)\nb: set WireGuard port 1001 (stops traffic)\n"
		"c: set WireGuard port 1004 (stops traffic)\n");
}

static void a_link_of_another_kind_in_the_way_is_named(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 9, "hearth0", "bridge");
	plan_fails(MESH, kernel, -EEXIST, "hearth0: must be a wireguard link, but a bridge link has that name");
}

static void globs_fit_hardware_only(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "")->mtu = 9000;
	has_link(kernel, 3, "eth1", "veth")->mtu = 9000;
	has_link(kernel, 4, "lan0", "")->mtu = 9000;
	plan_is("version: 2\nethernets:\n  all: {match: {name: 'eth*'}, mtu: 1500}\n", kernel, "eth0: set mtu 1500\n");
}

static struct kernel *kernel_of_two_ports(void)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_link(kernel, 3, "eth1", "");
	return kernel;
}

static void the_first_declaration_by_id_that_fits_has_the_link(void **state)
{
	plan_is("version: 2\nethernets:\n  rest: {match: {name: 'e*'}, mtu: 9000}\n  eth1: {mtu: 1400}\n",
		kernel_of_two_ports(), "eth1: set mtu 1400\neth0: set mtu 9000\n");
	plan_is("version: 2\nethernets:\n  eth1: {mtu: 1400}\n  all: {match: {name: 'e*'}, mtu: 9000}\n",
		kernel_of_two_ports(), "eth0: set mtu 9000\neth1: set mtu 9000\n");
}

static void addresses_are_added_in_the_order_of_the_document(void **state)
{
	struct kernel *kernel = kernel_of_two_ports();
	has_address(kernel, 2, "10.0.0.9/24", HEARTH_PROTOCOL);
	plan_is("version: 2\nethernets:\n  eth0: {addresses: [10.0.0.9/24, 10.0.0.5/24, 10.0.0.2/24, 10.0.0.7/24]}\n", kernel,
		"eth0: add address 10.0.0.5/24\neth0: add address 10.0.0.2/24\neth0: add address 10.0.0.7/24\n");
}

static void a_port_is_renamed_once(void **state)
{
	static const char yaml[] = "version: 2\nethernets:\n  lan: {match: {macaddress: '52:54:00:00:00:03'}, "
				   "set-name: lan0, addresses: [10.0.0.2/24]}\n";
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_link(kernel, 3, "eth1", "");
	plan_is(yaml, kernel, "eth1: rename to lan0\nlan0: add address 10.0.0.2/24\n");
	kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_link(kernel, 3, "lan0", "");
	has_address(kernel, 3, "10.0.0.2/24", HEARTH_PROTOCOL);
	plan_is(yaml, kernel, "");
}

static void a_new_name_must_fit_one_port_and_be_free(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_link(kernel, 3, "eth1", "");
	plan_fails("version: 2\nethernets:\n  lan: {match: {name: 'eth*'}, set-name: lan0}\n", kernel, -EEXIST,
		"must fit one link, but match fits eth0 and eth1");
	kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_link(kernel, 3, "lan0", "bridge");
	plan_fails("version: 2\nethernets:\n  lan: {match: {name: 'eth*'}, set-name: lan0}\n", kernel, -EEXIST,
		"lan0 is the name of another link");
}

static void a_match_does_not_take_what_is_declared_by_its_name(void **state)
{
	static const char document[] = "version: 2\nethernets: {any: {match: {name: dummy0}, addresses: [10.0.0.1/24]}}\n"
				       "dummy-devices: {dummy0: {addresses: [10.0.0.2/24]}}\n";
	struct kernel *kernel = kernel_new();
	memcpy(has_link(kernel, 2, "dummy0", "dummy")->alias, HEARTH_ALIAS, sizeof(HEARTH_ALIAS));
	has_address(kernel, 2, "10.0.0.2/24", HEARTH_PROTOCOL);
	plan_is(document, kernel, "");
}

// Cards that are plugged in may come before it.
static void a_port_that_has_its_name_keeps_it_whatever_else_fits(void **state)
{
	for (int position = 0; position < 3; position++) {
		struct kernel *kernel = kernel_new();
		for (int i = 0; i < 3; i++)
			has_link(kernel, 2 + i, i == position ? "lan0" : i ? "eth1" : "eth0", "");
		plan_is("version: 2\nethernets:\n  lan: {match: {name: 'eth*'}, set-name: lan0}\n", kernel, "");
	}
}

static void a_port_that_is_missing_is_no_change(void **state)
{
	plan_is(STATIC, kernel_new(), "");
}

static void one_definition_on_two_ports_cannot_have_one_route_twice(void **state)
{
	struct kernel *kernel = kernel_new();
	has_link(kernel, 2, "eth0", "");
	has_link(kernel, 3, "eth1", "");
	plan_fails("version: 2\nethernets:\n  all: {match: {name: 'eth*'}, gateway4: 10.0.0.1}\n", kernel, -EINVAL,
		"is wanted on eth0 and on eth1");
}

static void default_takes_ports_and_no_gadgets(void **state)
{
	CLEANUP(network_freep) struct network *network = NULL;
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_new();
	CLEANUP(claims_done) struct claims claims = {0};
	struct diag diag = {0};
	has_link(kernel, 1, "lo", "")->type = ARPHRD_LOOPBACK;
	has_link(kernel, 2, "eth0", "");
	(void)snprintf(has_link(kernel, 3, "enx1", "")->driver, 32, "cdc_ether"); // a BMC
	(void)snprintf(has_link(kernel, 4, "eth5", "")->driver, 32, "rndis_host");
	has_link(kernel, 5, "usb0", "");
	has_link(kernel, 6, "wlan0", "")->wireless = true;
	has_link(kernel, 7, "docker0", "bridge");
	has_link(kernel, 8, "ib0", "")->type = ARPHRD_INFINIBAND;
	(void)snprintf(has_link(kernel, 9, "eno2", "")->driver, 32, "r8152"); // a real port on USB
	kernel_sort(kernel);
	assert_int_equal(netconf_default(&network), 0);
	assert_int_equal(claims_make(network, kernel, &claims, &diag), 0);
	assert_int_equal(claims.n, 2);
	assert_string_equal(claims.claims[0].name, "eth0");
	assert_string_equal(claims.claims[1].name, "eno2");
}

static void files_are_written_only_when_they_differ(void **state)
{
	static const char yaml[] = "version: 2\nethernets:\n  eth0: {dhcp4: true}\n";
	CLEANUP(kernel_freep) struct kernel *kernel = kernel_new();
	CLEANUP(network_freep) struct network *network = wants(yaml);
	CLEANUP(claims_done) struct claims claims = {0};
	CLEANUP(config_files_done) struct config_files files = {0};
	static const struct config_files none;
	AUTO_FREE char *first = NULL, *second = NULL, *third = NULL;
	struct diag diag = {0};
	has_link(kernel, 2, "eth0", "");
	assert_int_equal(try_plan(yaml, kernel, &none, &first, &diag), 0);
	assert_string_equal(first, "networkd: write ../networkd.conf.d/10-hearth.conf\n"
				   "networkd: write 10-hearth-eth0.network\nnetworkd: restart\n");
	assert_int_equal(claims_make(network, kernel, &claims, &diag), 0);
	assert_int_equal(networkd_render(network, &claims, NULL, &files), 0);
	assert_int_equal(try_plan(yaml, kernel, &files, &second, &diag), 0);
	assert_string_equal(second, "");
	assert_int_equal(config_files_add(&files, "10-hearth-eth9.network", strdup("old")), 0);
	assert_int_equal(try_plan(yaml, kernel, &files, &third, &diag), 0);
	assert_string_equal(third, "networkd: remove 10-hearth-eth9.network\nnetworkd: reload\n");
}

static void a_thousand_addresses_and_five_thousand_routes_that_stand_are_no_change(void **state)
{
	struct kernel *kernel = kernel_new();
	char *yaml = NULL, text[64];
	size_t n = 0;
	FILE *out = open_memstream(&yaml, &n);
	assert_non_null(out);
	has_link(kernel, 2, "eth0", "");
	fprintf(out, "version: 2\nethernets:\n  eth0:\n    addresses:\n");
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(text, sizeof(text), "10.1.%d.%d/16", i >> 8, i & 255);
		has_address(kernel, 2, text, HEARTH_PROTOCOL);
		fprintf(out, "    - %s\n", text);
	}
	fprintf(out, "    routes:\n");
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(text, sizeof(text), "10.%d.%d.0/24", 100 + (i >> 8), i & 255);
		has_route(kernel, 2, text, "10.1.0.1", 0, HEARTH_PROTOCOL);
		fprintf(out, "    - {to: %s, via: 10.1.0.1}\n", text);
	}
	fclose(out);
	plan_is(yaml, kernel, "");
	free(yaml);
}

static void what_is_declared_and_not_there_is_said(void **state)
{
	static const char yaml[] = "ethernets:\n  ens1: {}\n  eth0: {}\n  lan: {match: {driver: e1000}}\n"
				   "vlans: {v5: {id: 5, link: ens1}, v6: {id: 6, link: v5}}\nbonds: {bond0: {interfaces: [ens1]}}\n";
	struct kernel *kernel = kernel_new();
	(void)has_link(kernel, 2, "eth0", "");
	plan_is(yaml, kernel, "bond0: make a bond link\nbond0: set up\n");
	assert_string_equal(notes, "ens1 at 2:9 is not there, and is waited for\nlan at 4:8 is not there (its match fits no card), and is "
				   "waited for\nbond0 is without its port ens1 until that is there\nv5 waits for ens1\nv6 waits for v5\n");
}

static void a_second_definition_of_a_card_is_said(void **state)
{
	struct kernel *kernel = kernel_new();
	(void)has_link(kernel, 2, "eth0", "");
	plan_is("ethernets:\n  a: {match: {macaddress: '52:54:00:00:00:02'}}\n  eth0: {mtu: 1400}\n", kernel, "");
	assert_string_equal(notes, "eth0 at 3:9 counts for nothing: the card eth0 is that of a at 2:6 already (of the definitions that fit "
				   "a card the first by id has it)\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_address_comes_before_its_route),
		cmocka_unit_test(what_is_there_is_left_alone),
		cmocka_unit_test(a_persons_own_address_that_is_wanted_is_enough),
		cmocka_unit_test(a_lease_with_the_wanted_address_becomes_permanent),
		cmocka_unit_test(what_is_not_ours_is_never_removed),
		cmocka_unit_test(what_is_ours_and_not_wanted_goes_last),
		cmocka_unit_test(a_new_gateway_replaces_the_route_in_one_step),
		cmocka_unit_test(an_mtu_below_that_of_ipv6_stops_traffic),
		cmocka_unit_test(a_foreign_route_in_the_way_is_named),
		cmocka_unit_test(a_card_goes_by_its_other_names_too),
		cmocka_unit_test(accept_ra_is_the_kernels_from_now_on),
		cmocka_unit_test(a_said_route_goes_before_that_of_a_lease),
		cmocka_unit_test(a_subnet_may_be_said_too),
		cmocka_unit_test(a_foreign_route_beside_ours_is_not_replaced),
		cmocka_unit_test(ours_goes_first_when_it_cannot_be_told_from_the_new_one),
		cmocka_unit_test(a_foreign_ipv6_route_before_ours_is_not_replaced),
		cmocka_unit_test(a_foreign_ipv6_gateway_behind_our_blackhole_is_not_replaced),
		cmocka_unit_test(a_routers_route_gives_way),
		cmocka_unit_test(a_foreign_route_that_goes_with_its_link_is_not_in_the_way),
		cmocka_unit_test(a_wider_ipv4_prefix_is_added_before_the_old_one_goes),
		cmocka_unit_test(a_wider_ipv6_prefix_needs_the_old_one_gone_first),
		cmocka_unit_test(an_ipv6_route_waits_until_its_source_is_usable),
		cmocka_unit_test(the_mesh_link_is_made_keyed_and_then_brought_up),
		cmocka_unit_test(an_unchanged_private_key_is_never_sent_again),
		cmocka_unit_test(a_mesh_without_declared_peers_keeps_those_it_has),
		cmocka_unit_test(a_tunnel_with_another_name_and_key_has_no_peers_of_before),
		cmocka_unit_test(a_link_does_not_ask_itself_to_be_its_peer),
		cmocka_unit_test(a_tunnel_that_is_declared_by_another_name_gets_it_and_keeps_its_sessions),
		cmocka_unit_test(tunnels_that_swap_their_ports_let_them_go_first),
		cmocka_unit_test(a_link_of_another_kind_in_the_way_is_named),
		cmocka_unit_test(globs_fit_hardware_only),
		cmocka_unit_test(the_first_declaration_by_id_that_fits_has_the_link),
		cmocka_unit_test(addresses_are_added_in_the_order_of_the_document),
		cmocka_unit_test(a_port_is_renamed_once),
		cmocka_unit_test(a_new_name_must_fit_one_port_and_be_free),
		cmocka_unit_test(a_match_does_not_take_what_is_declared_by_its_name),
		cmocka_unit_test(a_port_that_has_its_name_keeps_it_whatever_else_fits),
		cmocka_unit_test(a_port_that_is_missing_is_no_change),
		cmocka_unit_test(one_definition_on_two_ports_cannot_have_one_route_twice),
		cmocka_unit_test(default_takes_ports_and_no_gadgets),
		cmocka_unit_test(files_are_written_only_when_they_differ),
		cmocka_unit_test(a_thousand_addresses_and_five_thousand_routes_that_stand_are_no_change),
		cmocka_unit_test(what_is_declared_and_not_there_is_said),
		cmocka_unit_test(a_second_definition_of_a_card_is_said),
	};
	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
