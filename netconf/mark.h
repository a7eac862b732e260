// Whose things are: what is as it shall be becomes Hearth's, so that a later document may change it or leave it out, or, when a
// change is undone, whose it was again. The network does not change by it. Rules stay whose they are: the kernel takes one away by
// what is said of it alone, which may fit another one, too. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/kernel.h"

enum mark_type { MARK_LINK, MARK_ADDRESS, MARK_ROUTE, N_MARK_TYPES };
struct mark {
	enum mark_type type;
	char name[IFNAMSIZ]; // the link, by its name after the plan; "": a route without one
	int link_index;      // of an address, and of a route that has one
	uint8_t protocol;    // a link has none: it gets Hearth's alias
	bool has_mac;        // of a bridge: the MAC that it has stays, whichever ports come and go
	union {
		uint8_t mac[6];
		struct kernel_address address; // as it is: nothing else of it may change
		struct route route;
	};
};
struct marks {
	struct mark *marks;
	size_t n, n_room;
};
void marks_done(struct marks *marks);
// A zeroed one of @type at the end; borrowed, moves with the next one. NULL: out of memory.
struct mark *marks_add(struct marks *marks, enum mark_type type, const char *name);
// The message that makes it so; the caller frees. NULL: out of memory.
struct nl_msg *mark_message(const struct mark *mark);
// "taken over: 3 addresses, 1 link"; NULL: nothing becomes Hearth's, or out of memory. The caller frees.
char *marks_text(const struct marks *marks);
