// hearth-region serve: the region itself. One event loop for signals, the admin socket and time;
// the listeners have threads of their own (http-server.h). SPDX-License-Identifier: Apache-2.0
#include "region/admin-socket.h"
#include "region/api.h"
#include "region/command.h"
#include "region/http-server.h"
#include "region/registry-secret.h"
#include "region/session.h"

#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "base/timer.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

enum { TICK_USEC = 250000, SLOW_TICKS = 20, RENEW_TICKS = 14400, SERVER_LIFE_SEC = 90 * 86400 };

struct service {
	struct region region;
	sd_event *event;
	sd_event_source *timer, *wake;
	struct admin_socket *socket;
	unsigned n_ticks;
};

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *user)
{
	struct service *service = user;
	eventfd_t count;
	(void)eventfd_read(fd, &count); // EAGAIN: somebody read it before
	pthread_mutex_lock(&service->region.lock);
	http_server_pump(service->region.http);
	pthread_mutex_unlock(&service->region.lock);
	return 0;
}

static void renew_server_certificate(struct service *service)
{
	struct region *region = &service->region;
	struct diag diag = { 0 };
	pthread_mutex_lock(&region->lock);
	bool due =
		region_now_sec(region) - region->server_not_before_sec > SERVER_LIFE_SEC / 3 * 2 &&
		region_check_clock(region, &diag) >= 0;
	int r = due ? region_server_certificate(region, &diag) : 0;
	pthread_mutex_unlock(&region->lock);
	if (due && r >= 0)
		r = http_server_restart(region->http, &diag);
	else
		due = false;
	if (r < 0)
		log_error("server certificate: %s", diag_text(&diag));
	if (due && r < 0)
		(void)sd_event_exit(service->event, r); // nobody listens any more: start anew
}

static int on_tick(sd_event_source *source, uint64_t usec, void *user)
{
	struct service *service = user;
	struct region *region = &service->region;
	pthread_mutex_lock(&region->lock);
	if (++service->n_ticks % SLOW_TICKS == 0) {
		region_tick(region);
		int r = store_commit(region->store);
		if (r < 0)
			log_error("changes could not be written: %s", strerror(-r));
	}
	http_server_tick(region->http);
	pthread_mutex_unlock(&region->lock);
	if (service->n_ticks % RENEW_TICKS == 0)
		renew_server_certificate(service);
	return timer_arm(source, TICK_USEC);
}

static int start_events(struct service *service, const char *socket_path, struct diag *reterr)
{
	int r = sd_event_default(&service->event);
	if (r < 0 || (r = sd_event_add_signal(service->event, NULL, SIGTERM, NULL, NULL)) < 0 ||
		(r = sd_event_add_signal(service->event, NULL, SIGINT, NULL, NULL)) < 0 ||
		(r = sd_event_add_io(service->event, &service->wake, service->region.wake_fd,
			 EPOLLIN, on_wake, service)) < 0 ||
		(r = sd_event_add_time_relative(service->event, &service->timer, CLOCK_BOOTTIME,
			 TICK_USEC, 10000, on_tick, service)) < 0)
		return diag_set(reterr, r, "event loop", "cannot be set up: %s", strerror(-r));
	return admin_socket_start(
		&service->region, service->event, socket_path, &service->socket, reterr);
}

static int make_socket_folder(const char *path)
{
	AUTO_FREE char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	return file_make_folders(folder, 0755);
}

static int serve(
	struct service *service, const struct command_options *options, struct diag *reterr)
{
	AUTO_FREE char *socket_path = command_socket(options);
	const struct http_server_config config = {
		.listen = options->listen ? options->listen : "[::]:7443",
		.boot_listen = options->boot_listen ? options->boot_listen : "[::]:7080",
		.routes = api_routes,
		.n_routes = n_api_routes,
		.boot_routes = boot_routes,
		.n_boot_routes = n_boot_routes,
		.max_per_address = (unsigned)options->max_per_address,
	};
	int r = region_load(&service->region, options->dir, reterr);
	if (r < 0)
		return r;
	registry_secrets_warn(&service->region);
	service->region.boot_dir = options->boot_dir;
	service->region.layout_dir = options->layout;
	service->region.sessions = session_table_new();
	if (!socket_path || !service->region.sessions || make_socket_folder(socket_path) < 0)
		return -ENOMEM;
	if ((r = http_server_start(&service->region, &config, &service->region.http, reterr)) < 0 ||
		(r = start_events(service, socket_path, reterr)) < 0)
		return r;
	log_notice("region of cluster %s serves %s, boot %s, admin socket %s",
		service->region.config->name, config.listen, config.boot_listen, socket_path);
	(void)sd_notify(0, "READY=1"); // not under systemd: nobody listens
	r = sd_event_loop(service->event);
	(void)sd_notify(0, "STOPPING=1"); // the same
	return r;
}

int cmd_serve(const struct command_options *options)
{
	struct service service = { .region = { .wake_fd = -1 } };
	struct diag diag = { 0 };
	struct rlimit files;
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(
		SIG_BLOCK, &signals, NULL); // before there are threads that would inherit it open
	(void)signal(SIGPIPE, SIG_IGN); // MHD writes to sockets that the other end may have closed
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files); // fewer connections then
	}
	int r = serve(&service, options, &diag);
	admin_socket_stop(service.socket);
	service.region.http = http_server_stop(service.region.http);
	sd_event_source_unref(service.timer);
	sd_event_source_unref(service.wake);
	sd_event_unref(service.event);
	session_table_free(service.region.sessions);
	region_unload(&service.region);
	return r < 0 ? command_failed(&diag, r) : 0;
}
