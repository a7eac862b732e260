// The WireGuard keys of this node in STATE: the one in use, the next one while a rotation prepares it, and the old one
// until the next one is proven. Each step is whole files replaced in an order that a power cut at any point leaves
// readable: what was meant is told by which files hold the same key. What to do when is mesh-rotation.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

struct mesh_keys { // public halves, base64
	char *current; // wg.key: what the kernel gets (netplan `key:` of the assignment)
	char *next;    // wg-next.key; NULL: none
	char *old;     // wg-old.key; NULL: the current one is proven
};
void mesh_keys_done(struct mesh_keys *keys);
/* Load them from @folder; without a current one that is whole, it is made and saved (0600). One that cannot be read now is
 * left alone. What a cut step left is put in order. 0 or -errno; @ret is then empty. */
int mesh_keys_open(const char *folder, struct mesh_keys *ret, struct diag *reterr);
// All of these: 0, or -errno with a diag; after a failure @keys is as before, and a later call or the next start goes on.
int mesh_keys_make_next(const char *folder, struct mesh_keys *keys, struct diag *reterr); // durable when it returns
int mesh_keys_drop_next(const char *folder, struct mesh_keys *keys, struct diag *reterr);
int mesh_keys_switch(const char *folder, struct mesh_keys *keys, struct diag *reterr);   // next -> current -> old
int mesh_keys_go_back(const char *folder, struct mesh_keys *keys, struct diag *reterr);  // old -> current -> next
int mesh_keys_drop_old(const char *folder, struct mesh_keys *keys, struct diag *reterr); // it is proven
