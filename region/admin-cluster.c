// Administrators and the cluster's life: jobs and the rollout. Also what `list` and `show` say of
// them. SPDX-License-Identifier: Apache-2.0
#include "region/admin.h"

#include "region/job-run.h"
#include "region/membership.h"
#include "region/restore-run.h"
#include "region/rollout-run.h"
#include "region/rotation.h"

#include <errno.h>

static void put_name(const struct admin_request *request, const char *key, const char *node_id)
{
	CLEANUP(node_freep) struct node *node = NULL;
	bool found = node_id[0] && store_node_by_id(request->region->store, node_id, &node) >= 0;
	json_out_member(request->out, key, found ? node->name : NULL);
}

static int put_jobs(const struct admin_request *request)
{
	struct job **jobs;
	size_t n;
	int r = store_job_list(request->region->store, &jobs, &n);
	if (r < 0)
		return r;
	json_out_key(request->out, "jobs");
	json_out_array_begin(request->out);
	for (size_t i = 0; i < n; i++) {
		json_out_object_begin(request->out);
		json_out_member(request->out, "id", jobs[i]->id);
		json_out_member(request->out, "kind", jobs[i]->kind);
		json_out_member(request->out, "node", jobs[i]->node);
		put_name(request, "server", jobs[i]->server);
		json_out_member(request->out, "state", job_state_name(jobs[i]->state));
		json_out_member(request->out, "sentence",
			jobs[i]->sentence    ? jobs[i]->sentence
			: jobs[i]->server[0] ? ""
					     : "no server is Ready to do it; bring one back");
		json_out_member_int(request->out, "createdSec", jobs[i]->created_sec);
		json_out_object_end(request->out);
	}
	json_out_array_end(request->out);
	job_list_free(jobs, n);
	return 0;
}

static int put_rollout(const struct admin_request *request)
{
	CLEANUP(rollout_freep) struct rollout *rollout = NULL;
	size_t n_older = 0;
	int r = store_rollout_get(request->region->store, request->region->config->name, &rollout);
	if (r < 0 && r != -ENOENT)
		return r;
	if ((r = rollout_count_older(request->region, &n_older)) < 0)
		return r;
	json_out_member_int(request->out, "nOlderSettings", (int64_t)n_older);
	json_out_key(request->out, "rollout");
	if (!rollout) {
		json_out_null(request->out);
		return 0;
	}
	json_out_object_begin(request->out);
	json_out_member(request->out, "state", rollout_state_name(rollout->state));
	json_out_member(request->out, "step", rollout_step_name(rollout->step));
	put_name(request, "node", rollout->node);
	json_out_member(request->out, "sentence", rollout->sentence);
	json_out_member_int(request->out, "restart", rollout->restart);
	json_out_member_int(request->out, "nDone", rollout->n_done);
	json_out_member_int(request->out, "startedSec", rollout->started_sec);
	json_out_member_int(request->out, "timeoutSec", rollout->timeout_sec);
	json_out_member(request->out, "actor", rollout->actor);
	json_out_object_end(request->out);
	return 0;
}

static int put_restore(const struct admin_request *request)
{
	CLEANUP(restore_freep) struct restore *restore = NULL;
	int r = restore_load(request->region, &restore);
	if (r < 0 && r != -ENOENT)
		return r;
	json_out_key(request->out, "restore");
	if (!restore) {
		json_out_null(request->out);
		return 0;
	}
	json_out_object_begin(request->out);
	json_out_member_int(request->out, "n", restore->n);
	json_out_member(request->out, "state", restore_state_name(restore->state));
	put_name(request, "node", restore->node);
	json_out_member(request->out, "snapshot", restore->snapshot);
	json_out_member(request->out, "sentence", restore->sentence);
	json_out_member_int(request->out, "startedSec", restore->started_sec);
	json_out_member(request->out, "actor", restore->actor);
	json_out_object_end(request->out);
	return 0;
}

int admin_put_cluster(const struct admin_request *request)
{
	int r = put_jobs(request);
	if (r >= 0)
		r = put_restore(request);
	if (r >= 0)
		r = rotation_put(request->region, request->out);
	return r < 0 ? r : put_rollout(request);
}

void admin_put_member(struct region *region, const char *node_id, struct json_out *out)
{
	CLEANUP(member_freep) struct member *member = NULL;
	json_out_key(out, "member");
	if (store_member_get(region->store, node_id, &member) < 0) {
		json_out_null(out);
		return;
	}
	json_out_object_begin(out);
	json_out_member_int(out, "admittedSec", member->admitted_sec);
	json_out_member_bool(out, "voter", member->voter);
	json_out_member_int(out, "voterSec", member->voter_sec);
	json_out_member(out, "etcdName", member->etcd_name[0] ? member->etcd_name : NULL);
	json_out_member_int(out, "restart", member->restart);
	json_out_member_int(out, "reportedRestart", member->reported_restart);
	json_out_member(out, "settings", member->settings);
	json_out_object_end(out);
}

int admin_rollout_start(const struct admin_request *request, struct diag *reterr)
{
	const struct value *all = value_find(request->args, "restart"),
			   *timeout = value_find(request->args, "timeoutSec");
	int64_t timeout_sec = ROLLOUT_TIMEOUT_SEC;
	bool restart = false;
	int r = all ? value_bool(all, "restart", &restart, reterr) : 0;
	if (r >= 0 && timeout)
		r = value_int(timeout, "timeout", 1, ROLLOUT_MAX_TIMEOUT_SEC, &timeout_sec, reterr);
	if (r >= 0)
		r = rollout_start(request->region, request->actor, restart, timeout_sec, reterr);
	return r < 0 ? r : put_rollout(request);
}

int admin_rollout_status(const struct admin_request *request, struct diag *reterr)
{
	return admin_put_cluster(request);
}

int admin_rollout_stop(const struct admin_request *request, struct diag *reterr)
{
	int r = rollout_stop(request->region, request->actor, reterr);
	return r < 0 ? r : put_rollout(request);
}

int admin_rollout_resume(const struct admin_request *request, struct diag *reterr)
{
	int r = rollout_resume(request->region, request->actor, reterr);
	return r < 0 ? r : put_rollout(request);
}

int admin_cluster_anew(const struct admin_request *request, struct diag *reterr)
{
	const char *name, *own = request->region->config->name;
	int r = value_string(value_find(request->args, "cluster"), "cluster", &name, reterr);
	if (r < 0)
		return r;
	if (!str_equal(name, own))
		return diag_set(
			reterr, -ENOENT, name, "is no cluster of this region; it has %s", own);
	if ((r = membership_anew(request->region, request->actor, reterr)) < 0)
		return r;
	json_out_member(request->out, "anew", name);
	return 0;
}

int admin_cluster_restore(const struct admin_request *request, struct diag *reterr)
{
	CLEANUP(node_freep) struct node *node = NULL;
	const struct value *given = value_find(request->args, "force");
	const char *word, *snapshot;
	bool force = false;
	int r = value_string(value_find(request->args, "node"), "node", &word, reterr);
	if (r < 0 ||
		(r = value_string(value_find(request->args, "snapshot"), "snapshot", &snapshot, reterr)) < 0 ||
		(given && (r = value_bool(given, "force", &force, reterr)) < 0) ||
		(r = admin_find_node(request->region, word, &node, reterr)) < 0)
		return r;
	r = restore_start(request->region, request->actor, node, snapshot, force, reterr);
	return r < 0 ? r : put_restore(request);
}

int admin_cluster_undo(const struct admin_request *request, struct diag *reterr)
{
	int r = restore_undo(request->region, request->actor, reterr);
	return r < 0 ? r : put_restore(request);
}

int admin_secret_rotate(const struct admin_request *request, struct diag *reterr)
{
	const char *name;
	AUTO_FREE char *next = NULL;
	int r = value_string(value_find(request->args, "name"), "name", &name, reterr);
	if (r >= 0)
		r = rotation_start(request->region, request->actor, name, &next, reterr);
	if (r < 0)
		return r;
	json_out_member(request->out, "next", next);
	return 0;
}

int admin_job_retry(const struct admin_request *request, struct diag *reterr)
{
	const char *id;
	char now[ID_TEXT];
	int r = value_string(value_find(request->args, "job"), "job", &id, reterr);
	if (r < 0 || (r = job_retry(request->region, request->actor, id, now, reterr)) < 0)
		return r;
	json_out_member(request->out, "job", now);
	return 0;
}

int admin_job_drop(const struct admin_request *request, struct diag *reterr)
{
	const char *id;
	int r = value_string(value_find(request->args, "job"), "job", &id, reterr);
	if (r < 0 || (r = job_drop(request->region, request->actor, id, reterr)) < 0)
		return r;
	json_out_member(request->out, "dropped", id);
	return 0;
}
