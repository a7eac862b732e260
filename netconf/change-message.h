// One change as the netlink messages that do it. Pure: values in, bytes out; NULL when memory ran out.
// Sources: linux/rtnetlink.h, linux/if_link.h, linux/fib_rules.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/plan.h"

/* The change itself. All numbers of links in it must be known. NULL also for what is not rtnetlink's: WireGuard, peers,
 * files. */
struct nl_msg *change_message(const struct change *change);
struct nl_msg *change_message_remove(const struct change *change);            // its link goes
struct nl_msg *change_message_alias(const struct change *change);             // the link of that name is ours
struct nl_msg *change_message_updown(const struct change *change, bool up);   // its link goes up or down, no more
struct nl_msg *change_message_drop_other_name(const struct change *change);   // of CHANGE_LINK_RENAME: before the change
struct nl_msg *change_message_other_name(int link_index, const char *name);   // another name for a link
struct nl_msg *change_message_mac(const struct change *change);               // of CHANGE_LINK_SET, no more
