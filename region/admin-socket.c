// SPDX-License-Identifier: Apache-2.0
#include "region/admin-socket.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "region/admin.h"
#include "region/http-server.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { MAX_REQUEST = 256 << 10, MAX_ANSWER = 64 << 20, TIMEOUT_MSEC = 5000 };

struct admin_socket {
	struct region *region;
	sd_event_source *source;
	char *path;
	int fd;
};

static int address_of(const char *path, struct sockaddr_un *ret, struct diag *reterr)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(ret->sun_path))
		return diag_set(reterr, -ENAMETOOLONG, path, "a socket path is at most %zu bytes",
			sizeof(ret->sun_path) - 1);
	memcpy(ret->sun_path, path, strlen(path) + 1);
	return 0;
}

static bool peer_may(int fd, struct ucred *ret)
{
	socklen_t n = sizeof(*ret);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &n) == 0 &&
	       (ret->uid == 0 || ret->uid == geteuid());
}

// One line, without the newline. Administrators are local and few: a short blocking read with a
// limit is enough.
static int read_line(int fd, size_t max, int timeout_msec, char **ret, size_t *ret_n)
{
	AUTO_FREE char *text = NULL;
	size_t n = 0, n_alloc = 0;
	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		if (n + 1 >= n_alloc) {
			n_alloc = n_alloc ? n_alloc * 2 : 4096;
			char *more = n_alloc > max * 2 ? NULL : realloc(text, n_alloc);
			if (!more)
				return -E2BIG;
			text = more;
		}
		if (poll(&poll_fd, 1, timeout_msec) <= 0)
			return -ETIMEDOUT;
		ssize_t got = read(fd, text + n, n_alloc - n - 1);
		if (got <= 0)
			return got < 0 ? -errno : -EPIPE;
		n += (size_t)got;
		text[n] = '\0';
		if (text[n - 1] == '\n')
			break;
	}
	text[--n] = '\0';
	*ret = TAKE_PTR(text);
	*ret_n = n;
	return 0;
}

static int write_line(int fd, const char *text)
{
	size_t n = strlen(text), done = 0;
	while (done <= n) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
		if (poll(&poll_fd, 1, TIMEOUT_MSEC) <= 0)
			return -ETIMEDOUT;
		ssize_t put = done < n ? send(fd, text + done, n - done, MSG_NOSIGNAL)
				       : send(fd, "\n", 1, MSG_NOSIGNAL);
		if (put < 0)
			return -errno;
		done += (size_t)put;
	}
	return 0;
}

static char *answer(struct region *region, const char *actor, const char *text, size_t n)
{
	CLEANUP(value_freep) struct value *document = NULL;
	struct json_out out = { 0 };
	struct diag diag = { 0 };
	const char *call = NULL;
	json_out_object_begin(&out);
	json_out_member_bool(&out, "ok", true);
	int r = json_parse(text, n, MAX_REQUEST, &document, &diag);
	if (r >= 0)
		r = value_string(value_find(document, "call"), "call", &call, &diag);
	pthread_mutex_lock(&region->lock);
	if (r >= 0)
		r = admin_call(region, actor, call, value_find(document, "args"), &out, &diag);
	int committed = store_commit(region->store);
	if (r >= 0 && committed < 0)
		r = diag_set(&diag, committed, "", "the change could not be written: %s",
			strerror(-committed));
	http_server_pump(region->http);
	pthread_mutex_unlock(&region->lock);
	if (r < 0) {
		json_out_done(&out);
		out = (struct json_out){ 0 };
		json_out_object_begin(&out);
		json_out_member_bool(&out, "ok", false);
		json_out_member(&out, "error", diag.message[0] ? diag_text(&diag) : strerror(-r));
	}
	json_out_object_end(&out);
	return json_out_take(&out);
}

static int on_connect(sd_event_source *source, int fd, uint32_t events, void *user)
{
	struct admin_socket *server = user;
	CLEANUP(secret_text_free) char *text = NULL, *reply = NULL;
	struct ucred peer;
	char actor[48];
	size_t n;
	AUTO_CLOSE int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (client < 0 || !peer_may(client, &peer))
		return 0; // a stranger gets a closed connection
	(void)snprintf(actor, sizeof(actor), "uid %u", (unsigned)peer.uid);
	int r = read_line(client, MAX_REQUEST, TIMEOUT_MSEC, &text, &n);
	if (r >= 0 && (reply = answer(server->region, actor, text, n)))
		r = write_line(client, reply);
	if (r < 0)
		log_warning("admin socket: %s", strerror(-r));
	return 0;
}

int admin_socket_start(struct region *region, sd_event *event, const char *path,
	struct admin_socket **ret, struct diag *reterr)
{
	struct sockaddr_un address;
	struct admin_socket *server = calloc(1, sizeof(*server));
	if (!server || !(server->path = strdup(path))) {
		free(server);
		return -ENOMEM;
	}
	server->region = region;
	int r = address_of(path, &address, reterr);
	server->fd = r < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	(void)unlink(path); // left by a region that was killed; the database's lock says that none
			    // is running
	if (r >= 0 && (server->fd < 0 ||
			      bind(server->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
			      chmod(path, 0600) < 0 || listen(server->fd, 16) < 0))
		r = diag_set(
			reterr, -errno, path, "the socket cannot be made: %s", strerror(errno));
	if (r >= 0)
		r = sd_event_add_io(event, &server->source, server->fd, POLLIN, on_connect, server);
	if (r < 0) {
		admin_socket_stop(server);
		return r;
	}
	*ret = server;
	return 0;
}

struct admin_socket *admin_socket_stop(struct admin_socket *server)
{
	if (!server)
		return NULL;
	sd_event_source_unref(server->source);
	if (server->fd >= 0) {
		(void)close(server->fd);    // nothing to be done about a failing close of a socket
		(void)unlink(server->path); // the next start removes it anyway
	}
	free(server->path);
	free(server);
	return NULL;
}

int admin_ask(const char *path, const char *call, const char *args_json, struct value **ret,
	struct diag *reterr)
{
	struct sockaddr_un address;
	CLEANUP(secret_text_free) char *line = NULL, *text = NULL;
	CLEANUP(value_freep) struct value *document = NULL;
	bool ok = false;
	size_t n;
	int r = address_of(path, &address, reterr);
	if (r < 0)
		return r;
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return diag_set(reterr, -errno, path,
			"the region does not answer (%s); is hearth-region serve running?",
			strerror(errno));
	line = str_format("{\"call\":\"%s\",\"args\":%s}", call, args_json);
	if (!line)
		return -ENOMEM;
	if ((r = write_line(fd, line)) < 0 || (r = read_line(fd, MAX_ANSWER, 60000, &text, &n)) < 0)
		return diag_set(reterr, r, path,
			r == -EPIPE ? "the region lets only root and its own user in" : "%s",
			strerror(-r));
	if ((r = json_parse(text, n, MAX_ANSWER, &document, reterr)) < 0 ||
		(r = value_bool(value_find(document, "ok"), "ok", &ok, reterr)) < 0)
		return r;
	if (!ok) {
		const char *error = value_text(value_find(document, "error"));
		return diag_set(reterr, -EREMOTEIO, "", "%s", error ? error : "the region refused");
	}
	*ret = TAKE_PTR(document);
	return 0;
}
