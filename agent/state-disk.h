// Which disk is, or becomes, STATE. Choosing is pure; state-mount.c does.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/blank.h"
#include "base/seed.h"

enum { STATE_MAX_DISKS = 64, STATE_SENTENCE_MAX = 1024 };

struct state_disk {
	struct disk_facts facts;
	char serial[64];
	bool excluded;             // removable, read-only, or the medium this machine was booted from
	char state_partition[128]; // "/dev/vda1" when one of its partitions is labelled HEARTH-STATE, else ""
	unsigned n_state_partitions;
};
enum state_verdict {
	STATE_USE,  // mount ret_disk's state_partition
	STATE_MAKE, // make ret_disk STATE
	STATE_NONE, // the sentence says why
};
struct state_wish {
	bool blank_allowed;  // by recipe or seed
	const char *serial;  // only this disk (seed), or NULL
};
/* @ret_code: a kebab-case word for programs. Of several blank disks: the smallest of at least 20 GiB, else the largest. */
enum state_verdict state_choose(const struct state_disk *disks, size_t n_disks, const struct state_wish *wish,
	size_t *ret_disk, const char **ret_code, char sentence[static STATE_SENTENCE_MAX]);

// Every whole disk of this machine: its blankness is probed only when @probe_blank.
size_t state_disks_find(struct state_disk *disks, size_t max_disks, const char *boot_device, bool probe_blank);
// How many partitions of @path carry the GPT label; the last one's device node goes to @ret, which stays as it is for none.
unsigned disk_find_partitions(const char *path, const char *label, char *ret, size_t n_ret);
