// Stage folders on disk, what to lay next, and the files in the manifests folder.
// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"
#include "base/json.h"
#include "k3s/stages.h"
#include "k3s/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

static char root[] = "/tmp/test-stages-XXXXXX";
static char *source, *target;

static int root_make(void **state)
{
	assert_non_null(mkdtemp(root));
	source = str_format("%s/in", root);
	target = str_format("%s/out", root);
	return 0;
}

static int root_drop(void **state)
{
	free(source);
	free(target);
	return unpack_remove(root);
}

static int folders_drop(void **state)
{
	assert_int_equal(unpack_remove(source), 0);
	assert_int_equal(unpack_remove(target), 0);
	return 0;
}

static void put(const char *folder, const char *name, const char *text)
{
	char *path AUTO_FREE = str_format("%s/%s", folder, name);
	char *parent AUTO_FREE = strdup(path);

	*strrchr(parent, '/') = '\0';
	assert_int_equal(file_make_folders(parent, 0700), 0);
	assert_int_equal(file_write_volatile(path, text, strlen(text), 0600, NULL), 0);
}

static char *got(const char *name)
{
	char *path AUTO_FREE = str_format("%s/%s", target, name), *text = NULL;

	return file_read(path, 1 << 20, &text, NULL, NULL) < 0 ? NULL : text;
}

#define OBJECT(name) "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " name "\n"

static void stages_are_read_in_order_and_substituted(void **state)
{
	struct value *variables CLEANUP(value_freep) = NULL;
	struct stages *stages CLEANUP(stages_freep) = NULL;

	assert_int_equal(json_parse("{\"WHO\":\"me\"}", 12, 0, &variables, NULL), 0);
	put(source, "50-sync/b.yaml", OBJECT("${WHO}"));
	put(source, "50-sync/a.yml", OBJECT("a") "---\n" OBJECT("a2"));
	put(source, "10-crds/c.json", "{\"apiVersion\":\"v1\",\"kind\":\"X\",\"metadata\":{\"name\":\"c\"}}");
	assert_int_equal(stages_load(source, variables, NULL, &stages, NULL), 0);
	assert_int_equal(stages->of[STAGE_CRDS].n_files, 1);
	assert_int_equal(stages->of[STAGE_CNI].n_files, 0);
	assert_int_equal(stages->of[STAGE_SYNC].n_files, 2);
	assert_string_equal(stages->of[STAGE_SYNC].files[0].name, "hearth-50-sync-a.yml");
	assert_int_equal(stages->of[STAGE_SYNC].files[0].manifest->n, 2);
	assert_string_equal(stages->of[STAGE_SYNC].files[1].manifest->objects[0].name, "me");
	assert_string_equal(stage_folder(STAGE_STORAGE), "25-storage");
}

static void what_is_no_stage_is_refused(void **state)
{
	static const struct {
		const char *name, *text, *says;
	} rows[] = {
		{"60-more/a.yaml", OBJECT("a"), "not \"60-more\""},
		{"readme.txt", "x", "not \"readme.txt\""},
		{"20-cni/A.yaml", OBJECT("a"), "must be named by a-z"},
		{"20-cni/a.b.yaml", OBJECT("a"), "must be named by a-z"},
#define TEN "aaaaaaaaaa"
#define FIFTY TEN TEN TEN TEN TEN
		{"20-cni/" FIFTY FIFTY FIFTY TEN TEN TEN TEN ".yaml", OBJECT("a"), "must be named by a-z"},
		{"20-cni/sub/a.yaml", OBJECT("a"), "must be named by a-z"},
		{"20-cni/a.yaml", "kind: X\n", "needs apiVersion"},
		{"20-cni/a.yaml", OBJECT("${"), "substitution"},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct value *variables CLEANUP(value_freep) = NULL;
		struct stages *stages = NULL;
		struct diag diag = {0};

		assert_int_equal(json_parse("{\"A\":\"b\"}", 9, 0, &variables, NULL), 0);
		put(source, rows[i].name, rows[i].text);
		assert_true(stages_load(source, variables, NULL, &stages, &diag) < 0);
		if (!strstr(diag.message, rows[i].says))
			fail_msg("%s: %s", rows[i].name, diag_text(&diag));
		assert_int_equal(unpack_remove(source), 0);
	}
}

static void a_missing_secret_blocks_its_stage_only(void **state)
{
	static const char text[] = "apiVersion: v1\nkind: Secret\nmetadata: {name: git}\nstringData: {a: \"${secret:git}\"}\n";
	struct value *secrets CLEANUP(value_freep) = NULL;
	struct stages *stages CLEANUP(stages_freep) = NULL, *filled CLEANUP(stages_freep) = NULL;
	struct diag diag = {0};

	put(source, "20-cni/a.yaml", OBJECT("a"));
	put(source, "40-secrets/git.yaml", text);
	assert_int_equal(stages_load(source, NULL, NULL, &stages, NULL), 0);
	assert_null(stages->of[STAGE_CNI].blocked);
	assert_string_equal(stages->of[STAGE_SECRETS].blocked,
		"secret git is not set at the region: hearth-region secret set git");
	assert_int_equal(json_parse("{\"git\":\"hush\"}", 14, 0, &secrets, NULL), 0);
	assert_int_equal(stages_load(source, NULL, secrets, &filled, NULL), 0);
	assert_null(filled->of[STAGE_SECRETS].blocked);
	assert_non_null(strstr(filled->of[STAGE_SECRETS].files[0].text, "\"a\":\"hush\""));
	assert_string_equal(filled->of[STAGE_SECRETS].files[0].manifest->objects[0].name, "git");

	put(source, "50-sync/git.yaml", text);
	stages = stages_free(stages);
	assert_int_equal(stages_load(source, NULL, secrets, &stages, &diag), -EINVAL);
	assert_non_null(strstr(diag_text(&diag), "stage 40-secrets only"));
}

static void two_files_of_one_addon_are_refused(void **state)
{
	struct stages *stages = NULL;
	struct diag diag = {0};

	put(source, "20-cni/a-b.yaml", OBJECT("b"));
	put(source, "20-cni/a.yaml", OBJECT("a"));
	put(source, "30-flux/a.json", "{\"apiVersion\":\"v1\",\"kind\":\"X\",\"metadata\":{\"name\":\"c\"}}");
	assert_int_equal(stages_load(source, NULL, NULL, &stages, NULL), 0); // another stage is another Addon
	stages_free(stages);
	put(source, "20-cni/a.yml", OBJECT("a2"));
	assert_int_equal(stages_load(source, NULL, NULL, &stages, &diag), -EINVAL);
	assert_non_null(strstr(diag_text(&diag), "hearth-20-cni-a.yaml and hearth-20-cni-a.yml are one Addon"));
}

static void a_stage_waits_for_the_one_before(void **state)
{
	struct stages stages = {0};
	struct stage_state states[N_STAGES] = {0};
	enum stage_id id;

	stages.of[STAGE_CRDS].n_files = stages.of[STAGE_CNI].n_files = stages.of[STAGE_SYNC].n_files = 1;
	assert_int_equal(stages_next(&stages, states, &id), STAGE_NEXT_LAY);
	assert_int_equal(id, STAGE_CRDS);
	states[STAGE_CRDS].laid = true;
	assert_int_equal(stages_next(&stages, states, &id), STAGE_NEXT_WAIT);
	assert_int_equal(id, STAGE_CRDS);
	states[STAGE_CRDS].ready = true;
	assert_int_equal(stages_next(&stages, states, &id), STAGE_NEXT_LAY);
	assert_int_equal(id, STAGE_CNI);
	states[STAGE_CNI] = (struct stage_state){.laid = true, .ready = true};
	assert_int_equal(stages_next(&stages, states, &id), STAGE_NEXT_LAY);
	assert_int_equal(id, STAGE_STORAGE); // empty: laid to take old files away, never waited for
	states[STAGE_STORAGE].laid = states[STAGE_FLUX].laid = states[STAGE_SECRETS].laid = true;
	assert_int_equal(stages_next(&stages, states, &id), STAGE_NEXT_LAY);
	assert_int_equal(id, STAGE_SYNC);
	states[STAGE_SYNC] = (struct stage_state){.laid = true, .ready = true};
	assert_int_equal(stages_next(&stages, states, &id), STAGE_NEXT_DONE);
	assert_int_equal(id, N_STAGES);
	states[STAGE_CRDS].ready = false; // what was ready may stop being so
	assert_int_equal(stages_next(&stages, states, &id), STAGE_NEXT_WAIT);
	assert_int_equal(id, STAGE_CRDS);
}

static struct stages *load_one(const char *name, const char *text)
{
	struct stages *stages = NULL;

	assert_int_equal(unpack_remove(source), 0);
	put(source, name, text);
	assert_int_equal(stages_load(source, NULL, NULL, &stages, NULL), 0);
	return stages;
}

static void files_follow_the_stage(void **state)
{
	struct stages *first CLEANUP(stages_freep) = load_one("20-cni/a.yaml", OBJECT("a"));
	struct stages *second CLEANUP(stages_freep) = load_one("20-cni/b.yaml", OBJECT("b"));
	char *text AUTO_FREE = NULL, *emptied AUTO_FREE = NULL, *foreign AUTO_FREE = NULL;

	put(target, "coredns.yaml", "k3s' own");
	put(target, "hearth-25-storage-s.yaml", "another stage's");
	assert_false(stage_files_laid(target, &first->of[STAGE_CNI]));
	assert_int_equal(stage_files_apply(target, first, STAGE_CNI, 3600, NULL), 0);
	assert_true(stage_files_laid(target, &first->of[STAGE_CNI]));
	text = got("hearth-20-cni-a.yaml");
	assert_string_equal(text, OBJECT("a"));

	// the file is gone from the next artifact: emptied, kept empty, unlinked after the wait
	assert_int_equal(stage_files_apply(target, second, STAGE_CNI, 3600, NULL), 1);
	emptied = got("hearth-20-cni-a.yaml");
	assert_string_equal(emptied, "");
	assert_int_equal(stage_files_apply(target, second, STAGE_CNI, 3600, NULL), 1);
	assert_int_equal(stage_files_apply(target, second, STAGE_CNI, 0, NULL), 0);
	assert_null(got("hearth-20-cni-a.yaml"));
	assert_true(stage_files_laid(target, &second->of[STAGE_CNI]));

	assert_int_equal(stage_files_leave(target), 0);
	assert_null(got("hearth-20-cni-b.yaml"));
	assert_null(got("hearth-25-storage-s.yaml"));
	foreign = got("coredns.yaml");
	assert_string_equal(foreign, "k3s' own");
}

// K3s deletes what an emptied file applied: a PersistentVolume, or a Namespace with all that is in it, has to stay.
static void kept_files_are_unlinked_and_never_emptied(void **state)
{
	static const struct {
		enum stage_id stage;
		const char *name, *text;
	} rows[] = {
		{STAGE_STORAGE, "hearth-25-storage-hearth-volume-n1-vol0.yaml", OBJECT("a")},
		{STAGE_STORAGE, "hearth-25-storage-hearth-volume-n1-vol1.yaml", ""},
		{STAGE_SECRETS, "hearth-40-secrets-namespace-team.yaml", OBJECT("a")},
		{STAGE_SECRETS, "hearth-40-secrets-namespace-team.yaml", ""},
	};
	struct stages *stages CLEANUP(stages_freep) = load_one("20-cni/b.yaml", OBJECT("b"));

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		put(target, rows[i].name, rows[i].text);
		assert_int_equal(stage_files_apply(target, stages, rows[i].stage, 3600, NULL), 0);
		assert_null(got(rows[i].name));
	}
}

// Without an artifact only the node's own files are followed: the platform that was laid before is not uninstalled.
static void without_an_artifact_only_own_files_are_taken_away(void **state)
{
	static const struct {
		enum stage_id stage;
		const char *name;
		bool left;
	} rows[] = {
		{STAGE_CNI, "hearth-20-cni-cilium", false},
		{STAGE_STORAGE, "hearth-25-storage-csi", false},
		{STAGE_STORAGE, "hearth-25-storage-hearth-class", true},
		{STAGE_SYNC, "hearth-50-sync-platform", false},
	};
	struct stages *stages CLEANUP(stages_freep) = calloc(1, sizeof(*stages));

	stages->own_only = true;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *name AUTO_FREE = str_format("%s.yaml", rows[i].name), *text AUTO_FREE = NULL;

		put(target, name, OBJECT("a"));
		assert_int_equal(stage_files_apply(target, stages, rows[i].stage, 3600, NULL), rows[i].left);
		text = got(name);
		assert_string_equal(text, rows[i].left ? "" : OBJECT("a"));
		assert_int_equal(stage_addon_is_left(stages, rows[i].name), rows[i].left);
	}
}

static void a_changed_file_is_replaced(void **state)
{
	struct stages *first CLEANUP(stages_freep) = load_one("20-cni/a.yaml", OBJECT("a"));
	struct stages *second CLEANUP(stages_freep) = load_one("20-cni/a.yaml", OBJECT("changed"));
	char *text AUTO_FREE = NULL;

	assert_int_equal(stage_files_apply(target, first, STAGE_CNI, 3600, NULL), 0);
	assert_false(stage_files_laid(target, &second->of[STAGE_CNI]));
	assert_int_equal(stage_files_apply(target, second, STAGE_CNI, 3600, NULL), 0);
	text = got("hearth-20-cni-a.yaml");
	assert_string_equal(text, OBJECT("changed"));
}

// After a power cut or a clock that went back nobody knows how long K3s has seen it empty: the wait begins anew.
static void an_emptied_file_waits_by_this_boot_s_clock(void **state)
{
	static const struct timespec times[][2] = {
		{{.tv_sec = 1000}, {.tv_sec = 1000}}, {{.tv_sec = INT64_C(4102444800)}, {.tv_sec = INT64_C(4102444800)}}};
	struct stages *stages CLEANUP(stages_freep) = load_one("20-cni/b.yaml", OBJECT("b"));
	char *path AUTO_FREE = str_format("%s/hearth-20-cni-a.yaml", target);

	for (size_t i = 0; i < N_ELEMENTS(times); i++) {
		put(target, "hearth-20-cni-a.yaml", "");
		assert_int_equal(utimensat(AT_FDCWD, path, times[i], 0), 0);
		assert_int_equal(stage_files_apply(target, stages, STAGE_CNI, 5, NULL), 1);
		assert_int_equal(stage_files_apply(target, stages, STAGE_CNI, 5, NULL), 1);
		assert_int_equal(stage_files_apply(target, stages, STAGE_CNI, 0, NULL), 0);
	}
}

static void addons_of_an_older_artifact_are_found_and_emptied(void **state)
{
	static const struct {
		const char *addon;
		bool left;
	} rows[] = {{"hearth-20-cni-b", false}, {"hearth-20-cni-a", true}, {"hearth-50-sync-x", true}, {"coredns", false},
		{"hearth-20-cni", false}, {"hearth-local", false}, {"hearth-20-cni-../../x", false}, {"", false},
		{"hearth-25-storage-hearth-class", true}, {"hearth-25-storage-hearth-volume-n1-vol0", false},
		{"hearth-40-secrets-git", true}, {"hearth-40-secrets-namespace-team", false}};
	struct stages *stages CLEANUP(stages_freep) = load_one("20-cni/b.yml", OBJECT("b"));
	char *emptied AUTO_FREE = NULL, *kept AUTO_FREE = NULL;

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (stage_addon_is_left(stages, rows[i].addon) != rows[i].left)
			fail_msg("%s", rows[i].addon);
	assert_int_equal(stage_files_empty(target, "hearth-20-cni-a", NULL), 0);
	emptied = got("hearth-20-cni-a.yaml");
	assert_string_equal(emptied, "");
	put(target, "hearth-20-cni-c.json", "there"); // stage_files_apply() empties it itself
	assert_int_equal(stage_files_empty(target, "hearth-20-cni-c", NULL), 0);
	assert_null(got("hearth-20-cni-c.yaml"));
	kept = got("hearth-20-cni-c.json");
	assert_string_equal(kept, "there");
	assert_int_equal(stage_files_apply(target, stages, STAGE_CNI, 3600, NULL), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(stages_are_read_in_order_and_substituted, folders_drop),
		cmocka_unit_test_teardown(what_is_no_stage_is_refused, folders_drop),
		cmocka_unit_test_teardown(a_missing_secret_blocks_its_stage_only, folders_drop),
		cmocka_unit_test_teardown(two_files_of_one_addon_are_refused, folders_drop),
		cmocka_unit_test(a_stage_waits_for_the_one_before),
		cmocka_unit_test_teardown(files_follow_the_stage, folders_drop),
		cmocka_unit_test_teardown(kept_files_are_unlinked_and_never_emptied, folders_drop),
		cmocka_unit_test_teardown(without_an_artifact_only_own_files_are_taken_away, folders_drop),
		cmocka_unit_test_teardown(a_changed_file_is_replaced, folders_drop),
		cmocka_unit_test_teardown(an_emptied_file_waits_by_this_boot_s_clock, folders_drop),
		cmocka_unit_test_teardown(addons_of_an_older_artifact_are_found_and_emptied, folders_drop),
	};

	return cmocka_run_group_tests(tests, root_make, root_drop);
}
