// The conflist and the masquerade chain.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "k3s/cni.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void the_conflist_is_a_bridge_on_the_node_s_range(void **state)
{
	struct value *document CLEANUP(value_freep) = NULL;
	const struct value *plugins, *bridge, *range;
	char *text AUTO_FREE = NULL;

	assert_int_equal(cni_conflist_render("10.64.1.0/24", "10.64.0.0/16", 1420, &text, NULL), 0);
	assert_int_equal(json_parse(text, strlen(text), 0, &document, NULL), 0);
	assert_string_equal(value_text(value_find(document, "cniVersion")), "1.0.0");
	assert_string_equal(value_text(value_find(document, "name")), "hearth");
	plugins = value_find(document, "plugins");
	assert_int_equal(plugins->n, 2);
	bridge = &plugins->items[0];
	assert_string_equal(value_text(value_find(bridge, "type")), "bridge");
	assert_false(value_find(bridge, "ipMasq")->boolean);
	assert_string_equal(value_find(bridge, "mtu")->text, "1420");
	range = &value_path(bridge, "ipam", "ranges", NULL)->items[0].items[0];
	assert_string_equal(value_text(value_find(range, "subnet")), "10.64.1.0/24");
	assert_string_equal(value_text(value_find(&plugins->items[1], "type")), "portmap");
}

static void ranges_are_checked(void **state)
{
	static const struct {
		const char *pod, *cluster;
		unsigned mtu;
		int r;
	} rows[] = {
		{"10.64.1.0/24", "10.64.0.0/16", 1420, 0},
		{"10.64.0.0/16", "10.64.0.0/16", 1420, 0},
		{"fd00:1::/64", "fd00::/16", 1280, 0},
		{"10.65.1.0/24", "10.64.0.0/16", 1420, -ERANGE},
		{"10.0.0.0/8", "10.64.0.0/16", 1420, -ERANGE},
		{"fd00::/64", "10.64.0.0/16", 1420, -ERANGE},
		{"10.64.1.0", "10.64.0.0/16", 1420, -EINVAL},
		{"10.64.1.0/33", "10.64.0.0/16", 1420, -EINVAL},
		{"10.64.1.0/2x", "10.64.0.0/16", 1420, -EINVAL},
		{"10.64.1/24", "10.64.0.0/16", 1420, -EINVAL},
		{"", "10.64.0.0/16", 1420, -EINVAL},
		{"10.64.1.0/24", "10.64.0.0/16", 1279, -EINVAL},
		{"10.64.1.0/24", "10.64.0.0/16", 9001, -EINVAL},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *text AUTO_FREE = NULL;

		assert_int_equal(cni_conflist_render(rows[i].pod, rows[i].cluster, rows[i].mtu, &text, NULL), rows[i].r);
	}
}

static void only_what_leaves_pods_and_mesh_is_masqueraded(void **state)
{
	char *text AUTO_FREE = NULL, *six AUTO_FREE = NULL, *none = NULL;

	assert_int_equal(cni_masquerade_rules("10.64.1.7/24", "10.64.0.0/16", "10.66.0.0/16", &text, NULL), 0);
	assert_non_null(strstr(text, "ip saddr 10.64.1.0/24 ip daddr != { 10.64.0.0/16, 10.66.0.0/16 } masquerade"));
	assert_int_equal(cni_masquerade_rules("fd00:0:0:1::/64", "fd00::/48", "10.66.0.0/16", &six, NULL), 0);
	assert_non_null(strstr(six, "ip6 saddr fd00:0:0:1::/64 ip6 daddr != fd00::/48 masquerade"));
	assert_int_equal(cni_masquerade_rules("10.64.1.0/24", "10.64.0.0/14", "10.66.0.0/16", &none, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_conflist_is_a_bridge_on_the_node_s_range),
		cmocka_unit_test(ranges_are_checked),
		cmocka_unit_test(only_what_leaves_pods_and_mesh_is_masqueraded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
