// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-peers.h"
#include "base/crypto.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define KEY_B "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAI="
#define KEY_C "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAM="
#define PEER(key, address)                                                                                             \
	"{\"name\":\"n\",\"publicKey\":\"" key "\",\"endpoint\":\"10.77.0.12:51820\",\"allowedIps\":[\"" address "\"],\"keepaliveSec\":25}"

static int update(struct mesh_peers *peers, const char *json)
{
	return mesh_peers_update(peers, json, strlen(json), NULL);
}

static void full_answer_then_deltas(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done) = { 0 };
	assert_int_equal(update(&peers, "{\"generation\":\"e.1\",\"full\":true,\"peers\":[" PEER(KEY_A, "10.66.0.12/32") "]}"), 0);
	assert_int_equal(peers.n, 1);
	assert_int_equal(update(&peers, "{\"generation\":\"e.2\",\"full\":false,\"peers\":[" PEER(KEY_B, "10.66.0.13/32") "]}"), 0);
	assert_int_equal(peers.n, 2);
	assert_string_equal(mesh_peer_with_address(&peers, "10.66.0.13")->public_key, KEY_B);
	assert_null(mesh_peer_with_address(&peers, "10.66.0.1"));
	assert_int_equal(update(&peers, "{\"generation\":\"e.3\",\"full\":false,\"peers\":[" PEER(KEY_B, "10.66.0.14/32")
					 "],\"removed\":[\"" KEY_A "\"]}"), 0);
	assert_int_equal(peers.n, 1);
	assert_string_equal(peers.peers[0].allowed_ips[0], "10.66.0.14/32");
	assert_string_equal(peers.generation, "e.3");
	assert_int_equal(update(&peers, "{\"generation\":\"f.1\",\"full\":true,\"peers\":[]}"), 0);
	assert_int_equal(peers.n, 0);
}

static void refused_answer_changes_nothing(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done) = { 0 };
	assert_int_equal(update(&peers, "{\"generation\":\"e.1\",\"full\":true,\"peers\":[" PEER(KEY_A, "10.66.0.12/32") "]}"), 0);
	assert_int_equal(update(&peers, "{\"generation\":\"e.2\",\"full\":true,\"peers\":[" PEER(KEY_B, "10.66.0.13/32")
					 ",{\"publicKey\":\"short\",\"allowedIps\":[]}]}"), -EINVAL);
	assert_int_equal(peers.n, 1);
	assert_string_equal(peers.peers[0].public_key, KEY_A);
	assert_string_equal(peers.generation, "e.1");
}

static void stored_list_is_the_same_again(void **state)
{
	struct mesh_peers before CLEANUP(mesh_peers_done) = { 0 }, after CLEANUP(mesh_peers_done) = { 0 };
	assert_int_equal(update(&before, "{\"generation\":\"e.1\",\"full\":true,\"peers\":[" PEER(KEY_A, "10.66.0.12/32") "]}"), 0);
	char *text AUTO_FREE = mesh_peers_to_json(&before);
	assert_int_equal(update(&after, text), 0);
	assert_int_equal(after.n, 1);
	assert_string_equal(after.peers[0].endpoint, "10.77.0.12:51820");
	assert_int_equal(after.peers[0].keepalive_sec, 25);
	assert_int_equal(update(&after, "{\"generation\":\"e.2\",\"full\":false,\"peers\":[{\"publicKey\":\"" KEY_A
					"\",\"endpoint\":\"[2001:DB8::0007]:51820\",\"allowedIps\":[\"10.66.0.12/32\"]}]}"), 0);
	assert_string_equal(after.peers[0].endpoint, "[2001:db8::7]:51820"); // as the kernel writes it
	struct netconf_peer *view AUTO_FREE = mesh_peers_view(&after);
	assert_string_equal(view[0].allowed_ips[0], "10.66.0.12/32");
}

static void only_what_changed_is_to_be_set(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done) = { 0 };
	struct netconf_peer_change *changes = NULL;
	size_t n;
	assert_int_equal(update(&peers, "{\"generation\":\"e.1\",\"full\":true,\"peers\":[" PEER(KEY_B, "10.66.0.13/32") "," PEER(
					 KEY_A, "10.66.0.12/32") "]}"), 0);
	assert_int_equal(mesh_peers_changes(&peers, &changes, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(changes[0].peer.public_key, KEY_A);
	assert_int_equal(changes[0].what, NETCONF_PEER_NEW);
	free(changes);
	mesh_peers_set(&peers);
	assert_int_equal(mesh_peers_changes(&peers, &changes, &n), 0);
	assert_int_equal(n, 0);
	// the same once more, as a whole: nothing; then one endpoint, one keepalive, one more range
	assert_int_equal(update(&peers, "{\"generation\":\"e.2\",\"full\":true,\"peers\":[" PEER(KEY_A, "10.66.0.12/32") "," PEER(
					 KEY_B, "10.66.0.13/32") "]}"), 0);
	assert_int_equal(mesh_peers_changes(&peers, &changes, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(update(&peers, "{\"generation\":\"e.3\",\"full\":false,\"peers\":[{\"name\":\"n\",\"publicKey\":\"" KEY_A
					"\",\"endpoint\":\"10.77.0.99:51820\",\"allowedIps\":[\"10.66.0.12/32\"],\"keepaliveSec\":25}]}"), 0);
	assert_int_equal(mesh_peers_changes(&peers, &changes, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(changes[0].what, NETCONF_PEER_ENDPOINT);
	assert_string_equal(changes[0].peer.endpoint, "10.77.0.99:51820");
	free(changes);
	assert_int_equal(update(&peers, "{\"generation\":\"e.4\",\"full\":false,\"peers\":[{\"name\":\"n\",\"publicKey\":\"" KEY_A
					"\",\"endpoint\":\"10.77.0.99:51820\",\"allowedIps\":[\"10.66.0.12/32\",\"10.64.1.0/24\"],"
					"\"keepaliveSec\":0}],\"removed\":[\"" KEY_B "\"]}"), 0);
	assert_int_equal(mesh_peers_changes(&peers, &changes, &n), 0);
	assert_int_equal(n, 2); // what was not set yet is to be set still, and removals come last
	assert_int_equal(changes[0].what, NETCONF_PEER_ENDPOINT | NETCONF_PEER_KEEPALIVE | NETCONF_PEER_ALLOWED);
	assert_int_equal(changes[1].what, NETCONF_PEER_REMOVE);
	assert_string_equal(changes[1].peer.public_key, KEY_B);
	free(changes);
	// it is back before the kernel was told: no removal, and all of it
	assert_int_equal(update(&peers, "{\"generation\":\"e.5\",\"full\":false,\"peers\":[" PEER(KEY_B, "10.66.0.13/32") "]}"), 0);
	assert_int_equal(mesh_peers_changes(&peers, &changes, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(changes[1].what, NETCONF_PEER_NEW);
	free(changes);
}

static void a_withdrawn_endpoint_makes_a_silent_peer_new(void **state)
{
	static const char none[] = "{\"generation\":\"e.2\",\"full\":false,\"peers\":[{\"name\":\"n\",\"publicKey\":\"" KEY_A
				   "\",\"endpoint\":null,\"allowedIps\":[\"10.66.0.12/32\"],\"keepaliveSec\":25}]}";
	struct mesh_peers peers CLEANUP(mesh_peers_done) = { 0 };
	struct netconf_peer_change *changes = NULL;
	size_t n;
	assert_int_equal(update(&peers, "{\"generation\":\"e.1\",\"full\":true,\"peers\":[" PEER(KEY_A, "10.66.0.12/32") "]}"), 0);
	mesh_peers_set(&peers);
	assert_int_equal(update(&peers, none), 0); // it answers: the kernel knows better
	assert_int_equal(mesh_peers_changes(&peers, &changes, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(update(&peers, "{\"generation\":\"e.1\",\"full\":true,\"peers\":[" PEER(KEY_A, "10.66.0.12/32") "]}"), 0);
	mesh_peers_set(&peers);
	peers.peers[0].quiet_usec = 1;
	assert_int_equal(update(&peers, none), 0);
	assert_int_equal(mesh_peers_changes(&peers, &changes, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(changes[0].what, NETCONF_PEER_REMOVE);
	assert_int_equal(changes[1].what, NETCONF_PEER_NEW);
	assert_null(changes[1].peer.endpoint);
	free(changes);
}

static void expect_refusal(struct mesh_peers *peers, const char *json, const char *words)
{
	struct diag diag = { 0 };
	size_t n = peers->n;
	assert_int_equal(mesh_peers_update(peers, json, strlen(json), &diag), -EINVAL);
	if (!strstr(diag_text(&diag), words))
		fail_msg("\"%s\" does not say \"%s\"", diag_text(&diag), words);
	assert_int_equal(peers->n, n);
}

#define NAMED(name, key, range) "{\"name\":\"" name "\",\"publicKey\":\"" key "\",\"endpoint\":null,\"allowedIps\":[" range "]}"

static void ranges_of_two_peers_that_overlap_are_refused_by_name(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done) = { 0 };
	expect_refusal(&peers, "{\"generation\":\"e.1\",\"full\":true,\"peers\":[" NAMED("one", KEY_A, "\"10.64.0.0/16\"") "," NAMED("two", KEY_B,
		"\"10.66.0.1/32\",\"10.64.3.0/24\"") "]}", "must not overlap: 10.64.3.0/24 of two and 10.64.0.0/16 of one");
	expect_refusal(&peers, "{\"generation\":\"e.1\",\"full\":true,\"peers\":[" NAMED("one", KEY_A, "\"2001:db8::/32\"") "," NAMED("two", KEY_B,
		"\"2001:db8:1::7/128\"") "]}", "2001:db8:1::7/128 of two");
	assert_int_equal(update(&peers, "{\"generation\":\"e.1\",\"full\":true,\"peers\":[" NAMED("one", KEY_A, "\"10.64.0.0/16\",\"10.64.1.0/24\"")
		"," NAMED("two", KEY_B, "\"10.65.0.0/24\",\"::/0\"") "]}"), 0); // of one peer they may, and the next one begins where it ends
	expect_refusal(&peers, "{\"generation\":\"e.2\",\"full\":false,\"peers\":[" NAMED("two", KEY_B, "\"10.64.255.255/32\"") "]}",
		"10.64.255.255/32 of two and 10.64.0.0/16 of one"); // a delta, against what is there
	assert_int_equal(update(&peers, "{\"generation\":\"e.2\",\"full\":false,\"peers\":[" NAMED("two", KEY_B, "\"10.64.255.255/32\"")
		"],\"removed\":[\"" KEY_A "\"]}"), 0); // the other one leaves in the same breath
	expect_refusal(&peers, "{\"generation\":\"e.3\",\"full\":true,\"peers\":[{\"name\":\"one\",\"publicKey\":\"" KEY_A
		"\",\"endpoint\":\"192.0.2.7\",\"allowedIps\":[]}]}", "endpoint: of one must be ADDRESS:PORT");
	expect_refusal(&peers, "{\"generation\":\"e.3\",\"full\":true,\"peers\":[" NAMED("one", KEY_A, "\"nonsense\"") "]}", "nonsense");
	expect_refusal(&peers, "{\"generation\":\"e.3\",\"full\":true,\"peers\":[" NAMED("one", KEY_A, "") "," NAMED("two", KEY_A, "") "]}",
		"must be there once, not of");
}

static void what_the_network_document_declares_is_no_peers(void **state)
{
	static const struct netconf_declared declared[] = { { .link = "eth1", .range = "10.77.0.12/24" }, { .link = "eth1", .range = "10.77.0.13/24" },
		{ .link = "wg9", .of_peer = true, .range = "10.64.3.0/24" } };
	struct mesh_peers peers CLEANUP(mesh_peers_done) = { 0 };
	struct diag diag = { 0 };
	assert_int_equal(mesh_peers_reserve(&peers, declared, N_ELEMENTS(declared), &diag), 0);
	expect_refusal(&peers, "{\"generation\":\"e.1\",\"full\":true,\"peers\":[" NAMED("one", KEY_A, "\"10.77.0.99/32\"") "]}",
		"must not overlap what the network document declares: 10.77.0.99/32 of one and 10.77.0.1");
	expect_refusal(&peers, "{\"generation\":\"e.1\",\"full\":true,\"peers\":[" NAMED("one", KEY_A, "\"10.64.0.0/16\"") "]}",
		"10.64.3.0/24 of a peer of wg9 and 10.64.0.0/16 of one");
	assert_int_equal(mesh_peers_reserve(&peers, NULL, 0, &diag), 0);
	assert_int_equal(update(&peers, "{\"generation\":\"e.1\",\"full\":true,\"peers\":[" NAMED("one", KEY_A, "\"10.64.0.0/16\"") "]}"), 0);
	assert_int_equal(mesh_peers_reserve(&peers, declared, N_ELEMENTS(declared), &diag), -EINVAL); // another document
	assert_non_null(strstr(diag_text(&diag), "10.64.3.0/24 of a peer of wg9 and 10.64.0.0/16 of one"));
	assert_int_equal(peers.n, 1);
}

static void a_segment_has_5000_peers(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done) = { 0 };
	char *json = malloc(1 << 20);
	size_t n = 0;
	assert_non_null(json);
	for (int full = 1; full >= 0; full--) {
		n = (size_t)sprintf(json, "{\"generation\":\"e.1\",\"full\":%s,\"peers\":[", full ? "true" : "false");
		for (int i = 0; i < (full ? MESH_MAX_PEERS : 1); i++) {
			uint8_t key[32] = { (uint8_t)full, (uint8_t)(i >> 8), (uint8_t)i };
			char *text AUTO_FREE = base64_encode(key, sizeof(key));
			n += (size_t)sprintf(json + n, "%s{\"name\":\"n%d\",\"publicKey\":\"%s\",\"allowedIps\":[\"10.%d.%d.%d/32\"]}", i ? "," : "",
				i, text, full ? 66 : 67, i >> 8, i & 255);
		}
		(void)strcpy(json + n, "]}");
		struct diag diag = { 0 };
		assert_int_equal(mesh_peers_update(&peers, json, strlen(json), &diag), full ? 0 : -EINVAL);
		if (!full)
			assert_non_null(strstr(diag_text(&diag), "a mesh has at most 5000 peers, not 5001"));
		assert_int_equal(peers.n, MESH_MAX_PEERS);
	}
	free(json);
}

#define ROTATES(key, next)                                                                                            \
	"{\"name\":\"n\",\"publicKey\":\"" key "\",\"nextPublicKey\":\"" next                                            \
	"\",\"endpoint\":\"10.77.0.12:51820\",\"allowedIps\":[\"10.66.0.12/32\"],\"keepaliveSec\":0}"
#define FULL(peers) "{\"generation\":\"e.1\",\"full\":true,\"peers\":[" peers "]}"
#define DELTA(peers, removed) "{\"generation\":\"e.2\",\"full\":false,\"peers\":[" peers "],\"removed\":[" removed "]}"

static void next_key_is_a_peer_of_its_own(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done) = { 0 }, again CLEANUP(mesh_peers_done) = { 0 };
	assert_int_equal(update(&peers, FULL(ROTATES(KEY_B, KEY_A))), 0); // the next one sorts first
	char *text AUTO_FREE = mesh_peers_to_json(&peers);
	assert_int_equal(update(&again, text), 0);
	assert_true(mesh_peers_rotate(&again));
	struct netconf_peer *view AUTO_FREE = mesh_peers_view(&again);
	assert_int_equal(again.n, 2);
	assert_string_equal(view[0].public_key, KEY_A);
	assert_string_equal(view[0].endpoint, "10.77.0.12:51820");
	assert_int_equal(view[0].n_allowed_ips, 0);
	assert_int_equal(view[0].keepalive_sec, 25);
	assert_string_equal(view[1].public_key, KEY_B);
	assert_int_equal(view[1].n_allowed_ips, 1);
	assert_int_equal(view[1].keepalive_sec, 0);
	expect_refusal(&again, FULL(ROTATES(KEY_A, KEY_A)), "must be there once");
	expect_refusal(&again, FULL(ROTATES(KEY_A, "short")), "nextPublicKey: must be base64 of 32 bytes");
}

static void allowed_ips_are_at_the_key_that_shook_hands_last(void **state)
{
	static const struct {
		int64_t key_sec, next_sec;
		bool at_next;
	} rows[] = {
		{ -1, -1, false }, { 5, -1, false }, { -1, 5, true }, { 90, 1, true }, { 1, 90, false }, { 3, 3, true },
	};
	struct mesh_peers peers CLEANUP(mesh_peers_done) = { 0 };
	bool before = false;
	assert_int_equal(update(&peers, FULL(ROTATES(KEY_A, KEY_B))), 0);
	mesh_peers_set(&peers);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct netconf_peer_change *changes AUTO_FREE = NULL;
		size_t n;
		peers.peers[0].handshake_ago_sec = rows[i].key_sec;
		peers.peers[1].handshake_ago_sec = rows[i].next_sec;
		assert_int_equal(mesh_peers_settle(&peers), before != rows[i].at_next);
		assert_int_equal(peers.peers[0].n_allowed_ips, !rows[i].at_next);
		assert_int_equal(peers.peers[1].n_allowed_ips, rows[i].at_next);
		assert_int_equal(mesh_peers_changes(&peers, &changes, &n), 0);
		assert_int_equal(n, before != rows[i].at_next ? 2 : 0);
		if (n) { // who gets them comes first: the kernel moves them in one step
			assert_int_equal(changes[0].what, NETCONF_PEER_ALLOWED);
			assert_int_equal(changes[0].peer.n_allowed_ips, 1);
			assert_int_equal(changes[1].peer.n_allowed_ips, 0);
		}
		mesh_peers_set(&peers);
		before = rows[i].at_next;
	}
}

static void rotation_ends_by_a_delta(void **state)
{
	static const struct {
		const char *news;
		size_t n, n_changes;
		const char *at; // the key with the ranges
	} rows[] = {
		{ FULL(ROTATES(KEY_A, KEY_B)), 2, 0, KEY_B },	// news of something else move nothing back
		{ DELTA(ROTATES(KEY_A, KEY_B), ""), 2, 0, KEY_B },
		{ DELTA(PEER(KEY_B, "10.66.0.12/32"), "\"" KEY_A "\""), 1, 1, KEY_B }, // done: the old one goes
		{ FULL(PEER(KEY_B, "10.66.0.12/32")), 1, 1, KEY_B },
		{ DELTA(PEER(KEY_A, "10.66.0.12/32"), ""), 1, 2, KEY_A }, // given up: ranges and keepalive, and the next one goes
		{ FULL(PEER(KEY_A, "10.66.0.12/32")), 1, 2, KEY_A },
		{ DELTA(ROTATES(KEY_A, KEY_C), ""), 2, 3, KEY_A }, // another next key
		{ DELTA("", "\"" KEY_A "\""), 0, 2, NULL }, // revoked
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct mesh_peers peers CLEANUP(mesh_peers_done) = { 0 };
		struct netconf_peer_change *changes AUTO_FREE = NULL;
		size_t n;
		assert_int_equal(update(&peers, FULL(ROTATES(KEY_A, KEY_B))), 0);
		peers.peers[1].handshake_ago_sec = 1;
		assert_true(mesh_peers_settle(&peers));
		mesh_peers_set(&peers);
		assert_int_equal(update(&peers, rows[i].news), 0);
		assert_int_equal(mesh_peers_changes(&peers, &changes, &n), 0);
		if (peers.n != rows[i].n || n != rows[i].n_changes)
			fail_msg("row %zu: %zu peers, %zu changes", i, peers.n, n);
		for (size_t j = 0; j < peers.n; j++)
			assert_int_equal(peers.peers[j].n_allowed_ips > 0, str_equal(peers.peers[j].public_key, rows[i].at));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_answer_then_deltas),
		cmocka_unit_test(refused_answer_changes_nothing),
		cmocka_unit_test(stored_list_is_the_same_again),
		cmocka_unit_test(only_what_changed_is_to_be_set),
		cmocka_unit_test(a_withdrawn_endpoint_makes_a_silent_peer_new),
		cmocka_unit_test(ranges_of_two_peers_that_overlap_are_refused_by_name),
		cmocka_unit_test(what_the_network_document_declares_is_no_peers),
		cmocka_unit_test(a_segment_has_5000_peers),
		cmocka_unit_test(next_key_is_a_peer_of_its_own),
		cmocka_unit_test(allowed_ips_are_at_the_key_that_shook_hands_last),
		cmocka_unit_test(rotation_ends_by_a_delta),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
