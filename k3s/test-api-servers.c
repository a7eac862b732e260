// Who is the API server of a node, as probes come in.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/api-servers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct api_servers_member three[] = {
	{"s1", "10.66.0.11"}, {"s2", "10.66.0.12"}, {"s3", "10.66.0.13"}};

static const char *target_of(const struct api_servers *servers)
{
	const struct api_server *target = api_servers_target(servers);

	return target ? target->name : "";
}

static void a_server_begins_with_its_own(void **state)
{
	struct api_servers servers = {0};

	api_servers_set(&servers, three, 3, "s2", NULL);
	assert_string_equal(target_of(&servers), "s2");
	assert_true(api_servers_wants(&servers, 1) && !api_servers_wants(&servers, 0));
}

// Joining, or its K3s restarts: pods and Cilium of this node go to another one meanwhile, and come back.
static void a_server_leaves_its_own_only_while_that_fails(void **state)
{
	struct api_servers servers = {0};

	api_servers_set(&servers, three, 3, "s2", NULL);
	assert_false(api_servers_answer(&servers, 1, true));
	assert_false(api_servers_answer(&servers, 1, false)); // once is nothing
	assert_true(api_servers_wants(&servers, 0) && api_servers_wants(&servers, 2));
	assert_false(api_servers_answer(&servers, 2, true));
	assert_true(api_servers_answer(&servers, 1, false));
	assert_string_equal(target_of(&servers), "s3");
	assert_true(api_servers_wants(&servers, 1)); // it may come back
	assert_false(api_servers_wants(&servers, 0));
	assert_true(api_servers_answer(&servers, 1, true));
	assert_string_equal(target_of(&servers), "s2");
}

static void the_only_server_keeps_itself(void **state)
{
	struct api_servers servers = {0};

	api_servers_set(&servers, three, 1, "s1", NULL);
	assert_false(api_servers_wants(&servers, 0)); // there is nothing to choose
	for (int i = 0; i < 5; i++)
		assert_false(api_servers_answer(&servers, 0, false));
	assert_string_equal(target_of(&servers), "s1");
}

static void a_worker_is_sticky(void **state)
{
	struct api_servers servers = {0};

	api_servers_set(&servers, three, 3, "w1", "10.66.0.13"); // as before hearthd was restarted
	assert_string_equal(target_of(&servers), "s3");
	assert_int_equal(servers.own, API_SERVERS_NONE);
	assert_false(api_servers_answer(&servers, 2, true));
	assert_false(api_servers_answer(&servers, 0, true)); // others are ready, too: no reason to move
	assert_int_equal(api_servers_wait_sec(&servers), API_PROBE_SEC);
	assert_false(api_servers_answer(&servers, 2, false));
	assert_int_equal(api_servers_wait_sec(&servers), API_PROBE_AGAIN_SEC);
	assert_false(api_servers_answer(&servers, 2, true)); // a moment's silence
	assert_false(api_servers_answer(&servers, 2, false));
	assert_true(api_servers_answer(&servers, 2, false));
	assert_string_equal(target_of(&servers), "s1");
	assert_false(api_servers_answer(&servers, 2, true)); // the old one is back: it stays
	assert_string_equal(target_of(&servers), "s1");
}

// The answers of the others may come after the second failure.
static void a_worker_moves_as_soon_as_somebody_answers(void **state)
{
	struct api_servers servers = {0};

	api_servers_set(&servers, three, 3, "w1", "10.66.0.11");
	assert_false(api_servers_answer(&servers, 0, false));
	assert_false(api_servers_answer(&servers, 0, false));
	assert_string_equal(target_of(&servers), "s1"); // nobody is better
	assert_int_equal(api_servers_wait_sec(&servers), API_PROBE_SEC);
	assert_false(api_servers_answer(&servers, 1, false));
	assert_true(api_servers_answer(&servers, 2, true));
	assert_string_equal(target_of(&servers), "s3");
}

// A server that is late is not asked all the time by every node, nor given up each time.
static void nobody_is_asked_less_often(void **state)
{
	struct api_servers servers = {0};
	const unsigned waits[] = {API_PROBE_AGAIN_SEC, 5, 10, API_PROBE_MAX_SEC, API_PROBE_MAX_SEC};

	api_servers_set(&servers, three, 3, "w1", "10.66.0.11");
	for (size_t i = 0; i < N_ELEMENTS(waits); i++) {
		assert_int_equal(api_servers_timeout_sec(&servers), i < API_PROBE_FAILURES ? API_PROBE_TIMEOUT_SEC : API_PROBE_PATIENT_SEC);
		assert_false(api_servers_answer(&servers, 0, false));
		assert_int_equal(api_servers_wait_sec(&servers), waits[i]);
	}
	assert_true(api_servers_answer(&servers, 1, true));
	assert_int_equal(api_servers_wait_sec(&servers), API_PROBE_SEC);
	assert_int_equal(api_servers_timeout_sec(&servers), API_PROBE_TIMEOUT_SEC);
}

static void membership_changes_keep_what_is_known(void **state)
{
	const struct api_servers_member two[] = {{"s3", "10.66.0.13"}, {"s4", "10.66.0.14"}};
	struct api_servers servers = {0};

	api_servers_set(&servers, three, 3, "w1", "10.66.0.13");
	assert_false(api_servers_answer(&servers, 2, true));
	api_servers_set(&servers, two, 2, "w1", NULL);
	assert_string_equal(target_of(&servers), "s3");
	assert_true(servers.servers[0].ready && !servers.servers[1].ready);
	api_servers_set(&servers, &two[1], 1, "w1", NULL); // the target is no member any more
	assert_string_equal(target_of(&servers), "s4");
	api_servers_set(&servers, NULL, 0, "w1", NULL);
	assert_null(api_servers_target(&servers));
	assert_false(api_servers_answer(&servers, 0, true));
	assert_false(api_servers_wants(&servers, 0));
}

static void workers_spread(void **state)
{
	bool seen[3] = {0};

	for (char c = 'a'; c <= 'z'; c++) {
		const char name[] = {'w', c, '\0'};
		struct api_servers servers = {0};

		api_servers_set(&servers, three, 3, name, "10.66.0.99");
		seen[servers.target] = true;
	}
	assert_true(seen[0] && seen[1] && seen[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_begins_with_its_own),
		cmocka_unit_test(a_server_leaves_its_own_only_while_that_fails),
		cmocka_unit_test(the_only_server_keeps_itself),
		cmocka_unit_test(a_worker_is_sticky),
		cmocka_unit_test(a_worker_moves_as_soon_as_somebody_answers),
		cmocka_unit_test(nobody_is_asked_less_often),
		cmocka_unit_test(membership_changes_keep_what_is_known),
		cmocka_unit_test(workers_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
