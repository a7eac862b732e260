// SPDX-License-Identifier: Apache-2.0
#include "image/hearth-init/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *read_file(const char *path, size_t max, size_t *ret_n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = fd < 0 ? NULL : malloc(max + 1);
	size_t n = 0;

	while (text && n < max) {
		ssize_t got = read(fd, text + n, max - n);
		if (got < 0) {
			free(text);
			text = NULL;
		}
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	if (fd >= 0)
		close(fd);
	if (text) {
		text[n] = '\0';
		if (ret_n)
			*ret_n = n;
	}
	return text;
}

void read_line(const char *path, char *ret, size_t size)
{
	char *text = read_file(path, size - 1, NULL);

	snprintf(ret, size, "%s", text ? text : "");
	ret[strcspn(ret, "\n")] = '\0';
	for (char *c = ret; *c; c++)
		if ((unsigned char)*c < ' ' || *c == '"' || *c == '\\' || (unsigned char)*c > '~')
			*c = '?';
	free(text);
}

int write_file(const char *path, const void *bytes, size_t n, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	int rc = 0;

	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < n && rc == 0;) {
		ssize_t put = write(fd, (const char *)bytes + done, n - done);
		if (put < 0)
			rc = -errno;
		else
			done += (size_t)put;
	}
	close(fd);
	return rc;
}
