// A netlink socket: whole dumps, and batches that are sent together. The kernel does a batch in order and answers every
// message that failed and the last one; so when the last is answered, all are. Messages are built with libnl's nl_msg;
// its error codes end here. Source: netlink(7), linux/netlink.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"
#include <netlink/attr.h>
#include <netlink/msg.h>

struct netlink;
int netlink_open(int protocol, struct netlink **ret, struct diag *reterr); // NETLINK_ROUTE, NETLINK_GENERIC
struct netlink *netlink_free(struct netlink *netlink);
DEFINE_CLEANUP(netlink)

// 0 to go on; negative ends the dump with that error.
typedef int (*netlink_message_t)(const struct nlmsghdr *message, void *user);
/* Send @request_take as a dump and hand over every message of the answer. -EAGAIN: the kernel changed under the dump
 * (NLM_F_DUMP_INTR): what was handed over is not to be trusted, start again. -ENOBUFS: start again with a new socket. */
int netlink_dump(struct netlink *netlink, struct nl_msg *request_take, netlink_message_t on_message, void *user);

/* Put one request into the batch; it may be sent now or later. @tag comes back in on_error. */
typedef void (*netlink_error_t)(size_t tag, int error, const char *kernel_words, void *user); // words may be ""
int netlink_batch_add(struct netlink *netlink, struct nl_msg *request_take, size_t tag, netlink_error_t on_error,
	void *user);
/* Send what is left and wait until everything is done. 0 when all messages were sent and answered (silently or with
 * on_error); else the socket's error. When the kernel ran out of buffers for its answers the batch is sent again, and
 * what exists from the first time is no failure; on_error may then see a message twice. */
int netlink_batch_end(struct netlink *netlink, netlink_error_t on_error, void *user);
// One request, acknowledged. reterr: the kernel's own words, when it has some.
int netlink_call(struct netlink *netlink, struct nl_msg *request_take, struct diag *reterr);
// Number of a generic netlink family; loads its module. -ENOENT: the kernel has none.
int netlink_family(struct netlink *netlink, const char *name, uint16_t *ret, struct diag *reterr);

struct nl_msg *netlink_message(uint16_t type, uint16_t flags, const void *header, size_t n_header);
static inline void nl_msgp(struct nl_msg **message)
{
	if (!*message)
		return;
	explicit_bzero(nlmsg_hdr(*message), nlmsg_hdr(*message)->nlmsg_len); // it may hold a WireGuard key
	nlmsg_free(*message);
}
