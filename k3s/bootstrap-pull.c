// SPDX-License-Identifier: Apache-2.0
#include "k3s/bootstrap-pull.h"
#include "base/file.h"
#include <errno.h>
#include <sys/stat.h>

struct bootstrap_pull {
	struct bootstrap_pull_config config;
	char *reference;
	size_t at;             // the source that is asked
	sd_event_source *next; // another one, from the loop
	struct diag first;     // why the first of several did not do
	struct oci_fetch *fetch;
	struct cosign_check *check;
	char digest[OCI_DIGEST_TEXT], layer_digest[OCI_DIGEST_TEXT];
	uint64_t layer_bytes; // as the manifest says
	char *manifest;
	size_t n_manifest;
};

static void pull_free(struct bootstrap_pull *pull)
{
	sd_event_source_disable_unref(pull->next);
	free(pull->reference);
	free(pull->manifest);
	free(pull);
}

static void pull_end(struct bootstrap_pull *pull, const struct bootstrap_pulled *pulled)
{
	struct bootstrap_pull_config config = pull->config;

	pull_free(pull);
	config.on_pulled(pulled, config.user);
}

static const struct oci_source *source_of(const struct bootstrap_pull *pull)
{
	return &pull->config.sources[pull->at];
}

static int on_next(sd_event_source *source, void *user);

// Is there another place to ask? What this one gave is forgotten.
static bool next_begin(struct bootstrap_pull *pull, const struct diag *diag)
{
	if (pull->at + 1 == pull->config.n_sources ||
		sd_event_add_defer(pull->config.event, &pull->next, on_next, pull) < 0) // else its own failure is told
		return false;
	if (pull->at == 0)
		pull->first = *diag;
	pull->at++;
	free(pull->manifest);
	pull->manifest = NULL;
	return true;
}

/* @refused: by what it is. true: there is no going on from here; @pull may be gone. When no place had it the last one's
 * sentence is told, and the first one's. */
static bool pull_failed(struct bootstrap_pull *pull, int error, bool refused, const struct diag *diag, unsigned retry_after_sec)
{
	struct diag both;

	if (error == 0)
		return false;
	if (next_begin(pull, diag))
		return true;
	both = *diag;
	if (pull->at > 0)
		(void)diag_set(&both, error, diag->where, "%.500s (before it %s was asked: %.300s)", diag->message,
			pull->config.sources[0].url, pull->first.message);
	pull_end(pull, &(struct bootstrap_pulled){.error = error, .refused = refused, .diag = &both,
			       .retry_after_sec = refused ? 0 : retry_after_sec});
	return true;
}

// Where the layer goes: into the cache, else (it is switched off, or there is no STATE) beside the work. NULL: neither.
static char *layer_folder(const struct bootstrap_pull_config *config)
{
	if (*config->cache_folder && file_make_folders(config->cache_folder, 0700) == 0)
		return strdup(config->cache_folder);
	return file_make_folders(config->work_folder, 0700) == 0 ? strdup(config->work_folder) : NULL;
}

static void on_layer(const struct oci_fetched *fetched, void *user)
{
	struct bootstrap_pull *pull = user;
	char *folder AUTO_FREE = layer_folder(&pull->config);
	char *path AUTO_FREE = folder ? bootstrap_cache_layer(folder, pull->digest) : NULL;
	char digest[OCI_DIGEST_TEXT];
	struct diag diag = {0};
	struct stat st;
	bool cached, kept;
	int error = fetched->error;

	pull->fetch = NULL;
	if (pull_failed(pull, error, error == -EBADMSG || error == -EFBIG || error == -ENOENT, fetched->diag,
		    fetched->retry_after_sec))
		return;
	if (!path || stat(path, &st) < 0) {
		(void)diag_set(&diag, -EIO, "", "the bootstrap that was just fetched is not there any more");
		(void)pull_failed(pull, -EIO, false, &diag, 0);
		return;
	}
	if ((uint64_t)st.st_size != pull->layer_bytes) {
		(void)file_remove(path); // named by a manifest that lies about it
		(void)diag_set(&diag, -EBADMSG, "", "its layer has %llu bytes, its manifest says %llu",
			(unsigned long long)st.st_size, (unsigned long long)pull->layer_bytes);
		(void)pull_failed(pull, -EBADMSG, true, &diag, 0);
		return;
	}
	// Without the rest beside it the next start needs the registry: worth a try, no reason to stop.
	cached = str_equal(folder, pull->config.cache_folder);
	kept = cached && bootstrap_cache_save(folder, pull->digest, pull->config.keys_hash, pull->manifest, pull->n_manifest,
				 NULL) == 0;
	memcpy(digest, pull->digest, sizeof(digest));
	pull_end(pull, &(struct bootstrap_pulled){.digest = digest, .layer_path = path, .kept = kept});
	if (!cached)
		(void)file_remove(path); // it is in memory now
}

static void on_checked(const struct cosign_checked *checked, void *user)
{
	struct bootstrap_pull *pull = user;
	char *folder AUTO_FREE = NULL, *path AUTO_FREE = NULL;
	struct diag own = {0};
	int r, error = checked->error;

	pull->check = NULL;
	if (pull_failed(pull, error, error == -ENOKEY || error == -EKEYREJECTED || error == -EBADMSG, checked->diag,
		    checked->retry_after_sec))
		return;
	pull->config.on_step(BOOTSTRAP_PULL_LAYER, pull->config.user);
	folder = layer_folder(&pull->config);
	path = folder ? bootstrap_cache_layer(folder, pull->digest) : NULL;
	r = path ? oci_fetch_blob_file(source_of(pull), pull->layer_digest, path, pull->layer_bytes, NULL, on_layer, pull,
			   &pull->fetch)
		 : -EIO;
	if (r < 0) {
		(void)diag_set(&own, r, "", "its layer cannot be stored: %s", strerror(-r));
		(void)pull_failed(pull, r, true, &own, 0);
	}
}

static int manifest_keep(struct bootstrap_pull *pull, const struct oci_fetched *fetched, struct diag *reterr)
{
	struct oci_layer layer;
	int r = bootstrap_layer(fetched->bytes, fetched->n, &layer, reterr);

	if (r < 0)
		return r;
	memcpy(pull->layer_digest, layer.digest, OCI_DIGEST_TEXT);
	pull->layer_bytes = layer.size;
	pull->manifest = strndup(fetched->bytes, fetched->n);
	pull->n_manifest = fetched->n;
	return pull->manifest ? 0 : -ENOMEM;
}

static void on_manifest(const struct oci_fetched *fetched, void *user)
{
	struct bootstrap_pull *pull = user;
	const struct bootstrap_pull_config *config = &pull->config;
	struct diag diag = {0};
	int r, error = fetched->error;

	pull->fetch = NULL;
	if (pull_failed(pull, error, error == -EBADMSG || error == -ENOENT || error == -EACCES, fetched->diag,
		    fetched->retry_after_sec))
		return;
	memcpy(pull->digest, fetched->digest, sizeof(pull->digest));
	if (config->on_named && !config->on_named(pull->digest, config->user)) {
		pull_free(pull);
		return;
	}
	r = manifest_keep(pull, fetched, &diag);
	if (r == 0) {
		config->on_step(BOOTSTRAP_PULL_VERIFYING, config->user);
		r = cosign_check_start(source_of(pull), pull->digest, config->key_pems, config->n_keys, on_checked, pull,
			&pull->check);
		if (r < 0)
			(void)diag_set(&diag, r, "", "its signature cannot be asked for: %s", strerror(-r));
	}
	(void)pull_failed(pull, r, true, &diag, 0);
}

static int manifest_ask(struct bootstrap_pull *pull)
{
	return oci_fetch_manifest(source_of(pull), pull->reference, on_manifest, pull, &pull->fetch);
}

static int on_next(sd_event_source *source, void *user)
{
	struct bootstrap_pull *pull = user;
	struct diag diag = {0};
	int r;

	pull->next = sd_event_source_disable_unref(pull->next);
	r = manifest_ask(pull);
	if (r < 0)
		(void)diag_set(&diag, r, "", "%s cannot be asked for %s: %s", source_of(pull)->url, pull->reference, strerror(-r));
	(void)pull_failed(pull, r, true, &diag, 0);
	return 0;
}

int bootstrap_pull_start(const struct bootstrap_pull_config *config, const char *reference, struct bootstrap_pull **ret)
{
	struct bootstrap_pull *pull = calloc(1, sizeof(*pull));
	int r;

	if (!pull)
		return -ENOMEM;
	pull->config = *config;
	pull->reference = strdup(reference);
	r = pull->reference ? manifest_ask(pull) : -ENOMEM;
	if (r < 0) {
		pull_free(pull);
		return r;
	}
	*ret = pull;
	return 0;
}

void bootstrap_pull_cancel(struct bootstrap_pull *pull)
{
	if (!pull)
		return;
	oci_fetch_cancel(pull->fetch);
	cosign_check_cancel(pull->check);
	pull_free(pull);
}
