// SPDX-License-Identifier: Apache-2.0
#include "image/recipe.h"

#include "base/file.h"
#include "base/yaml.h"

#include <errno.h>
#include <stddef.h>

static const char *const seed_sources[] = { "smbios", "initrd", "iso", "stick", "cmdline", "builtin", NULL };
static const char *const cnis[] = { "bridge", "none", NULL };
static const char *const state_disks[] = { "blank", "none", NULL };

struct recipe *recipe_free(struct recipe *recipe)
{
	if (!recipe)
		return NULL;
	char *texts[] = { recipe->name, recipe->suite, recipe->kernel, recipe->cmdline, recipe->compression,
		recipe->payload_compression, recipe->cni, recipe->state_disk };
	struct words *lists[] = { &recipe->packages, &recipe->overlays, &recipe->seed_sources, &recipe->exclude,
		&recipe->modules_exclude, &recipe->stage1_modules, &recipe->programs, &recipe->program_paths };
	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		free(texts[i]);
	for (size_t i = 0; i < N_ELEMENTS(lists); i++)
		words_done(lists[i]);
	k3s_release_done(&recipe->k3s);
	free(recipe);
	return NULL;
}

static int wrong(const struct value *value, const char *what, const char *rule, struct diag *reterr)
{
	char where[64];

	snprintf(where, sizeof(where), "%u:%u", value->line, value->column);
	return diag_set(reterr, -EINVAL, where, "%s: %s", what, rule);
}

static bool known_word(const char *word, const char *const known[])
{
	for (size_t i = 0; !known || known[i]; i++)
		if (!known || str_equal(word, known[i]))
			return true;
	return false;
}

static int take_text(const struct value *value, const char *what, const char *const known[], char **into, struct diag *reterr)
{
	const char *text;
	int rc = value_string(value, what, &text, reterr);

	if (rc < 0)
		return rc;
	if (!*text || strpbrk(text, "\n\r"))
		return wrong(value, what, "must be one line that is not empty", reterr);
	if (!known_word(text, known))
		return wrong(value, what, "is none of the words that docs/recipe.md lists", reterr);
	char *copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*into);
	*into = copy;
	return 0;
}

static int take_list(const struct value *value, const char *what, const char *const known[], struct words *into,
	struct diag *reterr)
{
	int rc = 0;

	if (value->type != VALUE_ARRAY)
		return wrong(value, what, "must be a list", reterr);
	if (into->n + value->n > RECIPE_MAX_WORDS)
		return wrong(value, what, "is longer than any real recipe (4096)", reterr);
	for (size_t i = 0; i < value->n && rc == 0; i++) {
		AUTO_FREE char *word = NULL;
		rc = take_text(&value->items[i], what, known, &word, reterr);
		if (rc == 0)
			rc = words_add(into, word);
	}
	return rc;
}

static int take_programs(const struct value *value, struct recipe *recipe, struct diag *reterr)
{
	int rc = 0;

	if (value->type != VALUE_OBJECT)
		return wrong(value, "programs", "must be a map of program to path in the root", reterr);
	for (size_t i = 0; i < value->n && rc == 0; i++) {
		AUTO_FREE char *path = NULL;
		rc = take_text(&value->items[i], value->keys[i], NULL, &path, reterr);
		if (rc == 0 && (path[0] != '/' || strstr(path, "/../") || strchr(value->keys[i], '/')))
			rc = wrong(&value->items[i], value->keys[i], "must be a program's name and an absolute path", reterr);
		if (rc == 0)
			rc = words_add(&recipe->programs, value->keys[i]);
		if (rc == 0)
			rc = words_add(&recipe->program_paths, path + 1);
	}
	return rc;
}

static int take_all(const struct value *document, struct recipe *recipe, char **extends, struct diag *reterr)
{
	const struct {
		const char *key;
		size_t offset;
		const char *const *known;
	} texts[] = {
		{ "name", offsetof(struct recipe, name), NULL },
		{ "suite", offsetof(struct recipe, suite), NULL },
		{ "kernel", offsetof(struct recipe, kernel), NULL },
		{ "cmdline", offsetof(struct recipe, cmdline), NULL },
		{ "compression", offsetof(struct recipe, compression), NULL },
		{ "payloadCompression", offsetof(struct recipe, payload_compression), NULL },
		{ "cni", offsetof(struct recipe, cni), cnis },
		{ "stateDisk", offsetof(struct recipe, state_disk), state_disks },
	};
	const struct {
		const char *key;
		size_t offset;
		const char *const *known;
	} lists[] = {
		{ "packages", offsetof(struct recipe, packages), NULL },
		{ "overlays", offsetof(struct recipe, overlays), NULL },
		{ "seedSources", offsetof(struct recipe, seed_sources), seed_sources },
		{ "exclude", offsetof(struct recipe, exclude), NULL },
		{ "modulesExclude", offsetof(struct recipe, modules_exclude), NULL },
		{ "stage1Modules", offsetof(struct recipe, stage1_modules), NULL },
	};
	static const char *const keys[] = { "extends", "name", "suite", "kernel", "cmdline", "compression",
		"payloadCompression", "cni", "stateDisk", "packages", "overlays", "seedSources", "exclude",
		"modulesExclude", "stage1Modules", "programs", "lab", "k3s", NULL };
	const struct value *value;
	int rc;

	if (document->type != VALUE_OBJECT)
		return wrong(document, "a recipe", "must be a map", reterr);
	rc = value_only_keys(document, "recipe", keys, reterr);
	for (size_t i = 0; i < N_ELEMENTS(texts) && rc == 0; i++)
		if ((value = value_find(document, texts[i].key)))
			rc = take_text(value, texts[i].key, texts[i].known, (char **)((char *)recipe + texts[i].offset), reterr);
	for (size_t i = 0; i < N_ELEMENTS(lists) && rc == 0; i++)
		if ((value = value_find(document, lists[i].key)))
			rc = take_list(value, lists[i].key, lists[i].known,
				(struct words *)((char *)recipe + lists[i].offset), reterr);
	if (rc == 0 && (value = value_find(document, "programs")))
		rc = take_programs(value, recipe, reterr);
	if (rc == 0 && (value = value_find(document, "lab")))
		rc = value_bool(value, "lab", &recipe->lab, reterr);
	if (rc == 0 && (value = value_find(document, "k3s")))
		rc = k3s_release_read(value, &recipe->k3s, reterr);
	if (rc == 0 && (value = value_find(document, "extends"))) {
		rc = take_text(value, "extends", NULL, extends, reterr);
		if (rc == 0 && strchr(*extends, '/'))
			rc = wrong(value, "extends", "must be the name of a recipe file in the same folder", reterr);
	}
	return rc;
}

int recipe_add(struct recipe *recipe, const char *text, size_t n, const char *name, char **ret_extends, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *document = NULL;
	AUTO_FREE char *extends = NULL;
	int rc = yaml_parse(text, n, RECIPE_MAX_BYTES, name, &document, reterr);

	if (rc < 0)
		return rc;
	rc = take_all(document, recipe, &extends, reterr);
	if (rc < 0) {
		if (reterr)
			diag_prefix(reterr, name);
		return rc;
	}
	*ret_extends = TAKE_PTR(extends);
	return 0;
}

int recipe_check(const struct recipe *recipe, const char *name, struct diag *reterr)
{
	const struct {
		const char *key, *value;
	} required[] = { { "name", recipe->name }, { "suite", recipe->suite }, { "kernel", recipe->kernel },
		{ "cmdline", recipe->cmdline }, { "compression", recipe->compression },
		{ "payloadCompression", recipe->payload_compression }, { "cni", recipe->cni },
		{ "stateDisk", recipe->state_disk } };

	for (size_t i = 0; i < N_ELEMENTS(required); i++)
		if (!required[i].value)
			return diag_set(reterr, -EINVAL, name, "the recipe must have the key %s", required[i].key);
	if (!recipe->packages.n || !recipe->stage1_modules.n || !recipe->seed_sources.n)
		return diag_set(reterr, -EINVAL, name, "the recipe must have packages, stage1Modules and seedSources");
	int rc = k3s_release_check(&recipe->k3s, reterr);
	if (rc < 0)
		return rc;
	// hearth-init mounts the root from the initramfs; without ramfs half of a small machine's memory is the limit.
	if (!strstr(recipe->cmdline, "rootfstype=ramfs"))
		return diag_set(reterr, -EINVAL, name, "cmdline must contain rootfstype=ramfs");
	return 0;
}

int recipe_load(const char *path, struct recipe **ret, struct diag *reterr)
{
	CLEANUP(recipe_freep) struct recipe *recipe = calloc(1, sizeof(*recipe));
	char *texts[RECIPE_MAX_EXTENDS] = { NULL }, *names[RECIPE_MAX_EXTENDS] = { NULL };
	AUTO_FREE char *next = strdup(path);
	size_t n = 0, sizes[RECIPE_MAX_EXTENDS];
	int rc = recipe && next ? 0 : -ENOMEM;

	// Read from the recipe down to its base, then lay them on from the base up.
	while (rc == 0 && next) {
		CLEANUP(recipe_freep) struct recipe *probe = calloc(1, sizeof(*probe));
		AUTO_FREE char *extends = NULL;
		if (n == RECIPE_MAX_EXTENDS) {
			rc = diag_set(reterr, -ELOOP, path, "extends more than %d recipes deep", RECIPE_MAX_EXTENDS - 1);
			break;
		}
		names[n] = TAKE_PTR(next);
		rc = probe ? file_read(names[n], RECIPE_MAX_BYTES, &texts[n], &sizes[n], reterr) : -ENOMEM;
		if (rc == 0)
			rc = recipe_add(probe, texts[n], sizes[n], names[n], &extends, reterr);
		if (rc == 0 && extends) {
			const char *slash = strrchr(names[n], '/');
			next = str_format("%.*s%s", slash ? (int)(slash + 1 - names[n]) : 0, names[n], extends);
			rc = next ? 0 : -ENOMEM;
		}
		n++;
	}
	for (size_t i = n; i-- > 0 && rc == 0;) {
		AUTO_FREE char *extends = NULL;
		rc = recipe_add(recipe, texts[i], sizes[i], names[i], &extends, reterr);
	}
	for (size_t i = 0; i < RECIPE_MAX_EXTENDS; i++) {
		free(texts[i]);
		free(names[i]);
	}
	if (rc == 0)
		rc = recipe_check(recipe, path, reterr);
	if (rc == 0)
		*ret = TAKE_PTR(recipe);
	return rc;
}
