// A command in the guest, through hearth-guest.
// SPDX-License-Identifier: Apache-2.0
#include "qemu/verbs.h"

int verb_exec(const struct lab *lab, int argc, char *argv[])
{
	struct guest_answer answer = {0};
	struct diag diag = {0};
	unsigned timeout_sec = 60;
	int i = 2;

	if (argc > 3 && str_equal(argv[2], "--timeout")) {
		timeout_sec = (unsigned)strtoul(argv[3], NULL, 10);
		i = 4;
	}
	if (i < argc && str_equal(argv[i], "--"))
		i++;
	if (argc < 3 || i >= argc || timeout_sec < 1 || timeout_sec > GUEST_TIMEOUT_MAX_SEC)
		return verb_misused("exec: use exec NAME [--timeout SEC] -- CMD...");
	int r = lab_node_exec(lab, argv[1], argv + i, timeout_sec, &answer, &diag);
	if (r < 0) {
		(void)verb_failed(&diag);
		return 125; // as env(1) and others: no answer of the command itself
	}
	fputs(answer.out, stdout);
	fputs(answer.err, stderr);
	if (answer.is_cut)
		fprintf(stderr, "hearth-lab: an output was longer than 1 MiB: its end is missing\n");
	int exit_code = answer.exit;
	guest_answer_done(&answer);
	return exit_code;
}
