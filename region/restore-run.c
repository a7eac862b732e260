// SPDX-License-Identifier: Apache-2.0
#include "region/restore-run.h"

#include "base/time.h"
#include "region/job-run.h"
#include "region/rollout-run.h"
#include "region/rotation.h"
#include "region/settings.h"
#include "region/snapshot.h"

#include <errno.h>

/* Beside the record of the last restore. Owners: ids of the servers that have the cluster's database
 * as it was before; broken: of those whose restore failed since. A server rejoins for the last
 * restore that was done, or for one of its own that was given up, unless it did a later one. */
#define OWNERS_KEY "restore-owners"
#define BROKEN_KEY "restore-broken"
#define BEGUN_KEY "restore-begun" // the last one that a server was told to begin
#define DONE_KEY "restore-done"
#define DONE_BY_KEY "restore-done/"
#define GIVEN_UP_KEY "restore-given-up/"

/* A region that comes from a backup may know of a restore that was given up since. It cannot tell
 * that from an outage: after one of this length nothing is begun by itself. */
enum { AWAY_MAX_SEC = 600 };

// ---- what is remembered of each server

static void key_of(const char *prefix, const char *id, char ret[static 64])
{
	(void)snprintf(ret, 64, "%s%s", prefix, id);
}

static int remember(struct region *region, const char *prefix, const char *id, int64_t number)
{
	char key[64];
	key_of(prefix, id, key);
	return store_meta_set_int(region->store, key, number);
}

static int64_t remembered(struct region *region, const char *prefix, const char *id)
{
	char key[64];
	key_of(prefix, id, key);
	return store_meta_int(region->store, key, 0);
}

int64_t restore_rejoins(struct region *region, const struct node *node)
{
	int64_t done = store_meta_int(region->store, DONE_KEY, 0),
		given_up = remembered(region, GIVEN_UP_KEY, node->id);
	int64_t number = done > given_up ? done : given_up;
	return number > remembered(region, DONE_BY_KEY, node->id) ? number : 0;
}

// Was its server told to begin? Else nothing was touched.
static bool is_begun(struct region *region, const struct restore *restore)
{
	return store_meta_int(region->store, BEGUN_KEY, 0) == restore->n;
}

static bool is_named(const char *ids, const char *id)
{
	size_t n = strlen(id);
	for (const char *at = ids; at && (at = strstr(at, id)); at += n)
		if ((at == ids || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
			return true;
	return false;
}

// "" when there are none.
static int load_ids(struct region *region, const char *key, char **ret)
{
	int r = store_meta_get(region->store, key, ret);
	if (r != -ENOENT)
		return r;
	*ret = strdup("");
	return *ret ? 0 : -ENOMEM;
}

static int add_id(char **ids, const char *id)
{
	char *more = str_format("%s%s%s", *ids, **ids ? " " : "", id);
	if (!more)
		return -ENOMEM;
	free(*ids);
	*ids = more;
	return 0;
}

/* Members that have voted. After a restore that failed nobody is a member but who failed, and what
 * that one has is no whole database: the others were noted when it began. */
static int is_owner(struct region *region, const struct restore *before, const char *known,
	const struct node *node, bool *ret)
{
	CLEANUP(member_freep) struct member *member = NULL;
	*ret = false;
	if (restore_holds(before)) {
		*ret = is_named(known, node->id) &&
		       !(is_begun(region, before) && str_equal(before->node, node->id));
		return 0;
	}
	int r = store_member_get(region->store, node->id, &member);
	*ret = r >= 0 && member->voter_sec != 0;
	return r == -ENOENT ? 0 : r;
}

static int note_owners(struct region *region, const struct restore *before)
{
	AUTO_FREE char *known = NULL, *owners = strdup("");
	struct node **nodes;
	size_t n;
	int r = owners ? load_ids(region, OWNERS_KEY, &known) : -ENOMEM;
	if (r < 0 || (r = store_node_list_servers(region->store, &nodes, &n)) < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++) {
		bool owner = false;
		if ((r = is_owner(region, before, known, nodes[i], &owner)) >= 0 && owner)
			r = add_id(&owners, nodes[i]->id);
	}
	node_list_free(nodes, n);
	return r < 0 ? r : store_meta_set(region->store, OWNERS_KEY, owners);
}

static int note_broken(struct region *region, const struct restore *before)
{
	AUTO_FREE char *broken = NULL;
	if (!restore_holds(before) || !is_begun(region, before))
		return 0;
	int r = load_ids(region, BROKEN_KEY, &broken);
	if (r < 0 || (!is_named(broken, before->node) && (r = add_id(&broken, before->node)) < 0) ||
		(r = remember(region, GIVEN_UP_KEY, before->node, before->n)) < 0)
		return r;
	return store_meta_set(region->store, BROKEN_KEY, broken);
}

static int forget_ids(struct region *region)
{
	int r = store_meta_set(region->store, OWNERS_KEY, "");
	return r < 0 ? r : store_meta_set(region->store, BROKEN_KEY, "");
}

// ---- the record

int restore_load(struct region *region, struct restore **ret)
{
	return store_restore_get(region->store, region->config->name, ret);
}

int restore_forget(struct region *region)
{
	CLEANUP(restore_freep) struct restore *restore = NULL;
	int r = store_meta_set_int(region->store, DONE_KEY, 0); // nobody rejoins what is no more
	if (r >= 0 && (r = forget_ids(region)) >= 0)
		r = restore_load(region, &restore);
	if (r < 0 || !restore_holds(restore))
		return r == -ENOENT ? 0 : r;
	restore->state = RESTORE_DONE; // its number is never given again
	return store_restore_put(region->store, restore);
}

static int name_of(struct region *region, const char *id, struct node **ret)
{
	int r = store_node_by_id(region->store, id, ret);
	if (r >= 0 && (*ret)->state == NODE_REVOKED)
		*ret = node_free(*ret);
	return r == -ENOENT ? 0 : r;
}

int restore_hinders(struct region *region, char **ret_waiting)
{
	CLEANUP(restore_freep) struct restore *restore = NULL;
	CLEANUP(node_freep) struct node *node = NULL;
	int r = restore_load(region, &restore);
	*ret_waiting = NULL;
	if (r < 0 || !restore_holds(restore))
		return r == -ENOENT ? 0 : r < 0 ? r : 1;
	if ((r = name_of(region, restore->node, &node)) < 0)
		return r;
	const char *name = node ? node->name : "a server that was revoked";
	*ret_waiting =
		restore->state == RESTORE_FAILED
			? str_format("the restore of the cluster from %s failed: %.500s; the "
				     "region's admin can take another snapshot or server, "
				     "or give it up: hearth-region cluster restore, cluster undo",
				  restore->snapshot, restore->sentence ? restore->sentence : "")
			: str_format("the cluster is being restored from snapshot %s on %s; "
				     "this node joins when that is done",
				  restore->snapshot, name);
	return *ret_waiting ? 1 : -ENOMEM;
}

// ---- going on

static int report_of(const struct node *node, int64_t number, struct value **ret_status,
	struct restore_report *ret)
{
	if (!node->status || !strstr(node->status, "\"k3sRestore\""))
		return 0;
	int r = json_parse(node->status, strlen(node->status), 0, ret_status, NULL);
	if (r < 0)
		return r == -ENOMEM ? r : 0; // stored status was checked
	(void)restore_report_find(*ret_status, number, ret);
	return 0;
}

// The first other server that is heard and whose K3s may run.
static int find_running(struct region *region, const struct restore *restore, struct node **ret)
{
	struct node **nodes;
	size_t n;
	int r = store_node_list_servers(region->store, &nodes, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0 && !*ret; i++) {
		CLEANUP(value_freep) struct value *status = NULL;
		struct restore_report report = { 0 };
		const struct node *node = nodes[i];
		if (str_equal(node->id, restore->node) || node->quarantined ||
			node->state != NODE_APPROVED ||
			region_silence_sec(region, node) > JOB_SILENT_SEC)
			continue;
		r = report_of(node, restore->n, &status, &report);
		if (r >= 0 && !str_equal(report.state, "stopped"))
			*ret = TAKE_PTR(nodes[i]);
	}
	node_list_free(nodes, n);
	return r;
}

static int note_done(struct region *region, const struct restore *restore)
{
	int r = store_meta_set_int(region->store, DONE_KEY, restore->n);
	if (r >= 0)
		r = remember(region, DONE_BY_KEY, restore->node, restore->n);
	return r < 0 ? r : forget_ids(region);
}

int restore_go_on(struct region *region, bool *ret_changed)
{
	CLEANUP(restore_freep) struct restore *restore = NULL;
	CLEANUP(node_freep) struct node *node = NULL, *running = NULL;
	CLEANUP(value_freep) struct value *status = NULL;
	AUTO_FREE char *sentence = NULL;
	struct restore_facts facts = { 0 };
	int r = restore_load(region, &restore);
	*ret_changed = false;
	if (r < 0 || !restore_holds(restore) || restore->state == RESTORE_FAILED)
		return r == -ENOENT ? 0 : r;
	if ((r = name_of(region, restore->node, &node)) < 0 ||
		(node && (r = report_of(node, restore->n, &status, &facts.report)) < 0) ||
		(r = find_running(region, restore, &running)) < 0)
		return r;
	facts.name = node ? node->name : NULL;
	facts.silent = node && region_silence_sec(region, node) > JOB_SILENT_SEC;
	facts.running = running ? running->name : NULL;
	if (restore->started_sec < region->loaded_sec && region->away_sec > AWAY_MAX_SEC)
		facts.away_sec = region->away_sec;
	enum restore_action action = restore_decide(restore, &facts, &sentence);
	if (!sentence)
		return -ENOMEM;
	if (action == RESTORE_WAIT && str_equal(sentence, restore->sentence))
		return 0;
	*ret_changed = action != RESTORE_WAIT;
	if (action == RESTORE_BEGIN)
		restore->state = RESTORE_RUNNING;
	else if (action == RESTORE_END)
		restore->state = RESTORE_DONE;
	else if (action == RESTORE_FAIL)
		restore->state = RESTORE_FAILED;
	if (action == RESTORE_END && (r = note_done(region, restore)) < 0)
		return r;
	if (action == RESTORE_BEGIN && (r = store_meta_set_int(region->store, BEGUN_KEY, restore->n)) < 0)
		return r;
	if (*ret_changed)
		region_audit(region, "rules", "restore", restore->cluster, "%s", sentence);
	str_set(&restore->sentence, sentence);
	return store_restore_put(region->store, restore);
}

// ---- the start

static int check(struct region *region, const struct node *node, const char *name, bool force,
	struct diag *reterr)
{
	CLEANUP(value_freep) struct value *status = NULL;
	CLEANUP(cluster_freep) struct cluster *cluster = NULL;
	CLEANUP(rollout_freep) struct rollout *rollout = NULL;
	CLEANUP(restore_freep) struct restore *before = NULL;
	struct snapshot snapshot;
	char when[32];
	int r = region_cluster(region, &cluster);
	if (r < 0)
		return r;
	if (!cluster->handed_over || !cluster->ever_ready)
		return diag_set(reterr, -EINVAL, cluster->name,
			"was never Ready: there is nothing to restore");
	if (!node->is_server || node->state != NODE_APPROVED || !node->durable || node->quarantined)
		return diag_set(reterr, -EINVAL, node->name,
			"must be a server that keeps its key on a disk and is neither revoked nor "
			"in quarantine");
	if (region_silence_sec(region, node) > JOB_SILENT_SEC)
		return diag_set(reterr, -EHOSTDOWN, node->name,
			"was not heard for %lld s; a restore is that server's work",
			(long long)region_silence_sec(region, node));
	if (node->status &&
		json_parse(node->status, strlen(node->status), 0, &status, NULL) == -ENOMEM)
		return -ENOMEM;
	if (!snapshot_of_name(status, name, &snapshot))
		return diag_set(reterr, -ENOENT, name,
			"is no snapshot on %s: hearth-region snapshot list", node->name);
	if (snapshot.created_sec <= rotation_server_sec(region))
		return diag_set(reterr, -EINVAL, name,
			"was made before the server token was rotated (%s): K3s opens it with "
			"the token of its time alone, which is no longer the cluster's",
			time_format_utc(rotation_server_sec(region), when));
	r = store_rollout_get(region->store, region->config->name, &rollout);
	if (r < 0 && r != -ENOENT)
		return r;
	if (rollout && rollout->state == ROLLOUT_RUNNING)
		return diag_set(
			reterr, -EBUSY, "rollout", "one is going on: hearth-region rollout stop");
	r = restore_load(region, &before);
	if (r < 0 && r != -ENOENT)
		return r;
	if (before && (before->state == RESTORE_STOPPING || before->state == RESTORE_RUNNING))
		return diag_set(
			reterr, -EALREADY, "restore", "one is going on: hearth-region list");
	if (!force)
		return diag_set(reterr, -ECANCELED, cluster->name,
			"goes back to %s: what happened in it since then is lost, its API is away "
			"meanwhile, and its other servers "
			"join anew; --force does it",
			time_format_utc(snapshot.created_sec, when));
	return 0;
}

// The others are members no more: they are admitted again, one by one, when it is done.
static int release_others(struct region *region, const char *id)
{
	struct node **nodes;
	size_t n;
	int r = store_node_list_servers(region->store, &nodes, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++)
		if (!str_equal(nodes[i]->id, id))
			r = store_member_remove(region->store, nodes[i]->id);
	node_list_free(nodes, n);
	return r;
}

static int keep_one(struct region *region, const struct node *node)
{
	CLEANUP(member_freep) struct member *member = NULL;
	int r = store_member_get(region->store, node->id, &member);
	if (r == -ENOENT) { // a restore before this one released it
		if (!(member = calloc(1, sizeof(*member))) ||
			!(member->settings = settings_newest(region->config, node->name)))
			return -ENOMEM;
		memcpy(member->id, node->id, sizeof(member->id));
		member->admitted_sec = region_now_sec(region);
		member->restart = rollout_number(region);
		member->reported_restart = -1;
	} else if (r < 0) {
		return r;
	}
	member->voter = 0;
	member->voter_sec = 0;
	member->server[0] = '\0';
	return store_member_put(region->store, member);
}

// Work for servers that are none now. Nodes that shall be forgotten may come back with the
// snapshot: they stay, but the one that restores, @id.
static int drop_jobs(struct region *region, const char *id)
{
	struct job **jobs;
	size_t n;
	int r = store_job_list(region->store, &jobs, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++) {
		if (!str_equal(jobs[i]->kind, JOB_FORGET_NODE) ||
			str_equal(jobs[i]->node_id, id)) {
			r = store_job_remove(region->store, jobs[i]->id);
			continue;
		}
		jobs[i]->server[0] = '\0';
		if (jobs[i]->state == JOB_RUNNING)
			jobs[i]->state = JOB_WAITING;
		r = store_job_put(region->store, jobs[i]);
	}
	job_list_free(jobs, n);
	return r;
}

/* Never twice, also by a region that was taken back to a backup and does not know of the last ones:
 * nodes do nothing for a number that they have done. The minute is ahead of all that were given. */
static int64_t next_number(const struct region *region, const struct restore *before)
{
	int64_t next = (before ? before->n : 0) + 1, minute = region_now_sec(region) / 60;
	return minute > next ? minute : next;
}

int restore_start(struct region *region, const char *actor, const struct node *node,
	const char *snapshot, bool force, struct diag *reterr)
{
	CLEANUP(cluster_freep) struct cluster *cluster = NULL;
	CLEANUP(restore_freep) struct restore *before = NULL;
	struct restore restore = { .state = RESTORE_STOPPING,
		.started_sec = region_now_sec(region) };
	int r = check(region, node, snapshot, force, reterr);
	if (r < 0 || (r = region_cluster(region, &cluster)) < 0)
		return r;
	r = restore_load(region, &before);
	if (r < 0 && r != -ENOENT)
		return r;
	restore.n = next_number(region, before);
	(void)snprintf(restore.cluster, sizeof(restore.cluster), "%s", cluster->name);
	(void)snprintf(restore.node, sizeof(restore.node), "%s", node->id);
	(void)snprintf(restore.snapshot, sizeof(restore.snapshot), "%s", snapshot);
	(void)snprintf(restore.actor, sizeof(restore.actor), "%s", actor);
	(void)snprintf(cluster->first_server, sizeof(cluster->first_server), "%s", node->id);
	if ((r = note_owners(region, before)) < 0 || (r = note_broken(region, before)) < 0 ||
		(r = store_restore_put(region->store, &restore)) < 0 ||
		(r = store_cluster_put(region->store, cluster)) < 0 ||
		(r = release_others(region, node->id)) < 0 || (r = keep_one(region, node)) < 0 ||
		(r = drop_jobs(region, node->id)) < 0)
		return r;
	region_audit(region, actor, "restore", cluster->name, "%lld: %s on %s",
		(long long)restore.n, snapshot, node->name);
	region_wake(region, "cluster");
	return membership_step(region);
}

// ---- giving it up

// It votes, or will when its K3s runs again.
static int take_back(struct region *region, const struct node *node)
{
	CLEANUP(member_freep) struct member *member = NULL;
	int r = keep_one(region, node);
	if (r < 0 || (r = store_member_get(region->store, node->id, &member)) < 0)
		return r;
	member->voter_sec = region_now_sec(region);
	return store_member_put(region->store, member);
}

/* Servers that have the database of before are members again, as they were; nobody else is: one
 * that was still to join has another database, and two such would be a cluster of their own.
 * @without: an id, or "". *ret_first: one that is not @id. */
static int take_owners_back(struct region *region, const char *owners, const char *without,
	const char *id, char ret_first[static ID_TEXT])
{
	struct node **nodes;
	size_t n;
	ret_first[0] = '\0';
	int r = store_node_list_servers(region->store, &nodes, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++) {
		const struct node *node = nodes[i];
		if (node->state != NODE_APPROVED || !is_named(owners, node->id) ||
			str_equal(node->id, without))
			continue;
		r = take_back(region, node);
		if (!ret_first[0] && !str_equal(node->id, id))
			(void)snprintf(ret_first, ID_TEXT, "%s", node->id);
	}
	node_list_free(nodes, n);
	return r;
}

// Its database is half of one thing and half of another, or none: its member of etcd goes, and it
// joins anew.
static int let_go(struct region *region, const struct restore *restore, const char *first)
{
	const char *id = restore->node;
	CLEANUP(cluster_freep) struct cluster *cluster = NULL;
	CLEANUP(node_freep) struct node *node = NULL;
	char job[ID_TEXT];
	int r = region_cluster(region, &cluster);
	if (r < 0 || (r = store_member_remove(region->store, id)) < 0 ||
		(r = remember(region, GIVEN_UP_KEY, id, restore->n)) < 0 ||
		(r = store_node_by_id(region->store, id, &node)) < 0)
		return r;
	(void)snprintf(cluster->first_server, sizeof(cluster->first_server), "%s", first);
	r = store_cluster_put(region->store, cluster);
	return r < 0 || node->state == NODE_REVOKED ? r
						    : job_make(region, JOB_FORGET_NODE, node, job);
}

// So do those that failed before it.
static int let_broken_go(struct region *region, const struct restore *restore)
{
	AUTO_FREE char *broken = NULL;
	char job[ID_TEXT];
	struct node **nodes;
	size_t n;
	int r = load_ids(region, BROKEN_KEY, &broken);
	if (r < 0 || (r = store_node_list_servers(region->store, &nodes, &n)) < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++)
		if (is_named(broken, nodes[i]->id) && !str_equal(nodes[i]->id, restore->node) &&
			nodes[i]->state == NODE_APPROVED)
			r = job_make(region, JOB_FORGET_NODE, nodes[i], job);
	node_list_free(nodes, n);
	return r;
}

int restore_undo(struct region *region, const char *actor, struct diag *reterr)
{
	CLEANUP(restore_freep) struct restore *restore = NULL;
	CLEANUP(node_freep) struct node *node = NULL;
	AUTO_FREE char *owners = NULL;
	char first[ID_TEXT];
	int r = restore_load(region, &restore);
	if (r < 0 && r != -ENOENT)
		return r;
	if (!restore || (restore->state != RESTORE_STOPPING && restore->state != RESTORE_FAILED))
		return diag_set(reterr, -EINVAL, "restore",
			"only one that did not begin, or that failed, can be given up%s%s",
			restore ? "; the last one is " : "",
			restore ? restore_state_name(restore->state) : "");
	if ((r = load_ids(region, OWNERS_KEY, &owners)) < 0 ||
		(r = name_of(region, restore->node, &node)) < 0)
		return r;
	bool stays = node && !is_begun(region, restore) && is_named(owners, restore->node);
	if ((r = take_owners_back(region, owners, stays ? "" : restore->node, restore->node, first)) < 0)
		return r;
	if (!stays && !first[0])
		return diag_set(reterr, -EINVAL, "restore",
			"no other server has what was there before; restore another snapshot: "
			"hearth-region cluster restore");
	if ((!stays && (r = let_go(region, restore, first)) < 0) ||
		(r = let_broken_go(region, restore)) < 0 || (r = forget_ids(region)) < 0)
		return r;
	restore->state = RESTORE_UNDONE;
	str_set(&restore->sentence, NULL);
	if ((r = store_restore_put(region->store, restore)) < 0)
		return r;
	region_audit(region, actor, "restore", restore->cluster, "%lld is given up",
		(long long)restore->n);
	region_wake(region, "cluster");
	return membership_step(region);
}
