// NTP: an image that has systemd-timesyncd gets the servers of the assignment; it is started only then. Without it, or
// while no server answers, the clock is slewed towards the region (agent-region.c).
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "agent/timesyncd.h"
#include "base/file.h"
#include "base/log.h"
#include <errno.h>

#define TIMESYNCD "/usr/lib/systemd/systemd-timesyncd"
#define TIMESYNCD_UNIT "systemd-timesyncd.service"
#define TIMESYNCD_FOLDER "/run/systemd/timesyncd.conf.d"
#define TIMESYNCD_DROP_IN TIMESYNCD_FOLDER "/50-hearth.conf"

static void on_done(int error, const struct diag *diag, void *user)
{
	if (error < 0)
		log_warning("%s does not take the NTP servers: %s; the clock follows the region", TIMESYNCD_UNIT,
			diag ? diag_text(diag) : strerror(-error));
}

static void on_changed(struct service *service, void *user)
{
}

static int write_drop_in(const struct agent *a)
{
	char *text AUTO_FREE = timesyncd_drop_in(a->assignment->ntp, a->assignment->n_ntp);
	int r = text ? file_make_folders(root_path(a->options.root, TIMESYNCD_FOLDER).text, 0755) : -ENOMEM;
	return r < 0 ? r : file_write_volatile(root_path(a->options.root, TIMESYNCD_DROP_IN).text, text, strlen(text), 0644, NULL);
}

void agent_time_act(struct agent *a)
{
	sd_bus *bus = agent_bus_get(a->bus);
	if (a->ntp_told || !a->assignment || !bus || a->options.without_network)
		return;
	a->ntp_told = true; // tried again with the next assignment
	bool had_servers = file_exists(root_path(a->options.root, TIMESYNCD_DROP_IN).text);
	if (!a->assignment->n_ntp && !had_servers)
		return;
	if (!file_exists(root_path(a->options.root, TIMESYNCD).text)) {
		log_notice("this image has no systemd-timesyncd for the NTP servers of the assignment: the clock follows the region");
		return;
	}
	int r = a->assignment->n_ntp ? write_drop_in(a) : file_remove(root_path(a->options.root, TIMESYNCD_DROP_IN).text);
	if (r >= 0 && !a->time_service)
		r = service_new(bus, TIMESYNCD_UNIT, on_changed, a, &a->time_service);
	if (r >= 0)
		r = a->assignment->n_ntp ? service_restart(a->time_service, on_done, a) : service_stop(a->time_service, on_done, a);
	if (r < 0)
		on_done(r, NULL, a);
}

void agent_time_forget_bus(struct agent *a)
{
	a->time_service = service_free(a->time_service);
}
