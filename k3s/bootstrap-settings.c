// SPDX-License-Identifier: Apache-2.0
#include "k3s/bootstrap-settings.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/time.h"
#include "k3s/bootstrap-cache.h"
#include "k3s/substitute.h"
#include <errno.h>

enum { DEFAULT_PRUNE_SEC = 45, DEFAULT_LOOK_SEC = 60, DEFAULT_MAX_BACKOFF_SEC = 30 };

static int config_check(const struct bootstrap_config *config, struct diag *reterr)
{
	if (!config->digest && config->tag && !oci_tag_valid(config->tag))
		return diag_set(
			reterr, -EINVAL, "bootstrap.tag", "must be a tag, not \"%s\"", config->tag);
	if (config->digest && !oci_digest_valid(config->digest))
		return diag_set(reterr, -EINVAL, "bootstrap.digest",
			"must be sha256: and 64 hex digits, not \"%s\"", config->digest);
	if (config->n_sources > BOOTSTRAP_MAX_SOURCES ||
		(!config->n_sources && (config->digest || config->tag)))
		return diag_set(reterr, -EINVAL, "bootstrap",
			"must be asked for at 1 to %d places, not %zu", BOOTSTRAP_MAX_SOURCES,
			config->n_sources);
	for (size_t i = 0; (config->digest || config->tag) && i < config->n_sources; i++)
		if (!oci_name_valid(config->sources[i].repository))
			return diag_set(reterr, -EINVAL, "bootstrap.repository",
				"is no repository name: \"%s\"", config->sources[i].repository);
	return substitute_check_variables(config->variables, reterr);
}

static int source_copy(const struct oci_source *source, struct oci_source *ret)
{
	*ret = (struct oci_source){
		.client = source->client, .url = strdup(source->url), .repository = strdup(source->repository)};
	if (!ret->url || !ret->repository)
		return -ENOMEM;
	if (!source->username)
		return 0;
	ret->username = strdup(source->username);
	ret->password = strdup(source->password ? source->password : "");
	return ret->username && ret->password ? 0 : -ENOMEM;
}

static void source_done(struct oci_source *source)
{
	if (source->password)
		explicit_bzero((char *)source->password, strlen(source->password));
	free((char *)source->password);
	free((char *)source->username);
	free((char *)source->url);
	free((char *)source->repository);
}

static int texts_copy(struct bootstrap_settings *settings, const struct bootstrap_config *config)
{
	int r = 0;

	while (r == 0 && settings->n_sources < config->n_sources) {
		r = source_copy(&config->sources[settings->n_sources],
			&settings->sources[settings->n_sources]);
		settings->n_sources++;
	}
	if (r < 0)
		return r;
	settings->self = strdup(config->self);
	settings->tag = config->digest || !config->tag ? NULL : strdup(config->tag);
	settings->manifests_folder =
		strdup(config->manifests_folder ? config->manifests_folder
						: "/var/lib/rancher/k3s/server/manifests");
	settings->cache_folder =
		strdup(config->cache_folder ? config->cache_folder : "/state/hearth/bootstrap");
	settings->work_folder =
		strdup(config->work_folder ? config->work_folder : "/run/hearth/bootstrap");
	if (!settings->self || !settings->manifests_folder || !settings->work_folder ||
		!settings->cache_folder || (!config->digest && config->tag && !settings->tag))
		return -ENOMEM;
	for (; settings->n_keys < config->n_keys; settings->n_keys++) {
		settings->keys[settings->n_keys] = strdup(config->key_pems[settings->n_keys]);
		if (!settings->keys[settings->n_keys])
			return -ENOMEM;
	}
	return 0;
}

// The variables live in a document of the caller's: keep a copy of our own, and what tells it from
// another.
static int variables_copy(struct bootstrap_settings *settings, const struct value *variables)
{
	struct json_out out = {0};
	struct sha256_stream *stream CLEANUP(sha256_stream_freep) = sha256_stream_new();
	const struct value *secrets = settings->secrets;
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
	hex_encode(hash, sizeof(hash), settings->variables_hash);
	if (!text)
		return 0;
	return json_parse(text, strlen(text), 0, &settings->variables, NULL);
}

int bootstrap_settings_copy(
	const struct bootstrap_config *config, struct bootstrap_settings *ret, struct diag *reterr)
{
	int r = config_check(config, reterr);

	if (r < 0)
		return r;
	ret->event = sd_event_ref(config->event);
	ret->kube = config->kube;
	ret->secrets = config->secrets;
	ret->look_sec = config->look_sec ? config->look_sec : DEFAULT_LOOK_SEC;
	ret->prune_sec = config->prune_sec ? config->prune_sec : DEFAULT_PRUNE_SEC;
	ret->max_backoff_usec = config->max_backoff_usec ? config->max_backoff_usec
							 : DEFAULT_MAX_BACKOFF_SEC * USEC_PER_SEC;
	ret->on_changed = config->on_changed;
	ret->user = config->user;
	if (config->digest || config->tag)
		r = bootstrap_keys_hash(config->key_pems, config->n_keys, ret->keys_hash, reterr);
	if (r == 0)
		r = texts_copy(ret, config);
	return r < 0 ? r : variables_copy(ret, config->variables);
}

void bootstrap_settings_done(struct bootstrap_settings *settings)
{
	value_free(settings->variables);
	for (size_t i = 0; i < settings->n_keys; i++)
		free(settings->keys[i]);
	for (size_t i = 0; i < settings->n_sources; i++)
		source_done(&settings->sources[i]);
	free(settings->tag);
	free(settings->self);
	free(settings->manifests_folder);
	free(settings->work_folder);
	free(settings->cache_folder);
	sd_event_unref(settings->event);
}
