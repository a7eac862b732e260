// Claims and what they would be bound to.
// SPDX-License-Identifier: Apache-2.0
#include "image/preflight.h"
#include "image/tree.h"

#include <errno.h>

#define DEFAULT_CLASS "storageclass.kubernetes.io/is-default-class"

// Claims that charts make by their default values, where the values do not say otherwise. Source: their values.yaml.
static const struct {
	const char *chart, *size_at, *size, *enabled_at;
} known_claims[] = {
	{ "gitea", "persistence.size", "10Gi", "persistence.enabled" },
	{ "harbor", "persistence.persistentVolumeClaim.registry.size", "5Gi", "persistence.enabled" },
	{ "harbor", "persistence.persistentVolumeClaim.database.size", "1Gi", "persistence.enabled" },
	{ "minio", "persistence.size", "500Gi", "persistence.enabled" },
	{ "openbao", "server.dataStorage.size", "10Gi", "server.dataStorage.enabled" },
	{ "opensearch", "persistence.size", "8Gi", "persistence.enabled" },
};

uint64_t quantity_bytes(const char *text)
{
	static const struct {
		const char *suffix;
		uint64_t factor;
	} suffixes[] = { { "", 1 }, { "k", 1000 }, { "M", 1000000 }, { "G", 1000000000 }, { "T", 1000000000000 },
		{ "Ki", 1ull << 10 }, { "Mi", 1ull << 20 }, { "Gi", 1ull << 30 }, { "Ti", 1ull << 40 } };
	size_t n = text ? strspn(text, "0123456789") : 0;
	uint64_t number;

	if (n == 0 || n > 15)
		return 0;
	number = strtoull(text, NULL, 10);
	for (size_t i = 0; i < N_ELEMENTS(suffixes); i++)
		if (str_equal(text + n, suffixes[i].suffix) && number <= UINT64_MAX / suffixes[i].factor)
			return number * suffixes[i].factor;
	return 0;
}

struct claim {
	const struct bundle_object *by;
	const char *what, *class, *size; // @class NULL: the default one
};

static bool is_default(const struct bundle_object *object)
{
	return str_equal(value_text(value_find(value_path(object->object->document, "metadata", "annotations", NULL),
				 DEFAULT_CLASS)), "true");
}

// The class that a claim gets: NULL none; @ret_stage when it comes.
static const char *class_find(const struct bundle *bundle, const struct cluster_facts *facts, const char *name,
	unsigned *ret_stage)
{
	*ret_stage = BUNDLE_STORAGE;
	if (*facts->storage_class && (!name || str_equal(name, facts->storage_class)))
		return facts->storage_class;
	for (size_t i = 0; i < bundle->n; i++) {
		const struct bundle_object *object = &bundle->objects[i];
		if (!bundle_is(object, "storage.k8s.io", "StorageClass") ||
			!(name ? str_equal(name, object->object->name) : is_default(object)))
			continue;
		*ret_stage = object->stage;
		return object->object->name;
	}
	return NULL;
}

// A PersistentVolume without a class that is large enough for a claim with class "".
static bool volume_fits(const struct bundle *bundle, const char *class, uint64_t bytes)
{
	for (size_t i = 0; i < bundle->n; i++) {
		const struct value *spec = value_find(bundle->objects[i].object->document, "spec");
		const char *is = value_text(value_find(spec, "storageClassName"));
		if (bundle_is(&bundle->objects[i], "", "PersistentVolume") && str_equal(is ? is : "", class) &&
			quantity_bytes(tree_scalar(value_path(spec, "capacity", "storage", NULL))) >= bytes)
			return true;
	}
	return false;
}

static int claim_check(const struct bundle *bundle, const struct cluster_facts *facts, const struct claim *claim,
	struct words *problems)
{
	AUTO_FREE char *who = str_format("%s: %s %s/%s", claim->by->where, claim->what, bundle_namespace(claim->by),
		claim->by->object->name);
	uint64_t bytes = quantity_bytes(claim->size);
	const char *class;
	unsigned stage;

	if (!who)
		return -ENOMEM;
	if (claim->class && !*claim->class) {
		if (volume_fits(bundle, "", bytes))
			return 0;
		return words_add_format(problems, "%s would have no volume: it asks for no class, and no PersistentVolume without one has %s",
			who, claim->size ? claim->size : "that much");
	}
	class = class_find(bundle, facts, claim->class, &stage);
	if (!class && claim->class)
		return words_add_format(problems, "%s would have no volume: no stage makes the StorageClass %s", who, claim->class);
	if (!class)
		return words_add_format(problems, "%s would have no volume: it names no StorageClass, and there is no default one", who);
	if (stage > claim->by->stage)
		return words_add_format(problems, "%s would wait for the StorageClass %s, which comes in the later stage %s", who, class,
			bundle_stage_folder(stage));
	if (str_equal(class, facts->storage_class) && str_equal(facts->storage_kind, "static")) {
		if (facts->n_volumes == 0)
			return words_add_format(problems, "%s would have no volume: storage.kind is static, and storage.volumes is empty",
				who);
		if (facts->largest_bytes && bytes > facts->largest_bytes)
			return words_add_format(problems, "%s would have no volume: it wants %s, and the largest of storage.volumes has %lluMi",
				who, claim->size, (unsigned long long)(facts->largest_bytes >> 20));
	}
	return 0;
}

static const char *claim_size(const struct value *spec)
{
	return tree_scalar(value_path(spec, "resources", "requests", "storage", NULL));
}

static int release_check(const struct bundle *bundle, const struct cluster_facts *facts, const struct bundle_object *object,
	struct words *problems)
{
	const struct value *document = object->object->document, *values = value_path(document, "spec", "values", NULL);
	const char *chart = value_text(value_path(document, "spec", "chart", "spec", "chart", NULL));
	int rc = 0;

	for (size_t i = 0; i < N_ELEMENTS(known_claims) && rc == 0; i++) {
		const char *own = tree_scalar(tree_find(values, known_claims[i].size_at));
		struct claim claim = { .by = object, .what = "HelmRelease", .size = own ? own : known_claims[i].size };
		if (str_equal(chart, known_claims[i].chart) &&
			!str_equal(tree_scalar(tree_find(values, known_claims[i].enabled_at)), "false"))
			rc = claim_check(bundle, facts, &claim, problems);
	}
	return rc;
}

static int object_check(const struct bundle *bundle, const struct cluster_facts *facts, const struct bundle_object *object,
	struct words *problems)
{
	const struct value *spec = value_find(object->object->document, "spec");
	const struct value *templates = value_find(spec, "volumeClaimTemplates");
	int rc = 0;

	if (bundle_is(object, "", "PersistentVolumeClaim") && !value_find(spec, "volumeName"))
		return claim_check(bundle, facts,
			&(struct claim){ object, "PersistentVolumeClaim", value_text(value_find(spec, "storageClassName")),
				claim_size(spec) }, problems);
	if (bundle_is(object, "helm.toolkit.fluxcd.io", "HelmRelease"))
		return release_check(bundle, facts, object, problems);
	if (!bundle_is(object, "apps", "StatefulSet") || !templates || templates->type != VALUE_ARRAY)
		return 0;
	for (size_t i = 0; i < templates->n && rc == 0; i++) {
		const struct value *claim = value_find(&templates->items[i], "spec");
		rc = claim_check(bundle, facts,
			&(struct claim){ object, "a volumeClaimTemplate of StatefulSet",
				value_text(value_find(claim, "storageClassName")), claim_size(claim) }, problems);
	}
	return rc;
}

int preflight_volumes(const struct bundle *bundle, const struct cluster_facts *facts, struct preflight *preflight)
{
	bool flux = false;
	unsigned stage = 0;
	int rc = 0;

	for (size_t i = 0; i < bundle->n && rc == 0; i++) {
		flux = flux || bundle->objects[i].stage == BUNDLE_FLUX;
		rc = object_check(bundle, facts, &bundle->objects[i], &preflight->problems);
	}
	if (rc == 0 && flux && (!class_find(bundle, facts, NULL, &stage) || stage > BUNDLE_STORAGE))
		rc = words_add(&preflight->problems, "a default StorageClass must exist before Flux starts: choose storage.kind in "
			"cluster.yaml (--cluster-config), or give a CSI driver's manifests as storage.manifests");
	return rc;
}
