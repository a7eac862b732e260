// The snapshots of etcd that lie on this server, as K3s leaves them: one file each. Reads names, sizes and times only.
// Source: docs.k3s.io "k3s etcd-snapshot".
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/json.h"

#define SNAPSHOTS_FOLDER "/var/lib/rancher/k3s/server/db/snapshots"

enum { SNAPSHOTS_MAX = 16, SNAPSHOT_NAME_MAX = 160 };

struct snapshot {
	char name[SNAPSHOT_NAME_MAX + 1];
	int64_t bytes, created_sec; // since 1970
};
// A name of a file: 1-160 of letters, digits, dash, dot and underscore, without a dot in front, and no unfinished one.
bool snapshot_name_valid(const char *name);
/* The newest of @folder, newest first. How many; 0 when there is no such folder. */
size_t snapshots_look(const char *folder, struct snapshot ret[static SNAPSHOTS_MAX]);
void snapshots_to_json(const struct snapshot *snapshots, size_t n, struct json_out *out); // an array
/* The newest one of @folder whose name begins with @base and a dash. false: there is none. */
bool snapshot_find(const char *folder, const char *base, struct snapshot *ret);
/* Where this server keeps them: etcd-snapshot-dir of its overrides (a node's win), else SNAPSHOTS_FOLDER. Borrowed. */
const char *snapshots_folder(const struct value *overrides, const struct value *node_overrides);
