// The command gets a process group of its own, so that all of it ends when it takes too long.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/command-run.h"
#include "base/crypto.h"
#include "base/time.h"
#include "k3s/snapshots.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

extern char **environ;

enum { TAIL_BYTES = 4096, LOOK_MSEC = 100, KILL_AFTER_SEC = 10 };

// ---- the process

static int start(const char *const argv[], int out_fd, int err_fd, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", 0, 0);
	posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
	posix_spawn_file_actions_adddup2(&actions, err_fd, 2);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setpgroup(&attributes, 0);
	int r = posix_spawn(ret, argv[0], &actions, &attributes, (char *const *)argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

// 0 it ended, -ETIMEDOUT it was stopped.
static int wait_for(pid_t pid, unsigned timeout_sec, int *ret_status)
{
	uint64_t until_usec = time_boot_usec() + timeout_sec * USEC_PER_SEC;
	int stopped = 0;

	for (;;) {
		pid_t r = waitpid(pid, ret_status, WNOHANG);
		if (r == pid)
			break;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (time_boot_usec() >= until_usec) {
			(void)kill(-pid, stopped ? SIGKILL : SIGTERM); // gone by itself meanwhile is fine
			stopped = -ETIMEDOUT;
			until_usec = time_boot_usec() + KILL_AFTER_SEC * USEC_PER_SEC;
		}
		(void)poll(NULL, 0, LOOK_MSEC);
	}
	if (stopped < 0)
		(void)kill(-pid, SIGKILL); // what it left of its group
	return stopped;
}

static void tail(int fd, char ret[static TAIL_BYTES + 1])
{
	off_t end = lseek(fd, 0, SEEK_END), from = end > TAIL_BYTES ? end - TAIL_BYTES : 0;
	ssize_t n = pread(fd, ret, TAIL_BYTES, from);

	ret[n > 0 ? n : 0] = '\0';
}

// True: exit status 0. @ret_said: its last line, of stderr when there is any.
static bool run(const struct k3s_command *command, const struct k3s_command_line *line, unsigned timeout_sec,
	char ret_said[static 320], char ret_sentence[static K3S_COMMAND_SENTENCE_MAX])
{
	int out AUTO_CLOSE = memfd_create("output", MFD_CLOEXEC), err AUTO_CLOSE = memfd_create("errors", MFD_CLOEXEC);
	char text[TAIL_BYTES + 1];
	int status = 0;
	pid_t pid;
	int r = out < 0 || err < 0 ? -errno : start(line->argv, out, err, &pid);

	ret_said[0] = '\0';
	if (r < 0) {
		snprintf(ret_sentence, K3S_COMMAND_SENTENCE_MAX, "%s could not be started: %s; the platform team can tell", line->name,
			strerror(-r));
		return false;
	}
	r = wait_for(pid, timeout_sec, &status);
	tail(err, text);
	k3s_command_last_line(command, text, ret_said);
	if (!*ret_said) {
		tail(out, text);
		k3s_command_last_line(command, text, ret_said);
	}
	crypto_wipe(text, sizeof(text));
	const char *colon = *ret_said ? ": " : "";
	if (r < 0)
		snprintf(ret_sentence, K3S_COMMAND_SENTENCE_MAX, "%s did not end within %u s and was stopped%s%s; the platform team can tell",
			line->name, timeout_sec, colon, ret_said);
	else if (WIFSIGNALED(status))
		snprintf(ret_sentence, K3S_COMMAND_SENTENCE_MAX, "%s was ended by signal %d%s%s; the platform team can tell", line->name,
			WTERMSIG(status), colon, ret_said);
	else if (WEXITSTATUS(status) != 0)
		snprintf(ret_sentence, K3S_COMMAND_SENTENCE_MAX, "%s failed (exit status %d)%s%s; the platform team can tell", line->name,
			WEXITSTATUS(status), colon, ret_said);
	else
		return true;
	return false;
}

// ---- what was done before, and what it made

static bool say_made(const char *folder, const struct k3s_command *command, char ret[static K3S_COMMAND_SENTENCE_MAX])
{
	struct snapshot made;
	char base[64];

	k3s_command_snapshot_base(command, base);
	if (!snapshot_find(folder, base, &made))
		return false;
	snprintf(ret, K3S_COMMAND_SENTENCE_MAX, "made the snapshot %s, %.1f MiB", made.name, (double)made.bytes / (1 << 20));
	return true;
}

bool k3s_command_run(const struct k3s_command *command, const char *program, const char *root, unsigned timeout_sec,
	char ret_sentence[static K3S_COMMAND_SENTENCE_MAX])
{
	struct k3s_command_line line CLEANUP(k3s_command_line_done) = {0};
	char *folder AUTO_FREE = str_format("%s%s", root, command->folder ? command->folder : "");
	char *file AUTO_FREE = str_format("%s/%s", folder ? folder : "", command->snapshot ? command->snapshot : "");
	char said[320];

	ret_sentence[0] = '\0';
	if (!folder || !file || k3s_command_line(command, program, root, &line) < 0) {
		snprintf(ret_sentence, K3S_COMMAND_SENTENCE_MAX, "out of memory");
		return false;
	}
	if (command->kind == K3S_COMMAND_SNAPSHOT && say_made(folder, command, ret_sentence))
		return true;
	if (command->kind == K3S_COMMAND_RESTORE && access(file, R_OK) < 0) {
		snprintf(ret_sentence, K3S_COMMAND_SENTENCE_MAX, "there is no snapshot %s in %s; hearth-region snapshot list names those "
			"there are", command->snapshot, command->folder);
		return false;
	}
	if (!run(command, &line, timeout_sec ? timeout_sec : line.timeout_sec, said, ret_sentence))
		return false;
	if (command->kind == K3S_COMMAND_SNAPSHOT && !say_made(folder, command, ret_sentence)) {
		snprintf(ret_sentence, K3S_COMMAND_SENTENCE_MAX, "%s ended well, but no snapshot of its name is in %s%s%s; the platform "
			"team can tell", line.name, command->folder, *said ? ": " : "", said);
		return false;
	}
	return true;
}
