// SPDX-License-Identifier: Apache-2.0
#include "image/hearth-init/say.h"
#include "image/hearth-init/file.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

enum { MAX_CONSOLES = 8, REBOOT_AFTER_SEC = 60 };

static struct {
	int fds[MAX_CONSOLES];
	size_t n;
} consoles;

static void say_list(const char *format, va_list args)
{
	char text[MAX_TEXT], line[2 * MAX_TEXT];

	vsnprintf(text, sizeof(text), format, args);
	int n = snprintf(line, sizeof(line), "hearth: %s\n", text);

	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	for (size_t i = 0; i < consoles.n; i++)
		(void)!write(consoles.fds[i], line, (size_t)n); // a console that is gone must not stop the boot
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_list(format, args);
	va_end(args);
}

void give_up(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_list(format, args);
	va_end(args);
	say("this machine cannot start; it tries again in %d seconds", REBOOT_AFTER_SEC);
	sleep(REBOOT_AFTER_SEC);
	sync();
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

void consoles_open(void)
{
	char names[MAX_TEXT];
	char *save = NULL;

	read_line("/sys/class/tty/console/active", names, sizeof(names));
	for (char *name = strtok_r(names, " ", &save); name && consoles.n < MAX_CONSOLES;
		name = strtok_r(NULL, " ", &save)) {
		char path[MAX_TEXT];
		snprintf(path, sizeof(path), "/dev/%s", name);
		int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0)
			consoles.fds[consoles.n++] = fd;
	}
}
