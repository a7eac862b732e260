// The assignment's `storage`: this node's own volumes, and (on servers) what the cluster's default StorageClass is made of.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/volume.h"
#include "k3s/storage.h"

enum { ASSIGNMENT_MAX_VOLUMES = 16 }; // one disk each at most

struct assignment_storage { // texts borrowed from the document
	bool wanted;            // it is not null
	struct storage cluster; // its class and, on servers, every volume that was made
	size_t n_volumes;
	struct volume_wish volumes[ASSIGNMENT_MAX_VOLUMES]; // this node's own
};
/* @value: `storage`, NULL or null for none. 0; -EINVAL with a diag that names the key. */
int assignment_storage_decode(const struct value *value, bool server, struct assignment_storage *ret, struct diag *reterr);
