// The VLAN that was picked at the console: what may stand in its file, and the network that comes of it.
// SPDX-License-Identifier: Apache-2.0
#include "agent/vlan-pick.h"
#include "base/yaml.h"
#include "netconf/netconf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void a_pick_survives_its_file(void **state)
{
	struct vlan_pick pick = { .mac = "52:54:78:00:00:0b", .id = 4094 }, again;
	char text[VLAN_PICK_TEXT];
	vlan_pick_format(&pick, text);
	assert_string_equal(text, "52:54:78:00:00:0b 4094\n");
	assert_int_equal(vlan_pick_parse(text, strlen(text), &again), 0);
	assert_string_equal(again.mac, pick.mac);
	assert_int_equal(again.id, 4094);
	assert_int_equal(vlan_pick_parse("52:54:78:00:00:0b 0", 19, &again), 0); // none any more
	assert_int_equal(again.id, 0);
}

static void anything_else_is_refused(void **state)
{
	static const char *const wrong[] = { "", "\n", "52:54:78:00:00:0b", "52:54:78:00:00:0b ", "52:54:78:00:00:0b 4095",
		"52:54:78:00:00:0b 99999", "52:54:78:00:00:0B 42", "52-54-78-00-00-0b 42", "52:54:78:00:00:0b  42",
		"52:54:78:00:00:0b 4\"2", "52:54:78:00:00:0b 42\n\n" };
	struct vlan_pick pick;
	for (size_t i = 0; i < N_ELEMENTS(wrong); i++)
		if (vlan_pick_parse(wrong[i], strlen(wrong[i]), &pick) != -EINVAL)
			fail_msg("%s", wrong[i]);
}

static void its_document_is_a_network(void **state)
{
	struct vlan_pick pick = { .mac = "52:54:78:00:00:0b", .id = 42 };
	char *text AUTO_FREE = vlan_pick_netplan(&pick, NULL, NULL);
	struct value *document CLEANUP(value_freep) = NULL;
	struct network *network CLEANUP(network_freep) = NULL;
	struct diag diag = { 0 };
	assert_int_equal(yaml_parse(text, strlen(text), 4096, "picked", &document, &diag), 0);
	if (netconf_decode(document, &network, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	assert_string_equal(value_text(value_path(document, "vlans", "vlan42", "link", NULL)), "picked-port");
}

// Else the VLAN would stand on a declaration that has lost its port: it stays while it is there, and is not made after a reboot.
static void it_stands_on_the_port_as_the_document_above_calls_it(void **state)
{
	static const struct {
		const char *above, *link;
	} rows[] = {
		{ "{version: 2, ethernets: {uplink0: {match: {macaddress: '52:54:78:00:00:0B'}, dhcp4: true}}}", "uplink0" },
		{ "{network: {version: 2, ethernets: {enp0s4: {dhcp4: true}}}}", "enp0s4" },
		{ "{version: 2, ethernets: {enp0s4: {match: {macaddress: '52:54:78:00:01:0b'}}}}", "picked-port" }, // another one
		{ "{version: 2, ethernets: {'a\"b': {match: {macaddress: '52:54:78:00:00:0b'}}}}", "picked-port" },
		{ "{version: 2}", "picked-port" },
		{ "{version: 2, ethernets: {uplinks: {match: {name: 'enp0s*'}, dhcp4: true}}}", "uplinks" },
		{ "{version: 2, ethernets: {uplink: {match: {name: 'eth*'}, set-name: enp0s4}}}", "uplink" },
		{ "{version: 2, ethernets: {enp0s4: {match: {name: enp0s9}}}}", "picked-port" }, // its id is no name then
		{ "{version: 2, ethernets: {enp0s4: {match: {driver: virtio_net}}}}", "picked-port" },
		{ "{version: 2, ethernets: {a: {match: {name: 'en*', macaddress: '52:54:78:00:01:0b'}}, b: {match: {name: 'en*', "
		  "macaddress: '52:54:78:00:00:0b'}}}}", "b" },
	};
	struct vlan_pick pick = { .mac = "52:54:78:00:00:0b", .id = 42 };
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct value *above CLEANUP(value_freep) = NULL, *document CLEANUP(value_freep) = NULL;
		assert_int_equal(yaml_parse(rows[i].above, strlen(rows[i].above), 4096, "above", &above, NULL), 0);
		char *text AUTO_FREE = vlan_pick_netplan(&pick, above, "enp0s4");
		assert_int_equal(yaml_parse(text, strlen(text), 4096, "picked", &document, NULL), 0);
		assert_string_equal(value_text(value_path(document, "vlans", "vlan42", "link", NULL)), rows[i].link);
		assert_false(vlan_pick_is_in(&pick, above));
	}
}

static void a_document_may_have_that_vlan_itself(void **state)
{
	static const char text[] = "{network: {version: 2, ethernets: {e: {}}, vlans: {other: {id: 7, link: e}, mgmt: {id: 42, link: e}}}}";
	struct value *above CLEANUP(value_freep) = NULL;
	struct vlan_pick pick = { .mac = "52:54:78:00:00:0b", .id = 42 };
	assert_int_equal(yaml_parse(text, strlen(text), 4096, "above", &above, NULL), 0);
	assert_true(vlan_pick_is_in(&pick, above));
	pick.id = 43;
	assert_false(vlan_pick_is_in(&pick, above));
	assert_false(vlan_pick_is_in(&pick, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pick_survives_its_file),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(its_document_is_a_network),
		cmocka_unit_test(it_stands_on_the_port_as_the_document_above_calls_it),
		cmocka_unit_test(a_document_may_have_that_vlan_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
