// Local volumes of a node: what each is to be, what is found of it, and what follows. Pure; hearth-volumes looks and does.
//
// A volume's name is its identity. It is made once: on a share of STATE (a file of fixed size with an ext4 in it, so that a
// full volume fills nothing else) or on a whole disk that was blank (one GPT partition HEARTH-VOL with an ext4, and a record
// between table and partition that says whose it is). Once it was ready it is never made again: what is gone then is said.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/blank.h"
#include "base/value.h"

enum {
	VOLUME_NAME_MAX = 40,
	VOLUME_SERIAL_MAX = 64,
	VOLUME_MIN_BYTES = 16 << 20, // an ext4 with a journal
	VOLUME_MAX_KEPT = 48,        // records of one node: with the 16 of an assignment the 64 that a status may have
	VOLUME_SENTENCE_MAX = 640,
	VOLUME_LABEL_BYTES = 4096,   // of the record on a disk, at ...
	VOLUME_LABEL_OFFSET = 512 << 10, // ... behind the partition table, before the first partition (1 MiB)
};
#define VOLUME_FOLDER "/var/lib/hearth/volumes"
#define VOLUME_PARTITION_LABEL "HEARTH-VOL"
static const uint64_t volume_state_reserve_bytes = UINT64_C(256) << 20; // of STATE, that volumes leave to the node

enum volume_source { VOLUME_ON_STATE, VOLUME_ON_DISK };

struct volume_wish { // texts borrowed
	const char *name;
	enum volume_source source;
	uint64_t bytes;     // state
	const char *serial; // disk
};
// Whose a volume is; on STATE also: it was ready.
struct volume_record {
	char cluster[254], node[254], name[VOLUME_NAME_MAX + 1];
	enum volume_source source;
	char serial[VOLUME_SERIAL_MAX]; // disk
	uint64_t bytes;
};
bool volume_name_valid(const char *name); // a-z, 0-9 and -, as part of a Kubernetes name
/* JSON of one record. -EINVAL with a diag. */
int volume_record_parse(const char *text, size_t n, struct volume_record *ret, struct diag *reterr);
char *volume_record_format(const struct volume_record *record); // caller frees
/* The record as it lies on a disk: "HEARTH-VOL 1 <sha256 of the JSON>\n" + JSON + zeros. encode: -E2BIG; decode: -ENOENT when
 * there is none, -EBADMSG a damaged one. */
int volume_label_encode(const struct volume_record *record, char ret[static VOLUME_LABEL_BYTES]);
int volume_label_decode(const char bytes[static VOLUME_LABEL_BYTES], struct volume_record *ret);

// What a look at this machine found.
struct volume_seen {
	bool durable;             // there is STATE
	bool mounted;             // at VOLUME_FOLDER/NAME
	bool has_record;          // on STATE
	struct volume_record record;
	// source state
	bool has_image;
	uint64_t image_bytes, state_free_bytes;
	// source disk
	unsigned n_disks;         // of this serial
	struct disk_facts disk;   // the one, when it is one
	bool excluded;            // removable, read-only, or the boot medium
	bool is_state;
	unsigned n_partitions;    // labelled HEARTH-VOL
	bool has_label;
	struct volume_record label;
};
enum volume_verdict {
	VOLUME_IS_READY,   // mounted
	VOLUME_MOUNT,      // it is there
	VOLUME_MAKE,       // it may be made
	VOLUME_MAKE_AGAIN, // a disk that was being made when the power went
	VOLUME_REFUSED,    // the sentence says why and who can mend it
};
/* @wish of node @node in cluster @cluster. @sentence: why not; with VOLUME_IS_READY and VOLUME_MOUNT it may be a remark. */
enum volume_verdict volume_decide(const struct volume_wish *wish, const char *cluster, const char *node,
	const struct volume_seen *seen, char sentence[static VOLUME_SENTENCE_MAX]);
