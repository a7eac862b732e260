// Run one of K3s' own commands to its end, or until it has taken too long. What it is asked is command.h's business.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "k3s/command.h"

/* @root: "" or a folder, below which K3s' data lies; @program: k3s; @timeout_sec: 0: what the command has.
 * Blocks. May be asked again: a snapshot of this order that is there is not made twice, K3s restores the same one again, and to
 * take the token that it has is K3s' own way to say whether its data is encrypted with it: its file server/token does not tell,
 * it is written before that.
 * True: done, false: it failed; @ret_sentence says what was made, or why not. */
bool k3s_command_run(const struct k3s_command *command, const char *program, const char *root, unsigned timeout_sec,
	char ret_sentence[static K3S_COMMAND_SENTENCE_MAX]);
