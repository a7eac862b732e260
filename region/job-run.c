// SPDX-License-Identifier: Apache-2.0
#include "region/job-run.h"

#include "region/enrol.h"
#include "region/mesh-leave.h"
#include "region/rotation.h"

#include <errno.h>

int job_make(struct region *region, const char *kind, const struct node *node,
	char ret_id[static ID_TEXT])
{
	struct job job = { .was_server = node->is_server, .created_sec = region_now_sec(region) };
	id_generate("j-", job.id);
	(void)snprintf(job.kind, sizeof(job.kind), "%s", kind);
	(void)snprintf(job.node, sizeof(job.node), "%s", node->name);
	(void)snprintf(job.node_id, sizeof(job.node_id), "%s", node->id);
	(void)snprintf(ret_id, ID_TEXT, "%s", job.id);
	return store_job_put(region->store, &job);
}

// What waited for it goes on.
static int job_end(struct region *region, const struct job *job)
{
	int r = mesh_leave_job(region, job);
	return r < 0 ? r : store_job_remove(region->store, job->id);
}

int jobs_forget(struct region *region, const char *node_id)
{
	struct job **jobs;
	size_t n;
	int r = store_job_list(region->store, &jobs, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++)
		if (!node_id || (str_equal(jobs[i]->node_id, node_id) &&
					!str_equal(jobs[i]->kind, JOB_FORGET_NODE)))
			r = job_end(region, jobs[i]);
	job_list_free(jobs, n);
	return r;
}

static int place_job(struct region *region, const struct membership *membership, struct job *job,
	bool *ret_changed)
{
	if (job->state == JOB_FAILED)
		return 0;
	size_t present = membership_server(membership, job->server),
	       place = job_place(job, membership->servers, membership->n_servers, present);
	const char *id = place == SIZE_MAX ? "" : membership->nodes[place]->id;
	if (str_equal(id, job->server))
		return 0;
	if (job->server[0] && place != SIZE_MAX)
		region_audit(region, "rules", "job moved", job->node, "%s: %s, to %s", job->id,
			job->kind, membership->nodes[place]->name);
	(void)snprintf(job->server, sizeof(job->server), "%s", id);
	job->state = JOB_WAITING;
	str_set(&job->sentence, NULL);
	*ret_changed = true;
	return store_job_put(region->store, job);
}

static int take_job(struct region *region, const struct node *node, struct job *job,
	const struct member_report *report, bool *ret_changed, bool *ret_rotated)
{
	const char *state, *sentence;
	if (job->state == JOB_FAILED || !str_equal(job->server, node->id) ||
		!member_report_job(report, job->id, &state, &sentence))
		return 0;
	if (str_equal(state, "done")) {
		region_audit(
			region, node->name, "job done", job->node, "%s: %s%s%s", job->id, job->kind,
			*sentence ? ": " : "", sentence);
		*ret_changed = true;
		*ret_rotated |= str_equal(job->kind, JOB_ROTATE_TOKEN);
		return job_end(region, job);
	}
	int64_t now = str_equal(state, "failed") ? JOB_FAILED : JOB_RUNNING;
	if (now == job->state && str_equal(job->sentence ? job->sentence : "", sentence))
		return 0;
	if (now == JOB_FAILED) {
		region_audit(region, node->name, "job failed", job->node, "%s: %s: %s", job->id,
			job->kind, sentence);
		*ret_changed = true;
	}
	job->state = now;
	str_set(&job->sentence, sentence);
	return store_job_put(region->store, job);
}

int jobs_take(struct region *region, const struct node *node, const struct member_report *report,
	bool *ret_changed)
{
	struct job **jobs;
	size_t n;
	bool rotated = false;
	int r = node->is_server && report->jobs ? store_job_list(region->store, &jobs, &n) : 1;
	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = take_job(region, node, jobs[i], report, ret_changed, &rotated);
	job_list_free(jobs, n);
	return r >= 0 && rotated ? rotation_taken(region, node) : r;
}

int jobs_place(struct region *region, const struct membership *membership, bool *ret_changed)
{
	int r = 0;
	for (size_t i = 0; i < membership->n_jobs && r >= 0; i++)
		r = place_job(region, membership, membership->jobs[i], ret_changed);
	return r;
}

int job_retry(struct region *region, const char *actor, const char *id, char ret_id[static ID_TEXT],
	struct diag *reterr)
{
	CLEANUP(job_freep) struct job *job = NULL;
	int r = store_job_get(region->store, id, &job);
	if (r == -ENOENT)
		return diag_set(reterr, r, id, "is no job; a job that was done is forgotten");
	if (r < 0)
		return r;
	if (job->state != JOB_FAILED)
		return diag_set(reterr, -EALREADY, id, "is %s; only a failed job is done again",
			job_state_name(job->state));
	if ((r = store_job_remove(region->store, id)) < 0)
		return r;
	id_generate("j-", job->id);
	job->state = JOB_WAITING;
	job->server[0] = '\0';
	str_set(&job->sentence, NULL);
	(void)snprintf(ret_id, ID_TEXT, "%s", job->id);
	if ((r = store_job_put(region->store, job)) < 0)
		return r;
	region_audit(region, actor, "job retry", job->node, "%s is %s now", id, job->id);
	region_wake(region, "cluster");
	return membership_step(region);
}

int job_drop(struct region *region, const char *actor, const char *id, struct diag *reterr)
{
	CLEANUP(job_freep) struct job *job = NULL;
	int r = store_job_get(region->store, id, &job);
	if (r == -ENOENT)
		return diag_set(reterr, r, id, "is no job; a job that was done is forgotten");
	if (r < 0 || (r = job_end(region, job)) < 0)
		return r;
	region_audit(region, actor, "job dropped", job->node, "%s: %s, %s", id, job->kind,
		job_state_name(job->state));
	region_wake(region, "cluster");
	return membership_step(region);
}
