// SPDX-License-Identifier: Apache-2.0
#include "region/job.h"

static bool may_do(const struct job *job, const struct admission_server *server)
{
	return server->ready && !server->silent && !str_equal(server->name, job->node);
}

size_t job_place(const struct job *job, const struct admission_server *servers, size_t n_servers,
	size_t present)
{
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
