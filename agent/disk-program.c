// SPDX-License-Identifier: Apache-2.0
#include "agent/disk-program.h"
#include "agent/root-path.h"
#include "base/json.h"
#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

int disk_program_run(const char *const argv[])
{
	pid_t pid;
	int status;
	int r = posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)argv, environ);
	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

void disk_boot_device(char *ret, size_t n)
{
	struct value *boot CLEANUP(value_freep) = NULL;
	const char *device = NULL;
	if (json_load(RUN_BOOT, 64 << 10, &boot, NULL) == 0)
		device = value_text(value_find(boot, "device"));
	(void)snprintf(ret, n, "%s", device ? device : ""); // device names are short
}
