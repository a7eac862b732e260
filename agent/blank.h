// Is this disk blank? (DESIGN 9: opened exclusively, no holders, libblkid finds nothing anywhere, first and last 4 MiB
// zero; and samples in between are zero, too.) Judging is pure; probing reads the disk and never writes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

enum { BLANK_SAMPLES = 256, BLANK_SAMPLE_BYTES = 4096 };
enum { BLANK_EDGE_BYTES = 4 << 20, BLANK_FOUND_MAX = 256, BLANK_SENTENCE_MAX = 512 };

// What a disk is being made: each has a mark of its own, so that none starts over what another began.
enum disk_mark { DISK_MARK_STATE, DISK_MARK_VOLUME, N_DISK_MARKS };

struct disk_facts {
	char path[128];                // "/dev/vda", or a file
	uint64_t size_bytes;
	int open_error;                // 0, or errno of opening it exclusively (EBUSY: in use)
	unsigned n_holders, n_partitions; // as the kernel sees them
	char found[BLANK_FOUND_MAX];   // what libblkid found: "ext4 file system, label \"data\"", "" nothing
	bool has_volume;               // among that: a file system, RAID, volume group or encrypted volume
	int read_error;                // errno of reading the edges, 0 none
	bool has_data;                 // a byte that is not zero in the first or last 4 MiB, or in a sample between
	uint64_t data_offset;          // where the first one is
	bool making[N_DISK_MARKS];     // our own mark: this was being made here when the power went
};
/* True when @disk may be made STATE or a volume. Else @sentence names the disk and what is on it. */
bool disk_is_blank(const struct disk_facts *disk, char sentence[static BLANK_SENTENCE_MAX]);
/* True when @disk carries that mark and nothing beside it but what systemd-repart leaves of a table that it did not end: it
 * may be made again. Somebody may have put a RAID behind the mark since. */
bool disk_is_half_made(const struct disk_facts *disk, enum disk_mark mark);
// Fill @ret. @path: block device or file. Never fails: what cannot be done is in *ret.
void disk_probe(const char *path, struct disk_facts *ret);

/* The mark in the first 512 bytes that lets a half-made STATE or volume be told from foreign data: set before anything else is
 * written, overwritten by the partition table's protective MBR as the last step. */
int disk_mark_making(const char *path, enum disk_mark mark, struct diag *reterr);
// Clear the edges of a disk that carries the mark, so that it can be made again. -EINVAL without the mark.
int disk_clear_making(const char *path, enum disk_mark mark, struct diag *reterr);
