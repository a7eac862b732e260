// What a resident agent does with the monitor and netconf_apply(): what is taken is put back, and told. Needs the right to
// make a network namespace, and veth and bridge links; else skipped.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/test-wants.h"

#include "base/time.h"

#include <sched.h>

enum { PATIENCE_SEC = 20, QUIET_MSEC = 250 };
#define ROUTE " route fd99::/64 via fd09::2 from fd09::1 metric 1024\n"
#define AGAIN "(and then)\n" // between two calls of apply()

static const char document[] =
	"version: 2\nethernets:\n  lan0:\n    addresses: [10.9.0.1/24, 'fd09::1/64']\n"
	"    routes: [{to: 10.99.0.0/16, via: 10.9.0.2}, {to: 'fd99::/64', via: 'fd09::2', from: 'fd09::1'}]\n"
	"    routing-policy: [{from: 10.9.0.0/24, table: 99, priority: 70}]\n"
	"bridges: {br0: {addresses: [10.8.0.1/24]}}\n";

struct resident {
	sd_event *event;
	struct netconf_monitor *monitor;
	struct network *network;
	char told[4096]; // of all plans since the last look
	bool is_half, was_half; // by the last look; since was_half was reset
	uint64_t changed_usec; // when the kernel last changed
};

static void add_told(struct resident *resident, const char *text)
{
	size_t n = strlen(resident->told);
	(void)snprintf(resident->told + n, sizeof(resident->told) - n, "%s", text);
}

static void tell(const struct plan *plan, void *user)
{
	AUTO_FREE char *text = plan_text(plan);
	add_told(user, text);
}

static void apply(struct resident *resident)
{
	struct netconf_options options = {.run_folder = "/nonexistent", .without_networkd = true, .without_waiting = true,
		.on_plan = tell, .user = resident};
	struct diag diag = {0};
	CLEANUP(plan_freep) struct plan *plan = NULL;
	if (netconf_plan(resident->network, &options, &plan, &diag) < 0 ||
		netconf_apply_plan(resident->network, plan, &options, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	resident->is_half = plan_is_half(plan);
	resident->was_half |= resident->is_half;
	if (resident->told[0])
		add_told(resident, AGAIN);
}

static void on_change(unsigned changed, void *user)
{
	((struct resident *)user)->changed_usec = time_boot_usec();
	if (changed & (NETCONF_CHANGED_LINK | NETCONF_CHANGED_OURS)) // as agent-network.c
		apply(user);
}

// Run until the kernel has not changed for a while.
static void settle(struct resident *resident)
{
	uint64_t now_usec = resident->changed_usec = time_boot_usec();
	for (; now_usec < resident->changed_usec + QUIET_MSEC * USEC_PER_MSEC; now_usec = time_boot_usec())
		assert_true(sd_event_run(resident->event, resident->changed_usec + QUIET_MSEC * USEC_PER_MSEC - now_usec) >= 0);
}

static void run_until(struct resident *resident, const char *sentence)
{
	uint64_t end_usec = time_boot_usec() + PATIENCE_SEC * USEC_PER_SEC, now_usec;
	while ((now_usec = time_boot_usec()) < end_usec && !strstr(resident->told, sentence))
		assert_true(sd_event_run(resident->event, end_usec - now_usec) >= 0);
	if (!strstr(resident->told, sentence))
		fail_msg("not told: %s; but\n%s", sentence, resident->told);
}

// The route is there with its source again.
static void run_until_whole(struct resident *resident)
{
	uint64_t end_usec = time_boot_usec() + PATIENCE_SEC * USEC_PER_SEC;
	while (system("ip -6 route show fd99::/64 | grep -q 'src fd09::1'") != 0) {
		assert_true(time_boot_usec() < end_usec);
		assert_true(sd_event_run(resident->event, QUIET_MSEC * USEC_PER_MSEC) >= 0);
	}
}

static int start(void **state)
{
	static struct resident resident;
	*state = NULL;
	if (unshare(CLONE_NEWNET) < 0 || system("ip link set lo up && ip link add br0 type bridge && ip link del br0 && "
					       "ip link add lan0 type veth peer name lan1 && ip link set lan1 up") != 0)
		return 0;
	resident.network = wants(document);
	if (sd_event_new(&resident.event) < 0 ||
		netconf_monitor_new(resident.event, on_change, &resident, &resident.monitor) < 0)
		return -1;
	apply(&resident);
	run_until_whole(&resident);
	*state = &resident;
	return 0;
}

static int stop(void **state)
{
	struct resident *resident = *state;
	if (!resident)
		return 0;
	netconf_monitor_free(resident->monitor);
	sd_event_unref(resident->event);
	network_free(resident->network);
	return 0;
}

static void what_is_taken_by_hand_is_put_back_and_told(void **state)
{
	static const struct {
		const char *command, *sentence;
	} cases[] = {
		{"ip addr del 10.9.0.1/24 dev lan0", "lan0: add address 10.9.0.1/24\n"},
		{"ip addr del fd09::1/64 dev lan0", "lan0: add address fd09::1/64\n"},
		{"ip route del 10.99.0.0/16", "lan0: add route 10.99.0.0/16 via 10.9.0.2\n"},
		{"ip -6 route del fd99::/64", "lan0: add" ROUTE},
		{"ip rule del priority 70", "add rule from 10.9.0.0/24 table 99 priority 70\n"},
		{"ip link set lan0 down", "lan0: set up\n"},
		{"ip link del br0", "br0: make a bridge link\n"},
		{"ip link set br0 down", "br0: set up\n"},
		{"ip link del lan0 && ip link add lan0 type veth peer name lan1 && ip link set lan1 up",
			"lan0: add address 10.9.0.1/24\n"},
	};
	struct resident *resident = *state;
	if (!resident)
		skip();
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		settle(resident);
		resident->told[0] = '\0';
		assert_int_equal(system(cases[i].command), 0);
		run_until(resident, cases[i].sentence);
		run_until_whole(resident);
	}
	settle(resident);
	resident->told[0] = '\0';
	apply(resident);
	assert_string_equal(resident->told, "");
	assert_int_equal(system("ip addr show dev br0 | grep -q 10.8.0.1/24"), 0);
	assert_int_equal(system("ip -6 route show fd99::/64 | grep -q 'src fd09::1'"), 0);
}

static void a_cable_that_comes_back_finds_all_as_it_was(void **state)
{
	struct resident *resident = *state;
	if (!resident)
		skip();
	settle(resident);
	resident->told[0] = '\0';
	assert_int_equal(system("ip link set lan1 down"), 0);
	settle(resident);
	assert_int_equal(system("ip link set lan1 up"), 0);
	settle(resident);
	assert_string_equal(resident->told, "");
	assert_int_equal(system("ip route show 10.99.0.0/16 | grep -q 'via 10.9.0.2 dev lan0'"), 0);
	assert_int_equal(system("ip -6 route show fd99::/64 | grep -q 'via fd09::2 dev lan0'"), 0);
}

// The agent does not stand still until the kernel knows that the source is nobody else's.
static void a_route_comes_once_its_source_is_known(void **state)
{
	struct resident *resident = *state;
	if (!resident)
		skip();
	settle(resident);
	resident->told[0] = '\0';
	resident->was_half = false;
	assert_int_equal(system("ip addr del fd09::1/64 dev lan0"), 0);
	run_until(resident, ROUTE);
	const char *address = strstr(resident->told, "lan0: add address fd09::1/64\n");
	assert_non_null(address);
	const char *again = strstr(address, AGAIN);
	assert_true(again && again < strstr(resident->told, ROUTE));
	assert_true(resident->was_half && !resident->is_half);
	run_until_whole(resident);
}

static void what_others_do_is_theirs(void **state)
{
	struct resident *resident = *state;
	if (!resident)
		skip();
	settle(resident);
	resident->told[0] = '\0';
	assert_int_equal(system("ip addr add 10.7.7.7/24 dev lan0 && ip route add 10.6.0.0/16 via 10.7.7.1 && "
				"ip link add other0 type bridge && ip link set other0 up"), 0);
	settle(resident);
	assert_string_equal(resident->told, "");
	assert_int_equal(system("ip link del other0 && ip route del 10.6.0.0/16 && ip addr del 10.7.7.7/24 dev lan0"), 0);
	settle(resident);
	assert_string_equal(resident->told, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_taken_by_hand_is_put_back_and_told),
		cmocka_unit_test(a_cable_that_comes_back_finds_all_as_it_was),
		cmocka_unit_test(a_route_comes_once_its_source_is_known),
		cmocka_unit_test(what_others_do_is_theirs),
	};
	return cmocka_run_group_tests_name("repair", tests, start, stop);
}
