// The order of things: artifact (cache, else pull and verify), unpack, then walk the stages for ever: a walk ends at the
// first stage that is not ready, the timer starts the next one. Beside it, with a timer of its own, the next artifact is
// looked for: after a refusal, or because the tag may have moved.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/bootstrap.h"
#include "base/file.h"
#include "base/time.h"
#include "base/timer.h"
#include "k3s/bootstrap-pull.h"
#include "k3s/bootstrap-settings.h"
#include "k3s/bootstrap-trial.h"
#include "k3s/unpack.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

// Between walks: at least WALK_SEC, and thrice what the last one took: an API server that is slow is not asked without a pause.
enum { WALK_SEC = 2, WALK_STEADY_SEC = 30, WALK_PAUSES = 3, WALK_MAX_SEC = 30 };

struct bootstrap {
	struct bootstrap_settings own;
	char wanted[OCI_DIGEST_TEXT]; // "" until the tag was looked up
	unsigned attempt;

	struct bootstrap_status status, told;
	sd_event_source *timer;         // the next walk
	sd_event_source *attempt_timer; // the next look for an artifact
	int problem;                    // why the wanted artifact is not the one that is walked
	char problem_sentence[1024];
	struct bootstrap_pull *pull;

	char used[OCI_DIGEST_TEXT]; // whose stages these are
	bool is_stand_in;           // it was not the wanted one when it was taken
	char given_up[BOOTSTRAP_NOTE_MAX]; // what was, as the note on disk that is read once: it need not be writable
	char seek_sentence[300];    // why the stand-in cannot be had, "" it was not tried
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
	if (bootstrap->own.on_changed)
		bootstrap->own.on_changed(&bootstrap->status, bootstrap->own.user);
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

static int stand_in_use(struct bootstrap *bootstrap, struct diag *reterr);

// The registry itself, behind its mirrors.
static const struct oci_source *registry_of(const struct bootstrap *bootstrap)
{
	return &bootstrap->own.sources[bootstrap->own.n_sources - 1];
}

// The artifact that is walked is the one that is wanted.
static bool is_wanted(const struct bootstrap *bootstrap)
{
	return str_equal(bootstrap->used, bootstrap->wanted);
}

// What is laid when the wanted one cannot be had, is refused or was given up; NULL: nothing else was ever ready.
static const char *stand_in(const struct bootstrap *bootstrap)
{
	return bootstrap_trial_other(&bootstrap->trial, bootstrap->wanted);
}

static bool is_given_up(const struct bootstrap *bootstrap, const char *digest)
{
	return bootstrap_trial_is_given_up(&bootstrap->trial, bootstrap->given_up, digest, bootstrap->own.variables_hash);
}

/* What is walked is the stand-in of a time before this server was away: another one was ready since. Laying it would roll
 * the cluster back, so it is watched until the newer one is here. */
static bool is_outdated(const struct bootstrap *bootstrap)
{
	const char *other = stand_in(bootstrap);

	return bootstrap->is_stand_in && !is_wanted(bootstrap) && other && !str_equal(bootstrap->used, other);
}

// The stand-in is to be walked and is not.
static bool seeks_stand_in(const struct bootstrap *bootstrap)
{
	const char *other = stand_in(bootstrap);

	return bootstrap->walk && other && !str_equal(bootstrap->used, other) &&
	       (is_given_up(bootstrap, bootstrap->used) || is_outdated(bootstrap));
}

// Only a tag can tell more: the wanted one is walked, or was given up for what is.
static bool is_settled(const struct bootstrap *bootstrap)
{
	return bootstrap->walk && (is_wanted(bootstrap) || is_given_up(bootstrap, bootstrap->wanted));
}

static uint64_t attempt_wait_usec(struct bootstrap *bootstrap, unsigned retry_after_sec)
{
	uint64_t wait = time_backoff_usec(bootstrap->attempt, USEC_PER_SEC, bootstrap->own.max_backoff_usec);

	if (bootstrap->attempt < 16)
		bootstrap->attempt++;
	return wait < retry_after_sec * USEC_PER_SEC ? retry_after_sec * USEC_PER_SEC : wait;
}

// The artifact could not be had or is refused: say so, come again; the last good one is walked meanwhile.
static void attempt_fail(struct bootstrap *bootstrap, int error, const char *sentence, unsigned retry_after_sec)
{
	uint64_t wait = attempt_wait_usec(bootstrap, retry_after_sec);

	if (is_settled(bootstrap)) { // the tag could not be looked up again: what it said last stands
		(void)timer_arm(bootstrap->attempt_timer, // else for ever
			wait + (seeks_stand_in(bootstrap) ? 0 : bootstrap->own.look_sec * USEC_PER_SEC));
		return;
	}
	bootstrap->problem = error;
	if (retry_after_sec)
		snprintf(bootstrap->problem_sentence, sizeof(bootstrap->problem_sentence), "%.900s; asked again in %u s",
			sentence, retry_after_sec);
	else
		snprintf(bootstrap->problem_sentence, sizeof(bootstrap->problem_sentence), "%.1000s", sentence);
	if (timer_arm(bootstrap->attempt_timer, wait + 100 * USEC_PER_MSEC) < 0)
		snprintf(bootstrap->problem_sentence, sizeof(bootstrap->problem_sentence),
			"%.900s (and there is no timer to try again)", sentence);
	if (!bootstrap->walk)
		(void)stand_in_use(bootstrap, NULL); // the refusal of the wanted one says more
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

static void given_up_set(struct bootstrap *bootstrap, const char *note)
{
	snprintf(bootstrap->given_up, sizeof(bootstrap->given_up), "%s", note);
	if (*bootstrap->own.cache_folder) // else it is tried once more after a restart
		(void)bootstrap_note_write(bootstrap->own.cache_folder, BOOTSTRAP_NOTE_BROKEN, *note ? note : NULL);
}

// The wanted one is walked, and there is nothing to say against it: what was given up before may be tried anew.
static void wanted_settle(struct bootstrap *bootstrap)
{
	char note[BOOTSTRAP_NOTE_MAX];

	bootstrap->problem = 0;
	bootstrap->is_stand_in = false;
	bootstrap_given_up_note(bootstrap->wanted, bootstrap->own.variables_hash, note);
	if (*bootstrap->given_up && !str_equal(bootstrap->given_up, note))
		given_up_set(bootstrap, "");
}

// What was ready here is kept whatever the Lease names: that one may not even exist.
static void cache_tidy(struct bootstrap *bootstrap)
{
	const char *const digests[] = {bootstrap->wanted, bootstrap->trial.last_ready, bootstrap->trial.learned};

	if (*bootstrap->own.cache_folder)
		bootstrap_cache_keep(bootstrap->own.cache_folder, digests, N_ELEMENTS(digests));
}

// What is walked is entirely ready for the first time.
static void ready_note(struct bootstrap *bootstrap)
{
	// Without the note there is nothing to come back to after a restart: said nowhere, as nothing waits for it.
	if (*bootstrap->own.cache_folder)
		(void)bootstrap_note_write(bootstrap->own.cache_folder, BOOTSTRAP_NOTE_READY, bootstrap->trial.last_ready);
	cache_tidy(bootstrap);
	if (!is_wanted(bootstrap))
		return;
	bootstrap->problem = 0;
	if (*bootstrap->given_up) // it got ready while the good one before it was not here yet
		given_up_set(bootstrap, "");
}

static void give_up(struct bootstrap *bootstrap, const struct stage_walk_result *result)
{
	char note[BOOTSTRAP_NOTE_MAX];

	bootstrap_given_up_note(bootstrap->wanted, bootstrap->own.variables_hash, note);
	given_up_set(bootstrap, note);
	bootstrap->problem = -ETIME;
	snprintf(bootstrap->problem_sentence, sizeof(bootstrap->problem_sentence),
		"the bootstrap %.19s got no further for %u s and was given up (%.600s); set another digest, or this one again "
		"after another, to have it tried anew",
		bootstrap->wanted, bootstrap->trial.come_back_sec, result->sentence);
	bootstrap->attempt = 0;
	(void)timer_arm(bootstrap->attempt_timer, 0); // else what is walked stays
}

static void hold_set(struct bootstrap *bootstrap)
{
	if (bootstrap->lease)
		lease_set_watching(bootstrap->lease, is_outdated(bootstrap));
}

static int wanted_find(struct bootstrap *bootstrap);

/* Which one was entirely ready last is known by the Lease, too: another server may have held it, or this one's disk is
 * new. What was given up here and got ready there is wanted again, also while its tag cannot be looked up. */
static void last_ready_learn(struct bootstrap *bootstrap)
{
	if (!bootstrap_trial_learn(&bootstrap->trial, lease_note(bootstrap->lease)))
		return;
	hold_set(bootstrap);
	if (!bootstrap->walk || !*bootstrap->wanted)
		return;
	if (str_equal(bootstrap->trial.learned, bootstrap->wanted))
		(void)wanted_find(bootstrap);
	bootstrap->attempt = 0;
	if (!is_wanted(bootstrap) || seeks_stand_in(bootstrap))
		(void)timer_arm(bootstrap->attempt_timer, 0); // else what is walked stays
}

// The sentence of a walk while the wanted one is not what is walked.
static void problem_say(struct bootstrap *bootstrap, const struct stage_walk_result *result)
{
	bootstrap->status.phase = BOOTSTRAP_WATCHING;
	bootstrap->status.ready = false;
	bootstrap->status.error = bootstrap->problem;
	if (is_outdated(bootstrap))
		sentence_set(bootstrap, "%.500s; this server lays nothing until the last good one (%.19s) is here%.290s: %.120s",
			bootstrap->problem_sentence, stand_in(bootstrap), bootstrap->seek_sentence, result->sentence);
	else if (seeks_stand_in(bootstrap))
		sentence_set(bootstrap, "%.450s; what is laid (%.19s) stays until the last good one (%.19s) is here%.290s: %.120s",
			bootstrap->problem_sentence, bootstrap->used, stand_in(bootstrap), bootstrap->seek_sentence,
			result->sentence);
	else
		sentence_set(bootstrap, "%.750s; what was laid before (%.19s) stays%s%.150s", bootstrap->problem_sentence,
			bootstrap->used, *result->sentence ? ": " : " and is ready", result->sentence);
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
		if (!seeks_stand_in(bootstrap))
			give_up(bootstrap, result);
		break;
	}
	if (result->holder && result->stage == N_STAGES && *bootstrap->used && !is_outdated(bootstrap)) {
		lease_set_note(bootstrap->lease, bootstrap->used); // again, when somebody else wrote another one meanwhile
		(void)bootstrap_trial_learn(&bootstrap->trial, bootstrap->used);
	}
	bootstrap->status.holder = result->holder;
	bootstrap->status.stage = result->stage;
	bootstrap->status.error = result->error;
	memcpy(bootstrap->status.sentence, result->sentence, sizeof(bootstrap->status.sentence));
	bootstrap->status.phase = steady ? BOOTSTRAP_STEADY : BOOTSTRAP_WATCHING;
	bootstrap->status.ready = steady;
	bootstrap->status.cluster_network_ready = result->stage >= STAGE_STORAGE;
	memcpy(bootstrap->status.digest, bootstrap->used, sizeof(bootstrap->status.digest));
	bootstrap->status.came_back = bootstrap->problem < 0 && !seeks_stand_in(bootstrap);
	if (bootstrap->problem < 0)
		problem_say(bootstrap, result);
	if (timer_arm(bootstrap->timer, walk_pause_usec(result, steady)) < 0)
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

	if (!bootstrap->lease)
		r = lease_new(bootstrap->own.event, bootstrap->own.kube, STAGE_WALK_LEASE, bootstrap->own.self, on_lease,
			bootstrap, &bootstrap->lease);
	if (r == 0)
		r = stage_walk_new(
			&(struct stage_walk_config){.kube = bootstrap->own.kube, .lease = bootstrap->lease,
				.stages = bootstrap->stages, .self = bootstrap->own.self,
				.manifests_folder = bootstrap->own.manifests_folder, .prune_sec = bootstrap->own.prune_sec,
				.on_end = on_walk_end, .user = bootstrap},
			&bootstrap->walk);
	return r;
}

// ---- from the artifact to stages

static int layer_unpack(struct bootstrap *bootstrap, const char *layer_path, struct stages **ret, struct diag *reterr)
{
	char *folder AUTO_FREE = str_format("%s/artifact", bootstrap->own.work_folder);
	int fd AUTO_CLOSE = open(layer_path, O_RDONLY | O_CLOEXEC);
	int r;

	if (!folder)
		return -ENOMEM;
	if (fd < 0)
		return diag_set(reterr, -errno, layer_path, "cannot be read: %s", strerror(errno));
	r = file_make_folders(bootstrap->own.work_folder, 0700);
	if (r == 0)
		r = unpack_remove(folder); // of an attempt that a power cut ended
	if (r < 0)
		return diag_set(reterr, r, folder, "cannot be made: %s", strerror(-r));
	r = unpack_tar_gz_fd(fd, folder, NULL, reterr);
	if (r < 0)
		return r;
	r = stages_load(folder, bootstrap->own.variables, bootstrap->own.secrets, ret, reterr);
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
	hold_set(bootstrap);
	(void)timer_arm(bootstrap->timer, 0);
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
	bootstrap->is_stand_in = !is_wanted(bootstrap);
	*bootstrap->seek_sentence = '\0';
	bootstrap_trial_begin(&bootstrap->trial);
	if (is_wanted(bootstrap) && !is_given_up(bootstrap, bootstrap->used))
		wanted_settle(bootstrap);
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

// The stand-in, when it is kept here, verified under the keys of today. 1: it is not.
static int stand_in_use(struct bootstrap *bootstrap, struct diag *reterr)
{
	const char *other = stand_in(bootstrap);
	char *layer_path AUTO_FREE = NULL;

	if (!other || !*bootstrap->own.cache_folder ||
		bootstrap_cache_check(bootstrap->own.cache_folder, other, bootstrap->own.keys_hash) < 0)
		return 1;
	layer_path = bootstrap_cache_layer(bootstrap->own.cache_folder, other);
	return layer_path ? artifact_use(bootstrap, other, layer_path, reterr) : -ENOMEM;
}

// For the tag, or for what is not settled. Without the timer what is walked stays.
static void look_later(struct bootstrap *bootstrap)
{
	if (bootstrap->own.tag && !seeks_stand_in(bootstrap))
		(void)timer_arm(bootstrap->attempt_timer, bootstrap->own.look_sec * USEC_PER_SEC);
	else if (!is_settled(bootstrap) || seeks_stand_in(bootstrap))
		(void)timer_arm(bootstrap->attempt_timer, attempt_wait_usec(bootstrap, 0));
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
	if (bootstrap->own.tag)
		bootstrap_tag_note(bootstrap->own.cache_folder, registry_of(bootstrap)->repository, bootstrap->own.tag,
			bootstrap->wanted);
	if (seeks_stand_in(bootstrap))
		(void)timer_arm(bootstrap->attempt_timer, 0); // else what is walked stays
	else if (bootstrap->own.tag)
		(void)timer_arm(bootstrap->attempt_timer, bootstrap->own.look_sec * USEC_PER_SEC); // else the tag stands
}

static void given_up_say(struct bootstrap *bootstrap)
{
	if (bootstrap->problem != -ETIME)
		snprintf(bootstrap->problem_sentence, sizeof(bootstrap->problem_sentence),
			"the bootstrap %.19s got no further and was given up; set another digest, or this one again after "
			"another, to have it tried anew",
			bootstrap->wanted);
	bootstrap->problem = -ETIME;
}

// 0: the wanted artifact is the one that is walked, or is used now, or was given up for what is; 1: it has to be pulled.
static int wanted_find(struct bootstrap *bootstrap)
{
	char *layer_path AUTO_FREE = NULL;

	if (is_given_up(bootstrap, bootstrap->wanted)) {
		given_up_say(bootstrap);
		if (!bootstrap->walk)
			(void)stand_in_use(bootstrap, NULL); // until it is here better the one that was given up than none
		if (bootstrap->walk)
			return 0;
	}
	if (bootstrap->walk && is_wanted(bootstrap)) {
		wanted_settle(bootstrap); // the tag moved back
		hold_set(bootstrap);
		return 0;
	}
	if (!*bootstrap->own.cache_folder)
		return 1;
	if (bootstrap_cache_check(bootstrap->own.cache_folder, bootstrap->wanted, bootstrap->own.keys_hash) < 0)
		return 1;
	layer_path = bootstrap_cache_layer(bootstrap->own.cache_folder, bootstrap->wanted);
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
		cache_tidy(bootstrap);
	wanted_use(bootstrap, pulled->layer_path);
}

// What the tag names now.
static bool on_named(const char *digest, void *user)
{
	struct bootstrap *bootstrap = user;

	memcpy(bootstrap->wanted, digest, sizeof(bootstrap->wanted));
	hold_set(bootstrap);
	look_later(bootstrap);
	if (wanted_find(bootstrap) != 0)
		return true;
	bootstrap->pull = NULL;
	return false;
}

static int pull_start(struct bootstrap *bootstrap, const char *reference, bool (*on_name)(const char *, void *),
	void (*on_end)(const struct bootstrap_pulled *, void *))
{
	return bootstrap_pull_start(
		&(struct bootstrap_pull_config){.event = bootstrap->own.event, .sources = bootstrap->own.sources,
			.n_sources = bootstrap->own.n_sources,
			.key_pems = (const char *const *)bootstrap->own.keys, .n_keys = bootstrap->own.n_keys,
			.keys_hash = bootstrap->own.keys_hash, .cache_folder = bootstrap->own.cache_folder,
			.work_folder = bootstrap->own.work_folder, .on_named = on_name, .on_step = on_pull_step,
			.on_pulled = on_end, .user = bootstrap},
		reference, &bootstrap->pull);
}

static void wanted_pull(struct bootstrap *bootstrap)
{
	const char *reference = bootstrap->own.tag ? bootstrap->own.tag : bootstrap->wanted;
	struct diag diag = {0};
	int r = pull_start(bootstrap, reference, bootstrap->own.tag ? on_named : NULL, on_pulled);

	if (r < 0) {
		(void)diag_set(&diag, r, "", "%s cannot be asked for %s: %s", bootstrap->own.sources[0].url, reference,
			strerror(-r));
		attempt_refuse(bootstrap, r, &diag, 0);
	}
}

/* The stand-in could not be had, or is @refused by what it is: say so, come again, and see what else there is; what is laid
 * stays meanwhile. */
static void seek_fail(struct bootstrap *bootstrap, bool refused, const char *sentence, unsigned retry_after_sec)
{
	unsigned least_sec = refused && bootstrap->own.look_sec > retry_after_sec ? bootstrap->own.look_sec : retry_after_sec;
	uint64_t wait = attempt_wait_usec(bootstrap, least_sec);

	snprintf(bootstrap->seek_sentence, sizeof(bootstrap->seek_sentence), "; it %s: %.200s",
		refused ? "is refused" : "cannot be had", sentence);
	if (timer_arm(bootstrap->attempt_timer, wait + 100 * USEC_PER_MSEC) < 0)
		snprintf(bootstrap->seek_sentence, sizeof(bootstrap->seek_sentence), "; there is no timer to try for it again");
	if (bootstrap->own.tag || !is_settled(bootstrap))
		wanted_pull(bootstrap);
}

static void on_stand_in_pulled(const struct bootstrap_pulled *pulled, void *user)
{
	struct bootstrap *bootstrap = user;
	const char *other = stand_in(bootstrap);
	struct diag diag = {0};
	int r = 0;

	bootstrap->pull = NULL;
	if (!seeks_stand_in(bootstrap)) { // what was given up got ready, say
		look_later(bootstrap);
		return;
	}
	if (pulled->error < 0) {
		seek_fail(bootstrap, pulled->refused, diag_text(pulled->diag), pulled->retry_after_sec);
		return;
	}
	if (pulled->kept)
		cache_tidy(bootstrap);
	if (str_equal(other, pulled->digest)) // else it is another one by now
		r = artifact_use(bootstrap, pulled->digest, pulled->layer_path, &diag);
	if (r < 0)
		seek_fail(bootstrap, true, diag_text(&diag), 0);
	else
		look_later(bootstrap);
}

// From the cache, else by its digest: what a tag names is another question.
static void stand_in_get(struct bootstrap *bootstrap)
{
	struct diag diag = {0};
	int r = stand_in_use(bootstrap, &diag);

	if (r == 1)
		r = pull_start(bootstrap, stand_in(bootstrap), NULL, on_stand_in_pulled);
	else if (r == 0)
		look_later(bootstrap);
	if (r < 0)
		seek_fail(bootstrap, *diag.message != '\0', *diag.message ? diag_text(&diag) : strerror(-r), 0);
}

static void attempt_start(struct bootstrap *bootstrap)
{
	struct diag diag = {0};
	bool found = false;
	int r;

	if (!bootstrap->own.tag && !*bootstrap->wanted) {
		r = nothing_use(bootstrap, &diag);
		if (r < 0)
			attempt_refuse(bootstrap, r, &diag, 0);
		return;
	}
	if (!bootstrap->own.tag) {
		found = wanted_find(bootstrap) == 0;
	} else if (!*bootstrap->wanted) {
		bootstrap_tag_noted(bootstrap->own.cache_folder, registry_of(bootstrap)->repository, bootstrap->own.tag,
			bootstrap->wanted);
		if (*bootstrap->wanted)
			(void)wanted_find(bootstrap); // walked from the cache, when it is there; the tag is looked up all the same
	}
	if (seeks_stand_in(bootstrap)) {
		stand_in_get(bootstrap);
		return;
	}
	if (found)
		return;
	if (!bootstrap->walk)
		bootstrap->status.phase = BOOTSTRAP_PULLING; // the sentence of the last attempt stays until this one knows more
	wanted_pull(bootstrap);
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
	if (!bootstrap->walk || bootstrap->problem < 0 || bootstrap->own.tag)
		(void)timer_arm(bootstrap->attempt_timer, 0); // when it cannot be set the old time stands
	if (bootstrap->walk)
		(void)timer_arm(bootstrap->timer, 0);
}

static void notes_read(struct bootstrap *bootstrap)
{
	char note[BOOTSTRAP_NOTE_MAX] = "";

	if (!*bootstrap->own.cache_folder)
		return;
	bootstrap_note_read(bootstrap->own.cache_folder, BOOTSTRAP_NOTE_READY, note);
	if (oci_digest_valid(note))
		memcpy(bootstrap->trial.last_ready, note, OCI_DIGEST_TEXT);
	bootstrap_note_read(bootstrap->own.cache_folder, BOOTSTRAP_NOTE_BROKEN, bootstrap->given_up);
}

int bootstrap_new(const struct bootstrap_config *config, struct bootstrap **ret, struct diag *reterr)
{
	struct bootstrap *bootstrap CLEANUP(bootstrap_freep) = calloc(1, sizeof(*bootstrap));
	int r;

	if (!bootstrap)
		return -ENOMEM;
	r = bootstrap_settings_copy(config, &bootstrap->own, reterr);
	if (r < 0)
		return r;
	if (config->digest)
		memcpy(bootstrap->wanted, config->digest, OCI_DIGEST_TEXT);
	bootstrap->trial.come_back_sec = config->come_back_sec;
	if (config->digest || config->tag)
		sentence_set(bootstrap, "pulling the bootstrap from %.200s", config->sources[0].url);
	bootstrap->extras = stage_extras_copy(config->extras);
	if (!bootstrap->extras)
		return -ENOMEM;
	r = sd_event_add_time_relative(config->event, &bootstrap->attempt_timer, CLOCK_BOOTTIME, 0, 0, on_attempt_timer,
		bootstrap);
	if (r >= 0)
		r = sd_event_add_time_relative(config->event, &bootstrap->timer, CLOCK_BOOTTIME, 0, 0, on_timer, bootstrap);
	if (r < 0)
		return r;
	notes_read(bootstrap);
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
	bootstrap_settings_done(&bootstrap->own);
	free(bootstrap);
	return NULL;
}
