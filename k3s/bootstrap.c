// The order of things: artifact (cache, else pull and verify), unpack, then walk the stages for ever: a walk ends at the
// first stage that is not ready, the timer starts the next one. Beside it, with a timer of its own, the next artifact is
// looked for: after a refusal, or because the tag may have moved.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/bootstrap.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/time.h"
#include "k3s/bootstrap-pull.h"
#include "k3s/bootstrap-trial.h"
#include "k3s/substitute.h"
#include "k3s/unpack.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

// Between walks: at least WALK_SEC, and thrice what the last one took: an API server that is slow is not asked without a pause.
enum { WALK_SEC = 2, WALK_STEADY_SEC = 30, WALK_PAUSES = 3, WALK_MAX_SEC = 30, DEFAULT_PRUNE_SEC = 45, DEFAULT_LOOK_SEC = 60 };

struct bootstrap {
	sd_event *event;
	struct kube *kube;
	struct oci_source source; // texts owned by the next four
	char *url, *repository, *username, *password;
	char *tag;
	char wanted[OCI_DIGEST_TEXT]; // "" until the tag was looked up
	char keys_hash[65], variables_hash[65];
	struct value *variables;
	const struct value *secrets;
	size_t n_keys;
	char *keys[COSIGN_MAX_KEYS];
	char *self, *manifests_folder, *work_folder, *cache_folder;
	uint64_t max_backoff_usec;
	unsigned prune_sec, look_sec, attempt;
	void (*on_changed)(const struct bootstrap_status *status, void *user);
	void *user;

	struct bootstrap_status status, told;
	sd_event_source *timer;         // the next walk
	sd_event_source *attempt_timer; // the next look for an artifact
	int problem;                    // why the wanted artifact is not the one that is walked
	char problem_sentence[1024];
	struct bootstrap_pull *pull;

	char used[OCI_DIGEST_TEXT]; // whose stages these are
	bool coming_back;           // the wanted one was given up, and the last good one has to be pulled first
	struct bootstrap_trial trial;

	struct stages *stages;
	struct stage_extras *extras;
	struct lease *lease;
	struct stage_walk *walk;
};

const char *bootstrap_phase_text(enum bootstrap_phase phase)
{
	switch (phase) {
	case BOOTSTRAP_PULLING:
		return "pulling";
	case BOOTSTRAP_VERIFYING:
		return "verifying";
	case BOOTSTRAP_UNPACKING:
		return "unpacking";
	case BOOTSTRAP_WATCHING:
		return "watching";
	case BOOTSTRAP_STEADY:
		return "steady";
	}
	return "unknown";
}

const struct bootstrap_status *bootstrap_status(const struct bootstrap *bootstrap)
{
	return &bootstrap->status;
}

const char *bootstrap_holder(const struct bootstrap *bootstrap)
{
	return bootstrap->lease ? lease_holder(bootstrap->lease) : "";
}

static void tell(struct bootstrap *bootstrap)
{
	if (memcmp(&bootstrap->status, &bootstrap->told, sizeof(bootstrap->told)) == 0)
		return;
	bootstrap->told = bootstrap->status;
	if (bootstrap->on_changed)
		bootstrap->on_changed(&bootstrap->status, bootstrap->user);
}

static void sentence_set(struct bootstrap *bootstrap, const char *format, ...) PRINTF_LIKE(2, 3);
static void sentence_set(struct bootstrap *bootstrap, const char *format, ...)
{
	char text[sizeof(bootstrap->status.sentence)] = {0}; // zeroed to the end: tell() compares bytes
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	memset(bootstrap->status.sentence, 0, sizeof(bootstrap->status.sentence));
	memcpy(bootstrap->status.sentence, text, strlen(text));
}

static int timer_set(sd_event_source *timer, uint64_t usec)
{
	int r = sd_event_source_set_time_relative(timer, usec);

	return r < 0 ? r : sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static void last_ready_use(struct bootstrap *bootstrap);
static void come_back(struct bootstrap *bootstrap);

// The artifact that is walked is the one that is wanted.
static bool is_wanted(const struct bootstrap *bootstrap)
{
	return str_equal(bootstrap->used, bootstrap->wanted);
}

static uint64_t attempt_wait_usec(struct bootstrap *bootstrap, unsigned retry_after_sec)
{
	uint64_t wait = time_backoff_usec(bootstrap->attempt, USEC_PER_SEC, bootstrap->max_backoff_usec);

	if (bootstrap->attempt < 16)
		bootstrap->attempt++;
	return wait < retry_after_sec * USEC_PER_SEC ? retry_after_sec * USEC_PER_SEC : wait;
}

// The artifact could not be had or is refused: say so, come again; the last good one is walked meanwhile.
static void attempt_fail(struct bootstrap *bootstrap, int error, const char *sentence, unsigned retry_after_sec)
{
	uint64_t wait = attempt_wait_usec(bootstrap, retry_after_sec);

	if (bootstrap->walk && is_wanted(bootstrap)) { // the tag could not be looked up again: what it said last stands
		(void)timer_set(bootstrap->attempt_timer, wait + bootstrap->look_sec * USEC_PER_SEC); // else for ever
		return;
	}
	bootstrap->problem = error;
	if (retry_after_sec)
		snprintf(bootstrap->problem_sentence, sizeof(bootstrap->problem_sentence), "%.900s; asked again in %u s",
			sentence, retry_after_sec);
	else
		snprintf(bootstrap->problem_sentence, sizeof(bootstrap->problem_sentence), "%.1000s", sentence);
	if (timer_set(bootstrap->attempt_timer, wait + 100 * USEC_PER_MSEC) < 0)
		snprintf(bootstrap->problem_sentence, sizeof(bootstrap->problem_sentence),
			"%.900s (and there is no timer to try again)", sentence);
	if (!bootstrap->walk)
		last_ready_use(bootstrap);
	bootstrap->status.error = error;
	if (bootstrap->walk)
		sentence_set(bootstrap, "%.850s; what was laid before (%.19s) stays", bootstrap->problem_sentence,
			bootstrap->used);
	else
		sentence_set(bootstrap, "%s", bootstrap->problem_sentence);
	tell(bootstrap);
}

static void attempt_refuse(struct bootstrap *bootstrap, int error, const struct diag *diag, unsigned retry_after_sec)
{
	char sentence[1024];

	snprintf(sentence, sizeof(sentence), "the bootstrap is refused: %.900s", diag_text(diag));
	attempt_fail(bootstrap, error, sentence, retry_after_sec);
}

/* Why the last attempt failed stays until another one is through: a console that changes at every try tells nobody more.
 * While an artifact is walked the walk speaks. */
static void phase_set(struct bootstrap *bootstrap, enum bootstrap_phase phase, const char *sentence)
{
	if (bootstrap->walk)
		return;
	bootstrap->status.phase = phase;
	if (phase < BOOTSTRAP_WATCHING && bootstrap->status.error < 0)
		return;
	bootstrap->status.error = 0;
	sentence_set(bootstrap, "%s", sentence);
	tell(bootstrap);
}

// ---- walking

static void given_up_note_write(struct bootstrap *bootstrap, const char *note)
{
	if (*bootstrap->cache_folder)
		(void)bootstrap_note_write(bootstrap->cache_folder, BOOTSTRAP_NOTE_BROKEN, note); // else it is tried once more
}

static void last_ready_note(struct bootstrap *bootstrap)
{
	// Without the note there is nothing to come back to after a restart: said nowhere, as nothing waits for it.
	if (*bootstrap->cache_folder)
		(void)bootstrap_note_write(bootstrap->cache_folder, BOOTSTRAP_NOTE_READY, bootstrap->trial.last_ready);
	lease_set_note(bootstrap->lease, bootstrap->trial.last_ready);
}

// What is walked is entirely ready for the first time.
static void ready_note(struct bootstrap *bootstrap)
{
	last_ready_note(bootstrap);
	if (*bootstrap->cache_folder)
		bootstrap_cache_keep(bootstrap->cache_folder, bootstrap->wanted, bootstrap->used);
	if (!bootstrap->coming_back)
		return;
	bootstrap->coming_back = false; // it was given up, and got ready while the good one before it was not here yet
	bootstrap->problem = 0;
	given_up_note_write(bootstrap, NULL);
	bootstrap_pull_cancel(bootstrap->pull);
	bootstrap->pull = NULL;
	if (bootstrap->tag)
		(void)timer_set(bootstrap->attempt_timer, bootstrap->look_sec * USEC_PER_SEC); // else the tag stands
}

static void give_up(struct bootstrap *bootstrap, const struct stage_walk_result *result)
{
	char note[BOOTSTRAP_NOTE_MAX];

	bootstrap_given_up_note(bootstrap->wanted, bootstrap->variables_hash, note);
	given_up_note_write(bootstrap, note);
	bootstrap->problem = -ETIME;
	snprintf(bootstrap->problem_sentence, sizeof(bootstrap->problem_sentence),
		"the bootstrap %.19s got no further for %u s and was given up (%.600s); set another digest, or this one again "
		"after another, to have it tried anew",
		bootstrap->wanted, bootstrap->trial.come_back_sec, result->sentence);
	come_back(bootstrap);
}

/* Which one was entirely ready last is known by the Lease, too: another server may have held it, or this one's disk is
 * new. What was given up here and got ready there is wanted again. */
static void last_ready_learn(struct bootstrap *bootstrap)
{
	if (!bootstrap_trial_learn(&bootstrap->trial, lease_note(bootstrap->lease))) {
		if (*bootstrap->trial.last_ready) // of one that has none, or no digest
			lease_set_note(bootstrap->lease, bootstrap->trial.last_ready);
		return;
	}
	last_ready_note(bootstrap);
	if (bootstrap->problem != -ETIME)
		return;
	bootstrap_pull_cancel(bootstrap->pull);
	bootstrap->pull = NULL;
	come_back(bootstrap);
	(void)timer_set(bootstrap->attempt_timer, 0); // else what is walked stays
}

static uint64_t walk_pause_usec(const struct stage_walk_result *result, bool steady)
{
	uint64_t usec = result->took_usec * WALK_PAUSES, least = (steady ? WALK_STEADY_SEC : WALK_SEC) * USEC_PER_SEC;

	return usec < least ? least : usec > WALK_MAX_SEC * USEC_PER_SEC ? WALK_MAX_SEC * USEC_PER_SEC : usec;
}

static void on_walk_end(const struct stage_walk_result *result, void *user)
{
	struct bootstrap *bootstrap = user;
	bool steady = result->stage == N_STAGES && result->someone_lays;

	switch (bootstrap_trial_step(&bootstrap->trial, result, bootstrap->used, bootstrap->wanted, time_boot_usec())) {
	case BOOTSTRAP_OPEN:
		break;
	case BOOTSTRAP_PROVEN:
		ready_note(bootstrap);
		break;
	case BOOTSTRAP_STUCK:
		if (bootstrap->coming_back)
			break;
		if (timer_set(bootstrap->timer, WALK_SEC * USEC_PER_SEC) == 0)
			give_up(bootstrap, result);
		return;
	}
	bootstrap->status.holder = result->holder;
	bootstrap->status.stage = result->stage;
	bootstrap->status.error = result->error;
	memcpy(bootstrap->status.sentence, result->sentence, sizeof(bootstrap->status.sentence));
	bootstrap->status.phase = steady ? BOOTSTRAP_STEADY : BOOTSTRAP_WATCHING;
	bootstrap->status.ready = steady;
	bootstrap->status.cluster_network_ready = result->stage >= STAGE_STORAGE;
	memcpy(bootstrap->status.digest, bootstrap->used, sizeof(bootstrap->status.digest));
	bootstrap->status.came_back = bootstrap->problem < 0 && !bootstrap->coming_back;
	if (bootstrap->problem < 0) {
		bootstrap->status.phase = BOOTSTRAP_WATCHING;
		bootstrap->status.ready = false;
		bootstrap->status.error = bootstrap->problem;
		if (bootstrap->coming_back)
			sentence_set(bootstrap, "%.750s; what is laid (%.19s) stays until the last good one (%.19s) is here: %.150s",
				bootstrap->problem_sentence, bootstrap->used, bootstrap->trial.last_ready, result->sentence);
		else
			sentence_set(bootstrap, "%.750s; what was laid before (%.19s) stays%s%.150s",
				bootstrap->problem_sentence, bootstrap->used, *result->sentence ? ": " : " and is ready",
				result->sentence);
	}
	if (timer_set(bootstrap->timer, walk_pause_usec(result, steady)) < 0)
		sentence_set(bootstrap, "no timer to look at the bootstrap again");
	tell(bootstrap);
}

static void on_lease(struct lease *lease, void *user)
{
	struct bootstrap *bootstrap = user;

	last_ready_learn(bootstrap);
	if (bootstrap->walk)
		stage_walk_start(bootstrap->walk);
}

static int walk_make(struct bootstrap *bootstrap)
{
	int r = 0;

	if (!bootstrap->lease) {
		r = lease_new(bootstrap->event, bootstrap->kube, STAGE_WALK_LEASE, bootstrap->self, on_lease, bootstrap,
			&bootstrap->lease);
		if (r == 0)
			lease_set_note(bootstrap->lease, bootstrap->trial.last_ready);
	}
	if (r == 0)
		r = stage_walk_new(
			&(struct stage_walk_config){.kube = bootstrap->kube, .lease = bootstrap->lease,
				.stages = bootstrap->stages, .self = bootstrap->self,
				.manifests_folder = bootstrap->manifests_folder, .prune_sec = bootstrap->prune_sec,
				.on_end = on_walk_end, .user = bootstrap},
			&bootstrap->walk);
	return r;
}

// ---- from the artifact to stages

static int layer_unpack(struct bootstrap *bootstrap, const char *layer_path, struct stages **ret, struct diag *reterr)
{
	char *folder AUTO_FREE = str_format("%s/artifact", bootstrap->work_folder);
	int fd AUTO_CLOSE = open(layer_path, O_RDONLY | O_CLOEXEC);
	int r;

	if (!folder)
		return -ENOMEM;
	if (fd < 0)
		return diag_set(reterr, -errno, layer_path, "cannot be read: %s", strerror(errno));
	r = file_make_folders(bootstrap->work_folder, 0700);
	if (r == 0)
		r = unpack_remove(folder); // of an attempt that a power cut ended
	if (r < 0)
		return diag_set(reterr, r, folder, "cannot be made: %s", strerror(-r));
	r = unpack_tar_gz_fd(fd, folder, NULL, reterr);
	if (r < 0)
		return r;
	r = stages_load(folder, bootstrap->variables, bootstrap->secrets, ret, reterr);
	(void)unpack_remove(folder); // all is in memory now; what stays is removed next time
	return r;
}

/* The walk over these stages, the cluster's own beside them, begins from the loop: this may be the end of the walk before.
 * Without a timer the Lease's first news starts it. */
static int walk_begin(struct bootstrap *bootstrap, struct diag *reterr)
{
	int r;

	phase_set(bootstrap, BOOTSTRAP_WATCHING, "asking the Kubernetes API who lays the bootstrap");
	r = walk_make(bootstrap);
	if (r < 0)
		return diag_set(reterr, r, "lease", "cannot be asked for: %s", strerror(-r));
	(void)timer_set(bootstrap->timer, 0);
	return 0;
}

// 0: these stages take the place of those before; they are consumed in any case.
static int stages_use(struct bootstrap *bootstrap, struct stages *stages_take, const char *digest, struct diag *reterr)
{
	struct stages *stages CLEANUP(stages_freep) = stages_take;
	int r = stages_set_extras(stages, bootstrap->extras, reterr);

	if (r < 0)
		return r;
	bootstrap->attempt = 0;
	bootstrap->walk = stage_walk_free(bootstrap->walk);
	stages_free(bootstrap->stages);
	bootstrap->stages = TAKE_PTR(stages);
	memmove(bootstrap->used, digest, strlen(digest) + 1);
	bootstrap_trial_begin(&bootstrap->trial);
	if (is_wanted(bootstrap) && !bootstrap->coming_back)
		bootstrap->problem = 0;
	return walk_begin(bootstrap, reterr);
}

// 0: the stages of this artifact are loaded and their walk takes the place of the one before.
static int artifact_use(struct bootstrap *bootstrap, const char *digest, const char *layer_path, struct diag *reterr)
{
	struct stages *stages = NULL;
	int r;

	phase_set(bootstrap, BOOTSTRAP_UNPACKING, "unpacking the bootstrap");
	r = layer_unpack(bootstrap, layer_path, &stages, reterr);
	return r < 0 ? r : stages_use(bootstrap, stages, digest, reterr);
}

// Without an artifact the stages are empty but for the extras, and what an artifact laid before stays.
static int nothing_use(struct bootstrap *bootstrap, struct diag *reterr)
{
	struct stages *stages = calloc(1, sizeof(*stages));

	if (!stages)
		return -ENOMEM;
	stages->own_only = true;
	return stages_use(bootstrap, stages, "", reterr);
}

// The last one that was entirely ready, when it is another one and is kept here, verified under the keys of today.
static void last_ready_use(struct bootstrap *bootstrap)
{
	const char *other = bootstrap_trial_other(&bootstrap->trial, bootstrap->wanted);
	char *layer_path AUTO_FREE = NULL;

	if (!other || !*bootstrap->cache_folder ||
		bootstrap_cache_check(bootstrap->cache_folder, other, bootstrap->keys_hash) < 0)
		return;
	layer_path = bootstrap_cache_layer(bootstrap->cache_folder, other);
	if (layer_path)
		(void)artifact_use(bootstrap, other, layer_path, NULL); // the refusal says more
}

// The last good one takes the place of the one that was given up: at once when it is here, else it is pulled.
static void come_back(struct bootstrap *bootstrap)
{
	const char *other = bootstrap_trial_other(&bootstrap->trial, bootstrap->wanted);

	if (other && !(bootstrap->walk && str_equal(bootstrap->used, other)))
		last_ready_use(bootstrap);
	bootstrap->coming_back = other && !(bootstrap->walk && str_equal(bootstrap->used, other));
	if (!other) // the wanted one was ready after all, or nothing else ever was: it has to do
		bootstrap->problem = 0;
	if (!bootstrap->coming_back)
		return;
	bootstrap->attempt = 0;
	(void)timer_set(bootstrap->attempt_timer, 0); // else what is walked stays
}

// The wanted artifact is here and verified.
static void wanted_use(struct bootstrap *bootstrap, const char *layer_path)
{
	struct diag diag = {0};
	int r = artifact_use(bootstrap, bootstrap->wanted, layer_path, &diag);

	if (r < 0)
		attempt_refuse(bootstrap, r, &diag, 0);
	if (r < 0)
		return;
	if (bootstrap->tag)
		bootstrap_tag_note(bootstrap->cache_folder, bootstrap->repository, bootstrap->tag, bootstrap->wanted);
	if (bootstrap->coming_back)
		(void)timer_set(bootstrap->attempt_timer, 0); // else what is walked stays
	else if (bootstrap->tag)
		(void)timer_set(bootstrap->attempt_timer, bootstrap->look_sec * USEC_PER_SEC); // else the tag stands
}

// 0: the wanted artifact is the one that is walked, or is used now, or the last good one in its stead; 1: it has to be pulled.
static int wanted_find(struct bootstrap *bootstrap)
{
	char *layer_path AUTO_FREE = NULL, note[BOOTSTRAP_NOTE_MAX];

	if (bootstrap->walk && is_wanted(bootstrap)) {
		if (!bootstrap->coming_back)
			bootstrap->problem = 0; // the tag moved back
		return 0;
	}
	if (!*bootstrap->cache_folder)
		return 1;
	bootstrap_note_read(bootstrap->cache_folder, BOOTSTRAP_NOTE_BROKEN, note);
	if (bootstrap_trial_is_given_up(&bootstrap->trial, note, bootstrap->wanted, bootstrap->variables_hash)) {
		if (bootstrap->problem != -ETIME)
			snprintf(bootstrap->problem_sentence, sizeof(bootstrap->problem_sentence),
				"the bootstrap %.19s got no further and was given up; set another digest, or this one again after "
				"another, to have it tried anew",
				bootstrap->wanted);
		bootstrap->problem = -ETIME;
		if (!bootstrap->walk)
			come_back(bootstrap); // until the good one is here better this one than none
		if (bootstrap->walk)
			return 0;
	} else if (*note) {
		given_up_note_write(bootstrap, NULL); // read again next time
	}
	if (bootstrap_cache_check(bootstrap->cache_folder, bootstrap->wanted, bootstrap->keys_hash) < 0)
		return 1;
	layer_path = bootstrap_cache_layer(bootstrap->cache_folder, bootstrap->wanted);
	if (!layer_path)
		return 1;
	wanted_use(bootstrap, layer_path);
	return 0;
}

static void on_pull_step(enum bootstrap_pull_step step, void *user)
{
	switch (step) {
	case BOOTSTRAP_PULL_VERIFYING:
		phase_set(user, BOOTSTRAP_VERIFYING, "verifying the signature of the bootstrap");
		break;
	case BOOTSTRAP_PULL_LAYER:
		phase_set(user, BOOTSTRAP_PULLING, "pulling the bootstrap");
		break;
	}
}

static void on_pulled(const struct bootstrap_pulled *pulled, void *user)
{
	struct bootstrap *bootstrap = user;

	bootstrap->pull = NULL;
	if (pulled->error < 0 && pulled->refused) {
		attempt_refuse(bootstrap, pulled->error, pulled->diag, 0);
		return;
	}
	if (pulled->error < 0) {
		attempt_fail(bootstrap, pulled->error, diag_text(pulled->diag), pulled->retry_after_sec);
		return;
	}
	if (pulled->kept)
		bootstrap_cache_keep(bootstrap->cache_folder, bootstrap->wanted, bootstrap->trial.last_ready);
	wanted_use(bootstrap, pulled->layer_path);
}

static void other_pull(struct bootstrap *bootstrap);

// What the tag names now.
static bool on_named(const char *digest, void *user)
{
	struct bootstrap *bootstrap = user;

	if (!str_equal(digest, bootstrap->wanted))
		bootstrap->coming_back = false;
	memcpy(bootstrap->wanted, digest, sizeof(bootstrap->wanted));
	(void)timer_set(bootstrap->attempt_timer, bootstrap->look_sec * USEC_PER_SEC); // else the tag stands
	if (wanted_find(bootstrap) != 0)
		return true;
	bootstrap->pull = NULL;
	if (bootstrap->coming_back)
		other_pull(bootstrap);
	return false;
}

static int pull_start(struct bootstrap *bootstrap, const char *reference, bool (*on_name)(const char *, void *),
	void (*on_end)(const struct bootstrap_pulled *, void *))
{
	return bootstrap_pull_start(
		&(struct bootstrap_pull_config){.source = &bootstrap->source,
			.key_pems = (const char *const *)bootstrap->keys, .n_keys = bootstrap->n_keys,
			.keys_hash = bootstrap->keys_hash, .cache_folder = bootstrap->cache_folder,
			.work_folder = bootstrap->work_folder, .on_named = on_name, .on_step = on_pull_step,
			.on_pulled = on_end, .user = bootstrap},
		reference, &bootstrap->pull);
}

// The last good one could not be had: say so, come again; what was given up stays laid meanwhile.
static void come_back_fail(struct bootstrap *bootstrap, const char *sentence, unsigned retry_after_sec)
{
	uint64_t wait = attempt_wait_usec(bootstrap, retry_after_sec);

	snprintf(bootstrap->problem_sentence, sizeof(bootstrap->problem_sentence),
		"the bootstrap %.19s got no further and was given up, and the last good one cannot be had: %.600s",
		bootstrap->wanted, sentence);
	if (timer_set(bootstrap->attempt_timer, wait + 100 * USEC_PER_MSEC) < 0)
		snprintf(bootstrap->problem_sentence, sizeof(bootstrap->problem_sentence),
			"the bootstrap %.19s was given up, and there is no timer to try for the last good one again",
			bootstrap->wanted);
}

static void on_other_pulled(const struct bootstrap_pulled *pulled, void *user)
{
	struct bootstrap *bootstrap = user;
	struct diag diag = {0};
	int r;

	bootstrap->pull = NULL;
	if (pulled->error < 0) {
		come_back_fail(bootstrap, diag_text(pulled->diag), pulled->retry_after_sec);
		return;
	}
	if (pulled->kept)
		bootstrap_cache_keep(bootstrap->cache_folder, bootstrap->wanted, pulled->digest);
	r = artifact_use(bootstrap, pulled->digest, pulled->layer_path, &diag);
	if (r < 0) {
		come_back_fail(bootstrap, diag_text(&diag), 0);
		return;
	}
	bootstrap->coming_back = false;
	if (bootstrap->tag)
		(void)timer_set(bootstrap->attempt_timer, bootstrap->look_sec * USEC_PER_SEC); // else the tag stands
}

// By its digest: what a tag names is another question.
static void other_pull(struct bootstrap *bootstrap)
{
	const char *other = bootstrap_trial_other(&bootstrap->trial, bootstrap->wanted);
	int r = other ? pull_start(bootstrap, other, NULL, on_other_pulled) : -ENOENT;

	if (r < 0)
		come_back_fail(bootstrap, strerror(-r), 0);
}

static void attempt_start(struct bootstrap *bootstrap)
{
	const char *reference = bootstrap->tag ? bootstrap->tag : bootstrap->wanted;
	struct diag diag = {0};
	int r;

	if (!bootstrap->tag && !*bootstrap->wanted) {
		r = nothing_use(bootstrap, &diag);
		if (r < 0)
			attempt_refuse(bootstrap, r, &diag, 0);
		return;
	}
	if (bootstrap->tag && !*bootstrap->wanted) {
		bootstrap_tag_noted(bootstrap->cache_folder, bootstrap->repository, bootstrap->tag, bootstrap->wanted);
		if (*bootstrap->wanted)
			(void)wanted_find(bootstrap); // walked from the cache, when it is there; the tag is looked up all the same
	}
	if (!bootstrap->tag && wanted_find(bootstrap) == 0) {
		if (bootstrap->coming_back)
			other_pull(bootstrap);
		return;
	}
	if (!bootstrap->walk)
		bootstrap->status.phase = BOOTSTRAP_PULLING; // the sentence of the last attempt stays until this one knows more
	r = pull_start(bootstrap, reference, bootstrap->tag ? on_named : NULL, on_pulled);
	if (r < 0) {
		(void)diag_set(&diag, r, "", "%s cannot be asked for %s: %s", bootstrap->url, reference, strerror(-r));
		attempt_refuse(bootstrap, r, &diag, 0);
	}
}

static int on_attempt_timer(sd_event_source *source, uint64_t usec, void *user)
{
	struct bootstrap *bootstrap = user;

	if (!bootstrap->pull)
		attempt_start(bootstrap);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *user)
{
	struct bootstrap *bootstrap = user;

	if (bootstrap->walk)
		stage_walk_start(bootstrap->walk);
	return 0;
}

int bootstrap_set_extras(struct bootstrap *bootstrap, const struct stage_extras *extras)
{
	struct stage_extras *copy = stage_extras_copy(extras);
	struct diag diag = {0};
	int r;

	if (!copy)
		return -ENOMEM;
	stage_extras_free(bootstrap->extras);
	bootstrap->extras = copy;
	if (!bootstrap->walk)
		return 0; // taken when the stages are there
	bootstrap->walk = stage_walk_free(bootstrap->walk); // what it asked is forgotten; the Lease stays
	r = stages_set_extras(bootstrap->stages, bootstrap->extras, &diag);
	if (r == 0)
		r = walk_begin(bootstrap, &diag);
	if (r < 0) {
		bootstrap->status.ready = false;
		attempt_refuse(bootstrap, r, &diag, 0); // and tried again from the artifact
	}
	return 0;
}

void bootstrap_retry(struct bootstrap *bootstrap)
{
	bootstrap->attempt = 0;
	if (!bootstrap->walk || bootstrap->problem < 0 || bootstrap->tag)
		(void)timer_set(bootstrap->attempt_timer, 0); // when it cannot be set the old time stands
	if (bootstrap->walk)
		(void)timer_set(bootstrap->timer, 0);
}

// ---- making and freeing

static int texts_copy(struct bootstrap *bootstrap, const struct bootstrap_config *config)
{
	const struct oci_source *source = &config->source;

	bootstrap->url = strdup(source->url ? source->url : "");
	bootstrap->repository = strdup(source->repository ? source->repository : "");
	bootstrap->self = strdup(config->self);
	bootstrap->tag = config->digest || !config->tag ? NULL : strdup(config->tag);
	bootstrap->manifests_folder = strdup(config->manifests_folder ? config->manifests_folder
								      : "/var/lib/rancher/k3s/server/manifests");
	bootstrap->cache_folder = strdup(config->cache_folder ? config->cache_folder : "/state/hearth/bootstrap");
	bootstrap->work_folder = strdup(config->work_folder ? config->work_folder : "/run/hearth/bootstrap");
	if (!bootstrap->url || !bootstrap->repository || !bootstrap->self || !bootstrap->manifests_folder ||
		!bootstrap->work_folder || !bootstrap->cache_folder || (!config->digest && config->tag && !bootstrap->tag))
		return -ENOMEM;
	if (source->username) {
		bootstrap->username = strdup(source->username);
		bootstrap->password = strdup(source->password ? source->password : "");
		if (!bootstrap->username || !bootstrap->password)
			return -ENOMEM;
	}
	for (; bootstrap->n_keys < config->n_keys; bootstrap->n_keys++) {
		bootstrap->keys[bootstrap->n_keys] = strdup(config->key_pems[bootstrap->n_keys]);
		if (!bootstrap->keys[bootstrap->n_keys])
			return -ENOMEM;
	}
	bootstrap->source = (struct oci_source){.client = source->client, .url = bootstrap->url,
		.repository = bootstrap->repository, .username = bootstrap->username, .password = bootstrap->password};
	return 0;
}

// The variables live in a document of the caller's: keep a copy of our own, and what tells it from another.
static int variables_copy(struct bootstrap *bootstrap, const struct value *variables)
{
	struct json_out out = {0};
	struct sha256_stream *stream CLEANUP(sha256_stream_freep) = sha256_stream_new();
	const struct value *secrets = bootstrap->secrets;
	char *text AUTO_FREE = NULL;
	uint8_t hash[SHA256_BYTES];

	if (!stream)
		return -ENOMEM;
	if (variables && variables->type != VALUE_NULL) {
		json_out_value(&out, variables);
		text = json_out_take(&out);
		if (!text)
			return -ENOMEM;
		sha256_stream_add(stream, text, strlen(text));
	}
	// By their names: what waited for a secret is worth another try when it is there.
	for (size_t i = 0; secrets && secrets->type == VALUE_OBJECT && i < secrets->n; i++)
		sha256_stream_add(stream, secrets->keys[i], strlen(secrets->keys[i]) + 1);
	sha256_stream_end(stream, hash);
	hex_encode(hash, sizeof(hash), bootstrap->variables_hash);
	if (!text)
		return 0;
	return json_parse(text, strlen(text), 0, &bootstrap->variables, NULL);
}

static void last_ready_read(struct bootstrap *bootstrap)
{
	char note[BOOTSTRAP_NOTE_MAX] = "";

	if (*bootstrap->cache_folder)
		bootstrap_note_read(bootstrap->cache_folder, BOOTSTRAP_NOTE_READY, note);
	if (oci_digest_valid(note))
		memcpy(bootstrap->trial.last_ready, note, OCI_DIGEST_TEXT);
}

int bootstrap_new(const struct bootstrap_config *config, struct bootstrap **ret, struct diag *reterr)
{
	struct bootstrap *bootstrap CLEANUP(bootstrap_freep) = NULL;
	int r;

	if (!config->digest && config->tag && !oci_tag_valid(config->tag))
		return diag_set(reterr, -EINVAL, "bootstrap.tag", "must be a tag, not \"%s\"", config->tag);
	if (config->digest && !oci_digest_valid(config->digest))
		return diag_set(reterr, -EINVAL, "bootstrap.digest", "must be sha256: and 64 hex digits, not \"%s\"",
			config->digest);
	if ((config->digest || config->tag) && !oci_name_valid(config->source.repository))
		return diag_set(reterr, -EINVAL, "bootstrap.repository", "is no repository name: \"%s\"",
			config->source.repository);
	r = substitute_check_variables(config->variables, reterr);
	if (r < 0)
		return r;
	bootstrap = calloc(1, sizeof(*bootstrap));
	if (!bootstrap)
		return -ENOMEM;
	bootstrap->event = sd_event_ref(config->event);
	bootstrap->kube = config->kube;
	bootstrap->secrets = config->secrets;
	if (config->digest)
		memcpy(bootstrap->wanted, config->digest, OCI_DIGEST_TEXT);
	bootstrap->look_sec = config->look_sec ? config->look_sec : DEFAULT_LOOK_SEC;
	bootstrap->trial.come_back_sec = config->come_back_sec;
	bootstrap->max_backoff_usec = config->max_backoff_usec ? config->max_backoff_usec : 30 * USEC_PER_SEC;
	bootstrap->prune_sec = config->prune_sec ? config->prune_sec : DEFAULT_PRUNE_SEC;
	bootstrap->on_changed = config->on_changed;
	bootstrap->user = config->user;
	if (config->digest || config->tag) {
		sentence_set(bootstrap, "pulling the bootstrap from %.200s", config->source.url);
		r = bootstrap_keys_hash(config->key_pems, config->n_keys, bootstrap->keys_hash, reterr);
	}
	bootstrap->extras = stage_extras_copy(config->extras);
	if (r == 0 && !bootstrap->extras)
		r = -ENOMEM;
	if (r == 0)
		r = texts_copy(bootstrap, config);
	if (r == 0)
		r = variables_copy(bootstrap, config->variables);
	if (r == 0)
		r = sd_event_add_time_relative(config->event, &bootstrap->attempt_timer, CLOCK_BOOTTIME, 0, 0,
			on_attempt_timer, bootstrap);
	if (r >= 0)
		r = sd_event_add_time_relative(config->event, &bootstrap->timer, CLOCK_BOOTTIME, 0, 0, on_timer,
			bootstrap);
	if (r < 0)
		return r;
	last_ready_read(bootstrap);
	*ret = TAKE_PTR(bootstrap);
	return 0;
}

struct bootstrap *bootstrap_free(struct bootstrap *bootstrap)
{
	if (!bootstrap)
		return NULL;
	bootstrap_pull_cancel(bootstrap->pull);
	stage_walk_free(bootstrap->walk);
	lease_free(bootstrap->lease);
	sd_event_source_disable_unref(bootstrap->timer);
	sd_event_source_disable_unref(bootstrap->attempt_timer);
	stages_free(bootstrap->stages);
	stage_extras_free(bootstrap->extras);
	value_free(bootstrap->variables);
	for (size_t i = 0; i < bootstrap->n_keys; i++)
		free(bootstrap->keys[i]);
	if (bootstrap->password)
		explicit_bzero(bootstrap->password, strlen(bootstrap->password));
	free(bootstrap->password);
	free(bootstrap->username);
	free(bootstrap->url);
	free(bootstrap->repository);
	free(bootstrap->tag);
	free(bootstrap->self);
	free(bootstrap->manifests_folder);
	free(bootstrap->work_folder);
	free(bootstrap->cache_folder);
	sd_event_unref(bootstrap->event);
	free(bootstrap);
	return NULL;
}
