// SPDX-License-Identifier: Apache-2.0
#include "image/recipe.h"

#include "base/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

static void shipped_recipes_load(void **state)
{
	static const struct {
		const char *name;
		bool lab;
		const char *cni;
	} rows[] = { { "metal", false, "none" }, { "lab", true, "bridge" }, { "dev", true, "bridge" } };

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(recipe_freep) struct recipe *recipe = NULL;
		AUTO_FREE char *path = str_format("%s/image/recipes/%s.yaml", TEST_SOURCE_DIR, rows[i].name);
		struct diag diag = { 0 };
		if (recipe_load(path, &recipe, &diag) < 0)
			fail_msg("%s", diag_text(&diag));
		assert_string_equal(recipe->name, rows[i].name);
		assert_int_equal(recipe->lab, rows[i].lab);
		assert_string_equal(recipe->cni, rows[i].cni);
		assert_true(words_has(&recipe->packages, "systemd"));
		assert_string_equal(recipe->overlays.items[0], "base"); // the base's list comes first
	}
}

static void production_has_no_way_in_from_outside(void **state)
{
	CLEANUP(recipe_freep) struct recipe *recipe = NULL;
	assert_int_equal(recipe_load(TEST_SOURCE_DIR "/image/recipes/metal.yaml", &recipe, NULL), 0);

	assert_false(words_has(&recipe->programs, "hearth-guest"));
	assert_false(words_has(&recipe->overlays, "lab"));
	assert_false(words_has(&recipe->overlays, "dev"));
	assert_false(words_has(&recipe->seed_sources, "cmdline"));
	assert_false(words_has(&recipe->seed_sources, "initrd"));
}

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void a_release_is_named_whole_or_not_at_all(void **state)
{
	static const struct {
		const char *text, *says; // NULL: fine
	} rows[] = {
		{ "k3s: {version: v1, url: \"https://a/k3s\", mirrors: [\"http://b/k3s\"], sha256: " HEX "}\n", NULL },
		{ "k3s: {file: k3s}\n", NULL },
		{ "k3s: {file: k3s, images: {url: \"https://a/i\", sha256: " HEX "}}\n", NULL },
		{ "k3s: {url: \"https://a/k3s\", sha256: " HEX "}\n", "version must be named" },
		{ "k3s: {version: v1, url: \"https://a/k3s\"}\n", "SHA-256 must be named" },
		{ "k3s: {version: v1, url: \"ftp://a/k3s\", sha256: " HEX "}\n", "https://" },
		{ "k3s: {version: v1, url: \"https://a/k3s\", file: k3s, sha256: " HEX "}\n", "not both" },
		{ "k3s: {file: k3s, sha256: abc}\n", "64 lower-case" },
		{ "k3s: {version: v1}\n", "no binary" },
		{ "k3s: {images: {file: a}}\n", "no binary" },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(recipe_freep) struct recipe *recipe = calloc(1, sizeof(*recipe));
		AUTO_FREE char *extends = NULL;
		struct diag diag = { 0 };
		assert_non_null(recipe);
		assert_int_equal(recipe_add(recipe, rows[i].text, strlen(rows[i].text), "r", &extends, &diag), 0);
		int rc = k3s_release_check(&recipe->k3s, &diag);
		if (rows[i].says ? rc == 0 || !strstr(diag_text(&diag), rows[i].says) : rc != 0)
			fail_msg("row %zu: %s", i, diag_text(&diag));
	}
}

static void a_file_replaces_a_url_and_the_reverse(void **state)
{
	static const struct {
		const char *base, *text, *says; // NULL: fine
		const char *path, *url, *sha256, *version;
	} rows[] = {
		{ "k3s: {version: v1, url: \"https://a/k3s\", sha256: " HEX "}\n", "k3s: {file: k3s}\n", NULL, "k3s", NULL, NULL, NULL },
		{ "k3s: {file: k3s, sha256: " HEX "}\n", "k3s: {version: v2, url: \"https://a/k3s\"}\n", "SHA-256 must be named",
			NULL, "https://a/k3s", NULL, "v2" },
		{ "k3s: {file: k3s}\n", "k3s: {version: v2, url: \"https://a/k3s\", sha256: " HEX "}\n", NULL, NULL, "https://a/k3s", HEX, "v2" },
		{ "k3s: {version: v1, url: \"https://a/k3s\", sha256: " HEX "}\n", "k3s: {url: \"https://b/k3s\"}\n", NULL,
			NULL, "https://b/k3s", HEX, "v1" },
		{ "k3s: {file: k3s, sha256: " HEX "}\n", "k3s: {version: v2}\n", NULL, "k3s", NULL, HEX, "v2" },
		{ "k3s: {file: k3s}\n", "k3s: {url: \"https://b/k3s\", file: a}\n", "not both", "a", "https://b/k3s", NULL, NULL },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(recipe_freep) struct recipe *recipe = calloc(1, sizeof(*recipe));
		AUTO_FREE char *extends = NULL;
		struct diag diag = { 0 };
		assert_non_null(recipe);
		assert_int_equal(recipe_add(recipe, rows[i].base, strlen(rows[i].base), "r", &extends, &diag), 0);
		assert_int_equal(recipe_add(recipe, rows[i].text, strlen(rows[i].text), "r", &extends, &diag), 0);
		int rc = k3s_release_check(&recipe->k3s, &diag);
		const struct k3s_file *file = &recipe->k3s.binary;
		if (rows[i].says ? rc == 0 || !strstr(diag_text(&diag), rows[i].says) : rc != 0)
			fail_msg("row %zu: %s", i, diag_text(&diag));
		if (!str_equal(file->path, rows[i].path) || !str_equal(file->urls.n ? file->urls.items[0] : NULL, rows[i].url) ||
			!str_equal(file->sha256, rows[i].sha256) || !str_equal(recipe->k3s.version, rows[i].version))
			fail_msg("row %zu: file %s, url %s, sha256 %s, version %s", i, file->path, file->urls.n ? file->urls.items[0] : NULL,
				file->sha256, recipe->k3s.version);
	}
}

static void each_mistake_has_its_sentence(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "packges: [a]\n", "packages" },
		{ "packages: systemd\n", "must be a list" },
		{ "packages: [\"\"]\n", "not empty" },
		{ "stateDisk: everything\n", "docs/recipe.md" },
		{ "cni: cilium\n", "docs/recipe.md" },
		{ "seedSources: [floppy]\n", "docs/recipe.md" },
		{ "lab: perhaps\n", "lab" },
		{ "programs: [hearthd]\n", "must be a map" },
		{ "programs: {hearthd: usr/bin/hearthd}\n", "absolute path" },
		{ "programs: {hearthd: /usr/../etc/shadow}\n", "absolute path" },
		{ "programs: {../x: /usr/bin/x}\n", "absolute path" },
		{ "extends: ../base.yaml\n", "same folder" },
		{ "- a\n", "must be a map" },
		{ "name: [a]\n", "name" },
		{ "k3s: v1\n", "must be a map" },
		{ "k3s: {versoin: v1}\n", "versoin" },
		{ "k3s: {mirrors: [a]}\n", "beside url" },
		{ "k3s: {images: [a]}\n", "must be a map" },
		{ "name: \"a\\nb\"\n", "one line" },
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		CLEANUP(recipe_freep) struct recipe *recipe = calloc(1, sizeof(*recipe));
		AUTO_FREE char *extends = NULL;
		struct diag diag = { 0 };
		assert_non_null(recipe);
		int rc = recipe_add(recipe, rows[i].text, strlen(rows[i].text), "r.yaml", &extends, &diag);
		if (rc >= 0 || !strstr(diag_text(&diag), rows[i].says) || !str_starts(diag.where, "r.yaml"))
			fail_msg("%s gave %d, \"%s\"", rows[i].text, rc, diag_text(&diag));
	}
}

static void lists_grow_and_scalars_are_replaced(void **state)
{
	static const char base[] = "name: a\npackages: [x]\nlab: true\n", top[] = "extends: base.yaml\nname: b\npackages: [y]\n";
	CLEANUP(recipe_freep) struct recipe *recipe = calloc(1, sizeof(*recipe));
	AUTO_FREE char *extends = NULL;
	AUTO_FREE char *none = NULL;

	assert_non_null(recipe);
	assert_int_equal(recipe_add(recipe, base, strlen(base), "base.yaml", &none, NULL), 0);
	assert_int_equal(recipe_add(recipe, top, strlen(top), "top.yaml", &extends, NULL), 0);
	assert_null(none);
	assert_string_equal(extends, "base.yaml");
	assert_string_equal(recipe->name, "b");
	assert_int_equal(recipe->packages.n, 2);
	assert_true(recipe->lab);
}

static void extending_in_a_circle_ends(void **state)
{
	char folder[] = "/tmp/hearth-recipe-XXXXXX";
	CLEANUP(recipe_freep) struct recipe *recipe = NULL;
	struct diag diag = { 0 };

	assert_non_null(mkdtemp(folder));
	AUTO_FREE char *path = str_format("%s/me.yaml", folder);
	assert_int_equal(file_write_volatile(path, "extends: me.yaml\n", 17, 0644, NULL), 0);
	assert_int_equal(recipe_load(path, &recipe, &diag), -ELOOP);
	assert_null(recipe);
	unlink(path);
	rmdir(folder);
}

static void incomplete_recipe_names_the_missing_key(void **state)
{
	CLEANUP(recipe_freep) struct recipe *recipe = calloc(1, sizeof(*recipe));
	struct diag diag = { 0 };

	assert_non_null(recipe);
	assert_int_equal(recipe_check(recipe, "r.yaml", &diag), -EINVAL);
	assert_non_null(strstr(diag_text(&diag), "name"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shipped_recipes_load),
		cmocka_unit_test(production_has_no_way_in_from_outside),
		cmocka_unit_test(a_release_is_named_whole_or_not_at_all),
		cmocka_unit_test(a_file_replaces_a_url_and_the_reverse),
		cmocka_unit_test(each_mistake_has_its_sentence),
		cmocka_unit_test(lists_grow_and_scalars_are_replaced),
		cmocka_unit_test(extending_in_a_circle_ends),
		cmocka_unit_test(incomplete_recipe_names_the_missing_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
