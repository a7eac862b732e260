// WireGuard messages: what we encode decodes to the same, split or not; and deltas of peers.
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "netconf/wireguard.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <sys/socket.h>

// --- a kernel with one device that changes, or runs out of buffers, while it is read: these two stand before libc's ---

enum { FAMILY = 30, PORT = 51820 };

static struct {
	uint8_t answer[1024] __attribute__((aligned(NLMSG_ALIGNTO)));
	size_t n_answer;
	bool is_dump;
	unsigned n_dumps, n_lost, n_interrupted;
} fake;

static struct nlmsghdr *answer_add(const struct nlmsghdr *request, uint16_t type, const void *content, size_t n)
{
	struct nlmsghdr *message = (struct nlmsghdr *)(fake.answer + fake.n_answer);
	*message = (struct nlmsghdr){.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + n), .nlmsg_type = type,
		.nlmsg_seq = request->nlmsg_seq};
	memcpy(nlmsg_data(message), content, n);
	fake.n_answer += NLMSG_ALIGN(message->nlmsg_len);
	assert_true(fake.n_answer <= sizeof(fake.answer));
	return message;
}

ssize_t sendto(int fd, const void *bytes, size_t n, int flags, __CONST_SOCKADDR_ARG to, socklen_t n_to)
{
	const struct nlmsghdr *request = bytes;
	struct {
		struct genlmsghdr generic;
		struct nlattr attribute;
		uint16_t value;
	} content = {{.version = 1}, {.nla_len = NLA_HDRLEN + 2, .nla_type = CTRL_ATTR_FAMILY_ID}, FAMILY};
	struct nlmsgerr acknowledged = {.error = 0};
	int done = 0;
	fake.n_answer = 0;
	fake.is_dump = request->nlmsg_type == FAMILY;
	if (fake.is_dump) {
		content.attribute.nla_type = WGDEVICE_A_LISTEN_PORT;
		content.value = PORT;
	}
	struct nlmsghdr *first = answer_add(request, request->nlmsg_type, &content, GENL_HDRLEN + NLA_HDRLEN + 2);
	if (!fake.is_dump) {
		(void)answer_add(request, NLMSG_ERROR, &acknowledged, sizeof(acknowledged));
		return (ssize_t)n;
	}
	fake.n_dumps++;
	if (fake.n_interrupted) {
		fake.n_interrupted--;
		first->nlmsg_flags = NLM_F_DUMP_INTR;
	}
	(void)answer_add(request, NLMSG_DONE, &done, sizeof(done));
	return (ssize_t)n;
}

ssize_t recvmsg(int fd, struct msghdr *envelope, int flags)
{
	if (fake.is_dump && fake.n_lost) {
		fake.n_lost--;
		errno = ENOBUFS;
		return -1;
	}
	size_t n = fake.n_answer;
	assert_true(n > 0 && n <= envelope->msg_iov->iov_len);
	memcpy(envelope->msg_iov->iov_base, fake.answer, n);
	*(struct sockaddr_nl *)envelope->msg_name = (struct sockaddr_nl){.nl_family = AF_NETLINK};
	envelope->msg_flags = 0;
	fake.n_answer = 0;
	return (ssize_t)n;
}

static void a_device_is_read_again_until_it_is_whole(void **state)
{
	CLEANUP(wireguard_device_done) struct wireguard_device device = {0};
	struct diag diag = {0};
	fake.n_lost = 2;
	fake.n_interrupted = 3;
	assert_int_equal(wireguard_get(7, &device, &diag), 0);
	assert_int_equal(device.port, PORT);
	assert_int_equal(fake.n_lost + fake.n_interrupted, 0);
	assert_string_equal(diag.message, "");
	fake.n_lost = 1000;
	fake.n_dumps = 0;
	assert_int_equal(wireguard_get(7, &device, &diag), -ENOBUFS);
	assert_true(fake.n_dumps < 100); // not for ever
	assert_string_equal(diag_text(&diag), "wireguard: the device cannot be read: No buffer space available");
	fake.n_lost = 0;
}

// --- values ---

static struct peer *add_peer(struct peer_table *table, uint8_t key, const char *endpoint, unsigned n_allowed)
{
	struct peer *peer = peer_table_add(table);
	assert_non_null(peer);
	memset(peer->public_key, key, PEER_KEY_BYTES);
	if (endpoint)
		assert_int_equal(endpoint_parse(endpoint, &peer->endpoint, &peer->endpoint_port), 0);
	for (unsigned i = 0; i < n_allowed; i++) {
		struct address allowed = {
			{AF_INET, {10, key, (uint8_t)(i >> 8), (uint8_t)i}}, 32};
		assert_int_equal(peer_add_allowed(peer, &allowed), 0);
	}
	return peer;
}

struct capture {
	struct wireguard_device device; // what a reader that takes all requests as one dump would see
	size_t n_requests, max_bytes;
	unsigned flags[64];
	size_t n_flags;
};

// A request of ours has the attributes of the kernel's answers: decode it with the reader.
static int take_request(struct nl_msg *request_take, void *user)
{
	struct capture *capture = user;
	const struct nlmsghdr *header = nlmsg_hdr(request_take);
	const struct genlmsghdr *generic = nlmsg_data(header);
	char *attributes = (char *)nlmsg_data(header) + GENL_HDRLEN;
	size_t n = (size_t)nlmsg_datalen(header) - GENL_HDRLEN;
	struct nlattr *peers = nla_find((struct nlattr *)attributes, (int)n, WGDEVICE_A_PEERS), *peer;
	int left;
	assert_int_equal(generic->cmd, WG_CMD_SET_DEVICE);
	assert_int_equal(header->nlmsg_type, 77);
	capture->n_requests++;
	if (header->nlmsg_len > capture->max_bytes)
		capture->max_bytes = header->nlmsg_len;
	if (peers)
		nla_for_each_nested(peer, peers, left)
		{
			struct nlattr *flags = nla_find(nla_data(peer), nla_len(peer), WGPEER_A_FLAGS);
			if (capture->n_flags < N_ELEMENTS(capture->flags))
				capture->flags[capture->n_flags++] = nla_get_u32(flags);
		}
	int error = wireguard_decode(&capture->device, attributes, n);
	nlmsg_free(request_take);
	return error;
}

static void encode(const struct wireguard_settings *settings, const struct peer_plan *plan, size_t max_bytes,
	struct capture *capture)
{
	assert_int_equal(wireguard_encode(77, 5, settings, plan, max_bytes, take_request, capture), 0);
}

static void peers_survive_encoding_and_decoding(void **state)
{
	struct peer_table wanted = {0}, none = {0};
	struct peer_plan plan;
	struct capture capture = {0};
	struct peer *first = add_peer(&wanted, 1, "10.77.0.12:51820", 2);
	first->keepalive_sec = 25;
	memset(first->preshared_key, 9, PEER_KEY_BYTES);
	add_peer(&wanted, 2, "[2001:db8::1]:4000", 0);
	peer_table_sort(&wanted);
	assert_int_equal(peer_plan_make(&wanted, &none, 0, &plan), 0);
	encode(NULL, &plan, 24 << 10, &capture);
	assert_int_equal(capture.n_requests, 1);
	assert_int_equal(capture.device.link_index, 5);
	assert_int_equal(capture.device.peers.n, 2);
	const struct peer *one = &capture.device.peers.peers[0], *two = &capture.device.peers.peers[1];
	assert_int_equal(one->keepalive_sec, 25);
	assert_int_equal(one->endpoint_port, 51820);
	assert_int_equal(one->n_allowed, 2);
	assert_memory_equal(one->preshared_key, wanted.peers[0].preshared_key, PEER_KEY_BYTES);
	assert_int_equal(ip_compare(&two->endpoint, &wanted.peers[1].endpoint), 0);
	assert_int_equal(two->n_allowed, 0);
	peer_plan_done(&plan);
	peer_table_done(&wanted);
	wireguard_device_done(&capture.device);
}

static void a_peer_that_is_cut_is_continued_without_replacing(void **state)
{
	struct peer_table wanted = {0}, none = {0};
	struct peer_plan plan;
	struct capture capture = {0};
	add_peer(&wanted, 1, NULL, 500);
	add_peer(&wanted, 2, NULL, 1);
	assert_int_equal(peer_plan_make(&wanted, &none, 0, &plan), 0);
	encode(NULL, &plan, 4096, &capture);
	assert_int_equal(capture.n_requests, 4); // 500 of 28 bytes each
	assert_true(capture.max_bytes <= 4096);
	assert_int_equal(capture.device.peers.n, 2); // merged
	assert_int_equal(capture.device.peers.peers[0].n_allowed, 500);
	assert_int_equal(capture.device.peers.peers[1].n_allowed, 1);
	assert_int_equal(capture.flags[0], WGPEER_F_REPLACE_ALLOWEDIPS);
	assert_int_equal(capture.flags[1], WGPEER_F_UPDATE_ONLY);
	peer_plan_done(&plan);
	peer_table_done(&wanted);
	wireguard_device_done(&capture.device);
}

static void a_second_peer_of_the_same_message_is_never_merged(void **state)
{
	// two peers with one key inside one message are no continuation; only the first of a message is
	struct peer_table wanted = {0};
	struct capture capture = {0};
	struct peer_change changes[2] = {{.what = PEER_NEW}, {.what = PEER_NEW}};
	struct peer_plan plan = {changes, 2};
	changes[0].wanted = changes[1].wanted = add_peer(&wanted, 1, NULL, 0);
	encode(NULL, &plan, 4096, &capture);
	assert_int_equal(capture.device.peers.n, 2);
	peer_table_done(&wanted);
	wireguard_device_done(&capture.device);
}

static void only_what_is_set_is_sent(void **state)
{
	struct wireguard_settings settings = {.set_port = true, .port = 51820, .mark = 9};
	struct capture capture = {0};
	static const uint8_t none[PEER_KEY_BYTES];
	memset(settings.private_key, 7, PEER_KEY_BYTES);
	encode(&settings, NULL, 4096, &capture);
	assert_int_equal(capture.device.port, 51820);
	assert_int_equal(capture.device.mark, 0);
	assert_memory_equal(capture.device.private_key, none, PEER_KEY_BYTES);
	settings.set_private_key = true;
	encode(&settings, NULL, 4096, &capture);
	assert_memory_equal(capture.device.private_key, settings.private_key, PEER_KEY_BYTES);
}

static unsigned delta_of(const struct peer_table *wanted, const struct peer_table *actual, int64_t now_sec)
{
	struct peer_plan plan;
	assert_int_equal(peer_plan_make(wanted, actual, now_sec, &plan), 0);
	assert_true(plan.n <= 1);
	unsigned what = plan.n ? plan.changes[0].what : 0;
	peer_plan_done(&plan);
	return what;
}

static void a_peer_that_is_right_is_not_touched(void **state)
{
	struct peer_table wanted = {0}, actual = {0};
	add_peer(&wanted, 1, "10.0.0.1:5", 3);
	add_peer(&actual, 1, "10.0.0.1:5", 3)->handshake_sec = 900;
	assert_int_equal(delta_of(&wanted, &actual, 1000), 0);
	wanted.peers[0].keepalive_sec = 25;
	assert_int_equal(delta_of(&wanted, &actual, 1000), PEER_KEEPALIVE);
	peer_table_done(&wanted);
	peer_table_done(&actual);
}

static void a_roamed_endpoint_is_left_while_the_session_is_fresh(void **state)
{
	struct peer_table wanted = {0}, actual = {0};
	add_peer(&wanted, 1, "10.0.0.1:5", 0);
	add_peer(&actual, 1, "10.0.0.2:5", 0)->handshake_sec = 900;
	assert_int_equal(delta_of(&wanted, &actual, 1000), 0);
	assert_int_equal(delta_of(&wanted, &actual, 900 + PEER_FRESH_SEC), PEER_ENDPOINT);
	actual.peers[0].handshake_sec = 0; // never
	assert_int_equal(delta_of(&wanted, &actual, 1000), PEER_ENDPOINT);
	wanted.peers[0].endpoint.family = 0; // not said: as it is
	assert_int_equal(delta_of(&wanted, &actual, 1000), 0);
	peer_table_done(&wanted);
	peer_table_done(&actual);
}

static void more_addresses_are_added_and_fewer_are_replaced(void **state)
{
	struct peer_table wanted = {0}, actual = {0};
	add_peer(&wanted, 1, NULL, 3);
	add_peer(&actual, 1, NULL, 2);
	assert_int_equal(delta_of(&wanted, &actual, 0), PEER_ALLOWED_ADD);
	assert_int_equal(delta_of(&actual, &wanted, 0), PEER_ALLOWED_REPLACE);
	peer_table_done(&wanted);
	peer_table_done(&actual);
}

static void what_is_not_wanted_is_removed(void **state)
{
	struct peer_table wanted = {0}, actual = {0};
	struct peer_plan plan;
	add_peer(&wanted, 2, NULL, 0);
	for (uint8_t key = 1; key <= 3; key++)
		add_peer(&actual, key, NULL, 0);
	assert_int_equal(peer_plan_make(&wanted, &actual, 0, &plan), 0);
	assert_int_equal(plan.n, 2);
	for (size_t i = 0; i < plan.n; i++) {
		assert_int_equal(plan.changes[i].what, PEER_REMOVE);
		assert_int_equal(plan.changes[i].public_key[0], i == 0 ? 1 : 3);
	}
	peer_plan_done(&plan);
	peer_table_done(&wanted);
	peer_table_done(&actual);
}

static void an_address_that_moves_is_given_before_it_is_taken(void **state)
{
	struct peer_table wanted = {0}, actual = {0};
	struct peer_plan plan;
	static const unsigned whats[] = {PEER_ALLOWED_ADD, PEER_ALLOWED_REPLACE, PEER_REMOVE};
	static const uint8_t keys[] = {7, 2, 1};
	add_peer(&actual, 1, NULL, 0);
	add_peer(&actual, 2, NULL, 1);
	add_peer(&actual, 7, NULL, 0);
	add_peer(&wanted, 2, NULL, 0);
	add_peer(&wanted, 7, NULL, 1);
	assert_int_equal(peer_plan_make(&wanted, &actual, 0, &plan), 0);
	assert_int_equal(plan.n, N_ELEMENTS(whats));
	for (size_t i = 0; i < plan.n; i++) {
		assert_int_equal(plan.changes[i].what, whats[i]);
		assert_int_equal(plan.changes[i].public_key[0], keys[i]);
	}
	peer_plan_done(&plan);
	peer_table_done(&wanted);
	peer_table_done(&actual);
}

static void malformed_answers_are_refused(void **state)
{
	static const uint8_t short_key[] = {12, 0, WGDEVICE_A_PEERS, 0x80, 8, 0, 0, 0x80, 4, 0, WGPEER_A_PUBLIC_KEY, 0};
	struct wireguard_device device = {0};
	assert_int_equal(wireguard_decode(&device, short_key, sizeof(short_key)), -EBADMSG);
	wireguard_device_done(&device);
}

static void keys_are_44_characters_of_base64(void **state)
{
	static const char *const bad[] = {"", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE", "!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\n"};
	uint8_t key[PEER_KEY_BYTES];
	char text[PEER_KEY_TEXT];
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_int_equal(peer_key_parse(bad[i], key), -EINVAL);
	assert_int_equal(peer_key_parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=", key), 0);
	assert_string_equal(peer_key_format(key, text), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_is_read_again_until_it_is_whole),
		cmocka_unit_test(peers_survive_encoding_and_decoding),
		cmocka_unit_test(a_peer_that_is_cut_is_continued_without_replacing),
		cmocka_unit_test(a_second_peer_of_the_same_message_is_never_merged),
		cmocka_unit_test(only_what_is_set_is_sent),
		cmocka_unit_test(a_peer_that_is_right_is_not_touched),
		cmocka_unit_test(a_roamed_endpoint_is_left_while_the_session_is_fresh),
		cmocka_unit_test(more_addresses_are_added_and_fewer_are_replaced),
		cmocka_unit_test(what_is_not_wanted_is_removed),
		cmocka_unit_test(an_address_that_moves_is_given_before_it_is_taken),
		cmocka_unit_test(malformed_answers_are_refused),
		cmocka_unit_test(keys_are_44_characters_of_base64),
	};
	return cmocka_run_group_tests_name("wireguard", tests, NULL, NULL);
}
