// The demo's workload: a web server that says who it is, and a client to ask another one (`web get ADDRESS PORT`), so
// that a pod can be asked to reach a pod. Static, alone in its container image, no root needed.
// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { PORT = 8080, ANSWER_MAX = 4096 };

static const char *variable(const char *name)
{
	const char *text = getenv(name);
	return text ? text : "?";
}

static void answer(int fd)
{
	char request[ANSWER_MAX], body[1024], head[256];
	if (read(fd, request, sizeof(request)) <= 0)
		return;
	int n_body = snprintf(body, sizeof(body), "hearth is warm: %s on %s, for %s\n", variable("POD_NAME"),
		variable("NODE_NAME"), variable("SOVEREIGN_FQDN"));
	int n_head = snprintf(head, sizeof(head),
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", n_body);
	if (write(fd, head, (size_t)n_head) != n_head || write(fd, body, (size_t)n_body) != n_body)
		fprintf(stderr, "web: an answer was cut short: %m\n");
}

static int serve(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
		bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 16) < 0) {
		perror("web: cannot listen");
		return 1;
	}
	printf("web: serving on port %d\n", PORT);
	fflush(stdout);
	for (;;) {
		struct timeval patience = {.tv_sec = 5};
		int client_fd = accept(fd, NULL, NULL);
		if (client_fd < 0)
			continue;
		(void)setsockopt(client_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		answer(client_fd);
		close(client_fd);
	}
}

static int get(const char *ip, const char *port)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	struct timeval patience = {.tv_sec = 10};
	char text[ANSWER_MAX + 1];
	size_t n = 0;
	ssize_t n_read;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || inet_pton(AF_INET, ip, &address.sin_addr) != 1) {
		fprintf(stderr, "web: %s is no IPv4 address\n", ip);
		return 2;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		write(fd, request, sizeof(request) - 1) != (ssize_t)(sizeof(request) - 1)) {
		perror("web: cannot be reached");
		return 1;
	}
	while (n < ANSWER_MAX && (n_read = read(fd, text + n, ANSWER_MAX - n)) > 0)
		n += (size_t)n_read;
	text[n] = '\0';
	const char *body = strstr(text, "\r\n\r\n");
	if (!body) {
		fprintf(stderr, "web: no answer came\n");
		return 1;
	}
	fputs(body + 4, stdout);
	return 0;
}

int main(int argc, char *argv[])
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 4 && strcmp(argv[1], "get") == 0)
		return get(argv[2], argv[3]);
	if (argc != 1) {
		fprintf(stderr, "web: use web, or web get ADDRESS PORT\n");
		return 2;
	}
	return serve();
}
