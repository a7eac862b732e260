// Jobs of the assignment: each is asked step by step at this server's own API (what the steps are is k3s/job.c's business), or
// is one of K3s' own commands (agent-command.c).
// Nothing of them is stored: a hearthd that is restarted begins them again, which is harmless.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/log.h"
#include "base/time.h"
#include "base/timer.h"
#include "k3s/token.h"
#include <errno.h>

struct agent_job {
	struct agent *agent;
	char id[32];
	struct job *job; // NULL: a command of K3s, or a kind we do not know
	char *unknown_kind;
	enum job_kind kind;
	enum job_state state;                    // of a command
	char sentence[K3S_COMMAND_SENTENCE_MAX]; // the same
	bool asking;
	sd_event_source *timer;
	bool waiting;
};

/* The region gives a job to another server when it has not heard this one for 60 s. Whoever is cut off stops before that:
 * our statuses, of which one goes out at least every 20 s while there is a job, are what keeps both sides heard. */
enum { SILENCE_MAX_SEC = 45, TOKEN_AGAIN_SEC = 10 };

static void drive(struct agent_job *j);

/* An assignment out of STATE may be of a time long ago: the node that a job drains may have a successor of the same name.
 * Jobs count once the region has said in this start that this assignment stands, and while it is heard. */
static bool jobs_stand(const struct agent *a)
{
	const struct region_client *region = a->region;
	if (a->from_seed)
		return true;
	return region && region->assignment_answered && !region->assignment_refused &&
	       time_boot_usec() - region->heard_usec <= SILENCE_MAX_SEC * USEC_PER_SEC;
}

static struct agent_job *job_done(struct agent_job *j)
{
	if (j->asking && j->agent->kube)
		kube_forget(j->agent->kube, j);
	sd_event_source_disable_unref(j->timer);
	job_free(j->job);
	free(j->unknown_kind);
	free(j);
	return NULL;
}

static int on_wait_over(sd_event_source *source, uint64_t usec, void *user)
{
	struct agent_job *j = user;
	j->waiting = false;
	drive(j);
	return 0;
}

static void wait_for(struct agent_job *j, unsigned sec)
{
	int r = timer_arm_new(j->agent->event, &j->timer, sec * USEC_PER_SEC, 0, on_wait_over, j);
	j->waiting = r >= 0; // without a timer the next tick goes on
}

static void on_answer(const struct kube_answer *answer, void *user)
{
	struct agent_job *j = user;
	struct job_answer given = {
		.status = answer->status,
		.object = answer->error == 0 ? answer->object : answer->refusal,
		.problem = answer->error < 0 ? diag_text(answer->diag) : NULL,
	};
	j->asking = false;
	j->agent->kube_stale |= answer->status == 401;
	job_take(j->job, &given);
	drive(j);
}

// Ask the next question, or wait, or be over.
static void drive(struct agent_job *j)
{
	struct agent *a = j->agent;
	struct job_question question;
	unsigned wait_sec = 0;
	if (!jobs_stand(a))
		return; // the tick tries again
	if (!j->job || j->asking || j->waiting || !a->kube || a->kube_stale)
		return;
	if (job_next(j->job, &question, &wait_sec)) {
		j->asking = kube_request(a->kube, question.method, question.path, question.body, on_answer, j) >= 0;
		if (!j->asking)
			wait_for(j, 1); // job_next() gives the same question again
	} else if (wait_sec) {
		wait_for(j, wait_sec);
	} else if (job_state(j->job) == JOB_FAILED) {
		log_warning("job %s failed: %s", j->id, job_sentence(j->job));
	} else {
		log_notice("job %s is done", j->id);
	}
	agent_kick(a); // its sentence may be new
}

// ---- commands of K3s

static bool is_command(const struct agent_job *j)
{
	return !j->unknown_kind && job_is_command(j->kind);
}

// The new token comes with the secrets. False: it is not here yet. @token owns it.
static bool command_of(struct agent *a, const struct agent_job *j, struct k3s_token *token, struct k3s_command *ret)
{
	*ret = (struct k3s_command){ .id = j->id, .kind = K3S_COMMAND_SNAPSHOT, .folder = agent_snapshots_folder(a) };
	if (j->kind != JOB_ROTATE_TOKEN)
		return true;
	if (!a->secrets.token_next || k3s_token_parse(a->secrets.token_next, token, NULL) < 0)
		return false;
	*ret = (struct k3s_command){ .id = j->id, .kind = K3S_COMMAND_ROTATE, .new_token = token->secret };
	return true;
}

static void drive_command(struct agent_job *j)
{
	struct agent *a = j->agent;
	struct k3s_token token CLEANUP(k3s_token_done) = { 0 };
	struct k3s_command command;
	if (j->state != JOB_RUNNING)
		return;
	if (!jobs_stand(a))
		return; // the tick tries again
	if (!agent_k3s_is_settled(a)) {
		(void)snprintf(j->sentence, sizeof(j->sentence), "K3s of this server does not run yet, which does the work");
		return;
	}
	if (!command_of(a, j, &token, &command)) {
		(void)snprintf(j->sentence, sizeof(j->sentence), "waiting for the region to give the new token");
		agent_secrets_again(a, TOKEN_AGAIN_SEC);
		return;
	}
	j->state = agent_command_do(a, &command, j->sentence);
	if (j->state == JOB_FAILED)
		log_warning("job %s failed: %s", j->id, j->sentence);
	else if (j->state == JOB_DONE)
		log_notice("job %s is done: %s", j->id, j->sentence);
	if (j->state == JOB_DONE && j->kind == JOB_ROTATE_TOKEN) { // should K3s end now, it starts with what it has
		a->k3s_token_next = true;
		a->k3s_configured = false;
	}
	if (j->state != JOB_RUNNING)
		agent_kick(a);
}

static bool is_wanted(const struct agent *a, const struct agent_job *j)
{
	for (size_t i = 0; i < a->assignment->n_jobs; i++)
		if (str_equal(a->assignment->jobs[i].id, j->id))
			return true;
	return false;
}

static bool is_known(const struct agent *a, const char *id)
{
	for (size_t i = 0; i < a->n_jobs; i++)
		if (str_equal(a->jobs[i]->id, id))
			return true;
	return false;
}

static void begin(struct agent *a, const struct assignment_job *wanted)
{
	struct agent_job *j = calloc(1, sizeof(*j));
	if (!j)
		return; // at the next tick
	j->agent = a;
	j->kind = wanted->kind;
	j->state = JOB_RUNNING;
	(void)snprintf(j->id, sizeof(j->id), "%s", wanted->id); // its form was checked
	if (wanted->unknown_kind)
		str_set(&j->unknown_kind, wanted->unknown_kind);
	else if (!job_is_command(wanted->kind) && job_new(wanted->kind, wanted->node, a->assignment->node_name, wanted->created_sec, &j->job) < 0) {
		free(j);
		return;
	}
	a->jobs[a->n_jobs++] = j;
	log_notice("job %s: %s %s", j->id, wanted->unknown_kind ? wanted->unknown_kind : job_kind_text(wanted->kind), wanted->node);
	if (j->job)
		drive(j);
}

void agent_jobs_act(struct agent *a)
{
	if (a->options.without_network || !a->assignment)
		return;
	for (size_t i = a->n_jobs; i-- > 0;)
		if (!is_wanted(a, a->jobs[i])) {
			(void)job_done(a->jobs[i]);
			a->jobs[i] = a->jobs[--a->n_jobs];
		}
	for (size_t i = 0; i < a->assignment->n_jobs && a->n_jobs < ASSIGNMENT_MAX_JOBS; i++)
		if (!is_known(a, a->assignment->jobs[i].id))
			begin(a, &a->assignment->jobs[i]);
	for (size_t i = 0; i < a->n_jobs; i++)
		if (is_command(a->jobs[i]))
			drive_command(a->jobs[i]);
		else if (a->jobs[i]->job && job_state(a->jobs[i]->job) == JOB_RUNNING && !a->jobs[i]->asking && !a->jobs[i]->waiting)
			drive(a->jobs[i]); // the kube client was not there yet, or the region was silent
}

void agent_jobs_pause(struct agent *a)
{
	for (size_t i = 0; i < a->n_jobs; i++)
		a->jobs[i]->asking = false; // its call goes with the client; the question is asked again
}

void agent_jobs_done(struct agent *a)
{
	while (a->n_jobs)
		(void)job_done(a->jobs[--a->n_jobs]);
}

void agent_jobs_to_json(const struct agent *a, struct json_out *out)
{
	json_out_object_begin(out);
	for (size_t i = 0; i < a->n_jobs; i++) {
		const struct agent_job *j = a->jobs[i];
		json_out_key(out, j->id);
		json_out_object_begin(out);
		if (j->job) {
			json_out_member(out, "state", job_state_text(job_state(j->job)));
			json_out_member(out, "sentence", job_state(j->job) == JOB_RUNNING && !a->kube
				? "K3s of this server does not run yet, which does the work" : job_sentence(j->job));
		} else if (is_command(j)) {
			json_out_member(out, "state", job_state_text(j->state));
			json_out_member(out, "sentence", j->sentence);
		} else {
			char *sentence AUTO_FREE = str_format("this hearthd knows no job \"%s\"; its image is older than the region",
				j->unknown_kind ? j->unknown_kind : "");
			json_out_member(out, "state", "failed");
			json_out_member(out, "sentence", sentence);
		}
		json_out_object_end(out);
	}
	json_out_object_end(out);
}
