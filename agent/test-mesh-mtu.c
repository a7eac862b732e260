// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-mtu.h"
#include "base/util.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void chain_is_as_narrow_as_its_narrowest_part(void **state)
{
	static const struct {
		unsigned assigned, link, mtu;
	} rows[] = {
		{ 1420, 1500, 1420 }, { 1420, 9000, 1420 }, { 8920, 9000, 8920 }, { 8920, 1500, 1420 }, { 1420, 1450, 1370 },
		{ 1420, 1340, 1280 }, { 1420, 576, 1280 }, { 1420, 40, 1280 }, { 1420, 0, 1420 }, { 0, 1500, 1280 },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_int_equal(mesh_mtu_of_chain(rows[i].assigned, rows[i].link), rows[i].mtu);
}

static void search_ends_near_what_the_path_carries(void **state)
{
	static const struct {
		unsigned mtu, path;   // path: what it carries; 0: nothing comes back
		unsigned every;       // each so manieth packet is lost; 0: none
		enum mesh_mtu_end end;
		unsigned most, least; // of the result
	} rows[] = {
		{ 1420, 9000, 0, MESH_MTU_FITS, 0, 0 }, { 1420, 1420, 0, MESH_MTU_FITS, 0, 0 }, { 1420, 0, 0, MESH_MTU_UNKNOWN, 0, 0 },
		{ 1420, 1419, 0, MESH_MTU_SMALLER, 1419, 1412 }, { 1420, 1340, 0, MESH_MTU_SMALLER, 1340, 1332 },
		{ 1420, 1280, 0, MESH_MTU_SMALLER, 1280, 1280 }, { 1420, 1279, 0, MESH_MTU_TOO_SMALL, 1280, 1280 },
		{ 1420, 576, 0, MESH_MTU_TOO_SMALL, 1280, 1280 }, { 8920, 1420, 0, MESH_MTU_SMALLER, 1420, 1412 },
		{ 1420, 9000, 2, MESH_MTU_FITS, 0, 0 }, { 1420, 1340, 3, MESH_MTU_SMALLER, 1340, 1332 },
		{ 1280, 1280, 0, MESH_MTU_FITS, 0, 0 }, { 1280, 1200, 0, MESH_MTU_TOO_SMALL, 1280, 1280 },
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct mesh_mtu_search search;
		enum mesh_mtu_end end;
		unsigned mtu = 0, n = 0;
		mesh_mtu_begin(&search, rows[i].mtu);
		do {
			bool lost = rows[i].every && n % rows[i].every == 0;
			end = mesh_mtu_answer(&search, !lost && search.size <= rows[i].path, &mtu);
		} while (end == MESH_MTU_GOES_ON && ++n < 100);
		if (end != rows[i].end)
			fail_msg("row %zu: end %d", i, (int)end);
		if (rows[i].most && (mtu > rows[i].most || mtu < rows[i].least))
			fail_msg("row %zu: %u", i, mtu);
	}
}

// Three packets in a row get lost by chance.
static void a_moment_of_loss_lowers_nothing(void **state)
{
	struct mesh_mtu_search search;
	enum mesh_mtu_end end;
	unsigned mtu = 0, n = 0;
	mesh_mtu_begin(&search, 1420);
	do
		end = mesh_mtu_answer(&search, n < 1 || n > 3, &mtu);
	while (end == MESH_MTU_GOES_ON && ++n < 100);
	assert_int_equal(end, MESH_MTU_FITS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chain_is_as_narrow_as_its_narrowest_part),
		cmocka_unit_test(search_ends_near_what_the_path_carries),
		cmocka_unit_test(a_moment_of_loss_lowers_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
