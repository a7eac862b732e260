// SPDX-License-Identifier: Apache-2.0
#include "image/bundle.h"
#include "base/file.h"
#include "base/yaml.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

const char *bundle_stage_folder(enum bundle_stage stage)
{
	static const char *const folders[] = { "10-crds", "20-cni", "25-storage", "30-flux", "40-secrets", "50-sync" };

	return stage < BUNDLE_N_STAGES ? folders[stage] : "the source";
}

void bundle_done(struct bundle *bundle)
{
	for (size_t i = 0; i < bundle->n_files; i++) {
		manifest_free(bundle->manifests[i]);
		free(bundle->names[i]);
	}
	free(bundle->manifests);
	free(bundle->names);
	free(bundle->objects);
	*bundle = (struct bundle){ 0 };
}

static int file_slot(struct bundle *bundle, const char *where, struct diag *reterr)
{
	struct manifest **manifests;
	char **names;

	if (bundle->n_files == BUNDLE_MAX_FILES)
		return diag_set(reterr, -E2BIG, where, "more than %d files", BUNDLE_MAX_FILES);
	manifests = reallocarray(bundle->manifests, bundle->n_files + 1, sizeof(struct manifest *));
	if (manifests)
		bundle->manifests = manifests;
	names = reallocarray(bundle->names, bundle->n_files + 1, sizeof(char *));
	if (names)
		bundle->names = names;
	return manifests && names ? 0 : -ENOMEM;
}

int bundle_add(struct bundle *bundle, unsigned stage, size_t group, const char *where, const char *text, size_t n,
	struct diag *reterr)
{
	CLEANUP(manifest_freep) struct manifest *manifest = NULL;
	AUTO_FREE char *name = strdup(where);
	struct bundle_object *grown;
	int rc = name ? manifest_parse(text, n, where, &manifest, reterr) : -ENOMEM;

	if (rc == 0)
		rc = file_slot(bundle, where, reterr);
	if (rc < 0)
		return rc;
	grown = reallocarray(bundle->objects, bundle->n + manifest->n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	bundle->objects = grown;
	for (size_t i = 0; i < manifest->n; i++)
		grown[bundle->n++] = (struct bundle_object){ .stage = stage, .group = group, .where = name,
			.object = &manifest->objects[i] };
	bundle->names[bundle->n_files] = TAKE_PTR(name);
	bundle->manifests[bundle->n_files++] = TAKE_PTR(manifest);
	return 0;
}

static int visible(const struct dirent *entry)
{
	return *entry->d_name != '.';
}

static int not_dots(const struct dirent *entry)
{
	return !str_equal(entry->d_name, ".") && !str_equal(entry->d_name, "..");
}

static int name_compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool is_manifest_name(const char *name, bool json_too)
{
	const char *dot = strrchr(name, '.');

	return str_equal(dot, ".yaml") || str_equal(dot, ".yml") || (json_too && str_equal(dot, ".json"));
}

/* Nodes refuse an artifact with another file as a whole (k3s/stages.c). Length of NAME in NAME.yaml, .yml, .json as K3s'
 * Addon for it is called, "hearth-STAGE-" before it; 0: it cannot be one. */
static size_t addon_stem(unsigned stage, const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (n == 0 || name[n - 1] == '-' || strlen("hearth-") + strlen(bundle_stage_folder(stage)) + 1 + n > 200)
		return 0;
	return strchr(name + n, '.') == strrchr(name, '.') && is_manifest_name(name + n, true) ? n : 0;
}

static int stage_name_check(unsigned stage, const char *where, const char *name, const char *before, struct diag *reterr)
{
	size_t n = addon_stem(stage, name);

	if (n == 0)
		return diag_set(reterr, -EINVAL, where,
			"must be named by a-z, 0-9 and - (at most some 180) with .yaml, .yml or .json behind, and be a file");
	if (stage == BUNDLE_STORAGE && str_starts(name, "hearth-"))
		return diag_set(reterr, -EINVAL, where, "must have another name: hearth-* in 25-storage is the node's own");
	if (before && n == addon_stem(stage, before) && strncmp(before, name, n) == 0) // sorted: they lie side by side
		return diag_set(reterr, -EINVAL, bundle_stage_folder(stage),
			"%s and %s are one Addon to K3s: names must differ before .yaml, .yml or .json", before, name);
	return 0;
}

// @before: the name before it in the stage, or NULL.
static int stage_file(struct bundle *bundle, const char *folder, unsigned stage, const char *name, const char *before,
	struct diag *reterr)
{
	AUTO_FREE char *where = str_format("%s/%s", bundle_stage_folder(stage), name);
	AUTO_FREE char *path = where ? str_format("%s/%s", folder, where) : NULL, *text = NULL;
	size_t n = 0;
	int rc;

	if (!path)
		return -ENOMEM;
	rc = stage_name_check(stage, where, name, before, reterr);
	if (rc < 0)
		return rc;
	rc = file_read(path, MANIFEST_MAX_BYTES, &text, &n, reterr);
	return rc < 0 ? rc : bundle_add(bundle, stage, 0, where, text, n, reterr);
}

static int stage_load(struct bundle *bundle, const char *folder, unsigned stage, struct diag *reterr)
{
	AUTO_FREE char *path = str_format("%s/%s", folder, bundle_stage_folder(stage));
	struct dirent **entries = NULL;
	int rc = 0, n = path ? scandir(path, &entries, not_dots, name_compare) : -1;

	if (!path)
		return -ENOMEM;
	if (n < 0)
		return errno == ENOENT ? 0 : diag_set(reterr, -errno, path, "cannot be read: %s", strerror(errno));
	if (n > BUNDLE_MAX_STAGE_FILES)
		rc = diag_set(reterr, -E2BIG, bundle_stage_folder(stage), "must hold at most %d files", BUNDLE_MAX_STAGE_FILES);
	for (int i = 0; i < n && rc == 0; i++)
		rc = stage_file(bundle, folder, stage, entries[i]->d_name, i ? entries[i - 1]->d_name : NULL, reterr);
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	return rc;
}

static int top_check(const char *folder, struct diag *reterr)
{
	struct dirent **entries = NULL;
	int rc = 0, n = scandir(folder, &entries, visible, name_compare);

	if (n < 0)
		return errno == ENOENT || errno == ENOTDIR ? diag_set(reterr, -ENOENT, folder, "is no folder") :
			diag_set(reterr, -errno, folder, "cannot be read: %s", strerror(errno));
	for (int i = 0; i < n; i++) {
		bool known = false;

		for (unsigned stage = 0; stage < BUNDLE_N_STAGES; stage++)
			known = known || str_equal(entries[i]->d_name, bundle_stage_folder(stage));
		if (!known && rc == 0)
			rc = diag_set(reterr, -EINVAL, folder,
				"holds stage folders only (10-crds, 20-cni, 25-storage, 30-flux, 40-secrets, 50-sync), not \"%s\"",
				entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

int bundle_load(struct bundle *bundle, const char *folder, struct diag *reterr)
{
	int rc = top_check(folder, reterr);

	for (unsigned stage = 0; stage < BUNDLE_N_STAGES && rc == 0; stage++)
		rc = stage_load(bundle, folder, stage, reterr);
	return rc;
}

static int tree_walk(struct bundle *bundle, const char *folder, size_t group, unsigned depth, struct diag *reterr);

static int tree_entry(struct bundle *bundle, const char *path, const char *name, size_t group, unsigned depth,
	struct diag *reterr)
{
	AUTO_FREE char *text = NULL;
	struct stat st;
	size_t n = 0;
	int rc;

	if (lstat(path, &st) < 0)
		return 0;
	if (S_ISDIR(st.st_mode))
		return depth < BUNDLE_MAX_DEPTH ? tree_walk(bundle, path, group, depth + 1, reterr) : 0;
	if (!S_ISREG(st.st_mode) || !is_manifest_name(name, false))
		return 0;
	rc = file_read(path, MANIFEST_MAX_BYTES, &text, &n, reterr);
	if (rc == 0)
		rc = bundle_add(bundle, BUNDLE_TREE, group, path, text, n, NULL);
	return rc == -EINVAL ? 0 : rc; // a patch, a values file, a template: kustomize's business
}

// The `resources` of a folder's kustomization.yaml: then only these count, as kustomize takes them. 0: it has none.
static int tree_resources(struct bundle *bundle, const char *folder, size_t group, unsigned depth, struct diag *reterr)
{
	AUTO_FREE char *path = str_format("%s/kustomization.yaml", folder);
	CLEANUP(value_freep) struct value *document = NULL;
	const struct value *list;
	int rc = 0;

	if (!path)
		return -ENOMEM;
	if (!file_exists(path) || yaml_load(path, 1 << 20, &document, NULL) < 0)
		return 0;
	list = value_find(document, "resources");
	for (size_t i = 0; list && list->type == VALUE_ARRAY && i < list->n && rc == 0; i++) {
		const char *name = value_text(&list->items[i]);
		AUTO_FREE char *below = name ? str_format("%s/%s", folder, name) : NULL;
		if (below && !strstr(name, "://")) // what is remote nobody here can see
			rc = tree_entry(bundle, below, name, group, depth, reterr);
	}
	return rc < 0 ? rc : 1;
}

static int tree_walk(struct bundle *bundle, const char *folder, size_t group, unsigned depth, struct diag *reterr)
{
	struct dirent **entries = NULL;
	int n, rc = tree_resources(bundle, folder, group, depth, reterr);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	n = scandir(folder, &entries, visible, name_compare);
	if (n < 0)
		return diag_set(reterr, -errno, folder, "cannot be read: %s", strerror(errno));
	for (int i = 0; i < n; i++) {
		AUTO_FREE char *path = str_format("%s/%s", folder, entries[i]->d_name);
		if (rc == 0)
			rc = path ? tree_entry(bundle, path, entries[i]->d_name, group, depth, reterr) : -ENOMEM;
		free(entries[i]);
	}
	free(entries);
	return rc;
}

int bundle_load_tree(struct bundle *bundle, const char *folder, size_t group, struct diag *reterr)
{
	return tree_walk(bundle, folder, group, 0, reterr);
}

char *bundle_api_group(const char *api_version)
{
	const char *slash = strchr(api_version, '/');

	return slash ? strndup(api_version, (size_t)(slash - api_version)) : strdup("");
}

bool bundle_is(const struct bundle_object *object, const char *group, const char *kind)
{
	AUTO_FREE char *is = bundle_api_group(object->object->api_version);

	return str_equal(object->object->kind, kind) && str_equal(is, group);
}

const char *bundle_namespace(const struct bundle_object *object)
{
	return object->object->namespace ? object->object->namespace : "default";
}
