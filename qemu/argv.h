// How a node of the lab is told to QEMU: its command line, from its description and the lab's facts. Pure: no file is
// looked at. The files of a node's folder are named here too, so that everyone agrees on them.
// Source: qemu-system-x86_64(1), QEMU 10.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "qemu/node.h"

struct lab_machine {
	const char *folder;       // of the node: absolute, holds sockets, logs, made disks
	const char *accel, *cpu;  // "tcg,thread=multi" and "qemu64", or "kvm" and "host"
	uint16_t segment_port;    // of the lab's multicast segment
	const char *ovmf_code;    // firmware of UEFI nodes, read only
};

// Files in a node's folder.
#define LAB_FILE_NODE "node.json"
#define LAB_FILE_PID "pid"
#define LAB_FILE_QMP "qmp.sock"
#define LAB_FILE_GUEST "lab.sock"
#define LAB_FILE_CONSOLE "console.sock"
#define LAB_FILE_CONSOLE_LOG "console.log"
#define LAB_FILE_STARTED "started"      // where in the console log this start begins
#define LAB_FILE_VARS "vars.fd"
#define LAB_FILE_SMBIOS_SEED "seed.smbios"

struct argv {
	size_t n, n_alloc;
	char **items; // NULL-terminated
	bool failed;
};
void argv_done(struct argv *argv);
void argv_add(struct argv *argv, const char *format, ...) PRINTF_LIKE(2, 3); // out of memory: .failed

/* 0; -ENOMEM. @ret is argv_done()d by the caller in every case. */
int lab_argv_render(const struct lab_node *node, const struct lab_machine *machine, struct argv *ret);
// A comma inside a value of a QEMU option is written twice. NULL: no memory. The caller frees.
char *qemu_option_escape(const char *text);
