// Batches: failures are told, successes are silent, and the kernel's words name what they mean.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/kernel.h"
#include "netconf/netlink-error.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/syscall.h>

// --- a kernel that is short of memory, or changes while it is read: these two stand before libc's ---

static unsigned n_answers_lost, n_sends_refused, n_dumps_interrupted;

ssize_t recvmsg(int fd, struct msghdr *envelope, int flags)
{
	ssize_t n = syscall(SYS_recvmsg, fd, envelope, flags);
	if (n <= 0)
		return n;
	if (n_answers_lost) {
		n_answers_lost--;
		errno = ENOBUFS;
		return -1;
	}
	if (n_dumps_interrupted) {
		n_dumps_interrupted--;
		((struct nlmsghdr *)envelope->msg_iov->iov_base)->nlmsg_flags |= NLM_F_DUMP_INTR;
	}
	return n;
}

ssize_t sendto(int fd, const void *bytes, size_t n, int flags, __CONST_SOCKADDR_ARG to, socklen_t n_to)
{
	if (n_sends_refused) {
		n_sends_refused--;
		errno = ENOBUFS;
		return -1;
	}
	return syscall(SYS_sendto, fd, bytes, n, flags, to.__sockaddr__, n_to);
}

// --- words ---

// An NLMSG_ERROR of @code; the request @request is echoed when it is not NULL.
static struct nl_msg *answer_of(int code, const struct nlmsghdr *request)
{
	struct nlmsgerr error = {.error = code};
	struct nl_msg *message = netlink_message(NLMSG_ERROR,
		(uint16_t)(NLM_F_ACK_TLVS | (request ? 0 : NLM_F_CAPPED)), NULL, 0);
	assert_non_null(message);
	if (request)
		error.msg = *request;
	assert_int_equal(nlmsg_append(message, &error, sizeof(error), 0), 0);
	if (request)
		assert_int_equal(nlmsg_append(message, nlmsg_data(request), (size_t)nlmsg_datalen(request), NLMSG_ALIGNTO), 0);
	return message;
}

static struct nl_msg *request_new(void)
{
	struct ifinfomsg header = {.ifi_index = 1};
	struct nl_msg *request = netlink_message(RTM_NEWLINK, 0, &header, sizeof(header));
	assert_non_null(request);
	assert_int_equal(nla_put_u32(request, IFLA_MTU, 3), 0); // at byte 32
	return request;
}

static void words_and_attribute_are_told(void **state)
{
	CLEANUP(nl_msgp) struct nl_msg *request = request_new();
	char words[256];
	for (int is_echoed = 0; is_echoed < 2; is_echoed++) {
		CLEANUP(nl_msgp) struct nl_msg *answer = answer_of(-EINVAL, is_echoed ? nlmsg_hdr(request) : NULL);
		assert_int_equal(nla_put_string(answer, NLMSGERR_ATTR_MSG, "mtu less than device minimum"), 0);
		netlink_error_words(nlmsg_hdr(answer), nlmsg_hdr(request), words, sizeof(words));
		assert_string_equal(words, "mtu less than device minimum");
		assert_int_equal(nla_put_u32(answer, NLMSGERR_ATTR_OFFS, 32), 0);
		netlink_error_words(nlmsg_hdr(answer), nlmsg_hdr(request), words, sizeof(words));
		assert_string_equal(words, "mtu less than device minimum (attribute 4 at byte 32)");
		netlink_error_words(nlmsg_hdr(answer), NULL, words, sizeof(words));
		assert_string_equal(words, "mtu less than device minimum");
		assert_int_equal(netlink_error_code(nlmsg_hdr(answer)), -EINVAL);
	}
}

static void a_missing_attribute_is_told(void **state)
{
	CLEANUP(nl_msgp) struct nl_msg *answer = answer_of(-EINVAL, NULL);
	char words[256];
	assert_int_equal(nla_put_u32(answer, NLMSGERR_ATTR_MISS_TYPE, 2), 0);
	netlink_error_words(nlmsg_hdr(answer), NULL, words, sizeof(words));
	assert_string_equal(words, "attribute 2 is missing");
}

static void an_offset_outside_the_request_names_nothing(void **state)
{
	static const uint32_t outside[] = {0, 15, 37, 40, UINT32_MAX};
	CLEANUP(nl_msgp) struct nl_msg *request = request_new();
	char words[256];
	for (size_t i = 0; i < N_ELEMENTS(outside); i++) {
		CLEANUP(nl_msgp) struct nl_msg *answer = answer_of(-EINVAL, NULL);
		assert_int_equal(nla_put_u32(answer, NLMSGERR_ATTR_OFFS, outside[i]), 0);
		netlink_error_words(nlmsg_hdr(answer), nlmsg_hdr(request), words, sizeof(words));
		assert_string_equal(words, "");
	}
}

static void a_short_answer_has_no_words(void **state)
{
	CLEANUP(nl_msgp) struct nl_msg *answer = answer_of(-EINVAL, NULL);
	char words[256];
	assert_int_equal(nla_put_string(answer, NLMSGERR_ATTR_MSG, "words"), 0);
	struct nlmsghdr *header = nlmsg_hdr(answer);
	for (uint32_t n = header->nlmsg_len - 1; n >= NLMSG_HDRLEN; n--) {
		AUTO_FREE struct nlmsghdr *exact = malloc(n);
		assert_non_null(exact);
		memcpy(exact, header, n);
		exact->nlmsg_len = n;
		netlink_error_words(exact, NULL, words, sizeof(words));
		if (n < NLMSG_HDRLEN + sizeof(struct nlmsgerr))
			assert_int_equal(netlink_error_code(exact), -EBADMSG);
		if (n < NLMSG_HDRLEN + sizeof(struct nlmsgerr) + NLA_HDRLEN)
			assert_string_equal(words, "");
	}
}

// --- a real kernel: needs the right to make a network namespace, else skipped ---

enum { N_ROUTES = 5000 };

struct told {
	size_t n, last_tag;
	bool in_order;
	int error;
	char words[256];
};

static void on_error(size_t tag, int error, const char *words, void *user)
{
	struct told *told = user;
	told->in_order &= told->n == 0 || tag > told->last_tag;
	told->last_tag = tag;
	told->error = error;
	told->n++;
	(void)snprintf(told->words, sizeof(told->words), "%s", words);
}

static struct nl_msg *route_request(unsigned nth, bool is_bad)
{
	struct rtmsg header = {.rtm_family = AF_INET, .rtm_dst_len = 32, .rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = HEARTH_PROTOCOL, .rtm_type = is_bad ? RTN_MAX + 5 : RTN_BLACKHOLE};
	uint8_t to[4] = {10, 0, (uint8_t)(nth >> 8), (uint8_t)nth};
	struct nl_msg *message = netlink_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &header, sizeof(header));
	assert_non_null(message);
	assert_int_equal(nla_put(message, RTA_DST, sizeof(to), to), 0);
	return message;
}

static void send_routes(struct netlink *netlink, unsigned bad_every, struct told *ret)
{
	*ret = (struct told){.in_order = true};
	for (unsigned i = 0; i < N_ROUTES; i++)
		assert_int_equal(netlink_batch_add(netlink, route_request(i, bad_every && i % bad_every == 0), i, on_error,
					 ret), 0);
	assert_int_equal(netlink_batch_end(netlink, on_error, ret), 0);
	assert_int_equal(netlink_batch_end(netlink, on_error, ret), 0); // nothing is left
}

static struct netlink *namespace_new(void)
{
	struct netlink *netlink = NULL;
	if (unshare(CLONE_NEWNET) < 0)
		return NULL;
	assert_int_equal(netlink_open(NETLINK_ROUTE, &netlink, NULL), 0);
	return netlink;
}

static size_t n_routes(void)
{
	CLEANUP(kernel_freep) struct kernel *kernel = NULL;
	assert_int_equal(kernel_read(KERNEL_ROUTES, &kernel, NULL), 0);
	size_t n = 0;
	for (size_t i = 0; i < kernel->n_routes; i++)
		n += kernel->routes[i].protocol == HEARTH_PROTOCOL;
	return n;
}

static void every_failure_of_a_batch_is_told_and_nothing_else(void **state)
{
	CLEANUP(netlink_freep) struct netlink *netlink = namespace_new();
	struct told told;
	if (!netlink)
		skip();
	send_routes(netlink, 7, &told);
	assert_int_equal(told.n, (N_ROUTES + 6) / 7);
	assert_true(told.in_order);
	assert_int_equal(n_routes(), N_ROUTES - told.n);
	send_routes(netlink, 0, &told); // those that are there fail, the others come
	assert_int_equal(told.n, N_ROUTES - (N_ROUTES + 6) / 7);
	assert_int_equal(told.error, -EEXIST);
	assert_int_equal(n_routes(), N_ROUTES);
	send_routes(netlink, 0, &told);
	assert_int_equal(told.n, N_ROUTES);
	assert_int_equal(told.last_tag, N_ROUTES - 1);
}

static void an_answer_that_is_lost_is_asked_for_again(void **state)
{
	CLEANUP(netlink_freep) struct netlink *netlink = namespace_new();
	struct told told;
	if (!netlink)
		skip();
	n_answers_lost = 3;
	n_sends_refused = 2;
	send_routes(netlink, 0, &told);
	assert_int_equal(n_answers_lost, 0);
	assert_int_equal(n_sends_refused, 0);
	assert_int_equal(told.n, 0); // what stood from the first time is no failure
	assert_int_equal(n_routes(), N_ROUTES);
	n_answers_lost = 1;
	send_routes(netlink, 7, &told); // but a failure is one; the batch that was repeated cannot tell "exists" any more
	assert_true(told.n >= (N_ROUTES + 6) / 7 && told.n < N_ROUTES);
}

static void a_kernel_that_never_answers_is_given_up(void **state)
{
	CLEANUP(netlink_freep) struct netlink *netlink = namespace_new();
	struct told told = {0};
	if (!netlink)
		skip();
	n_answers_lost = 1000;
	assert_int_equal(netlink_batch_add(netlink, route_request(1, false), 0, on_error, &told), 0);
	assert_int_equal(netlink_batch_end(netlink, on_error, &told), -ENOBUFS);
	assert_true(n_answers_lost > 900); // not asked for ever
	n_answers_lost = 0;
	n_sends_refused = 1000;
	assert_int_equal(netlink_batch_add(netlink, route_request(2, false), 0, on_error, &told), 0);
	assert_int_equal(netlink_batch_end(netlink, on_error, &told), -ENOBUFS);
	assert_true(n_sends_refused > 900);
	n_sends_refused = 0;
	assert_int_equal(netlink_batch_add(netlink, route_request(3, false), 0, on_error, &told), 0);
	assert_int_equal(netlink_batch_end(netlink, on_error, &told), 0); // the socket is as good as new
	assert_int_equal(told.n, 0);
}

static void a_dump_that_is_interrupted_starts_again(void **state)
{
	CLEANUP(netlink_freep) struct netlink *netlink = namespace_new();
	CLEANUP(kernel_freep) struct kernel *kernel = NULL;
	struct diag diag = {0};
	struct told told;
	if (!netlink)
		skip();
	send_routes(netlink, 0, &told);
	n_dumps_interrupted = 2;
	n_answers_lost = 2;
	assert_int_equal(n_routes(), N_ROUTES); // each of them once
	assert_int_equal(n_dumps_interrupted, 0);
	n_dumps_interrupted = 100000;
	assert_int_equal(kernel_read(KERNEL_LINKS, &kernel, &diag), -EAGAIN);
	assert_string_equal(diag_text(&diag), "kernel: its network cannot be read: it never stops changing");
	n_dumps_interrupted = 0;
}

static void the_kernels_words_are_in_the_message(void **state)
{
	CLEANUP(netlink_freep) struct netlink *netlink = namespace_new();
	struct diag diag = {0};
	struct ifinfomsg header = {.ifi_index = 1};
	if (!netlink)
		skip();
	struct nl_msg *message = netlink_message(RTM_NEWLINK, 0, &header, sizeof(header));
	assert_non_null(message);
	assert_int_equal(nla_put_string(message, IFLA_IFNAME, "a name that is far too long for a link"), 0);
	assert_true(netlink_call(netlink, message, &diag) < 0);
	if (!strstr(diag.message, "(attribute 3 at byte 32)"))
		fail_msg("%s", diag_text(&diag));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_and_attribute_are_told),
		cmocka_unit_test(a_missing_attribute_is_told),
		cmocka_unit_test(an_offset_outside_the_request_names_nothing),
		cmocka_unit_test(a_short_answer_has_no_words),
		cmocka_unit_test(every_failure_of_a_batch_is_told_and_nothing_else),
		cmocka_unit_test(an_answer_that_is_lost_is_asked_for_again),
		cmocka_unit_test(a_kernel_that_never_answers_is_given_up),
		cmocka_unit_test(a_dump_that_is_interrupted_starts_again),
		cmocka_unit_test(the_kernels_words_are_in_the_message),
	};
	return cmocka_run_group_tests_name("netlink", tests, NULL, NULL);
}
