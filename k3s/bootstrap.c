// The order of things: artifact (cache, else pull and verify), unpack, then walk the stages for ever: a walk ends at the
// first stage that is not ready, the timer starts the next one.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/bootstrap.h"
#include "base/file.h"
#include "base/json.h"
#include "base/time.h"
#include "k3s/bootstrap-cache.h"
#include "k3s/stage-walk.h"
#include "k3s/substitute.h"
#include "k3s/unpack.h"
#include <errno.h>
#include <stdarg.h>

enum { WALK_SEC = 2, WALK_STEADY_SEC = 15, DEFAULT_PRUNE_SEC = 45 };

struct bootstrap {
	sd_event *event;
	struct kube *kube;
	struct oci_source source; // texts owned by the next four
	char *url, *repository, *username, *password;
	char digest[OCI_DIGEST_TEXT], keys_hash[65];
	struct value *variables;
	const struct value *secrets;
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
	uint64_t layer_bytes; // as the manifest says

	struct stages *stages;
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

// ---- walking

static void on_walk_end(const struct stage_walk_result *result, void *user)
{
	struct bootstrap *bootstrap = user;
	bool steady = result->stage == N_STAGES && result->someone_lays;

	bootstrap->status.holder = result->holder;
	bootstrap->status.stage = result->stage;
	bootstrap->status.error = result->error;
	memcpy(bootstrap->status.sentence, result->sentence, sizeof(bootstrap->status.sentence));
	bootstrap->status.phase = steady ? BOOTSTRAP_STEADY : BOOTSTRAP_WATCHING;
	bootstrap->status.ready = steady;
	bootstrap->status.cluster_network_ready = result->stage >= STAGE_STORAGE;
	if (timer_set(bootstrap, (steady ? WALK_STEADY_SEC : WALK_SEC) * USEC_PER_SEC) < 0)
		sentence_set(bootstrap, "no timer to look at the bootstrap again");
	tell(bootstrap);
}

static void on_lease(struct lease *lease, void *user)
{
	struct bootstrap *bootstrap = user;

	if (bootstrap->walk)
		stage_walk_start(bootstrap->walk);
}

static int walk_make(struct bootstrap *bootstrap)
{
	int r = lease_new(bootstrap->event, bootstrap->kube, STAGE_WALK_LEASE, bootstrap->self, on_lease, bootstrap,
		&bootstrap->lease);

	if (r == 0)
		r = stage_walk_new(
			&(struct stage_walk_config){.kube = bootstrap->kube, .lease = bootstrap->lease,
				.stages = bootstrap->stages, .self = bootstrap->self,
				.manifests_folder = bootstrap->manifests_folder, .prune_sec = bootstrap->prune_sec,
				.on_end = on_walk_end, .user = bootstrap},
			&bootstrap->walk);
	if (r < 0)
		bootstrap->lease = lease_free(bootstrap->lease);
	return r;
}

// ---- from the artifact to stages


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
	r = stages_load(folder, bootstrap->variables, bootstrap->secrets, &stages, reterr);
	(void)unpack_remove(folder); // all is in memory now; what stays is removed next time
	if (r < 0)
		return r;
	bootstrap->stages = stages;
	return 0;
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
	r = walk_make(bootstrap);
	if (r < 0)
		return diag_set(reterr, r, "lease", "cannot be asked for: %s", strerror(-r));
	phase_set(bootstrap, BOOTSTRAP_WATCHING, "asking the Kubernetes API who lays the bootstrap");
	stage_walk_start(bootstrap->walk);
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
	if (fetched->n != bootstrap->layer_bytes)
		r = diag_set(&diag, -EBADMSG, "", "its layer has %zu bytes, its manifest says %llu", fetched->n,
			(unsigned long long)bootstrap->layer_bytes);
	else
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
	bootstrap->layer_bytes = layer.size;
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

static void attempt_start(struct bootstrap *bootstrap)
{
	char *layer AUTO_FREE = NULL;
	struct diag diag = {0};
	size_t n = 0;
	int r;

	bootstrap->stages = stages_free(bootstrap->stages); // of an attempt that ended half-way
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

static int on_timer(sd_event_source *source, uint64_t usec, void *user)
{
	struct bootstrap *bootstrap = user;

	if (bootstrap->fetch || bootstrap->check)
		return 0;
	if (bootstrap->walk)
		stage_walk_start(bootstrap->walk);
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
	bootstrap->secrets = config->secrets;
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
	stage_walk_free(bootstrap->walk);
	lease_free(bootstrap->lease);
	sd_event_source_disable_unref(bootstrap->timer);
	stages_free(bootstrap->stages);
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
