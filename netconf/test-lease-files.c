// What networkd is told when the kernel's part of a change fails or is half done: who has a lease keeps it. Needs the right to make a
// network namespace, and veth and bridge links; else skipped. There is no networkd here: its files are looked at.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/lease-files.h"
#include "netconf/test-wants.h"

#include "base/file.h"

#include <poll.h>
#include <sched.h>
#include <sys/mount.h>

#define FOLDER "/run/systemd/network"
#define LEASE "version: 2\nethernets: {lan0: {dhcp4: true}, lan2: {addresses: [10.7.0.1/24]}}\n"
#define REFUSED "routes: [{to: 10.99.0.0/16, via: 10.200.0.1}]" // its gateway is in no subnet of the link
enum { LOOKS = 100, LOOK_MSEC = 100 };

static bool is_alone;

static int enter_namespace(void **state)
{
	is_alone = unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		   mount("none", "/run", "tmpfs", 0, NULL) == 0 &&
		   system("ip link set lo up && ip link add lan0 type veth peer name lan1 && ip link set lan1 up && "
			  "ip link add lan2 type veth peer name lan3 && ip link set lan3 up && ip link add br9 type bridge && "
			  "ip link del br9") == 0;
	return 0;
}

// networkd is not there to be told, and what else fails is the case's business. True: a part is still to come.
static bool apply(const char *document)
{
	struct netconf_options options = {.without_waiting = true};
	CLEANUP(network_freep) struct network *network = wants(document);
	CLEANUP(plan_freep) struct plan *plan = NULL;
	struct diag diag = {0};
	if (netconf_plan(network, &options, &plan, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	(void)netconf_apply_plan(network, plan, &options, &diag);
	return plan_is_half(plan);
}

static void expect(const char *link, const char *line)
{
	AUTO_FREE char *path = str_format(FOLDER "/10-hearth-%s.network", link);
	AUTO_FREE char *text = NULL;
	if (file_read(path, 64 << 10, &text, NULL, NULL) < 0)
		fail_msg("%s is gone", path);
	if (!strstr(text, line))
		fail_msg("%s: no %s in\n%s", path, line, text);
}

#define NEEDS_NAMESPACE() \
	do { \
		if (!is_alone) \
			skip(); \
	} while (0)

static void gives_up_what_it_asked_for(void **state)
{
	static const struct {
		const char *before, *after;
		bool gives_up;
	} rows[] = {
		{"[Network]\nDHCP=ipv4\nIPv6AcceptRA=yes\n", "[Network]\nDHCP=ipv4\nIPv6AcceptRA=yes\nLLDP=no\n", false},
		{"[Network]\nDHCP=ipv4\nIPv6AcceptRA=yes\n", "[Network]\nDHCP=yes\nIPv6AcceptRA=yes\n", false},
		{"[Network]\nDHCP=yes\nIPv6AcceptRA=yes\n", "[Network]\nDHCP=ipv4\nIPv6AcceptRA=yes\n", true},
		{"[Network]\nDHCP=yes\nIPv6AcceptRA=yes\n", "[Network]\nDHCP=ipv6\nIPv6AcceptRA=yes\n", true},
		{"[Network]\nDHCP=no\nIPv6AcceptRA=yes\n", "[Network]\nDHCP=ipv6\nIPv6AcceptRA=no\n", true},
		{"[Network]\nDHCP=no\nIPv6AcceptRA=no\n", "[Link]\nUnmanaged=yes\n", false},
		{"[Network]\nDHCP=ipv6\nIPv6AcceptRA=no\n", "[Link]\nUnmanaged=yes\n", true},
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_int_equal(lease_file_gives_up(rows[i].before, rows[i].after), rows[i].gives_up);
}

static void failed_change_leaves_a_lease(void **state)
{
	NEEDS_NAMESPACE();
	apply(LEASE);
	expect("lan0", "DHCP=ipv4");
	apply("version: 2\nethernets: {lan0: {addresses: [10.9.0.1/24], " REFUSED "}, lan2: {addresses: [10.7.0.1/24]}}\n");
	expect("lan0", "DHCP=ipv4");
	apply("version: 2\nethernets: {lan0: {addresses: [10.9.0.1/24]}, lan2: {addresses: [10.7.0.1/24]}}\n");
	expect("lan0", "DHCP=no"); // nothing fails any more
}

static void failed_change_leaves_the_file_of_who_is_left_out(void **state)
{
	NEEDS_NAMESPACE();
	apply(LEASE);
	apply("version: 2\nethernets: {lan2: {addresses: [10.7.0.1/24], " REFUSED "}}\n");
	expect("lan0", "DHCP=ipv4");
	apply("version: 2\nethernets: {lan2: {addresses: [10.7.0.1/24]}}\n");
	assert_false(file_exists(FOLDER "/10-hearth-lan0.network"));
}

static void failed_change_gives_a_lease_elsewhere(void **state)
{
	NEEDS_NAMESPACE();
	apply(LEASE);
	apply("version: 2\nethernets: {lan0: {dhcp4: true, " REFUSED "}, lan2: {dhcp4: true}}\n");
	expect("lan2", "DHCP=ipv4");
	expect("lan0", "DHCP=ipv4");
}

static void port_needs_no_lease(void **state)
{
	NEEDS_NAMESPACE();
	apply(LEASE);
	apply("version: 2\nethernets: {lan0: {}, lan2: {" REFUSED "}}\nbridges: {br0: {interfaces: [lan0], dhcp4: true}}\n");
	expect("lan0", "DHCP=no");
	expect("br0", "DHCP=ipv4");
	apply(LEASE);
}

#define HALF "version: 2\nethernets: {lan0: {addresses: ['fd09::1/64'], routes: [{to: 'fd99::/64', via: 'fd09::2', from: 'fd09::1'}]}}\n"

static void half_a_change_leaves_a_lease(void **state)
{
	NEEDS_NAMESPACE();
	apply(LEASE);
	assert_true(apply(HALF)); // fd09::1 may be somebody else's
	expect("lan0", "DHCP=ipv4");
	expect("lan2", "DHCP=no");
	bool is_half = true;
	for (unsigned i = 0; i < LOOKS && is_half; i++) {
		(void)poll(NULL, 0, LOOK_MSEC);
		is_half = apply(HALF);
	}
	assert_false(is_half);
	expect("lan0", "DHCP=no");
	assert_false(file_exists(FOLDER "/10-hearth-lan2.network"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_up_what_it_asked_for),
		cmocka_unit_test(failed_change_leaves_a_lease),
		cmocka_unit_test(failed_change_leaves_the_file_of_who_is_left_out),
		cmocka_unit_test(failed_change_gives_a_lease_elsewhere),
		cmocka_unit_test(port_needs_no_lease),
		cmocka_unit_test(half_a_change_leaves_a_lease),
	};
	return cmocka_run_group_tests_name("lease files", tests, enter_namespace, NULL);
}
