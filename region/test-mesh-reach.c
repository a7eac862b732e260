// Where nodes are, in a store: what is told when one moves, who is offered what was seen, and a
// segment as large as it may be. SPDX-License-Identifier: Apache-2.0
#include "base/time.h"
#include "region/enrol.h"
#include "region/mesh-offer.h"
#include "region/mesh-reach.h"
#include "region/test-folder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define AT(address)                                                                                \
	"{\"meshCandidates\":[{\"address\":\"" address                                             \
	"\",\"prefix\":24,\"link\":\"eth0\",\"port\":51820}]}"
#define NAT AT("192.168.1.5")

static struct test_folder folder;
static struct region region;

static int set_up(void **state)
{
	static const char rules[] = "{provider: hetzner, region: fsn, buildingBlock: rtz, envType: "
				    "prod, domain: example.org, "
				    "urls: ['https://10.0.2.2:7443']}";
	int r = test_region_make(&folder, rules, &region);
	(void)snprintf(region.epoch, sizeof(region.epoch), "0123456789abcdef");
	region.offers = calloc(1, sizeof(*region.offers));
	return r < 0 || !region.offers ? -1 : 0;
}

static int tear_down(void **state)
{
	mesh_offers_done(region.offers);
	free(region.offers);
	mesh_sights_done(&region.sights);
	return test_region_remove(&folder, &region);
}

static struct node node_add(int number)
{
	struct node node = { .number = number, .state = NODE_APPROVED };
	(void)snprintf(node.id, sizeof(node.id), "n-%d", number);
	(void)snprintf(node.key, sizeof(node.key), "%064d", number);
	(void)snprintf(node.name, sizeof(node.name), "node-%d", number);
	(void)snprintf(node.wg_public, sizeof(node.wg_public), "%043d=", number);
	assert_int_equal(region_mesh_changed(&region, &node), 0);
	assert_int_equal(store_node_put(region.store, &node), 0);
	return node;
}

static void settle(struct node *node, const char *facts_text, const char *remote)
{
	CLEANUP(value_freep) struct value *facts = NULL;
	assert_int_equal(json_parse(facts_text, strlen(facts_text), 0, &facts, NULL), 0);
	(void)snprintf(node->remote, sizeof(node->remote), "%s", remote);
	assert_int_equal(mesh_reach_settle(&region, node, facts), 0);
	assert_int_equal(store_node_put(region.store, node), 0);
}

static void tell(const struct node *node, const char *rows_text)
{
	CLEANUP(value_freep) struct value *rows = NULL;
	assert_int_equal(json_parse(rows_text, strlen(rows_text), 0, &rows, NULL), 0);
	assert_int_equal(mesh_reach_report(&region, node, rows), 0);
}

// The answer since @since ("" for none), which becomes that of the answer; NULL: nothing new.
static struct value *ask(const struct node *node, char since[static 64])
{
	struct value *document = NULL;
	AUTO_FREE char *text = NULL;
	int r = mesh_answer(&region, node, since[0] ? since : NULL, &text);
	if (r == 0)
		return NULL;
	assert_int_equal(r, 1);
	assert_int_equal(json_parse(text, strlen(text), 0, &document, NULL), 0);
	(void)snprintf(since, 64, "%s", value_text(value_find(document, "generation")));
	return document;
}

// "full" or "delta", then each peer: "delta node-1=192.0.2.7:51820/0".
static void expect(const struct node *node, char since[static 64], const char *expected)
{
	CLEANUP(value_freep) struct value *document = ask(node, since);
	char text[512] = "nothing";
	bool full = false;
	if (document) {
		assert_int_equal(value_bool(value_find(document, "full"), "full", &full, NULL), 0);
		(void)strcpy(text, full ? "full" : "delta");
		const struct value *peers = value_find(document, "peers");
		for (size_t i = 0; i < peers->n; i++) {
			const char *endpoint = value_text(value_find(&peers->items[i], "endpoint"));
			int64_t keepalive;
			size_t n = strlen(text);
			assert_int_equal(value_int(value_find(&peers->items[i], "keepaliveSec"), "",
						 0, 100, &keepalive, NULL),
				0);
			(void)snprintf(text + n, sizeof(text) - n, " %s=%s/%d",
				value_text(value_find(&peers->items[i], "name")),
				endpoint ? endpoint : "none", (int)keepalive);
		}
	}
	assert_string_equal(text, expected);
}

static void a_node_that_moves_is_one_row_for_others_and_all_for_itself(void **state)
{
	struct node one = node_add(1), two = node_add(2), three = node_add(3);
	char since_one[64] = "", since_two[64] = "";
	settle(&one, AT("192.0.2.7"), "192.0.2.7");
	settle(&two, AT("198.51.100.2"), "198.51.100.2");
	settle(&three, NAT, "203.0.113.9");
	expect(&one, since_one, "full node-2=198.51.100.2:51820/0 node-3=none/0");
	expect(&one, since_one, "nothing");
	expect(&two, since_two, "full node-1=192.0.2.7:51820/0 node-3=none/0");
	settle(&two, AT("198.51.100.3"), "198.51.100.3");
	expect(&one, since_one, "delta node-2=198.51.100.3:51820/0");
	expect(&two, since_two, "full node-1=192.0.2.7:51820/0 node-3=none/0");
	settle(&two, AT("198.51.100.3"), "198.51.100.3");
	expect(&one, since_one, "nothing");
	since_two[0] = '\0';
	expect(&three, since_two, "full node-1=192.0.2.7:51820/25 node-2=198.51.100.3:51820/25");
}

// It comes by two proxies in turn, or by IPv4 and IPv6.
static void an_outside_address_that_changes_keeps_nobody_busy(void **state)
{
	struct node one = node_add(1), two = node_add(2);
	char since[64] = "";
	settle(&one, AT("192.0.2.7"), "192.0.2.7");
	settle(&two, NAT, "203.0.113.9");
	expect(&one, since, "full node-2=none/0");
	for (int i = 0; i < 10; i++) {
		settle(&two, NAT, "203.0.113.10");
		if (region.sights.n)
			region.sights.list[0].since_usec -= 200 * USEC_PER_SEC;
		expect(&one, since, "nothing");
		settle(&two, NAT, "203.0.113.9");
		settle(&two, NAT, "192.168.1.5"); // and straight
		expect(&one, since, "nothing");
	}
	settle(&two, AT("192.168.1.6"), "203.0.113.10"); // that one is new by itself
	expect(&one, since, "delta node-2=none/0");
	settle(&two, AT("192.168.1.6"), "192.168.1.6");
	region.sights.list[0].since_usec -= MESH_SIGHT_SEC * USEC_PER_SEC;
	settle(&two, AT("192.168.1.6"), "192.168.1.6"); // it stands
	expect(&one, since, "delta node-2=192.168.1.6:51820/0");
	assert_int_equal(region.sights.n, 0);
}

// They reach the region by two proxies of one site, and have no public address.
static void two_that_share_a_prefix_behind_two_outside_addresses_try_it(void **state)
{
	struct node one = node_add(1), two = node_add(2), far = node_add(3);
	char since[3][64] = { "", "", "" };
	settle(&one, NAT, "203.0.113.2");
	settle(&two, AT("192.168.1.6"), "203.0.113.3");
	settle(&far, AT("192.168.7.7"), "203.0.113.7");
	expect(&one, since[0], "full node-2=none/0 node-3=none/0");
	expect(&two, since[1], "full node-1=none/0 node-3=none/0");
	value_free(ask(&far, since[2]));
	AUTO_FREE char *failed = str_format("[{\"publicKey\":\"%s\",\"endpoint\":\"\",\"handshakeAgoSec\":-1}]", two.wg_public);
	tell(&one, failed);
	expect(&one, since[0], "delta node-2=192.168.1.6:51820/25");
	expect(&two, since[1], "delta node-1=192.168.1.5:51820/25");
	AUTO_FREE char *seen = str_format(
		"[{\"publicKey\":\"%s\",\"endpoint\":\"192.168.1.6:51820\",\"handshakeAgoSec\":2}]", two.wg_public);
	tell(&one, seen);
	tell(&far, failed); // where they see each other is nothing for who is elsewhere
	expect(&far, since[2], "nothing");
	mesh_reach_forget(&region, &two);
	assert_int_equal(region.offers->n_offers, 0);
}

static void what_is_seen_is_offered_to_two_that_have_no_answer(void **state)
{
	struct node pub = node_add(1), two = node_add(2), three = node_add(3), four = node_add(4);
	char since[4][64] = { "", "", "", "" };
	settle(&pub, AT("192.0.2.7"), "192.0.2.7");
	settle(&two, NAT, "203.0.113.2");
	settle(&three, NAT, "203.0.113.3");
	settle(&four, NAT, "203.0.113.4");
	const struct node *all[] = { &pub, &two, &three, &four };
	for (size_t i = 0; i < 4; i++)
		value_free(ask(all[i], since[i]));
	AUTO_FREE char *seen = str_format(
		"[{\"publicKey\":\"%s\",\"endpoint\":\"203.0.113.2:1\",\"handshakeAgoSec\":9},"
		"{\"publicKey\":\"%s\",\"endpoint\":\"203.0.113.3:1\",\"handshakeAgoSec\":179},"
		"{\"publicKey\":\"%s\",\"endpoint\":\"203.0.113.4:1\",\"handshakeAgoSec\":180}]",
		two.wg_public, three.wg_public, four.wg_public);
	tell(&pub, seen);
	AUTO_FREE char *failed = str_format(
		"[{\"publicKey\":\"%s\",\"endpoint\":\"\",\"handshakeAgoSec\":-1},"
		"{\"publicKey\":\"%s\",\"endpoint\":\"\",\"handshakeAgoSec\":-1},"
		"{\"publicKey\":\"%s\",\"endpoint\":\"192.0.2.7:51820\",\"handshakeAgoSec\":-1}]",
		three.wg_public, four.wg_public, pub.wg_public);
	tell(&two, failed);
	expect(&two, since[1], "delta node-3=203.0.113.3:1/25"); // nobody has a session with the
								 // fourth, the first is public
	expect(&three, since[2], "delta node-2=203.0.113.2:1/25");
	expect(&pub, since[0], "nothing");
	// the fourth may be called by who it is, as it has no answer of either
	expect(&four, since[3], "delta node-2=203.0.113.2:1/25");
	tell(&two, failed);
	expect(&two, since[1], "nothing"); // it is being tried
	since[1][0] = '\0';
	expect(&two, since[1],
		"full node-1=192.0.2.7:51820/25 node-3=203.0.113.3:1/25 node-4=none/0");
}

static void a_segment_is_told_in_one_answer_and_changed_in_one_row(void **state)
{
	char since[64] = "", ipv6[128];
	struct node first = node_add(1), moved = { 0 };
	size_t n_servers;
	int64_t number;
	struct diag diag = { 0 };
	settle(&first, AT("192.0.2.7"), "192.0.2.7");
	for (int i = 2; i <= MESH_SEGMENT_MAX; i++) {
		struct node node = node_add(i);
		(void)snprintf(ipv6, sizeof(ipv6),
			"{\"meshCandidates\":[{\"address\":\"198.51.%d.%d\",\"prefix\":24,\"port\":"
			"51820}]}",
			100 + i / 250, 1 + i % 250);
		settle(&node, ipv6, "127.0.0.1");
		moved = node;
		if (i == MESH_SEGMENT_MAX - 1)
			assert_int_equal(
				enrolment_place(&region, "", &number, &n_servers, &diag), 0);
	}
	AUTO_FREE char *text = NULL;
	assert_int_equal(mesh_answer(&region, &first, NULL, &text), 1);
	assert_in_range(strlen(text), 500000, 1 << 20); // a node takes 8 MiB
	free(text);
	text = NULL;
	CLEANUP(value_freep) struct value *document = ask(&first, since);
	assert_int_equal(value_find(document, "peers")->n, MESH_SEGMENT_MAX - 1);
	settle(&moved, AT("192.0.2.200"), "192.0.2.200");
	AUTO_FREE char *expected =
		str_format("delta node-%d=192.0.2.200:51820/0", MESH_SEGMENT_MAX);
	expect(&first, since, expected);
	assert_int_equal(enrolment_place(&region, "", &number, &n_servers, &diag), -ERANGE);
	assert_non_null(strstr(diag_text(&diag), "at most 5000 nodes and peers outside"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_node_that_moves_is_one_row_for_others_and_all_for_itself, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			an_outside_address_that_changes_keeps_nobody_busy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			two_that_share_a_prefix_behind_two_outside_addresses_try_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_seen_is_offered_to_two_that_have_no_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_segment_is_told_in_one_answer_and_changed_in_one_row, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
