// io.hearth.Agent1 on the system bus (docs/contracts.md). hearthd starts before the bus: sd-bus waits for the socket to
// appear, and nothing of the start waits for sd-bus.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/json.h"
#include "base/log.h"
#include <errno.h>

#define BUS_NAME "io.hearth.Agent1"
#define BUS_PATH "/io/hearth/Agent1"
#define BUS_ADDRESS "unix:path=/run/dbus/system_bus_socket"
#define BUS_ERROR "io.hearth.Agent1.Refused"

struct agent_bus {
	struct agent *agent;
	sd_bus *bus; // NULL: not there
};

static int get_status(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
	void *user, sd_bus_error *reterr)
{
	const struct agent *a = ((struct agent_bus *)user)->agent;
	char *json AUTO_FREE = agent_status_json(a, false);
	return json ? sd_bus_message_append(reply, "s", json) : -ENOMEM;
}

static int get_timeline(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
	void *user, sd_bus_error *reterr)
{
	const struct agent *a = ((struct agent_bus *)user)->agent;
	struct json_out out = { 0 };
	timeline_to_json(&a->timeline, &out);
	char *json AUTO_FREE = json_out_take(&out);
	return json ? sd_bus_message_append(reply, "s", json) : -ENOMEM;
}

static int on_explain(sd_bus_message *message, void *user, sd_bus_error *reterr)
{
	const struct agent *a = ((struct agent_bus *)user)->agent;
	return sd_bus_reply_method_return(message, "s", a->action.sentence);
}

static int on_reset(sd_bus_message *message, void *user, sd_bus_error *reterr)
{
	struct agent *a = ((struct agent_bus *)user)->agent;
	struct diag diag = { 0 };
	const char *what;
	int r = sd_bus_message_read(message, "s", &what);
	if (r < 0)
		return r;
	if (agent_reset(a, what, &diag) < 0)
		return sd_bus_error_set(reterr, BUS_ERROR, diag_text(&diag));
	return sd_bus_reply_method_return(message, NULL);
}

static int on_confirm(sd_bus_message *message, void *user, sd_bus_error *reterr)
{
	struct agent *a = ((struct agent_bus *)user)->agent;
	struct diag diag = { 0 };
	const char *code;
	int r = sd_bus_message_read(message, "s", &code);
	if (r < 0)
		return r;
	if (agent_confirm(a, code, &diag) < 0)
		return sd_bus_error_set(reterr, BUS_ERROR, diag_text(&diag));
	return sd_bus_reply_method_return(message, NULL);
}

static int on_hurry(sd_bus_message *message, void *user, sd_bus_error *reterr)
{
	struct agent *a = ((struct agent_bus *)user)->agent;
	agent_network_forget_refusal(a);
	agent_hurry(a);
	return sd_bus_reply_method_return(message, NULL);
}

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Status", "s", get_status, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
	SD_BUS_PROPERTY("Timeline", "s", get_timeline, 0, SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION),
	SD_BUS_METHOD("Explain", "", "s", on_explain, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("Reset", "s", "", on_reset, 0),
	SD_BUS_METHOD("Confirm", "s", "", on_confirm, 0),
	SD_BUS_METHOD("Hurry", "", "", on_hurry, 0),
	SD_BUS_VTABLE_END,
};

static int on_name(sd_bus_message *message, void *user, sd_bus_error *reterr)
{
	if (sd_bus_message_is_method_error(message, NULL))
		log_warning("the name " BUS_NAME " is refused: %s", sd_bus_message_get_error(message)->message);
	agent_kick(((struct agent_bus *)user)->agent); // the bus is there: units can be looked at
	return 0;
}

static int connect_bus(struct agent_bus *b)
{
	sd_bus *bus = NULL;
	int r = sd_bus_new(&bus);
	if (r >= 0)
		r = sd_bus_set_address(bus, BUS_ADDRESS);
	if (r >= 0)
		r = sd_bus_set_bus_client(bus, true);
	if (r >= 0)
		r = sd_bus_set_watch_bind(bus, true); // the socket may not be there yet
	if (r >= 0)
		r = sd_bus_start(bus);
	if (r >= 0)
		r = sd_bus_attach_event(bus, b->agent->event, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = sd_bus_add_object_vtable(bus, NULL, BUS_PATH, BUS_NAME, vtable, b);
	if (r >= 0)
		r = sd_bus_request_name_async(bus, NULL, BUS_NAME, SD_BUS_NAME_REPLACE_EXISTING, on_name, b);
	if (r < 0) {
		sd_bus_close_unref(bus);
		return r;
	}
	b->bus = bus;
	return 0;
}

int agent_bus_new(struct agent *agent, struct agent_bus **ret)
{
	struct agent_bus *b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->agent = agent;
	*ret = b;
	return 0;
}

struct agent_bus *agent_bus_free(struct agent_bus *b)
{
	if (b)
		sd_bus_close_unref(b->bus);
	free(b);
	return NULL;
}

void agent_bus_try(struct agent_bus *b)
{
	if (b->agent->options.root[0])
		return; // a test has no bus of its own
	if (b->bus && sd_bus_is_open(b->bus) <= 0) { // the bus was restarted
		agent_k3s_forget_bus(b->agent);
		agent_time_forget_bus(b->agent);
		agent_volumes_forget_bus(b->agent);
		agent_command_forget_bus(b->agent);
		b->bus = sd_bus_close_unref(b->bus);
	}
	if (!b->bus && connect_bus(b) < 0)
		log_debug("the system bus cannot be reached");
}

sd_bus *agent_bus_get(const struct agent_bus *b)
{
	return b->bus && sd_bus_is_ready(b->bus) > 0 ? b->bus : NULL;
}

void agent_bus_changed(struct agent_bus *b)
{
	if (agent_bus_get(b))
		(void)sd_bus_emit_properties_changed(b->bus, BUS_PATH, BUS_NAME, "Status", "Timeline", NULL); // watchers ask anyway
}
