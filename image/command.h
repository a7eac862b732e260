// The subcommands of hearth-image: one table, one file each.
// SPDX-License-Identifier: Apache-2.0
#pragma once

struct command {
	const char *name;
	int (*run)(int argc, char *argv[]); // argv[0] is the subcommand; returns the exit status
	const char *help;
};
int command_build(int argc, char *argv[]);
int command_seed(int argc, char *argv[]);
int command_check(int argc, char *argv[]);
int command_payload(int argc, char *argv[]);
int command_layout_add(int argc, char *argv[]);
int command_bootstrap(int argc, char *argv[]);
int command_bootstrap_compose(int argc, char *argv[]); // argv[0]: "compose"
int command_bootstrap_check(int argc, char *argv[]);

// Wrong use: the line goes to stderr; returns 2.
int command_usage(const char *line);
