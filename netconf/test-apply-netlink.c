// Plans done on a kernel that refuses: what is sent behind a failure, and when the kernel is to be looked at again.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/apply-netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

// --- a kernel: these stand before libc's ---

static struct {
	int (*refuses)(const struct nlmsghdr *request); // 0, or the error of its answer
	char said[1024];                                // a word per request
	uint8_t answers[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	size_t n_answers;
	bool is_up;
} fake;

static void say(const struct nlmsghdr *request)
{
	const struct ifinfomsg *link = nlmsg_data(request);
	struct nlmsghdr *message = (struct nlmsghdr *)(uintptr_t)request;
	const char *word = "?";
	if (request->nlmsg_type == RTM_NEWLINK)
		word = request->nlmsg_flags & NLM_F_CREATE                         ? "make"
		       : nlmsg_find_attr(message, sizeof(*link), IFLA_IFALIAS) ? "mark"
		       : nlmsg_find_attr(message, sizeof(*link), IFLA_ADDRESS) ? link->ifi_change ? "mac-and-state" : "mac"
		       : link->ifi_change                                      ? link->ifi_flags & IFF_UP ? "up" : "down"
									       : "set";
	else if (request->nlmsg_type == RTM_DELLINK)
		word = "unmake";
	else if (request->nlmsg_type == RTM_NEWADDR || request->nlmsg_type == RTM_DELADDR)
		word = request->nlmsg_type == RTM_NEWADDR ? "address" : "no-address";
	else if (request->nlmsg_type == RTM_NEWROUTE || request->nlmsg_type == RTM_DELROUTE)
		word = request->nlmsg_type == RTM_NEWROUTE ? "route" : "no-route";
	size_t n = strlen(fake.said);
	(void)snprintf(fake.said + n, sizeof(fake.said) - n, "%s%s", n ? " " : "", word);
	if (request->nlmsg_type == RTM_NEWLINK && link->ifi_change)
		fake.is_up = link->ifi_flags & IFF_UP;
}

ssize_t sendto(int fd, const void *bytes, size_t n, int flags, __CONST_SOCKADDR_ARG to, socklen_t n_to)
{
	const struct nlmsghdr *request = bytes;
	fake.n_answers = 0;
	for (int left = (int)n; nlmsg_ok(request, left); request = nlmsg_next((struct nlmsghdr *)(uintptr_t)request, &left)) {
		int code = fake.refuses(request);
		say(request);
		if (!code && !(request->nlmsg_flags & NLM_F_ACK))
			continue;
		struct nlmsghdr *answer = (struct nlmsghdr *)(fake.answers + fake.n_answers);
		*answer = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(sizeof(struct nlmsgerr)), .nlmsg_type = NLMSG_ERROR,
			.nlmsg_seq = request->nlmsg_seq, .nlmsg_flags = NLM_F_CAPPED};
		*(struct nlmsgerr *)nlmsg_data(answer) = (struct nlmsgerr){.error = code, .msg = *request};
		fake.n_answers += NLMSG_ALIGN(answer->nlmsg_len);
	}
	return (ssize_t)n;
}

ssize_t recvmsg(int fd, struct msghdr *envelope, int flags)
{
	size_t n = fake.n_answers;
	assert_true(n > 0 && n <= envelope->msg_iov->iov_len);
	memcpy(envelope->msg_iov->iov_base, fake.answers, n);
	*(struct sockaddr_nl *)envelope->msg_name = (struct sockaddr_nl){.nl_family = AF_NETLINK};
	envelope->msg_flags = 0;
	fake.n_answers = 0;
	return (ssize_t)n;
}

unsigned if_nametoindex(const char *name)
{
	return str_equal(name, "bond0") ? 7 : 0;
}

// --- plans ---

static struct declaration bond = {.kind = DECLARATION_BOND, .id = (char *)"bond0"};

static struct change change_of(enum change_type type, const char *name, int link_index)
{
	struct change change = {.type = type, .link_index = link_index};
	(void)snprintf(change.name, sizeof(change.name), "%s", name);
	if (type == CHANGE_LINK_CREATE)
		change.declaration = &bond;
	if (type == CHANGE_ADDRESS_ADD || type == CHANGE_ADDRESS_REMOVE || type == CHANGE_ADDRESS_REPREFIX)
		assert_int_equal(address_parse(type == CHANGE_ADDRESS_REMOVE ? "fd00::1/64" : "fd00::2/64", true, &change.address), 0);
	if (type == CHANGE_ROUTE_ADD || type == CHANGE_ROUTE_REMOVE) {
		change.route = (struct route){.table = RT_TABLE_MAIN, .type = RTN_UNICAST};
		assert_int_equal(address_parse("fd01::/64", true, &change.route.destination), 0);
	}
	return change;
}

static char *waits_for;             // of the plan
static struct plan_outcome outcome; // of the last one, without its failures

static int done(struct change *changes, size_t n, int (*refuses)(const struct nlmsghdr *), bool *ret_again, struct diag *reterr)
{
	struct plan plan = {.changes = changes, .n = n, .waits_for = waits_for};
	fake.refuses = refuses;
	fake.said[0] = '\0';
	for (size_t i = 0; i < n; i++)
		changes[i].has_failed = false;
	int error = apply_netlink(&plan, ret_again, reterr);
	outcome = plan.outcome;
	free(TAKE_PTR(outcome.failures));
	return error;
}

static int nothing(const struct nlmsghdr *request)
{
	return 0;
}

static int addresses(const struct nlmsghdr *request)
{
	return request->nlmsg_type == RTM_NEWADDR ? -EINVAL : 0;
}

static void nothing_is_taken_away_behind_a_failure(void **state)
{
	struct change changes[] = {change_of(CHANGE_ADDRESS_ADD, "eth0", 2), change_of(CHANGE_ROUTE_ADD, "eth0", 2),
		change_of(CHANGE_ROUTE_REMOVE, "eth0", 2), change_of(CHANGE_ADDRESS_REMOVE, "eth0", 2),
		change_of(CHANGE_LINK_REMOVE, "old0", 3)};
	struct diag diag = {0};
	bool again = false;
	assert_int_equal(done(changes, N_ELEMENTS(changes), addresses, &again, &diag), -EINVAL);
	assert_string_equal(fake.said, "address route");
	assert_string_equal(diag_text(&diag), "cannot do \"eth0: add address fd00::2/64\": Invalid argument");
	assert_int_equal(outcome.n_done, 1);
	assert_int_equal(outcome.n_failed, 1);
	assert_int_equal(outcome.n_left, 3);
	assert_int_equal(done(changes, N_ELEMENTS(changes), nothing, &again, &diag), 0);
	assert_int_equal(outcome.n_done, 5);
	assert_string_equal(fake.said, "address route no-route no-address unmake");
	assert_false(again);
}

static int new_routes(const struct nlmsghdr *request)
{
	return request->nlmsg_type == RTM_NEWROUTE ? -EINVAL : 0;
}

// The address came with the same batch, and is usable a moment later.
static void a_route_whose_source_just_came_is_tried_once_more(void **state)
{
	struct change changes[] = {change_of(CHANGE_ADDRESS_ADD, "wg0", 2), change_of(CHANGE_ROUTE_ADD, "wg0", 2),
		change_of(CHANGE_ROUTE_REMOVE, "wg0", 2)};
	struct diag diag = {0};
	bool again = false;
	changes[1].route.source = changes[0].address.ip;
	assert_int_equal(done(changes, N_ELEMENTS(changes), new_routes, &again, &diag), 0);
	assert_true(again);
	assert_string_equal(fake.said, "address route"); // nothing is taken away yet
	assert_int_equal(done(changes, N_ELEMENTS(changes), new_routes, NULL, &diag), -EINVAL);
	again = false;
	changes[1].route.source = (struct ip){0};
	assert_int_equal(done(changes, N_ELEMENTS(changes), new_routes, &again, &diag), -EINVAL);
	assert_false(again);
}

static int new_links(const struct nlmsghdr *request)
{
	return request->nlmsg_flags & NLM_F_EXCL && request->nlmsg_type == RTM_NEWLINK ? -EOPNOTSUPP : 0;
}

static void an_address_does_not_move_to_a_link_that_cannot_be_made(void **state)
{
	struct change changes[] = {change_of(CHANGE_LINK_CREATE, "bond0", 0), change_of(CHANGE_ADDRESS_REPREFIX, "eth0", 2),
		change_of(CHANGE_ADDRESS_REPREFIX, "eth1", 3), change_of(CHANGE_ADDRESS_ADD, "bond0", 7)};
	bool again = false;
	for (int moves = 0; moves < 2; moves++) { // one whose prefix changes comes back on the link that it is on
		changes[1].moves = changes[2].moves = moves;
		assert_int_equal(done(changes, N_ELEMENTS(changes), new_links, &again, NULL), -EOPNOTSUPP);
		assert_string_equal(fake.said, moves ? "make mark address" : "make mark no-address no-address address");
		assert_int_equal(outcome.n_left, moves ? 2 : 0);
		assert_int_equal(outcome.n_done, moves ? 1 : 3);
		assert_int_equal(done(changes, N_ELEMENTS(changes), nothing, &again, NULL), 0);
		assert_string_equal(fake.said, "make mark no-address no-address address");
	}
}

static void nothing_is_taken_away_before_what_waits_has_come(void **state)
{
	struct change changes[] = {change_of(CHANGE_ADDRESS_ADD, "eth0", 2), change_of(CHANGE_ROUTE_REMOVE, "eth0", 2)};
	bool again = false;
	waits_for = (char *)"a route with another metric";
	assert_int_equal(done(changes, N_ELEMENTS(changes), nothing, &again, NULL), 0);
	assert_string_equal(fake.said, "address");
	assert_int_equal(done(changes, N_ELEMENTS(changes), nothing, NULL, NULL), 0); // the last time
	assert_string_equal(fake.said, "address no-route");
	waits_for = NULL;
}

static int makes(const struct nlmsghdr *request)
{
	return request->nlmsg_flags & NLM_F_EXCL && request->nlmsg_type == RTM_NEWLINK ? -EEXIST : 0;
}

static void nothing_is_done_to_a_link_that_is_there_already(void **state)
{
	struct change changes[] = {change_of(CHANGE_LINK_CREATE, "bond0", 0), change_of(CHANGE_LINK_SET, "eth0", 2),
		change_of(CHANGE_LINK_REMOVE, "old0", 3)};
	struct diag diag = {0};
	bool again = false;
	changes[1].set.mtu = 1400;
	assert_int_equal(done(changes, N_ELEMENTS(changes), makes, &again, &diag), 0);
	assert_true(again);
	assert_string_equal(fake.said, "make mark");
	// and the second time it is a failure
	assert_int_equal(done(changes, N_ELEMENTS(changes), makes, NULL, &diag), -EEXIST);
	assert_string_equal(fake.said, "make mark set");
	assert_string_equal(diag_text(&diag), "cannot do \"bond0: make a bond link\": File exists");
}

static void a_vlan_whose_id_a_stranger_has_is_refused_with_the_kernels_reason(void **state)
{
	struct change changes[] = {change_of(CHANGE_LINK_CREATE, "lan7", 0), change_of(CHANGE_LINK_SET, "eth0", 2)};
	struct diag diag = {0};
	bool again = false;
	assert_int_equal(done(changes, N_ELEMENTS(changes), makes, &again, &diag), -EEXIST);
	assert_false(again);
	assert_string_equal(diag_text(&diag), "cannot do \"lan7: make a bond link\": File exists");
}

static int up_without_mac(const struct nlmsghdr *request)
{
	const struct ifinfomsg *link = nlmsg_data(request);
	return request->nlmsg_type == RTM_NEWLINK && link->ifi_flags & IFF_UP ? -EADDRNOTAVAIL : 0;
}

static void a_link_without_a_mac_is_looked_at_again(void **state)
{
	struct change changes[] = {change_of(CHANGE_LINK_SET, "lan7", 2), change_of(CHANGE_ADDRESS_ADD, "lan7", 2)};
	struct diag diag = {0};
	bool again = false;
	changes[0].set.up = true;
	assert_int_equal(done(changes, N_ELEMENTS(changes), up_without_mac, &again, &diag), 0);
	assert_true(again);
	assert_string_equal(fake.said, "up"); // nothing is done behind it
	assert_int_equal(done(changes, N_ELEMENTS(changes), up_without_mac, NULL, &diag), -EADDRNOTAVAIL);
}

// A driver that takes a MAC only while its link is down; the kernel does not ask it for the one that it has.
static bool has_the_mac;
static int mac_while_up(const struct nlmsghdr *request)
{
	bool has_mac = request->nlmsg_type == RTM_NEWLINK &&
		       nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)request, sizeof(struct ifinfomsg), IFLA_ADDRESS);
	if (!has_mac || has_the_mac)
		return 0;
	has_the_mac = !fake.is_up;
	return fake.is_up ? -EBUSY : 0;
}

static void a_link_goes_down_for_its_new_mac_when_it_has_to(void **state)
{
	struct change changes[] = {change_of(CHANGE_LINK_SET, "eth0", 2), change_of(CHANGE_ADDRESS_ADD, "eth0", 2)};
	struct diag diag = {0};
	bool again = false;
	changes[0].set.has_mac = true;
	for (int is_up = 0; is_up < 2; is_up++) {
		fake.is_up = is_up;
		has_the_mac = false;
		assert_int_equal(done(changes, N_ELEMENTS(changes), mac_while_up, &again, &diag), 0);
		assert_true(has_the_mac);
		assert_string_equal(fake.said, is_up ? "mac down mac up mac" : "mac mac address"); // the rest comes with the next plan
		assert_int_equal(again, is_up); // it lost its routes
	}
	changes[0].set.down = true;
	fake.is_up = true;
	has_the_mac = false;
	assert_int_equal(done(changes, 1, mac_while_up, &again, &diag), 0);
	assert_string_equal(fake.said, "mac down mac mac-and-state");
	assert_false(fake.is_up); // which was to go down, and stays it
}

static int macs(const struct nlmsghdr *request)
{
	return nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)request, sizeof(struct ifinfomsg), IFLA_ADDRESS) ? -EOPNOTSUPP : 0;
}

static void a_mac_that_is_never_taken_is_told_once(void **state)
{
	struct change changes[] = {change_of(CHANGE_LINK_SET, "eth0", 2)};
	struct diag diag = {0};
	bool again = false;
	changes[0].set.has_mac = true;
	assert_int_equal(done(changes, 1, macs, &again, &diag), -EOPNOTSUPP);
	assert_string_equal(fake.said, "mac mac");
	assert_false(again);
}

static int links_that_are_gone(const struct nlmsghdr *request)
{
	return request->nlmsg_type == RTM_DELLINK ? -ENODEV : 0;
}

static int all_links(const struct nlmsghdr *request)
{
	return -ENODEV;
}

// A VLAN may have gone with what it stood on; and what it shall stand on may have gone, too.
static void a_link_that_cannot_be_made_anew_is_told(void **state)
{
	struct change changes[] = {change_of(CHANGE_LINK_REPLACE, "bond0", 5)};
	struct diag diag = {0};
	changes[0].declaration = &bond;
	assert_int_equal(done(changes, 1, links_that_are_gone, NULL, &diag), 0);
	assert_string_equal(fake.said, "unmake make mark");
	assert_int_equal(done(changes, 1, all_links, NULL, &diag), -ENODEV);
	assert_non_null(strstr(diag.message, "No such device"));
}

static int routes(const struct nlmsghdr *request)
{
	return request->nlmsg_type == RTM_NEWROUTE ? -ENETUNREACH : 0;
}

static void every_failure_is_told_by_its_place_and_counted(void **state)
{
	static struct route wanted[30];
	static struct place places[30];
	struct declaration eth0 = {.id = (char *)"eth0", .routes = wanted, .routes_where = places, .n_routes = 30};
	struct change changes[30];
	for (unsigned i = 0; i < 30; i++) {
		changes[i] = change_of(CHANGE_ROUTE_ADD, "eth0", 2);
		changes[i].declaration = &eth0;
		changes[i].route.destination.ip.bytes[7] = (uint8_t)i;
		wanted[29 - i] = changes[i].route;
		places[i] = (struct place){"a.yaml", i + 1, 7};
	}
	struct plan plan = {.changes = changes, .n = 30};
	struct diag diag = {0};
	fake.refuses = routes;
	fake.said[0] = '\0';
	assert_int_equal(apply_netlink(&plan, NULL, &diag), -ENETUNREACH);
	assert_string_equal(diag_text(&diag), "a.yaml:30:7: cannot do \"eth0: add route fd01::/64\": Network is unreachable; 29 more failed");
	assert_int_equal(plan.outcome.n_failed, 30);
	assert_string_equal(plan.outcome.failures[PLAN_MAX_FAILURES - 1].where, "a.yaml:11:7");
	(void)plan_note_failure(&plan, &changes[3], -EINVAL, ""); // said twice by the kernel
	assert_int_equal(plan.outcome.n_failed, 30);
	free(plan.outcome.failures);
}

static void a_rule_that_fails_is_told_by_its_place(void **state)
{
	struct rule wanted[2] = {{.family = AF_INET, .table = 100}, {.family = AF_INET, .table = 100, .priority = 90, .has_priority = true}};
	struct place places[2] = {{"a.yaml", 4, 9}, {"a.yaml", 5, 9}};
	struct declaration eth0 = {.id = (char *)"eth0", .rules = wanted, .rules_where = places, .n_rules = 2};
	struct change change = change_of(CHANGE_RULE_ADD, "", 0);
	struct plan plan = {.changes = &change, .n = 1};
	change.declaration = &eth0;
	change.rule = wanted[1];
	assert_int_equal(plan_note_failure(&plan, &change, -EPERM, ""), -EPERM);
	assert_string_equal(plan.outcome.failures[0].where, "a.yaml:5:9");
	free(plan.outcome.failures);
}

static void what_to_do_about_a_gateway_is_said(void **state)
{
	struct change change = change_of(CHANGE_ROUTE_ADD, "eth0", 2);
	struct plan plan = {.changes = &change, .n = 1};
	assert_int_equal(ip_parse("fd00::9", &change.route.gateway), 0);
	assert_int_equal(plan_note_failure(&plan, &change, -EHOSTUNREACH, "Nexthop has invalid gateway"), -EHOSTUNREACH);
	assert_string_equal(diag_text(plan.outcome.failures), "cannot do \"eth0: add route fd01::/64 via fd00::9\": No route to host "
		"(Nexthop has invalid gateway); its gateway must be in a subnet of the link, or have on-link: true");
	free(plan.outcome.failures);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_link_that_cannot_be_made_anew_is_told),
		cmocka_unit_test(nothing_is_taken_away_behind_a_failure),
		cmocka_unit_test(a_route_whose_source_just_came_is_tried_once_more),
		cmocka_unit_test(an_address_does_not_move_to_a_link_that_cannot_be_made),
		cmocka_unit_test(nothing_is_taken_away_before_what_waits_has_come),
		cmocka_unit_test(nothing_is_done_to_a_link_that_is_there_already),
		cmocka_unit_test(a_vlan_whose_id_a_stranger_has_is_refused_with_the_kernels_reason),
		cmocka_unit_test(a_link_without_a_mac_is_looked_at_again),
		cmocka_unit_test(a_link_goes_down_for_its_new_mac_when_it_has_to),
		cmocka_unit_test(a_mac_that_is_never_taken_is_told_once),
		cmocka_unit_test(every_failure_is_told_by_its_place_and_counted),
		cmocka_unit_test(a_rule_that_fails_is_told_by_its_place),
		cmocka_unit_test(what_to_do_about_a_gateway_is_said),
	};
	return cmocka_run_group_tests_name("apply-netlink", tests, NULL, NULL);
}
