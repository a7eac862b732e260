// SPDX-License-Identifier: Apache-2.0
#include "region/job.h"

static bool may_do(const struct job *job, const struct admission_server *server)
{
	return server->ready && !server->silent && !str_equal(server->name, job->node);
}

static bool is_own_work(const struct job *job)
{
	return str_equal(job->kind, JOB_ETCD_SNAPSHOT) || str_equal(job->kind, JOB_ROTATE_TOKEN);
}

static size_t own_place(
	const struct job *job, const struct admission_server *servers, size_t n_servers)
{
	for (size_t i = 0; i < n_servers; i++)
		if (str_equal(servers[i].name, job->node) && servers[i].ready && !servers[i].silent)
			return i;
	return SIZE_MAX;
}

size_t job_place(const struct job *job, const struct admission_server *servers, size_t n_servers,
	size_t present)
{
	if (is_own_work(job))
		return own_place(job, servers, n_servers);
	if (present < n_servers && may_do(job, &servers[present]))
		return present;
	for (size_t i = 0; i < n_servers; i++)
		if (may_do(job, &servers[i]) && servers[i].voter)
			return i;
	for (size_t i = 0; i < n_servers; i++)
		if (may_do(job, &servers[i]))
			return i;
	for (size_t i = 0; str_equal(job->kind, JOB_UNCORDON) && i < n_servers; i++)
		if (servers[i].ready && !servers[i].silent)
			return i;
	return SIZE_MAX;
}

const char *job_state_name(int64_t state)
{
	static const char *const names[] = { "waiting", "running", "failed" };
	return state >= 0 && (size_t)state < N_ELEMENTS(names) ? names[state] : "unknown";
}
