// What the bench of netconf measures inside its guest: a command's time and memory, and a resident process that changes one
// of many WireGuard peers. One line of numbers each, for netconf-guest.py.
// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"
#include "netconf/netconf.h"

#include <errno.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

enum { MAX_ROUNDS = 64 };

static int usage(void)
{
	(void)fputs("usage: bench-netconf run CMD... | delta LINK PEERS ROUNDS\n", stderr);
	return 2;
}

static int failed(const char *what, int error, const struct diag *diag)
{
	(void)fprintf(stderr, "bench-netconf: %s: %s\n", what, diag && diag->message[0] ? diag_text(diag) : strerror(-error));
	return 1;
}

// "MICROSECONDS KIB" of @command from its start to its end. This process is small: its own memory does not hide the child's.
static int run(char *command[])
{
	struct rusage used;
	pid_t child;
	int status;
	uint64_t start_usec = time_boot_usec();
	int error = posix_spawnp(&child, command[0], NULL, NULL, command, environ);
	if (error)
		return failed(command[0], -error, NULL);
	if (wait4(child, &status, 0, &used) < 0)
		return failed("wait4", -errno, NULL);
	printf("%llu %ld\n", (unsigned long long)(time_boot_usec() - start_usec), used.ru_maxrss);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

struct peers {
	struct netconf_peer *peers;
	size_t n;
};

// Lines of KEY ENDPOINT ALLOWED.
static int load(const char *path, struct peers *ret)
{
	char key[64], endpoint[64], allowed[64];
	FILE *file = fopen(path, "re");
	ret->peers = calloc(NETCONF_MAX_PEERS, sizeof(*ret->peers));
	if (!file || !ret->peers)
		return -errno;
	while (ret->n < NETCONF_MAX_PEERS && fscanf(file, "%63s %63s %63s", key, endpoint, allowed) == 3) {
		const char **list = calloc(1, sizeof(*list));
		if (!list)
			abort();
		list[0] = strdup(allowed);
		ret->peers[ret->n++] = (struct netconf_peer){.public_key = strdup(key), .endpoint = strdup(endpoint),
			.allowed_ips = list, .n_allowed_ips = 1};
	}
	(void)fclose(file); // read only
	return 0;
}

static int compare_usec(const void *a, const void *b)
{
	const uint64_t *one = a, *other = b;
	return (*one > *other) - (*one < *other);
}

/* All peers of @path are set on @link, then one at a time gets another endpoint: "MICROSECONDS" of the median round. The
 * first peer of the file ends at port 2000 + @n_rounds - 1, for the caller to look at. */
static int delta(const char *link, const char *path, unsigned n_rounds)
{
	struct peers all = {0};
	struct diag diag = {0};
	uint64_t usec[MAX_ROUNDS];
	int error = load(path, &all);
	if (error < 0 || all.n == 0)
		return failed(path, error < 0 ? error : -EINVAL, NULL);
	error = netconf_set_peers(link, all.peers, all.n, &diag);
	if (error < 0)
		return failed("all peers", error, &diag);
	for (unsigned i = 0; i < n_rounds; i++) {
		char endpoint[32];
		struct netconf_peer_change change = {.peer = all.peers[0], .what = NETCONF_PEER_ENDPOINT};
		(void)snprintf(endpoint, sizeof(endpoint), "10.99.0.1:%u", 2000 + i);
		change.peer.endpoint = endpoint;
		uint64_t start_usec = time_boot_usec();
		error = netconf_change_peers(link, &change, 1, &diag);
		usec[i] = time_boot_usec() - start_usec;
		if (error < 0)
			return failed("one peer", error, &diag);
	}
	qsort(usec, n_rounds, sizeof(*usec), compare_usec);
	printf("%llu\n", (unsigned long long)usec[n_rounds / 2]);
	return 0;
}

int main(int argc, char *argv[])
{
	if (argc >= 3 && str_equal(argv[1], "run"))
		return run(argv + 2);
	if (argc != 5 || !str_equal(argv[1], "delta"))
		return usage();
	int n_rounds = atoi(argv[4]);
	return n_rounds < 1 || n_rounds > MAX_ROUNDS ? usage() : delta(argv[2], argv[3], (unsigned)n_rounds);
}
