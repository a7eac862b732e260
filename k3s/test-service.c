// The unit control against a small systemd of our own at the other end of a socket pair.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/service.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stddef.h>
#include <sys/socket.h>

#define UNIT_PATH "/org/freedesktop/systemd1/unit/k3s_2eservice"
#define UNIT "org.freedesktop.systemd1.Unit"
#define SERVICE "org.freedesktop.systemd1.Service"

struct fake { // the state of the one unit that the fake systemd has
	const char *active, *sub, *load, *result;
	uint32_t n_restarts;
	int32_t exit_status;
	char called[64];
	bool refuses;
};

static int on_job_method(sd_bus_message *message, void *user, sd_bus_error *ret_error)
{
	struct fake *fake = user;
	const char *unit, *mode;

	assert_true(sd_bus_message_read(message, "ss", &unit, &mode) >= 0);
	snprintf(fake->called, sizeof(fake->called), "%s %s %s", sd_bus_message_get_member(message), unit, mode);
	if (fake->refuses)
		return sd_bus_error_set(ret_error, "org.freedesktop.systemd1.NoSuchUnit", "Unit k3s.service not found.");
	return sd_bus_reply_method_return(message, "o", "/org/freedesktop/systemd1/job/1");
}

static int on_subscribe(sd_bus_message *message, void *user, sd_bus_error *ret_error)
{
	return sd_bus_reply_method_return(message, "");
}

static const sd_bus_vtable manager_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Subscribe", "", "", on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("StartUnit", "ss", "o", on_job_method, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("StopUnit", "ss", "o", on_job_method, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("RestartUnit", "ss", "o", on_job_method, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};
#define PROPERTY(name, type, field)                                                                \
	SD_BUS_PROPERTY(name, type, NULL, offsetof(struct fake, field), SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
static const sd_bus_vtable unit_vtable[] = {
	SD_BUS_VTABLE_START(0),
	PROPERTY("ActiveState", "s", active),
	PROPERTY("SubState", "s", sub),
	PROPERTY("LoadState", "s", load),
	SD_BUS_VTABLE_END,
};
static const sd_bus_vtable service_vtable[] = {
	SD_BUS_VTABLE_START(0),
	PROPERTY("Result", "s", result),
	PROPERTY("NRestarts", "u", n_restarts),
	PROPERTY("ExecMainStatus", "i", exit_status),
	SD_BUS_VTABLE_END,
};

struct pair {
	sd_event *event;
	sd_bus *systemd, *bus;
	struct fake fake;
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

static int pair_make(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));
	sd_id128_t id = {.bytes = {1}};
	int fds[2];

	assert_non_null(pair);
	pair->fake = (struct fake){.active = "inactive", .sub = "dead", .load = "loaded", .result = "success"};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	assert_true(sd_event_new(&pair->event) >= 0);
	assert_true(sd_bus_new(&pair->systemd) >= 0 && sd_bus_new(&pair->bus) >= 0);
	assert_true(sd_bus_set_fd(pair->systemd, fds[0], fds[0]) >= 0 && sd_bus_set_fd(pair->bus, fds[1], fds[1]) >= 0);
	assert_true(sd_bus_set_server(pair->systemd, 1, id) >= 0 && sd_bus_set_anonymous(pair->systemd, 1) >= 0);
	assert_true(sd_bus_set_anonymous(pair->bus, 1) >= 0);
	assert_true(sd_bus_set_sender(pair->systemd, "org.freedesktop.systemd1") >= 0);
	assert_true(sd_bus_start(pair->systemd) >= 0 && sd_bus_start(pair->bus) >= 0);
	assert_true(sd_bus_attach_event(pair->systemd, pair->event, 0) >= 0);
	assert_true(sd_bus_attach_event(pair->bus, pair->event, 0) >= 0);
	assert_true(sd_bus_add_object_vtable(pair->systemd, NULL, "/org/freedesktop/systemd1",
			    "org.freedesktop.systemd1.Manager", manager_vtable, &pair->fake) >= 0);
	assert_true(sd_bus_add_object_vtable(pair->systemd, NULL, UNIT_PATH, UNIT, unit_vtable, &pair->fake) >= 0);
	assert_true(sd_bus_add_object_vtable(pair->systemd, NULL, UNIT_PATH, SERVICE, service_vtable, &pair->fake) >= 0);
	assert_int_equal(service_new(pair->bus, K3S_UNIT_SERVER, on_changed, pair, &pair->service), 0);
	*state = pair;
	return 0;
}

static int pair_drop(void **state)
{
	struct pair *pair = *state;

	service_free(pair->service);
	sd_bus_close_unref(pair->bus);
	sd_bus_close_unref(pair->systemd);
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
	pair->fake.active = "activating";
	pair->fake.sub = "start";
	assert_true(
		sd_bus_emit_properties_changed(pair->systemd, UNIT_PATH, UNIT, "ActiveState", "SubState", NULL) >= 0);
	turn_until(pair, &pair->n_changes, 3);
	assert_int_equal(service_state(pair->service), SERVICE_ACTIVATING);
	assert_string_equal(service_sub_state(pair->service), "start");
	pair->fake.active = "active";
	assert_true(sd_bus_emit_properties_changed(pair->systemd, UNIT_PATH, UNIT, "ActiveState", NULL) >= 0);
	turn_until(pair, &pair->n_changes, 4);
	assert_int_equal(service_state(pair->service), SERVICE_ACTIVE);
}

static void a_failure_becomes_a_sentence(void **state)
{
	struct pair *pair = *state;

	turn_until(pair, &pair->n_changes, 2);
	pair->fake.active = "failed";
	pair->fake.result = "exit-code";
	pair->fake.exit_status = 1;
	pair->fake.n_restarts = 3;
	assert_true(sd_bus_emit_properties_changed(pair->systemd, UNIT_PATH, SERVICE, "Result", "ExecMainStatus",
			    "NRestarts", NULL) >= 0);
	assert_true(sd_bus_emit_properties_changed(pair->systemd, UNIT_PATH, UNIT, "ActiveState", NULL) >= 0);
	turn_until(pair, &pair->n_changes, 4);
	assert_int_equal(service_state(pair->service), SERVICE_FAILED);
	assert_int_equal(service_n_restarts(pair->service), 3);
	assert_string_equal(service_sentence(pair->service), "k3s.service failed (exit-code, status 1), restart 3");
}

static void a_unit_that_is_not_there_is_missing(void **state)
{
	struct pair *pair = *state;

	pair->fake.load = "not-found";
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
	assert_string_equal(pair->fake.called, "StartUnit k3s.service replace");
	assert_int_equal(service_stop(pair->service, on_done, pair), 0);
	turn_until(pair, &pair->n_done, 2);
	assert_string_equal(pair->fake.called, "StopUnit k3s.service replace");
	pair->fake.refuses = true;
	assert_int_equal(service_restart(pair->service, on_done, pair), 0);
	turn_until(pair, &pair->n_done, 3);
	assert_string_equal(pair->fake.called, "RestartUnit k3s.service replace");
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
