// The order of things: artifact (cache, else pull and verify), unpack, then walk the stages for ever. The walk visits
// stage after stage, lays it when we hold the Lease, asks the API object by object, and stops at the first that is not
// ready; the timer starts it again.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/bootstrap.h"
#include "base/file.h"
#include "base/json.h"
#include "base/time.h"
#include "k3s/bootstrap-cache.h"
#include "k3s/lease.h"
#include "k3s/object.h"
#include "k3s/substitute.h"
#include "k3s/unpack.h"
#include <errno.h>
#include <stdarg.h>

#define LEASE_NAME "hearth-bootstrap"

enum { WALK_SEC = 2, WALK_STEADY_SEC = 15, DEFAULT_PRUNE_SEC = 45 };

struct watch { // one object of one stage
	enum stage_id stage;
	const struct manifest_object *object;
	const struct stage_file *file; // that lays it
	char *path; // in the API, NULL until its kind is served
};

struct bootstrap {
	sd_event *event;
	struct kube *kube;
	struct oci_source source; // texts owned by the next four
	char *url, *repository, *username, *password;
	char digest[OCI_DIGEST_TEXT], keys_hash[65];
	struct value *variables;
	size_t n_keys;
	char *keys[COSIGN_MAX_KEYS];
	char *self, *manifests_folder, *work_folder, *cache_folder;
	uint64_t max_backoff_usec;
	unsigned prune_sec, attempt;
	void (*on_changed)(const struct bootstrap_status *status, void *user);
	void *user;

	struct bootstrap_status status, told;
	sd_event_source *timer;
	struct oci_fetch *fetch;
	struct cosign_check *check;
	char *manifest;
	size_t n_manifest;
	char layer_digest[OCI_DIGEST_TEXT];

	struct stages *stages;
	struct lease *lease;
	struct stage_state states[N_STAGES];
	size_t n_watches, at;
	struct watch *watches;
	bool walking;
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

static int timer_set(struct bootstrap *bootstrap, uint64_t usec)
{
	int r = sd_event_source_set_time_relative(bootstrap->timer, usec);

	return r < 0 ? r : sd_event_source_set_enabled(bootstrap->timer, SD_EVENT_ONESHOT);
}

// The artifact could not be had or is refused: say so, come again.
static void attempt_fail(struct bootstrap *bootstrap, int error, const char *sentence)
{
	uint64_t wait = time_backoff_usec(bootstrap->attempt, USEC_PER_SEC, bootstrap->max_backoff_usec);

	if (bootstrap->attempt < 16)
		bootstrap->attempt++;
	bootstrap->status.error = error;
	sentence_set(bootstrap, "%s", sentence);
	if (timer_set(bootstrap, wait + 100 * USEC_PER_MSEC) < 0)
		sentence_set(bootstrap, "%.900s (and there is no timer to try again)", sentence);
	tell(bootstrap);
}

static void attempt_refuse(struct bootstrap *bootstrap, int error, const struct diag *diag)
{
	char sentence[1024];

	snprintf(sentence, sizeof(sentence), "the bootstrap is refused: %.900s", diag_text(diag));
	attempt_fail(bootstrap, error, sentence);
}

// Why the last attempt failed stays until another one is through: a console that changes at every try tells nobody more.
static void phase_set(struct bootstrap *bootstrap, enum bootstrap_phase phase, const char *sentence)
{
	bootstrap->status.phase = phase;
	if (phase < BOOTSTRAP_WATCHING && bootstrap->status.error < 0)
		return;
	bootstrap->status.error = 0;
	sentence_set(bootstrap, "%s", sentence);
	tell(bootstrap);
}

static void walk_start(struct bootstrap *bootstrap);

// ---- from the artifact to stages

static int watches_make(struct bootstrap *bootstrap)
{
	size_t n = 0;

	for (size_t s = 0; s < N_STAGES; s++)
		for (size_t f = 0; f < bootstrap->stages->of[s].n_files; f++)
			n += bootstrap->stages->of[s].files[f].manifest->n;
	bootstrap->watches = calloc(n ? n : 1, sizeof(*bootstrap->watches));
	if (!bootstrap->watches)
		return -ENOMEM;
	for (size_t s = 0; s < N_STAGES; s++)
		for (size_t f = 0; f < bootstrap->stages->of[s].n_files; f++) {
			const struct manifest *manifest = bootstrap->stages->of[s].files[f].manifest;

			for (size_t o = 0; o < manifest->n; o++)
				bootstrap->watches[bootstrap->n_watches++] =
					(struct watch){.stage = (enum stage_id)s, .object = &manifest->objects[o],
						.file = &bootstrap->stages->of[s].files[f]};
		}
	return 0;
}

static void on_lease(struct lease *lease, void *user)
{
	struct bootstrap *bootstrap = user;

	if (!bootstrap->walking)
		walk_start(bootstrap);
}

static int layer_unpack(struct bootstrap *bootstrap, const char *layer, size_t n, struct diag *reterr)
{
	char *folder AUTO_FREE = str_format("%s/artifact", bootstrap->work_folder);
	struct stages *stages = NULL;
	int r;

	if (!folder)
		return -ENOMEM;
	r = file_make_folders(bootstrap->work_folder, 0700);
	if (r == 0)
		r = unpack_remove(folder); // of an attempt that a power cut ended
	if (r < 0)
		return diag_set(reterr, r, folder, "cannot be made: %s", strerror(-r));
	r = unpack_tar_gz(layer, n, folder, NULL, reterr);
	if (r < 0)
		return r;
	r = stages_load(folder, bootstrap->variables, &stages, reterr);
	(void)unpack_remove(folder); // all is in memory now; what stays is removed next time
	if (r < 0)
		return r;
	bootstrap->stages = stages;
	return watches_make(bootstrap);
}

// 0: the stages are loaded and the walk has begun.
static int artifact_use(struct bootstrap *bootstrap, const char *layer, size_t n, struct diag *reterr)
{
	int r;

	phase_set(bootstrap, BOOTSTRAP_UNPACKING, "unpacking the bootstrap");
	r = layer_unpack(bootstrap, layer, n, reterr);
	if (r < 0)
		return r;
	bootstrap->attempt = 0;
	r = lease_new(bootstrap->event, bootstrap->kube, LEASE_NAME, bootstrap->self, on_lease, bootstrap,
		&bootstrap->lease);
	if (r < 0)
		return diag_set(reterr, r, "lease", "cannot be asked for: %s", strerror(-r));
	phase_set(bootstrap, BOOTSTRAP_WATCHING, "asking the Kubernetes API who lays the bootstrap");
	walk_start(bootstrap);
	return 0;
}

static void on_layer(const struct oci_fetched *fetched, void *user)
{
	struct bootstrap *bootstrap = user;
	struct diag diag = {0};
	int r;

	bootstrap->fetch = NULL;
	if (fetched->error < 0) {
		attempt_refuse(bootstrap, fetched->error, fetched->diag);
		return;
	}
	r = artifact_use(bootstrap, fetched->bytes, fetched->n, &diag);
	if (r < 0) {
		attempt_refuse(bootstrap, r, &diag);
		return;
	}
	// Without a copy the next start needs the registry: worth a try, no reason to stop.
	if (*bootstrap->cache_folder)
		(void)bootstrap_cache_save(bootstrap->cache_folder, bootstrap->digest, bootstrap->keys_hash,
			bootstrap->manifest, bootstrap->n_manifest, fetched->bytes, fetched->n, NULL);
}

static void on_checked(int error, enum cosign_form form, const struct diag *diag, void *user)
{
	struct bootstrap *bootstrap = user;
	struct diag own = {0};
	int r;

	bootstrap->check = NULL;
	if (error < 0) {
		if (error == -ENOKEY || error == -EKEYREJECTED || error == -EBADMSG)
			attempt_refuse(bootstrap, error, diag);
		else
			attempt_fail(bootstrap, error, diag_text(diag));
		return;
	}
	phase_set(bootstrap, BOOTSTRAP_PULLING, "pulling the bootstrap");
	r = oci_fetch_blob(&bootstrap->source, bootstrap->layer_digest, BOOTSTRAP_LAYER_MAX, on_layer, bootstrap,
		&bootstrap->fetch);
	if (r < 0) {
		(void)diag_set(&own, r, "", "its layer cannot be asked for: %s", strerror(-r));
		attempt_refuse(bootstrap, r, &own);
	}
}

static int manifest_keep(struct bootstrap *bootstrap, const struct oci_fetched *fetched, struct diag *reterr)
{
	struct oci_layer layer;
	int r = bootstrap_layer(fetched->bytes, fetched->n, &layer, reterr);

	if (r < 0)
		return r;
	memcpy(bootstrap->layer_digest, layer.digest, OCI_DIGEST_TEXT);
	free(bootstrap->manifest);
	bootstrap->manifest = strndup(fetched->bytes, fetched->n);
	bootstrap->n_manifest = fetched->n;
	return bootstrap->manifest ? 0 : -ENOMEM;
}

static void on_manifest(const struct oci_fetched *fetched, void *user)
{
	struct bootstrap *bootstrap = user;
	struct diag diag = {0};
	int r;

	bootstrap->fetch = NULL;
	if (fetched->error < 0) {
		if (fetched->error == -EBADMSG || fetched->error == -ENOENT || fetched->error == -EACCES)
			attempt_refuse(bootstrap, fetched->error, fetched->diag);
		else
			attempt_fail(bootstrap, fetched->error, diag_text(fetched->diag));
		return;
	}
	r = manifest_keep(bootstrap, fetched, &diag);
	if (r == 0) {
		phase_set(bootstrap, BOOTSTRAP_VERIFYING, "verifying the signature of the bootstrap");
		r = cosign_check_start(&bootstrap->source, bootstrap->digest, (const char *const *)bootstrap->keys,
			bootstrap->n_keys, on_checked, bootstrap, &bootstrap->check);
		if (r < 0)
			(void)diag_set(&diag, r, "", "its signature cannot be asked for: %s", strerror(-r));
	}
	if (r < 0)
		attempt_refuse(bootstrap, r, &diag);
}

static void stages_drop(struct bootstrap *bootstrap)
{
	for (size_t i = 0; i < bootstrap->n_watches; i++)
		free(bootstrap->watches[i].path);
	free(TAKE_PTR(bootstrap->watches));
	bootstrap->n_watches = 0;
	bootstrap->stages = stages_free(bootstrap->stages);
}

static void attempt_start(struct bootstrap *bootstrap)
{
	char *layer AUTO_FREE = NULL;
	struct diag diag = {0};
	size_t n = 0;
	int r;

	stages_drop(bootstrap); // of an attempt that ended half-way
	if (*bootstrap->cache_folder && bootstrap_cache_load(bootstrap->cache_folder, bootstrap->digest,
						bootstrap->keys_hash, &layer, &n) == 0) {
		r = artifact_use(bootstrap, layer, n, &diag);
		if (r < 0)
			attempt_refuse(bootstrap, r, &diag);
		return;
	}
	bootstrap->status.phase = BOOTSTRAP_PULLING; // the sentence of the last attempt stays until this one knows more
	r = oci_fetch_manifest(&bootstrap->source, bootstrap->digest, on_manifest, bootstrap, &bootstrap->fetch);
	if (r < 0) {
		(void)diag_set(&diag, r, "", "%s cannot be asked for %s: %s", bootstrap->url, bootstrap->digest,
			strerror(-r));
		attempt_refuse(bootstrap, r, &diag);
	}
}

// ---- the walk over the stages

static bool before_stage(const struct bootstrap *bootstrap, enum stage_id end)
{
	return bootstrap->status.stage >= end;
}

/* Another server holds the Lease, or this walk is by the holder. Without one nobody says that what is there is this
 * artifact: a moment after start, no more. */
static bool someone_lays(const struct bootstrap *bootstrap)
{
	const char *holder = lease_holder(bootstrap->lease);

	return bootstrap->status.holder || (*holder && !str_equal(holder, bootstrap->self));
}

static void walk_end(struct bootstrap *bootstrap)
{
	bool steady = bootstrap->status.stage == N_STAGES && someone_lays(bootstrap);

	// Files of ours beside those of the holder would make two K3s apply against each other.
	if (!bootstrap->status.holder && someone_lays(bootstrap))
		(void)stage_files_leave(bootstrap->manifests_folder); // tried again at the next walk
	bootstrap->walking = false;
	bootstrap->status.phase = steady ? BOOTSTRAP_STEADY : BOOTSTRAP_WATCHING;
	bootstrap->status.ready = steady;
	bootstrap->status.cluster_network_ready = before_stage(bootstrap, STAGE_STORAGE);
	if (timer_set(bootstrap, (steady ? WALK_STEADY_SEC : WALK_SEC) * USEC_PER_SEC) < 0)
		sentence_set(bootstrap, "no timer to look at the bootstrap again");
	tell(bootstrap);
}

static void walk_wait(struct bootstrap *bootstrap, enum stage_id stage, int error, const char *sentence)
{
	bootstrap->status.stage = stage;
	bootstrap->status.error = error;
	if (bootstrap->status.holder)
		sentence_set(bootstrap, "stage %s: %.800s", stage_folder(stage), sentence);
	else if (someone_lays(bootstrap))
		sentence_set(bootstrap, "stage %s (laid by %.100s): %.700s", stage_folder(stage),
			lease_holder(bootstrap->lease), sentence);
	else
		sentence_set(bootstrap, "stage %s (no server holds the Lease yet): %.700s", stage_folder(stage),
			sentence);
	walk_end(bootstrap);
}

static void walk_on(struct bootstrap *bootstrap);

static void walk_api_error(struct bootstrap *bootstrap, const struct kube_answer *answer)
{
	walk_wait(bootstrap, bootstrap->watches[bootstrap->at].stage, answer->error, diag_text(answer->diag));
}

// Discovery of one group and version: it gives the path of every object of it that has none yet.
static void on_discovery(const struct kube_answer *answer, void *user)
{
	struct bootstrap *bootstrap = user;
	const struct watch *now = &bootstrap->watches[bootstrap->at];
	char sentence[512];

	if (answer->error < 0 && answer->error != -ENOENT) {
		walk_api_error(bootstrap, answer);
		return;
	}
	for (size_t i = bootstrap->at; i < bootstrap->n_watches; i++) {
		struct watch *watch = &bootstrap->watches[i];

		if (!watch->path && str_equal(watch->object->api_version, now->object->api_version) &&
			object_path(watch->object, answer->object, &watch->path) < 0)
			watch->path = NULL; // its kind is not served yet: asked again when its turn comes
	}
	if (!now->path) {
		snprintf(sentence, sizeof(sentence), "%s %s: the API does not serve %s yet", now->object->kind,
			now->object->name, now->object->api_version);
		walk_wait(bootstrap, now->stage, 0, sentence);
		return;
	}
	walk_on(bootstrap);
}

static bool judged_by_pod(const struct watch *watch)
{
	return watch->stage == STAGE_CNI && object_is_daemon_set(watch->object);
}

/* An object that is older than its file may be ready as the file before said: until K3s has surely looked at the folder
 * nothing is known of what this one says, and the next stage has to wait. */
static bool watch_settles(const struct bootstrap *bootstrap, const struct watch *watch, const struct value *live)
{
	int64_t now_sec = time_wall_msec() / 1000, written_sec;

	return bootstrap->status.holder &&
	       stage_file_written(bootstrap->manifests_folder, watch->file, &written_sec) == 0 &&
	       now_sec >= written_sec && now_sec - written_sec < bootstrap->prune_sec / 2 &&
	       object_predates(watch->object, live, written_sec);
}

static void on_object(const struct kube_answer *answer, void *user)
{
	struct bootstrap *bootstrap = user;
	const struct watch *watch = &bootstrap->watches[bootstrap->at];
	char sentence[512];
	bool ready;

	if (answer->error < 0 && answer->error != -ENOENT) {
		walk_api_error(bootstrap, answer);
		return;
	}
	if (judged_by_pod(watch))
		ready = daemon_set_ready_here(watch->object, answer->object, bootstrap->self, sentence);
	else
		ready = object_ready(watch->object, answer->object, watch->stage == STAGE_CNI, sentence);
	if (ready && watch_settles(bootstrap, watch, answer->object)) {
		snprintf(sentence, sizeof(sentence), "%.40s %.60s: K3s has not looked at the new %s yet",
			watch->object->kind, watch->object->name, watch->file->name);
		ready = false;
	}
	if (!ready) {
		walk_wait(bootstrap, watch->stage, 0, sentence);
		return;
	}
	bootstrap->at++;
	walk_on(bootstrap);
}

static int watch_ask(struct bootstrap *bootstrap, const struct watch *watch)
{
	char *path AUTO_FREE = NULL;

	if (!watch->path) {
		path = object_discovery_path(watch->object->api_version);
		return path ? kube_get(bootstrap->kube, path, on_discovery, bootstrap) : -ENOMEM;
	}
	if (judged_by_pod(watch)) {
		path = str_format("/api/v1/namespaces/%s/pods?fieldSelector=spec.nodeName%%3D%s",
			watch->object->namespace ? watch->object->namespace : "default", bootstrap->self);
		return path ? kube_get(bootstrap->kube, path, on_object, bootstrap) : -ENOMEM;
	}
	return kube_get(bootstrap->kube, watch->path, on_object, bootstrap);
}

static void stage_lay(struct bootstrap *bootstrap, enum stage_id id, struct diag *reterr, int *ret_error)
{
	int r = 0;

	if (bootstrap->status.holder && !lease_held(bootstrap->lease)) { // a walk may take longer than the Lease lasts
		bootstrap->status.holder = false;
		r = diag_set(reterr, -ESTALE, "", "the Lease went to another server, or could not be renewed");
	} else if (bootstrap->status.holder) {
		r = stage_files_apply(bootstrap->manifests_folder, id, &bootstrap->stages->of[id], bootstrap->prune_sec,
			reterr);
	}
	*ret_error = r < 0 ? r : 0;
	bootstrap->states[id].laid = r >= 0;
}

// Go on until a request is under way or the walk is over.
static void walk_on(struct bootstrap *bootstrap)
{
	for (;;) {
		struct diag diag = {0};
		const struct watch *watch;
		enum stage_id id;
		int r;

		switch (stages_next(bootstrap->stages, bootstrap->states, &id)) {
		case STAGE_NEXT_LAY:
			stage_lay(bootstrap, id, &diag, &r);
			if (r < 0) {
				walk_wait(bootstrap, id, r, diag_text(&diag));
				return;
			}
			continue;
		case STAGE_NEXT_WAIT:
			break;
		case STAGE_NEXT_DONE:
			bootstrap->status.stage = N_STAGES;
			bootstrap->status.error = 0;
			sentence_set(bootstrap, "%s",
				someone_lays(bootstrap) ? "" : "every stage is ready; the Lease " LEASE_NAME
							     " has no holder yet");
			walk_end(bootstrap);
			return;
		}
		watch = bootstrap->at < bootstrap->n_watches ? &bootstrap->watches[bootstrap->at] : NULL;
		if (!watch || watch->stage != id) {
			bootstrap->states[id].ready = true;
			continue;
		}
		r = watch_ask(bootstrap, watch);
		if (r < 0)
			walk_wait(bootstrap, id, r, strerror(-r));
		return;
	}
}

static void walk_start(struct bootstrap *bootstrap)
{
	bootstrap->walking = true;
	bootstrap->at = 0;
	memset(bootstrap->states, 0, sizeof(bootstrap->states));
	bootstrap->status.holder = lease_held(bootstrap->lease);
	walk_on(bootstrap);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *user)
{
	struct bootstrap *bootstrap = user;

	if (bootstrap->fetch || bootstrap->check || bootstrap->walking)
		return 0;
	if (bootstrap->lease)
		walk_start(bootstrap);
	else
		attempt_start(bootstrap);
	return 0;
}

void bootstrap_retry(struct bootstrap *bootstrap)
{
	bootstrap->attempt = 0;
	(void)timer_set(bootstrap, 0); // when it cannot be set the old time stands
}

// ---- making and freeing

static int texts_copy(struct bootstrap *bootstrap, const struct bootstrap_config *config)
{
	const struct oci_source *source = &config->source;

	bootstrap->url = strdup(source->url);
	bootstrap->repository = strdup(source->repository);
	bootstrap->self = strdup(config->self);
	bootstrap->manifests_folder = strdup(config->manifests_folder ? config->manifests_folder
								      : "/var/lib/rancher/k3s/server/manifests");
	bootstrap->cache_folder = strdup(config->cache_folder ? config->cache_folder : "/state/hearth/bootstrap");
	bootstrap->work_folder = strdup(config->work_folder ? config->work_folder : "/run/hearth/bootstrap");
	if (!bootstrap->url || !bootstrap->repository || !bootstrap->self || !bootstrap->manifests_folder ||
		!bootstrap->work_folder || !bootstrap->cache_folder)
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

// The variables live in a document of the caller's: keep a copy of our own.
static int variables_copy(struct bootstrap *bootstrap, const struct value *variables)
{
	struct json_out out = {0};
	char *text AUTO_FREE = NULL;

	if (!variables || variables->type == VALUE_NULL)
		return 0;
	json_out_value(&out, variables);
	text = json_out_take(&out);
	return text ? json_parse(text, strlen(text), 0, &bootstrap->variables, NULL) : -ENOMEM;
}

int bootstrap_new(const struct bootstrap_config *config, struct bootstrap **ret, struct diag *reterr)
{
	struct bootstrap *bootstrap CLEANUP(bootstrap_freep) = NULL;
	int r;

	if (!oci_digest_valid(config->digest))
		return diag_set(reterr, -EINVAL, "bootstrap.digest", "must be sha256: and 64 hex digits, not \"%s\"",
			config->digest);
	if (!oci_name_valid(config->source.repository))
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
	memcpy(bootstrap->digest, config->digest, OCI_DIGEST_TEXT);
	bootstrap->max_backoff_usec = config->max_backoff_usec ? config->max_backoff_usec : 30 * USEC_PER_SEC;
	bootstrap->prune_sec = config->prune_sec ? config->prune_sec : DEFAULT_PRUNE_SEC;
	bootstrap->on_changed = config->on_changed;
	bootstrap->user = config->user;
	sentence_set(bootstrap, "pulling the bootstrap from %.200s", config->source.url);
	r = bootstrap_keys_hash(config->key_pems, config->n_keys, bootstrap->keys_hash, reterr);
	if (r == 0)
		r = texts_copy(bootstrap, config);
	if (r == 0)
		r = variables_copy(bootstrap, config->variables);
	if (r == 0)
		r = sd_event_add_time_relative(config->event, &bootstrap->timer, CLOCK_BOOTTIME, 0, 0, on_timer,
			bootstrap);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(bootstrap);
	return 0;
}

struct bootstrap *bootstrap_free(struct bootstrap *bootstrap)
{
	if (!bootstrap)
		return NULL;
	oci_fetch_cancel(bootstrap->fetch);
	cosign_check_cancel(bootstrap->check);
	if (bootstrap->kube)
		kube_forget(bootstrap->kube, bootstrap);
	lease_free(bootstrap->lease);
	sd_event_source_disable_unref(bootstrap->timer);
	stages_drop(bootstrap);
	value_free(bootstrap->variables);
	for (size_t i = 0; i < bootstrap->n_keys; i++)
		free(bootstrap->keys[i]);
	if (bootstrap->password)
		explicit_bzero(bootstrap->password, strlen(bootstrap->password));
	free(bootstrap->password);
	free(bootstrap->username);
	free(bootstrap->url);
	free(bootstrap->repository);
	free(bootstrap->manifest);
	free(bootstrap->self);
	free(bootstrap->manifests_folder);
	free(bootstrap->work_folder);
	free(bootstrap->cache_folder);
	sd_event_unref(bootstrap->event);
	free(bootstrap);
	return NULL;
}
