// SPDX-License-Identifier: Apache-2.0
#include "image/bootstrap-recipe.h"
#include "base/yaml.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>

struct bootstrap_recipe *bootstrap_recipe_free(struct bootstrap_recipe *recipe)
{
	if (recipe)
		value_free(recipe->document);
	free(recipe);
	return NULL;
}

bool kube_name_valid(const char *name)
{
	static const char ends[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t n = strlen(name);

	return n > 0 && n <= 63 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == n && strchr(ends, *name) &&
	       strchr(ends, name[n - 1]);
}

bool flux_duration_valid(const char *text)
{
	if (!*text)
		return false;
	while (*text) {
		size_t n = strspn(text, "0123456789");
		if (n == 0 || n > 9)
			return false;
		text += n;
		if (str_starts(text, "ms"))
			text += 2;
		else if (*text && strchr("smh", *text))
			text++;
		else
			return false;
	}
	return true;
}

static int wrong(const struct value *value, struct diag *reterr, const char *format, ...) PRINTF_LIKE(3, 4);
static int wrong(const struct value *value, struct diag *reterr, const char *format, ...)
{
	char where[64], message[400];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	snprintf(where, sizeof(where), "%u:%u", value->line, value->column);
	return diag_set(reterr, -EINVAL, where, "%s", message);
}

// A text of one line at @key of @object, when it is there.
static int take_text(const struct value *object, const char *key, const char **ret, struct diag *reterr)
{
	const struct value *value = value_find(object, key);
	int rc;

	if (!value)
		return 0;
	rc = value_string(value, key, ret, reterr);
	if (rc == 0 && (!**ret || strpbrk(*ret, "\r\n")))
		rc = wrong(value, reterr, "%s: must be one line that is not empty", key);
	return rc;
}

static int need_text(const struct value *object, const char *what, const char *key, const char **ret, struct diag *reterr)
{
	int rc = take_text(object, key, ret, reterr);

	if (rc == 0 && !value_find(object, key))
		rc = wrong(object, reterr, "%s must have the key %s", what, key);
	return rc;
}

static int take_object(const struct value *document, const char *key, const struct value **ret, struct diag *reterr)
{
	const struct value *value = value_find(document, key);

	if (value && value->type != VALUE_OBJECT)
		return wrong(value, reterr, "%s: must be a map", key);
	*ret = value;
	return 0;
}

static int take_list(const struct value *object, const char *key, bool of_texts, const struct value **ret,
	struct diag *reterr)
{
	const struct value *value = value_find(object, key);

	if (!value)
		return 0;
	if (value->type != VALUE_ARRAY || value->n == 0)
		return wrong(value, reterr, "%s: must be a list that is not empty", key);
	if (value->n > BOOTSTRAP_RECIPE_MAX_ITEMS)
		return wrong(value, reterr, "%s: may have %d entries", key, BOOTSTRAP_RECIPE_MAX_ITEMS);
	for (size_t i = 0; i < value->n && of_texts; i++)
		if (!value_text(&value->items[i]) || !*value_text(&value->items[i]))
			return wrong(&value->items[i], reterr, "%s: must be a list of texts", key);
	*ret = value;
	return 0;
}

static int take_name(const struct value *object, const char *what, const char *key, bool required, struct diag *reterr)
{
	const char *name = NULL;
	int rc = required ? need_text(object, what, key, &name, reterr) : take_text(object, key, &name, reterr);

	if (rc == 0 && name && !kube_name_valid(name))
		rc = wrong(value_find(object, key), reterr,
			"%s.%s: must be a Kubernetes name (a-z, 0-9, - and ., at most 63), not \"%s\"", what, key, name);
	return rc;
}

static bool is_address(const char *text)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

// "192.0.2.0/28", or "192.0.2.10-192.0.2.20".
static bool is_pool(const char *text)
{
	size_t n = strcspn(text, "/-");
	AUTO_FREE char *first = strndup(text, n);

	if (!first || !is_address(first) || !text[n])
		return false;
	if (text[n] == '-')
		return is_address(text + n + 1) && !strchr(first, ':') == !strchr(text + n + 1, ':');
	return text[n + 1] && strspn(text + n + 1, "0123456789") == strlen(text + n + 1) &&
	       strtoul(text + n + 1, NULL, 10) <= (strchr(first, ':') ? 128 : 32);
}

static int take_l2(const struct value *cilium, struct bootstrap_recipe *recipe, struct diag *reterr)
{
	static const char *const keys[] = { "pool", "interfaces", NULL };
	const struct value *l2 = NULL;
	int rc = take_object(cilium, "l2", &l2, reterr);

	if (rc < 0 || !l2)
		return rc;
	rc = value_only_keys(l2, "l2", keys, reterr);
	if (rc == 0)
		rc = take_list(l2, "pool", true, &recipe->l2_pool, reterr);
	if (rc == 0)
		rc = take_list(l2, "interfaces", true, &recipe->l2_interfaces, reterr);
	if (rc == 0 && !recipe->l2_pool)
		rc = wrong(l2, reterr, "l2 must have the key pool: the LAN addresses that services may get");
	for (size_t i = 0; rc == 0 && i < recipe->l2_pool->n; i++)
		if (!is_pool(value_text(&recipe->l2_pool->items[i])))
			rc = wrong(&recipe->l2_pool->items[i], reterr,
				"l2.pool: must be ADDRESS/PREFIX or FIRST-LAST, not \"%s\"",
				value_text(&recipe->l2_pool->items[i]));
	return rc;
}

static int take_cilium(struct bootstrap_recipe *recipe, struct diag *reterr)
{
	static const char *const keys[] = { "chart", "manifests", "values", "override", "l2", "devices", "mtu", NULL };
	const struct value *cilium = NULL;
	int rc = take_object(recipe->document, "cilium", &cilium, reterr);

	if (rc < 0 || !cilium)
		return rc;
	recipe->cilium = true;
	rc = value_only_keys(cilium, "cilium", keys, reterr);
	if (rc == 0)
		rc = take_text(cilium, "chart", &recipe->chart, reterr);
	if (rc == 0)
		rc = take_text(cilium, "manifests", &recipe->cilium_manifests, reterr);
	if (rc == 0 && !recipe->chart == !recipe->cilium_manifests)
		rc = wrong(cilium, reterr, "cilium must have one of chart (a .tgz) and manifests (rendered)");
	if (rc == 0)
		rc = take_object(cilium, "values", &recipe->cilium_values, reterr);
	if (rc == 0 && value_find(cilium, "override"))
		rc = value_bool(value_find(cilium, "override"), "override", &recipe->override, reterr);
	if (rc == 0)
		rc = take_l2(cilium, recipe, reterr);
	if (rc == 0)
		rc = take_list(cilium, "devices", true, &recipe->devices, reterr);
	if (rc == 0 && value_find(cilium, "mtu"))
		rc = value_int(value_find(cilium, "mtu"), "mtu", 1280, 65520, &recipe->mtu, reterr);
	return rc;
}

static int take_one_file(const struct value *document, const char *section, const char *key, const char **ret,
	struct diag *reterr)
{
	const char *const keys[] = { key, NULL };
	const struct value *object = NULL;
	int rc = take_object(document, section, &object, reterr);

	if (rc < 0 || !object)
		return rc;
	rc = value_only_keys(object, section, keys, reterr);
	return rc < 0 ? rc : need_text(object, section, key, ret, reterr);
}

static int take_crds(struct bootstrap_recipe *recipe, struct diag *reterr)
{
	static const char *const keys[] = { "crds", NULL };
	const struct value *object = NULL, *crds;
	int rc = take_object(recipe->document, "gatewayApi", &object, reterr);

	if (rc < 0 || !object)
		return rc;
	rc = value_only_keys(object, "gatewayApi", keys, reterr);
	if (rc < 0)
		return rc;
	crds = value_find(object, "crds");
	if (!crds)
		return wrong(object, reterr, "gatewayApi must have the key crds: a file or a list of files");
	if (!value_text(crds))
		return take_list(object, "crds", true, &recipe->crds, reterr);
	recipe->crds = crds;
	return *value_text(crds) ? 0 : wrong(crds, reterr, "crds: must not be empty");
}

// The rule of `hearth-region secret set`.
static bool is_region_secret(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= 63 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n;
}

static int secret_check(const struct value *secret, struct diag *reterr)
{
	static const char *const keys[] = { "name", "namespace", "type", "from", NULL };
	const struct value *from = NULL;
	const char *type = NULL;
	int rc;

	if (secret->type != VALUE_OBJECT)
		return wrong(secret, reterr, "secrets: must be a list of maps");
	rc = value_only_keys(secret, "secrets", keys, reterr);
	if (rc == 0)
		rc = take_name(secret, "secrets", "name", true, reterr);
	if (rc == 0)
		rc = take_name(secret, "secrets", "namespace", false, reterr);
	if (rc == 0)
		rc = take_text(secret, "type", &type, reterr);
	if (rc == 0)
		rc = take_object(secret, "from", &from, reterr);
	if (rc < 0)
		return rc;
	if (!from || from->n == 0)
		return wrong(secret, reterr, "secrets must have the key from: a map of KEY of the Secret to the NAME of a region secret");
	for (size_t i = 0; i < from->n; i++) {
		const char *name = value_text(&from->items[i]), *key = from->keys[i];
		size_t n = strlen(key);
		if (n == 0 || n > 253 ||
			strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != n)
			return wrong(&from->items[i], reterr, "from: a key of a Secret has letters, digits, -, _ and ., not \"%.60s\"",
				key);
		if (!name || !is_region_secret(name))
			return wrong(&from->items[i], reterr,
				"from.%s: must be the NAME of a secret at the region (hearth-region secret set NAME)", key);
	}
	return 0;
}

static int kustomization_check(const struct value *item, struct diag *reterr)
{
	static const char *const keys[] = { "name", "path", "dependsOn", "substitute", "wait", "timeout", "prune", NULL };
	const struct value *list = NULL, *map = NULL;
	const char *path = NULL, *timeout = NULL;
	bool ignored;
	int rc;

	if (item->type != VALUE_OBJECT)
		return wrong(item, reterr, "kustomizations: must be a list of maps");
	rc = value_only_keys(item, "kustomizations", keys, reterr);
	if (rc == 0)
		rc = take_name(item, "kustomizations", "name", true, reterr);
	if (rc == 0)
		rc = take_text(item, "path", &path, reterr);
	if (rc == 0)
		rc = take_list(item, "dependsOn", true, &list, reterr);
	if (rc == 0)
		rc = take_object(item, "substitute", &map, reterr);
	for (size_t i = 0; rc == 0 && map && i < map->n; i++)
		if (map->items[i].type == VALUE_ARRAY || map->items[i].type == VALUE_OBJECT)
			rc = wrong(&map->items[i], reterr, "substitute.%.60s: must be a text", map->keys[i]);
	if (rc == 0 && value_find(item, "wait"))
		rc = value_bool(value_find(item, "wait"), "wait", &ignored, reterr);
	if (rc == 0 && value_find(item, "prune"))
		rc = value_bool(value_find(item, "prune"), "prune", &ignored, reterr);
	if (rc == 0)
		rc = take_text(item, "timeout", &timeout, reterr);
	if (rc == 0 && timeout && !flux_duration_valid(timeout))
		rc = wrong(value_find(item, "timeout"), reterr, "timeout: must be like 30m or 90s, not \"%.40s\"", timeout);
	return rc;
}

static int source_check(const struct value *source, const char *what, const char *const keys[],
	const char *const schemes[], const char *const refs[], struct diag *reterr)
{
	const char *url = NULL, *text = NULL;
	unsigned n_refs = 0;
	bool known = false, ignored;
	int rc = value_only_keys(source, what, keys, reterr);

	if (rc == 0)
		rc = need_text(source, what, "url", &url, reterr);
	for (size_t i = 0; rc == 0 && schemes[i]; i++)
		known = known || str_starts(url, schemes[i]);
	if (rc == 0 && !known)
		rc = wrong(value_find(source, "url"), reterr, "%s.url: must begin with %s%s%s, not \"%.80s\"", what, schemes[0],
			schemes[1] ? " or " : "", schemes[1] ? schemes[1] : "", url);
	for (size_t i = 0; rc == 0 && keys[i]; i++)
		if (!str_equal(keys[i], "insecure"))
			rc = take_text(source, keys[i], &text, reterr);
	for (size_t i = 0; refs[i]; i++)
		n_refs += value_find(source, refs[i]) != NULL;
	if (rc == 0 && n_refs > 1)
		rc = wrong(source, reterr, "%s must name one thing to follow, a %s or a %s", what, refs[0], refs[1]);
	if (rc == 0 && value_find(source, "insecure"))
		rc = value_bool(value_find(source, "insecure"), "insecure", &ignored, reterr);
	return rc < 0 ? rc : take_name(source, what, "secret", false, reterr);
}

static int take_sync(struct bootstrap_recipe *recipe, struct diag *reterr)
{
	static const char *const keys[] = { "name", "git", "oci", "kustomizations", NULL };
	static const char *const git_keys[] = { "url", "branch", "tag", "path", "secret", NULL };
	static const char *const oci_keys[] = { "url", "tag", "digest", "semver", "path", "insecure", "secret", NULL };
	static const char *const git_schemes[] = { "https://", "ssh://", "http://", NULL };
	static const char *const oci_schemes[] = { "oci://", NULL };
	static const char *const git_refs[] = { "branch", "tag", NULL }, *const oci_refs[] = { "tag", "digest", "semver", NULL };
	const struct value *sync = NULL;
	int rc = take_object(recipe->document, "sync", &sync, reterr);

	recipe->sync_name = "platform";
	if (rc < 0 || !sync)
		return rc;
	rc = value_only_keys(sync, "sync", keys, reterr);
	if (rc == 0)
		rc = take_name(sync, "sync", "name", false, reterr);
	if (rc == 0)
		rc = take_text(sync, "name", &recipe->sync_name, reterr);
	if (rc == 0)
		rc = take_object(sync, "git", &recipe->git, reterr);
	if (rc == 0)
		rc = take_object(sync, "oci", &recipe->oci, reterr);
	if (rc == 0 && !recipe->git == !recipe->oci)
		rc = wrong(sync, reterr, "sync must have one of git and oci");
	if (rc == 0)
		rc = recipe->git ? source_check(recipe->git, "git", git_keys, git_schemes, git_refs, reterr)
				 : source_check(recipe->oci, "oci", oci_keys, oci_schemes, oci_refs, reterr);
	if (rc == 0)
		rc = take_list(sync, "kustomizations", false, &recipe->kustomizations, reterr);
	for (size_t i = 0; rc == 0 && recipe->kustomizations && i < recipe->kustomizations->n; i++)
		rc = kustomization_check(&recipe->kustomizations->items[i], reterr);
	return rc;
}

static int take_all(struct bootstrap_recipe *recipe, struct diag *reterr)
{
	static const char *const keys[] = { "gatewayApi", "cilium", "flux", "storage", "secrets", "sync", "variables", NULL };
	int rc;

	if (recipe->document->type != VALUE_OBJECT)
		return wrong(recipe->document, reterr, "the recipe of a bootstrap must be a map");
	rc = value_only_keys(recipe->document, "bootstrap", keys, reterr);
	if (rc == 0)
		rc = take_crds(recipe, reterr);
	if (rc == 0)
		rc = take_cilium(recipe, reterr);
	if (rc == 0)
		rc = take_one_file(recipe->document, "flux", "install", &recipe->flux_install, reterr);
	if (rc == 0)
		rc = take_one_file(recipe->document, "storage", "manifests", &recipe->storage_manifests, reterr);
	if (rc == 0)
		rc = take_list(recipe->document, "secrets", false, &recipe->secrets, reterr);
	for (size_t i = 0; rc == 0 && recipe->secrets && i < recipe->secrets->n; i++)
		rc = secret_check(&recipe->secrets->items[i], reterr);
	if (rc == 0)
		rc = take_list(recipe->document, "variables", true, &recipe->variables, reterr);
	return rc < 0 ? rc : take_sync(recipe, reterr);
}

int bootstrap_recipe_parse(const char *text, size_t n, const char *name, struct bootstrap_recipe **ret,
	struct diag *reterr)
{
	CLEANUP(bootstrap_recipe_freep) struct bootstrap_recipe *recipe = calloc(1, sizeof(*recipe));
	int rc;

	if (!recipe)
		return -ENOMEM;
	rc = yaml_parse(text, n, BOOTSTRAP_RECIPE_MAX_BYTES, name, &recipe->document, reterr);
	if (rc < 0)
		return rc;
	rc = take_all(recipe, reterr);
	if (rc < 0) {
		if (reterr)
			diag_prefix(reterr, name);
		return rc;
	}
	*ret = TAKE_PTR(recipe);
	return 0;
}
