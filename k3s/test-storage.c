// The choice of storage as stage files, beside what an artifact has, and what a person is told of volumes.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "base/json.h"
#include "k3s/object.h"
#include "k3s/storage.h"
#include "k3s/unpack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct storage two_volumes(void)
{
	return (struct storage){.kind = STORAGE_STATIC, .class_name = "hearth-local", .n_volumes = 2,
		.volumes = {{"hzfsnr-k8s-1p", "vol0", "/var/lib/hearth/volumes/vol0", 512 << 20},
			{"n2.example", "disk0", "/var/lib/hearth/volumes/disk0", UINT64_C(3) << 40}}};
}

static struct stages *stages_with(const struct storage *storage)
{
	struct stage_extras *extras CLEANUP(stage_extras_freep) = NULL;
	struct stages *stages = calloc(1, sizeof(*stages));
	struct diag diag = {0};

	if (storage_render(storage, &extras, &diag) < 0 || stages_set_extras(stages, extras, &diag) < 0)
		fail_msg("%s", diag_text(&diag));
	return stages;
}

static const char *text_at(const struct manifest_object *object, const char *a, const char *b)
{
	return value_text(value_path(object->document, a, b, NULL));
}

static void static_storage_is_a_default_class_and_a_file_per_volume(void **state)
{
	struct storage storage = two_volumes();
	struct stages *stages CLEANUP(stages_freep) = stages_with(&storage);
	const struct stage *stage = &stages->of[STAGE_STORAGE];
	const struct manifest_object *class = stage->files[0].manifest->objects, *volume = stage->files[2].manifest->objects;

	assert_int_equal(stage->n_files, 3);
	assert_string_equal(stage->files[0].name, "hearth-25-storage-hearth-class.yaml");
	assert_string_equal(class->name, "hearth-local");
	assert_string_equal(value_text(value_find(class->document, "provisioner")), "kubernetes.io/no-provisioner");
	assert_string_equal(value_text(value_find(class->document, "volumeBindingMode")), "WaitForFirstConsumer");
	assert_string_equal(value_text(value_path(class->document, "metadata", "annotations",
		"storageclass.kubernetes.io/is-default-class", NULL)), "true");
	assert_string_equal(stage->files[2].name, "hearth-25-storage-hearth-volume-n2-example-disk0.yaml");
	assert_string_equal(volume->kind, "PersistentVolume");
	assert_string_equal(volume->name, "hearth-n2.example-disk0");
	assert_string_equal(text_at(volume, "spec", "persistentVolumeReclaimPolicy"), "Retain");
	assert_string_equal(text_at(volume, "spec", "storageClassName"), "hearth-local");
	assert_string_equal(value_text(value_path(volume->document, "spec", "local", "path", NULL)), "/var/lib/hearth/volumes/disk0");
	assert_string_equal(value_text(value_path(volume->document, "spec", "capacity", "storage", NULL)), "3298534883328");
	assert_non_null(strstr(stage->files[2].text, "values: [\"n2.example\"]"));
}

static void local_path_is_what_k3s_ships(void **state)
{
	static const char *const kinds[] = {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "Deployment"};
	struct storage storage = {.kind = STORAGE_LOCAL_PATH, .class_name = "local-path"};
	struct stages *stages CLEANUP(stages_freep) = stages_with(&storage);
	const struct stage *stage = &stages->of[STAGE_STORAGE];
	struct value *config CLEANUP(value_freep) = NULL;

	assert_int_equal(stage->n_files, 2);
	assert_string_equal(value_text(value_find(stage->files[0].manifest->objects[0].document, "provisioner")), "rancher.io/local-path");
	assert_int_equal(stage->files[1].manifest->n, N_ELEMENTS(kinds));
	for (size_t i = 0; i < N_ELEMENTS(kinds); i++)
		assert_string_equal(stage->files[1].manifest->objects[i].kind, kinds[i]);
	assert_string_equal(stage->files[1].manifest->objects[4].name, "local-path-provisioner");
	assert_non_null(strstr(stage->files[1].text, "image: rancher/local-path-provisioner:v0.0.37\n"));
	const char *text = value_text(value_path(stage->files[1].manifest->objects[3].document, "data", "config.json", NULL));
	assert_int_equal(json_parse(text, strlen(text), 0, &config, NULL), 0);
	assert_non_null(strstr(text, "/var/lib/rancher/k3s/storage"));
	assert_non_null(strstr(stage->files[1].text, "${VOL_DIR}")); // the shell's, not Flux'
}

static void what_cannot_be_an_object_is_refused(void **state)
{
	static const struct {
		const char *class;
		struct storage_volume volumes[2];
		const char *says;
	} rows[] = {
		{"Big", {{"n", "v", "/p", 1}}, "lower case"},
		{"c", {{"n", "v", "/p", 0}}, "a size"},
		{"c", {{"n", "v", "/p\"", 1}}, "a path"},
		{"c", {{"n", "v", "/../p", 1}}, "a path"},
		{"c", {{"n", "v\nx", "/p", 1}}, "no name"},
		{"c", {{"n", "v-", "/p", 1}}, "no name"},
		{"c", {{"a", "b-c", "/p", 1}, {"a-b", "c", "/p", 1}}, "two volumes would be called hearth-a-b-c"},
		{"c", {{"a.b", "c", "/p", 1}, {"a-b", "c", "/p", 1}}, "two volumes"},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct storage storage = {.kind = STORAGE_STATIC, .class_name = rows[i].class,
			.n_volumes = rows[i].volumes[1].node ? 2 : 1, .volumes = {rows[i].volumes[0], rows[i].volumes[1]}};
		struct stage_extras *extras = NULL;
		struct diag diag = {0};

		assert_int_equal(storage_render(&storage, &extras, &diag), -EINVAL);
		if (!strstr(diag_text(&diag), rows[i].says))
			fail_msg("row %zu: %s", i, diag_text(&diag));
		assert_null(extras);
	}
}

// ---- beside an artifact

static void put(const char *folder, const char *name, const char *text)
{
	char *path AUTO_FREE = str_format("%s/25-storage/%s", folder, name), *parent AUTO_FREE = str_format("%s/25-storage", folder);

	assert_int_equal(file_make_folders(parent, 0700), 0);
	assert_int_equal(file_write_volatile(path, text, strlen(text), 0600, NULL), 0);
}

#define CLASS(name, mark)                                                                                                        \
	"apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: " name ", annotations: {" mark "}}\nprovisioner: x\n"
#define DEFAULT "storageclass.kubernetes.io/is-default-class: \"true\""

static void two_default_classes_are_refused(void **state)
{
	static const struct {
		const char *class, *says; // NULL: fine
	} rows[] = {
		{CLASS("theirs", DEFAULT), "makes the StorageClass theirs the default, and the cluster's storage choice hearth-local"},
		{CLASS("theirs", "storageclass.beta.kubernetes.io/is-default-class: \"true\""), "the default"},
		{CLASS("hearth-local", ""), "both make the StorageClass hearth-local"},
		{CLASS("theirs", ""), NULL},
	};
	struct storage storage = two_volumes();
	struct stage_extras *extras CLEANUP(stage_extras_freep) = NULL;

	assert_int_equal(storage_render(&storage, &extras, NULL), 0);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char folder[] = "/tmp/test-storage-XXXXXX";
		struct stages *stages CLEANUP(stages_freep) = NULL;
		struct diag diag = {0};

		assert_non_null(mkdtemp(folder));
		put(folder, "class.yaml", rows[i].class);
		assert_int_equal(stages_load(folder, NULL, NULL, &stages, &diag), 0);
		assert_int_equal(stages_set_extras(stages, extras, &diag), rows[i].says ? -EINVAL : 0);
		if (rows[i].says && !strstr(diag_text(&diag), rows[i].says))
			fail_msg("row %zu: %s", i, diag_text(&diag));
		assert_int_equal(stages_set_extras(stages, NULL, &diag), 0); // without a choice of the cluster's it is fine
		assert_int_equal(stages->of[STAGE_STORAGE].n_files, 1);
		assert_int_equal(unpack_remove(folder), 0);
	}
}

static void an_artifact_has_no_files_of_ours(void **state)
{
	char folder[] = "/tmp/test-storage-XXXXXX";
	struct stages *stages = NULL;
	struct diag diag = {0};

	assert_non_null(mkdtemp(folder));
	put(folder, "hearth-class.yaml", CLASS("x", ""));
	assert_int_equal(stages_load(folder, NULL, NULL, &stages, &diag), -EINVAL);
	assert_non_null(strstr(diag_text(&diag), "node's own"));
	assert_int_equal(unpack_remove(folder), 0);
}

static size_t size_of(const char *folder, const char *name)
{
	char *path AUTO_FREE = str_format("%s/%s", folder, name), *text AUTO_FREE = NULL;
	size_t n = 0;

	return file_read(path, 1 << 20, &text, &n, NULL) < 0 ? SIZE_MAX : n;
}

// K3s takes away the objects of a file that was emptied, and leaves those of one that is gone.
static void a_volume_that_is_not_named_any_more_is_never_taken_away(void **state)
{
	char folder[] = "/tmp/test-storage-XXXXXX";
	struct storage storage = two_volumes();
	struct stages *both CLEANUP(stages_freep) = stages_with(&storage), *one CLEANUP(stages_freep) = NULL,
				 *none CLEANUP(stages_freep) = stages_with(NULL);

	storage.n_volumes = 1;
	one = stages_with(&storage);
	assert_non_null(mkdtemp(folder));
	assert_int_equal(stage_files_apply(folder, both, STAGE_STORAGE, 3600, NULL), 0);
	assert_int_not_equal(size_of(folder, "hearth-25-storage-hearth-volume-n2-example-disk0.yaml"), SIZE_MAX);
	assert_int_equal(stage_files_apply(folder, one, STAGE_STORAGE, 3600, NULL), 0);
	assert_int_equal(size_of(folder, "hearth-25-storage-hearth-volume-n2-example-disk0.yaml"), SIZE_MAX); // unlinked, not emptied
	assert_true(stage_files_laid(folder, &one->of[STAGE_STORAGE]));
	assert_int_equal(stage_files_apply(folder, none, STAGE_STORAGE, 3600, NULL), 1);
	assert_int_equal(size_of(folder, "hearth-25-storage-hearth-class.yaml"), 0); // the class is pruned
	assert_int_equal(size_of(folder, "hearth-25-storage-hearth-volume-hzfsnr-k8s-1p-vol0.yaml"), SIZE_MAX);
	assert_int_equal(unpack_remove(folder), 0);
}

// ---- readiness and advice

static void a_volume_is_ready_when_it_could_be_is_or_was_bound(void **state)
{
	static const struct {
		const char *live, *says;
	} rows[] = {
		{"{\"status\":{\"phase\":\"Available\"}}", NULL},
		{"{\"status\":{\"phase\":\"Bound\"}}", NULL},
		{"{\"status\":{\"phase\":\"Released\"}}", NULL},
		{"{\"status\":{\"phase\":\"Failed\",\"message\":\"bad\"}}", "is Failed: bad"},
		{"{\"status\":{\"phase\":\"Pending\"}}", "is Pending"},
		{"{}", "not looked at yet"},
	};
	const struct manifest_object volume = {.api_version = (char *)"v1", .kind = (char *)"PersistentVolume", .name = (char *)"x"};
	const struct manifest_object deployment = {.api_version = (char *)"apps/v1", .kind = (char *)"Deployment", .name = (char *)"p"};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct value *live CLEANUP(value_freep) = NULL;
		char sentence[512];

		assert_int_equal(json_parse(rows[i].live, strlen(rows[i].live), 0, &live, NULL), 0);
		assert_int_equal(object_ready(&volume, live, false, sentence), !rows[i].says);
		if (rows[i].says)
			assert_non_null(strstr(sentence, rows[i].says));
		assert_true(object_exists(&deployment, live, sentence)); // a provisioner's pod is not waited for
	}
	assert_true(object_is_workload(&deployment));
	assert_false(object_is_workload(&volume));
	char sentence[512];
	assert_false(object_exists(&deployment, NULL, sentence));
}

static void released_and_orphaned_volumes_are_named(void **state)
{
#define VOLUME(name, node, phase)                                                                                                \
	"{\"metadata\":{\"name\":\"" name "\",\"labels\":{\"hearth.openova.io/volume\":\"v\"}},\"spec\":{\"claimRef\":{\"name\":\"data-0\"},"    \
	"\"nodeAffinity\":{\"required\":{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"values\":[\"" node "\"]}]}]}}},"                  \
	"\"status\":{\"phase\":\"" phase "\"}}"
	static const char volumes_text[] = "{\"items\":[" VOLUME("a", "n1", "Bound") "," VOLUME("b", "n1", "Released") "," VOLUME(
		"c", "n9", "Bound") ",{\"metadata\":{\"name\":\"foreign\"},\"status\":{\"phase\":\"Released\"}}]}";
	static const char nodes_text[] = "{\"items\":[{\"metadata\":{\"name\":\"n1\"}}]}";
	struct value *volumes CLEANUP(value_freep) = NULL, *nodes CLEANUP(value_freep) = NULL;
	char sentence[512];

	assert_int_equal(json_parse(volumes_text, strlen(volumes_text), 0, &volumes, NULL), 0);
	assert_int_equal(json_parse(nodes_text, strlen(nodes_text), 0, &nodes, NULL), 0);
	storage_advice(volumes, nodes, sentence);
	assert_non_null(strstr(sentence, "volume b still holds the data of the deleted claim data-0"));
	assert_non_null(strstr(sentence, "volume c is on node n9, which is not in the cluster"));
	assert_null(strstr(sentence, "volume a"));
	assert_null(strstr(sentence, "foreign"));
	storage_advice(NULL, NULL, sentence);
	assert_string_equal(sentence, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(static_storage_is_a_default_class_and_a_file_per_volume),
		cmocka_unit_test(local_path_is_what_k3s_ships),
		cmocka_unit_test(what_cannot_be_an_object_is_refused),
		cmocka_unit_test(two_default_classes_are_refused),
		cmocka_unit_test(an_artifact_has_no_files_of_ours),
		cmocka_unit_test(a_volume_that_is_not_named_any_more_is_never_taken_away),
		cmocka_unit_test(a_volume_is_ready_when_it_could_be_is_or_was_bound),
		cmocka_unit_test(released_and_orphaned_volumes_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
