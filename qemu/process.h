// Starting programs: with a time limit and their output caught, or quietly. Used by the lab for QEMU and by the guest
// helper for what it is asked to run.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"
#include <sys/types.h>

enum { PROCESS_EXIT_TIMEOUT = 124, PROCESS_EXIT_NO_PROGRAM = 127, PROCESS_OUTPUT_MAX = 1 << 20 };

/* Run @argv (NULL-terminated, searched in PATH) without input or output. *ret_status: exit code, or 128 + signal;
 * PROCESS_EXIT_TIMEOUT after @timeout_sec, when it is killed. 0; negative errno when nothing could be started. */
int process_run_quiet(char *const argv[], unsigned timeout_sec, int *ret_status);

struct process_output {
	char *text; // NUL-terminated
	size_t n;
	bool is_cut; // more than PROCESS_OUTPUT_MAX came: the rest was read and dropped
};
struct process_result {
	int status; // as above; PROCESS_EXIT_NO_PROGRAM when @argv[0] cannot be executed
	struct process_output out, err;
};
void process_result_done(struct process_result *result);
/* Run with stdin from /dev/null, catch both outputs. The whole process group is killed after @timeout_sec. */
int process_run(char *const argv[], unsigned timeout_sec, struct process_result *ret);
