// SPDX-License-Identifier: Apache-2.0
#include "agent/mesh-path.h"
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

enum { DISCARD_PORT = 9, UDP_HEADER = 8, IPV4_HEADER = 20, IPV6_HEADER = 40, MAX_BYTES = 65535 };

static int connect_to(int fd, const char *address, int family)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(DISCARD_PORT) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(DISCARD_PORT) };
	if (inet_pton(family, address, family == AF_INET ? (void *)&v4.sin_addr : &v6.sin6_addr) != 1)
		return -EINVAL;
	int r = family == AF_INET ? connect(fd, (struct sockaddr *)&v4, sizeof(v4)) : connect(fd, (struct sockaddr *)&v6, sizeof(v6));
	return r < 0 ? -errno : 0;
}

int mesh_path_open(const char *address, const char *link, int *ret_fd)
{
	int family = strchr(address, ':') ? AF_INET6 : AF_INET, discover = family == AF_INET ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE;
	int fd AUTO_CLOSE = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	// Not fragmented, and whatever the kernel believes of the path: that is asked.
	int r = family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover))
				  : setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &discover, sizeof(discover));
	if (r < 0 || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, link, (socklen_t)strlen(link)) < 0)
		return -errno;
	if ((r = connect_to(fd, address, family)) < 0)
		return r;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int mesh_path_send(int fd, unsigned size)
{
	static const uint8_t zeros[MAX_BYTES];
	int family = AF_INET;
	socklen_t n = sizeof(family);
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &n) < 0)
		return -errno;
	unsigned headers = UDP_HEADER + (family == AF_INET ? IPV4_HEADER : IPV6_HEADER);
	if (size < headers || size > MAX_BYTES)
		return -EINVAL;
	return send(fd, zeros, size - headers, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int mesh_path_heard(int fd)
{
	uint8_t byte;
	if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) >= 0)
		return 1; // somebody listens there: it came all the same
	return errno == ECONNREFUSED ? 1 : errno == EAGAIN || errno == EINTR ? 0 : -errno;
}
