// What the files of show*.c share while a document is made. Internal to them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/kernel.h"
#include "netconf/network.h"

struct show {
	const struct kernel *kernel;
	const char *key_folder;
	const char **why;            // per link of the kernel: NULL it is shown, else why not
	struct declaration **shown;  // per link of the kernel; inside @network
	struct network *network;     // has room for all that are shown
	char **comments;             // per declaration
	FILE *notes;                 // comments for the head of the document
	bool failed;                 // memory ran out
};
// Where the @n-th element goes; arrays grow at powers of two. NULL: out of memory, and @show has failed.
void *show_grow(struct show *show, void **array, size_t n, size_t size);
char *show_copy(struct show *show, const char *text);
void show_add_text(struct show *show, char ***list, size_t *n, const char *text);
void show_note(struct show *show, const char *format, ...) PRINTF_LIKE(2, 3); // a comment of the document
struct declaration *show_of_index(const struct show *show, int link_index);   // NULL: none, or left out
// The MAC a port brings: in a bond every port shows the bond's, and its own is the permanent one.
bool show_brings_mac(const struct kernel_link *port, const uint8_t mac[static 6]);

// show-kind.c: what only a bond, a bridge, a VLAN, a VRF or a WireGuard link has
void show_kind(struct show *show, const struct kernel_link *one, struct declaration *ret);
// show-routes.c: each goes to a declaration of the network, or is counted in a note
void show_routes(struct show *show);
void show_rules(struct show *show);
