// The subcommands of hearth-lab. Each takes its own arguments (argv[0] is the subcommand) and returns an exit code:
// 0; 1 it failed (said on stderr); 2 wrong use (said on stderr).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "qemu/lab.h"

struct verb {
	const char *name, *arguments, *help;
	int (*run)(const struct lab *lab, int argc, char *argv[]);
};

int verb_up(const struct lab *lab, int argc, char *argv[]);      // verb-node.c
int verb_node(const struct lab *lab, int argc, char *argv[]);
int verb_start(const struct lab *lab, int argc, char *argv[]);
int verb_status(const struct lab *lab, int argc, char *argv[]);
int verb_down(const struct lab *lab, int argc, char *argv[]);
int verb_power(const struct lab *lab, int argc, char *argv[]);   // verb-fault.c
int verb_cable(const struct lab *lab, int argc, char *argv[]);
int verb_console(const struct lab *lab, int argc, char *argv[]); // verb-console.c
int verb_wait(const struct lab *lab, int argc, char *argv[]);
int verb_screendump(const struct lab *lab, int argc, char *argv[]);
int verb_exec(const struct lab *lab, int argc, char *argv[]);    // verb-exec.c

int verb_failed(const struct diag *diag);                       // prints it; 1
int verb_misused(const char *format, ...) PRINTF_LIKE(1, 2);    // prints it; 2
