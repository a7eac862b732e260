// hearth-console: shows hearthd's status on one terminal. It reads /run/hearth/status.json, which hearthd replaces at
// every change, so it works before the bus is up and while hearthd is being restarted.
// SPDX-License-Identifier: Apache-2.0
#include "agent/root-path.h"
#include "agent/screen.h"
#include "agent/vlan-pick.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <termios.h>

static const char help[] = "hearth-console TTY: show what this node waits for on a terminal (started by systemd)\n"
			   "\n"
			   "On a serial line: a line per change, and one for each new warning. On a screen: a dashboard, with the\n"
			   "enrolment code in big letters and as QR.\n"
			   "The key s there asks hearthd for the safe network: DHCP on every wired port in place of what does not\n"
			   "work. Once more goes back. Where VLANs are offered, a digit has that one tried, and 0 none.\n";

enum { ALONE_MSEC = 100 };
#define SAFE_KEY 's'

struct console {
	int fd;
	bool serial;
	bool has_keys; // it can be read, too
	char *last; // the dashboard that is shown
	struct screen_said said; // on a serial line
	struct value *status; // which is shown
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

// False: no memory, so it was not shown.
static bool show_lines(struct console *console, const struct value *status)
{
	char *text AUTO_FREE = screen_lines(status, time_boot_usec(), &console->said), *rest = text;
	for (const char *line = strsep(&rest, "\n"); rest; line = strsep(&rest, "\n")) {
		write_all(console->fd, "\r");
		write_all(console->fd, line);
		write_all(console->fd, "\r\n");
	}
	return text;
}

static bool show_dashboard(struct console *console, const struct value *status)
{
	struct winsize size = { .ws_col = 80, .ws_row = 25 };
	(void)ioctl(console->fd, TIOCGWINSZ, &size); // 80 x 25 then
	char *text AUTO_FREE = screen_dashboard(status, size.ws_col ? size.ws_col : 80, size.ws_row ? size.ws_row : 25);
	if (!text)
		return false;
	if (!str_equal(text, console->last)) {
		write_all(console->fd, text);
		free(console->last);
		console->last = TAKE_PTR(text);
	}
	return true;
}

static void show(struct console *console)
{
	struct value *status CLEANUP(value_freep) = NULL;
	if (json_load(RUN_STATUS, 4 << 20, &status, NULL) < 0)
		return; // hearthd has not written it yet
	if (!(console->serial ? show_lines(console, status) : show_dashboard(console, status)))
		return;
	value_free(console->status);
	console->status = TAKE_PTR(status);
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

// Keys count as they are pressed, and are not shown.
static void take_keys(struct console *console)
{
	struct termios settings;
	if (!console->has_keys || tcgetattr(console->fd, &settings) < 0) {
		console->has_keys = false;
		return;
	}
	settings.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	settings.c_cc[VMIN] = 1;
	settings.c_cc[VTIME] = 0;
	console->has_keys = tcsetattr(console->fd, TCSANOW, &settings) == 0;
}

static void ask_for_vlan(const struct console *console, char key)
{
	struct vlan_pick pick = { 0 };
	struct diag diag = { 0 };
	char text[VLAN_PICK_TEXT];
	const char *mac;
	if (!screen_vlan_of(console->status, key, &mac, &pick.id)) // what this terminal shows, not what came since
		return;
	(void)snprintf(pick.mac, sizeof(pick.mac), "%s", mac); // a longer one is refused there
	vlan_pick_format(&pick, text);
	if (file_write_volatile(RUN_VLAN_PICK, text, strlen(text), 0600, &diag) < 0)
		log_error("the VLAN cannot be asked for: %s", diag_text(&diag));
}

static void ask_for_safe_network(void)
{
	struct diag diag = { 0 };
	if (file_write_volatile(RUN_SAFE_NETWORK, "", 0, 0600, &diag) < 0)
		log_error("the safe network cannot be asked for: %s", diag_text(&diag));
}

// A key that is alone: what a terminal server echoes of our own lines, or noise, comes in heaps.
static void read_keys(struct console *console)
{
	char bytes[256];
	struct pollfd more = { .fd = console->fd, .events = POLLIN };
	ssize_t n = read(console->fd, bytes, sizeof(bytes));
	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		console->has_keys = false; // hung up: the unit's next start opens it again
	if (n != 1 || poll(&more, 1, ALONE_MSEC) != 0)
		return;
	if (bytes[0] == SAFE_KEY)
		ask_for_safe_network();
	else
		ask_for_vlan(console, bytes[0]);
}

static int run(struct console *console)
{
	int watch_fd AUTO_CLOSE = watch_folder();
	if (watch_fd < 0)
		return watch_fd;
	for (;;) {
		struct pollfd fds[] = { { .fd = watch_fd, .events = POLLIN },
			{ .fd = console->has_keys ? console->fd : -1, .events = POLLIN } };
		show(console);
		if (poll(fds, N_ELEMENTS(fds), -1) < 0 && errno != EINTR)
			return -errno;
		drain(watch_fd);
		if (fds[1].revents)
			read_keys(console);
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
	console.fd = open(argv[1], O_RDWR | O_NOCTTY | O_CLOEXEC);
	console.has_keys = console.fd >= 0;
	if (console.fd < 0) // a printer, say
		console.fd = open(argv[1], O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (console.fd < 0) {
		log_error("%s cannot be opened: %s", argv[1], strerror(errno));
		return 1;
	}
	take_keys(&console);
	int r = run(&console);
	log_error("%s", strerror(-r));
	return 1;
}
