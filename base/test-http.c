// HTTP against a small TLS server in child processes: trust, credentials, redirects, limits, resuming, cancelling.
// SPDX-License-Identifier: Apache-2.0
#include "base/crypto.h"
#include "base/file.h"
#include "base/http.h"
#include "base/time.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/ssl.h>
#include <psa/crypto.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { BIG_BYTES = 300000 };

static struct world {
	char *ca_pem, *other_ca_pem, *server_pem, *server_key_pem, *client_pem, *client_key_pem;
	int port, other_port, closed_port, plain_port, deaf_port, deaf_fd;
	pid_t pids[3];
	size_t n_pids;
} world;

// ---- the server

struct connection {
	int fd;
	mbedtls_ssl_context *ssl; // NULL: plain
};

static int tls_send(void *user, const unsigned char *bytes, size_t n)
{
	ssize_t r = send(*(int *)user, bytes, n, MSG_NOSIGNAL);

	return r < 0 ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : (int)r;
}

static int tls_receive(void *user, unsigned char *bytes, size_t n)
{
	ssize_t r = recv(*(int *)user, bytes, n, 0);

	return r < 0 ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : (int)r;
}

static int tls_random(void *user, unsigned char *ret, size_t n)
{
	crypto_random(ret, n);
	return 0;
}

static void put(struct connection *connection, const void *bytes, size_t n)
{
	for (const unsigned char *p = bytes; n > 0;) {
		ssize_t r = connection->ssl ? mbedtls_ssl_write(connection->ssl, p, n) :
					      send(connection->fd, p, n, MSG_NOSIGNAL);
		if (r <= 0)
			_exit(0); // the client has gone
		p += r;
		n -= (size_t)r;
	}
}

static void answer(struct connection *connection, const char *status, const char *headers, const char *body, size_t n_body)
{
	char head[1024];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n", status, n_body,
		headers);

	put(connection, head, (size_t)n);
	put(connection, body, n_body);
}

static void header_of(const char *request, const char *name, char *ret, size_t size)
{
	const char *line = strcasestr(request, name);

	*ret = '\0';
	if (line)
		(void)snprintf(ret, size, "%.*s", (int)strcspn(line + strlen(name), "\r\n"), line + strlen(name)); // test texts fit
}

static void answer_echo(struct connection *connection, const char *request, const char *headers)
{
	char auth[128], cookie[128], body[1024];
	const char *content = strstr(request, "\r\n\r\n") + 4;
	bool has_cert = connection->ssl && mbedtls_ssl_get_peer_cert(connection->ssl);

	header_of(request, "authorization: ", auth, sizeof(auth));
	header_of(request, "cookie: ", cookie, sizeof(cookie));
	int n = snprintf(body, sizeof(body), "%.*s auth=%s cookie=%s cert=%s body=%s", (int)strcspn(request, " "), request, auth,
		cookie, has_cert ? "yes" : "no", content);
	answer(connection, "200 OK", headers, body, (size_t)n);
}

static void answer_big(struct connection *connection, const char *request, bool ranges, size_t shift)
{
	static char big[BIG_BYTES];
	char range[64], headers[128];
	size_t from = 0;

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)('a' + i % 23);
	header_of(request, "range: bytes=", range, sizeof(range));
	if (!ranges || sscanf(range, "%zu-", &from) != 1) {
		answer(connection, "200 OK", "", big, sizeof(big));
		return;
	}
	from += shift;
	(void)snprintf(headers, sizeof(headers), "Content-Range: bytes %zu-%d/%d\r\n", from, BIG_BYTES - 1, BIG_BYTES); // fits
	answer(connection, "206 Partial Content", headers, big + from, sizeof(big) - from);
}

static void serve_path(struct connection *connection, const char *request)
{
	char path[128] = "", headers[256];

	(void)sscanf(request, "%*s %127s", path); // "" then, which is 404
	if (str_equal(path, "/echo")) {
		answer_echo(connection, request, "ETag: \"5.7\"\r\nRetry-After: 3 \r\nContent-Type: text/plain\r\n");
	} else if (str_equal(path, "/away") || str_equal(path, "/home") || str_equal(path, "/loop") || str_equal(path, "/down")) {
		const char *scheme = str_equal(path, "/down") ? "http" : "https";
		int port = str_equal(path, "/away") ? world.other_port : world.port;
		(void)snprintf(headers, sizeof(headers), "Location: %s://127.0.0.1:%d%s\r\n", scheme, port,
			str_equal(path, "/loop") ? "/loop" : "/echo"); // fits
		answer(connection, "302 Found", headers, "moved", 5);
	} else if (str_equal(path, "/big")) {
		answer_big(connection, request, true, 0);
	} else if (str_equal(path, "/big-whole")) {
		answer_big(connection, request, false, 0);
	} else if (str_equal(path, "/big-wrong")) {
		answer_big(connection, request, true, 1);
	} else if (str_equal(path, "/half")) {
		static const char half[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
		put(connection, half, strlen(half));
	} else if (str_equal(path, "/stalled")) {
		static const char begun[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun";
		put(connection, begun, strlen(begun));
		(void)pause(); // until the test ends
	} else if (str_equal(path, "/silent")) {
		(void)pause(); // until the test ends
	} else {
		answer(connection, "404 Not Found", "", "nothing here", 12);
	}
}

static void serve_request(struct connection *connection)
{
	char request[8192];
	size_t n = 0;

	for (;;) {
		ssize_t r = connection->ssl ?
			mbedtls_ssl_read(connection->ssl, (unsigned char *)request + n, sizeof(request) - n - 1) :
			recv(connection->fd, request + n, sizeof(request) - n - 1, 0);
		if (r <= 0)
			return;
		n += (size_t)r;
		request[n] = '\0';
		if (request[0] == 0x16) { // somebody speaks TLS to a plain server
			answer(connection, "400 Bad Request", "", "", 0);
			return;
		}
		const char *end = strstr(request, "\r\n\r\n");
		char length[16];
		header_of(request, "content-length: ", length, sizeof(length));
		if (end && strlen(end + 4) >= (size_t)atoi(length))
			break;
	}
	serve_path(connection, request);
	if (connection->ssl)
		(void)mbedtls_ssl_close_notify(connection->ssl); // the client may have gone
}

static void serve_connection(int fd, bool tls)
{
	struct connection connection = { .fd = fd };
	mbedtls_ssl_config config;
	mbedtls_ssl_context ssl;
	mbedtls_x509_crt cert, ca;
	mbedtls_pk_context key;

	if (!tls) {
		serve_request(&connection);
		_exit(0);
	}
	mbedtls_ssl_config_init(&config);
	mbedtls_ssl_init(&ssl);
	mbedtls_x509_crt_init(&cert);
	mbedtls_x509_crt_init(&ca);
	mbedtls_pk_init(&key);
	if (psa_crypto_init() != PSA_SUCCESS ||
		mbedtls_x509_crt_parse(&cert, (unsigned char *)world.server_pem, strlen(world.server_pem) + 1) ||
		mbedtls_x509_crt_parse(&ca, (unsigned char *)world.ca_pem, strlen(world.ca_pem) + 1) ||
		mbedtls_pk_parse_key(&key, (unsigned char *)world.server_key_pem, strlen(world.server_key_pem) + 1, NULL, 0,
			tls_random, NULL) ||
		mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
			MBEDTLS_SSL_PRESET_DEFAULT) ||
		mbedtls_ssl_conf_own_cert(&config, &cert, &key))
		_exit(1);
	mbedtls_ssl_conf_rng(&config, tls_random, NULL);
	mbedtls_ssl_conf_ca_chain(&config, &ca, NULL);
	mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_OPTIONAL);
	if (mbedtls_ssl_setup(&ssl, &config))
		_exit(1);
	mbedtls_ssl_set_bio(&ssl, &fd, tls_send, tls_receive, NULL);
	if (mbedtls_ssl_handshake(&ssl) == 0) {
		connection.ssl = &ssl;
		serve_request(&connection);
	}
	_exit(0);
}

static int listen_somewhere(int *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void start_server(int fd, bool tls)
{
	assert_int_equal(listen(fd, 16), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); // tear_down() kills it, too
		(void)signal(SIGCHLD, SIG_IGN);		// no zombies
		for (;;) {
			int client_fd = accept(fd, NULL, NULL);
			if (client_fd < 0)
				_exit(1);
			if (fork() == 0) {
				(void)prctl(PR_SET_PDEATHSIG, SIGKILL); // for /silent
				serve_connection(client_fd, tls);
			}
			close(client_fd);
		}
	}
	world.pids[world.n_pids++] = pid;
	close(fd);
}

// ---- set up

static char *issue(enum cert_usage usage, const struct key *subject, const char *ca_pem, const struct key *ca)
{
	static const char *const sans[] = { "127.0.0.1", "region.test", NULL };
	int64_t now_sec = time_wall_msec() / 1000;
	AUTO_FREE uint8_t *spki = NULL;
	char *pem = NULL;
	size_t n;

	assert_int_equal(key_spki(subject, &spki, &n), 0);
	struct cert_request request = { .usage = usage, .common_name = "test", .spki = spki, .n_spki = n,
		.sans = usage == CERT_USAGE_SERVER ? sans : NULL, .not_before_sec = now_sec - 60, .not_after_sec = now_sec + 3600 };
	assert_int_equal(cert_issue(&request, ca_pem, ca, &pem, NULL), 0);
	return pem;
}

static int set_up(void **state)
{
	CLEANUP(key_freep) struct key *ca = NULL, *other_ca = NULL, *server = NULL, *client = NULL;

	assert_int_equal(key_generate(&ca), 0);
	assert_int_equal(key_generate(&other_ca), 0);
	assert_int_equal(key_generate(&server), 0);
	assert_int_equal(key_generate(&client), 0);
	world.ca_pem = issue(CERT_USAGE_CA, ca, NULL, ca);
	world.other_ca_pem = issue(CERT_USAGE_CA, other_ca, NULL, other_ca);
	world.server_pem = issue(CERT_USAGE_SERVER, server, world.ca_pem, ca);
	world.client_pem = issue(CERT_USAGE_CLIENT, client, world.ca_pem, ca);
	assert_int_equal(key_to_pem(server, &world.server_key_pem), 0);
	assert_int_equal(key_to_pem(client, &world.client_key_pem), 0);
	int fd = listen_somewhere(&world.port), other_fd = listen_somewhere(&world.other_port),
	    plain_fd = listen_somewhere(&world.plain_port);
	close(listen_somewhere(&world.closed_port));
	world.deaf_fd = listen_somewhere(&world.deaf_port); // takes connections and says nothing
	assert_int_equal(listen(world.deaf_fd, 16), 0);
	start_server(fd, true);
	start_server(other_fd, true);
	start_server(plain_fd, false);
	return 0;
}

static int tear_down(void **state)
{
	for (size_t i = 0; i < world.n_pids; i++) {
		(void)kill(world.pids[i], SIGKILL); // may have died already
		(void)waitpid(world.pids[i], NULL, 0);
	}
	close(world.deaf_fd);
	free(world.ca_pem);
	free(world.other_ca_pem);
	free(world.server_pem);
	free(world.server_key_pem);
	free(world.client_pem);
	free(world.client_key_pem);
	return 0;
}

// ---- the tests

static const char *url(int port, const char *path)
{
	static char text[128];

	(void)snprintf(text, sizeof(text), "https://127.0.0.1:%d%s", port, path); // fits
	return text;
}

static struct http_trust_config trust_ca(void)
{
	return (struct http_trust_config){ .trust = HTTP_TRUST_CA, .ca_pem = world.ca_pem };
}

static struct http_trust_config trust_ca_with_client_cert(void)
{
	return (struct http_trust_config){ .trust = HTTP_TRUST_CA, .ca_pem = world.ca_pem, .client_cert_pem = world.client_pem,
		.client_key_pem = world.client_key_pem };
}

static void expect_body(const struct http_trust_config *trust, const struct http_request *request, int status,
	const char *body)
{
	struct http_result result;

	if (http_perform(trust, request, &result) < 0)
		fail_msg("%s", diag_text(&result.response.diag));
	assert_int_equal(result.response.status, status);
	assert_string_equal(result.response.body, body);
	http_result_done(&result);
}

static void expect_error(const struct http_trust_config *trust, const struct http_request *request, int error,
	const char *part)
{
	struct http_result result;
	int r = http_perform(trust, request, &result);

	if (r != error || !strstr(result.response.diag.message, part))
		fail_msg("%d: %s", r, diag_text(&result.response.diag));
	http_result_done(&result);
}

static void http_requests_carry_method_body_and_headers(void **state)
{
	const char *const headers[] = { "Authorization: Bearer x", "Cookie: a=b", NULL };
	struct http_trust_config trust = trust_ca();

	expect_body(&trust, &(struct http_request){ .method = "GET", .url = url(world.port, "/echo") }, 200,
		"GET auth= cookie= cert=no body=");
	expect_body(&trust, &(struct http_request){ .method = "PUT", .url = url(world.port, "/echo"), .headers = headers,
				    .body = "{}", .n_body = 2 }, 200, "PUT auth=Bearer x cookie=a=b cert=no body={}");
	expect_body(&trust, &(struct http_request){ .method = "POST", .url = url(world.port, "/echo") }, 200,
		"POST auth= cookie= cert=no body=");
	expect_body(&trust, &(struct http_request){ .method = "DELETE", .url = url(world.port, "/echo") }, 200,
		"DELETE auth= cookie= cert=no body=");
	expect_body(&trust, &(struct http_request){ .method = "GET", .url = url(world.port, "/none") }, 404, "nothing here");
	expect_body(&trust, &(struct http_request){ .method = "HEAD", .url = url(world.port, "/echo") }, 200, "");
}

static void http_answers_carry_headers_and_addresses(void **state)
{
	struct http_trust_config trust = trust_ca();
	struct http_result result;

	assert_int_equal(http_perform(&trust, &(struct http_request){ .method = "GET", .url = url(world.port, "/echo") }, &result),
		0);
	assert_string_equal(result.response.etag, "\"5.7\"");
	assert_string_equal(result.response.retry_after, "3");
	assert_string_equal(result.response.content_type, "text/plain");
	assert_null(result.response.location);
	assert_null(result.response.server_cert_pem);
	assert_string_equal(result.response.local_address, "127.0.0.1");
	assert_string_equal(result.response.remote_address, "127.0.0.1");
	http_result_done(&result);
}

static void http_trusts_its_ca_alone(void **state)
{
	struct http_trust_config trust = { .trust = HTTP_TRUST_CA, .ca_pem = world.other_ca_pem };
	struct http_trust_config system = { .trust = HTTP_TRUST_SYSTEM };
	char wrong_name[64];

	expect_error(&trust, &(struct http_request){ .method = "GET", .url = url(world.port, "/echo") }, -EKEYREJECTED, "TLS:");
	expect_error(&system, &(struct http_request){ .method = "GET", .url = url(world.port, "/echo") }, -EKEYREJECTED, "TLS:");
	trust = trust_ca(); // the right CA, but the name is not in the certificate
	(void)snprintf(wrong_name, sizeof(wrong_name), "https://localhost:%d/echo", world.port); // fits
	expect_error(&trust, &(struct http_request){ .method = "GET", .url = wrong_name }, -EKEYREJECTED, "TLS:");
	struct http_client *client = NULL;
	trust.ca_pem = NULL;
	sd_event *event = NULL;
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(http_client_new(event, &trust, &client), -EINVAL);
	sd_event_unref(event);
}

static void http_hello_sees_the_certificate_and_shows_none(void **state)
{
	struct http_trust_config trust = { .trust = HTTP_TRUST_NOTHING };
	struct cert_facts seen, expected;
	struct http_result result;

	for (int i = 0; i < 2; i++) { // the second time, too
		assert_int_equal(http_perform(&trust, &(struct http_request){ .method = "GET", .url = url(world.port, "/echo") },
					 &result), 0);
		assert_non_null(strstr(result.response.body, "cert=no"));
		assert_non_null(result.response.server_cert_pem);
		assert_int_equal(cert_facts_from_pem(result.response.server_cert_pem, &seen, NULL), 0);
		assert_int_equal(cert_facts_from_pem(world.server_pem, &expected, NULL), 0);
		assert_memory_equal(seen.sha256, expected.sha256, 32);
		cert_facts_done(&seen);
		cert_facts_done(&expected);
		http_result_done(&result);
	}
	trust.client_cert_pem = world.client_pem;
	trust.client_key_pem = world.client_key_pem;
	expect_error(&trust, &(struct http_request){ .method = "GET", .url = url(world.port, "/echo") }, -EINVAL, "cannot be started");
}

static void http_credentials_do_not_follow_to_another_host(void **state)
{
	const char *const headers[] = { "Authorization: Bearer x", "Cookie: a=b", "Accept: text/plain", NULL };
	struct http_trust_config trust = trust_ca_with_client_cert();
	struct http_request request = { .method = "GET", .url = url(world.port, "/home"), .headers = headers };

	expect_body(&trust, &request, 302, "moved");
	request.follow_redirects = true;
	expect_body(&trust, &request, 200, "GET auth=Bearer x cookie=a=b cert=yes body=");
	request.url = url(world.port, "/away");
	expect_body(&trust, &request, 200, "GET auth= cookie= cert=no body=");
	request.url = url(world.port, "/loop");
	expect_body(&trust, &request, 302, "moved");
	request.url = url(world.port, "/down"); // https to http
	expect_body(&trust, &request, 302, "moved");
	request.url = url(world.port, "/home");
	request.method = "POST";
	expect_body(&trust, &request, 302, "moved");
}

static void http_says_which_step_failed(void **state)
{
	struct http_trust_config trust = trust_ca();
	uint64_t start_usec;

	expect_error(&trust, &(struct http_request){ .method = "GET", .url = url(world.closed_port, "/") }, -ECONNREFUSED, "TCP:");
	expect_error(&trust, &(struct http_request){ .method = "GET", .url = "https://name.invalid/" }, -EHOSTUNREACH, "DNS:");
	expect_error(&trust, &(struct http_request){ .method = "GET", .url = "https://" }, -EINVAL, "URL");
	expect_error(&trust, &(struct http_request){ .method = "GET", .url = "http://127.0.0.1/" }, -EINVAL, "URL");
	expect_error(&trust, &(struct http_request){ .method = "GET", .url = "file:///etc/passwd" }, -EINVAL, "URL");
	expect_error(&trust, &(struct http_request){ .method = "GET", .url = url(world.plain_port, "/") }, -EKEYREJECTED, "TLS:");
	expect_error(&trust, &(struct http_request){ .method = "GET", .url = url(world.deaf_port, "/"),
				     .connect_timeout_usec = 400 * USEC_PER_MSEC }, -ETIMEDOUT, "TLS: no answer in time");
	expect_error(&trust, &(struct http_request){ .method = "GET", .url = url(world.port, "/half") }, -ECONNRESET, "HTTP:");
	start_usec = time_boot_usec();
	expect_error(&trust, &(struct http_request){ .method = "GET", .url = url(world.port, "/silent"),
				     .timeout_usec = 1400 * USEC_PER_MSEC }, -ETIMEDOUT, "HTTP: no answer in time, after 1 s");
	assert_true(time_boot_usec() - start_usec < 5 * USEC_PER_SEC);
}

static void http_plain_only_where_it_is_allowed(void **state)
{
	struct http_trust_config trust = { .trust = HTTP_TRUST_INSECURE_HOST_ALLOWED };
	char plain[64];

	(void)snprintf(plain, sizeof(plain), "http://127.0.0.1:%d/echo", world.plain_port); // fits
	expect_body(&trust, &(struct http_request){ .method = "GET", .url = plain }, 200, "GET auth= cookie= cert=no body=");
}

static void http_answers_keep_to_the_limit(void **state)
{
	struct http_trust_config trust = trust_ca();
	struct http_request request = { .method = "GET", .url = url(world.port, "/big"), .max_body_bytes = BIG_BYTES };
	struct http_result result;

	assert_int_equal(http_perform(&trust, &request, &result), 0);
	assert_int_equal(result.response.n_body, BIG_BYTES);
	http_result_done(&result);
	request.max_body_bytes--;
	expect_error(&trust, &request, -E2BIG, "299999");
}

static void expect_big(int fd)
{
	static char big[BIG_BYTES + 1];

	assert_int_equal(pread(fd, big, sizeof(big), 0), BIG_BYTES);
	for (size_t i = 0; i < BIG_BYTES; i++)
		assert_int_equal(big[i], 'a' + i % 23);
}

static void http_downloads_resume_where_they_stopped(void **state)
{
	struct http_trust_config trust = trust_ca();
	AUTO_CLOSE int fd = memfd_create("download", MFD_CLOEXEC);
	struct http_request request = { .method = "GET", .url = url(world.port, "/big"), .out_fd = fd };

	expect_body(&trust, &request, 200, "");
	expect_big(fd);
	for (int i = 0; i < 2; i++) { // a server with ranges, and one without
		assert_int_equal(ftruncate(fd, 123456), 0);
		assert_int_equal(lseek(fd, 0, SEEK_END), 123456);
		request.url = url(world.port, i ? "/big-whole" : "/big");
		request.resume_from = 123456;
		expect_body(&trust, &request, i ? 200 : 206, "");
		expect_big(fd);
	}
	assert_int_equal(ftruncate(fd, 123456), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 123456);
	request.url = url(world.port, "/big-wrong");
	expect_error(&trust, &request, -EBADMSG, "must go on at byte 123456");
	assert_int_equal(lseek(fd, 0, SEEK_END), 123456);
	request.url = url(world.port, "/stalled");
	request.resume_from = 0;
	request.timeout_usec = 20 * USEC_PER_SEC;
	request.stall_sec = 1;
	expect_error(&trust, &request, -ETIMEDOUT, "too slow");
	assert_int_equal(ftruncate(fd, 123456), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 123456);
	request.resume_from = 123456;
	request.url = url(world.port, "/none"); // an error page is no content
	expect_body(&trust, &request, 404, "nothing here");
	assert_int_equal(lseek(fd, 0, SEEK_END), 123456);
}

struct script { // what one of the tests below does in its callbacks
	sd_event *event;
	struct http_client *client;
	struct http_call *others[3];
	unsigned n_answers;
	int last_error;
	bool free_client;
};

static void count_answer(const struct http_response *response, void *user)
{
	struct script *script = user;

	script->n_answers++;
	script->last_error = response->error;
}

static void on_first_answer(const struct http_response *response, void *user)
{
	struct script *script = user;

	script->n_answers++;
	assert_int_equal(response->error, 0);
	if (script->free_client) {
		script->client = http_client_free(script->client);
	} else {
		for (size_t i = 0; i < N_ELEMENTS(script->others); i++)
			http_call_cancel(script->others[i]);
	}
	assert_int_equal(sd_event_exit(script->event, 0), 0);
}

static int cancel_in_progress(uint64_t n_done, uint64_t n_total, void *user)
{
	return n_done > 0 ? 1 : 0;
}

static int on_end(sd_event_source *source, uint64_t usec, void *user)
{
	return sd_event_exit(user, 0);
}

static void script_start(struct script *script)
{
	struct http_trust_config trust = trust_ca();

	assert_true(sd_event_new(&script->event) >= 0);
	assert_int_equal(http_client_new(script->event, &trust, &script->client), 0);
}

static void script_end(struct script *script)
{
	http_client_free(script->client);
	sd_event_unref(script->event);
}

static void http_callbacks_may_cancel_others_or_free_the_client(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct script script = { .free_client = i };
		script_start(&script);
		for (size_t j = 0; j < N_ELEMENTS(script.others); j++)
			assert_int_equal(http_call_start(script.client, &(struct http_request){ .method = "GET",
						 .url = url(world.port, "/silent") }, count_answer, &script, &script.others[j]), 0);
		assert_int_equal(http_call_start(script.client, &(struct http_request){ .method = "GET",
					 .url = url(world.port, "/echo") }, on_first_answer, &script, NULL), 0);
		assert_int_equal(script.n_answers, 0); // never from inside the start
		assert_int_equal(sd_event_loop(script.event), 0);
		assert_int_equal(script.n_answers, 1);
		script_end(&script);
	}
}

static void http_calls_run_side_by_side_and_end_once(void **state)
{
	struct script script = { 0 };

	script_start(&script);
	for (int i = 0; i < 12; i++)
		assert_int_equal(http_call_start(script.client, &(struct http_request){ .method = "GET",
					 .url = url(i % 2 ? world.port : world.other_port, i % 3 ? "/echo" : "/big") }, count_answer,
					 &script, NULL), 0);
	while (script.n_answers < 12)
		assert_true(sd_event_run(script.event, 10 * USEC_PER_SEC) > 0);
	assert_int_equal(script.last_error, 0);
	// A call that is cancelled before anything happened, and a client freed with a call under way: silence.
	struct http_call *call = NULL;
	assert_int_equal(http_call_start(script.client, &(struct http_request){ .method = "GET", .url = url(world.port, "/echo") },
				 count_answer, &script, &call), 0);
	http_call_cancel(call);
	http_call_cancel(NULL);
	assert_int_equal(http_call_start(script.client, &(struct http_request){ .method = "GET", .url = url(world.port, "/silent") },
				 count_answer, &script, &call), 0);
	assert_true(sd_event_add_time_relative(script.event, NULL, CLOCK_MONOTONIC, 300 * USEC_PER_MSEC, 1000, on_end,
			    script.event) >= 0);
	assert_int_equal(sd_event_loop(script.event), 0);
	script_end(&script);
	assert_int_equal(script.n_answers, 12);
}

static void http_progress_can_cancel(void **state)
{
	struct http_trust_config trust = trust_ca();

	expect_error(&trust, &(struct http_request){ .method = "GET", .url = url(world.port, "/big"),
				     .on_progress = cancel_in_progress }, -ECANCELED, "cancelled");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_requests_carry_method_body_and_headers),
		cmocka_unit_test(http_answers_carry_headers_and_addresses),
		cmocka_unit_test(http_trusts_its_ca_alone),
		cmocka_unit_test(http_hello_sees_the_certificate_and_shows_none),
		cmocka_unit_test(http_credentials_do_not_follow_to_another_host),
		cmocka_unit_test(http_says_which_step_failed),
		cmocka_unit_test(http_plain_only_where_it_is_allowed),
		cmocka_unit_test(http_answers_keep_to_the_limit),
		cmocka_unit_test(http_downloads_resume_where_they_stopped),
		cmocka_unit_test(http_callbacks_may_cancel_others_or_free_the_client),
		cmocka_unit_test(http_calls_run_side_by_side_and_end_once),
		cmocka_unit_test(http_progress_can_cancel),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
