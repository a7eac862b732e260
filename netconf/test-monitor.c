// The monitor tells of changes once per burst. Needs the right to make a network namespace; else skipped.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/time.h"
#include "netconf/netconf.h"

#include <sched.h>

struct seen {
	unsigned n_calls, changed;
	struct netconf_monitor **monitor_to_free;
};

static void on_change(unsigned changed, void *user)
{
	struct seen *seen = user;
	seen->n_calls++;
	seen->changed |= changed;
	if (seen->monitor_to_free)
		*seen->monitor_to_free = netconf_monitor_free(*seen->monitor_to_free);
}

static void run_for(sd_event *event, uint64_t usec)
{
	uint64_t end_usec = time_boot_usec() + usec, now_usec;
	while ((now_usec = time_boot_usec()) < end_usec)
		assert_true(sd_event_run(event, end_usec - now_usec) >= 0);
}

static void a_burst_is_one_call(void **state)
{
	sd_event *event = NULL;
	struct netconf_monitor *monitor = NULL;
	struct seen seen = {0};
	if (unshare(CLONE_NEWNET) < 0)
		skip();
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(netconf_monitor_new(event, on_change, &seen, &monitor), 0);
	run_for(event, 200 * USEC_PER_MSEC);
	assert_int_equal(seen.n_calls, 0);
	assert_int_equal(system("ip link set lo up && ip addr add 10.9.9.9/32 dev lo && ip route add 10.8.0.0/16 dev lo"), 0);
	run_for(event, 300 * USEC_PER_MSEC);
	assert_int_equal(seen.n_calls, 1);
	assert_int_equal(seen.changed, NETCONF_CHANGED_LINK | NETCONF_CHANGED_ADDRESS | NETCONF_CHANGED_ROUTE);
	assert_int_equal(system("ip addr del 10.9.9.9/32 dev lo"), 0);
	run_for(event, 300 * USEC_PER_MSEC);
	assert_int_equal(seen.n_calls, 2);
	seen.changed = 0;
	assert_int_equal(system("ip rule add from 10.8.0.0/16 table 99 && ip -6 rule add from fd00::/8 table 99"), 0);
	run_for(event, 300 * USEC_PER_MSEC);
	assert_int_equal(seen.n_calls, 3);
	assert_int_equal(seen.changed, NETCONF_CHANGED_RULE);
	seen.changed = 0;
	assert_int_equal(system("ip -6 rule del from fd00::/8 table 99"), 0);
	run_for(event, 300 * USEC_PER_MSEC);
	assert_int_equal(seen.n_calls, 4);
	assert_int_equal(seen.changed, NETCONF_CHANGED_RULE);
	netconf_monitor_free(monitor);
	sd_event_unref(event);
}

static void what_is_ours_and_goes_is_told_apart(void **state)
{
	static const struct {
		const char *make, *take;
	} cases[] = {
		{"ip addr add 10.9.9.9/32 dev lo", "ip addr del 10.9.9.9/32 dev lo"},
		{"ip -6 addr add fd09::9/128 dev lo", "ip -6 addr del fd09::9/128 dev lo"},
		{"ip route add 10.8.0.0/16 dev lo", "ip route del 10.8.0.0/16 dev lo"},
		{"ip -6 route add fd08::/16 dev lo", "ip -6 route del fd08::/16 dev lo"},
		{"ip rule add from 10.8.0.0/16 table 99", "ip rule del from 10.8.0.0/16 table 99"},
	};
	if (unshare(CLONE_NEWNET) < 0)
		skip();
	assert_int_equal(system("ip link set lo up"), 0);
	for (size_t i = 0; i < 2 * N_ELEMENTS(cases); i++) {
		sd_event *event = NULL;
		struct netconf_monitor *monitor = NULL;
		struct seen seen = {0};
		bool is_ours = i % 2;
		const char *make = cases[i / 2].make;
		const char *protocol = strstr(make, "addr") ? "proto" : "protocol";
		AUTO_FREE char *command = str_format("%s %s %s", make, protocol, is_ours ? "72" : "4");
		assert_int_equal(system(command), 0);
		assert_true(sd_event_new(&event) >= 0);
		assert_int_equal(netconf_monitor_new(event, on_change, &seen, &monitor), 0);
		assert_int_equal(system(cases[i / 2].take), 0);
		run_for(event, 200 * USEC_PER_MSEC);
		if (!seen.changed || !(seen.changed & NETCONF_CHANGED_OURS) == is_ours)
			fail_msg("%s: %u", command, seen.changed);
		netconf_monitor_free(monitor);
		sd_event_unref(event);
	}
}

static void a_callback_may_free_the_monitor(void **state)
{
	sd_event *event = NULL;
	struct netconf_monitor *monitor = NULL;
	struct seen seen = {.monitor_to_free = &monitor};
	if (unshare(CLONE_NEWNET) < 0)
		skip();
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(netconf_monitor_new(event, on_change, &seen, &monitor), 0);
	assert_int_equal(system("ip link set lo up"), 0);
	run_for(event, 300 * USEC_PER_MSEC);
	assert_int_equal(seen.n_calls, 1);
	assert_null(monitor);
	sd_event_unref(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_is_one_call),
		cmocka_unit_test(what_is_ours_and_goes_is_told_apart),
		cmocka_unit_test(a_callback_may_free_the_monitor),
	};
	return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
