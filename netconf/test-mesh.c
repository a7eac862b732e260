// Peers of a real WireGuard link, set by delta. Needs a kernel with WireGuard and the right to make a network
// namespace; elsewhere these tests are skipped (tests/vm/netconf runs them in a guest that has both).
// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "netconf/network.h"

#include <fcntl.h>
#include <sched.h>

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define KEY_B "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define KEY_C "AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="

static char key_path[64];
static bool has_wireguard;

static struct network *mesh_network(const char *extra)
{
	CLEANUP(value_freep) struct value *document = NULL;
	struct network *network = NULL;
	AUTO_FREE char *text = str_format("{\"version\": 2, \"tunnels\": {\"hearth0\": {\"mode\": \"wireguard\","
					  "\"key\": \"%s\", \"port\": 51820, \"addresses\": [\"10.66.0.11/16\"], \"mtu\": 1420%s}},"
					  "\"dummy-devices\": {\"hearth-api\": {\"addresses\": [\"10.66.0.1/32\"]}}}",
		key_path, extra);
	struct diag diag = {0};
	assert_int_equal(json_parse(text, strlen(text), 0, &document, &diag), 0);
	if (netconf_decode(document, &network, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	return network;
}

static int setup(void **state)
{
	static const struct netconf_options options = {.without_networkd = true};
	struct diag diag = {0};
	(void)snprintf(key_path, sizeof(key_path), "/tmp/hearth-test-mesh-%d.key", (int)getpid());
	const char *key = "YAr0T2ZW2fCgCOZkBhZ9K8XnW3FXOsyzIzKRyyEsQ0o=\n"; // not clamped, on purpose
	if (file_write_volatile(key_path, key, strlen(key), 0600, NULL) < 0)
		return -1;
	if (unshare(CLONE_NEWNET) < 0)
		return 0; // not root: skipped below
	CLEANUP(network_freep) struct network *network = mesh_network("");
	size_t n_changes = 0;
	has_wireguard = netconf_apply(network, &options, &n_changes, &diag) == 0;
	if (!has_wireguard)
		print_message("no WireGuard here: %s\n", diag_text(&diag));
	return 0;
}

static int teardown(void **state)
{
	return unlink(key_path);
}

#define NEED_WIREGUARD()                                                                           \
	do {                                                                                       \
		if (!has_wireguard)                                                                \
			skip();                                                                    \
	} while (0)

static void second_plan_is_empty(void **state)
{
	static const struct netconf_options options = {.without_networkd = true};
	CLEANUP(plan_freep) struct plan *plan = NULL;
	struct diag diag = {0};
	NEED_WIREGUARD();
	CLEANUP(network_freep) struct network *network = mesh_network("");
	assert_int_equal(netconf_plan(network, &options, &plan, &diag), 0);
	AUTO_FREE char *text = plan_text(plan);
	assert_string_equal(text, "");
}

static void peers_are_set_once_and_then_left_alone(void **state)
{
	const char *allowed_a[] = {"10.66.0.12/32", "10.64.1.0/24"}, *allowed_b[] = {"10.66.0.13/32"};
	struct netconf_peer peers[] = {
		{.public_key = KEY_A, .endpoint = "127.0.0.1:4000", .allowed_ips = allowed_a, .n_allowed_ips = 2},
		{.public_key = KEY_B, .allowed_ips = allowed_b, .n_allowed_ips = 1, .keepalive_sec = 25},
	};
	AUTO_FREE struct netconf_peer_status *status = NULL;
	struct diag diag = {0};
	size_t n;
	NEED_WIREGUARD();
	assert_int_equal(netconf_set_peers("hearth0", peers, 2, &diag), 2);
	assert_int_equal(netconf_set_peers("hearth0", peers, 2, &diag), 0);
	assert_int_equal(netconf_peers_status("hearth0", &status, &n, &diag), 0);
	assert_int_equal(n, 2);
	assert_string_equal(status[0].public_key, KEY_A);
	assert_string_equal(status[0].endpoint, "127.0.0.1:4000");
	assert_int_equal(status[0].n_allowed_ips, 2);
	assert_int_equal(status[0].handshake_ago_sec, -1);
}

static void a_delta_leaves_the_others(void **state)
{
	const char *allowed_c[] = {"10.66.0.13/32", "10.64.2.0/24"}; // takes 10.66.0.13 over from B
	const struct netconf_peer_change changes[] = {
		{{.public_key = KEY_C, .allowed_ips = allowed_c, .n_allowed_ips = 2}, NETCONF_PEER_NEW},
		{{.public_key = KEY_A}, NETCONF_PEER_REMOVE},
	};
	AUTO_FREE struct netconf_peer_status *status = NULL;
	struct diag diag = {0};
	size_t n;
	NEED_WIREGUARD();
	assert_int_equal(netconf_change_peers("hearth0", changes, 2, &diag), 0);
	assert_int_equal(netconf_peers_status("hearth0", &status, &n, &diag), 0);
	assert_int_equal(n, 2);
	assert_string_equal(status[0].public_key, KEY_B);
	assert_int_equal(status[0].n_allowed_ips, 0);
	assert_string_equal(status[1].public_key, KEY_C);
	assert_int_equal(status[1].n_allowed_ips, 2);
}

static void a_new_peer_that_was_there_loses_its_preshared_key(void **state)
{
	const struct netconf_peer peer = {.public_key = KEY_A};
	const struct netconf_peer_change with = {{.public_key = KEY_A, .preshared_key_file = key_path}, NETCONF_PEER_NEW};
	const struct netconf_peer_change without = {peer, NETCONF_PEER_NEW};
	struct diag diag = {0};
	NEED_WIREGUARD();
	assert_int_equal(netconf_change_peers("hearth0", &with, 1, &diag), 0);
	assert_int_equal(netconf_change_peers("hearth0", &without, 1, &diag), 0);
	assert_int_equal(netconf_set_peers("hearth0", &peer, 1, &diag), 2); // B and C go, A is right
	assert_int_equal(netconf_set_peers("hearth0", NULL, 0, &diag), 1);
}

static void a_thousand_peers_take_several_messages(void **state)
{
	enum { MANY_PEERS = 1000 };
	static struct netconf_peer peers[MANY_PEERS];
	static char keys[MANY_PEERS][NETCONF_KEY_TEXT], allowed[MANY_PEERS][2][32];
	static const char *pointers[MANY_PEERS][2];
	AUTO_FREE struct netconf_peer_status *status = NULL;
	struct diag diag = {0};
	size_t n;
	NEED_WIREGUARD();
	for (unsigned i = 0; i < MANY_PEERS; i++) {
		uint8_t key[PEER_KEY_BYTES] = {9, (uint8_t)(i >> 8), (uint8_t)i, [31] = 1};
		(void)peer_key_format(key, keys[i]);
		(void)snprintf(allowed[i][0], 32, "10.67.%u.%u/32", i >> 8, i & 255);
		(void)snprintf(allowed[i][1], 32, "10.%u.%u.0/24", 70 + (i >> 8), i & 255);
		pointers[i][0] = allowed[i][0];
		pointers[i][1] = allowed[i][1];
		peers[i] = (struct netconf_peer){.public_key = keys[i], .allowed_ips = pointers[i], .n_allowed_ips = 2};
	}
	assert_int_equal(netconf_set_peers("hearth0", peers, MANY_PEERS, &diag), MANY_PEERS);
	assert_int_equal(netconf_set_peers("hearth0", peers, MANY_PEERS, &diag), 0);
	assert_int_equal(netconf_peers_status("hearth0", &status, &n, &diag), 0);
	assert_int_equal(n, MANY_PEERS);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(status[i].n_allowed_ips, 2);
	assert_int_equal(netconf_set_peers("hearth0", NULL, 0, &diag), MANY_PEERS);
}

static void many_allowed_addresses_are_split_and_merged(void **state)
{
	CLEANUP(network_freep) struct network *network = NULL;
	CLEANUP(plan_freep) struct plan *plan = NULL;
	static const struct netconf_options options = {.without_networkd = true};
	struct diag diag = {0};
	char *text = NULL;
	size_t n_text = 0, n_changes = 0;
	NEED_WIREGUARD();
	FILE *out = open_memstream(&text, &n_text);
	assert_non_null(out);
	fprintf(out, ", \"peers\": [{\"keys\": {\"public\": \"" KEY_A "\"}, \"allowed-ips\": [");
	for (unsigned i = 0; i < 3000; i++)
		fprintf(out, "%s\"10.%u.%u.0/24\"", i ? ", " : "", 100 + (i >> 8), i & 255);
	fprintf(out, "]}]");
	fclose(out);
	network = mesh_network(text);
	free(text);
	assert_int_equal(netconf_apply(network, &options, &n_changes, &diag), 0);
	assert_int_equal(n_changes, 1);
	assert_int_equal(netconf_plan(network, &options, &plan, &diag), 0);
	assert_int_equal(plan_n_changes(plan), 0);
}

static void a_link_that_is_missing_is_named(void **state)
{
	struct diag diag = {0};
	assert_int_equal(netconf_set_peers("nowhere0", NULL, 0, &diag), -19);
	assert_string_equal(diag_text(&diag), "nowhere0: there is no such link");
}

static void a_link_of_another_kind_is_refused(void **state)
{
	struct diag diag = {0};
	NEED_WIREGUARD();
	assert_true(netconf_set_peers("hearth-api", NULL, 0, &diag) < 0);
	assert_true(diag.message[0] != '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(second_plan_is_empty),
		cmocka_unit_test(peers_are_set_once_and_then_left_alone),
		cmocka_unit_test(a_delta_leaves_the_others),
		cmocka_unit_test(a_new_peer_that_was_there_loses_its_preshared_key),
		cmocka_unit_test(a_thousand_peers_take_several_messages),
		cmocka_unit_test(many_allowed_addresses_are_split_and_merged),
		cmocka_unit_test(a_link_that_is_missing_is_named),
		cmocka_unit_test(a_link_of_another_kind_is_refused),
	};
	return cmocka_run_group_tests_name("mesh", tests, setup, teardown);
}
