// The demo's workload: a web server that says which pod on which node answers. NODE_NAME and POD_NAME come from the
// downward API, MESSAGE from a ConfigMap of the bootstrap. One connection at a time: it only has to be reached.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { PORT = 8080, MAX_REQUEST = 4096 };

static void on_end(int number)
{
	(void)number;
	_exit(0);
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any };
	int yes = 1, no = 0;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0) { // a kernel without IPv6
		struct sockaddr_in old = { .sin_family = AF_INET, .sin_port = htons(port) };

		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
			bind(fd, (struct sockaddr *)&old, sizeof(old)) < 0 || listen(fd, 64) < 0)
			return -errno;
		return fd;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) < 0 ||
		bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 64) < 0)
		return -errno;
	return fd;
}

// Reads until the request's head is whole; what follows the head is not for us.
static int read_head(int fd, char *head, size_t size)
{
	size_t used = 0;

	while (used < size - 1) {
		ssize_t n = recv(fd, head + used, size - 1 - used, 0);

		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		used += (size_t)n;
		head[used] = '\0';
		if (strstr(head, "\r\n\r\n") || strstr(head, "\n\n"))
			return 0;
	}
	return -EMSGSIZE;
}

static void answer(int fd)
{
	char head[MAX_REQUEST], body[1024], whole[1280];
	const char *status = "200 OK";
	int n;

	if (read_head(fd, head, sizeof(head)) < 0)
		return;
	if (strncmp(head, "GET ", 4) != 0 && strncmp(head, "HEAD ", 5) != 0)
		status = "405 Method Not Allowed";
	snprintf(body, sizeof(body), "node %s\npod %s\n%s\n", environment("NODE_NAME"), environment("POD_NAME"),
		environment("MESSAGE"));
	n = snprintf(whole, sizeof(whole),
		"HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
		status, strlen(body), head[0] == 'H' ? "" : body);
	for (int sent = 0; sent < n;) {
		ssize_t more = send(fd, whole + sent, (size_t)(n - sent), MSG_NOSIGNAL);

		if (more < 0)
			return;
		sent += (int)more;
	}
	shutdown(fd, SHUT_WR);
}

int main(void)
{
	struct sigaction end = { .sa_handler = on_end };
	struct timeval patience = { .tv_sec = 5 };
	int fd = listen_on(PORT);

	if (fd < 0) {
		fprintf(stderr, "web: listening on port %d: %s\n", PORT, strerror(-fd));
		return 1;
	}
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	for (;;) {
		int peer = accept(fd, NULL, NULL);

		if (peer < 0)
			continue; // that caller is gone; the next one is not
		setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		answer(peer);
		close(peer);
	}
}
