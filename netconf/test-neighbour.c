// The kernel's neighbours: who answered, and when.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/neighbour.h"
#include "netconf/netconf.h"
#include "netconf/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

static struct nl_msg *neighbour(uint8_t family, uint16_t neighbour_state, const void *ip, int n_ip, uint32_t confirmed)
{
	struct ndmsg header = {.ndm_family = family, .ndm_ifindex = 2, .ndm_state = neighbour_state};
	struct nda_cacheinfo times = {.ndm_confirmed = confirmed};
	struct nl_msg *message = netlink_message(RTM_NEWNEIGH, 0, &header, sizeof(header));
	assert_non_null(message);
	if (n_ip)
		assert_int_equal(nla_put(message, NDA_DST, n_ip, ip), 0);
	assert_int_equal(nla_put(message, NDA_CACHEINFO, sizeof(times), &times), 0);
	return message;
}

static void neighbour_says_when_it_answered(void **state)
{
	static const uint8_t four[] = {10, 77, 0, 1}, six[16] = {0xfe, 0x80, [15] = 1};
	struct neighbour found;
	CLEANUP(nl_msgp) struct nl_msg *one = neighbour(AF_INET, NUD_REACHABLE, four, 4, 250);
	CLEANUP(nl_msgp) struct nl_msg *other = neighbour(AF_INET6, NUD_STALE, six, 16, 0);
	char text[ADDRESS_TEXT];
	assert_int_equal(neighbour_decode(nlmsg_hdr(one), &found), 1);
	assert_string_equal(ip_format(&found.ip, text), "10.77.0.1");
	assert_int_equal(found.age_usec, 2500000);
	assert_int_equal(neighbour_decode(nlmsg_hdr(other), &found), 1);
	assert_string_equal(ip_format(&found.ip, text), "fe80::1");
	assert_int_equal(found.age_usec, 0);
}

static void neighbour_that_never_answered_is_none(void **state)
{
	static const uint16_t states[] = {NUD_INCOMPLETE, NUD_FAILED, NUD_NOARP, NUD_PERMANENT, NUD_NONE};
	static const uint8_t four[] = {10, 77, 0, 1};
	struct neighbour found;
	for (size_t i = 0; i < N_ELEMENTS(states); i++) {
		CLEANUP(nl_msgp) struct nl_msg *one = neighbour(AF_INET, states[i], four, 4, 0);
		assert_int_equal(neighbour_decode(nlmsg_hdr(one), &found), 0);
	}
	CLEANUP(nl_msgp) struct nl_msg *bridge = neighbour(AF_BRIDGE, NUD_REACHABLE, four, 4, 0);
	assert_int_equal(neighbour_decode(nlmsg_hdr(bridge), &found), 0);
}

static void damaged_neighbour_is_refused(void **state)
{
	static const uint8_t four[] = {10, 77, 0, 1};
	struct neighbour found;
	CLEANUP(nl_msgp) struct nl_msg *shorter = neighbour(AF_INET6, NUD_REACHABLE, four, 4, 0);
	CLEANUP(nl_msgp) struct nl_msg *without = neighbour(AF_INET, NUD_REACHABLE, four, 0, 0);
	CLEANUP(nl_msgp) struct nl_msg *cut = neighbour(AF_INET, NUD_REACHABLE, four, 4, 0);
	assert_int_equal(neighbour_decode(nlmsg_hdr(shorter), &found), -EBADMSG);
	assert_int_equal(neighbour_decode(nlmsg_hdr(without), &found), -EBADMSG);
	nlmsg_hdr(cut)->nlmsg_len = NLMSG_HDRLEN + 4;
	assert_int_equal(neighbour_decode(nlmsg_hdr(cut), &found), -EBADMSG);
}

// --- a neighbour of another namespace ---

static pid_t other; // 0: there is none

static int two_namespaces(void **state)
{
	int pipe_fds[2];
	char byte, command[512];
	if (pipe(pipe_fds) < 0 || unshare(CLONE_NEWNET) < 0)
		return 0;
	other = fork();
	if (other == 0) {
		if (unshare(CLONE_NEWNET) == 0 && write(pipe_fds[1], "", 1) == 1)
			(void)pause();
		_exit(1);
	}
	(void)close(pipe_fds[1]);
	bool ready = other > 0 && read(pipe_fds[0], &byte, 1) == 1;
	(void)close(pipe_fds[0]);
	(void)snprintf(command, sizeof(command),
		"ip link add near0 type veth peer name far0 netns %d && ip addr add 10.77.0.9/24 dev near0 && ip link set near0 up && "
		"nsenter -t %d -n sh -c 'ip addr add 10.77.0.1/24 dev far0 && ip link set far0 up'", other, other);
	return ready && system(command) == 0 ? 0 : -1;
}

static int one_namespace(void **state)
{
	if (other > 0)
		(void)kill(other, SIGKILL);
	return 0;
}

static void wait_msec(unsigned msec)
{
	struct timespec time = {.tv_sec = msec / 1000, .tv_nsec = (long)(msec % 1000) * 1000000};
	(void)nanosleep(&time, NULL);
}

static void say_something(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(inet_pton(AF_INET, "10.77.0.1", &to.sin_addr), 1);
	assert_int_equal(sendto(fd, "", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
}

static uint64_t age_usec(void)
{
	uint64_t age_usec;
	for (unsigned i = 0; netconf_neighbour_age("10.77.0.1", &age_usec, NULL) < 0; i++) {
		assert_true(i < 100); // it answers within a moment
		wait_msec(50);
	}
	return age_usec;
}

static void neighbour_that_answered_just_now_is_asked_again(void **state)
{
	enum { LATER_MSEC = 700 };
	if (!other)
		skip();
	assert_int_equal(netconf_neighbour_ask("10.77.0.1", NULL), -ENOENT);
	say_something();
	(void)age_usec();
	wait_msec(LATER_MSEC);
	say_something(); // nobody is asked for that
	wait_msec(50);
	assert_true(age_usec() >= LATER_MSEC * 1000);
	assert_int_equal(netconf_neighbour_ask("10.77.0.1", NULL), 0);
	for (unsigned i = 0; age_usec() >= LATER_MSEC * 1000; i++) {
		assert_true(i < 100);
		wait_msec(50);
	}
}

// Asking is no answer.
static void neighbour_that_is_gone_does_not_become_younger(void **state)
{
	char command[128];
	if (!other)
		skip();
	(void)snprintf(command, sizeof(command), "nsenter -t %d -n ip addr del 10.77.0.1/24 dev far0", other);
	assert_int_equal(system(command), 0);
	wait_msec(200);
	uint64_t before_usec = age_usec(), after_usec;
	assert_int_equal(netconf_neighbour_ask("10.77.0.1", NULL), 0);
	wait_msec(300);
	if (netconf_neighbour_age("10.77.0.1", &after_usec, NULL) == 0) // else it has failed meanwhile
		assert_true(after_usec >= before_usec + 200 * 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neighbour_says_when_it_answered),
		cmocka_unit_test(neighbour_that_never_answered_is_none),
		cmocka_unit_test(damaged_neighbour_is_refused),
		cmocka_unit_test(neighbour_that_answered_just_now_is_asked_again),
		cmocka_unit_test(neighbour_that_is_gone_does_not_become_younger),
	};
	return cmocka_run_group_tests(tests, two_namespaces, one_namespace);
}
