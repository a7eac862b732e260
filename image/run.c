// SPDX-License-Identifier: Apache-2.0
#include "image/run.h"

#include "base/time.h"

#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>

extern char **environ;

enum { TAIL_BYTES = 700, OUTPUT_MAX = 64 << 20 };

static void tail_to_diag(int fd, const char *program, struct diag *reterr, const char *how)
{
	char tail[TAIL_BYTES + 1];
	off_t end = lseek(fd, 0, SEEK_END), from = end > TAIL_BYTES ? end - TAIL_BYTES : 0;
	ssize_t n = pread(fd, tail, TAIL_BYTES, from);

	tail[n > 0 ? n : 0] = '\0';
	for (char *c = tail; *c; c++)
		if (*c == '\n')
			*c = c[1] ? '|' : '\0';
	(void)diag_set(reterr, -EIO, program, "%s; its last words: %s", how, tail);
}

static int run(const char *const argv[], int out_fd, int err_fd, struct diag *reterr)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status = 0;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", 0, 0);
	posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
	posix_spawn_file_actions_adddup2(&actions, err_fd, 2);
	int rc = -posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (rc < 0)
		return diag_set(reterr, rc, argv[0], "could not be started: %s", strerror(-rc));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return diag_set(reterr, -errno, argv[0], "could not be waited for: %s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	char how[64];
	if (WIFEXITED(status))
		snprintf(how, sizeof(how), "failed with exit status %d", WEXITSTATUS(status));
	else
		snprintf(how, sizeof(how), "was ended by signal %d", WTERMSIG(status));
	tail_to_diag(err_fd, argv[0], reterr, how);
	return -EIO;
}

int run_program(const char *const argv[], struct diag *reterr)
{
	AUTO_CLOSE int fd = memfd_create("output", MFD_CLOEXEC);

	return fd < 0 ? -errno : run(argv, fd, fd, reterr);
}

int run_capture(const char *const argv[], char **ret, struct diag *reterr)
{
	AUTO_CLOSE int out = memfd_create("output", MFD_CLOEXEC);
	AUTO_CLOSE int err = memfd_create("errors", MFD_CLOEXEC);

	if (out < 0 || err < 0)
		return -errno;
	int rc = run(argv, out, err, reterr);
	if (rc < 0)
		return rc;
	off_t n = lseek(out, 0, SEEK_END);
	if (n > OUTPUT_MAX)
		return diag_set(reterr, -E2BIG, argv[0], "printed more than %d bytes", OUTPUT_MAX);
	AUTO_FREE char *text = malloc((size_t)n + 1);
	if (!text)
		return -ENOMEM;
	if (pread(out, text, (size_t)n, 0) != (ssize_t)n)
		return -EIO;
	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	*ret = TAKE_PTR(text);
	return 0;
}

static uint64_t step_began_usec;

void step_begin(const char *format, ...)
{
	va_list args;

	step_began_usec = time_boot_usec();
	fputs("hearth-image: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs(" ...", stderr);
	fflush(stderr);
}

void step_end(void)
{
	fprintf(stderr, " %.1f s\n", (double)(time_boot_usec() - step_began_usec) / USEC_PER_SEC);
}
