// SPDX-License-Identifier: Apache-2.0
#include "region/rotation.h"

#include "region/job-run.h"
#include "region/restore-run.h"
#include "region/rollout-run.h"

#include <errno.h>

#define NUMBER_KEY "token-rotations"
#define SERVER_SEC_KEY "token-rotated-sec"

// ---- secrets

static int new_secret(struct region *region, const char *name)
{
	uint8_t random[32];
	char hex[65];
	crypto_random(random, sizeof(random));
	hex_encode(random, sizeof(random), hex);
	int r = region_secret_put(region, name, hex);
	crypto_wipe(random, sizeof(random));
	crypto_wipe(hex, sizeof(hex));
	return r;
}

static bool has_secret(struct region *region, const char *name)
{
	CLEANUP(secret_text_free) char *text = NULL;
	return region_secret_get(region, name, &text) >= 0;
}

static int load_secret(struct region *region, const char *name, struct secret **ret)
{
	AUTO_FREE char *id = str_format("%s/%s", region->config->name, name);
	return id ? store_secret_get(region->store, id, ret) : -ENOMEM;
}

// What was marked stays so: a node that was revoked since may know it.
static int move_secret(struct region *region, const char *from, const char *to)
{
	CLEANUP(secret_freep) struct secret *before = NULL, *after = NULL;
	CLEANUP(secret_text_free) char *text = NULL;
	int r = region_secret_get(region, from, &text);
	if (r < 0 || (r = load_secret(region, from, &before)) < 0 ||
		(r = region_secret_put(region, to, text)) < 0 ||
		(r = load_secret(region, to, &after)) < 0)
		return r;
	after->rotate = before->rotate;
	return store_secret_put(region->store, after);
}

int64_t rotation_number(struct region *region)
{
	return store_meta_int(region->store, NUMBER_KEY, 0);
}

int64_t rotation_server_sec(struct region *region)
{
	return store_meta_int(region->store, SERVER_SEC_KEY, 0);
}

static int count(struct region *region)
{
	return store_meta_set_int(region->store, NUMBER_KEY, rotation_number(region) + 1);
}

bool rotation_knows(struct region *region, const char *token)
{
	static const char *const names[] = { "token", "token-next", "token-previous" };
	const char *secret = token ? strrchr(token, ':') : NULL;
	bool known = false;
	for (size_t i = 0; secret && i < N_ELEMENTS(names); i++) {
		CLEANUP(secret_text_free) char *text = NULL;
		known |= region_secret_get(region, names[i], &text) >= 0 &&
			 str_equal(text, secret + 1);
	}
	return known;
}

// ---- the start

static int check_servers(const struct membership *membership, struct diag *reterr)
{
	if (!membership->cluster->handed_over || !membership->cluster->ever_ready)
		return diag_set(reterr, -EINVAL, membership->cluster->name,
			"was never Ready: its tokens are rotated when it runs");
	for (size_t i = 0; i < membership->n_servers; i++) {
		const struct admission_server *server = &membership->servers[i];
		if (!server->ready || server->silent || !server->voter)
			return diag_set(reterr, -EBUSY, server->name,
				"is not Ready, silent or no voter in etcd: every server has to be "
				"well, "
				"as each starts anew with another token; bring it back or revoke "
				"it");
	}
	return membership->n_servers
		       ? 0
		       : diag_set(reterr, -EINVAL, membership->cluster->name, "has no server");
}

static int check_nothing_goes_on(
	struct region *region, const struct membership *membership, struct diag *reterr)
{
	CLEANUP(rollout_freep) struct rollout *rollout = NULL;
	AUTO_FREE char *waiting = NULL;
	int r = restore_hinders(region, &waiting);
	if (r < 0 || waiting)
		return r < 0 ? r : diag_set(reterr, -EBUSY, "secret", "%s", waiting);
	r = store_rollout_get(region->store, region->config->name, &rollout);
	if (r < 0 && r != -ENOENT)
		return r;
	if (rollout && rollout->state == ROLLOUT_RUNNING)
		return diag_set(
			reterr, -EBUSY, "rollout", "one is going on: hearth-region rollout status");
	for (size_t i = 0; i < membership->n_jobs; i++)
		if (str_equal(membership->jobs[i]->kind, JOB_ROTATE_TOKEN))
			return diag_set(reterr, -EALREADY, membership->jobs[i]->id,
				"rotates it already (%s); hearth-region list says more",
				job_state_name(membership->jobs[i]->state));
	return 0;
}

// New for each of them when its turn comes, whatever settings it has.
static int mark_outdated(struct region *region, bool servers_only)
{
	struct member **members;
	size_t n;
	int r = store_member_list(region->store, &members, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++) {
		CLEANUP(node_freep) struct node *node = NULL;
		r = store_node_by_id(region->store, members[i]->id, &node);
		if (r >= 0 && (node->is_server || !servers_only))
			r = rollout_mark(region, node->id);
		if (r == -ENOENT)
			r = 0;
	}
	member_list_free(members, n);
	return r;
}

static int roll_out(struct region *region, const char *actor, bool servers_only)
{
	CLEANUP(rollout_freep) struct rollout *rollout = NULL;
	int r = mark_outdated(region, servers_only);
	if (r < 0)
		return r;
	r = store_rollout_get(region->store, region->config->name, &rollout);
	if (r < 0 && r != -ENOENT)
		return r;
	if (rollout && rollout->state == ROLLOUT_RUNNING)
		return 0; // it comes to them, too
	return rollout_start(region, actor, false, ROLLOUT_TIMEOUT_SEC, NULL);
}

static int start_server(struct region *region, const char *actor,
	const struct membership *membership, char **ret_next)
{
	size_t first = membership_server(membership, membership->cluster->first_server);
	const struct node *node = membership->nodes[first == SIZE_MAX ? 0 : first];
	char id[ID_TEXT];
	// One that an earlier try left is taken again: K3s may have it already.
	int r = has_secret(region, "token-next") ? 0 : new_secret(region, "token-next");
	if (r < 0 || (r = count(region)) < 0 ||
		(r = job_make(region, JOB_ROTATE_TOKEN, node, id)) < 0)
		return r;
	region_audit(region, actor, "job", node->name, "%s: %s", id, JOB_ROTATE_TOKEN);
	*ret_next =
		str_format("%s has K3s take a new server token (job %s); then every server starts "
			   "anew with it, one at a time: hearth-region list",
			node->name, id);
	region_wake(region, "cluster");
	return *ret_next ? membership_step(region) : -ENOMEM;
}

static int start_agent(struct region *region, const char *actor, char **ret_next)
{
	int r = new_secret(region, "agent-token");
	if (r < 0 || (r = count(region)) < 0)
		return r;
	*ret_next =
		strdup("the agent token is a new one; every server starts anew with it, then every "
		       "worker, one at a time: hearth-region rollout status");
	region_wake(region, "cluster");
	return *ret_next ? roll_out(region, actor, false) : -ENOMEM;
}

int rotation_start(struct region *region, const char *actor, const char *name, char **ret_next,
	struct diag *reterr)
{
	CLEANUP(membership_done) struct membership membership = { 0 };
	bool server = str_equal(name, ROTATION_SERVER_TOKEN);
	if (!server && !str_equal(name, ROTATION_AGENT_TOKEN))
		return diag_set(reterr, -EINVAL, "secret rotate",
			"takes " ROTATION_SERVER_TOKEN " or " ROTATION_AGENT_TOKEN
			", not \"%s\"; a secret of "
			"people: hearth-region secret set NAME",
			name);
	int r = membership_load(region, &membership);
	if (r < 0 || (r = check_servers(&membership, reterr)) < 0 ||
		(r = check_nothing_goes_on(region, &membership, reterr)) < 0)
		return r;
	region_audit(region, actor, "secret rotate", name, "begun");
	return server ? start_server(region, actor, &membership, ret_next)
		      : start_agent(region, actor, ret_next);
}

int rotation_taken(struct region *region, const struct node *node)
{
	if (!has_secret(region, "token-next"))
		return 0; // told twice
	int r = move_secret(region, "token", "token-previous");
	if (r < 0 || (r = move_secret(region, "token-next", "token")) < 0 ||
		(r = region_secret_remove(region, "token-next")) < 0 || (r = count(region)) < 0 ||
		(r = store_meta_set_int(region->store, SERVER_SEC_KEY, region_now_sec(region))) < 0)
		return r;
	region_audit(region, node->name, "secret rotate", ROTATION_SERVER_TOKEN,
		"K3s has the new one; the servers start anew with it");
	region_wake(region, "cluster");
	return roll_out(region, "rules", true);
}

// ---- what a revoked node may know

static const char *shown_name(const struct region *region, const struct secret *secret)
{
	size_t n = strlen(region->config->name);
	const char *name = strncmp(secret->id, region->config->name, n) == 0 && secret->id[n] == '/'
				   ? secret->id + n + 1
				   : "";
	if (str_equal(name, "token"))
		return ROTATION_SERVER_TOKEN;
	if (str_equal(name, "agent-token"))
		return ROTATION_AGENT_TOKEN;
	return str_starts(name, "user/") ? name + strlen("user/") : NULL;
}

int rotation_put(struct region *region, struct json_out *out)
{
	struct secret **secrets;
	size_t n;
	int r = store_secret_list(region->store, &secrets, &n);
	if (r < 0)
		return r;
	json_out_key(out, "secretsToRotate");
	json_out_array_begin(out);
	for (size_t i = 0; i < n; i++) {
		const char *name = secrets[i]->rotate ? shown_name(region, secrets[i]) : NULL;
		if (name)
			json_out_string(out, name);
	}
	json_out_array_end(out);
	secret_list_free(secrets, n);
	return 0;
}

static bool is_registry_login(const struct region *region, const char *name)
{
	const struct config_registries *registries = &region->config->registries;
	for (size_t i = 0; i < registries->n_configs; i++)
		if (str_equal(registries->configs[i].secret, name))
			return true;
	return false;
}

// A worker is given the agent token, the pull credential and logins of registries, a server all
// there is.
static bool may_know(
	const struct region *region, const struct node *node, const struct secret *secret)
{
	const char *name = strchr(secret->id, '/');
	if (node->is_server || !name)
		return true;
	return str_equal(name, "/agent-token") || str_equal(name, "/pull") ||
	       (str_starts(name, "/user/") && is_registry_login(region, name + strlen("/user/")));
}

int rotation_mark(struct region *region, const struct node *node)
{
	struct secret **secrets;
	size_t n;
	int r = store_secret_list(region->store, &secrets, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++) {
		if (!may_know(region, node, secrets[i]))
			continue;
		secrets[i]->rotate = 1;
		r = store_secret_put(region->store, secrets[i]);
	}
	secret_list_free(secrets, n);
	return r;
}
