// Watching and commanding one unit. Which unit should run is the agent's decision.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/service.h"
#include <errno.h>

#define SYSTEMD "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER SYSTEMD ".Manager"
#define UNIT SYSTEMD ".Unit"
#define SERVICE SYSTEMD ".Service"
#define PROPERTIES "org.freedesktop.DBus.Properties"

struct service_job {
	struct service *service;
	struct service_job *next;
	sd_bus_slot *slot;
	service_done_t on_done;
	void *user;
};

struct service {
	sd_bus *bus;
	char *unit, *path;
	sd_bus_slot *changed_slot, *get_unit_slot, *get_service_slot, *subscribe_slot;
	enum service_state state;
	bool missing;
	char active[32], sub[32], result[32];
	unsigned n_restarts;
	uint64_t active_since_usec;
	int exit_status;
	char sentence[256];
	struct service_job *jobs;
	service_changed_t on_changed;
	void *user;
};

const char *service_state_text(enum service_state state)
{
	switch (state) {
	case SERVICE_UNKNOWN:
		return "unknown";
	case SERVICE_MISSING:
		return "missing";
	case SERVICE_INACTIVE:
		return "inactive";
	case SERVICE_ACTIVATING:
		return "starting";
	case SERVICE_ACTIVE:
		return "active";
	case SERVICE_DEACTIVATING:
		return "stopping";
	case SERVICE_FAILED:
		return "failed";
	}
	return "unknown";
}

enum service_state service_state(const struct service *service)
{
	return service->state;
}

const char *service_sub_state(const struct service *service)
{
	return service->sub;
}

uint64_t service_active_since_usec(const struct service *service)
{
	return service->active_since_usec;
}

unsigned service_n_restarts(const struct service *service)
{
	return service->n_restarts;
}

const char *service_sentence(const struct service *service)
{
	return service->sentence;
}

static enum service_state state_of(const struct service *service)
{
	static const struct {
		const char *text;
		enum service_state state;
	} states[] = {{"active", SERVICE_ACTIVE}, {"reloading", SERVICE_ACTIVE}, {"inactive", SERVICE_INACTIVE},
		{"failed", SERVICE_FAILED}, {"activating", SERVICE_ACTIVATING}, {"deactivating", SERVICE_DEACTIVATING}};

	if (service->missing)
		return SERVICE_MISSING;
	for (size_t i = 0; i < N_ELEMENTS(states); i++)
		if (str_equal(service->active, states[i].text))
			return states[i].state;
	return SERVICE_UNKNOWN;
}

static void sentence_make(struct service *service)
{
	service->sentence[0] = '\0';
	if (service->missing)
		snprintf(service->sentence, sizeof(service->sentence), "%s is not installed on this node", service->unit);
	else if (*service->result && !str_equal(service->result, "success"))
		snprintf(service->sentence, sizeof(service->sentence), "%s failed (%s, status %d), restart %u",
			service->unit, service->result, service->exit_status, service->n_restarts);
}

static void service_update(struct service *service)
{
	service->state = state_of(service);
	sentence_make(service);
	service->on_changed(service, service->user);
}

static int text_read(sd_bus_message *message, char *to, size_t size)
{
	const char *text;
	int r = sd_bus_message_read(message, "v", "s", &text);

	if (r >= 0)
		snprintf(to, size, "%s", text);
	return r;
}

// One property of a{sv}; those we do not know are skipped.
static int property_read(struct service *service, sd_bus_message *message)
{
	const char *name;
	char load[32] = "";
	uint32_t n_restarts;
	uint64_t since_usec;
	int32_t exit_status;
	int r = sd_bus_message_read(message, "s", &name);

	if (r < 0)
		return r;
	if (str_equal(name, "ActiveState"))
		return text_read(message, service->active, sizeof(service->active));
	if (str_equal(name, "SubState"))
		return text_read(message, service->sub, sizeof(service->sub));
	if (str_equal(name, "Result"))
		return text_read(message, service->result, sizeof(service->result));
	if (str_equal(name, "LoadState")) {
		r = text_read(message, load, sizeof(load));
		if (r >= 0)
			service->missing = str_equal(load, "not-found");
		return r;
	}
	if (str_equal(name, "ActiveEnterTimestampMonotonic")) {
		r = sd_bus_message_read(message, "v", "t", &since_usec);
		if (r >= 0)
			service->active_since_usec = since_usec;
		return r;
	}
	if (str_equal(name, "NRestarts")) {
		r = sd_bus_message_read(message, "v", "u", &n_restarts);
		if (r >= 0)
			service->n_restarts = n_restarts;
		return r;
	}
	if (str_equal(name, "ExecMainStatus")) {
		r = sd_bus_message_read(message, "v", "i", &exit_status);
		if (r >= 0)
			service->exit_status = exit_status;
		return r;
	}
	return sd_bus_message_skip(message, "v");
}

static int properties_read(struct service *service, sd_bus_message *message)
{
	int r = sd_bus_message_enter_container(message, 'a', "{sv}");

	while (r >= 0) {
		r = sd_bus_message_enter_container(message, 'e', "sv");
		if (r <= 0)
			break;
		r = property_read(service, message);
		if (r >= 0)
			r = sd_bus_message_exit_container(message);
	}
	return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int on_properties_changed(sd_bus_message *message, void *user, sd_bus_error *ret_error)
{
	struct service *service = user;
	const char *interface;

	if (sd_bus_message_read(message, "s", &interface) >= 0 && properties_read(service, message) >= 0)
		service_update(service);
	return 0;
}

static int on_properties(sd_bus_message *message, void *user, sd_bus_error *ret_error)
{
	struct service *service = user;

	if (!sd_bus_message_is_method_error(message, NULL) && properties_read(service, message) >= 0)
		service_update(service);
	return 0;
}

static int on_subscribed(sd_bus_message *message, void *user, sd_bus_error *ret_error)
{
	return 0; // "already subscribed" is as good
}

int service_new(sd_bus *bus, const char *unit, service_changed_t on_changed, void *user, struct service **ret)
{
	struct service *service CLEANUP(service_freep) = calloc(1, sizeof(*service));
	int r;

	if (!service)
		return -ENOMEM;
	service->bus = sd_bus_ref(bus);
	service->on_changed = on_changed;
	service->user = user;
	service->unit = strdup(unit);
	if (!service->unit)
		return -ENOMEM;
	r = sd_bus_path_encode(MANAGER_PATH "/unit", unit, &service->path);
	if (r >= 0)
		r = sd_bus_match_signal_async(bus, &service->changed_slot, SYSTEMD, service->path, PROPERTIES,
			"PropertiesChanged", on_properties_changed, NULL, service);
	if (r >= 0)
		r = sd_bus_call_method_async(bus, &service->subscribe_slot, SYSTEMD, MANAGER_PATH, MANAGER, "Subscribe",
			on_subscribed, service, NULL);
	if (r >= 0)
		r = sd_bus_call_method_async(bus, &service->get_unit_slot, SYSTEMD, service->path, PROPERTIES, "GetAll",
			on_properties, service, "s", UNIT);
	if (r >= 0)
		r = sd_bus_call_method_async(bus, &service->get_service_slot, SYSTEMD, service->path, PROPERTIES,
			"GetAll", on_properties, service, "s", SERVICE);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(service);
	return 0;
}

struct service *service_free(struct service *service)
{
	if (!service)
		return NULL;
	while (service->jobs) {
		struct service_job *job = service->jobs;

		service->jobs = job->next;
		sd_bus_slot_unref(job->slot);
		free(job);
	}
	sd_bus_slot_unref(service->changed_slot);
	sd_bus_slot_unref(service->subscribe_slot);
	sd_bus_slot_unref(service->get_unit_slot);
	sd_bus_slot_unref(service->get_service_slot);
	sd_bus_unref(service->bus);
	free(service->unit);
	free(service->path);
	free(service);
	return NULL;
}

static int on_job(sd_bus_message *message, void *user, sd_bus_error *ret_error)
{
	struct service_job *job = user;
	struct service *service = job->service;
	const sd_bus_error *failure = sd_bus_message_get_error(message);
	service_done_t on_done = job->on_done;
	void *on_done_user = job->user;
	struct diag diag = {0};
	int error = 0;

	for (struct service_job **at = &service->jobs; *at; at = &(*at)->next)
		if (*at == job) {
			*at = job->next;
			break;
		}
	if (failure) {
		error = -sd_bus_error_get_errno(failure);
		error = error < 0 ? error : -EIO;
		(void)diag_set(&diag, error, service->unit, "systemd refused the job: %s",
			failure->message ? failure->message : failure->name);
	}
	sd_bus_slot_unref(job->slot);
	free(job);
	if (on_done)
		on_done(error, error < 0 ? &diag : NULL, on_done_user);
	return 0;
}

static int job_queue(struct service *service, const char *method, service_done_t on_done, void *user)
{
	struct service_job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	*job = (struct service_job){.service = service, .on_done = on_done, .user = user};
	r = sd_bus_call_method_async(service->bus, &job->slot, SYSTEMD, MANAGER_PATH, MANAGER, method, on_job, job, "ss",
		service->unit, "replace");
	if (r < 0) {
		free(job);
		return r;
	}
	job->next = service->jobs;
	service->jobs = job;
	return 0;
}

int service_start(struct service *service, service_done_t on_done, void *user)
{
	return job_queue(service, "StartUnit", on_done, user);
}

int service_stop(struct service *service, service_done_t on_done, void *user)
{
	return job_queue(service, "StopUnit", on_done, user);
}

int service_restart(struct service *service, service_done_t on_done, void *user)
{
	return job_queue(service, "RestartUnit", on_done, user);
}
