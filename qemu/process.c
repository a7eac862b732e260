// SPDX-License-Identifier: Apache-2.0
#include "qemu/process.h"

#include "base/time.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

static void child_exec(char *const argv[], int out_fd, int err_fd) __attribute__((noreturn));
static void child_exec(char *const argv[], int out_fd, int err_fd)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	(void)setpgid(0, 0);
	if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(out_fd >= 0 ? out_fd : null_fd, 1) < 0 ||
		dup2(err_fd >= 0 ? err_fd : null_fd, 2) < 0)
		_exit(PROCESS_EXIT_NO_PROGRAM);
	execvp(argv[0], argv);
	dprintf(2, "%s: cannot be started: %s\n", argv[0], strerror(errno));
	_exit(PROCESS_EXIT_NO_PROGRAM);
}

static int status_of(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

static int take(int fd, struct process_output *output)
{
	char chunk[16384];
	ssize_t n = read(fd, chunk, sizeof(chunk));
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 1 : 0;
	if (n == 0)
		return 0;
	size_t room = PROCESS_OUTPUT_MAX - output->n, n_keep = (size_t)n < room ? (size_t)n : room;
	if (n_keep < (size_t)n)
		output->is_cut = true;
	if (n_keep == 0)
		return 1;
	char *text = realloc(output->text, output->n + n_keep + 1);
	if (!text) {
		output->is_cut = true;
		return 1;
	}
	memcpy(text + output->n, chunk, n_keep);
	output->text = text;
	output->n += n_keep;
	text[output->n] = '\0';
	return 1;
}

/* Read both pipes until the program is gone and its output too, or the deadline. A grandchild that keeps the pipe open
 * does not hold us longer than a moment: what the program itself wrote is already there when it has ended. */
static bool collect(pid_t pid, int out_fd, int err_fd, uint64_t deadline_usec, struct process_result *result,
	int *ret_wait_status)
{
	struct pollfd fds[2] = {{.fd = out_fd, .events = POLLIN}, {.fd = err_fd, .events = POLLIN}};
	struct process_output *outputs[2] = {&result->out, &result->err};
	bool gone = false;

	for (;;) {
		if (!gone)
			gone = waitpid(pid, ret_wait_status, WNOHANG) == pid;
		int n = poll(fds, 2, gone ? 0 : 20);
		for (size_t i = 0; n > 0 && i < 2; i++)
			if (fds[i].fd >= 0 && fds[i].revents && !take(fds[i].fd, outputs[i]))
				fds[i].fd = -1;
		if (gone && n <= 0)
			return true;
		if (gone && fds[0].fd < 0 && fds[1].fd < 0)
			return true;
		if (time_boot_usec() >= deadline_usec)
			return gone;
		if (!gone && fds[0].fd < 0 && fds[1].fd < 0)
			(void)usleep(10000); // it closed its outputs and still runs
	}
}

int process_run(char *const argv[], unsigned timeout_sec, struct process_result *ret)
{
	int out_pipe[2], err_pipe[2], wait_status = 0;

	*ret = (struct process_result){0};
	if (pipe2(out_pipe, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(err_pipe, O_CLOEXEC) < 0) {
		int r = -errno;
		(void)close(out_pipe[0]);
		(void)close(out_pipe[1]);
		return r;
	}
	pid_t pid = fork();
	if (pid == 0)
		child_exec(argv, out_pipe[1], err_pipe[1]);
	int r = pid < 0 ? -errno : 0;
	(void)close(out_pipe[1]);
	(void)close(err_pipe[1]);
	if (r == 0) {
		uint64_t deadline_usec = time_boot_usec() + timeout_sec * USEC_PER_SEC;
		if (collect(pid, out_pipe[0], err_pipe[0], deadline_usec, ret, &wait_status)) {
			ret->status = status_of(wait_status);
		} else {
			(void)kill(-pid, SIGKILL); // the group may already be gone
			(void)kill(pid, SIGKILL);
			(void)waitpid(pid, &wait_status, 0);
			ret->status = PROCESS_EXIT_TIMEOUT;
		}
	}
	(void)close(out_pipe[0]);
	(void)close(err_pipe[0]);
	return r;
}

void process_result_done(struct process_result *result)
{
	free(result->out.text);
	free(result->err.text);
	*result = (struct process_result){0};
}

int process_run_quiet(char *const argv[], unsigned timeout_sec, int *ret_status)
{
	struct process_result result;
	int r = process_run(argv, timeout_sec, &result);
	if (r == 0)
		*ret_status = result.status;
	process_result_done(&result);
	return r;
}
