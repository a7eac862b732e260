// A workload with a claim: counts up in a file of its volume, once a second, each number durable before it is said. After a
// power cut it goes on from there, or says that there was nothing: `count FILE`.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void on_end(int number)
{
	_exit(0);
}

static unsigned long number_in(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return 0;
	close(fd);
	return strtoul(text, NULL, 10);
}

static int number_write(const char *path, unsigned long number)
{
	char temp[4096], folder[4096];
	if (snprintf(temp, sizeof(temp), "%s.new", path) >= (int)sizeof(temp))
		return -1;
	strcpy(folder, path); // shorter than temp
	*strrchr(folder, '/') = '\0';
	int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int good = fd >= 0 && dir >= 0 && dprintf(fd, "%lu\n", number) > 0 && fsync(fd) == 0 && rename(temp, path) == 0 &&
		   fsync(dir) == 0;
	close(fd);
	close(dir);
	return good ? 0 : -1;
}

int main(int argc, char *argv[])
{
	if (argc != 2 || argv[1][0] != '/') {
		fprintf(stderr, "count: use count /FOLDER/FILE\n");
		return 2;
	}
	signal(SIGTERM, on_end);
	unsigned long number = number_in(argv[1]);
	printf("count: begins at %lu\n", number);
	for (;;) {
		if (number_write(argv[1], ++number) < 0) {
			perror(argv[1]);
			return 1;
		}
		if (number % 10 == 1)
			printf("count: %lu\n", number);
		fflush(stdout);
		sleep(1);
	}
}
