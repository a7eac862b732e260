// A lab: a folder with its nodes, and what runs of them. Everything that a later `hearth-lab` call has to know lies in
// that folder; there is no process besides the QEMUs.
//   lab.json          { "segmentPort": N }
//   NODE/...          argv.h names the files
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "qemu/argv.h"
#include "qemu/guest-request.h"
#include <sys/types.h>

struct lab {
	char *folder; // absolute
	uint16_t segment_port;
};
// Open the lab in @folder, making it when it is missing. 0; -EINVAL when lab.json is damaged.
int lab_open(const char *folder, struct lab *ret, struct diag *reterr);
void lab_done(struct lab *lab);

char *lab_path(const struct lab *lab, const char *node, const char *file); // NULL: no memory
// All nodes, by number. The caller lab_spec_done()s.
int lab_nodes(const struct lab *lab, struct lab_node ***ret, size_t *ret_n, struct diag *reterr);
int lab_node_load(const struct lab *lab, const char *name, struct lab_node **ret, struct diag *reterr);
// Keep a new node, or new settings of one that is off. Paths become absolute. -EEXIST: another has its number.
int lab_node_keep(const struct lab *lab, struct lab_node *node, struct diag *reterr);

pid_t lab_node_pid(const struct lab *lab, const char *name); // 0: it is off
// Make what is missing (disks, UEFI variables, seed string) and start QEMU. -EALREADY when it runs.
int lab_node_start(const struct lab *lab, const struct lab_node *node, struct diag *reterr);
int lab_node_cut(const struct lab *lab, const char *name, struct diag *reterr); // pull the plug; off already: 0
int lab_node_qmp(const struct lab *lab, const char *name, const char *command, const char *arguments_json,
	struct diag *reterr);
/* Run a command in the guest through hearth-guest. -ETIMEDOUT when the guest does not answer. */
int lab_node_exec(const struct lab *lab, const char *name, char *const argv[], unsigned timeout_sec,
	struct guest_answer *ret, struct diag *reterr);
// The console log from this start on. -ENOENT: never started.
int lab_node_console_open(const struct lab *lab, const char *name, int *ret_fd, struct diag *reterr);
