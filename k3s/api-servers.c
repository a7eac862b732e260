// SPDX-License-Identifier: Apache-2.0
#include "k3s/api-servers.h"

// more of them change nothing: the wait has its longest
enum { MAX_FAILURES = API_PROBE_FAILURES + API_PROBE_MAX_SEC / API_PROBE_SEC - 1 };

static int find_address(const struct api_servers *servers, const char *address)
{
	for (size_t i = 0; address && i < servers->n; i++)
		if (str_equal(servers->servers[i].address, address))
			return (int)i;
	return API_SERVERS_NONE;
}

// Workers spread over the servers by their names: all of them on the first would be one server's load.
static int first_target(const struct api_servers *servers, const char *self)
{
	unsigned mark = 5381;

	if (servers->n == 0)
		return API_SERVERS_NONE;
	for (const char *c = self; *c; c++)
		mark = mark * 33 + (unsigned char)*c;
	return (int)(mark % servers->n);
}

void api_servers_set(struct api_servers *servers, const struct api_servers_member *members, size_t n, const char *self,
	const char *remembered)
{
	struct api_servers old = *servers;
	const struct api_server *target = old.n ? api_servers_target(&old) : NULL;

	memset(servers, 0, sizeof(*servers));
	servers->own = servers->target = API_SERVERS_NONE;
	for (size_t i = 0; i < n && servers->n < API_SERVERS_MAX; i++) {
		struct api_server *server = &servers->servers[servers->n++];
		int known = find_address(&old, members[i].address);

		if (known >= 0)
			*server = old.servers[known];
		snprintf(server->name, sizeof(server->name), "%s", members[i].name);
		snprintf(server->address, sizeof(server->address), "%s", members[i].address);
		if (str_equal(members[i].name, self))
			servers->own = (int)i;
	}
	servers->target = find_address(servers, target ? target->address : remembered);
	if (servers->target < 0)
		servers->target = servers->own >= 0 ? servers->own : first_target(servers, self);
}

const struct api_server *api_servers_target(const struct api_servers *servers)
{
	return servers->n && servers->target >= 0 ? &servers->servers[servers->target] : NULL;
}

// The next ready one behind the target, so that those who leave a dead server do not all go to the first of the list.
static int next_ready(const struct api_servers *servers)
{
	for (size_t i = 1; i <= servers->n; i++) {
		size_t at = ((size_t)servers->target + i) % servers->n;

		if (servers->servers[at].ready)
			return (int)at;
	}
	return servers->target;
}

bool api_servers_answer(struct api_servers *servers, size_t at, bool ready)
{
	int before = servers->target;
	struct api_server *server;

	if (at >= servers->n || before < 0)
		return false;
	server = &servers->servers[at];
	server->n_failures = ready ? 0 : server->n_failures < MAX_FAILURES ? server->n_failures + 1 : MAX_FAILURES;
	server->ready = ready || (server->ready && server->n_failures < API_PROBE_FAILURES);
	if (servers->own >= 0 && servers->servers[servers->own].ready)
		servers->target = servers->own;
	else if (servers->servers[before].n_failures >= API_PROBE_FAILURES)
		servers->target = next_ready(servers);
	return servers->target != before;
}

bool api_servers_wants(const struct api_servers *servers, size_t at)
{
	const struct api_server *target = api_servers_target(servers);

	if (!target || at >= servers->n || servers->n == 1) // of one server nothing is to be chosen
		return false;
	return (int)at == servers->own || (int)at == servers->target || target->n_failures > 0;
}

// The target fails, and nobody is better: else it would be another one.
static bool is_nobody_ready(const struct api_servers *servers)
{
	const struct api_server *target = api_servers_target(servers);

	return target && target->n_failures >= API_PROBE_FAILURES;
}

unsigned api_servers_wait_sec(const struct api_servers *servers)
{
	const struct api_server *target = api_servers_target(servers);

	if (is_nobody_ready(servers))
		return (target->n_failures - API_PROBE_FAILURES + 1) * API_PROBE_SEC;
	return target && target->n_failures > 0 ? API_PROBE_AGAIN_SEC : API_PROBE_SEC;
}

unsigned api_servers_timeout_sec(const struct api_servers *servers)
{
	return is_nobody_ready(servers) ? API_PROBE_PATIENT_SEC : API_PROBE_TIMEOUT_SEC;
}
