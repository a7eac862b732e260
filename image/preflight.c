// The order of the checks, the folders of the source, and what Flux' objects say of each other.
// SPDX-License-Identifier: Apache-2.0
#include "image/preflight.h"
#include "image/tree.h"

#include <errno.h>
#include <sys/stat.h>

#define FLUX_KUSTOMIZE "kustomize.toolkit.fluxcd.io"
#define FLUX_HELM "helm.toolkit.fluxcd.io"
#define FLUX_SOURCE "source.toolkit.fluxcd.io"

void preflight_done(struct preflight *preflight)
{
	words_done(&preflight->problems);
	words_done(&preflight->advice);
}

static bool has_dependencies(const struct bundle_object *object)
{
	return bundle_is(object, FLUX_KUSTOMIZE, "Kustomization") || bundle_is(object, FLUX_HELM, "HelmRelease");
}

// Index of what @entry of @object's dependsOn names, of the same kind; bundle->n: nothing.
static size_t dependency_find(const struct bundle *bundle, const struct bundle_object *object, const struct value *entry)
{
	const char *name = value_text(value_find(entry, "name")), *namespace = value_text(value_find(entry, "namespace"));

	for (size_t i = 0; i < bundle->n; i++)
		if (str_equal(bundle->objects[i].object->name, name) &&
			str_equal(bundle->objects[i].object->kind, object->object->kind) &&
			has_dependencies(&bundle->objects[i]) &&
			str_equal(bundle_namespace(&bundle->objects[i]), namespace ? namespace : bundle_namespace(object)))
			return i;
	return bundle->n;
}

static const struct value *dependencies(const struct bundle_object *object)
{
	const struct value *list = value_path(object->object->document, "spec", "dependsOn", NULL);

	return list && list->type == VALUE_ARRAY ? list : NULL;
}

// Depth first from @at to @wanted along dependsOn, and with @bringers also from what is applied to what applies it.
static bool reaches(const struct bundle *bundle, size_t at, size_t wanted, bool bringers, bool *seen)
{
	const struct bundle_object *object = &bundle->objects[at];
	const struct value *list = dependencies(object);

	for (size_t i = 0; list && i < list->n; i++) {
		size_t next = dependency_find(bundle, object, &list->items[i]);
		if (next == wanted)
			return true;
		if (next == bundle->n || seen[next])
			continue;
		seen[next] = true;
		if (reaches(bundle, next, wanted, bringers, seen))
			return true;
	}
	if (!bringers || object->stage != BUNDLE_TREE || seen[object->group])
		return bringers && object->stage == BUNDLE_TREE && object->group == wanted;
	seen[object->group] = true;
	return object->group == wanted || reaches(bundle, object->group, wanted, bringers, seen);
}

bool preflight_before(const struct bundle *bundle, size_t group, size_t later)
{
	AUTO_FREE bool *seen = calloc(bundle->n + 1, sizeof(*seen));

	return seen && reaches(bundle, later, group, true, seen);
}

static int dependencies_check(const struct bundle *bundle, size_t at, struct words *problems)
{
	const struct bundle_object *object = &bundle->objects[at];
	const struct value *list = dependencies(object);
	AUTO_FREE bool *seen = calloc(bundle->n + 1, sizeof(*seen));
	int rc = seen ? 0 : -ENOMEM;

	for (size_t i = 0; list && i < list->n && rc == 0; i++) {
		const char *name = value_text(value_find(&list->items[i], "name"));
		if (dependency_find(bundle, object, &list->items[i]) == bundle->n)
			rc = words_add_format(problems, "%s: %s %s depends on %s, which is nowhere", object->where,
				object->object->kind, object->object->name, name ? name : "nothing");
	}
	if (rc == 0 && list && reaches(bundle, at, at, false, seen))
		rc = words_add_format(problems, "%s: %s %s depends on itself in a circle", object->where, object->object->kind,
			object->object->name);
	return rc;
}

static int secret_check(const struct bundle *bundle, const struct bundle_object *object, const char *name,
	struct preflight *preflight)
{
	const struct bundle_object *late = NULL;

	if (!name)
		return 0;
	for (size_t i = 0; i < bundle->n; i++) {
		const struct bundle_object *secret = &bundle->objects[i];
		if (!bundle_is(secret, "", "Secret") || !str_equal(secret->object->name, name) ||
			!str_equal(bundle_namespace(secret), bundle_namespace(object)))
			continue;
		if (secret->stage <= BUNDLE_SECRETS)
			return 0;
		late = secret;
	}
	if (object->stage == BUNDLE_TREE)
		return late ? 0 : words_add_format(&preflight->advice, "%s: %s %s needs the Secret %s/%s, which is neither in 40-secrets nor in the source",
			object->where, object->object->kind, object->object->name, bundle_namespace(object), name);
	return words_add_format(&preflight->problems, "%s: %s %s needs the Secret %s/%s, which %s", object->where,
		object->object->kind, object->object->name, bundle_namespace(object), name,
		late ? "comes with it or later: it must be in 40-secrets" : "40-secrets does not make");
}

static int secrets_check(const struct bundle *bundle, const struct bundle_object *object, struct preflight *preflight)
{
	static const char *const at[] = { "spec.secretRef.name", "spec.certSecretRef.name", "spec.verify.secretRef.name",
		"spec.proxySecretRef.name", "spec.decryption.secretRef.name" };
	AUTO_FREE char *group = bundle_api_group(object->object->api_version);
	int rc = group ? 0 : -ENOMEM;

	if (rc < 0 || (!str_equal(group, FLUX_SOURCE) && !str_equal(group, FLUX_KUSTOMIZE)))
		return rc;
	for (size_t i = 0; i < N_ELEMENTS(at) && rc == 0; i++)
		rc = secret_check(bundle, object, value_text(tree_find(object->object->document, at[i])), preflight);
	return rc;
}

// Flux adopts a release that has its name and namespace; else it installs a second Cilium.
static int adoption_check(const struct bundle_object *object, struct words *advice)
{
	const struct value *spec = value_find(object->object->document, "spec");
	const char *chart = value_text(value_path(spec, "chart", "spec", "chart", NULL));
	const char *target = value_text(value_find(spec, "targetNamespace")), *release = value_text(value_find(spec, "releaseName"));
	const char *storage = value_text(value_find(spec, "storageNamespace"));
	bool target_good = str_equal(target ? target : bundle_namespace(object), "kube-system");
	bool storage_good = str_equal(storage ? storage : bundle_namespace(object), "kube-system");
	// without releaseName it is [TARGETNAMESPACE-]NAME
	bool name_good = release ? str_equal(release, "cilium") : !target && str_equal(object->object->name, "cilium");

	if (!bundle_is(object, FLUX_HELM, "HelmRelease") || !str_equal(chart, "cilium") ||
		(target_good && storage_good && name_good))
		return 0;
	return words_add_format(advice, "%s: HelmRelease %s would not adopt the Cilium of 20-cni: its release must be cilium in kube-system (releaseName, targetNamespace, storageNamespace)",
		object->where, object->object->name);
}

int preflight_flux(const struct bundle *bundle, struct preflight *preflight)
{
	int rc = 0;

	for (size_t i = 0; i < bundle->n && rc == 0; i++) {
		rc = secrets_check(bundle, &bundle->objects[i], preflight);
		if (rc == 0 && has_dependencies(&bundle->objects[i]))
			rc = dependencies_check(bundle, i, &preflight->problems);
		if (rc == 0)
			rc = adoption_check(&bundle->objects[i], &preflight->advice);
	}
	return rc;
}

// Does a path leave the source, as ".." of its components says?
static bool path_leaves(const char *path)
{
	while (path) {
		if (str_starts(path, "..") && (!path[2] || path[2] == '/'))
			return true;
		path = strchr(path, '/');
		path = path ? path + 1 : NULL;
	}
	return false;
}

static bool folder_loaded(const struct bundle *bundle, size_t before, const char *path)
{
	for (size_t i = 0; i < before; i++)
		if (bundle_is(&bundle->objects[i], FLUX_KUSTOMIZE, "Kustomization") &&
			str_equal(value_text(value_path(bundle->objects[i].object->document, "spec", "path", NULL)), path))
			return true;
	return false;
}

// Folders of the Kustomizations of the stages, and of those that lie in these folders, and so on.
static int tree_read(struct bundle *bundle, const char *tree, struct preflight *preflight, struct diag *reterr)
{
	int rc = 0;

	for (size_t i = 0; i < bundle->n && rc == 0; i++) {
		const struct bundle_object object = bundle->objects[i];
		const char *path = value_text(value_path(object.object->document, "spec", "path", NULL));
		AUTO_FREE char *folder = str_format("%s/%s", tree, path ? path : "");
		struct stat st;
		if (!bundle_is(&object, FLUX_KUSTOMIZE, "Kustomization"))
			continue;
		if (!folder)
			return -ENOMEM;
		if ((path && path_leaves(path)) || stat(folder, &st) < 0 || !S_ISDIR(st.st_mode))
			rc = words_add_format(&preflight->problems, "%s: Kustomization %s wants the folder %s, which the source does not have",
				object.where, object.object->name, path ? path : "./");
		else if (!folder_loaded(bundle, i, path))
			rc = bundle_load_tree(bundle, folder, i, reterr);
	}
	return rc;
}

int preflight_check(struct bundle *bundle, const struct cluster_facts *facts, const char *tree, struct preflight *ret,
	struct diag *reterr)
{
	int rc = tree ? tree_read(bundle, tree, ret, reterr) : 0;

	if (rc == 0)
		rc = preflight_order(bundle, facts, ret);
	if (rc == 0)
		rc = preflight_volumes(bundle, facts, ret);
	return rc < 0 ? rc : preflight_flux(bundle, ret);
}
