// Snapshots of etcd: which lie on which server, as those say in their status, and the order for
// another one. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/membership.h"

enum { SNAPSHOT_MAX = 16, SNAPSHOT_NAME_MAX = 160 };

// A name of a file that K3s gives: it becomes part of a path on the server that restores it.
bool snapshot_name_valid(const char *name);
// Shape and limits of "snapshots" of the status @body. 0; -EINVAL with the rule. Pure.
int snapshots_check(const struct value *body, struct diag *reterr);

struct snapshot {
	const char *name; // borrowed
	int64_t n_bytes, created_sec;
};
// The @i-th of a status that was checked; false: there are no more. Newest first.
bool snapshot_at(const struct value *status, size_t i, struct snapshot *ret);
bool snapshot_of_name(const struct value *status, const char *name, struct snapshot *ret);

/* Have a snapshot made on @node (NULL: on a server that is Ready and votes); its server does it as
 * a job. -EHOSTDOWN, -EINVAL with a sentence. @ret_name: the server's. */
int snapshot_make(struct region *region, const char *actor, const struct node *node,
	char ret_id[static ID_TEXT], char ret_name[static STORE_NAME_TEXT], struct diag *reterr);
