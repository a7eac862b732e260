// One of K3s' own commands, for work that its API has no question for: a snapshot of etcd, a restore, another server token.
// Pure: the order as a file (hearthd writes it, hearth-k3s reads it), the command line, and what is said of how it ended.
// Source: docs.k3s.io "k3s etcd-snapshot", "k3s token".
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

enum { K3S_COMMAND_MAX_BYTES = 16 << 10, K3S_COMMAND_SENTENCE_MAX = 512 };

enum k3s_command_kind {
	K3S_COMMAND_SNAPSHOT, // k3s etcd-snapshot save
	K3S_COMMAND_RESTORE,  // k3s server --cluster-reset --cluster-reset-restore-path=PATH, while K3s does not run
	K3S_COMMAND_ROTATE,   // k3s token rotate
};

struct k3s_command {
	struct value *document;     // owned when it was parsed; the texts are borrowed from it
	const char *id;             // "j-0123456789abcdef", "restore-3": of who wants it
	enum k3s_command_kind kind;
	const char *folder;         // SNAPSHOT, RESTORE: where snapshots lie
	const char *snapshot;       // RESTORE: the name of the file there
	const char *new_token;      // ROTATE: the secret alone; the present one is read by K3s itself, from its data
};
/* Would hearth-k3s take it? -EINVAL with a diag that names the key. */
int k3s_command_check(const struct k3s_command *command, struct diag *reterr);
int k3s_command_parse(const char *text, size_t n, struct k3s_command *ret, struct diag *reterr);
void k3s_command_done(struct k3s_command *command); // wipes
char *k3s_command_format(const struct k3s_command *command); // the caller wipes and frees

enum { K3S_COMMAND_MAX_ARGUMENTS = 6 };
struct k3s_command_line {
	const char *argv[K3S_COMMAND_MAX_ARGUMENTS + 1]; // NULL-terminated
	char *text;           // owned: the argument that is made here
	const char *name;     // for people: "k3s etcd-snapshot save"
	unsigned timeout_sec;
};
/* @program is argv[0], borrowed like @command; a file of the order stands below @root. -ENOMEM. */
int k3s_command_line(const struct k3s_command *command, const char *program, const char *root, struct k3s_command_line *ret);
void k3s_command_line_done(struct k3s_command_line *line); // wipes

// The base name that a snapshot is asked for: K3s adds the node's name and the time. Empty for another kind.
void k3s_command_snapshot_base(const struct k3s_command *command, char ret[static 64]);

/* What a command that failed is told by: the last line that is not empty of what it wrote, without the order's secret and
 * without control characters. "" when there is none. */
void k3s_command_last_line(const struct k3s_command *command, const char *output, char ret[static 320]);

// How it ended, as hearth-k3s leaves it for hearthd.
struct k3s_command_answer {
	struct value *document; // owned
	const char *id, *sentence;
	bool done; // else it failed
};
int k3s_command_answer_parse(const char *text, size_t n, struct k3s_command_answer *ret, struct diag *reterr);
void k3s_command_answer_done(struct k3s_command_answer *answer);
char *k3s_command_answer_format(const char *id, bool done, const char *sentence);
