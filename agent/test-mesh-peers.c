// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-peers.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define KEY_B "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAI="
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
	struct netconf_peer *view AUTO_FREE = mesh_peers_view(&after);
	assert_string_equal(view[0].allowed_ips[0], "10.66.0.12/32");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_answer_then_deltas),
		cmocka_unit_test(refused_answer_changes_nothing),
		cmocka_unit_test(stored_list_is_the_same_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
