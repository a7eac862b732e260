// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-candidates.h"
#include "agent/mesh-health.h"
#include "base/time.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define KEY_B "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAI="
#define A_AT "192.0.2.7:51820"
#define ELSEWHERE "203.0.113.9:40000"
#define SEC(n) ((n) * USEC_PER_SEC)

// A is public, B is behind NAT.
static void two_peers(struct mesh_peers *ret)
{
	static const char json[] = "{\"generation\":\"e.1\",\"full\":true,\"peers\":["
				   "{\"name\":\"b\",\"publicKey\":\"" KEY_B "\",\"endpoint\":null,\"allowedIps\":[\"10.66.0.13/32\"]},"
				   "{\"name\":\"a\",\"publicKey\":\"" KEY_A "\",\"endpoint\":\"" A_AT
				   "\",\"allowedIps\":[\"10.66.0.12/32\"]}]}";
	*ret = (struct mesh_peers){ 0 };
	assert_int_equal(mesh_peers_update(ret, json, strlen(json), NULL), 0);
	mesh_peers_set(ret);
}

static struct netconf_peer_status row(const char *key, const char *endpoint, int64_t ago_sec, uint64_t rx, uint64_t tx)
{
	struct netconf_peer_status status = { .handshake_ago_sec = ago_sec, .rx_bytes = rx, .tx_bytes = tx };
	(void)snprintf(status.public_key, sizeof(status.public_key), "%s", key);
	(void)snprintf(status.endpoint, sizeof(status.endpoint), "%s", endpoint);
	return status;
}

static struct mesh_view look(struct mesh_peers *peers, struct netconf_peer_status a, struct netconf_peer_status b, uint64_t now_usec)
{
	struct netconf_peer_status status[] = { b, a }; // the kernel's order is its own
	struct mesh_view view;
	mesh_health_look(peers, status, 2, now_usec, &view);
	return view;
}

static void who_shook_hands_answers(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done);
	char sentence[256];
	two_peers(&peers);
	struct mesh_view view = look(&peers, row(KEY_A, A_AT, 3, 100, 100), row(KEY_B, ELSEWHERE, 179, 100, 100), SEC(1000));
	assert_int_equal(view.n_answer, 2);
	assert_int_equal(view.n_silent, 0);
	assert_false(view.restless);
	assert_string_equal(mesh_peers_find(&peers, KEY_B)->roamed, ELSEWHERE);
	assert_null(mesh_peers_find(&peers, KEY_A)->roamed);
	mesh_health_sentence(&peers, SEC(1000), sentence, sizeof(sentence));
	assert_string_equal(sentence, "");
	assert_int_equal(mesh_health_next(&peers, 0, false, SEC(1000)), peers.n); // nobody is to be asked
}

static void who_does_not_is_asked_and_named(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done);
	char sentence[256];
	two_peers(&peers);
	struct mesh_view view = look(&peers, row(KEY_A, A_AT, -1, 0, 148), row(KEY_B, "", -1, 0, 0), SEC(1000));
	assert_int_equal(view.n_answer + view.n_silent, 0); // they have just been set
	assert_true(view.restless);
	assert_string_equal(peers.peers[mesh_health_next(&peers, 0, false, SEC(1000))].name, "a");
	assert_int_equal(mesh_health_next(&peers, 0, false, SEC(1001)), peers.n); // it was, a second ago
	view = look(&peers, row(KEY_A, A_AT, -1, 0, 296), row(KEY_B, "", -1, 0, 0), SEC(1005));
	assert_int_equal(view.n_silent, 2);
	mesh_health_sentence(&peers, SEC(1005), sentence, sizeof(sentence));
	assert_string_equal(sentence, "handshake sent to a at " A_AT ", no answer: is that machine up, and is UDP 51820 to it "
				      "filtered? ask the network team"); // b cannot be called: it calls
	assert_string_equal(peers.peers[mesh_health_next(&peers, 0, false, SEC(1005))].name, "a");
	assert_false(look(&peers, row(KEY_A, A_AT, -1, 0, 296), row(KEY_B, "", -1, 0, 0), SEC(1060)).restless);
}

static void many_silent_peers_are_counted(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done) = { 0 };
	char json[2048] = "{\"generation\":\"e.1\",\"full\":true,\"peers\":[", sentence[256];
	struct mesh_view view;
	for (int i = 0; i < 5; i++) {
		size_t n = strlen(json);
		(void)snprintf(json + n, sizeof(json) - n,
			"%s{\"name\":\"n%d\",\"publicKey\":\"%.42s%c=\",\"endpoint\":\"192.0.2.%d:51820\",\"allowedIps\":[\"10.66.0.%d/32\"]}",
			i ? "," : "", i, KEY_A, "AEIMQ"[i], i, i);
	}
	(void)strcat(json, "]}");
	assert_int_equal(mesh_peers_update(&peers, json, strlen(json), NULL), 0);
	mesh_health_look(&peers, NULL, 0, SEC(1000), &view);
	mesh_health_sentence(&peers, SEC(1010), sentence, sizeof(sentence));
	assert_non_null(strstr(sentence, "n0 at 192.0.2.0:51820, n1 at 192.0.2.1:51820, n2 at 192.0.2.2:51820 and 2 more, no answer"));
}

static void data_without_an_answer_is_silence_long_before_the_handshake_is_old(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done);
	struct netconf_peer_status b = row(KEY_B, ELSEWHERE, 5, 100, 100);
	two_peers(&peers);
	(void)look(&peers, row(KEY_A, A_AT, 1, 100, 100), b, SEC(1000));
	(void)look(&peers, row(KEY_A, A_AT, 2, 100, 200), b, SEC(1001)); // sent
	assert_int_equal(look(&peers, row(KEY_A, A_AT, 16, 100, 300), b, SEC(1015)).n_answer, 2);
	assert_int_equal(look(&peers, row(KEY_A, A_AT, 17, 100, 400), b, SEC(1016)).n_answer, 1);
	assert_int_equal(look(&peers, row(KEY_A, A_AT, 22, 100, 400), b, SEC(1021)).n_silent, 1);
	assert_int_equal(look(&peers, row(KEY_A, A_AT, 1, 200, 500), b, SEC(1022)).n_answer, 2); // heard again
}

static void what_keeps_the_way_open_needs_no_answer(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done);
	struct netconf_peer_status b = row(KEY_B, ELSEWHERE, 5, 100, 100);
	two_peers(&peers);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(look(&peers, row(KEY_A, A_AT, 1 + 25 * i, 100, 100 + 32 * i), b, SEC(1000 + 25 * i)).n_answer, 2);
}

// Without traffic nobody would notice before the handshake is old.
static void a_dead_path_to_an_idle_peer_is_found_long_before_the_handshake_is_old(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done);
	two_peers(&peers);
	(void)look(&peers, row(KEY_A, A_AT, 1, 100, 100), row(KEY_B, ELSEWHERE, 1, 100, 100), SEC(1000));
	assert_int_equal(mesh_health_next_idle(&peers, 0, SEC(1029)), peers.n);
	(void)look(&peers, row(KEY_A, A_AT, 30, 100, 100), row(KEY_B, ELSEWHERE, 30, 132, 100), SEC(1029)); // b keeps its way open
	assert_string_equal(peers.peers[mesh_health_next_idle(&peers, 0, SEC(1030))].name, "a");
	assert_int_equal(mesh_health_next_idle(&peers, 0, SEC(1031)), peers.n); // it has its time to answer
	assert_int_equal(look(&peers, row(KEY_A, A_AT, 45, 100, 164), row(KEY_B, ELSEWHERE, 45, 132, 100), SEC(1044)).n_answer, 2);
	assert_int_equal(look(&peers, row(KEY_A, A_AT, 46, 100, 164), row(KEY_B, ELSEWHERE, 46, 132, 100), SEC(1045)).n_answer, 1);
	assert_string_equal(peers.peers[mesh_health_next(&peers, 0, false, SEC(1045))].name, "a");
	assert_int_equal(look(&peers, row(KEY_A, A_AT, 51, 100, 312), row(KEY_B, ELSEWHERE, 51, 132, 100), SEC(1050)).n_silent, 1);
}

static void an_idle_peer_that_answers_is_left_alone_again(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done);
	struct netconf_peer_status b = row(KEY_B, "", -1, 0, 0);
	two_peers(&peers);
	(void)look(&peers, row(KEY_A, A_AT, 1, 100, 100), b, SEC(1000));
	assert_int_not_equal(mesh_health_next_idle(&peers, 0, SEC(1040)), peers.n);
	assert_int_equal(look(&peers, row(KEY_A, A_AT, 41, 132, 164), b, SEC(1041)).n_answer, 1);
	assert_int_equal(look(&peers, row(KEY_A, A_AT, 69, 132, 164), b, SEC(1069)).n_answer, 1);
	assert_int_equal(mesh_health_next_idle(&peers, 0, SEC(1069)), peers.n);
	assert_int_not_equal(mesh_health_next_idle(&peers, 0, SEC(1071)), peers.n);
}

static void asking_the_idle_is_bounded(void **state)
{
	size_t n = 0;
	for (unsigned sec = 10; sec <= 100; sec += 10)
		n += mesh_health_idle_max(SEC(1000 + sec - 10), SEC(1000 + sec));
	assert_int_equal(n, MESH_MAX_PEERS);
	assert_int_equal(mesh_health_idle_max(SEC(1000), SEC(1000) + USEC_PER_SEC / 100), 0); // a busy node does not ask more
	assert_int_equal(mesh_health_idle_max(0, SEC(100000)), 500);
}

static void an_endpoint_that_leads_nowhere_is_put_back(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done);
	struct netconf_peer_change *changes AUTO_FREE = NULL;
	struct netconf_peer_status b = row(KEY_B, ELSEWHERE, 5, 100, 100);
	size_t n;
	two_peers(&peers);
	(void)look(&peers, row(KEY_A, ELSEWHERE, 1, 100, 100), b, SEC(1000)); // it roamed, and answers
	assert_int_equal(mesh_peers_changes(&peers, &changes, &n), 0);
	assert_int_equal(n, 0);
	(void)look(&peers, row(KEY_A, ELSEWHERE, 2, 100, 200), b, SEC(1001));
	(void)look(&peers, row(KEY_A, ELSEWHERE, 17, 100, 300), b, SEC(1016)); // and does not any more
	assert_int_equal(mesh_peers_changes(&peers, &changes, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(changes[0].peer.endpoint, A_AT);
	assert_int_equal(changes[0].what, NETCONF_PEER_ENDPOINT);
}

static void a_peer_that_the_kernel_lost_is_noticed(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done);
	struct netconf_peer_status b = row(KEY_B, ELSEWHERE, 5, 100, 100);
	struct mesh_view view;
	two_peers(&peers);
	mesh_health_look(&peers, &b, 1, SEC(1000), &view);
	assert_true(view.lost);
}

static void what_is_worth_telling_has_a_mark(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done);
	struct netconf_peer_status a = row(KEY_A, A_AT, 5, 100, 100), b = row(KEY_B, ELSEWHERE, 5, 100, 100);
	two_peers(&peers);
	uint64_t mark = look(&peers, a, b, SEC(1000)).mark;
	a.rx_bytes++, b.handshake_ago_sec++;
	assert_int_equal(look(&peers, a, b, SEC(1001)).mark, mark);
	(void)snprintf(b.endpoint, sizeof(b.endpoint), "203.0.113.9:40001");
	assert_int_not_equal(look(&peers, a, b, SEC(1002)).mark, mark);
}

static void those_that_need_something_are_told_first(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done);
	struct json_out out = { 0 };
	two_peers(&peers);
	(void)look(&peers, row(KEY_A, A_AT, 7, 100, 100), row(KEY_B, ELSEWHERE, 200, 100, 100), SEC(1000));
	mesh_health_to_json(&peers, 1, true, SEC(1010), &out);
	char *text AUTO_FREE = json_out_take(&out);
	assert_string_equal(text, "[{\"publicKey\":\"" KEY_B "\",\"endpoint\":\"" ELSEWHERE "\",\"handshakeAgoSec\":200,\"answers\":false}]");
	out = (struct json_out){ 0 };
	mesh_health_to_json(&peers, 256, true, SEC(1010), &out);
	char *all AUTO_FREE = json_out_take(&out);
	assert_non_null(strstr(all, "{\"publicKey\":\"" KEY_A "\",\"endpoint\":\"" A_AT "\",\"handshakeAgoSec\":7,\"answers\":true}"));
}

static char *told(const struct mesh_peers *peers, bool decided, uint64_t now_usec)
{
	struct json_out out = { 0 };
	mesh_health_to_json(peers, 256, decided, now_usec, &out);
	return json_out_take(&out);
}

// To the region an answer is a proof of the endpoint, and silence one against it.
static void who_was_never_heard_has_not_answered(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done);
	two_peers(&peers);
	(void)look(&peers, row(KEY_A, A_AT, -1, 0, 148), row(KEY_B, "", 3, 100, 100), SEC(1000));
	char *early AUTO_FREE = told(&peers, true, SEC(1001)), *all AUTO_FREE = told(&peers, false, SEC(1001));
	assert_null(strstr(early, KEY_A));
	assert_non_null(strstr(early, KEY_B));
	assert_non_null(strstr(all, "{\"publicKey\":\"" KEY_A "\",\"endpoint\":\"" A_AT "\",\"handshakeAgoSec\":-1,\"answers\":false}"));
	char *late AUTO_FREE = told(&peers, true, SEC(1005));
	assert_non_null(strstr(late, "\"handshakeAgoSec\":-1,\"answers\":false}"));
}

static void asking_goes_round(void **state)
{
	struct mesh_peers peers CLEANUP(mesh_peers_done);
	two_peers(&peers);
	(void)look(&peers, row(KEY_A, A_AT, -1, 0, 0), row(KEY_B, ELSEWHERE, 5, 100, 100), SEC(1000));
	assert_int_equal(mesh_health_next(&peers, 0, true, SEC(1000)), 0);
	assert_int_equal(mesh_health_next(&peers, 1, true, SEC(1000)), 1); // one that answers hears where we are, too
	assert_int_equal(mesh_health_next(&peers, 2, true, SEC(1000)), 2);
}

static void candidates_are_links_that_lead_out(void **state)
{
	static struct netconf_address addresses[] = { { .text = "192.0.2.7/24", .global = true }, { .text = "fe80::1/64" },
		{ .text = "2001:db8::7/64", .global = true } }, inner[] = { { .text = "172.17.0.1/16", .global = true } },
		moved[] = { { .text = "172.18.0.1/16", .global = true } },
		bridged[] = { { .text = "198.51.100.7/24", .global = true } };
	static struct netconf_link list[] = {
		{ .name = "eth0", .wired = true, .up = true, .addresses = addresses, .n_addresses = 3 },
		{ .name = "eth1", .wired = true, .addresses = inner, .n_addresses = 1 }, // down
		{ .name = "docker0", .kind = "bridge", .up = true, .addresses = inner, .n_addresses = 1 },
		{ .name = "veth7", .kind = "veth", .up = true, .master = "docker0" },
		{ .name = "br-lan", .kind = "bridge", .up = true, .addresses = bridged, .n_addresses = 1 },
		{ .name = "eth2", .wired = true, .up = true, .master = "br-lan" },
		{ .name = "hearth0", .kind = "wireguard", .up = true, .addresses = inner, .n_addresses = 1 },
		{ .name = "hearth-api", .kind = "dummy", .up = true, .addresses = inner, .n_addresses = 1 },
		{ .name = "bond0.5", .kind = "vlan", .up = true, .addresses = inner, .n_addresses = 1 },
	};
	struct netconf_links links = { list, N_ELEMENTS(list) };
	struct json_out out = { 0 };
	mesh_candidates_to_json(&links, "hearth0", 51820, &out);
	char *text AUTO_FREE = json_out_take(&out);
	assert_string_equal(text, "[{\"address\":\"192.0.2.7\",\"prefix\":24,\"link\":\"eth0\",\"port\":51820},"
				  "{\"address\":\"2001:db8::7\",\"prefix\":64,\"link\":\"eth0\",\"port\":51820},"
				  "{\"address\":\"198.51.100.7\",\"prefix\":24,\"link\":\"br-lan\",\"port\":51820},"
				  "{\"address\":\"172.17.0.1\",\"prefix\":16,\"link\":\"bond0.5\",\"port\":51820}]");
	// A path of the bond's VLAN is another one in another place, and a container's bridge says nothing of any path.
	uint64_t mark = mesh_addresses_mark(&links, "hearth0");
	for (size_t i = 0; i < links.n; i++)
		list[i].mtu = 1400 + (uint32_t)i;
	list[2].mtu = 1280;
	assert_int_equal(mesh_narrowest_mtu(&links, "hearth0"), 1400);
	list[links.n - 1].mtu = 1350;
	assert_int_equal(mesh_narrowest_mtu(&links, "hearth0"), 1350);
	list[links.n - 1].addresses = moved;
	assert_int_not_equal(mesh_addresses_mark(&links, "hearth0"), mark);
	list[links.n - 1].addresses = inner;
	list[2].addresses = moved;
	assert_int_equal(mesh_addresses_mark(&links, "hearth0"), mark);
	out = (struct json_out){ 0 };
	mesh_candidates_to_json(NULL, NULL, 51820, &out);
	char *none AUTO_FREE = json_out_take(&out);
	assert_string_equal(none, "[]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_shook_hands_answers),
		cmocka_unit_test(who_does_not_is_asked_and_named),
		cmocka_unit_test(many_silent_peers_are_counted),
		cmocka_unit_test(data_without_an_answer_is_silence_long_before_the_handshake_is_old),
		cmocka_unit_test(what_keeps_the_way_open_needs_no_answer),
		cmocka_unit_test(a_dead_path_to_an_idle_peer_is_found_long_before_the_handshake_is_old),
		cmocka_unit_test(an_idle_peer_that_answers_is_left_alone_again),
		cmocka_unit_test(asking_the_idle_is_bounded),
		cmocka_unit_test(an_endpoint_that_leads_nowhere_is_put_back),
		cmocka_unit_test(a_peer_that_the_kernel_lost_is_noticed),
		cmocka_unit_test(what_is_worth_telling_has_a_mark),
		cmocka_unit_test(those_that_need_something_are_told_first),
		cmocka_unit_test(who_was_never_heard_has_not_answered),
		cmocka_unit_test(asking_goes_round),
		cmocka_unit_test(candidates_are_links_that_lead_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
