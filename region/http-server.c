// SPDX-License-Identifier: Apache-2.0
#include "region/http-server.h"

#include "base/log.h"
#include "base/time.h"
#include "region/address-group.h"
#include "region/peer-tls.h"
#include "region/pull.h"
#include "region/session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <sys/eventfd.h>

enum {
	CONNECTION_MEMORY = 8 << 10,
	MAX_CONNECTIONS = 20000,
	MAX_BOOT_CONNECTIONS = 4096,
	IDLE_SEC = 120,
	MAX_PATH = 2048
};

struct http_server {
	struct region *region;
	struct http_server_config config;
	struct MHD_Daemon *tls, *boot;
	struct address_groups *groups; // of the HTTPS listener
};

// ---- lists of suspended requests

static void list_add(struct request **list, struct request *request)
{
	request->list = list;
	request->previous = NULL;
	request->next = *list;
	if (*list)
		(*list)->previous = request;
	*list = request;
}

static void list_remove(struct request *request)
{
	if (!request->list)
		return;
	if (request->previous)
		request->previous->next = request->next;
	else
		*request->list = request->next;
	if (request->next)
		request->next->previous = request->previous;
	request->list = NULL;
}

static void request_suspend(struct request **list, struct request *request)
{
	list_add(list, request);
	MHD_suspend_connection(request->connection);
}

static void request_resume(struct request *request)
{
	list_remove(request);
	request->due = false;
	MHD_resume_connection(request->connection);
}

// ---- who asks

static void look_at_node(struct region *region, struct request *request)
{
	request->node = node_free(request->node);
	if (!request->key[0] || store_node_by_key(region->store, request->key, &request->node) < 0)
		return;
	const struct node *node = request->node;
	request->peer.known = true;
	request->peer.revoked = node->state == NODE_REVOKED;
	request->peer.approved = node->state == NODE_RESERVED || node->state == NODE_APPROVED;
	request->peer.quarantined = node->quarantined;
	request->peer.server = node->is_server && node->durable;
}

static void look_at_peer(struct region *region, struct request *request)
{
	// Each answer lives in the same union of the connection: take it before asking for the next
	// one.
	const union MHD_ConnectionInfo *info;
	request->peer = (struct peer_facts){ 0 };
	info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	gnutls_session_t session = info ? info->tls_session : NULL;
	info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct tls_peer *tls = info ? info->socket_context : NULL;
	if (!session || !tls)
		return;
	if (!tls->looked)
		tls_peer_look(tls, session);
	if (tls->has_certificate) {
		int64_t now_sec = region_now_sec(region);
		request->peer.has_certificate = true;
		request->peer.is_p256 = tls->is_p256;
		request->peer.self_signed = tls->self_signed;
		request->peer.ours = tls->ours;
		request->peer.in_date =
			now_sec >= tls->facts.not_before_sec && now_sec <= tls->facts.not_after_sec;
		(void)snprintf(request->key, sizeof(request->key), "%s", tls->key);
		request->spki = tls->facts.spki;
		request->n_spki = tls->facts.n_spki;
		look_at_node(region, request);
	}
	request->peer.has_pull_credential =
		pull_credential_fits(region, request_header(request, "Authorization"));
	request->peer.has_session =
		session_of_cookie(region->sessions, request_header(request, "Cookie")) != NULL;
}

static void remote_text(struct MHD_Connection *connection, char *ret, size_t n)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	ret[0] = '\0';
	if (info && info->client_addr &&
		getnameinfo(info->client_addr,
			info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
								 : sizeof(struct sockaddr_in),
			ret, (socklen_t)n, NULL, 0, NI_NUMERICHOST) == 0 &&
		str_starts(ret, "::ffff:"))
		memmove(ret, ret + 7, strlen(ret + 7) + 1);
}

// ---- one request through its life

static void request_refuse(
	struct region *region, struct request *request, enum peer_verdict verdict)
{
	region->n_refused++;
	(void)request_answer_error(request, peer_verdict_status(verdict),
		peer_verdict_code(verdict), "%s",
		peer_verdict_sentence(verdict)); // without memory the connection ends
	if (request->route->peer == PEER_NODE_OR_PULL)
		request_answer_header(request, "WWW-Authenticate", "Basic realm=\"hearth\"");
}

static void request_handle(struct region *region, struct request *request)
{
	bool writes = !str_equal(request->method, "GET") && !str_equal(request->method, "HEAD");
	int r = writes ? store_mark(region->store) : 0;
	if (r >= 0) {
		r = request->route->handle(region, request);
		bool undo = r < 0 || (request->status >= 400 &&
					     !request->keep); // a refusal leaves nothing behind
		if (writes && (undo ? store_undo(region->store) : store_release(region->store)) < 0)
			r = r < 0 ? r : -EIO;
	}
	if (r < 0 && r != -EBADMSG)
		log_error("%s %s: %s", request->method, request->path, strerror(-r));
	if (r < 0 && !request->response)
		(void)request_answer_error(
			request, 500, "internal", "the region could not do this: %s", strerror(-r));
}

static void request_run(struct region *region, struct request *request)
{
	request->wants_wait = false;
	if (region->stopping) {
		(void)request_answer_error(
			request, 503, "stopping", "the region is stopping; ask again soon");
		return;
	}
	look_at_peer(region, request);
	enum peer_verdict verdict = peer_admit(request->route->peer, &request->peer);
	if (verdict != PEER_ADMITTED)
		request_refuse(region, request, verdict);
	else if (request->body_too_big)
		(void)request_answer_error(request, 413, "too-big",
			"the body must be at most %zu bytes", request->route->max_body);
	else
		request_handle(region, request);
}

static enum MHD_Result request_step(struct region *region, struct request *request)
{
	if (!request->response && request->route)
		request_run(region, request);
	else if (request->response)
		return MHD_queue_response(request->connection, request->status, request->response);
	if (!request->response && request->wants_wait) {
		request_suspend(&region->waiting, request);
		if (region->commit_pending)
			(void)eventfd_write(region->wake_fd, 1);
		return MHD_YES;
	}
	if (!request->response)
		return MHD_NO;
	if ((request->commit || region->commit_pending) && !region->stopping) {
		region->commit_pending = true;
		request_suspend(&region->committing, request);
		(void)eventfd_write(region->wake_fd, 1); // full counter: it is readable already
		return MHD_YES;
	}
	return MHD_queue_response(request->connection, request->status, request->response);
}

static struct request *request_new(
	struct MHD_Connection *connection, const char *method, const char *path)
{
	struct request *request = calloc(1, sizeof(*request));
	if (!request || strlen(path) > MAX_PATH || !(request->path = strdup(path))) {
		free(request);
		return NULL;
	}
	request->connection = connection;
	request->started_usec = time_boot_usec();
	(void)snprintf(request->method, sizeof(request->method), "%s", method);
	remote_text(connection, request->remote, sizeof(request->remote));
	return request;
}

static void request_end(struct request *request)
{
	list_remove(request);
	if (request->response)
		MHD_destroy_response(request->response);
	node_free(request->node);
	if (request->body)
		crypto_wipe(request->body, request->n_body);
	free(request->body);
	free(request->path);
	free(request);
}

static void request_add_body(struct request *request, const char *bytes, size_t n)
{
	size_t max = request->route ? request->route->max_body : 0;
	if (request->response)
		return; // refused already: nothing of it is kept
	if (request->body_too_big || n > max - request->n_body || request->n_body > max) {
		request->body_too_big = true;
		return;
	}
	if (request->n_body + n + 1 > request->n_body_alloc) {
		size_t want = (request->n_body + n + 1) * 2;
		if (want > max + 1)
			want = max + 1;
		char *more = realloc(request->body, want);
		if (!more) {
			request->body_too_big = true;
			return;
		}
		request->body = more;
		request->n_body_alloc = want;
	}
	memcpy(request->body + request->n_body, bytes, n);
	request->n_body += n;
	request->body[request->n_body] = '\0';
}

// Before a body is taken: strangers do not fill our memory.
static void request_admit_early(struct region *region, struct request *request)
{
	pthread_mutex_lock(&region->lock);
	look_at_peer(region, request);
	enum peer_verdict verdict = peer_admit(request->route->peer, &request->peer);
	if (verdict != PEER_ADMITTED)
		request_refuse(region, request, verdict);
	pthread_mutex_unlock(&region->lock);
}

static enum MHD_Result on_request(struct http_server *server, const struct route *routes,
	size_t n_routes, struct MHD_Connection *connection, const char *path, const char *method,
	const char *upload, size_t *n_upload, void **context)
{
	struct region *region = server->region;
	struct request *request = *context;
	if (!request) {
		unsigned status;
		request = request_new(connection, method, path);
		if (!request)
			return MHD_NO;
		*context = request;
		request->route = route_find(routes, n_routes, method, path, &status);
		if (!request->route)
			(void)request_answer_error(request, status,
				status == 404 ? "not-found" : "method",
				status == 404 ? "there is no such resource"
					      : "the resource does not take this method");
		else if (request->route->max_body > 0 && request->route->peer != PEER_ANY)
			request_admit_early(region, request);
		return MHD_YES;
	}
	if (*n_upload) {
		request_add_body(request, upload, *n_upload);
		*n_upload = 0;
		return MHD_YES;
	}
	if (request->route && request->route->prepare && !request->is_prepared &&
		!request->response && !request->body_too_big) {
		request->prepared = request->route->prepare(region, request);
		request->is_prepared = true;
	}
	pthread_mutex_lock(&region->lock);
	region->n_requests++;
	enum MHD_Result result = request_step(region, request);
	pthread_mutex_unlock(&region->lock);
	return result;
}

static enum MHD_Result on_tls_request(void *user, struct MHD_Connection *connection,
	const char *path, const char *method, const char *version, const char *upload,
	size_t *n_upload, void **context)
{
	struct http_server *server = user;
	return on_request(server, server->config.routes, server->config.n_routes, connection, path,
		method, upload, n_upload, context);
}

static enum MHD_Result on_boot_request(void *user, struct MHD_Connection *connection,
	const char *path, const char *method, const char *version, const char *upload,
	size_t *n_upload, void **context)
{
	struct http_server *server = user;
	return on_request(server, server->config.boot_routes, server->config.n_boot_routes,
		connection, path, method, upload, n_upload, context);
}

static void on_completed(void *user, struct MHD_Connection *connection, void **context,
	enum MHD_RequestTerminationCode why)
{
	struct http_server *server = user;
	if (!*context)
		return;
	pthread_mutex_lock(&server->region->lock);
	request_end(*context);
	pthread_mutex_unlock(&server->region->lock);
	*context = NULL;
}

static enum MHD_Result on_accept(void *user, const struct sockaddr *address, socklen_t n)
{
	struct http_server *server = user;
	return address_groups_have_room(server->groups, address, server->config.max_per_address)
		       ? MHD_YES
		       : MHD_NO;
}

static void on_connection(void *user, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode what)
{
	struct http_server *server = user;
	const union MHD_ConnectionInfo *client =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = client ? client->client_addr : NULL;
	// Counted here, not when it is accepted: an end is told of those alone that began.
	if (what == MHD_CONNECTION_NOTIFY_CLOSED)
		address_groups_remove(server->groups, address);
	else
		address_groups_add(server->groups, address);
	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		*context = tls_peer_free(*context);
		return;
	}
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	*context =
		calloc(1, sizeof(struct tls_peer)); // without memory: a peer without a certificate
	if (info && info->tls_session)
		tls_peer_prepare(info->tls_session);
}

// ---- the listeners

static int listen_on(const char *address, struct diag *reterr)
{
	char host[256];
	const char *colon = strrchr(address, ':');
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST },
			*found = NULL;
	size_t n = colon ? (size_t)(colon - address) : 0;
	if (!colon || n >= sizeof(host))
		return diag_set(reterr, -EINVAL, address, "must be ADDRESS:PORT");
	if (n >= 2 && address[0] == '[' && address[n - 1] == ']')
		(void)snprintf(host, sizeof(host), "%.*s", (int)n - 2, address + 1);
	else
		(void)snprintf(host, sizeof(host), "%.*s", (int)n, address);
	if (getaddrinfo(host[0] ? host : NULL, colon + 1, &hints, &found) != 0)
		return diag_set(
			reterr, -EINVAL, address, "must be ADDRESS:PORT with a numeric address");
	AUTO_CLOSE int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, zero = 0, r = fd < 0 ? -errno : 0;
	if (r >= 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (found->ai_family == AF_INET6)
			(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero,
				sizeof(zero)); // [::] takes IPv4 too
		if (bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, 4096) < 0)
			r = -errno;
	}
	freeaddrinfo(found);
	if (r < 0)
		return diag_set(reterr, r, address, "cannot be listened on: %s", strerror(-r));
	return TAKE_FD(fd);
}

static int start_tls(struct http_server *server, struct diag *reterr)
{
	struct region *region = server->region;
	int fd = listen_on(server->config.listen, reterr);
	if (fd < 0)
		return fd;
	AUTO_FREE char *chain = str_format("%s%s", region->server_pem, region->ca_pem);
	server->tls = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME, 0,
		on_accept, server, on_tls_request, server, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_THREAD_POOL_SIZE, server->config.n_threads, MHD_OPTION_HTTPS_MEM_KEY,
		region->server_key_pem, MHD_OPTION_HTTPS_MEM_CERT, chain,
		MHD_OPTION_HTTPS_MEM_TRUST, region->ca_pem, MHD_OPTION_HTTPS_PRIORITIES,
		"NORMAL:-VERS-ALL:+VERS-TLS1.3", MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, server->config.max_per_address,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SEC, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
		MHD_OPTION_END);
	if (!server->tls) {
		(void)close(fd);
		return diag_set(reterr, -EIO, server->config.listen,
			"the HTTPS server could not be started");
	}
	return 0;
}

static int start_boot(struct http_server *server, struct diag *reterr)
{
	if (str_equal(server->config.boot_listen, "none"))
		return 0;
	int fd = listen_on(server->config.boot_listen, reterr);
	if (fd < 0)
		return fd;
	server->boot = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0,
		NULL, NULL, on_boot_request, server, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_BOOT_CONNECTIONS,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, MAX_BOOT_CONNECTIONS / 4 * 3u,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SEC, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, server, MHD_OPTION_END);
	if (!server->boot) {
		(void)close(fd);
		return diag_set(reterr, -EIO, server->config.boot_listen,
			"the boot server could not be started");
	}
	return 0;
}

int http_server_start(struct region *region, const struct http_server_config *config,
	struct http_server **ret, struct diag *reterr)
{
	struct http_server *server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	if (!(server->groups = address_groups_new())) {
		free(server);
		return -ENOMEM;
	}
	server->region = region;
	server->config = *config;
	if (server->config.max_per_address == 0)
		server->config.max_per_address = HTTP_MAX_PER_ADDRESS;
	long n_processors = sysconf(_SC_NPROCESSORS_ONLN);
	if (server->config.n_threads == 0)
		server->config.n_threads = n_processors < 2   ? 2
					   : n_processors > 8 ? 8
							      : (unsigned)n_processors;
	int r = start_tls(server, reterr);
	if (r >= 0)
		r = start_boot(server, reterr);
	if (r < 0) {
		http_server_stop(server);
		return r;
	}
	*ret = server;
	return 0;
}

static void resume_all(struct region *region)
{
	while (region->waiting)
		request_resume(region->waiting);
	while (region->committing)
		request_resume(region->committing);
}

// What these answers say was not kept.
static void answers_take_back(struct region *region)
{
	for (struct request *request = region->committing; request; request = request->next) {
		if (request->response)
			MHD_destroy_response(request->response);
		request->response = NULL;
		(void)request_answer_error(request, 503, "not-kept",
			"the region could not write this down; ask again"); // without memory it is
									    // done again
	}
}

static void stop_listeners(struct http_server *server)
{
	struct region *region = server->region;
	pthread_mutex_lock(&region->lock);
	bool was_stopping = region->stopping;
	region->stopping = true;
	int r = store_commit(region->store);
	if (r < 0)
		log_error("the last changes could not be written: %s", strerror(-r));
	if (store_take_lost(region->store) || r < 0)
		answers_take_back(region);
	resume_all(region);
	pthread_mutex_unlock(&region->lock);
	if (server->tls)
		MHD_stop_daemon(server->tls);
	if (server->boot)
		MHD_stop_daemon(server->boot);
	server->tls = server->boot = NULL;
	region->stopping = was_stopping;
}

struct http_server *http_server_stop(struct http_server *server)
{
	if (!server)
		return NULL;
	stop_listeners(server);
	address_groups_free(server->groups);
	free(server);
	return NULL;
}

int http_server_restart(struct http_server *server, struct diag *reterr)
{
	stop_listeners(server);
	int r = start_tls(server, reterr);
	return r < 0 ? r : start_boot(server, reterr);
}

void http_server_pump(struct http_server *server)
{
	struct region *region = server->region;
	int r = region->commit_pending || region->wake_all ? store_commit(region->store) : 0;
	if (store_take_lost(region->store)) {
		log_error("changes could not be written and are undone; those who asked are told");
		answers_take_back(region);
	} else if (r < 0) {
		log_error("changes could not be written; answers wait: %s", strerror(-r));
		return; // tried again at the next tick
	}
	region->commit_pending = false;
	while (region->committing)
		request_resume(region->committing);
	for (struct request *request = region->waiting, *next; request; request = next) {
		next = request->next;
		if (request->due || (region->wake_all && str_equal(request->topic, "cluster")))
			request_resume(request);
	}
	region->wake_all = false;
}

void http_server_tick(struct http_server *server)
{
	uint64_t now_usec = time_boot_usec();
	for (struct request *request = server->region->waiting; request; request = request->next)
		if (now_usec >= request->deadline_usec)
			request->due = true;
	http_server_pump(server);
}
