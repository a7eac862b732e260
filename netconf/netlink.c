// Netlink sockets: dumps and acknowledged batches.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/netlink.h"
#include "netconf/netlink-error.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <poll.h>
#include <sys/socket.h>

enum {
	RECEIVE_BYTES = 64 << 10,  // the kernel fills at most 32 KiB of a dump into one message
	BATCH_BYTES = 32 << 10,    // below the default send buffer of 212,992 bytes
	MESSAGE_BYTES = 1024,      // of a link with all its options half as much; libnl clears them all for each
	BATCH_MESSAGES = 128,      // if all of them fail, the answers fit into the default receive buffer
	ANSWER_TIMEOUT_MSEC = 10000,
	NO_BUFFER_ATTEMPTS = 5,    // a kernel short of memory for one message is asked again this often,
	NO_BUFFER_PAUSE_MSEC = 20, // after this long
};

struct netlink {
	int fd;
	uint32_t sequence;
	uint8_t *receive, *batch;
	size_t n_batch, n_messages;
	uint32_t first_sequence;
	size_t tags[BATCH_MESSAGES];
	uint32_t offsets[BATCH_MESSAGES]; // of the messages in @batch
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
	struct nl_msg *message = nlmsg_alloc_size(MESSAGE_BYTES);
	if (message && (!nlmsg_put(message, 0, 0, type, 0, flags) ||
			       nlmsg_append(message, (void *)(uintptr_t)header, n_header, NLMSG_ALIGNTO) < 0)) {
		nlmsg_free(message);
		return NULL;
	}
	return message;
}

// All or nothing: a netlink socket takes a datagram as a whole.
static int send_all(struct netlink *netlink, const void *bytes, size_t n)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t sent;
	for (int attempt = 0;; attempt++) {
		sent = sendto(netlink->fd, bytes, n, 0, (struct sockaddr *)&kernel, sizeof(kernel));
		if (sent >= 0 || (errno != EINTR && errno != ENOBUFS) || attempt == NO_BUFFER_ATTEMPTS)
			break;
		if (errno == ENOBUFS)
			(void)poll(NULL, 0, NO_BUFFER_PAUSE_MSEC); // nothing was sent; woken early is as good
	}
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
		ssize_t n = recvmsg(netlink->fd, &envelope, MSG_DONTWAIT); // the kernel has mostly answered already
		if (n < 0 && errno == EAGAIN) {
			int n_ready = poll(&ready, 1, ANSWER_TIMEOUT_MSEC);
			if (n_ready == 0)
				return -ETIMEDOUT;
			if (n_ready < 0 && errno != EINTR)
				return -errno;
			continue;
		}
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
				return netlink_error_code(message);
			error = on_message(message, user);
			if (error < 0)
				return error;
		}
	}
	return error;
}

static struct nlmsghdr *batch_message(const struct netlink *netlink, size_t nth)
{
	return (struct nlmsghdr *)(netlink->batch + netlink->offsets[nth]);
}

// One answer of the batch. @is_repeat: the batch was sent before, and what stood from then is no failure.
static void batch_answer(struct netlink *netlink, const struct nlmsghdr *answer, size_t nth, bool is_repeat,
	netlink_error_t on_error, void *user)
{
	char words[256];
	const struct nlmsghdr *request = batch_message(netlink, nth);
	int code = netlink_error_code(answer);
	if (code == 0 || (is_repeat && code == -EEXIST && (request->nlmsg_flags & NLM_F_EXCL)))
		return;
	netlink_error_words(answer, request, words, sizeof(words));
	on_error(netlink->tags[nth], code, words, user);
}

/* Send the batch and receive until its last message is answered. The kernel does the messages in order while it takes
 * them, so whatever failed is answered before. */
static int batch_send(struct netlink *netlink, bool is_repeat, netlink_error_t on_error, void *user)
{
	size_t n, last = netlink->n_messages - 1;
	batch_message(netlink, last)->nlmsg_flags |= NLM_F_ACK;
	int error = send_all(netlink, netlink->batch, netlink->n_batch);
	for (bool done = false; error == 0 && !done;) {
		error = receive(netlink, &n);
		if (error < 0)
			return error;
		struct nlmsghdr *message = (struct nlmsghdr *)netlink->receive;
		for (int left = (int)n; nlmsg_ok(message, left); message = nlmsg_next(message, &left)) {
			uint32_t nth = message->nlmsg_seq - netlink->first_sequence;
			if (message->nlmsg_type != NLMSG_ERROR || nth > last)
				continue;
			batch_answer(netlink, message, nth, is_repeat, on_error, user);
			done |= nth == last;
		}
	}
	return error;
}

// Number the batch anew, so that answers of before are told apart from those to come.
static void batch_renumber(struct netlink *netlink)
{
	netlink->first_sequence = netlink->sequence + 1;
	for (size_t i = 0; i < netlink->n_messages; i++)
		batch_message(netlink, i)->nlmsg_seq = ++netlink->sequence;
}

int netlink_batch_end(struct netlink *netlink, netlink_error_t on_error, void *user)
{
	if (netlink->n_messages == 0)
		return 0;
	int error = batch_send(netlink, false, on_error, user);
	// the kernel had no room for an answer: some of the batch is done, which part is not known
	for (int attempt = 0; error == -ENOBUFS && attempt < NO_BUFFER_ATTEMPTS; attempt++) {
		batch_renumber(netlink);
		error = batch_send(netlink, true, on_error, user);
	}
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
	header->nlmsg_flags |= NLM_F_REQUEST; // the last of the batch asks for an acknowledgement, the others tell failures
	if (netlink->n_messages == 0)
		netlink->first_sequence = header->nlmsg_seq;
	netlink->offsets[netlink->n_messages] = (uint32_t)netlink->n_batch;
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
				error = netlink_error_code(message);
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
