// What the kernel says about a request that failed: its words, and the attribute it means. Pure.
// Source: linux/netlink.h (extended acknowledgements).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/netlink.h>
#include <stddef.h>

/* The errno of an NLMSG_ERROR: 0 for an acknowledgement, else negative; -EBADMSG when it is too short. */
int netlink_error_code(const struct nlmsghdr *answer);
/* "Invalid prefix length (attribute 1 at byte 28)" into @buffer; "" when the kernel has no words and names no attribute.
 *   request  the message that failed, whole; NULL: not at hand, then a wrong attribute is not named */
void netlink_error_words(const struct nlmsghdr *answer, const struct nlmsghdr *request, char *buffer, size_t n_buffer);
