// What a machine shows: its serial console and its screen.
// SPDX-License-Identifier: Apache-2.0
#include "qemu/verbs.h"

#include "base/json.h"
#include "base/time.h"
#include "qemu/line.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <regex.h>
#include <sys/stat.h>
#include <termios.h>

enum { CONSOLE_QUIT = 0x1d }; // Ctrl-]

// ---- wait ----------------------------------------------------------------------------------------------------------

/* Print the first line that matches and return 0; -ETIMEDOUT. The log is a plain file that grows: it is looked at ten
 * times a second. */
static int wait_for_line(FILE *log, const regex_t *regex, uint64_t deadline_usec)
{
	AUTO_FREE char *line = NULL;
	size_t n_alloc = 0;

	for (;;) {
		long start = ftell(log);
		ssize_t n = getline(&line, &n_alloc, log);
		if (n > 0 && memchr(line, '\0', (size_t)n)) // firmware writes all kinds of bytes
			for (ssize_t i = 0; i < n; i++)
				if (!line[i])
					line[i] = ' ';
		if (n > 0 && regexec(regex, line, 0, NULL, 0) == 0) {
			line[strcspn(line, "\r\n")] = '\0';
			puts(line);
			return 0;
		}
		if (n > 0 && line[n - 1] == '\n')
			continue;
		if (time_boot_usec() > deadline_usec)
			return -ETIMEDOUT;
		clearerr(log);
		if (fseek(log, start, SEEK_SET) < 0) // the rest of this line is still to come
			return -errno;
		(void)usleep(100000);
	}
}

int verb_wait(const struct lab *lab, int argc, char *argv[])
{
	const char *pattern = NULL;
	unsigned timeout_sec = 60;
	struct diag diag = {0};
	regex_t regex;
	int fd;

	if (argc < 2)
		return verb_misused("wait: use wait NAME --console REGEX [--timeout SEC]");
	for (int i = 2; i < argc; i++) {
		if (i + 1 < argc && str_equal(argv[i], "--console"))
			pattern = argv[++i];
		else if (i + 1 < argc && str_equal(argv[i], "--timeout"))
			timeout_sec = (unsigned)strtoul(argv[++i], NULL, 10);
		else
			return verb_misused("wait: \"%s\" is no option with a value", argv[i]);
	}
	if (!pattern || regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return verb_misused("wait: --console must be an extended regular expression");
	int r = lab_node_console_open(lab, argv[1], &fd, &diag);
	if (r == 0) {
		AUTO_FCLOSE FILE *log = fdopen(fd, "r");
		r = log ? wait_for_line(log, &regex, time_boot_usec() + timeout_sec * USEC_PER_SEC) : -errno;
		if (r < 0)
			(void)diag_set(&diag, r, argv[1], "nothing on the console matched \"%s\" within %u s", pattern,
				timeout_sec);
	}
	regfree(&regex);
	return r < 0 ? verb_failed(&diag) : 0;
}

// ---- console -------------------------------------------------------------------------------------------------------

static int copy_some(int from_fd, int to_fd, bool *ret_quit)
{
	char chunk[4096];
	ssize_t n = read(from_fd, chunk, sizeof(chunk));
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	char *quit = ret_quit ? memchr(chunk, CONSOLE_QUIT, (size_t)n) : NULL;
	if (quit) {
		*ret_quit = true;
		n = quit - chunk;
	}
	return line_write(to_fd, chunk, (size_t)n, time_boot_usec() + 10 * USEC_PER_SEC);
}

static int attach(int console_fd)
{
	struct termios saved, raw;
	bool is_terminal = tcgetattr(0, &saved) == 0, quit = false;
	struct pollfd fds[2] = {{.fd = console_fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
	int r = 0;

	if (is_terminal) {
		raw = saved;
		cfmakeraw(&raw);
		(void)tcsetattr(0, TCSANOW, &raw);
		fprintf(stderr, "(Ctrl-] leaves)\r\n");
	}
	while (r == 0 && !quit) {
		if (poll(fds, 2, -1) < 0)
			break;
		if (fds[0].revents)
			r = copy_some(console_fd, 1, NULL);
		if (r == 0 && fds[1].revents && copy_some(0, console_fd, &quit) < 0)
			fds[1].fd = -1; // no more input: go on showing
	}
	if (is_terminal)
		(void)tcsetattr(0, TCSANOW, &saved);
	return r == -EPIPE ? 0 : r;
}

int verb_console(const struct lab *lab, int argc, char *argv[])
{
	struct diag diag = {0};
	int log_fd;

	bool is_log = argc == 3 && str_equal(argv[2], "--log");
	if (argc != 2 && !is_log)
		return verb_misused("console: use console NAME [--log]");
	int r = lab_node_console_open(lab, argv[1], &log_fd, &diag);
	if (r < 0)
		return verb_failed(&diag);
	while (copy_some(log_fd, 1, NULL) == 0)
		;
	(void)close(log_fd);
	if (is_log)
		return 0;
	AUTO_FREE char *path = lab_path(lab, argv[1], LAB_FILE_CONSOLE);
	AUTO_CLOSE int fd = path && lab_node_pid(lab, argv[1]) > 0 ? unix_connect(path) : -ENOTCONN;
	if (fd < 0) {
		(void)diag_set(&diag, fd, argv[1], "is off");
		return verb_failed(&diag);
	}
	return attach(fd) < 0 ? 1 : 0;
}

// ---- screendump ----------------------------------------------------------------------------------------------------

int verb_screendump(const struct lab *lab, int argc, char *argv[])
{
	struct json_out out = {0};
	struct diag diag = {0};

	if (argc != 3)
		return verb_misused("screendump: use screendump NAME FILE.png");
	AUTO_FREE char *here = argv[2][0] == '/' ? NULL : getcwd(NULL, 0);
	AUTO_FREE char *path = str_format("%s%s%s", here ? here : "", here ? "/" : "", argv[2]);
	json_out_object_begin(&out);
	json_out_member(&out, "filename", path);
	json_out_member(&out, "format", "png");
	json_out_object_end(&out);
	AUTO_FREE char *arguments = json_out_take(&out);
	if (!path || !arguments)
		return 1;
	int r = lab_node_qmp(lab, argv[1], "screendump", arguments, &diag);
	return r < 0 ? verb_failed(&diag) : 0;
}
