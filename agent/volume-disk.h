// Looking at a node's volumes and doing what volume_decide() says: files of STATE, loop devices, partitions, mounts. Slow
// (it waits for mkfs.ext4 and systemd-repart), so only hearth-volumes calls it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/volume.h"

struct volume_owner {
	const char *cluster, *node;
	bool durable;            // there is STATE
	const char *boot_device; // "/dev/sr0" or NULL
};
struct volume_result {
	bool ready;
	uint64_t bytes;                     // of the volume, 0 unknown
	char sentence[VOLUME_SENTENCE_MAX]; // why it is not ready, or a remark
};
// Make what may be made, mount what is there. Never fails: what cannot be done is in *ret.
void volume_keep(const struct volume_wish *wish, const struct volume_owner *owner, struct volume_result *ret);
/* The records on STATE, damaged ones left out: how many are in @ret. */
size_t volume_records_load(struct volume_record *ret, size_t max);
// The record behind the partition table of @path: 0, -ENOENT none, -EBADMSG damaged, else the errno of reading.
int volume_label_read(const char *path, struct volume_record *ret);
int volume_label_write(const char *path, const struct volume_record *record);
