// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "netconf/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void addresses_and_ranges_of_peers_are_declared(void **state)
{
	static const char text[] =
		"{\"version\": 2, \"ethernets\": {\"eth1\": {\"addresses\": [\"10.77.0.12/24\", \"2001:db8::7/64\"],"
		"\"routes\": [{\"to\": \"172.16.0.0/12\", \"via\": \"10.77.0.1\"}]}},"
		"\"tunnels\": {\"hearth0\": {\"mode\": \"wireguard\", \"key\": \"/k\", \"addresses\": [\"10.66.0.11/16\"]},"
		"\"wg9\": {\"mode\": \"wireguard\", \"key\": \"/k\", \"addresses\": [\"192.168.9.1/24\"], \"peers\": ["
		"{\"keys\": {\"public\": \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\"}, \"allowed-ips\": [\"0.0.0.0/0\", "
		"\"10.64.3.0/24\"]}]}}}";
	static const char *const expected[] = {"eth1 10.77.0.12/24", "eth1 2001:db8::7/64", "wg9 192.168.9.1/24",
		"wg9 peer 10.64.3.0/24"};
	CLEANUP(value_freep) struct value *document = NULL;
	AUTO_FREE struct netconf_declared *declared = NULL;
	struct network *network = NULL;
	struct diag diag = {0};
	size_t n = 0;
	assert_int_equal(json_parse(text, strlen(text), 0, &document, NULL), 0);
	if (netconf_decode(document, &network, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	assert_int_equal(netconf_declared(network, "hearth0", &declared, &n), 0);
	assert_int_equal(n, N_ELEMENTS(expected));
	for (size_t i = 0; i < n; i++) {
		char one[128];
		(void)snprintf(one, sizeof(one), "%s %s%s", declared[i].link, declared[i].of_peer ? "peer " : "", declared[i].range);
		assert_string_equal(one, expected[i]);
	}
	network_free(network);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_and_ranges_of_peers_are_declared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
