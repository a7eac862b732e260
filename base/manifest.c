// Splitting and reading manifest files. What the objects mean is stages.c's.
// SPDX-License-Identifier: Apache-2.0
#include "base/manifest.h"
#include "base/yaml.h"
#include <errno.h>

static void object_done(struct manifest_object *object)
{
	free(object->api_version);
	free(object->kind);
	free(object->name);
	free(object->namespace);
	value_free(object->document);
}

struct manifest *manifest_free(struct manifest *manifest)
{
	if (!manifest)
		return NULL;
	for (size_t i = 0; i < manifest->n; i++)
		object_done(&manifest->objects[i]);
	free(manifest->objects);
	free(manifest);
	return NULL;
}

// Is there a "---" line at @at (which begins a line)?
static bool separator_at(const char *text, size_t n, size_t at)
{
	char after;

	if (n - at < 3 || memcmp(text + at, "---", 3) != 0)
		return false;
	if (n - at == 3)
		return true;
	after = text[at + 3];
	return after == ' ' || after == '\t' || after == '\n' || after == '\r';
}

int manifest_split(const char *text, size_t n, size_t *cursor, const char **ret_document, size_t *ret_n)
{
	size_t at = *cursor, begin;

	if (at >= n)
		return 0;
	if (separator_at(text, n, at))
		at += 3; // what follows on that line belongs to the document
	begin = at;
	for (;;) {
		const char *newline = memchr(text + at, '\n', n - at);

		if (!newline) {
			at = n;
			break;
		}
		at = (size_t)(newline - text) + 1;
		if (at == n || separator_at(text, n, at))
			break;
	}
	*ret_document = text + begin;
	*ret_n = at - begin;
	*cursor = at;
	return 1;
}

static int object_read(struct value *document_take, const char *where, struct manifest_object *ret,
	struct diag *reterr)
{
	struct value *document CLEANUP(value_freep) = document_take;
	const char *api_version = value_text(value_find(document, "apiVersion"));
	const char *kind = value_text(value_find(document, "kind"));
	const char *name = value_text(value_path(document, "metadata", "name", NULL));
	const char *namespace = value_text(value_path(document, "metadata", "namespace", NULL));
	size_t n_kind = kind ? strlen(kind) : 0;

	if (document->type != VALUE_OBJECT || !api_version || !kind)
		return diag_set(reterr, -EINVAL, where, "is no Kubernetes object: it needs apiVersion and kind");
	if (n_kind > 4 && str_equal(kind + n_kind - 4, "List") && value_find(document, "items"))
		return diag_set(reterr, -EINVAL, where, "a %s must be written as separate documents", kind);
	if (!name || !*name)
		return diag_set(reterr, -EINVAL, where, "%s needs metadata.name", kind);
	*ret = (struct manifest_object){.api_version = strdup(api_version), .kind = strdup(kind),
		.name = strdup(name), .namespace = namespace ? strdup(namespace) : NULL};
	if (!ret->api_version || !ret->kind || !ret->name || (namespace && !ret->namespace)) {
		object_done(ret);
		return -ENOMEM;
	}
	ret->document = TAKE_PTR(document);
	return 0;
}

static int manifest_add(struct manifest *manifest, struct value *document_take, const char *where,
	struct diag *reterr)
{
	struct manifest_object object, *grown;
	int r = object_read(document_take, where, &object, reterr);

	if (r < 0)
		return r;
	grown = reallocarray(manifest->objects, manifest->n + 1, sizeof(*grown));
	if (!grown) {
		object_done(&object);
		return -ENOMEM;
	}
	manifest->objects = grown;
	manifest->objects[manifest->n++] = object;
	return 0;
}

int manifest_parse(const char *text, size_t n, const char *name, struct manifest **ret, struct diag *reterr)
{
	struct manifest *manifest CLEANUP(manifest_freep) = calloc(1, sizeof(*manifest));
	const char *document;
	size_t cursor = 0, n_document, number = 0;

	if (!manifest)
		return -ENOMEM;
	if (n > MANIFEST_MAX_BYTES)
		return diag_set(reterr, -E2BIG, name, "must be at most %d bytes", MANIFEST_MAX_BYTES);
	while (manifest_split(text, n, &cursor, &document, &n_document) > 0) {
		char *where AUTO_FREE = str_format("%s (document %zu)", name, ++number);
		struct value *value = NULL;
		int r;

		if (!where)
			return -ENOMEM;
		r = yaml_parse(document, n_document, MANIFEST_MAX_BYTES, where, &value, reterr);
		if (r < 0)
			return r;
		if (value->type == VALUE_NULL || (value->type == VALUE_OBJECT && value->n == 0)) {
			value_free(value);
			continue;
		}
		if (manifest->n == MANIFEST_MAX_OBJECTS) {
			value_free(value);
			return diag_set(reterr, -E2BIG, name, "must hold at most %d objects", MANIFEST_MAX_OBJECTS);
		}
		r = manifest_add(manifest, value, where, reterr);
		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(manifest);
	return 0;
}

void manifest_forget(struct manifest *manifest, const char *kept_kind)
{
	for (size_t i = 0; i < manifest->n; i++)
		if (!str_equal(manifest->objects[i].kind, kept_kind))
			manifest->objects[i].document = value_free(manifest->objects[i].document);
}
