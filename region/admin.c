// SPDX-License-Identifier: Apache-2.0
#include "region/admin.h"

#include <errno.h>

static const struct {
	const char *name;
	int (*run)(const struct admin_request *request, struct diag *reterr);
} calls[] = {
	{ "list", admin_list },
	{ "show", admin_show },
	{ "approve", admin_approve },
	{ "deny", admin_deny },
	{ "revoke", admin_revoke },
	{ "release", admin_release },
	{ "rollout-start", admin_rollout_start },
	{ "rollout-status", admin_rollout_status },
	{ "rollout-stop", admin_rollout_stop },
	{ "rollout-resume", admin_rollout_resume },
	{ "cluster-anew", admin_cluster_anew },
	{ "cluster-restore", admin_cluster_restore },
	{ "cluster-undo", admin_cluster_undo },
	{ "job-retry", admin_job_retry },
	{ "job-drop", admin_job_drop },
	{ "snapshot-make", admin_snapshot_make },
	{ "snapshot-list", admin_snapshot_list },
	{ "token", admin_token },
	{ "seed", admin_seed },
	{ "kubeconfig", admin_kubeconfig },
	{ "secret-set", admin_secret_set },
	{ "secret-rotate", admin_secret_rotate },
	{ "bootstrap-set", admin_bootstrap_set },
	{ "audit", admin_audit },
	{ "mesh-key-rotate", admin_mesh_key_rotate },
	{ "mesh-key-status", admin_mesh_key_status },
	{ "mesh-key-stop", admin_mesh_key_stop },
	{ "peer-add", admin_peer_add },
	{ "peer-servers", admin_peer_servers },
	{ "peer-list", admin_peer_list },
	{ "peer-remove", admin_peer_remove },
};

int admin_call(struct region *region, const char *actor, const char *call, const struct value *args,
	struct json_out *out, struct diag *reterr)
{
	const struct admin_request request = { region, actor, args, out };
	for (size_t i = 0; i < N_ELEMENTS(calls); i++) {
		if (!str_equal(calls[i].name, call))
			continue;
		int r = store_mark(region->store);
		if (r < 0)
			return r;
		r = calls[i].run(&request, reterr);
		/* A refused approval still counts its wrong code: -EPERM keeps what was written. */
		int ended = r < 0 && r != -EPERM ? store_undo(region->store)
						 : store_release(region->store);
		return r < 0 ? r : ended;
	}
	return diag_set(reterr, -ENOSYS, "", "there is no call \"%s\"", call);
}
