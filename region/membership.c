// SPDX-License-Identifier: Apache-2.0
#include "region/membership.h"

#include "region/job-run.h"
#include "region/mesh-leave.h"
#include "region/restore-run.h"
#include "region/rollout-run.h"
#include "region/settings.h"

#include <errno.h>

// ---- loading

static int keep_server(
	struct region *region, struct membership *membership, struct node **node_take)
{
	struct node *node = *node_take;
	CLEANUP(member_freep) struct member *member = NULL;
	int r = store_member_get(region->store, node->id, &member);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	struct admission_server server = { .name = node->name,
		.ready = node->ready && !node->quarantined,
		.quarantined = node->quarantined != 0,
		.silent = region_silence_sec(region, node) > JOB_SILENT_SEC,
		.voter = member->voter != 0,
		.joined = member->voter_sec != 0 };
	struct value *status = NULL;
	if (node->quarantined)
		server.sentence = QUARANTINE_SENTENCE;
	else if (!server.ready && node->status &&
		 json_parse(node->status, strlen(node->status), 0, &status, NULL) >= 0)
		server.sentence = value_text(value_find(status, "sentence"));
	size_t i = membership->n_servers++;
	membership->nodes[i] = TAKE_PTR(*node_take);
	membership->members[i] = TAKE_PTR(member);
	membership->servers[i] = server;
	membership->statuses[i] = status;
	return 0;
}

int membership_load(struct region *region, struct membership *ret)
{
	struct membership loaded = { 0 };
	struct node **nodes = NULL;
	size_t n = 0;
	int r = region_cluster(region, &loaded.cluster);
	if (r >= 0)
		r = store_node_list_servers(region->store, &nodes, &n);
	if (r >= 0) {
		loaded.nodes = calloc(n + 1, sizeof(struct node *));
		loaded.members = calloc(n + 1, sizeof(struct member *));
		loaded.servers = calloc(n + 1, sizeof(*loaded.servers));
		loaded.statuses = calloc(n + 1, sizeof(struct value *));
		if (!loaded.nodes || !loaded.members || !loaded.servers || !loaded.statuses)
			r = -ENOMEM;
	}
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = keep_server(region, &loaded, &nodes[i]);
	for (size_t i = 0; i < n; i++)
		node_free(nodes[i]);
	free(nodes);
	if (r >= 0)
		r = store_job_list(region->store, &loaded.jobs, &loaded.n_jobs);
	if (r < 0) {
		membership_done(&loaded);
		return r;
	}
	*ret = loaded;
	return 0;
}

void membership_done(struct membership *membership)
{
	for (size_t i = 0; i < membership->n_servers; i++) {
		node_free(membership->nodes[i]);
		member_free(membership->members[i]);
		value_free(membership->statuses[i]);
	}
	free(membership->nodes);
	free(membership->members);
	free(membership->servers);
	free(membership->statuses);
	job_list_free(membership->jobs, membership->n_jobs);
	cluster_free(membership->cluster);
	*membership = (struct membership){ 0 };
}

int membership_reload(struct region *region, struct membership *membership)
{
	membership_done(membership);
	return membership_load(region, membership);
}

size_t membership_server(const struct membership *membership, const char *id)
{
	for (size_t i = 0; i < membership->n_servers; i++)
		if (str_equal(membership->nodes[i]->id, id))
			return i;
	return SIZE_MAX;
}

// ---- admission

/* Has @node the hardware of the node with id @id, which left? Placeholders of vendors are "" in
 * both (body.h). */
static int is_same_machine(
	struct region *region, const struct node *node, const char *id, bool *ret)
{
	CLEANUP(node_freep) struct node *old = NULL;
	int r = store_node_by_id(region->store, id, &old);
	*ret = r >= 0 && ((node->uuid[0] && strcasecmp(node->uuid, old->uuid) == 0) ||
				 (node->serial[0] && str_equal(node->serial, old->serial)));
	return r == -ENOENT ? 0 : r;
}

static int list_leaving(struct region *region, const struct membership *membership,
	const struct node *node, struct admission_leaving *ret, size_t *ret_n)
{
	for (size_t i = 0; i < membership->n_jobs; i++) {
		const struct job *job = membership->jobs[i];
		size_t server = membership_server(membership, job->server);
		bool same_machine;
		if (!str_equal(job->kind, JOB_FORGET_NODE))
			continue;
		int r = is_same_machine(region, node, job->node_id, &same_machine);
		if (r < 0)
			return r;
		ret[(*ret_n)++] = (struct admission_leaving){ .name = job->node,
			.server = server == SIZE_MAX ? NULL : membership->nodes[server]->name,
			.was_server = job->was_server != 0,
			.same_machine = same_machine,
			.failed = job->state == JOB_FAILED,
			.job = job->id,
			.sentence = job->sentence };
	}
	return 0;
}

// May @node, which is not the first server and not of the cluster, join now?
static int ask_admission(struct region *region, const struct membership *membership,
	const struct node *node, bool *ret, char **ret_waiting)
{
	const struct cluster *cluster = membership->cluster;
	CLEANUP(node_freep) struct node *first = NULL;
	AUTO_FREE struct admission_leaving *leaving =
		calloc(membership->n_jobs + 1, sizeof(*leaving));
	if (!leaving)
		return -ENOMEM;
	int r = restore_hinders(region, ret_waiting);
	if (r < 0 || *ret_waiting)
		return r < 0 ? r : 0;
	bool was_restored = r > 0;
	r = cluster->first_server[0]
			? store_node_by_id(region->store, cluster->first_server, &first)
			: 0;
	if (r < 0)
		return r;
	// Who was Ready in this cluster before members were recorded runs K3s already.
	if (first && cluster->handed_over && node->ready_sec && !was_restored) {
		*ret = true;
		return 0;
	}
	size_t n_leaving = 0;
	if ((r = list_leaving(region, membership, node, leaving, &n_leaving)) < 0)
		return r;
	const struct admission_question question = { .cluster = region->config->name,
		.name = node->name,
		.is_server = node->is_server != 0,
		.durable = node->durable != 0,
		.first = first ? first->name : NULL,
		.handed_over = cluster->handed_over != 0,
		.ever_ready = cluster->ever_ready != 0,
		.servers = membership->servers,
		.n_servers = membership->n_servers,
		.leaving = leaving,
		.n_leaving = n_leaving };
	*ret = admission_decide(&question, ret_waiting);
	return *ret || *ret_waiting ? 0 : -ENOMEM;
}

// The id of the server that @node joins by; "" when there is none.
static void choose_server(
	const struct membership *membership, const struct node *node, char ret[static ID_TEXT])
{
	struct admission_server others[16];
	size_t indexes[16],
		n = 0, first = membership_server(membership, membership->cluster->first_server);
	for (size_t i = 0; i < membership->n_servers && n < N_ELEMENTS(others); i++)
		if (!str_equal(membership->nodes[i]->id, node->id)) {
			others[n] = membership->servers[i];
			indexes[n++] = i;
		}
	size_t best = admission_join_by(
		others, n, first == SIZE_MAX ? NULL : membership->nodes[first]->name);
	(void)snprintf(
		ret, ID_TEXT, "%s", best == SIZE_MAX ? "" : membership->nodes[indexes[best]]->id);
}

static int admit(struct region *region, struct membership *membership, const struct node *node,
	struct member **ret)
{
	CLEANUP(member_freep) struct member *member = calloc(1, sizeof(*member));
	if (!member || !(member->settings = settings_newest(region->config, node->name)))
		return -ENOMEM;
	bool first = str_equal(membership->cluster->first_server, node->id);
	memcpy(member->id, node->id, sizeof(member->id));
	member->admitted_sec = region_now_sec(region);
	member->restart = rollout_number(region);
	member->reported_restart = -1;
	if (!first)
		choose_server(membership, node, member->server);
	int r = store_member_put(region->store, member);
	if (r < 0)
		return r;
	size_t by = membership_server(membership, member->server);
	if (node->is_server) // a worker's way in is told by the audit entry of its approval
		region_audit(region, "rules", "admit", node->name, "%s%s",
			by == SIZE_MAX ? "it makes the cluster" : "it joins by ",
			by == SIZE_MAX ? "" : membership->nodes[by]->name);
	if (node->is_server)
		region_wake(region, "cluster"); // one more in `servers`
	*ret = TAKE_PTR(member);
	return node->is_server ? membership_reload(region, membership) : 0;
}

/* The server that made the cluster is gone before it was one: who asks first is the next, if it
 * keeps what it makes. */
static int take_first(struct region *region, struct membership *membership, const struct node *node)
{
	struct cluster *cluster = membership->cluster;
	if (!node->is_server || !node->durable || cluster->first_server[0])
		return 0;
	(void)snprintf(cluster->first_server, sizeof(cluster->first_server), "%s", node->id);
	return store_cluster_put(region->store, cluster);
}

int membership_settle(struct region *region, struct membership *membership, const struct node *node,
	struct member **ret, char **ret_waiting, bool *ret_changed)
{
	CLEANUP(member_freep) struct member *member = NULL;
	const struct cluster *cluster = membership->cluster;
	bool may = false;
	*ret = NULL;
	*ret_waiting = NULL;
	*ret_changed = false;
	int r = store_member_get(region->store, node->id, &member);
	if (r == -ENOENT) {
		if ((r = take_first(region, membership, node)) < 0)
			return r;
		may = str_equal(cluster->first_server, node->id);
		if (!may && (r = ask_admission(region, membership, node, &may, ret_waiting)) < 0)
			return r;
		if (!may)
			return 0;
		*ret_changed = true;
		return admit(region, membership, node, ret);
	}
	if (r < 0)
		return r;
	if (!str_equal(cluster->first_server, node->id) &&
		membership_server(membership, member->server) == SIZE_MAX) {
		char by[ID_TEXT];
		choose_server(membership, node, by);
		if (by[0]) { // else the old one stays named: K3s keeps the URL it has
			memcpy(member->server, by, sizeof(by));
			if ((r = store_member_put(region->store, member)) < 0)
				return r;
			*ret_changed = true;
		}
	}
	*ret = TAKE_PTR(member);
	return 0;
}

// ---- leaving

// The next server makes it anew.
static int give_cluster_up(
	struct region *region, struct cluster *cluster, const char *actor, const char *why)
{
	struct member **members;
	size_t n;
	bool was_made = cluster->handed_over != 0;
	int r = store_member_list(region->store, &members, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = store_member_remove(region->store, members[i]->id);
	member_list_free(members, n);
	if (r < 0 || (r = jobs_forget(region, NULL)) < 0 || (r = restore_forget(region)) < 0)
		return r;
	cluster->first_server[0] = '\0';
	cluster->handed_over = cluster->ever_ready = 0;
	str_set(&cluster->identity_hash, NULL);
	if (was_made)
		region_audit(region, actor, "cluster given up", cluster->name,
			"%s; the next server makes it anew", why);
	return store_cluster_put(region->store, cluster);
}

int membership_leave(
	struct region *region, struct cluster *cluster, const struct node *node, const char *actor)
{
	CLEANUP(member_freep) struct member *member = NULL;
	char id[ID_TEXT];
	if (str_equal(cluster->first_server, node->id) && !cluster->ever_ready)
		return give_cluster_up(region, cluster, actor,
			"its first server left before it was ever Ready");
	int r = store_member_get(region->store, node->id, &member);
	if (r < 0)
		return r == -ENOENT ? 0 : r; // it never ran K3s
	if ((r = store_member_remove(region->store, node->id)) < 0 ||
		(r = jobs_forget(region, node->id)) < 0)
		return r;
	if (cluster->handed_over && (r = job_make(region, JOB_FORGET_NODE, node, id)) >= 0)
		region_audit(region, actor, "job", node->name, "%s: %s", id, JOB_FORGET_NODE);
	return r < 0 ? r : membership_step(region);
}

int membership_anew(struct region *region, const char *actor, struct diag *reterr)
{
	CLEANUP(membership_done) struct membership membership = { 0 };
	int r = membership_load(region, &membership);
	if (r < 0)
		return r;
	struct cluster *cluster = membership.cluster;
	if (!cluster->ever_ready)
		return diag_set(reterr, -EALREADY, cluster->name,
			"was never Ready: its next server makes it anyway");
	if (membership.n_servers)
		return diag_set(reterr, -EBUSY, cluster->name,
			"must have no server left, and %s is one; bring it back, or hearth-region "
			"revoke it first",
			membership.servers[0].name);
	if ((r = give_cluster_up(region, cluster, actor, "no server of it is left")) < 0)
		return r;
	region_wake(region, "cluster");
	return 0;
}

int membership_may_leave(struct region *region, const struct node *node, struct diag *reterr)
{
	CLEANUP(membership_done) struct membership membership = { 0 };
	struct quorum quorum;
	int r = membership_load(region, &membership);
	if (r < 0 || !membership.cluster->ever_ready)
		return r;
	size_t i = membership_server(&membership, node->id), n_removed = 0;
	for (size_t j = 0; j < membership.n_jobs; j++)
		n_removed += str_equal(membership.jobs[j]->kind, JOB_FORGET_NODE) &&
			     membership.jobs[j]->was_server;
	if (admission_may_leave(membership.servers, membership.n_servers, n_removed, i, &quorum))
		return 0;
	return diag_set(reterr, -EBUSY, node->name,
		"etcd needs %zu of its %zu voting members%s, and without this server %zu would be "
		"Ready; bring the others back or add servers first (--force revokes it all the "
		"same)",
		quorum.n_needed, quorum.n_voters,
		n_removed ? " (servers that are still being removed count)" : "", quorum.n_left);
}

// ---- what members say

static int take_report(struct region *region, const struct node *node, struct member *member,
	const struct member_report *report, bool *ret_changed)
{
	bool voter = report->has_etcd && report->voter, votes_first = voter && !member->voter_sec;
	if (voter == (member->voter != 0) && !votes_first &&
		report->restart == member->reported_restart &&
		str_equal(report->payload_sha256, member->reported_payload) &&
		(!report->has_etcd || str_equal(report->etcd_name, member->etcd_name)))
		return 0;
	member->voter = voter;
	if (votes_first) {
		member->voter_sec = region_now_sec(region);
		region_audit(region, node->name, "etcd member", node->name, "%s votes",
			report->etcd_name);
	}
	member->reported_restart = report->restart;
	(void)snprintf(member->reported_payload, sizeof(member->reported_payload), "%s",
		report->payload_sha256);
	if (report->has_etcd)
		(void)snprintf(
			member->etcd_name, sizeof(member->etcd_name), "%s", report->etcd_name);
	*ret_changed = true;
	return store_member_put(region->store, member);
}

int membership_report(struct region *region, const struct node *node, bool was_ready,
	const struct member_report *report)
{
	CLEANUP(member_freep) struct member *member = NULL;
	bool changed = was_ready != (node->ready != 0);
	int r = store_member_get(region->store, node->id, &member);
	if (r < 0)
		return r == -ENOENT ? 0 : r; // what it ran before it was admitted does not count
	if ((r = take_report(region, node, member, report, &changed)) < 0 ||
		(r = jobs_take(region, node, report, &changed)) < 0)
		return r;
	if (!changed)
		return 0;
	if (node->is_server)
		region_wake(region, "cluster"); // others may wait for it
	return membership_step(region);
}

int membership_step(struct region *region)
{
	CLEANUP(membership_done) struct membership membership = { 0 };
	CLEANUP(rollout_freep) struct rollout *rollout = NULL;
	CLEANUP(restore_freep) struct restore *restore = NULL;
	bool placed = false, more = true, changed = false;
	int r = mesh_leave_step(region);
	if (r < 0 || (r = restore_go_on(region, &changed)) < 0)
		return r;
	if (changed)
		region_wake(region, "cluster");
	r = restore_load(region, &restore);
	if (restore_holds(restore) || (r < 0 && r != -ENOENT))
		return r < 0 ? r : 0; // jobs and rollouts wait: there is no cluster to do them in
	changed = false;
	r = membership_load(region, &membership);
	if (r < 0 || (r = jobs_place(region, &membership, &placed)) < 0)
		return r;
	r = store_rollout_get(region->store, region->config->name, &rollout);
	if (r < 0 && r != -ENOENT)
		return r;
	while (r >= 0 && rollout->state == ROLLOUT_RUNNING && more) {
		more = false;
		if ((r = rollout_go_on(region, &membership, rollout, &more)) < 0)
			return r;
		changed |= more;
	}
	if (changed) { // with its new jobs
		if ((r = membership_reload(region, &membership)) < 0 ||
			(r = jobs_place(region, &membership, &placed)) < 0)
			return r;
	}
	if (changed || placed)
		region_wake(region, "cluster");
	return 0;
}
