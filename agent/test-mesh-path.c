// What a path of the mesh carries, asked through a real WireGuard link whose way narrows behind it. Needs what
// test-key-rotation.c needs; elsewhere it is skipped (tests/vm/netconf runs it in a guest).
// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-keys.h"
#include "agent/mesh-mtu.h"
#include "agent/mesh-path.h"
#include "base/file.h"
#include "base/json.h"
#include "base/time.h"
#include "netconf/netconf.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <cmocka.h>

enum { ANSWER_MSEC = 1000, PEER_OVERHEAD = 60 }; // over IPv4

static int netns_fds[2] = { -1, -1 };
static char folders[2][64];
static struct mesh_keys keys[2];
static bool has_two;

static void enter(int which)
{
	assert_int_equal(setns(netns_fds[which], CLONE_NEWNET), 0);
}

static void apply(int which)
{
	static const struct netconf_options options = { .without_networkd = true };
	struct value *document CLEANUP(value_freep) = NULL;
	struct network *network CLEANUP(network_freep) = NULL;
	struct diag diag = { 0 };
	char *text AUTO_FREE = str_format("{\"version\":2,\"ethernets\":{\"rot%d\":{\"addresses\":[\"10.98.0.%d/24\"]}},"
					  "\"tunnels\":{\"mesh0\":{\"mode\":\"wireguard\",\"key\":\"%s/wg.key\",\"port\":51820,"
					  "\"addresses\":[\"10.99.0.%d/16\",\"fd99::%d/64\"],\"mtu\":1420,\"peers\":[{\"keys\":{\"public\":\"%s\"},"
					  "\"endpoint\":\"10.98.0.%d:51820\",\"allowed-ips\":[\"10.99.0.%d/32\",\"fd99::%d/128\"]}]}}}",
		which, which + 1, folders[which], which + 1, which + 1, keys[!which].current, 2 - which, 2 - which, 2 - which);
	enter(which);
	assert_int_equal(json_parse(text, strlen(text), 0, &document, &diag), 0);
	if (netconf_decode(document, &network, &diag) < 0 || netconf_apply(network, &options, NULL, &diag) < 0)
		fail_msg("side %d: %s", which, diag_text(&diag));
}

static int set_up(void **state)
{
	const char *other = getenv("HEARTH_TEST_NETNS");
	has_two = other && (netns_fds[0] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) >= 0 &&
		  (netns_fds[1] = open(other, O_RDONLY | O_CLOEXEC)) >= 0;
	for (int i = 0; has_two && i < 2; i++) {
		(void)snprintf(folders[i], sizeof(folders[i]), "/tmp/hearth-test-path-%d", i);
		if (file_make_folders(folders[i], 0700) < 0 || mesh_keys_open(folders[i], &keys[i], NULL) < 0)
			return -1;
	}
	for (int i = 0; has_two && i < 2; i++)
		apply(i);
	return 0;
}

static int tear_down(void **state)
{
	for (int i = 0; i < 2; i++)
		mesh_keys_done(&keys[i]);
	return 0;
}

// The far end of the wire takes no larger packets, and says nothing of those that it drops.
static void narrow(int mtu)
{
	struct ifreq request = { .ifr_name = "rot1", .ifr_mtu = mtu };
	enter(1);
	int fd AUTO_CLOSE = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCSIFMTU, &request), 0);
}

static enum mesh_mtu_end search(const char *address, unsigned mtu, unsigned *ret_mtu)
{
	struct mesh_mtu_search search;
	enum mesh_mtu_end end;
	int fd AUTO_CLOSE = -1;
	enter(0);
	assert_int_equal(mesh_path_open(address, "mesh0", &fd), 0);
	mesh_mtu_begin(&search, mtu);
	do {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		(void)mesh_path_send(fd, search.size);
		(void)poll(&wait, 1, ANSWER_MSEC);
		end = mesh_mtu_answer(&search, mesh_path_heard(fd) == 1, ret_mtu);
	} while (end == MESH_MTU_GOES_ON);
	return end;
}

static void narrow_path_is_found_through_wireguard(void **state)
{
	static const char *const addresses[] = { "10.99.0.2", "fd99::2" };
	static const struct {
		int wire;
		enum mesh_mtu_end end;
	} rows[] = { { 1500, MESH_MTU_FITS }, { 1400, MESH_MTU_SMALLER }, { 1300, MESH_MTU_TOO_SMALL }, { 1500, MESH_MTU_FITS } };
	if (!has_two)
		skip();
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		for (size_t j = 0; j < N_ELEMENTS(addresses); j++) {
			unsigned mtu = 0;
			narrow(rows[i].wire);
			enum mesh_mtu_end end = search(addresses[j], 1420, &mtu);
			print_message("wire %d, %s: end %d, %u bytes\n", rows[i].wire, addresses[j], (int)end, mtu);
			assert_int_equal(end, rows[i].end);
			if (end == MESH_MTU_SMALLER) // the kernel's veth has a VLAN's 4 bytes to spare, WireGuard pads to 16
				assert_in_range(mtu, 1400 - PEER_OVERHEAD - 16 - MESH_MTU_NEAR, 1404 - PEER_OVERHEAD);
		}
}

static void nobody_there_is_not_a_narrow_path(void **state)
{
	unsigned mtu = 0;
	int fd AUTO_CLOSE = -1;
	assert_int_equal(mesh_path_open("mesh", "lo", &fd), -EINVAL);
	if (!has_two)
		skip();
	assert_int_equal(search("10.99.0.77", 1420, &mtu), MESH_MTU_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(narrow_path_is_found_through_wireguard),
		cmocka_unit_test(nobody_there_is_not_a_narrow_path),
	};
	return cmocka_run_group_tests_name("mesh path", tests, set_up, tear_down);
}
