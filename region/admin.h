// What an administrator may do, whichever way they come: the socket (hearth-region SUBCOMMAND), the
// page, /v1/admin. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/region.h"

/* Do @call with @args (JSON object or NULL), writing the members of the answer object to @out (an
 * object is open).
 * @actor: who, for the audit log. 0; -ENOSYS no such call; else the errno with a sentence in
 * @reterr. */
int admin_call(struct region *region, const char *actor, const char *call, const struct value *args,
	struct json_out *out, struct diag *reterr);

struct admin_request {
	struct region *region;
	const char *actor;
	const struct value *args;
	struct json_out *out;
};
// The calls, by file: admin-node.c
int admin_list(const struct admin_request *request, struct diag *reterr);
int admin_show(const struct admin_request *request, struct diag *reterr);
int admin_approve(const struct admin_request *request, struct diag *reterr);
int admin_deny(const struct admin_request *request, struct diag *reterr);
int admin_revoke(const struct admin_request *request, struct diag *reterr);
int admin_release(const struct admin_request *request, struct diag *reterr);
// The one node that @word names: name, id, serial, UUID or MAC. -ENOENT, -ENOTUNIQ with a sentence.
int admin_find_node(
	struct region *region, const char *word, struct node **ret, struct diag *reterr);
// admin-snapshot.c
int admin_snapshot_make(const struct admin_request *request, struct diag *reterr);
int admin_snapshot_list(const struct admin_request *request, struct diag *reterr);
// admin-mesh-key.c
int admin_mesh_key_rotate(const struct admin_request *request, struct diag *reterr);
int admin_mesh_key_status(const struct admin_request *request, struct diag *reterr);
int admin_mesh_key_stop(const struct admin_request *request, struct diag *reterr);
// admin-cluster.c
int admin_rollout_start(const struct admin_request *request, struct diag *reterr);
int admin_rollout_status(const struct admin_request *request, struct diag *reterr);
int admin_rollout_stop(const struct admin_request *request, struct diag *reterr);
int admin_rollout_resume(const struct admin_request *request, struct diag *reterr);
int admin_cluster_anew(const struct admin_request *request, struct diag *reterr);
int admin_cluster_restore(const struct admin_request *request, struct diag *reterr);
int admin_cluster_undo(const struct admin_request *request, struct diag *reterr);
int admin_secret_rotate(const struct admin_request *request, struct diag *reterr);
int admin_job_retry(const struct admin_request *request, struct diag *reterr);
int admin_job_drop(const struct admin_request *request, struct diag *reterr);
int admin_put_cluster(const struct admin_request *request); // jobs, restore, secretsToRotate, rollout, nOlderSettings
void admin_put_member(struct region *region, const char *node_id, struct json_out *out);
// admin-site.c
int admin_token(const struct admin_request *request, struct diag *reterr);
int admin_seed(const struct admin_request *request, struct diag *reterr);
int admin_kubeconfig(const struct admin_request *request, struct diag *reterr);
int admin_secret_set(const struct admin_request *request, struct diag *reterr);
int admin_bootstrap_set(const struct admin_request *request, struct diag *reterr);
int admin_audit(const struct admin_request *request, struct diag *reterr);
// admin-peer.c
int admin_peer_add(const struct admin_request *request, struct diag *reterr);
int admin_peer_servers(const struct admin_request *request, struct diag *reterr);
int admin_peer_list(const struct admin_request *request, struct diag *reterr);
int admin_peer_remove(const struct admin_request *request, struct diag *reterr);

// Seed text for @urls (NULL: those of the configuration), with @token or NULL; the caller wipes and
// frees.
int seed_text(const struct region *region, const struct value *urls, const char *token, char **ret,
	struct diag *reterr);
int token_make(struct region *region, const char *actor, const char *role, const char *node,
	int64_t count, int64_t ttl_sec, char ret[static 64], struct diag *reterr);
