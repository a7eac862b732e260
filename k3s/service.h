// One systemd unit over sd-bus: start, stop, restart, and what state it is in. Everything is asynchronous; the unit's
// properties are watched. Source: org.freedesktop.systemd1(5).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"
#include <systemd/sd-bus.h>

#define K3S_UNIT_SERVER "k3s.service"
#define K3S_UNIT_AGENT "k3s-agent.service"

enum service_state {
	SERVICE_UNKNOWN, // not asked yet
	SERVICE_MISSING, // no such unit file
	SERVICE_INACTIVE,
	SERVICE_ACTIVATING, // started, not READY=1 yet (or between two restarts)
	SERVICE_ACTIVE,
	SERVICE_DEACTIVATING,
	SERVICE_FAILED,
};
const char *service_state_text(enum service_state state);

struct service;
typedef void (*service_changed_t)(struct service *service, void *user);
/* @bus is borrowed and must be attached to an event loop and outlive the service. @on_changed runs after each change
 * of state, sub-state or restart counter. -errno of the bus. */
int service_new(sd_bus *bus, const char *unit, service_changed_t on_changed, void *user, struct service **ret);
struct service *service_free(struct service *service);
DEFINE_CLEANUP(service)
enum service_state service_state(const struct service *service);
const char *service_sub_state(const struct service *service); // "start", "auto-restart", ... or ""
// When it last became active, CLOCK_MONOTONIC as systemd has it; 0: not yet.
uint64_t service_active_since_usec(const struct service *service);
unsigned service_n_restarts(const struct service *service);
/* Why the last job failed, for a person: "k3s.service: exited with status 1, restart 3" or "". */
const char *service_sentence(const struct service *service);
typedef void (*service_done_t)(int error, const struct diag *diag, void *user);
/* Queue the job (mode "replace"); @on_done (may be NULL) runs when systemd accepted or refused the job, not when it is
 * finished: watch the state for that. */
int service_start(struct service *service, service_done_t on_done, void *user);
int service_stop(struct service *service, service_done_t on_done, void *user);
int service_restart(struct service *service, service_done_t on_done, void *user);
