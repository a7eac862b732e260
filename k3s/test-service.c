// The unit control against a small systemd of our own at the other end of a socket pair.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/service.h"
#include "k3s/test-systemd.h"

#define UNIT_PATH "/org/freedesktop/systemd1/unit/k3s_2eservice"

struct pair {
	sd_event *event;
	struct test_systemd systemd;
	struct test_unit unit;
	char called[64]; // what was asked last
	bool refuses;
	struct service *service;
	unsigned n_changes, n_done;
	int done_error;
	char done_text[256];
};

static void on_changed(struct service *service, void *user)
{
	((struct pair *)user)->n_changes++;
}

static void on_done(int error, const struct diag *diag, void *user)
{
	struct pair *pair = user;

	pair->n_done++;
	pair->done_error = error;
	snprintf(pair->done_text, sizeof(pair->done_text), "%s", diag ? diag_text(diag) : "");
}

static int on_job(const char *member, const char *unit, const char *mode, sd_bus_error *reterr, void *user)
{
	struct pair *pair = user;

	snprintf(pair->called, sizeof(pair->called), "%s %s %s", member, unit, mode);
	if (pair->refuses)
		return sd_bus_error_set(reterr, "org.freedesktop.systemd1.NoSuchUnit", "Unit k3s.service not found.");
	return 0;
}

static int pair_make(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	assert_non_null(pair);
	assert_true(sd_event_new(&pair->event) >= 0);
	pair->systemd = (struct test_systemd){.on_job = on_job, .user = pair};
	test_systemd_make(&pair->systemd, pair->event);
	test_unit_add(&pair->systemd, &pair->unit, UNIT_PATH);
	assert_int_equal(service_new(pair->systemd.bus, K3S_UNIT_SERVER, on_changed, pair, &pair->service), 0);
	*state = pair;
	return 0;
}

static int pair_drop(void **state)
{
	struct pair *pair = *state;

	service_free(pair->service);
	test_systemd_drop(&pair->systemd);
	sd_event_unref(pair->event);
	free(pair);
	return 0;
}

static void turn_until(struct pair *pair, const unsigned *counter, unsigned wanted)
{
	for (int i = 0; i < 200 && *counter < wanted; i++)
		assert_true(sd_event_run(pair->event, 100000) >= 0);
	assert_true(*counter >= wanted);
}

static void the_state_is_asked_and_then_watched(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(service_state(pair->service), SERVICE_UNKNOWN);
	turn_until(pair, &pair->n_changes, 2);
	assert_int_equal(service_state(pair->service), SERVICE_INACTIVE);
	assert_string_equal(service_sub_state(pair->service), "dead");
	assert_string_equal(service_sentence(pair->service), "");
	pair->unit.active = "activating";
	pair->unit.sub = "start";
	assert_true(
		sd_bus_emit_properties_changed(pair->systemd.systemd, UNIT_PATH, TEST_UNIT, "ActiveState", "SubState", NULL) >= 0);
	turn_until(pair, &pair->n_changes, 3);
	assert_int_equal(service_state(pair->service), SERVICE_ACTIVATING);
	assert_string_equal(service_sub_state(pair->service), "start");
	pair->unit.active = "active";
	assert_true(sd_bus_emit_properties_changed(pair->systemd.systemd, UNIT_PATH, TEST_UNIT, "ActiveState", NULL) >= 0);
	turn_until(pair, &pair->n_changes, 4);
	assert_int_equal(service_state(pair->service), SERVICE_ACTIVE);
}

static void a_failure_becomes_a_sentence(void **state)
{
	struct pair *pair = *state;

	turn_until(pair, &pair->n_changes, 2);
	pair->unit.active = "failed";
	pair->unit.result = "exit-code";
	pair->unit.exit_status = 1;
	pair->unit.n_restarts = 3;
	assert_true(sd_bus_emit_properties_changed(pair->systemd.systemd, UNIT_PATH, TEST_SERVICE, "Result", "ExecMainStatus",
			    "NRestarts", NULL) >= 0);
	assert_true(sd_bus_emit_properties_changed(pair->systemd.systemd, UNIT_PATH, TEST_UNIT, "ActiveState", NULL) >= 0);
	turn_until(pair, &pair->n_changes, 4);
	assert_int_equal(service_state(pair->service), SERVICE_FAILED);
	assert_int_equal(service_n_restarts(pair->service), 3);
	assert_string_equal(service_sentence(pair->service), "k3s.service failed (exit-code, status 1), restart 3");
}

static void a_unit_that_is_not_there_is_missing(void **state)
{
	struct pair *pair = *state;

	pair->unit.load = "not-found";
	turn_until(pair, &pair->n_changes, 2);
	assert_int_equal(service_state(pair->service), SERVICE_MISSING);
	assert_non_null(strstr(service_sentence(pair->service), "is not installed"));
}

static void jobs_are_queued_and_refusals_told(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(service_start(pair->service, on_done, pair), 0);
	turn_until(pair, &pair->n_done, 1);
	assert_int_equal(pair->done_error, 0);
	assert_string_equal(pair->called, "StartUnit k3s.service replace");
	assert_int_equal(service_stop(pair->service, on_done, pair), 0);
	turn_until(pair, &pair->n_done, 2);
	assert_string_equal(pair->called, "StopUnit k3s.service replace");
	pair->refuses = true;
	assert_int_equal(service_restart(pair->service, on_done, pair), 0);
	turn_until(pair, &pair->n_done, 3);
	assert_string_equal(pair->called, "RestartUnit k3s.service replace");
	assert_true(pair->done_error < 0);
	assert_string_equal(pair->done_text, "k3s.service: systemd refused the job: Unit k3s.service not found.");
}

static void freeing_with_a_job_under_way_calls_nobody(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(service_start(pair->service, on_done, pair), 0);
	pair->service = service_free(pair->service);
	for (int i = 0; i < 20; i++)
		assert_true(sd_event_run(pair->event, 1000) >= 0);
	assert_int_equal(pair->n_done, 0);
	assert_int_equal(pair->n_changes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_state_is_asked_and_then_watched, pair_make, pair_drop),
		cmocka_unit_test_setup_teardown(a_failure_becomes_a_sentence, pair_make, pair_drop),
		cmocka_unit_test_setup_teardown(a_unit_that_is_not_there_is_missing, pair_make, pair_drop),
		cmocka_unit_test_setup_teardown(jobs_are_queued_and_refusals_told, pair_make, pair_drop),
		cmocka_unit_test_setup_teardown(freeing_with_a_job_under_way_calls_nobody, pair_make, pair_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
