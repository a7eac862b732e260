// What frames tell of VLANs and of the switch, and which of it is offered.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/wire-listen.h"

#include "base/time.h"

#include <linux/if_packet.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <cmocka.h>

#define LLDP_HEAD "\x01\x80\xc2\x00\x00\x0e\x02\x52\x54\x00\xaa\x01\x88\xcc"
#define CHASSIS "\x02\x07\x04\x02\x52\x54\x00\xaa\x01"
#define PORT_NAME "\x04\x0a\x05" "Ethernet7"
#define TTL "\x06\x02\x00\x78"
#define SYSTEM "\x0a\x06" "leaf-3"
#define VLAN_MGMT "\xfe\x0b\x00\x80\xc2\x03\x00\x2a\x04" "mgmt"
#define PORT_VLAN "\xfe\x06\x00\x80\xc2\x01\x00\x01"
#define MANAGEMENT "\xfe\x06\x00\x80\xc2\x06\x0f\xfe"
#define END "\x00\x00"

static bool read_bytes(const char *bytes, size_t n, uint16_t tag, struct wire_sign *ret)
{
	return wire_sign_read((const uint8_t *)bytes, n, tag, ret);
}
#define READ(literal, tag, ret) read_bytes(literal, sizeof(literal) - 1, tag, ret)

static void lldp_names_vlans_switch_and_port(void **state)
{
	struct wire_sign sign;
	assert_true(READ(LLDP_HEAD CHASSIS PORT_NAME TTL SYSTEM PORT_VLAN VLAN_MGMT MANAGEMENT END, 0, &sign));
	assert_string_equal(sign.place, "leaf-3 port Ethernet7");
	assert_int_equal(sign.n_vlans, 2); // the port's own comes without a tag
	assert_int_equal(sign.vlans[0].id, 42);
	assert_string_equal(sign.vlans[0].name, "mgmt");
	assert_true(sign.vlans[0].told);
	assert_int_equal(sign.vlans[1].id, 4094);
	assert_string_equal(sign.vlans[1].name, "management");
}

static void a_port_id_that_is_no_text_is_not_shown(void **state)
{
	struct wire_sign sign;
	assert_true(READ(LLDP_HEAD CHASSIS "\x04\x07\x03\x02\x52\x54\x00\xaa\x02" TTL END, 0, &sign));
	assert_string_equal(sign.place, "a switch without a name");
}

static void what_stands_before_a_fault_counts(void **state)
{
	struct wire_sign sign;
	assert_true(READ(LLDP_HEAD CHASSIS PORT_NAME TTL VLAN_MGMT "\x0b\xff" "too long", 0, &sign));
	assert_int_equal(sign.n_vlans, 1);
	assert_string_equal(sign.place, "a switch without a name port Ethernet7");
	// a name that claims more than its TLV has
	assert_true(READ(LLDP_HEAD CHASSIS PORT_NAME TTL "\xfe\x09\x00\x80\xc2\x03\x00\x2a\xff" "mg" END, 0, &sign));
	assert_string_equal(sign.vlans[0].name, "mg");
	assert_true(READ(LLDP_HEAD CHASSIS PORT_NAME TTL "\xfe\x09\x00\x80\xc2\x03\x00\x2a\x02" "\x1b[" END, 0, &sign));
	assert_string_equal(sign.vlans[0].name, "?["); // it goes to terminals
}

static void a_tag_is_read_from_the_kernel_or_from_the_frame(void **state)
{
	struct wire_sign sign;
	assert_true(READ("\xff\xff\xff\xff\xff\xff\x02\x52\x54\x00\xaa\x01\x08\x06\x00\x01", 0xe02a, &sign));
	assert_int_equal(sign.n_vlans, 1);
	assert_int_equal(sign.vlans[0].id, 42); // without priority and drop eligibility
	assert_false(sign.vlans[0].told);
	assert_true(READ("\xff\xff\xff\xff\xff\xff\x02\x52\x54\x00\xaa\x01\x81\x00\x20\x07\x08\x06", 0, &sign));
	assert_int_equal(sign.vlans[0].id, 7);
	assert_false(READ("\xff\xff\xff\xff\xff\xff\x02\x52\x54\x00\xaa\x01\x81\x00\x20\x00\x08\x06", 0, &sign)); // priority alone
	assert_false(READ("\xff\xff\xff\xff\xff\xff\x02\x52\x54\x00\xaa\x01\x81\x00\x2f\xff\x08\x06", 0, &sign)); // 4095 is none
	assert_false(READ("\xff\xff\xff\xff\xff\xff\x02\x52\x54\x00\xaa\x01\x08\x06\x00\x01", 0, &sign));
	assert_false(READ("\xff\xff\xff\xff\xff\xff\x02\x52\x54\x00\xaa\x01\x81", 0, &sign));
}

static struct wire_sign sign_of(uint16_t id, bool told, const char *name)
{
	struct wire_sign sign = {.n_vlans = 1, .vlans = {{.id = id, .told = told}}};
	(void)snprintf(sign.vlans[0].name, sizeof(sign.vlans[0].name), "%s", name);
	return sign;
}

static void the_table_keeps_what_lldp_tells_before_what_was_heard(void **state)
{
	struct wire_table table = {0};
	struct wire_sign sign;
	for (uint16_t id = 101; id <= 120; id++) {
		sign = sign_of(id, false, "");
		assert_int_equal(wire_table_take(&table, "eth0", "m", &sign), id < 101 + WIRE_MAX_VLANS);
	}
	sign = sign_of(900, true, "mgmt");
	assert_true(wire_table_take(&table, "eth1", "m", &sign));
	assert_false(wire_table_take(&table, "eth1", "m", &sign)); // no news
	assert_int_equal(table.n, WIRE_MAX_VLANS);
	assert_int_equal(table.seen[0].vlan.id, 900);
	assert_int_equal(table.seen[1].vlan.id, 101);
	sign = sign_of(102, true, "storage"); // heard before, now told
	assert_true(wire_table_take(&table, "eth0", "m", &sign));
	assert_int_equal(table.n, WIRE_MAX_VLANS);
	assert_string_equal(table.seen[0].vlan.name, "storage"); // by port, then by number
	assert_string_equal(table.seen[1].vlan.name, "mgmt");
}

static void the_place_is_news_once(void **state)
{
	struct wire_table table = {0};
	struct wire_sign sign = {.place = "leaf-3 port Ethernet7"};
	assert_true(wire_table_take(&table, "eth0", "m", &sign));
	assert_false(wire_table_take(&table, "eth0", "m", &sign));
	assert_true(wire_table_take(&table, "eth1", "m", &sign));
	(void)snprintf(sign.place, sizeof(sign.place), "leaf-4 port Ethernet1");
	assert_true(wire_table_take(&table, "eth0", "m", &sign)); // somebody moved the cable
	assert_int_equal(table.n_places, 2);
}

static void what_was_seen_on_a_link_is_forgotten_with_it(void **state)
{
	struct wire_table table = {0};
	struct wire_sign sign = sign_of(42, true, "mgmt"), other = sign_of(7, false, "");
	(void)snprintf(sign.place, sizeof(sign.place), "leaf-3 port Ethernet7");
	assert_true(wire_table_take(&table, "eth0", "m", &sign));
	assert_true(wire_table_take(&table, "eth1", "m", &sign));
	assert_true(wire_table_take(&table, "eth1", "m", &other));
	wire_table_forget(&table, "eth0");
	assert_int_equal(table.n, 2);
	assert_string_equal(table.seen[0].link, "eth1");
	assert_int_equal(table.seen[1].vlan.id, 7);
	assert_int_equal(table.n_places, 1);
	assert_string_equal(table.places[0].link, "eth1");
	assert_true(wire_table_take(&table, "eth0", "m", &sign)); // another card has its name
}

// --- the listener ---

enum { N_CARDS = 40, WAIT_MSEC = 3000 };

static void on_news(void *user)
{
	*(bool *)user = true;
}

static void send_lldp(const char *link)
{
	static const char frame[] = LLDP_HEAD CHASSIS PORT_NAME TTL SYSTEM VLAN_MGMT END;
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(link), .sll_halen = 6};
	AUTO_CLOSE int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	assert_int_equal(sendto(fd, frame, sizeof(frame) - 1, 0, (struct sockaddr *)&to, sizeof(to)), sizeof(frame) - 1);
}

static struct netconf_link card(int index, const char *name)
{
	struct netconf_link link = {.index = index, .wired = true};
	(void)snprintf(link.name, sizeof(link.name), "%s", name);
	return link;
}

// A machine whose cards come and go, one after another.
static void cards_that_are_gone_make_room(void **state)
{
	sd_event *event = NULL;
	CLEANUP(wire_listener_freep) struct wire_listener *listener = NULL;
	bool news = false;
	size_t n;
	if (unshare(CLONE_NEWNET) < 0 || system("ip link add near0 type veth peer name far0 && ip link set near0 up && "
					       "ip link set far0 up") != 0)
		skip();
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(wire_listener_new(event, on_news, &news, &listener, NULL), 0);
	for (int i = 0; i < N_CARDS; i++) {
		struct netconf_link gone = card(1000 + i, "eth0");
		wire_listener_look(listener, &(struct netconf_links){.links = &gone, .n = 1});
	}
	struct netconf_link here = card((int)if_nametoindex("near0"), "near0");
	wire_listener_look(listener, &(struct netconf_links){.links = &here, .n = 1});
	wire_listener_look(listener, NULL);
	uint64_t end_usec = time_boot_usec() + WAIT_MSEC * USEC_PER_MSEC;
	for (; !news && time_boot_usec() < end_usec; assert_true(sd_event_run(event, 100 * USEC_PER_MSEC) >= 0))
		send_lldp("far0");
	assert_true(news);
	const struct wire_seen *seen = wire_listener_seen(listener, &n);
	assert_int_equal(n, 1);
	assert_string_equal(seen->link, "near0");
	wire_listener_look(listener, &(struct netconf_links){0});
	(void)wire_listener_seen(listener, &n);
	assert_int_equal(n, 0);
	assert_null(wire_listener_place(listener, "near0"));
	listener = wire_listener_free(listener);
	sd_event_unref(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lldp_names_vlans_switch_and_port),
		cmocka_unit_test(a_port_id_that_is_no_text_is_not_shown),
		cmocka_unit_test(what_stands_before_a_fault_counts),
		cmocka_unit_test(a_tag_is_read_from_the_kernel_or_from_the_frame),
		cmocka_unit_test(the_table_keeps_what_lldp_tells_before_what_was_heard),
		cmocka_unit_test(the_place_is_news_once),
		cmocka_unit_test(what_was_seen_on_a_link_is_forgotten_with_it),
		cmocka_unit_test(cards_that_are_gone_make_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
