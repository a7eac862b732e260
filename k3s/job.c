// The steps of each kind. A refusal that time may mend (the API away, a budget, a conflict) is waited out with its
// sentence; one that it does not (no such node to open, forbidden) fails the job.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/job.h"
#include "base/json.h"
#include "base/time.h"
#include <errno.h>
#include <stdarg.h>

enum { AGAIN_SEC = 5, GONE_SEC = 2, MAX_PODS = 1024 };

enum step {
	STEP_LOOK,    // forget: GET the Node, to know its uid
	STEP_DELETE,  // forget: DELETE it
	STEP_GONE,    // forget: GET until it is gone
	STEP_SECRET,  // forget: DELETE the node password
	STEP_CORDON,  // drain: PATCH unschedulable
	STEP_LIST,    // drain: GET its pods
	STEP_EVICT,   // drain: POST one eviction after the other
	STEP_UNCORDON,
	STEP_END,
};

struct pod {
	char *name, *namespace;
	bool going; // deleted already: its kubelet has to confirm
};

struct job {
	enum job_kind kind;
	enum job_state state;
	enum step step;
	char *node, *self;
	int64_t created_sec;
	unsigned wait_sec; // before the next question, once
	char uid[64];      // of the Node that is to go
	size_t n_pods, at;
	struct pod pods[MAX_PODS];
	char *path, *body;
	char sentence[512];
	char held[384]; // drain: the first pod of this round that may not go yet, and why
};

static const char *const kinds[] = {
	[JOB_FORGET_NODE] = "forget-node", [JOB_DRAIN] = "drain", [JOB_UNCORDON] = "uncordon",
	[JOB_ETCD_SNAPSHOT] = "etcd-snapshot", [JOB_ROTATE_TOKEN] = "rotate-token"};

bool job_is_command(enum job_kind kind)
{
	return kind == JOB_ETCD_SNAPSHOT || kind == JOB_ROTATE_TOKEN;
}

const char *job_kind_text(enum job_kind kind)
{
	return kinds[kind];
}

int job_kind_parse(const char *text, enum job_kind *ret)
{
	for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
		if (str_equal(text, kinds[i])) {
			*ret = (enum job_kind)i;
			return 0;
		}
	return -EINVAL;
}

const char *job_state_text(enum job_state state)
{
	switch (state) {
	case JOB_RUNNING:
		return "running";
	case JOB_DONE:
		return "done";
	case JOB_FAILED:
		return "failed";
	}
	return "failed";
}

enum job_state job_state(const struct job *job)
{
	return job->state;
}

const char *job_sentence(const struct job *job)
{
	return job->sentence;
}

static void say(struct job *job, const char *format, ...) PRINTF_LIKE(2, 3);
static void say(struct job *job, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(job->sentence, sizeof(job->sentence), format, args);
	va_end(args);
}

static void end(struct job *job, enum job_state state)
{
	job->state = state;
	job->step = STEP_END;
	if (state == JOB_DONE)
		job->sentence[0] = '\0';
}

static void pods_done(struct job *job)
{
	for (size_t i = 0; i < job->n_pods; i++) {
		free(job->pods[i].name);
		free(job->pods[i].namespace);
	}
	job->n_pods = job->at = 0;
}

int job_new(enum job_kind kind, const char *node, const char *self, int64_t created_sec, struct job **ret)
{
	struct job *job CLEANUP(job_freep) = job_is_command(kind) ? NULL : calloc(1, sizeof(*job));

	if (!job)
		return job_is_command(kind) ? -EINVAL : -ENOMEM;
	job->kind = kind;
	job->created_sec = created_sec;
	job->node = strdup(node);
	job->self = strdup(self);
	if (!job->node || !job->self)
		return -ENOMEM;
	switch (kind) {
	case JOB_FORGET_NODE:
		job->step = STEP_LOOK;
		say(job, "taking %s out of the cluster", node);
		if (str_equal(node, self)) {
			say(job, "%s does not forget itself: another server has to; the region's admin can tell", node);
			end(job, JOB_FAILED);
		}
		break;
	case JOB_DRAIN:
		job->step = STEP_CORDON;
		say(job, "closing %s for new pods", node);
		break;
	case JOB_UNCORDON:
		job->step = STEP_UNCORDON;
		say(job, "opening %s for pods", node);
		break;
	case JOB_ETCD_SNAPSHOT:
	case JOB_ROTATE_TOKEN:
		break;
	}
	*ret = TAKE_PTR(job);
	return 0;
}

struct job *job_free(struct job *job)
{
	if (!job)
		return NULL;
	pods_done(job);
	free(job->node);
	free(job->self);
	free(job->path);
	free(job->body);
	free(job);
	return NULL;
}

// ---- asking

// A delete that cannot hit a Node that was registered anew under the name meanwhile.
static char *delete_body(const struct job *job)
{
	struct json_out out = {0};

	json_out_object_begin(&out);
	json_out_member(&out, "apiVersion", "v1");
	json_out_member(&out, "kind", "DeleteOptions");
	json_out_key(&out, "preconditions");
	json_out_object_begin(&out);
	json_out_member(&out, "uid", job->uid);
	json_out_object_end(&out);
	json_out_object_end(&out);
	return json_out_take(&out);
}

static char *eviction_body(const struct pod *pod)
{
	struct json_out out = {0};

	json_out_object_begin(&out);
	json_out_member(&out, "apiVersion", "policy/v1");
	json_out_member(&out, "kind", "Eviction");
	json_out_key(&out, "metadata");
	json_out_object_begin(&out);
	json_out_member(&out, "name", pod->name);
	json_out_member(&out, "namespace", pod->namespace);
	json_out_object_end(&out);
	json_out_object_end(&out);
	return json_out_take(&out);
}

static const char *question_make(struct job *job)
{
	const struct pod *pod = &job->pods[job->at];

	switch (job->step) {
	case STEP_LOOK:
	case STEP_GONE:
		job->path = str_format("/api/v1/nodes/%s", job->node);
		return "GET";
	case STEP_DELETE:
		job->path = str_format("/api/v1/nodes/%s", job->node);
		job->body = *job->uid ? delete_body(job) : NULL;
		return "DELETE";
	case STEP_SECRET:
		job->path = str_format("/api/v1/namespaces/kube-system/secrets/%s.node-password.k3s", job->node);
		return "DELETE";
	case STEP_CORDON:
	case STEP_UNCORDON:
		job->path = str_format("/api/v1/nodes/%s", job->node);
		job->body = str_format("{\"spec\":{\"unschedulable\":%s}}", job->step == STEP_CORDON ? "true" : "false");
		return "PATCH";
	case STEP_LIST:
		job->path = str_format("/api/v1/pods?fieldSelector=spec.nodeName%%3D%s", job->node);
		return "GET";
	case STEP_EVICT:
		job->path = str_format("/api/v1/namespaces/%s/pods/%s/eviction", pod->namespace, pod->name);
		job->body = eviction_body(pod);
		return "POST";
	case STEP_END:
		break;
	}
	return NULL;
}

bool job_next(struct job *job, struct job_question *ret, unsigned *ret_wait_sec)
{
	*ret_wait_sec = job->wait_sec;
	if (job->state != JOB_RUNNING || job->wait_sec) {
		job->wait_sec = 0;
		return false;
	}
	free(TAKE_PTR(job->path));
	free(TAKE_PTR(job->body));
	ret->method = question_make(job);
	if (!job->path) { // out of memory: later
		*ret_wait_sec = AGAIN_SEC;
		return false;
	}
	ret->path = job->path;
	ret->body = job->body;
	return true;
}

// ---- answers

static bool is_good(const struct job_answer *answer)
{
	return answer->status >= 200 && answer->status < 300;
}

static const char *problem_of(const struct job_answer *answer)
{
	return answer->problem ? answer->problem : "no reason given";
}

// No 2xx and nothing the step expects: wait, or give up when asking again cannot help.
static void refused(struct job *job, const struct job_answer *answer)
{
	bool final = answer->status == 400 || answer->status == 403 || answer->status == 405 ||
		     answer->status == 422;

	say(job, "%s %s: %s%s", job_kind_text(job->kind), job->node, problem_of(answer),
		final ? "; the platform team can tell" : "; it is asked again");
	if (final)
		end(job, JOB_FAILED);
	else
		job->wait_sec = AGAIN_SEC;
}

static void uid_read(const struct value *node, char ret[static 64])
{
	const char *uid = value_text(value_path(node, "metadata", "uid", NULL));

	snprintf(ret, 64, "%s", uid ? uid : "");
}

// Its place was taken since: the old Node is gone, and the node password is the new one's.
static bool is_registered_since(const struct job *job, const struct value *node)
{
	const char *text = value_text(value_path(node, "metadata", "creationTimestamp", NULL));
	int64_t sec;

	return job->created_sec && text && time_parse_utc(text, &sec) == 0 && sec > job->created_sec;
}

static void on_look(struct job *job, const struct job_answer *answer)
{
	if (answer->status == 404) {
		job->step = STEP_SECRET;
	} else if (!is_good(answer)) {
		refused(job, answer);
	} else if (is_registered_since(job, answer->object)) {
		end(job, JOB_DONE);
	} else {
		uid_read(answer->object, job->uid);
		job->step = STEP_DELETE;
	}
}

static void on_delete(struct job *job, const struct job_answer *answer)
{
	if (answer->status == 409) { // registered anew between the two questions: look again
		job->step = STEP_LOOK;
		job->wait_sec = GONE_SEC;
		say(job, "%s was registered anew while it was taken out; is that machine still running?", job->node);
	} else if (!is_good(answer) && answer->status != 404) {
		refused(job, answer);
	} else {
		job->step = STEP_GONE;
	}
}

static void finalizer_say(struct job *job, const struct value *node)
{
	const struct value *list = value_path(node, "metadata", "finalizers", NULL);
	const char *first = list && list->type == VALUE_ARRAY && list->n ? value_text(&list->items[0]) : NULL;

	if (first && strstr(first, "etcd"))
		say(job, "waiting for K3s to take the etcd member of %s away (finalizer %.100s); it needs a majority of the "
			"servers; is one of them down?", job->node, first);
	else
		say(job, "waiting for the Node %s to be gone%s%.100s; the platform team can tell", job->node,
			first ? ", held by finalizer " : "", first ? first : "");
}

static void on_gone(struct job *job, const struct job_answer *answer)
{
	char uid[64];

	if (answer->status == 404) {
		job->step = STEP_SECRET;
		return;
	}
	if (!is_good(answer)) {
		refused(job, answer);
		return;
	}
	uid_read(answer->object, uid);
	if (*job->uid && *uid && !str_equal(uid, job->uid)) { // the one we deleted is gone, another has its name
		job->step = STEP_SECRET;
		return;
	}
	finalizer_say(job, answer->object);
	job->wait_sec = GONE_SEC;
}

static void on_secret(struct job *job, const struct job_answer *answer)
{
	if (is_good(answer) || answer->status == 404)
		end(job, JOB_DONE);
	else
		refused(job, answer);
}

static void on_cordon(struct job *job, const struct job_answer *answer)
{
	if (answer->status == 404) {
		end(job, JOB_DONE); // no such node: nothing runs there
	} else if (!is_good(answer)) {
		refused(job, answer);
	} else {
		say(job, "looking which pods run on %s", job->node);
		job->step = STEP_LIST;
	}
}

// Pods that drain leaves: a DaemonSet's would come back, a static one has no object to evict, a finished one holds nothing.
static bool pod_stays(const struct value *pod)
{
	const struct value *owners = value_path(pod, "metadata", "ownerReferences", NULL);
	const char *phase = value_text(value_path(pod, "status", "phase", NULL));

	if (str_equal(phase, "Succeeded") || str_equal(phase, "Failed") ||
		value_path(pod, "metadata", "annotations", "kubernetes.io/config.mirror", NULL))
		return true;
	for (size_t i = 0; owners && owners->type == VALUE_ARRAY && i < owners->n; i++)
		if (str_equal(value_text(value_find(&owners->items[i], "kind")), "DaemonSet"))
			return true;
	return false;
}

static int pod_take(struct job *job, const struct value *item)
{
	const char *name = value_text(value_path(item, "metadata", "name", NULL));
	const char *namespace = value_text(value_path(item, "metadata", "namespace", NULL));
	struct pod *pod = &job->pods[job->n_pods];

	// Names go into a path: what Kubernetes would not have accepted is no name.
	if (!name || !namespace || !*name || !*namespace || strstr(name, "..") || *name == '.' || pod_stays(item) ||
		name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.")] ||
		namespace[strspn(namespace, "abcdefghijklmnopqrstuvwxyz0123456789-")])
		return 0;
	if (job->n_pods == MAX_PODS)
		return 0; // the next round has the rest
	pod->name = strdup(name);
	pod->namespace = strdup(namespace);
	pod->going = value_path(item, "metadata", "deletionTimestamp", NULL) != NULL;
	job->n_pods++; // half made is freed, too
	return pod->name && pod->namespace ? 0 : -ENOMEM;
}

// To the next pod that is to be evicted, or the end of the round.
static void evict_on(struct job *job)
{
	while (job->at < job->n_pods && job->pods[job->at].going) {
		if (!*job->held)
			snprintf(job->held, sizeof(job->held), "pod %s/%s is stopping; its kubelet has to say that it is gone",
				job->pods[job->at].namespace, job->pods[job->at].name);
		job->at++;
	}
	if (job->at < job->n_pods) {
		job->step = STEP_EVICT;
		return;
	}
	say(job, "emptying %s: %zu pods left: %s", job->node, job->n_pods, *job->held ? job->held : "they were asked to go");
	job->step = STEP_LIST;
	job->wait_sec = *job->held ? AGAIN_SEC : GONE_SEC;
}

static void on_list(struct job *job, const struct job_answer *answer)
{
	const struct value *items = value_find(answer->object, "items");
	int r = 0;

	if (!is_good(answer) || !items || items->type != VALUE_ARRAY) {
		refused(job, answer);
		return;
	}
	pods_done(job);
	job->held[0] = '\0';
	for (size_t i = 0; r == 0 && i < items->n; i++)
		r = pod_take(job, &items->items[i]);
	if (r < 0) {
		pods_done(job);
		say(job, "out of memory");
		job->wait_sec = AGAIN_SEC;
	} else if (job->n_pods == 0) {
		end(job, JOB_DONE);
	} else {
		evict_on(job);
	}
}

/* The Status of a refused eviction names the budget only in a sentence of its causes: `The disruption budget NAME needs
 * 2 healthy pods and has 2 currently`. */
static const char *budget_cause(const struct value *status)
{
	const struct value *causes = value_path(status, "details", "causes", NULL);

	for (size_t i = 0; causes && causes->type == VALUE_ARRAY && i < causes->n; i++)
		if (str_equal(value_text(value_find(&causes->items[i], "reason")), "DisruptionBudget"))
			return value_text(value_find(&causes->items[i], "message"));
	return NULL;
}

static void on_evict(struct job *job, const struct job_answer *answer)
{
	const struct pod *pod = &job->pods[job->at];
	const char *cause = budget_cause(answer->object);

	if (answer->status == 429 && !*job->held)
		snprintf(job->held, sizeof(job->held), "pod %s/%s may not go yet: %.200s; who owns it can tell", pod->namespace,
			pod->name, cause ? cause : problem_of(answer));
	else if (answer->status != 429 && answer->status != 404 && !is_good(answer) && !*job->held)
		snprintf(job->held, sizeof(job->held), "pod %s/%s: %.200s", pod->namespace, pod->name, problem_of(answer));
	job->at++;
	if (answer->status == 0) // the API is away: the other pods would tell the same, one timeout after the other
		job->at = job->n_pods;
	evict_on(job);
}

static void on_uncordon(struct job *job, const struct job_answer *answer)
{
	if (is_good(answer)) {
		end(job, JOB_DONE);
	} else if (answer->status == 404) {
		say(job, "there is no Node %s to open; the platform team can tell", job->node);
		end(job, JOB_FAILED);
	} else {
		refused(job, answer);
	}
}

void job_take(struct job *job, const struct job_answer *answer)
{
	switch (job->step) {
	case STEP_LOOK:
		on_look(job, answer);
		return;
	case STEP_DELETE:
		on_delete(job, answer);
		return;
	case STEP_GONE:
		on_gone(job, answer);
		return;
	case STEP_SECRET:
		on_secret(job, answer);
		return;
	case STEP_CORDON:
		on_cordon(job, answer);
		return;
	case STEP_LIST:
		on_list(job, answer);
		return;
	case STEP_EVICT:
		on_evict(job, answer);
		return;
	case STEP_UNCORDON:
		on_uncordon(job, answer);
		return;
	case STEP_END:
		return;
	}
}
