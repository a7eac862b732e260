// The forked guard.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/hearth-net/guard.h"

#include "base/file.h"
#include "base/log.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { LOOK_MSEC = 200, LOCK_WAIT_SEC = 60, UNDO_TRIES = 20, UNDO_PAUSE_USEC = 500000 };

static int undo(const struct trial *trial, int lock_fd)
{
	struct diag diag = {0};
	for (int i = 1; i <= UNDO_TRIES; i++) {
		diag = (struct diag){0};
		int result = (i < UNDO_TRIES ? trial_try_revert : trial_revert)(trial, lock_fd, &diag);
		if (result >= 0 || result == -ENOENT) // -ENOENT: nothing is on trial
			return result == 1 ? GUARD_UNDONE : GUARD_IDLE;
		(void)usleep(UNDO_PAUSE_USEC); // a link may come back; waking early does no harm
	}
	log_error("the network on trial could not be undone: %s", diag_text(&diag));
	return GUARD_FAILED;
}

// Is the trial that this guard was made for still under way?
static bool is_waiting(const struct trial *trial, uint64_t deadline_usec)
{
	CLEANUP(journal_done) struct journal journal = {0};
	enum trial_standing standing = trial_look(trial, time_boot_usec(), &journal);
	return standing == TRIAL_DAMAGED ||
	       ((standing == TRIAL_WAITS || standing == TRIAL_STALE) && journal.deadline_usec == deadline_usec);
}

static int wait_for_deadline(const struct trial *trial, uint64_t deadline_usec)
{
	AUTO_CLOSE int lock_fd = -1;
	struct diag diag = {0};
	while (time_boot_usec() < deadline_usec) {
		if (!is_waiting(trial, deadline_usec))
			return GUARD_IDLE;
		uint64_t left_msec = (deadline_usec - time_boot_usec()) / USEC_PER_MSEC + 1;
		(void)poll(NULL, 0, left_msec < LOOK_MSEC ? (int)left_msec : LOOK_MSEC); // the clock is looked at again
	}
	if (trial_lock(trial, LOCK_WAIT_SEC * USEC_PER_SEC, &lock_fd, &diag) < 0) {
		log_error("the network on trial cannot be undone: %s", diag_text(&diag));
		return GUARD_FAILED;
	}
	return is_waiting(trial, deadline_usec) ? undo(trial, lock_fd) : GUARD_IDLE;
}

static int guard_main(const struct trial *trial, int lock_fd, int pipe_fd, uint64_t deadline_usec)
{
	char byte = 0;
	ssize_t n;
	do
		n = read(pipe_fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n <= 0) // it died while it changed the network; the lock is still ours
		return undo(trial, lock_fd);
	if (byte == 'e')
		return GUARD_IDLE;
	(void)close(lock_fd); // the other side unlocks it
	return wait_for_deadline(trial, deadline_usec);
}

// Nothing of the terminal or of whoever waits for the end of our output.
static void leave_terminal(void)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	(void)setsid(); // cannot fail: a fresh child leads no group
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)prctl(PR_SET_NAME, "hearth-net-guard");
	for (int fd = STDIN_FILENO; null_fd >= 0 && fd <= STDERR_FILENO; fd++)
		if (fd != STDERR_FILENO || !isatty(fd))
			(void)dup2(null_fd, fd);
	int oom_fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (oom_fd >= 0) {
		(void)!write(oom_fd, "-1000", 5); // without the right to it, it is as likely as others
		(void)close(oom_fd);
	}
	if (null_fd > STDERR_FILENO)
		(void)close(null_fd);
}

int guard_start(const struct trial *trial, int lock_fd, uint64_t deadline_usec, struct guard *ret, struct diag *reterr)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return diag_set(reterr, -errno, "", "no pipe: %s", strerror(errno));
	(void)fflush(stdout); // else the child would have its buffer, too
	pid_t pid = fork();
	if (pid < 0) {
		int error = -errno;
		(void)close(fds[0]);
		(void)close(fds[1]); // nothing went through
		return diag_set(reterr, error, "", "no process to guard the change: %s", strerror(-error));
	}
	if (pid == 0) {
		(void)close(fds[1]); // its end in the caller alone counts
		leave_terminal();
		_exit(guard_main(trial, lock_fd, fds[0], deadline_usec));
	}
	(void)close(fds[0]);
	(void)signal(SIGPIPE, SIG_IGN); // a guard that was killed is an error of write(), and must not take us with it
	*ret = (struct guard){.pid = pid, .pipe_fd = fds[1]};
	return 0;
}

// False: nobody is there any more.
static bool tell(struct guard *guard, char byte)
{
	bool told = write(guard->pipe_fd, &byte, 1) == 1;
	(void)close(guard->pipe_fd);
	return told;
}

void guard_applied(struct guard *guard)
{
	if (!tell(guard, 'a'))
		log_warning("the guard of this change was killed: keep this hearth-net running, which undoes it in time, too");
}

int guard_ended(struct guard *guard, bool wait)
{
	int status;
	pid_t pid;
	do
		pid = waitpid(guard->pid, &status, wait ? 0 : WNOHANG);
	while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return -1;
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : GUARD_KILLED;
}

int guard_end(struct guard *guard)
{
	(void)tell(guard, 'e'); // a guard that was killed has nothing to hear
	return guard_ended(guard, true);
}
