// Netlink sockets: dumps and acknowledged batches.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/netlink.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <poll.h>
#include <sys/socket.h>

enum {
	RECEIVE_BYTES = 64 << 10,  // the kernel fills at most 32 KiB of a dump into one message
	BATCH_BYTES = 32 << 10,    // below the default send buffer of 212,992 bytes
	BATCH_MESSAGES = 128,      // their acknowledgements fit into the default receive buffer
	ANSWER_TIMEOUT_MSEC = 10000,
};

struct netlink {
	int fd;
	uint32_t sequence;
	uint8_t *receive, *batch;
	size_t n_batch, n_messages;
	uint32_t first_sequence;
	size_t tags[BATCH_MESSAGES];
};

int netlink_open(int protocol, struct netlink **ret, struct diag *reterr)
{
	struct sockaddr_nl local = {.nl_family = AF_NETLINK};
	int on = 1, receive_bytes = 4 << 20;
	CLEANUP(netlink_freep) struct netlink *netlink = calloc(1, sizeof(*netlink));
	if (!netlink)
		return -ENOMEM;
	netlink->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	netlink->receive = malloc(RECEIVE_BYTES);
	netlink->batch = malloc(BATCH_BYTES);
	if (netlink->fd < 0 || bind(netlink->fd, (struct sockaddr *)&local, sizeof(local)) < 0)
		return diag_set(reterr, -errno, "netlink", "no socket: %s", strerror(errno));
	if (!netlink->receive || !netlink->batch)
		return -ENOMEM;
	// Conveniences: without them errors have no words, echo the request, and large answers need more calls.
	(void)setsockopt(netlink->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(netlink->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	(void)setsockopt(netlink->fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof(receive_bytes));
	*ret = TAKE_PTR(netlink);
	return 0;
}

struct netlink *netlink_free(struct netlink *netlink)
{
	if (!netlink)
		return NULL;
	util_closep(&netlink->fd);
	if (netlink->receive)
		explicit_bzero(netlink->receive, RECEIVE_BYTES); // WireGuard's dumps hold keys
	if (netlink->batch)
		explicit_bzero(netlink->batch, BATCH_BYTES);
	free(netlink->receive);
	free(netlink->batch);
	free(netlink);
	return NULL;
}

struct nl_msg *netlink_message(uint16_t type, uint16_t flags, const void *header, size_t n_header)
{
	struct nl_msg *message = nlmsg_alloc_simple(type, flags);
	if (message && nlmsg_append(message, (void *)(uintptr_t)header, n_header, NLMSG_ALIGNTO) < 0) {
		nlmsg_free(message);
		return NULL;
	}
	return message;
}

static int send_all(struct netlink *netlink, const void *bytes, size_t n)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t sent;
	do
		sent = sendto(netlink->fd, bytes, n, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : (size_t)sent == n ? 0 : -EIO;
}

static int receive(struct netlink *netlink, size_t *ret_n)
{
	struct pollfd ready = {.fd = netlink->fd, .events = POLLIN};
	struct sockaddr_nl sender;
	for (;;) {
		struct iovec part = {netlink->receive, RECEIVE_BYTES};
		struct msghdr envelope = {.msg_name = &sender, .msg_namelen = sizeof(sender), .msg_iov = &part,
			.msg_iovlen = 1};
		int n_ready = poll(&ready, 1, ANSWER_TIMEOUT_MSEC);
		if (n_ready == 0)
			return -ETIMEDOUT;
		ssize_t n = n_ready < 0 ? -1 : recvmsg(netlink->fd, &envelope, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (envelope.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		if (sender.nl_pid != 0) // not from the kernel
			continue;
		*ret_n = (size_t)n;
		return 0;
	}
}

// The kernel's words of an NLMSG_ERROR that carries extended acknowledgement attributes; "" when it has none.
static void error_words(const struct nlmsghdr *message, char *buffer, size_t n_buffer)
{
	const struct nlmsgerr *error = nlmsg_data(message);
	size_t offset = sizeof(*error);
	buffer[0] = '\0';
	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(message->nlmsg_flags & NLM_F_CAPPED) && error->msg.nlmsg_len >= sizeof(error->msg))
		offset += NLMSG_ALIGN(error->msg.nlmsg_len - sizeof(error->msg));
	if (offset >= (size_t)nlmsg_datalen(message))
		return;
	struct nlattr *words = nla_find((struct nlattr *)((char *)nlmsg_data(message) + offset),
		nlmsg_datalen(message) - (int)offset, NLMSGERR_ATTR_MSG);
	if (words)
		(void)nla_strlcpy(buffer, words, n_buffer);
}

static int error_code(const struct nlmsghdr *message)
{
	if (nlmsg_datalen(message) < (int)sizeof(struct nlmsgerr))
		return -EBADMSG;
	return ((const struct nlmsgerr *)nlmsg_data(message))->error;
}

int netlink_dump(struct netlink *netlink, struct nl_msg *request_take, netlink_message_t on_message, void *user)
{
	CLEANUP(nl_msgp) struct nl_msg *request = request_take;
	bool interrupted = false;
	size_t n;
	if (!request)
		return -ENOMEM;
	struct nlmsghdr *header = nlmsg_hdr(request);
	uint32_t sequence = ++netlink->sequence;
	header->nlmsg_seq = sequence;
	header->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
	int error = send_all(netlink, header, header->nlmsg_len);
	while (error == 0 && (error = receive(netlink, &n)) == 0) {
		struct nlmsghdr *message = (struct nlmsghdr *)netlink->receive;
		for (int left = (int)n; nlmsg_ok(message, left); message = nlmsg_next(message, &left)) {
			if (message->nlmsg_seq != sequence)
				continue; // a left-over of an earlier, broken dump
			interrupted |= (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
			if (message->nlmsg_type == NLMSG_DONE) {
				int result = nlmsg_datalen(message) >= (int)sizeof(int) ? *(int *)nlmsg_data(message) : 0;
				return result < 0 ? result : interrupted ? -EAGAIN : 0;
			}
			if (message->nlmsg_type == NLMSG_ERROR)
				return error_code(message);
			error = on_message(message, user);
			if (error < 0)
				return error;
		}
	}
	return error;
}

// Receive until every message of the batch is answered.
static int batch_answers(struct netlink *netlink, netlink_error_t on_error, void *user)
{
	char words[256];
	size_t n_answered = 0, n;
	while (n_answered < netlink->n_messages) {
		int error = receive(netlink, &n);
		if (error < 0)
			return error;
		struct nlmsghdr *message = (struct nlmsghdr *)netlink->receive;
		for (int left = (int)n; nlmsg_ok(message, left); message = nlmsg_next(message, &left)) {
			uint32_t nth = message->nlmsg_seq - netlink->first_sequence;
			if (message->nlmsg_type != NLMSG_ERROR || nth >= netlink->n_messages)
				continue;
			n_answered++;
			int code = error_code(message);
			if (code == 0)
				continue;
			error_words(message, words, sizeof(words));
			on_error(netlink->tags[nth], code, words, user);
		}
	}
	return 0;
}

int netlink_batch_end(struct netlink *netlink, netlink_error_t on_error, void *user)
{
	if (netlink->n_messages == 0)
		return 0;
	int error = send_all(netlink, netlink->batch, netlink->n_batch);
	if (error == 0)
		error = batch_answers(netlink, on_error, user);
	netlink->n_batch = netlink->n_messages = 0;
	return error;
}

int netlink_batch_add(struct netlink *netlink, struct nl_msg *request_take, size_t tag, netlink_error_t on_error,
	void *user)
{
	CLEANUP(nl_msgp) struct nl_msg *request = request_take;
	if (!request)
		return -ENOMEM;
	struct nlmsghdr *header = nlmsg_hdr(request);
	size_t n = NLMSG_ALIGN(header->nlmsg_len);
	if (n > BATCH_BYTES)
		return -EMSGSIZE;
	if (netlink->n_messages == BATCH_MESSAGES || netlink->n_batch + n > BATCH_BYTES) {
		int error = netlink_batch_end(netlink, on_error, user);
		if (error < 0)
			return error;
	}
	header->nlmsg_seq = ++netlink->sequence;
	header->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (netlink->n_messages == 0)
		netlink->first_sequence = header->nlmsg_seq;
	netlink->tags[netlink->n_messages++] = tag;
	memset(netlink->batch + netlink->n_batch, 0, n);
	memcpy(netlink->batch + netlink->n_batch, header, header->nlmsg_len);
	netlink->n_batch += n;
	return 0;
}

struct one_error {
	int error;
	char words[256];
};

static void keep_error(size_t tag, int error, const char *words, void *user)
{
	struct one_error *kept = user;
	kept->error = error;
	(void)snprintf(kept->words, sizeof(kept->words), "%s", words);
}

int netlink_call(struct netlink *netlink, struct nl_msg *request_take, struct diag *reterr)
{
	struct one_error kept = {0};
	int error = netlink_batch_add(netlink, request_take, 0, keep_error, &kept);
	if (error == 0)
		error = netlink_batch_end(netlink, keep_error, &kept);
	if (error == 0)
		error = kept.error;
	if (error < 0)
		return diag_set(reterr, error, "", "%s%s%s%s", strerror(-error), kept.words[0] ? " (" : "", kept.words,
			kept.words[0] ? ")" : "");
	return 0;
}

static int on_family(const struct nlmsghdr *message, void *user)
{
	struct nlattr *id = nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)message, GENL_HDRLEN, CTRL_ATTR_FAMILY_ID);
	if (id && nla_len(id) >= (int)sizeof(uint16_t))
		*(uint16_t *)user = nla_get_u16(id);
	return 0;
}

int netlink_family(struct netlink *netlink, const char *name, uint16_t *ret, struct diag *reterr)
{
	struct genlmsghdr header = {.cmd = CTRL_CMD_GETFAMILY, .version = 1};
	uint16_t id = 0;
	size_t n;
	CLEANUP(nl_msgp) struct nl_msg *request = netlink_message(GENL_ID_CTRL, 0, &header, sizeof(header));
	if (!request || nla_put_string(request, CTRL_ATTR_FAMILY_NAME, name) < 0)
		return -ENOMEM;
	struct nlmsghdr *sent = nlmsg_hdr(request);
	sent->nlmsg_seq = ++netlink->sequence;
	sent->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	int error = send_all(netlink, sent, sent->nlmsg_len);
	for (bool done = false; error == 0 && !done;) {
		error = receive(netlink, &n);
		if (error < 0)
			break;
		struct nlmsghdr *message = (struct nlmsghdr *)netlink->receive;
		for (int left = (int)n; nlmsg_ok(message, left); message = nlmsg_next(message, &left)) {
			if (message->nlmsg_seq != netlink->sequence)
				continue;
			if (message->nlmsg_type == NLMSG_ERROR) {
				error = error_code(message);
				done = true;
			} else {
				(void)on_family(message, &id);
			}
		}
	}
	if (error == 0 && id == 0)
		error = -ENOENT;
	if (error < 0)
		return diag_set(reterr, error, name, "this kernel has no such netlink family (%s)", strerror(-error));
	*ret = id;
	return 0;
}
