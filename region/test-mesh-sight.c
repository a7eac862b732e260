// A node that comes from elsewhere: when that counts. SPDX-License-Identifier: Apache-2.0
#include "region/mesh-sight.h"

#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define AT(sec) ((uint64_t)(sec) * USEC_PER_SEC)

static void another_address_counts_after_a_while(void **state)
{
	struct mesh_sights sights = { 0 };
	assert_false(mesh_sights_stands(&sights, "n-a", "203.0.113.9", AT(1000)));
	assert_false(mesh_sights_stands(&sights, "n-b", "203.0.113.9", AT(1200)));
	assert_false(mesh_sights_stands(&sights, "n-a", "203.0.113.9", AT(1299)));
	assert_true(mesh_sights_stands(&sights, "n-a", "203.0.113.9", AT(1300)));
	assert_int_equal(sights.n, 1);
	assert_true(mesh_sights_stands(&sights, "n-b", "203.0.113.9", AT(1500)));
	mesh_sights_done(&sights);
}

static void it_counts_anew_after_any_other(void **state)
{
	struct mesh_sights sights = { 0 };
	assert_false(mesh_sights_stands(&sights, "n-a", "203.0.113.9", AT(1000)));
	assert_false(mesh_sights_stands(&sights, "n-a", "203.0.113.10", AT(1299)));
	assert_false(mesh_sights_stands(&sights, "n-a", "203.0.113.9", AT(1301)));
	mesh_sights_forget(&sights, "n-a"); // its own again
	mesh_sights_forget(&sights, "n-a");
	assert_int_equal(sights.n, 0);
	assert_false(mesh_sights_stands(&sights, "n-a", "203.0.113.9", AT(1602)));
	mesh_sights_done(&sights);
}

static void all_nodes_of_a_segment_come_by_two_proxies(void **state)
{
	struct mesh_sights sights = { 0 };
	char id[ID_TEXT];
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 5000; i++) {
			(void)snprintf(id, sizeof(id), "n-%d", i);
			assert_false(mesh_sights_stands(
				&sights, id, round % 2 ? "203.0.113.9" : "203.0.113.10", AT(1000 + 30 * round)));
		}
	assert_int_equal(sights.n, 5000);
	mesh_sights_done(&sights);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_address_counts_after_a_while),
		cmocka_unit_test(it_counts_anew_after_any_other),
		cmocka_unit_test(all_nodes_of_a_segment_come_by_two_proxies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
