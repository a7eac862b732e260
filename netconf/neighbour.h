// Neighbours: which machines of the same wire answered, and when. Decoding is pure.
// Source: linux/neighbour.h, net/core/neighbour.c (times are in hundredths of a second since the event).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/address.h"
#include <linux/netlink.h>

struct neighbour {
	int link_index;
	struct ip ip;
	uint64_t age_usec; // since it last answered
};
/* One RTM_NEWNEIGH inside memory of message->nlmsg_len bytes. 1; 0: it is none that ever answered (incomplete, failed, set by
 * a person, of another family); -EBADMSG. */
int neighbour_decode(const struct nlmsghdr *message, struct neighbour *ret);
