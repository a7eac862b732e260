// A small systemd of our own at the other end of a socket pair, for unit tests: it knows a few units and what is asked of them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stddef.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>

#define TEST_MANAGER_PATH "/org/freedesktop/systemd1"
#define TEST_UNIT "org.freedesktop.systemd1.Unit"
#define TEST_SERVICE "org.freedesktop.systemd1.Service"

struct test_unit {
	const char *path;
	const char *active, *sub, *load, *result;
	uint32_t n_restarts;
	int32_t exit_status;
};

struct test_systemd {
	sd_bus *systemd, *bus; // its own end, and that of who is tested
	// StartUnit, StopUnit or RestartUnit: 0, or a negative errno with @reterr.
	int (*on_job)(const char *member, const char *unit, const char *mode, sd_bus_error *reterr, void *user);
	void *user;
};

static inline int test_systemd_on_job(sd_bus_message *message, void *user, sd_bus_error *reterr)
{
	struct test_systemd *systemd = user;
	const char *unit, *mode;

	assert_true(sd_bus_message_read(message, "ss", &unit, &mode) >= 0);
	int r = systemd->on_job(sd_bus_message_get_member(message), unit, mode, reterr, systemd->user);
	return r < 0 ? r : sd_bus_reply_method_return(message, "o", TEST_MANAGER_PATH "/job/1");
}

static inline int test_systemd_on_subscribe(sd_bus_message *message, void *user, sd_bus_error *reterr)
{
	return sd_bus_reply_method_return(message, "");
}

static const sd_bus_vtable test_manager_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Subscribe", "", "", test_systemd_on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("StartUnit", "ss", "o", test_systemd_on_job, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("StopUnit", "ss", "o", test_systemd_on_job, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("RestartUnit", "ss", "o", test_systemd_on_job, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};
#define TEST_PROPERTY(name, type, field)                                                                                       \
	SD_BUS_PROPERTY(name, type, NULL, offsetof(struct test_unit, field), SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
static const sd_bus_vtable test_unit_vtable[] = {
	SD_BUS_VTABLE_START(0),
	TEST_PROPERTY("ActiveState", "s", active),
	TEST_PROPERTY("SubState", "s", sub),
	TEST_PROPERTY("LoadState", "s", load),
	SD_BUS_VTABLE_END,
};
static const sd_bus_vtable test_service_vtable[] = {
	SD_BUS_VTABLE_START(0),
	TEST_PROPERTY("Result", "s", result),
	TEST_PROPERTY("NRestarts", "u", n_restarts),
	TEST_PROPERTY("ExecMainStatus", "i", exit_status),
	SD_BUS_VTABLE_END,
};

// @unit is there, stopped, until @systemd goes; it is borrowed.
static inline void test_unit_add(struct test_systemd *systemd, struct test_unit *unit, const char *path)
{
	*unit = (struct test_unit){.path = path, .active = "inactive", .sub = "dead", .load = "loaded", .result = "success"};
	assert_true(sd_bus_add_object_vtable(systemd->systemd, NULL, path, TEST_UNIT, test_unit_vtable, unit) >= 0);
	assert_true(sd_bus_add_object_vtable(systemd->systemd, NULL, path, TEST_SERVICE, test_service_vtable, unit) >= 0);
}

// Both ends run on @event. on_job and user are set.
static inline void test_systemd_make(struct test_systemd *systemd, sd_event *event)
{
	sd_id128_t id = {.bytes = {1}};
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	assert_true(sd_bus_new(&systemd->systemd) >= 0 && sd_bus_new(&systemd->bus) >= 0);
	assert_true(sd_bus_set_fd(systemd->systemd, fds[0], fds[0]) >= 0 && sd_bus_set_fd(systemd->bus, fds[1], fds[1]) >= 0);
	assert_true(sd_bus_set_server(systemd->systemd, 1, id) >= 0 && sd_bus_set_anonymous(systemd->systemd, 1) >= 0);
	assert_true(sd_bus_set_anonymous(systemd->bus, 1) >= 0);
	assert_true(sd_bus_set_sender(systemd->systemd, "org.freedesktop.systemd1") >= 0);
	assert_true(sd_bus_start(systemd->systemd) >= 0 && sd_bus_start(systemd->bus) >= 0);
	assert_true(sd_bus_attach_event(systemd->systemd, event, 0) >= 0 && sd_bus_attach_event(systemd->bus, event, 0) >= 0);
	assert_true(sd_bus_add_object_vtable(systemd->systemd, NULL, TEST_MANAGER_PATH, "org.freedesktop.systemd1.Manager",
			    test_manager_vtable, systemd) >= 0);
}

static inline void test_systemd_drop(struct test_systemd *systemd)
{
	sd_bus_close_unref(systemd->bus);
	sd_bus_close_unref(systemd->systemd);
}
