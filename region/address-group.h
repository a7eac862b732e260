// How many connections the hosts of one IPv6 /64 hold together: a host may have every address of
// it. IPv4 addresses, also those inside IPv6, are groups of their own and not counted here: the
// HTTP library does that. Thread-safe. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

#include <sys/socket.h>

struct address_groups;
struct address_groups *address_groups_new(void); // NULL without memory
struct address_groups *address_groups_free(struct address_groups *groups);
// May one more come while a group has at most @max?
bool address_groups_have_room(
	struct address_groups *groups, const struct sockaddr *address, unsigned max);
// A connection begins and ends. Without memory it is not counted, and its end does no harm.
void address_groups_add(struct address_groups *groups, const struct sockaddr *address);
void address_groups_remove(struct address_groups *groups, const struct sockaddr *address);
