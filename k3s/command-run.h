// Run one of K3s' own commands to its end, or until it has taken too long. What it is asked is command.h's business.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "k3s/command.h"

/* @root: "" or a folder, below which K3s' data lies; @program: k3s; @timeout_sec: 0: what the command has.
 * Blocks. What was done before is seen and not done again: a snapshot of this order that is there, a token that K3s has.
 * True: done, false: it failed; @ret_sentence says what was made, or why not. */
bool k3s_command_run(const struct k3s_command *command, const char *program, const char *root, unsigned timeout_sec,
	char ret_sentence[static K3S_COMMAND_SENTENCE_MAX]);
