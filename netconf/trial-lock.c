// The lock of whoever changes the network.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/trial.h"

#include "base/file.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { LOCK_POLL_USEC = 20000, MAX_LOCKS_BYTES = 1 << 20, MAX_COMMAND_BYTES = 64 };

static const char *run_folder(const struct trial *trial)
{
	return trial->options && trial->options->run_folder ? trial->options->run_folder : "/run/hearth";
}

static char *lock_path(const struct trial *trial)
{
	return str_format("%s/net.lock", run_folder(trial));
}

// Of /proc/locks: "1: FLOCK  ADVISORY  WRITE 4711 00:19:1234 0 EOF"; who waits has "->" behind the number. 0: nobody.
static int pid_in(const char *locks, const struct stat *file)
{
	for (const char *line = locks; line && *line; line = strchr(line, '\n'), line += line ? 1 : 0) {
		unsigned major_number, minor_number;
		unsigned long long inode;
		int pid;
		if (sscanf(line, "%*u: FLOCK ADVISORY WRITE %d %x:%x:%llu", &pid, &major_number, &minor_number, &inode) == 4 &&
			makedev(major_number, minor_number) == file->st_dev && inode == file->st_ino)
			return pid;
	}
	return 0;
}

char *trial_lock_holder(const struct trial *trial)
{
	AUTO_FREE char *path = lock_path(trial), *locks = NULL, *command = NULL;
	struct stat file;
	if (!path || stat(path, &file) < 0 || file_read("/proc/locks", MAX_LOCKS_BYTES, &locks, NULL, NULL) < 0)
		return NULL;
	int pid = pid_in(locks, &file);
	AUTO_FREE char *comm = pid > 0 ? str_format("/proc/%d/comm", pid) : NULL; // its guard may have the lock of one that is gone
	if (!comm || file_read(comm, MAX_COMMAND_BYTES, &command, NULL, NULL) < 0)
		return NULL;
	return str_format("%.*s (process %d)", (int)strcspn(command, "\n"), command, pid);
}

int trial_lock(const struct trial *trial, uint64_t wait_usec, int *ret_lock_fd, struct diag *reterr)
{
	AUTO_FREE char *path = lock_path(trial);
	if (!path)
		return -ENOMEM;
	(void)mkdir(run_folder(trial), 0755); // mostly there; open() tells what is wrong
	AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return diag_set(reterr, -errno, path, "cannot be opened: %s", strerror(errno));
	for (uint64_t end_usec = time_boot_usec() + wait_usec; flock(fd, LOCK_EX | LOCK_NB) < 0;) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return diag_set(reterr, -errno, path, "cannot be locked: %s", strerror(errno));
		if (time_boot_usec() >= end_usec) {
			AUTO_FREE char *holder = trial_lock_holder(trial);
			return diag_set(reterr, -EWOULDBLOCK, path, "%s is at work", holder ? holder : "another hearth-net, or hearthd,");
		}
		(void)usleep(LOCK_POLL_USEC); // too short or too long: the time is looked at again
	}
	*ret_lock_fd = TAKE_FD(fd);
	return 0;
}
