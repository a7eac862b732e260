// The kernel's neighbours: who answered, and when.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/neighbour.h"
#include "netconf/netlink.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neighbour_says_when_it_answered),
		cmocka_unit_test(neighbour_that_never_answered_is_none),
		cmocka_unit_test(damaged_neighbour_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
