// Connections by IPv6 /64. SPDX-License-Identifier: Apache-2.0
#include "region/address-group.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct sockaddr *address(const char *text)
{
	static struct sockaddr_in6 v6;
	v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
	assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
	return (const struct sockaddr *)&v6;
}

static void a_network_of_64_bits_is_one_group(void **state)
{
	struct address_groups *groups = address_groups_new();
	address_groups_add(groups, address("2001:db8:0:1::1"));
	address_groups_add(groups, address("2001:db8:0:1:ffff::2"));
	assert_false(address_groups_have_room(groups, address("2001:db8:0:1::3"), 2));
	assert_true(address_groups_have_room(groups, address("2001:db8:0:1::3"), 3));
	assert_true(address_groups_have_room(groups, address("2001:db8:0:2::1"), 2));
	address_groups_remove(groups, address("2001:db8:0:1::1"));
	assert_true(address_groups_have_room(groups, address("2001:db8:0:1::3"), 2));
	address_groups_remove(groups, address("2001:db8:0:1:ffff::2"));
	address_groups_remove(groups, address("2001:db8:0:1::9")); // never counted
	assert_true(address_groups_have_room(groups, address("2001:db8:0:1::3"), 1));
	address_groups_free(groups);
}

static void ipv4_is_not_one_group(void **state)
{
	struct address_groups *groups = address_groups_new();
	const struct sockaddr_in v4 = { .sin_family = AF_INET };
	for (int i = 0; i < 3; i++)
		address_groups_add(groups, address("::ffff:192.0.2.1"));
	assert_true(address_groups_have_room(groups, address("::ffff:192.0.2.1"), 1));
	assert_true(address_groups_have_room(groups, (const struct sockaddr *)&v4, 0));
	assert_true(address_groups_have_room(groups, NULL, 0));
	address_groups_free(groups);
}

static void many_groups_are_apart(void **state)
{
	struct address_groups *groups = address_groups_new();
	char text[64];
	for (unsigned i = 0; i < 40000; i++) {
		(void)snprintf(text, sizeof(text), "fd00:%x:%x::1", i / 256, i % 256);
		assert_true(address_groups_have_room(groups, address(text), 1));
		address_groups_add(groups, address(text));
		assert_false(address_groups_have_room(groups, address(text), 1));
	}
	address_groups_free(groups);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_network_of_64_bits_is_one_group),
		cmocka_unit_test(ipv4_is_not_one_group),
		cmocka_unit_test(many_groups_are_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
