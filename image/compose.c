// SPDX-License-Identifier: Apache-2.0
#include "image/compose.h"
#include "base/file.h"
#include "image/chart.h"
#include "image/cilium.h"
#include "image/escape.h"
#include "image/tree.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#define FLUX_NAMESPACE "flux-system"

struct work {
	const struct bootstrap_recipe *recipe;
	const struct cluster_facts *facts;
	const char *recipe_path;
	struct words variables; // that stay when files of other people are escaped
	struct words namespaces; // whose file is there
	struct composed *composed;
	struct diag *reterr;
};

struct composed *composed_free(struct composed *composed)
{
	if (!composed)
		return NULL;
	for (size_t i = 0; i < composed->n; i++) {
		free(composed->files[i].name);
		free(composed->files[i].text);
	}
	words_done(&composed->overrides);
	words_done(&composed->problems);
	words_done(&composed->advice);
	free(composed);
	return NULL;
}

static int file_add(struct work *work, enum bundle_stage stage, const char *name, char *text_take)
{
	AUTO_FREE char *text = text_take, *copy = strdup(name);
	struct composed *composed = work->composed;

	if (!text || !copy)
		return -ENOMEM;
	for (size_t i = 0; i < composed->n; i++)
		if (composed->files[i].stage == stage && str_equal(composed->files[i].name, name))
			return diag_set(work->reterr, -EEXIST, name,
				"would hold two things of the recipe: give one of them another name");
	if (composed->n == COMPOSED_MAX_FILES)
		return diag_set(work->reterr, -E2BIG, name, "a bootstrap may have %d files", COMPOSED_MAX_FILES);
	composed->files[composed->n++] = (struct composed_file){ .stage = stage, .name = TAKE_PTR(copy), .text = TAKE_PTR(text) };
	return 0;
}

// A file name of the recipe is meant beside the recipe.
static char *beside(const struct work *work, const char *name)
{
	const char *slash = strrchr(work->recipe_path, '/');

	if (*name == '/' || !slash)
		return strdup(name);
	return str_format("%.*s%s", (int)(slash + 1 - work->recipe_path), work->recipe_path, name);
}

static int user_file_read(struct work *work, const char *name, char **ret)
{
	AUTO_FREE char *path = beside(work, name), *text = NULL;
	size_t n = 0;
	int rc = path ? file_read(path, MANIFEST_MAX_BYTES, &text, &n, work->reterr) : -ENOMEM;

	if (rc == 0 && strlen(text) != n)
		rc = diag_set(work->reterr, -EINVAL, path, "must be a text, and has a zero byte");
	if (rc == 0)
		*ret = TAKE_PTR(text);
	return rc;
}

static int user_file_add(struct work *work, enum bundle_stage stage, const char *as, const char *name)
{
	AUTO_FREE char *text = NULL;
	int rc = user_file_read(work, name, &text);

	return rc < 0 ? rc : file_add(work, stage, as, escape_manifest(text, &work->variables));
}

static int crds_add(struct work *work)
{
	const struct value *crds = work->recipe->crds;
	int rc = 0;

	if (!crds)
		return 0;
	if (value_text(crds))
		return user_file_add(work, BUNDLE_CRDS, "gateway-api.yaml", value_text(crds));
	for (size_t i = 0; i < crds->n && rc == 0; i++) {
		AUTO_FREE char *as = str_format("gateway-api-%02zu.yaml", i + 1);
		rc = as ? user_file_add(work, BUNDLE_CRDS, as, value_text(&crds->items[i])) : -ENOMEM;
	}
	return rc;
}

// ---- Cilium

static int l2_add(struct work *work, int version)
{
	CLEANUP(value_freep) struct value *pool = NULL, *policy = NULL;
	int rc = work->recipe->l2_pool ? cilium_l2_objects(work->recipe, version, &pool, &policy) : 0;

	if (rc < 0 || !pool)
		return rc;
	AUTO_FREE char *first = tree_to_yaml(pool), *second = tree_to_yaml(policy);
	return first && second ? file_add(work, BUNDLE_CNI, "cilium-l2.yaml", str_format("%s---\n%s", first, second)) : -ENOMEM;
}

static int chart_add(struct work *work, int *ret_version)
{
	AUTO_FREE char *path = beside(work, work->recipe->chart);
	CLEANUP(chart_freep) struct chart *chart = NULL;
	CLEANUP(value_freep) struct value *values = NULL, *document = NULL;
	int rc = path ? chart_load(path, &chart, work->reterr) : -ENOMEM;

	if (rc < 0)
		return rc;
	if (!str_equal(chart->name, "cilium"))
		return diag_set(work->reterr, -EINVAL, path, "must be the chart cilium, not %s", chart->name);
	*ret_version = chart_version_number(chart->version);
	rc = cilium_values(&(struct cilium_request){ work->recipe, work->facts, *ret_version, chart->values }, &values,
		&work->composed->overrides, &work->composed->advice, work->reterr);
	if (rc == 0)
		rc = cilium_helm_chart(chart, values, &document);
	return rc < 0 ? rc : file_add(work, BUNDLE_CNI, "cilium.yaml", tree_to_yaml(document));
}

static int rendered_add(struct work *work, int *ret_version)
{
	CLEANUP(manifest_freep) struct manifest *rendered = NULL;
	CLEANUP(value_freep) struct value *values = NULL;
	AUTO_FREE char *text = NULL;
	int rc = user_file_read(work, work->recipe->cilium_manifests, &text);

	if (rc == 0)
		rc = manifest_parse(text, strlen(text), work->recipe->cilium_manifests, &rendered, work->reterr);
	if (rc < 0)
		return rc;
	*ret_version = cilium_rendered_version(rendered);
	rc = cilium_values(&(struct cilium_request){ work->recipe, work->facts, *ret_version, NULL }, &values,
		&work->composed->overrides, &work->composed->advice, work->reterr);
	if (rc == 0)
		rc = cilium_rendered_check(rendered, values, &work->composed->problems);
	return rc < 0 ? rc : file_add(work, BUNDLE_CNI, "cilium.yaml", escape_manifest(text, &work->variables));
}

static int cilium_add(struct work *work)
{
	int version = -1, rc;

	if (!work->recipe->cilium)
		return 0;
	rc = work->recipe->chart ? chart_add(work, &version) : rendered_add(work, &version);
	return rc < 0 ? rc : l2_add(work, version);
}

// ---- secrets

static int head_put(struct value *document, const char *api_version, const char *kind, const char *name, const char *namespace)
{
	int rc = tree_put(document, VALUE_STRING, api_version, "apiVersion", NULL);

	if (rc == 0)
		rc = tree_put(document, VALUE_STRING, kind, "kind", NULL);
	if (rc == 0)
		rc = tree_put(document, VALUE_STRING, name, "metadata", "name", NULL);
	return rc < 0 || !namespace ? rc : tree_put(document, VALUE_STRING, namespace, "metadata", "namespace", NULL);
}

// Made by K3s itself, or by Flux' manifests, which come a stage earlier.
static bool namespace_there(const struct work *work, const char *namespace)
{
	return str_equal(namespace, "default") || str_equal(namespace, "kube-system") ||
	       (str_equal(namespace, FLUX_NAMESPACE) && work->recipe->flux_install);
}

// NAME.yaml becomes the name of an Addon: no dot but that one.
static void dots_replace(char *name)
{
	for (char *c = name; c < name + strlen(name) - strlen(".yaml"); c++)
		if (*c == '.')
			*c = '-';
}

// A file of its own, which nodes keep when the Secrets are gone: with it everything in the namespace would go.
static int namespace_add(struct work *work, const char *namespace)
{
	CLEANUP(value_freep) struct value *document = NULL;
	AUTO_FREE char *as = NULL;
	int rc;

	if (namespace_there(work, namespace) || words_has(&work->namespaces, namespace))
		return 0;
	document = tree_new(VALUE_OBJECT);
	as = str_format("namespace-%s.yaml", namespace);
	rc = document && as ? head_put(document, "v1", "Namespace", namespace, NULL) : -ENOMEM;
	if (rc == 0)
		rc = words_add(&work->namespaces, namespace);
	if (rc < 0)
		return rc;
	dots_replace(as);
	return file_add(work, BUNDLE_SECRETS, as, tree_to_yaml(document));
}

static int secret_add(struct work *work, const struct value *secret)
{
	CLEANUP(value_freep) struct value *document = tree_new(VALUE_OBJECT);
	const char *name = value_text(value_find(secret, "name")), *namespace = value_text(value_find(secret, "namespace"));
	const char *type = value_text(value_find(secret, "type"));
	const struct value *from = value_find(secret, "from");
	AUTO_FREE char *as = NULL;
	int rc = document ? 0 : -ENOMEM;

	namespace = namespace ? namespace : FLUX_NAMESPACE;
	if (rc == 0)
		rc = head_put(document, "v1", "Secret", name, namespace);
	if (rc == 0)
		rc = tree_put(document, VALUE_STRING, type ? type : "Opaque", "type", NULL);
	for (size_t i = 0; i < from->n && rc == 0; i++) {
		AUTO_FREE char *placeholder = str_format("${secret:%s}", value_text(&from->items[i]));
		rc = placeholder ? tree_put(document, VALUE_STRING, placeholder, "stringData", from->keys[i], NULL) : -ENOMEM;
	}
	if (rc == 0)
		rc = namespace_add(work, namespace);
	if (rc < 0)
		return rc;
	// namespace-*.yaml is what nodes never prune
	as = str_format("%s%s-%s.yaml", str_equal(namespace, "namespace") || str_starts(namespace, "namespace-") ? "secret-" : "",
		namespace, name);
	if (!as)
		return -ENOMEM;
	dots_replace(as);
	return file_add(work, BUNDLE_SECRETS, as, tree_to_yaml(document));
}

// ---- sync

static int source_ref_put(struct value *document, const struct value *source, const char *const refs[])
{
	int rc = 0;

	for (size_t i = 0; refs[i] && rc == 0; i++) {
		const char *text = value_text(value_find(source, refs[i]));
		if (text)
			rc = tree_put(document, VALUE_STRING, text, "spec", "ref", refs[i], NULL);
	}
	return rc;
}

static int source_add(struct work *work)
{
	static const char *const git_refs[] = { "branch", "tag", NULL }, *const oci_refs[] = { "tag", "digest", "semver", NULL };
	const struct value *source = work->recipe->git ? work->recipe->git : work->recipe->oci;
	CLEANUP(value_freep) struct value *document = tree_new(VALUE_OBJECT);
	const char *secret = value_text(value_find(source, "secret"));
	bool insecure = false;
	int rc = document ? head_put(document, "source.toolkit.fluxcd.io/v1", work->recipe->git ? "GitRepository" : "OCIRepository",
			work->recipe->sync_name, FLUX_NAMESPACE) : -ENOMEM;

	if (rc == 0)
		rc = tree_put(document, VALUE_STRING, "1m0s", "spec", "interval", NULL);
	if (rc == 0)
		rc = tree_put(document, VALUE_STRING, value_text(value_find(source, "url")), "spec", "url", NULL);
	if (rc == 0)
		rc = source_ref_put(document, source, work->recipe->git ? git_refs : oci_refs);
	// Flux follows master when nothing is said, which hardly a repository has any more
	if (rc == 0 && work->recipe->git && !tree_find(document, "spec.ref"))
		rc = tree_put(document, VALUE_STRING, "main", "spec", "ref", "branch", NULL);
	if (rc == 0 && value_find(source, "insecure"))
		rc = value_bool(value_find(source, "insecure"), "insecure", &insecure, work->reterr);
	if (rc == 0 && insecure)
		rc = tree_put(document, VALUE_BOOL, "true", "spec", "insecure", NULL);
	if (rc == 0 && secret)
		rc = tree_put(document, VALUE_STRING, secret, "spec", "secretRef", "name", NULL);
	return rc < 0 ? rc : file_add(work, BUNDLE_SYNC, "source.yaml", tree_to_yaml(document));
}

// "./BASE/PATH" without "./" in the middle; Flux takes it from the root of the source.
static char *kustomization_path(const struct work *work, const char *path)
{
	const struct value *source = work->recipe->git ? work->recipe->git : work->recipe->oci;
	const char *base = value_text(value_find(source, "path"));

	base = base ? base : "";
	path = path ? path : "";
	while (*base == '.' && base[1] == '/')
		base += 2;
	while (*path == '.' && path[1] == '/')
		path += 2;
	return str_format("./%s%s%s", base, *base && *path && base[strlen(base) - 1] != '/' ? "/" : "", path);
}

static int kustomization_options(struct work *work, const struct value *item, struct value *document)
{
	const struct value *depends = value_find(item, "dependsOn"), *map = value_find(item, "substitute");
	const char *timeout = value_text(value_find(item, "timeout"));
	bool prune = true, wait = true;
	int rc = 0;

	if (value_find(item, "prune"))
		rc = value_bool(value_find(item, "prune"), "prune", &prune, work->reterr);
	if (rc == 0 && value_find(item, "wait"))
		rc = value_bool(value_find(item, "wait"), "wait", &wait, work->reterr);
	if (rc == 0)
		rc = tree_put(document, VALUE_BOOL, prune ? "true" : "false", "spec", "prune", NULL);
	if (rc == 0)
		rc = tree_put(document, VALUE_BOOL, wait ? "true" : "false", "spec", "wait", NULL);
	if (rc == 0)
		rc = tree_put(document, VALUE_STRING, timeout ? timeout : "30m", "spec", "timeout", NULL);
	for (size_t i = 0; depends && i < depends->n && rc == 0; i++) {
		struct value *entry = tree_append(document, VALUE_OBJECT, NULL, "spec", "dependsOn", NULL);
		rc = entry ? tree_put(entry, VALUE_STRING, value_text(&depends->items[i]), "name", NULL) : -ENOMEM;
	}
	for (size_t i = 0; map && i < map->n && rc == 0; i++) {
		const char *text = tree_scalar(&map->items[i]);
		rc = tree_put(document, VALUE_STRING, text ? text : "", "spec", "postBuild", "substitute", map->keys[i], NULL);
	}
	return rc;
}

// @item NULL: the one Kustomization of a sync that names none.
static int kustomization_add(struct work *work, const struct value *item)
{
	CLEANUP(value_freep) struct value *document = tree_new(VALUE_OBJECT), *none = tree_new(VALUE_OBJECT);
	const char *name = item ? value_text(value_find(item, "name")) : work->recipe->sync_name;
	AUTO_FREE char *path = kustomization_path(work, item ? value_text(value_find(item, "path")) : NULL);
	AUTO_FREE char *as = str_format("kustomization-%s.yaml", name);
	int rc = document && none && path && as
			 ? head_put(document, "kustomize.toolkit.fluxcd.io/v1", "Kustomization", name, FLUX_NAMESPACE) : -ENOMEM;

	if (rc == 0)
		rc = tree_put(document, VALUE_STRING, "10m0s", "spec", "interval", NULL);
	if (rc == 0)
		rc = tree_put(document, VALUE_STRING, "30s", "spec", "retryInterval", NULL);
	if (rc == 0)
		rc = tree_put(document, VALUE_STRING, work->recipe->git ? "GitRepository" : "OCIRepository", "spec", "sourceRef",
			"kind", NULL);
	if (rc == 0)
		rc = tree_put(document, VALUE_STRING, work->recipe->sync_name, "spec", "sourceRef", "name", NULL);
	if (rc == 0)
		rc = tree_put(document, VALUE_STRING, path, "spec", "path", NULL);
	if (rc == 0)
		rc = kustomization_options(work, item ? item : none, document);
	if (rc < 0)
		return rc;
	dots_replace(as);
	return file_add(work, BUNDLE_SYNC, as, tree_to_yaml(document));
}

static int sync_add(struct work *work)
{
	const struct value *list = work->recipe->kustomizations;
	int rc;

	if (!work->recipe->git && !work->recipe->oci)
		return 0;
	rc = source_add(work);
	if (rc == 0 && !list)
		return kustomization_add(work, NULL);
	for (size_t i = 0; list && i < list->n && rc == 0; i++)
		rc = kustomization_add(work, &list->items[i]);
	return rc;
}

// ----

static int all_add(struct work *work)
{
	const struct bootstrap_recipe *recipe = work->recipe;
	int rc = crds_add(work);

	if (rc == 0)
		rc = cilium_add(work);
	if (rc == 0 && recipe->storage_manifests)
		rc = user_file_add(work, BUNDLE_STORAGE, "storage.yaml", recipe->storage_manifests);
	if (rc == 0 && recipe->flux_install)
		rc = user_file_add(work, BUNDLE_FLUX, "flux.yaml", recipe->flux_install);
	for (size_t i = 0; recipe->secrets && i < recipe->secrets->n && rc == 0; i++)
		rc = secret_add(work, &recipe->secrets->items[i]);
	return rc < 0 ? rc : sync_add(work);
}

static int variables_add(struct work *work)
{
	const struct value *own = work->recipe->variables;
	int rc = 0;

	for (size_t i = 0; i < work->facts->variables.n && rc == 0; i++)
		rc = words_add(&work->variables, work->facts->variables.items[i]);
	for (size_t i = 0; own && i < own->n && rc == 0; i++)
		rc = words_add(&work->variables, value_text(&own->items[i]));
	return rc;
}

int compose(const char *recipe_path, const struct cluster_facts *facts, struct composed **ret, struct diag *reterr)
{
	CLEANUP(composed_freep) struct composed *composed = calloc(1, sizeof(*composed));
	CLEANUP(bootstrap_recipe_freep) struct bootstrap_recipe *recipe = NULL;
	AUTO_FREE char *text = NULL;
	size_t n = 0;
	int rc = composed ? file_read(recipe_path, BOOTSTRAP_RECIPE_MAX_BYTES, &text, &n, reterr) : -ENOMEM;

	if (rc == 0)
		rc = bootstrap_recipe_parse(text, n, recipe_path, &recipe, reterr);
	if (rc < 0)
		return rc;
	struct work work = { .recipe = recipe, .facts = facts, .recipe_path = recipe_path, .composed = composed,
		.reterr = reterr };
	rc = variables_add(&work);
	if (rc == 0)
		rc = all_add(&work);
	words_done(&work.variables);
	words_done(&work.namespaces);
	if (rc == 0)
		*ret = TAKE_PTR(composed);
	return rc;
}

int composed_bundle(const struct composed *composed, struct bundle *ret, struct diag *reterr)
{
	int rc = 0;

	for (size_t i = 0; i < composed->n && rc == 0; i++) {
		const struct composed_file *file = &composed->files[i];
		AUTO_FREE char *where = str_format("%s/%s", bundle_stage_folder(file->stage), file->name);
		rc = where ? bundle_add(ret, file->stage, 0, where, file->text, strlen(file->text), reterr) : -ENOMEM;
	}
	return rc;
}

static bool folder_is_empty(const char *folder)
{
	DIR *dir = opendir(folder);
	bool empty = true;

	for (struct dirent *entry; dir && (entry = readdir(dir));)
		empty = empty && (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."));
	if (dir)
		(void)closedir(dir); // read only
	return empty;
}

int composed_write(const struct composed *composed, const char *folder, struct diag *reterr)
{
	int rc = 0;

	if (!folder_is_empty(folder))
		return diag_set(reterr, -ENOTEMPTY, folder, "must be missing or empty: what an earlier recipe left there would be packed, too");
	for (size_t i = 0; i < composed->n && rc == 0; i++) {
		const struct composed_file *file = &composed->files[i];
		AUTO_FREE char *stage = str_format("%s/%s", folder, bundle_stage_folder(file->stage));
		AUTO_FREE char *path = stage ? str_format("%s/%s", stage, file->name) : NULL;
		rc = path ? file_make_folders(stage, 0755) : -ENOMEM;
		if (rc < 0)
			return diag_set(reterr, rc, folder, "cannot be made: %s", strerror(-rc));
		rc = file_write_atomic(path, file->text, strlen(file->text), 0644, reterr);
	}
	return rc;
}
