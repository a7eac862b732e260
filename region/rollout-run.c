// SPDX-License-Identifier: Apache-2.0
#include "region/rollout-run.h"

#include "region/job-run.h"
#include "region/restore-run.h"
#include "region/settings.h"

#include <errno.h>

int64_t rollout_number(struct region *region)
{
	CLEANUP(rollout_freep) struct rollout *rollout = NULL;
	return store_rollout_get(region->store, region->config->name, &rollout) < 0
		       ? 0
		       : rollout->restart;
}

int rollout_loaded(struct region *region)
{
	CLEANUP(rollout_freep) struct rollout *rollout = NULL;
	int r = store_rollout_get(region->store, region->config->name, &rollout);
	if (r < 0 || rollout->state != ROLLOUT_RUNNING)
		return r == -ENOENT ? 0 : r;
	rollout->since_sec += region->away_sec;
	return store_rollout_put(region->store, rollout);
}

struct turn {
	struct node *node;
	struct member *member;
};

static void turn_done(struct turn *turn)
{
	node_free(turn->node);
	member_free(turn->member);
	*turn = (struct turn){ 0 };
}

static int is_outdated(struct region *region, const struct node *node, const struct member *member,
	const struct rollout *rollout, bool *ret)
{
	AUTO_FREE char *newest = settings_newest(region->config, node->name);
	*ret = !str_equal(newest, member->settings) || (rollout && member->restart < rollout->all);
	return newest ? 0 : -ENOMEM;
}

// Visit every member that is a live node, by number, with whether it is outdated.
struct survey {
	struct node **nodes;
	struct rollout_candidate *candidates;
	size_t n, n_outdated;
};

static void survey_done(struct survey *survey)
{
	node_list_free(survey->nodes, survey->n);
	free(survey->candidates);
}

static int survey_members(struct region *region, const struct rollout *rollout, struct survey *ret)
{
	int r = store_node_list(region->store, &ret->nodes, &ret->n);
	if (r < 0)
		return r;
	ret->candidates = calloc(ret->n + 1, sizeof(*ret->candidates));
	if (!ret->candidates)
		return -ENOMEM;
	for (size_t i = 0; i < ret->n && r >= 0; i++) {
		CLEANUP(member_freep) struct member *member = NULL;
		const struct node *node = ret->nodes[i];
		struct rollout_candidate *candidate = &ret->candidates[i];
		candidate->is_server = node->is_server != 0;
		candidate->ready = node->ready && !node->quarantined &&
				   region_silence_sec(region, node) <= JOB_SILENT_SEC;
		if (node->state == NODE_REVOKED)
			continue;
		r = store_member_get(region->store, node->id, &member);
		if (r == -ENOENT)
			r = 0;
		else if (r >= 0)
			r = is_outdated(region, node, member, rollout, &candidate->outdated);
		ret->n_outdated += candidate->outdated;
	}
	return r;
}

int rollout_count_older(struct region *region, size_t *ret)
{
	CLEANUP(survey_done) struct survey survey = { 0 };
	int r = survey_members(region, NULL, &survey);
	*ret = survey.n_outdated;
	return r;
}

// The node whose turn it is; in the step PICK: whose turn it would be. Empty: there is none.
static int find_turn(struct region *region, const struct rollout *rollout, struct turn *ret)
{
	CLEANUP(survey_done) struct survey survey = { 0 };
	const char *id = rollout->node;
	int r = 0;
	if (rollout->step == ROLLOUT_STEP_PICK) {
		if ((r = survey_members(region, rollout, &survey)) < 0)
			return r;
		size_t next = rollout_next(survey.candidates, survey.n);
		if (next == SIZE_MAX)
			return 0;
		id = survey.nodes[next]->id;
	}
	r = store_member_get(region->store, id, &ret->member);
	if (r == -ENOENT)
		return 0; // it left
	return r < 0 ? r : store_node_by_id(region->store, id, &ret->node);
}

static int job_facts(struct region *region, const struct membership *membership,
	const struct rollout *rollout, struct job **ret_job, struct rollout_facts *facts)
{
	int r = rollout->job[0] ? store_job_get(region->store, rollout->job, ret_job) : 1;
	if (r == -ENOENT)
		facts->job = ROLLOUT_JOB_DONE;
	if (r != 0)
		return r == -ENOENT || r > 0 ? 0 : r;
	size_t server = membership_server(membership, (*ret_job)->server);
	facts->job = (*ret_job)->state == JOB_FAILED ? ROLLOUT_JOB_FAILED : ROLLOUT_JOB_GOES_ON;
	facts->job_sentence = (*ret_job)->sentence;
	facts->job_server = server == SIZE_MAX ? NULL : membership->nodes[server]->name;
	return 0;
}

static void server_facts(
	const struct membership *membership, const char *node_id, struct rollout_facts *facts)
{
	for (size_t i = 0; i < membership->n_servers; i++) {
		const struct admission_server *server = &membership->servers[i];
		if (str_equal(membership->nodes[i]->id, node_id))
			continue;
		facts->has_other_server = true;
		if (!facts->unready_server && (!server->ready || server->silent || !server->voter))
			facts->unready_server = server->name;
	}
}

static int node_facts(struct region *region, const struct turn *turn, struct value **ret_status,
	struct rollout_facts *facts)
{
	const struct node *node = turn->node;
	const struct member *member = turn->member;
	CLEANUP(value_freep) struct value *settings = NULL;
	facts->has_node = true;
	facts->name = node->name;
	facts->is_server = node->is_server != 0;
	facts->ready = node->ready && !node->quarantined;
	facts->voter = member->voter != 0;
	facts->silent = region_silence_sec(region, node) > JOB_SILENT_SEC;
	facts->restart = member->reported_restart;
	facts->wanted_restart = member->restart;
	if (member->settings && member->settings[0] &&
		json_parse(member->settings, strlen(member->settings), 0, &settings, NULL) < 0)
		return -EBADMSG;
	facts->payload_fits = settings_payload_fits(settings, member->reported_payload);
	if (node->quarantined)
		facts->sentence = QUARANTINE_SENTENCE;
	else if (node->status &&
		 json_parse(node->status, strlen(node->status), 0, ret_status, NULL) >= 0)
		facts->sentence = value_text(value_find(*ret_status, "sentence"));
	return 0;
}

static void begin_step(struct region *region, struct rollout *rollout, enum rollout_step step)
{
	rollout->step = step;
	rollout->since_sec = region_now_sec(region);
	rollout->job[0] = '\0';
	if (step == ROLLOUT_STEP_PICK)
		rollout->node[0] = '\0';
}

static int give_newest(struct region *region, const struct rollout *rollout, struct turn *turn)
{
	char *newest = settings_newest(region->config, turn->node->name);
	if (!newest)
		return -ENOMEM;
	free(turn->member->settings);
	turn->member->settings = newest;
	turn->member->restart = rollout->restart;
	region_audit(region, "rules", "rollout", turn->node->name,
		"gets the newest settings, restart %lld", (long long)rollout->restart);
	return store_member_put(region->store, turn->member);
}

static int fail_rollout(
	struct region *region, struct rollout *rollout, const struct job *job, const char *sentence)
{
	rollout->state = ROLLOUT_FAILED;
	region_audit(region, "rules", "rollout failed", rollout->cluster, "%s", sentence);
	if (!job || job->state == JOB_FAILED)
		return 0; // a failed job is shown
	rollout->job[0] = '\0';
	return store_job_remove(region->store, job->id);
}

static int act(struct region *region, struct rollout *rollout, enum rollout_action action,
	struct turn *turn, const struct job *job, const char *sentence)
{
	switch (action) {
	case ROLLOUT_WAIT:
		return 0;
	case ROLLOUT_TAKE:
		begin_step(region, rollout, ROLLOUT_STEP_DRAIN);
		(void)snprintf(rollout->node, sizeof(rollout->node), "%s", turn->node->id);
		return 0;
	case ROLLOUT_DRAIN:
		return job_make(region, JOB_DRAIN, turn->node, rollout->job);
	case ROLLOUT_APPLY:
		begin_step(region, rollout, ROLLOUT_STEP_APPLY);
		return give_newest(region, rollout, turn);
	case ROLLOUT_UNCORDON:
		if (rollout->step == ROLLOUT_STEP_UNCORDON)
			return job_make(region, JOB_UNCORDON, turn->node, rollout->job);
		begin_step(region, rollout, ROLLOUT_STEP_UNCORDON);
		return 0;
	case ROLLOUT_NEXT:
		rollout->n_done++;
		begin_step(region, rollout, ROLLOUT_STEP_PICK);
		return 0;
	case ROLLOUT_SKIP:
		begin_step(region, rollout, ROLLOUT_STEP_PICK);
		return job ? store_job_remove(region->store, job->id) : 0;
	case ROLLOUT_END:
		rollout->state = ROLLOUT_DONE;
		region_audit(region, "rules", "rollout done", rollout->cluster, "%lld nodes",
			(long long)rollout->n_done);
		return 0;
	case ROLLOUT_FAIL:
		return fail_rollout(region, rollout, job, sentence);
	}
	return 0;
}

// One step of the rollout. *ret_changed: something happened; call again.
int rollout_go_on(struct region *region, const struct membership *membership,
	struct rollout *rollout, bool *ret_changed)
{
	CLEANUP(turn_done) struct turn turn = { 0 };
	CLEANUP(job_freep) struct job *job = NULL;
	CLEANUP(value_freep) struct value *status = NULL;
	AUTO_FREE char *sentence = NULL;
	struct rollout_facts facts = { .now_sec = region_now_sec(region), .restart = -1 };
	int r = find_turn(region, rollout, &turn);
	if (r < 0 || (r = job_facts(region, membership, rollout, &job, &facts)) < 0 ||
		(turn.node && (r = node_facts(region, &turn, &status, &facts)) < 0))
		return r;
	server_facts(membership, turn.node ? turn.node->id : "", &facts);
	enum rollout_action action = rollout_decide(rollout, &facts, &sentence);
	*ret_changed = action != ROLLOUT_WAIT;
	if (!*ret_changed && str_equal(sentence, rollout->sentence))
		return 0;
	if ((r = act(region, rollout, action, &turn, job, sentence ? sentence : "")) < 0)
		return r;
	str_set(&rollout->sentence, sentence);
	return store_rollout_put(region->store, rollout);
}

int rollout_mark(struct region *region, const char *node_id)
{
	CLEANUP(member_freep) struct member *member = NULL;
	if (store_member_get(region->store, node_id, &member) < 0)
		return 0;
	size_t n = member->settings ? strlen(member->settings) : 0;
	if (n == 0 || member->settings[n - 1] == ' ')
		return 0; // it differs already
	char *marked = str_format("%s ", member->settings);
	if (!marked)
		return -ENOMEM;
	free(member->settings);
	member->settings = marked;
	return store_member_put(region->store, member);
}

static int refuse_while_restored(struct region *region, struct diag *reterr)
{
	AUTO_FREE char *waiting = NULL;
	int r = restore_hinders(region, &waiting);
	return r < 0 || !waiting ? r : diag_set(reterr, -EBUSY, "rollout", "%s", waiting); // 1: there was one
}

int rollout_start(struct region *region, const char *actor, bool all, int64_t timeout_sec,
	struct diag *reterr)
{
	CLEANUP(rollout_freep) struct rollout *before = NULL;
	CLEANUP(survey_done) struct survey survey = { 0 };
	struct rollout rollout = { .state = ROLLOUT_RUNNING,
		.timeout_sec = timeout_sec,
		.started_sec = region_now_sec(region),
		.since_sec = region_now_sec(region) };
	int r = refuse_while_restored(region, reterr);
	if (r < 0)
		return r;
	r = store_rollout_get(region->store, region->config->name, &before);
	if (r < 0 && r != -ENOENT)
		return r;
	if (before && before->state == ROLLOUT_RUNNING)
		return diag_set(reterr, -EALREADY, "rollout",
			"one is going on: hearth-region rollout status");
	rollout.restart = (before ? before->restart : 0) + 1;
	rollout.all = all ? rollout.restart : 0;
	(void)snprintf(rollout.cluster, sizeof(rollout.cluster), "%s", region->config->name);
	(void)snprintf(rollout.actor, sizeof(rollout.actor), "%s", actor);
	if (before && before->job[0] && (r = store_job_remove(region->store, before->job)) < 0)
		return r;
	// A node that a rollout left half way is taken up by the next one, whatever settings it has.
	if (before && before->node[0] && (r = rollout_mark(region, before->node)) < 0)
		return r;
	if ((r = survey_members(region, &rollout, &survey)) < 0)
		return r;
	if (survey.n_outdated == 0)
		return diag_set(reterr, -EALREADY, "rollout",
			"every node runs the newest settings; --restart restarts them all the "
			"same");
	if ((r = store_rollout_put(region->store, &rollout)) < 0)
		return r;
	region_audit(region, actor, "rollout start", rollout.cluster, "%zu nodes, restart %lld%s",
		survey.n_outdated, (long long)rollout.restart, all ? ", every node" : "");
	return membership_step(region);
}

static int get_rollout(struct region *region, struct rollout **ret, struct diag *reterr)
{
	int r = store_rollout_get(region->store, region->config->name, ret);
	return r == -ENOENT ? diag_set(reterr, r, "rollout",
				      "there was none yet: hearth-region rollout start")
			    : r;
}

int rollout_stop(struct region *region, const char *actor, struct diag *reterr)
{
	CLEANUP(rollout_freep) struct rollout *rollout = NULL;
	CLEANUP(node_freep) struct node *node = NULL;
	int r = get_rollout(region, &rollout, reterr);
	if (r < 0)
		return r;
	if (rollout->state != ROLLOUT_RUNNING)
		return diag_set(
			reterr, -EALREADY, "rollout", "is %s", rollout_state_name(rollout->state));
	if (rollout->job[0] && (r = store_job_remove(region->store, rollout->job)) < 0)
		return r;
	rollout->job[0] = '\0';
	rollout->state = ROLLOUT_STOPPED;
	if (rollout->node[0] && store_node_by_id(region->store, rollout->node, &node) < 0)
		node = NULL;
	AUTO_FREE char *sentence =
		node ? str_format("%s stopped it in the turn of %s, which may be cordoned; "
				  "hearth-region rollout resume goes on",
			       actor, node->name)
		     : str_format("%s stopped it; hearth-region rollout resume goes on", actor);
	str_set(&rollout->sentence, sentence);
	region_audit(region, actor, "rollout stop", rollout->cluster, "%s", node ? node->name : "");
	region_wake(region, "cluster");
	return store_rollout_put(region->store, rollout);
}

// cluster.yaml was mended since: its turn begins anew, with a new number.
static int give_again(struct region *region, struct rollout *rollout)
{
	CLEANUP(turn_done) struct turn turn = { 0 };
	bool outdated = false;
	int r = find_turn(region, rollout, &turn);
	if (r < 0 || !turn.node ||
		(r = is_outdated(region, turn.node, turn.member, NULL, &outdated)) < 0 || !outdated)
		return r;
	rollout->restart++;
	rollout->step = ROLLOUT_STEP_DRAIN;
	return 0;
}

int rollout_resume(struct region *region, const char *actor, struct diag *reterr)
{
	CLEANUP(rollout_freep) struct rollout *rollout = NULL;
	int r = refuse_while_restored(region, reterr);
	if (r < 0 || (r = get_rollout(region, &rollout, reterr)) < 0)
		return r;
	if (rollout->state != ROLLOUT_STOPPED && rollout->state != ROLLOUT_FAILED)
		return diag_set(
			reterr, -EALREADY, "rollout", "is %s", rollout_state_name(rollout->state));
	if (rollout->job[0] && (r = store_job_remove(region->store, rollout->job)) < 0)
		return r;
	rollout->job[0] = '\0';
	rollout->state = ROLLOUT_RUNNING;
	rollout->since_sec = region_now_sec(region);
	if (rollout->step == ROLLOUT_STEP_APPLY && (r = give_again(region, rollout)) < 0)
		return r;
	if ((r = store_rollout_put(region->store, rollout)) < 0)
		return r;
	region_audit(region, actor, "rollout resume", rollout->cluster, "%s",
		rollout_step_name(rollout->step));
	return membership_step(region);
}
