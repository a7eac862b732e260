// A WireGuard key becomes another one under running TCP transfers, in both directions, by the code that hearthd uses:
// mesh_keys_*() and netconf_apply() at the node that rotates, mesh_peers_*() and netconf_set_peers() at its peer. Needs a
// kernel with WireGuard and a second network namespace (HEARTH_TEST_NETNS, a veth rot1 there with its end rot0 here);
// elsewhere it is skipped (tests/vm/netconf runs it in a guest).
// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-keys.h"
#include "agent/mesh-health.h"
#include "base/file.h"
#include "base/json.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <cmocka.h>

enum { LOOK_MSEC = 100, TRANSFER_PORT = 7000, CHUNK = 4096, CHUNK_MSEC = 5, STALL_MAX_MSEC = 1000 };

// One of the two machines; side 0 is here, side 1 in the other namespace.
struct side {
	int netns_fd;
	char folder[64];
	struct mesh_keys keys;
	struct mesh_peers peers;
};
static struct side sides[2];
static bool has_two;

static struct side *enter(int which)
{
	assert_int_equal(setns(sides[which].netns_fd, CLONE_NEWNET), 0);
	return &sides[which];
}

static void sleep_msec(unsigned msec)
{
	struct timespec time = { .tv_sec = msec / 1000, .tv_nsec = (long)(msec % 1000) * 1000000 };
	(void)nanosleep(&time, NULL);
}

// --- the two machines ---

static void apply(int which)
{
	static const struct netconf_options options = { .without_networkd = true };
	struct side *side = enter(which);
	struct value *document CLEANUP(value_freep) = NULL;
	struct network *network CLEANUP(network_freep) = NULL;
	struct diag diag = { 0 };
	char *text AUTO_FREE = str_format("{\"version\":2,\"ethernets\":{\"rot%d\":{\"addresses\":[\"10.98.0.%d/24\"]}},"
					  "\"tunnels\":{\"mesh0\":{\"mode\":\"wireguard\",\"key\":\"%s/wg.key\",\"port\":51820,"
					  "\"addresses\":[\"10.99.0.%d/16\"],\"mtu\":1420}}}",
		which, which + 1, side->folder, which + 1);
	assert_int_equal(json_parse(text, strlen(text), 0, &document, &diag), 0);
	if (netconf_decode(document, &network, &diag) < 0 || netconf_apply(network, &options, NULL, &diag) < 0)
		fail_msg("side %d: %s", which, diag_text(&diag));
}

static void set_peers(int which)
{
	struct side *side = enter(which);
	struct netconf_peer_change *changes AUTO_FREE = NULL;
	struct diag diag = { 0 };
	size_t n;
	assert_int_equal(mesh_peers_changes(&side->peers, &changes, &n), 0);
	if (n && netconf_change_peers("mesh0", changes, n, &diag) < 0)
		fail_msg("side %d: %s", which, diag_text(&diag));
	mesh_peers_set(&side->peers);
}

// Is the other one heard by its next key?
static bool is_at_next(int which)
{
	const struct mesh_peers *peers = &sides[which].peers;
	for (size_t i = 0; i < peers->n; i++)
		if (peers->peers[i].next_of)
			return peers->peers[i].n_allowed_ips > 0;
	return false;
}

// What the region says to @which of the other one: its key, and the next one or NULL. @removed: the key it had, or NULL.
static void tell(int which, const char *key, const char *next, const char *removed)
{
	struct side *side = &sides[which];
	struct diag diag = { 0 };
	char *text AUTO_FREE = str_format(
		"{\"generation\":\"e.1\",\"full\":false,\"peers\":[{\"name\":\"n\",\"publicKey\":\"%s\",%s%s%s\"endpoint\":\"10.98.0.%d:51820\","
		"\"allowedIps\":[\"10.99.0.%d/32\"],\"keepaliveSec\":0}],\"removed\":[%s%s%s]}",
		key, next ? "\"nextPublicKey\":\"" : "", next ? next : "", next ? "\"," : "", 2 - which, 2 - which,
		removed ? "\"" : "", removed ? removed : "", removed ? "\"" : "");
	if (mesh_peers_update(&side->peers, text, strlen(text), &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	set_peers(which);
}

// As hearthd does ten times a second while a peer has a next key.
static void look(int which)
{
	struct netconf_peer_status *status AUTO_FREE = NULL;
	struct mesh_view view;
	size_t n = 0;
	(void)enter(which);
	assert_int_equal(netconf_peers_status("mesh0", &status, &n, NULL), 0);
	mesh_health_look(&sides[which].peers, status, n, time_boot_usec(), &view);
	if (mesh_peers_settle(&sides[which].peers))
		set_peers(which);
}

static void look_for(int which, unsigned msec)
{
	for (unsigned i = 0; i < msec; i += LOOK_MSEC) {
		look(which);
		sleep_msec(LOOK_MSEC);
	}
}

// The other one is heard by that key: at once, but on a machine that is busy some looks later.
static void look_until(int which, bool at_next)
{
	for (int i = 0; i < 300 && is_at_next(which) != at_next; i++) {
		look(which);
		sleep_msec(LOOK_MSEC);
	}
	assert_int_equal(is_at_next(which), at_next);
}

// --- the transfers ---

struct transfer {
	int from_fd, to_fd;
	pthread_t sender, receiver;
	_Atomic bool ends;
	_Atomic uint64_t n_sent, n_received;
	_Atomic uint64_t stall_usec; // the longest time without a byte since it was last asked
	bool broken, garbled;
};
static struct transfer transfers[2]; // from side 0, from side 1

static void *send_all(void *user)
{
	struct transfer *transfer = user;
	uint8_t chunk[CHUNK];
	while (!transfer->ends && !transfer->broken) {
		for (size_t i = 0; i < CHUNK; i++)
			chunk[i] = (uint8_t)((transfer->n_sent + i) % 251);
		for (size_t done = 0; done < CHUNK && !transfer->broken;) {
			ssize_t n = send(transfer->from_fd, chunk + done, CHUNK - done, MSG_NOSIGNAL);
			if (n <= 0)
				transfer->broken = true;
			else
				done += (size_t)n;
		}
		transfer->n_sent += CHUNK;
		sleep_msec(CHUNK_MSEC);
	}
	(void)shutdown(transfer->from_fd, SHUT_WR);
	return NULL;
}

static void *receive_all(void *user)
{
	struct transfer *transfer = user;
	uint8_t chunk[CHUNK];
	uint64_t last_usec = time_boot_usec();
	ssize_t n;
	while ((n = recv(transfer->to_fd, chunk, sizeof(chunk), 0)) > 0) {
		uint64_t now_usec = time_boot_usec();
		if (now_usec - last_usec > transfer->stall_usec)
			transfer->stall_usec = now_usec - last_usec;
		last_usec = now_usec;
		for (ssize_t i = 0; i < n; i++)
			transfer->garbled |= chunk[i] != (uint8_t)((transfer->n_received + (uint64_t)i) % 251);
		transfer->n_received += (uint64_t)n;
	}
	transfer->broken |= n < 0;
	return NULL;
}

static void start_transfer(struct transfer *transfer, int from)
{
	struct timeval patience = { .tv_sec = 60 }; // when no byte comes any more, the test is to end all the same
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)(TRANSFER_PORT + from)) };
	int one = 1;
	(void)enter(!from);
	assert_int_equal(inet_pton(AF_INET, from ? "10.99.0.1" : "10.99.0.2", &to.sin_addr), 1);
	int listen_fd AUTO_CLOSE = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(listen_fd >= 0);
	assert_int_equal(setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(listen_fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(listen_fd, 1), 0);
	(void)enter(from);
	*transfer = (struct transfer){ .from_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	assert_int_equal(connect(transfer->from_fd, (struct sockaddr *)&to, sizeof(to)), 0);
	transfer->to_fd = accept(listen_fd, NULL, NULL);
	assert_true(transfer->to_fd >= 0);
	assert_int_equal(setsockopt(transfer->from_fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(setsockopt(transfer->to_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(pthread_create(&transfer->receiver, NULL, receive_all, transfer), 0);
	assert_int_equal(pthread_create(&transfer->sender, NULL, send_all, transfer), 0);
}

static void end_transfer(struct transfer *transfer)
{
	transfer->ends = true;
	(void)pthread_join(transfer->sender, NULL);
	(void)pthread_join(transfer->receiver, NULL);
	(void)close(transfer->from_fd);
	(void)close(transfer->to_fd);
	assert_false(transfer->broken);
	assert_false(transfer->garbled);
	assert_int_equal(transfer->n_received, transfer->n_sent);
}

static unsigned longest_stall_msec(void)
{
	uint64_t longest_usec = 0;
	for (int i = 0; i < 2; i++) {
		uint64_t stall_usec = transfers[i].stall_usec;
		transfers[i].stall_usec = 0;
		longest_usec = stall_usec > longest_usec ? stall_usec : longest_usec;
	}
	return (unsigned)(longest_usec / 1000);
}

// Bytes flow again in both directions.
static void wait_for_flow(int looks)
{
	uint64_t before[2] = { transfers[0].n_received, transfers[1].n_received };
	for (int i = 0; i < 300; i++) {
		if (transfers[0].n_received > before[0] + CHUNK && transfers[1].n_received > before[1] + CHUNK)
			return;
		if (looks >= 0)
			look(looks);
		sleep_msec(LOOK_MSEC);
	}
	fail_msg("no byte came through for 30 s");
}

// --- the tests ---

static int set_up(void **state)
{
	const char *other = getenv("HEARTH_TEST_NETNS");
	has_two = other && (sides[0].netns_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) >= 0 &&
		  (sides[1].netns_fd = open(other, O_RDONLY | O_CLOEXEC)) >= 0;
	if (!has_two)
		return 0; // skipped below
	for (int i = 0; i < 2; i++) {
		(void)snprintf(sides[i].folder, sizeof(sides[i].folder), "/tmp/hearth-test-rotation-%d", i);
		if (file_make_folders(sides[i].folder, 0700) < 0 || mesh_keys_open(sides[i].folder, &sides[i].keys, NULL) < 0)
			return -1;
		apply(i);
	}
	for (int i = 0; i < 2; i++)
		tell(i, sides[!i].keys.current, NULL, NULL);
	for (int i = 0; i < 2; i++)
		start_transfer(&transfers[i], i);
	wait_for_flow(-1);
	sleep_msec(1000);
	print_message("no rotation: %u ms without a byte at most\n", longest_stall_msec());
	return 0;
}

static int tear_down(void **state)
{
	for (int i = 0; has_two && i < 2; i++) {
		end_transfer(&transfers[i]);
		mesh_keys_done(&sides[i].keys);
		mesh_peers_done(&sides[i].peers);
	}
	return 0;
}

#define NEED_TWO() do { if (!has_two) skip(); } while (0)

static void prepare(int which)
{
	struct side *side = &sides[which];
	assert_int_equal(mesh_keys_make_next(side->folder, &side->keys, NULL), 0);
}

static void switch_key(int which)
{
	struct side *side = &sides[which];
	assert_int_equal(mesh_keys_switch(side->folder, &side->keys, NULL), 0);
	apply(which);
}

static void prove(int which)
{
	struct side *side = &sides[which];
	assert_int_equal(mesh_keys_drop_old(side->folder, &side->keys, NULL), 0);
}

// The whole rule; the one that rotates is side @which.
static void rotate(int which)
{
	struct side *side = &sides[which];
	NEED_TWO();
	(void)longest_stall_msec();
	sleep_msec(1000);
	unsigned usual_msec = longest_stall_msec();
	prepare(which);
	tell(!which, side->keys.current, side->keys.next, NULL);
	look_for(!which, 300);
	char *old AUTO_FREE = strdup(side->keys.current);
	switch_key(which);
	look_until(!which, true);
	tell(!which, side->keys.current, NULL, old);
	prove(which);
	sleep_msec(1000);
	unsigned stall_msec = longest_stall_msec();
	print_message("side %d rotates: %u ms without a byte at most, %u ms without a rotation\n", which, stall_msec, usual_msec);
	assert_true(stall_msec < STALL_MAX_MSEC + 2 * usual_msec);
}

static void no_stall_when_one_side_rotates(void **state)
{
	rotate(0);
}

static void no_stall_when_the_other_side_rotates(void **state)
{
	rotate(1);
}

// It looks at its handshakes seconds later.
static void transfer_outlives_a_peer_that_looks_late(void **state)
{
	NEED_TWO();
	prepare(0);
	tell(1, sides[0].keys.current, sides[0].keys.next, NULL);
	switch_key(0);
	sleep_msec(3000);
	look_until(1, true);
	wait_for_flow(1);
	char *old AUTO_FREE = strdup(sides[0].keys.old);
	tell(1, sides[0].keys.current, NULL, old);
	prove(0);
	wait_for_flow(-1);
	print_message("late look: %u ms without a byte\n", longest_stall_msec());
}

// It was away for all of it, and hears of the new key alone.
static void transfer_outlives_a_peer_that_was_away(void **state)
{
	NEED_TWO();
	prepare(0);
	switch_key(0);
	sleep_msec(2000);
	char *old AUTO_FREE = strdup(sides[0].keys.old);
	tell(1, sides[0].keys.current, NULL, old);
	prove(0);
	wait_for_flow(-1);
	print_message("away: %u ms without a byte\n", longest_stall_msec());
}

// A power cut of the peer between its move and the end of the rotation: it starts from the stored list.
static void peer_that_starts_anew_finds_the_key(void **state)
{
	NEED_TWO();
	prepare(1);
	tell(0, sides[1].keys.current, sides[1].keys.next, NULL);
	switch_key(1);
	look_until(0, true);
	char *stored AUTO_FREE = mesh_peers_to_json(&sides[0].peers);
	mesh_peers_done(&sides[0].peers);
	(void)enter(0);
	assert_int_equal(netconf_set_peers("mesh0", NULL, 0, NULL), 2);
	assert_int_equal(mesh_peers_update(&sides[0].peers, stored, strlen(stored), NULL), 0);
	assert_false(is_at_next(0));
	set_peers(0);
	wait_for_flow(0);
	look_until(0, true);
	char *old AUTO_FREE = strdup(sides[1].keys.old);
	tell(0, sides[1].keys.current, NULL, old);
	prove(1);
	wait_for_flow(-1);
	print_message("peer starts anew: %u ms without a byte\n", longest_stall_msec());
}

// Nobody confirmed the new key: the old one again, and the addresses follow.
static void node_that_goes_back_is_followed(void **state)
{
	NEED_TWO();
	prepare(0);
	tell(1, sides[0].keys.current, sides[0].keys.next, NULL);
	switch_key(0);
	look_for(1, 2000); // nobody goes back in the same second
	look_until(1, true);
	assert_int_equal(mesh_keys_go_back(sides[0].folder, &sides[0].keys, NULL), 0);
	apply(0);
	look_until(1, false); // bytes that were under way may come before
	assert_int_equal(mesh_keys_drop_next(sides[0].folder, &sides[0].keys, NULL), 0);
	tell(1, sides[0].keys.current, NULL, NULL);
	wait_for_flow(-1);
	print_message("goes back: %u ms without a byte\n", longest_stall_msec());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_stall_when_one_side_rotates),
		cmocka_unit_test(no_stall_when_the_other_side_rotates),
		cmocka_unit_test(transfer_outlives_a_peer_that_looks_late),
		cmocka_unit_test(transfer_outlives_a_peer_that_was_away),
		cmocka_unit_test(peer_that_starts_anew_finds_the_key),
		cmocka_unit_test(node_that_goes_back_is_followed),
	};
	return cmocka_run_group_tests_name("key rotation", tests, set_up, tear_down);
}
