// A node that left the mesh has a removal on record; one that waits has none yet.
// SPDX-License-Identifier: Apache-2.0
#include "region/mesh-leave.h"

#include "region/job.h"

#include <errno.h>

bool mesh_leave_waits(const struct job *job, bool over_lan, int64_t now_sec)
{
	return str_equal(job->kind, JOB_FORGET_NODE) && job->was_server && !over_lan &&
	       now_sec - job->created_sec < MESH_LEAVE_SEC;
}

// The key is still in the mesh as that of @node: no removal is on record, nobody else has it.
static int is_in_mesh(struct region *region, const struct node *node, bool *ret)
{
	struct node **holders;
	size_t n;
	bool removed;
	int r = store_removal_has(region->store, node->wg_public, &removed);
	*ret = false;
	if (r < 0 || removed || node->state != NODE_REVOKED)
		return r;
	if ((r = store_node_list_wg(region->store, node->wg_public, &holders, &n)) < 0)
		return r;
	node_list_free(holders, n);
	*ret = n == 0;
	return 0;
}

static int leave_now(struct region *region, const struct node *node)
{
	bool in_mesh;
	int r = is_in_mesh(region, node, &in_mesh);
	return r < 0 || !in_mesh ? r : region_mesh_remove(region, node->wg_public);
}

/* The server that a job forget-node speaks of. 0 with *ret NULL: it is another job, a worker's, or
 * the record is gone. */
static int leaver_of(struct region *region, const struct job *job, struct node **ret)
{
	*ret = NULL;
	if (!str_equal(job->kind, JOB_FORGET_NODE) || !job->was_server)
		return 0;
	int r = store_node_by_id(region->store, job->node_id, ret);
	return r == -ENOENT ? 0 : r;
}

int mesh_leave_job(struct region *region, const struct job *job)
{
	CLEANUP(node_freep) struct node *node = NULL;
	int r = leaver_of(region, job, &node);
	return r < 0 || !node ? r : leave_now(region, node);
}

int mesh_leave(struct region *region, const struct node *node)
{
	struct job **jobs;
	size_t n;
	bool waits = false;
	int r = store_job_list(region->store, &jobs, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		waits |=
			str_equal(jobs[i]->node_id, node->id) &&
			mesh_leave_waits(jobs[i], region->config->over_lan, region_now_sec(region));
	job_list_free(jobs, n);
	return waits ? 0 : region_mesh_remove(region, node->wg_public);
}

int mesh_leaving_list(struct region *region, struct node ***ret, size_t *ret_n)
{
	struct job **jobs;
	size_t n;
	int r = store_job_list(region->store, &jobs, &n);
	if (r < 0)
		return r;
	*ret_n = 0;
	if (!(*ret = calloc(n + 1, sizeof(**ret))))
		r = -ENOMEM;
	for (size_t i = 0; i < n && r >= 0; i++) {
		CLEANUP(node_freep) struct node *node = NULL;
		bool in_mesh = false;
		r = leaver_of(region, jobs[i], &node);
		if (r >= 0 && node)
			r = is_in_mesh(region, node, &in_mesh);
		if (in_mesh)
			(*ret)[(*ret_n)++] = TAKE_PTR(node);
	}
	job_list_free(jobs, n);
	if (r < 0 && *ret)
		node_list_free(*ret, *ret_n);
	return r;
}

int mesh_leave_place(struct region *region, int64_t number)
{
	struct node **nodes;
	size_t n;
	int r = mesh_leaving_list(region, &nodes, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++)
		if (nodes[i]->number == number)
			r = leave_now(region, nodes[i]);
	node_list_free(nodes, n);
	return r;
}

int mesh_leave_step(struct region *region)
{
	struct job **jobs;
	size_t n;
	int r = store_job_list(region->store, &jobs, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++)
		if (!mesh_leave_waits(jobs[i], region->config->over_lan, region_now_sec(region)))
			r = mesh_leave_job(region, jobs[i]);
	job_list_free(jobs, n);
	return r;
}
