// SPDX-License-Identifier: Apache-2.0
#include "image/escape.h"
#include "base/manifest.h"
#include "base/yaml.h"

#define SWITCH_KEY "kustomize.toolkit.fluxcd.io/substitute" // k3s/substitute.h

static bool known_begins(const char *behind_brace, const struct words *known)
{
	const char *name = behind_brace + (*behind_brace == '#');
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	AUTO_FREE char *copy = strndup(name, n);

	return copy && n > 0 && words_has(known, copy);
}

char *escape_text(const char *text, const struct words *known)
{
	char *escaped = malloc(2 * strlen(text) + 1), *to = escaped;

	while (escaped && *text) {
		if (*text == '$' && text[1] == '$') {
			memcpy(to, "$$$$", 4);
			to += 4;
			text += 2;
			continue;
		}
		if (*text == '$' && text[1] == '{' && !known_begins(text + 2, known))
			*to++ = '$';
		*to++ = *text++;
	}
	if (escaped)
		*to = '\0';
	return escaped;
}

static bool switched_off(const char *text, size_t n)
{
	static const char *const places[] = { "labels", "annotations" };
	CLEANUP(value_freep) struct value *document = NULL;

	if (!memmem(text, n, SWITCH_KEY, strlen(SWITCH_KEY)) || yaml_parse(text, n, MANIFEST_MAX_BYTES, "", &document, NULL) < 0)
		return false;
	for (size_t i = 0; i < N_ELEMENTS(places); i++)
		if (str_equal(value_text(value_find(value_path(document, "metadata", places[i], NULL), SWITCH_KEY)), "disabled"))
			return true;
	return false;
}

char *escape_manifest(const char *text, const struct words *known)
{
	char *escaped = NULL;
	const char *document;
	size_t cursor = 0, copied = 0, n = strlen(text), n_document, n_escaped;
	FILE *to = open_memstream(&escaped, &n_escaped);
	bool failed = false;

	while (to && !failed && manifest_split(text, n, &cursor, &document, &n_document) > 0) {
		AUTO_FREE char *copy = strndup(document, n_document);
		AUTO_FREE char *safe = !copy || switched_off(document, n_document) ? TAKE_PTR(copy) : escape_text(copy, known);
		(void)fwrite(text + copied, 1, (size_t)(document - text) - copied, to); // in memory: fclose() says when it ran out
		failed = !safe || fputs(safe, to) < 0;
		copied = (size_t)(document - text) + n_document;
	}
	if (!to || fclose(to) != 0 || failed) {
		free(escaped);
		return NULL;
	}
	return escaped;
}
