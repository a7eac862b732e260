// A guarded placeholder has U+E000 (private use) instead of its $; documents without one pass as they are.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/stage-secrets.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/manifest.h"
#include "base/yaml.h"
#include <errno.h>

#define PLAIN "${secret:"
#define GUARDED "\xee\x80\x80{secret:"

enum { MAX_NESTING = 64 };

static const char *plain_find(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	// ${secret:-default} and ${secret:3} are substitution's own, $${secret:x} is escaped
	for (const char *at = text; (at = strstr(at, PLAIN)); at++) {
		const char first = at[strlen(PLAIN)];

		if (first && strchr(letters, first) && (at == text || at[-1] != '$'))
			return at;
	}
	return NULL;
}

bool stage_secrets_in(const char *text)
{
	return plain_find(text) != NULL;
}

/* A stream in memory is over: *ret is what was written to it (the caller wipes and frees), unless something failed before (@r)
 * or memory ran out. @to may be NULL with -ENOMEM in @r; the other two are those of open_memstream(). */
static int stream_end(FILE *to, char *const *text, const size_t *n, int r, char **ret)
{
	if (to && fclose(to) != 0 && r == 0)
		r = -ENOMEM;
	if (r == 0) {
		*ret = *text;
	} else if (*text) {
		crypto_wipe(*text, *n);
		free(*text);
	}
	return r;
}

char *stage_secrets_guard(const char *text)
{
	char *guarded = NULL, *text_guarded = NULL; // stays NULL when memory runs out
	size_t n = 0;
	FILE *to = open_memstream(&guarded, &n);
	const char *at;

	if (!to)
		return NULL;
	while ((at = plain_find(text))) {
		(void)fwrite(text, 1, (size_t)(at - text), to); // a stream in memory: fclose() says when it ran out
		(void)fputs(GUARDED, to);
		text = at + strlen(PLAIN);
	}
	(void)fputs(text, to);
	(void)stream_end(to, &guarded, &n, 0, &text_guarded);
	return text_guarded;
}

static bool holds_placeholder(const struct value *value)
{
	if (value->type == VALUE_STRING && strstr(value->text, GUARDED))
		return true;
	for (size_t i = 0; i < value->n; i++)
		if ((value->keys && strstr(value->keys[i], GUARDED)) || holds_placeholder(&value->items[i]))
			return true;
	return false;
}

// @text with its placeholders filled in; the caller wipes and frees.
static int text_fill(const char *text, const char *where, const struct value *secrets, char **ret, struct diag *reterr)
{
	char *filled = NULL;
	size_t n_filled = 0;
	FILE *to = open_memstream(&filled, &n_filled);
	const char *at;
	int r = to ? 0 : -ENOMEM;

	while (r == 0 && (at = strstr(text, GUARDED))) {
		const char *name = at + strlen(GUARDED);
		size_t n = strcspn(name, "}");
		char *key AUTO_FREE = strndup(name, n);
		const struct value *secret = key ? value_find(secrets, key) : NULL;

		if (!name[n] || n > 63)
			r = diag_set(reterr, -EINVAL, where, "a ${secret:NAME} is not closed");
		else if (!secret || secret->type != VALUE_STRING)
			r = diag_set(reterr, -ENOKEY, "", "secret %s is not set at the region: hearth-region secret set %s", key,
				key);
		if (r < 0)
			break;
		(void)fwrite(text, 1, (size_t)(at - text), to); // a stream in memory: fclose() says when it ran out
		(void)fputs(secret->text, to);
		text = name + n + 1;
	}
	if (r == 0)
		(void)fputs(text, to);
	return stream_end(to, &filled, &n_filled, r, ret);
}

static int data_out(struct json_out *out, const struct value *data, const char *where, const struct value *secrets,
	struct diag *reterr)
{
	int r = 0;

	json_out_object_begin(out);
	for (size_t i = 0; i < data->n && r == 0; i++) {
		const char *text = value_text(&data->items[i]);
		char *filled = NULL;

		if (!text) {
			r = diag_set(reterr, -EINVAL, where, "stringData.%.60s must be a text", data->keys[i]);
			break;
		}
		r = text_fill(text, where, secrets, &filled, reterr);
		if (r < 0)
			break;
		json_out_member(out, data->keys[i], filled);
		crypto_wipe(filled, strlen(filled));
		free(filled);
	}
	json_out_object_end(out);
	return r;
}

// One document that has a placeholder, as one line of JSON.
static int document_out(struct json_out *out, const struct value *document, const char *where,
	const struct value *secrets, struct diag *reterr)
{
	bool is_secret = str_equal(value_text(value_find(document, "kind")), "Secret") &&
			 str_equal(value_text(value_find(document, "apiVersion")), "v1");
	int r = 0;

	json_out_object_begin(out);
	for (size_t i = 0; i < document->n && r == 0; i++) {
		const struct value *item = &document->items[i];
		bool data = is_secret && str_equal(document->keys[i], "stringData") && item->type == VALUE_OBJECT;

		if (!data && (holds_placeholder(item) || strstr(document->keys[i], GUARDED)))
			return diag_set(reterr, -EINVAL, where, "${secret:NAME} may stand in stringData of a Secret only");
		json_out_key(out, document->keys[i]);
		if (data)
			r = data_out(out, item, where, secrets, reterr);
		else
			json_out_value(out, item);
	}
	json_out_object_end(out);
	return r;
}

static int one_fill(FILE *to, const char *text, size_t n, const char *where, const struct value *secrets,
	struct diag *reterr)
{
	struct value *document CLEANUP(value_freep) = NULL;
	struct json_out out = {0};
	char *json = NULL;
	int r;

	if (!memmem(text, n, GUARDED, strlen(GUARDED))) {
		(void)fwrite(text, 1, n, to); // a stream in memory: fclose() says when it ran out
		if (n > 0 && text[n - 1] != '\n')
			(void)fputc('\n', to);
		return 0;
	}
	r = yaml_parse(text, n, MANIFEST_MAX_BYTES, where, &document, reterr);
	if (r < 0)
		return r;
	if (document->type != VALUE_OBJECT) // comments with a placeholder, a list
		return diag_set(reterr, -EINVAL, where, "${secret:NAME} may stand in stringData of a Secret only");
	r = document_out(&out, document, where, secrets, reterr);
	if (r == 0) {
		json = json_out_take(&out);
		if (!json)
			return -ENOMEM;
		(void)fprintf(to, "\n%s\n", json); // what stood on the line of the "---" is gone with the comments
		crypto_wipe(json, strlen(json));
		free(json);
		return 0;
	}
	if (out.text)
		crypto_wipe(out.text, out.n);
	json_out_done(&out);
	return r;
}

int stage_secrets_fill(const char *text, const char *where, const struct value *secrets, char **ret, struct diag *reterr)
{
	char *filled = NULL;
	const char *document;
	size_t cursor = 0, n = strlen(text), n_document, n_filled = 0;
	FILE *to = open_memstream(&filled, &n_filled);
	int r = to ? 0 : -ENOMEM;

	for (size_t number = 0; r == 0 && manifest_split(text, n, &cursor, &document, &n_document) > 0; number++) {
		if (number > 0)
			(void)fputs("---", to); // what was on that line is the document's
		else if (document > text)
			(void)fwrite(text, 1, (size_t)(document - text), to);
		if (number > 0 && n_document > 0 && *document != '\n' && *document != ' ' && *document != '\t' &&
			*document != '\r')
			(void)fputc('\n', to);
		r = one_fill(to, document, n_document, where, secrets, reterr);
	}
	return stream_end(to, &filled, &n_filled, r, ret);
}
