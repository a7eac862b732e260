// hearth-console: shows hearthd's status on one terminal. It reads /run/hearth/status.json, which hearthd replaces at
// every change, so it works before the bus is up and while hearthd is being restarted.
// SPDX-License-Identifier: Apache-2.0
#include "agent/root-path.h"
#include "agent/screen.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

static const char help[] = "hearth-console TTY: show what this node waits for on a terminal (started by systemd)\n"
			   "\n"
			   "On a serial line: one line per change. On a screen: a dashboard, with the enrolment code in big\n"
			   "letters and as QR.\n";

struct console {
	int fd;
	bool serial;
	char *last; // what was shown
};

static bool is_screen(const char *path) // virtual terminals; everything else is taken as a serial line
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	return str_starts(name, "tty") && name[3] >= '0' && name[3] <= '9';
}

static void write_all(int fd, const char *text)
{
	for (size_t n = strlen(text); n > 0;) {
		ssize_t written = write(fd, text, n);
		if (written < 0 && errno != EINTR)
			return; // a terminal that is gone; the next change tries again
		if (written > 0) {
			text += written;
			n -= (size_t)written;
		}
	}
}

static char *render(const struct console *console, const struct value *status)
{
	struct winsize size = { .ws_col = 80, .ws_row = 25 };
	if (console->serial)
		return screen_line(status);
	(void)ioctl(console->fd, TIOCGWINSZ, &size); // 80 x 25 then
	return screen_dashboard(status, size.ws_col ? size.ws_col : 80, size.ws_row ? size.ws_row : 25);
}

static void show(struct console *console)
{
	struct value *status CLEANUP(value_freep) = NULL;
	if (json_load(RUN_STATUS, 4 << 20, &status, NULL) < 0)
		return; // hearthd has not written it yet
	char *text = render(console, status);
	if (!text || str_equal(text, console->last)) {
		free(text);
		return;
	}
	free(console->last);
	console->last = text;
	if (console->serial)
		write_all(console->fd, "\r");
	write_all(console->fd, text);
	if (console->serial)
		write_all(console->fd, "\r\n");
}

static int watch_folder(void)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (file_make_folders("/run/hearth", 0755) < 0 || inotify_add_watch(fd, "/run/hearth", IN_MOVED_TO) < 0) {
		int error = errno;
		(void)close(fd); // nothing was watched
		return -error;
	}
	return fd;
}

static void drain(int fd)
{
	char buffer[4096];
	while (read(fd, buffer, sizeof(buffer)) > 0)
		continue;
}

static int run(struct console *console)
{
	int watch_fd AUTO_CLOSE = watch_folder();
	if (watch_fd < 0)
		return watch_fd;
	for (;;) {
		struct pollfd fds[] = { { .fd = watch_fd, .events = POLLIN } };
		show(console);
		if (poll(fds, N_ELEMENTS(fds), -1) < 0 && errno != EINTR)
			return -errno;
		drain(watch_fd);
	}
}

int main(int argc, char *argv[])
{
	log_open("hearth-console");
	if (argc == 2 && (str_equal(argv[1], "--help") || str_equal(argv[1], "-h"))) {
		fputs(help, stdout);
		return 0;
	}
	if (argc != 2) {
		fprintf(stderr, "hearth-console: takes one terminal, for example /dev/tty1\n");
		return 2;
	}
	struct console console = { .serial = !is_screen(argv[1]) };
	console.fd = open(argv[1], O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (console.fd < 0) {
		log_error("%s cannot be opened: %s", argv[1], strerror(errno));
		return 1;
	}
	int r = run(&console);
	log_error("%s", strerror(-r));
	return 1;
}
