// The tree: freeing, finding, decoding scalars, comparing.
// SPDX-License-Identifier: Apache-2.0
#include "base/value-build.h"

#include <errno.h>
#include <stdarg.h>
#include <strings.h>

enum { MAX_NEAREST_LENGTH = 40, NEAREST_DISTANCE = 2, SHOWN_TEXT_MAX = 60 };

void value_done(struct value *value)
{
	for (size_t i = 0; i < value->n; i++) {
		if (value->items)
			value_done(&value->items[i]);
		if (value->keys)
			free(value->keys[i]);
	}
	free(value->items);
	free(value->keys);
	free(value->text);
}

struct value *value_free(struct value *value)
{
	if (value) {
		value_done(value);
		free(value);
	}
	return NULL;
}

static void wipe_texts(struct value *value)
{
	if (value->text)
		explicit_bzero(value->text, strlen(value->text));
	for (size_t i = 0; i < value->n; i++)
		wipe_texts(&value->items[i]);
}

struct value *value_free_secret(struct value *value)
{
	if (value)
		wipe_texts(value);
	return value_free(value);
}

const struct value *value_find(const struct value *object, const char *key)
{
	if (!object || object->type != VALUE_OBJECT)
		return NULL;
	for (size_t i = 0; i < object->n; i++)
		if (*object->keys[i] == *key && strcmp(object->keys[i], key) == 0) // mostly the first letter decides
			return &object->items[i];
	return NULL;
}

const struct value *value_path(const struct value *object, ...)
{
	va_list keys;
	const char *key;

	va_start(keys, object);
	while (object && (key = va_arg(keys, const char *)))
		object = value_find(object, key);
	va_end(keys);
	return object;
}

const char *value_text(const struct value *value)
{
	if (!value)
		return NULL;
	if (value->type == VALUE_STRING || (value->plain && value->type != VALUE_NULL))
		return value->text;
	return NULL;
}

const char *value_shown(const struct value *value, char ret[static VALUE_SHOWN_TEXT])
{
	const char *text = value->text ? value->text : "";

	if (value->type == VALUE_OBJECT || value->type == VALUE_ARRAY)
		return value->type == VALUE_OBJECT ? "an object" : "a list";
	if (value->type == VALUE_NULL || !*text)
		return "an empty value";
	(void)snprintf(ret, VALUE_SHOWN_TEXT, "\"%.*s%s\"", SHOWN_TEXT_MAX, text, strlen(text) > SHOWN_TEXT_MAX ? "..." : ""); // fits
	return ret;
}

static int refuse(const struct value *value, const char *what, struct diag *reterr, const char *rule)
{
	char where[32] = "", shown[VALUE_SHOWN_TEXT];

	if (!value)
		return diag_set(reterr, -EINVAL, where, "%s: is missing; must be %s", what, rule);
	(void)snprintf(where, sizeof(where), "%u:%u", value->line, value->column); // always fits
	return diag_set(reterr, -EINVAL, where, "%s: must be %s, not %s", what, rule, value_shown(value, shown));
}

int value_string(const struct value *value, const char *what, const char **ret, struct diag *reterr)
{
	const char *text = value_text(value);

	if (!text)
		return refuse(value, what, reterr, "a text");
	*ret = text;
	return 0;
}

int value_bool(const struct value *value, const char *what, bool *ret, struct diag *reterr)
{
	static const struct {
		const char *word;
		bool boolean;
	} words[] = { { "yes", true }, { "on", true }, { "no", false }, { "off", false } };

	if (value && value->type == VALUE_BOOL) {
		*ret = value->boolean;
		return 0;
	}
	if (value && value->type == VALUE_STRING && value->plain)
		for (size_t i = 0; i < N_ELEMENTS(words); i++)
			if (strcasecmp(value->text, words[i].word) == 0) {
				*ret = words[i].boolean;
				return 0;
			}
	return refuse(value, what, reterr, "true or false");
}

int value_int(const struct value *value, const char *what, int64_t min, int64_t max, int64_t *ret, struct diag *reterr)
{
	char rule[80];
	char *end;

	(void)snprintf(rule, sizeof(rule), "a number %lld-%lld", (long long)min, (long long)max); // always fits
	if (!value || value->type != VALUE_NUMBER)
		return refuse(value, what, reterr, rule);
	errno = 0;
	long long number = strtoll(value->text, &end, 10);
	if (errno || *end || number < min || number > max) // 1.5 and 1e3 end at '.' and 'e'
		return refuse(value, what, reterr, rule);
	*ret = number;
	return 0;
}

// Optimal string alignment: insert, delete, replace, swap neighbours; three rows are enough.
static unsigned distance(const char *a, const char *b)
{
	size_t n_a = strlen(a), n_b = strlen(b);
	unsigned rows[3][MAX_NEAREST_LENGTH + 1];

	if (n_a > MAX_NEAREST_LENGTH || n_b > MAX_NEAREST_LENGTH)
		return UINT32_MAX;
	for (unsigned j = 0; j <= n_b; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= n_a; i++) {
		unsigned *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n_b; j++) {
			unsigned best = up[j - 1] + (a[i - 1] != b[j - 1]);
			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < best)
				best = up2[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[n_a % 3][n_b];
}

const char *value_nearest(const char *word, const char *const known[])
{
	const char *nearest = NULL;
	unsigned least = NEAREST_DISTANCE + 1;

	for (size_t i = 0; known[i]; i++) {
		unsigned d = distance(word, known[i]);
		if (d < least && d < strlen(known[i])) { // "a" is no misspelt "to"
			least = d;
			nearest = known[i];
		}
	}
	return nearest;
}

static bool is_known(const char *key, const char *const known[])
{
	for (size_t i = 0; known[i]; i++)
		if (*key == *known[i] && strcmp(key, known[i]) == 0)
			return true;
	return false;
}

int value_only_keys(const struct value *object, const char *what, const char *const known[], struct diag *reterr)
{
	char where[32];

	if (!object || object->type != VALUE_OBJECT)
		return refuse(object, what, reterr, "an object");
	for (size_t i = 0; i < object->n; i++) {
		if (is_known(object->keys[i], known))
			continue;
		const char *nearest = value_nearest(object->keys[i], known);
		(void)snprintf(where, sizeof(where), "%u:%u", object->items[i].key_line, object->items[i].key_column); // fits
		if (nearest)
			return diag_set(reterr, -EINVAL, where, "%s: unknown key \"%.*s\"; did you mean \"%s\"?", what,
				SHOWN_TEXT_MAX, object->keys[i], nearest);
		return diag_set(reterr, -EINVAL, where, "%s: unknown key \"%.*s\"", what, SHOWN_TEXT_MAX,
			object->keys[i]);
	}
	return 0;
}

bool value_equal(const struct value *a, const struct value *b)
{
	if (!a || !b)
		return a == b;
	if (a->type != b->type || a->n != b->n)
		return false;
	switch (a->type) {
	case VALUE_NULL:
		return true;
	case VALUE_BOOL:
		return a->boolean == b->boolean;
	case VALUE_NUMBER:
	case VALUE_STRING:
		return strcmp(a->text, b->text) == 0;
	case VALUE_ARRAY:
		for (size_t i = 0; i < a->n; i++)
			if (!value_equal(&a->items[i], &b->items[i]))
				return false;
		return true;
	case VALUE_OBJECT:
		for (size_t i = 0; i < a->n; i++) {
			// Mostly the same order; then no search is needed.
			const struct value *other = strcmp(a->keys[i], b->keys[i]) == 0 ? &b->items[i] :
											  value_find(b, a->keys[i]);
			if (!other || !value_equal(&a->items[i], other))
				return false;
		}
		return true;
	}
	return false;
}
