// SPDX-License-Identifier: Apache-2.0
#include "region/rollout.h"

size_t rollout_next(const struct rollout_candidate *candidates, size_t n)
{
	for (int class = 0; class < 4; class ++) {
		bool servers = class < 2, ready = class % 2 != 0;
		for (size_t i = 0; i < n; i++)
			if (candidates[i].outdated && candidates[i].is_server == servers &&
				candidates[i].ready == ready)
				return i;
	}
	return SIZE_MAX;
}

static const char *words(const char *sentence)
{
	return sentence && sentence[0] ? sentence : "it gave no reason";
}

static bool is_late(const struct rollout *rollout, const struct rollout_facts *facts)
{
	return facts->now_sec - rollout->since_sec >= rollout->timeout_sec;
}

static enum rollout_action decide_pick(
	const struct rollout *rollout, const struct rollout_facts *facts, char **ret)
{
	if (!facts->has_node) {
		*ret = str_format("every node runs the newest settings");
		return ROLLOUT_END;
	}
	bool is_up = facts->ready && !facts->silent;
	if (!is_up || !facts->unready_server) {
		*ret = str_format("it is the turn of %s", facts->name);
		return ROLLOUT_TAKE;
	}
	if (is_late(rollout, facts)) {
		*ret = str_format(
			"server %s was not Ready for %lld s, and %s may not restart before "
			"it is; mend it, then hearth-region rollout resume",
			facts->unready_server, (long long)rollout->timeout_sec, facts->name);
		return ROLLOUT_FAIL;
	}
	*ret = str_format(
		"waits until server %s is Ready; %s is next", facts->unready_server, facts->name);
	return ROLLOUT_WAIT;
}

// A step that is one job: make it, wait for it, go on with @after.
static enum rollout_action decide_job(const struct rollout *rollout,
	const struct rollout_facts *facts, const char *what, enum rollout_action make,
	enum rollout_action after, char **ret)
{
	switch (facts->job) {
	case ROLLOUT_JOB_NONE:
		*ret = str_format("%s %s", what, facts->name);
		return make;
	case ROLLOUT_JOB_DONE:
		*ret = str_format("%s %s: done", what, facts->name);
		return after;
	case ROLLOUT_JOB_FAILED:
		*ret = str_format("%s %s failed: %s; mend that, then hearth-region rollout resume",
			what, facts->name, words(facts->job_sentence));
		return ROLLOUT_FAIL;
	case ROLLOUT_JOB_GOES_ON:
		break;
	}
	if (is_late(rollout, facts)) {
		*ret = str_format(
			"%s %s was not done within %lld s: %s; mend that, then hearth-region "
			"rollout resume",
			what, facts->name, (long long)rollout->timeout_sec,
			facts->job_server ? words(facts->job_sentence)
					  : "no server is Ready to do it");
		return ROLLOUT_FAIL;
	}
	*ret = facts->job_server
		       ? str_format("%s %s, by %s%s%s", what, facts->name, facts->job_server,
				 facts->job_sentence && facts->job_sentence[0] ? ": " : "",
				 facts->job_sentence ? facts->job_sentence : "")
		       : str_format("%s %s: waits until a server is Ready to do it", what,
				 facts->name);
	return ROLLOUT_WAIT;
}

static enum rollout_action decide_drain(
	const struct rollout *rollout, const struct rollout_facts *facts, char **ret)
{
	bool is_up = facts->ready && !facts->silent;
	if (facts->job == ROLLOUT_JOB_NONE && (!is_up || !facts->has_other_server)) {
		*ret = str_format(is_up ? "%s has no other server that could drain it"
					: "%s is not Ready: there is nothing to drain",
			facts->name);
		return ROLLOUT_APPLY;
	}
	// A server may have died since its turn began: restarting this one could take the majority.
	if (facts->job != ROLLOUT_JOB_DONE || !is_up || !facts->unready_server)
		return decide_job(rollout, facts, "drain of", ROLLOUT_DRAIN, ROLLOUT_APPLY, ret);
	if (is_late(rollout, facts)) {
		*ret = str_format("%s is drained, and server %s was not Ready within %lld s; %s "
				  "stays cordoned; mend it, then hearth-region rollout resume",
			facts->name, facts->unready_server, (long long)rollout->timeout_sec,
			facts->name);
		return ROLLOUT_FAIL;
	}
	*ret = str_format("%s is drained; waits until server %s is Ready", facts->name,
		facts->unready_server);
	return ROLLOUT_WAIT;
}

static enum rollout_action decide_apply(
	const struct rollout *rollout, const struct rollout_facts *facts, char **ret)
{
	bool runs = facts->restart == facts->wanted_restart && facts->payload_fits;
	bool is_up = facts->ready && !facts->silent && (facts->voter || !facts->is_server);
	if (runs && is_up) {
		*ret = str_format("%s is Ready with the new settings", facts->name);
		return ROLLOUT_UNCORDON;
	}
	const char *lacks = facts->silent  ? "it is silent; look at its screen"
			    : !runs	   ? "its K3s does not run with the new settings yet"
			    : facts->ready ? "it is no voting member of etcd"
					   : "its K3s runs with the new settings but is not Ready";
	if (is_late(rollout, facts)) {
		*ret = str_format(
			"%s did not come back within %lld s: %s (it says: %.300s); mend it, "
			"then hearth-region rollout resume",
			facts->name, (long long)rollout->timeout_sec, lacks,
			words(facts->sentence));
		return ROLLOUT_FAIL;
	}
	*ret = str_format("waits until %s is back: %s", facts->name, lacks);
	return ROLLOUT_WAIT;
}

enum rollout_action rollout_decide(
	const struct rollout *rollout, const struct rollout_facts *facts, char **ret_sentence)
{
	*ret_sentence = NULL;
	if (rollout->step == ROLLOUT_STEP_PICK)
		return decide_pick(rollout, facts, ret_sentence);
	if (!facts->has_node)
		return ROLLOUT_SKIP;
	if (rollout->step == ROLLOUT_STEP_DRAIN)
		return decide_drain(rollout, facts, ret_sentence);
	if (rollout->step == ROLLOUT_STEP_APPLY)
		return decide_apply(rollout, facts, ret_sentence);
	return decide_job(
		rollout, facts, "uncordon of", ROLLOUT_UNCORDON, ROLLOUT_NEXT, ret_sentence);
}

const char *rollout_state_name(int64_t state)
{
	static const char *const names[] = { "running", "stopped", "failed", "done" };
	return state >= 0 && (size_t)state < N_ELEMENTS(names) ? names[state] : "unknown";
}

const char *rollout_step_name(int64_t step)
{
	static const char *const names[] = { "pick", "drain", "apply", "uncordon" };
	return step >= 0 && (size_t)step < N_ELEMENTS(names) ? names[step] : "unknown";
}
