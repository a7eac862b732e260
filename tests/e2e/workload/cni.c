// A CNI that comes the way Cilium does: a pod of stage 20-cni writes the network configuration of its host. It writes
// $CONFLIST to the file it is given, whole or not at all, and stays.
// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void on_end(int number)
{
	_exit(0);
}

int main(int argc, char *argv[])
{
	const char *text = getenv("CONFLIST");
	char temp[4096];

	if (argc != 2 || !text) {
		fprintf(stderr, "cni: use cni FILE with $CONFLIST set\n");
		return 2;
	}
	if (snprintf(temp, sizeof(temp), "%s.new", argv[1]) >= (int)sizeof(temp))
		return 2;
	FILE *f = fopen(temp, "w");
	if (!f || fputs(text, f) < 0 || fflush(f) != 0 || fsync(fileno(f)) < 0 || fclose(f) != 0 || rename(temp, argv[1]) < 0) {
		perror(argv[1]);
		return 1;
	}
	printf("cni: %s written\n", argv[1]);
	fflush(stdout);
	signal(SIGTERM, on_end);
	for (;;)
		pause();
}
