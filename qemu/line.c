// SPDX-License-Identifier: Apache-2.0
#include "qemu/line.h"

#include "base/time.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

void line_reader_done(struct line_reader *reader)
{
	free(reader->bytes);
	*reader = (struct line_reader){.fd = -1};
}

static int wait_for(int fd, short events, uint64_t deadline_usec)
{
	uint64_t now_usec = time_boot_usec();
	if (now_usec >= deadline_usec)
		return -ETIMEDOUT;
	uint64_t left_msec = (deadline_usec - now_usec) / USEC_PER_MSEC + 1;
	struct pollfd pollfd = {.fd = fd, .events = events};
	int n = poll(&pollfd, 1, left_msec > 60000 ? 60000 : (int)left_msec);
	if (n < 0 && errno != EINTR)
		return -errno;
	return n > 0 ? 1 : 0;
}

static int fill(struct line_reader *reader)
{
	if (reader->n_alloc - reader->n < 4096) {
		size_t n_alloc = reader->n_alloc ? 2 * reader->n_alloc : 16384;
		char *bytes = realloc(reader->bytes, n_alloc);
		if (!bytes)
			return -ENOMEM;
		reader->bytes = bytes;
		reader->n_alloc = n_alloc;
	}
	ssize_t n = read(reader->fd, reader->bytes + reader->n, reader->n_alloc - reader->n - 1);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	reader->n += (size_t)n;
	return 0;
}

int line_read(struct line_reader *reader, uint64_t deadline_usec, char **ret_line, size_t *ret_n)
{
	if (reader->n_taken > 0) {
		memmove(reader->bytes, reader->bytes + reader->n_taken, reader->n - reader->n_taken);
		reader->n -= reader->n_taken;
		reader->n_taken = 0;
	}
	for (size_t n_seen = 0;;) {
		char *newline = reader->n > n_seen ? memchr(reader->bytes + n_seen, '\n', reader->n - n_seen) : NULL;
		if (newline) {
			*newline = '\0';
			*ret_line = reader->bytes;
			*ret_n = (size_t)(newline - reader->bytes);
			reader->n_taken = *ret_n + 1;
			return 0;
		}
		n_seen = reader->n;
		if (reader->n > reader->max_bytes) {
			reader->n = 0;
			return -E2BIG;
		}
		int r = wait_for(reader->fd, POLLIN, deadline_usec);
		if (r > 0)
			r = fill(reader);
		if (r < 0)
			return r;
	}
}

int line_write(int fd, const char *bytes, size_t n, uint64_t deadline_usec)
{
	while (n > 0) {
		int r = wait_for(fd, POLLOUT, deadline_usec);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		ssize_t n_done = write(fd, bytes, n);
		if (n_done < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return -errno;
		}
		bytes += n_done;
		n -= (size_t)n_done;
	}
	return 0;
}

int unix_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return TAKE_FD(fd);
}
