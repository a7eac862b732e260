// Making, merging and writing value trees.
// SPDX-License-Identifier: Apache-2.0
#include "image/tree.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/value-build.h"
#include "base/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <strings.h>

struct value *tree_new(enum value_type type)
{
	struct value *value = calloc(1, sizeof(*value));

	if (value)
		value->type = type;
	return value;
}

static void slot_clear(struct value *slot)
{
	value_done(slot);
	*slot = (struct value){ 0 };
}

static int slot_scalar(struct value *slot, enum value_type type, const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		return -ENOMEM;
	slot_clear(slot);
	*slot = (struct value){ .type = type, .text = copy, .boolean = str_equal(text, "true") };
	return 0;
}

// A new last slot of an array, or of a map under @key; NULL: no memory.
static struct value *slot_add(struct value *into, const char *key)
{
	struct value *items = reallocarray(into->items, into->n + 1, sizeof(*items));

	if (!items)
		return NULL;
	into->items = items;
	if (key) {
		char **keys = reallocarray(into->keys, into->n + 1, sizeof(*keys));
		if (!keys)
			return NULL;
		into->keys = keys;
		keys[into->n] = strdup(key);
		if (!keys[into->n])
			return NULL;
	}
	items[into->n] = (struct value){ 0 };
	return &items[into->n++];
}

static struct value *slot_find(struct value *object, const char *key)
{
	return (struct value *)value_find(object, key); // the tree is the caller's to change
}

int tree_copy(const struct value *from, struct value *into)
{
	int rc = slot_scalar(into, from->type, from->text);

	if (rc < 0)
		return rc;
	into->boolean = from->boolean;
	into->quoted = from->quoted;
	into->plain = from->plain;
	into->line = from->line;
	into->column = from->column;
	into->key_line = from->key_line;
	into->key_column = from->key_column;
	for (size_t i = 0; i < from->n && rc == 0; i++) {
		struct value *slot = slot_add(into, from->type == VALUE_OBJECT ? from->keys[i] : NULL);
		rc = slot ? tree_copy(&from->items[i], slot) : -ENOMEM;
	}
	return rc;
}

static int slot_child(struct value **slot, const char *key)
{
	struct value *child;

	if ((*slot)->type == VALUE_NULL)
		(*slot)->type = VALUE_OBJECT;
	if ((*slot)->type != VALUE_OBJECT)
		return -EEXIST;
	child = slot_find(*slot, key);
	if (!child)
		child = slot_add(*slot, key);
	if (!child)
		return -ENOMEM;
	*slot = child;
	return 0;
}

static int slot_walk(struct value **slot, va_list keys)
{
	const char *key;
	int rc = 0;

	while (rc == 0 && (key = va_arg(keys, const char *)))
		rc = slot_child(slot, key);
	return rc;
}

int tree_put(struct value *root, enum value_type type, const char *text, ...)
{
	struct value *slot = root;
	va_list keys;

	va_start(keys, text);
	int rc = slot_walk(&slot, keys);
	va_end(keys);
	return rc < 0 ? rc : slot_scalar(slot, type, text);
}

int tree_put_copy(struct value *root, const struct value *from, ...)
{
	struct value *slot = root;
	va_list keys;

	va_start(keys, from);
	int rc = slot_walk(&slot, keys);
	va_end(keys);
	return rc < 0 ? rc : tree_copy(from, slot);
}

struct value *tree_append(struct value *root, enum value_type type, const char *text, ...)
{
	struct value *slot = root;
	va_list keys;

	va_start(keys, text);
	int rc = slot_walk(&slot, keys);
	va_end(keys);
	if (rc == 0 && slot->type == VALUE_NULL)
		slot->type = VALUE_ARRAY;
	if (rc < 0 || slot->type != VALUE_ARRAY)
		return NULL;
	slot = slot_add(slot, NULL);
	return slot && slot_scalar(slot, type, text) == 0 ? slot : NULL;
}

static void member_remove(struct value *object, const char *key)
{
	for (size_t i = 0; i < object->n; i++) {
		if (!str_equal(object->keys[i], key))
			continue;
		free(object->keys[i]);
		value_done(&object->items[i]);
		memmove(&object->keys[i], &object->keys[i + 1], (object->n - i - 1) * sizeof(*object->keys));
		memmove(&object->items[i], &object->items[i + 1], (object->n - i - 1) * sizeof(*object->items));
		object->n--;
		return;
	}
}

int tree_merge(struct value *into, const struct value *from)
{
	int rc = 0;

	if (from->type != VALUE_OBJECT || into->type != VALUE_OBJECT)
		return tree_copy(from, into);
	for (size_t i = 0; i < from->n && rc == 0; i++) {
		struct value *slot = slot_find(into, from->keys[i]);
		if (from->items[i].type == VALUE_NULL) {
			member_remove(into, from->keys[i]);
			continue;
		}
		if (!slot)
			slot = slot_add(into, from->keys[i]);
		rc = slot ? tree_merge(slot, &from->items[i]) : -ENOMEM;
	}
	return rc;
}

const struct value *tree_find(const struct value *root, const char *dotted)
{
	while (root && *dotted) {
		size_t n = strcspn(dotted, ".");
		AUTO_FREE char *key = strndup(dotted, n);
		root = key ? value_find(root, key) : NULL;
		dotted += n + (dotted[n] == '.');
	}
	return root;
}

int tree_put_dotted(struct value *root, enum value_type type, const char *text, const char *dotted)
{
	struct value *slot = root;
	int rc = 0;

	while (*dotted && rc == 0) {
		size_t n = strcspn(dotted, ".");
		AUTO_FREE char *key = strndup(dotted, n);
		rc = key ? slot_child(&slot, key) : -ENOMEM;
		dotted += n + (dotted[n] == '.');
	}
	return rc < 0 ? rc : slot_scalar(slot, type, text);
}

const char *tree_scalar(const struct value *value)
{
	if (!value || value->type == VALUE_NULL || value->type == VALUE_ARRAY || value->type == VALUE_OBJECT)
		return NULL;
	return value->text;
}

// ---- writing

static bool is_word_of(const char *text, const char *const words[])
{
	for (size_t i = 0; words[i]; i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	return false;
}

// Nothing that any YAML takes for something else than this text.
static bool plain_safe(const char *text)
{
	static const char *const words[] = { "true", "false", "yes", "no", "on", "off", "y", "n", "null", NULL };
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char others[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@-:";
	size_t n = strlen(text);

	return n > 0 && strchr(letters, *text) && strspn(text, others) == n && text[n - 1] != ':' &&
	       !is_word_of(text, words);
}

// Can @text stand as a literal block ("|")? Several lines, the last one ended, no blanks at the ends of lines.
static bool block_safe(const char *text)
{
	size_t n = strlen(text);

	if (n < 2 || text[n - 1] != '\n' || text[n - 2] == '\n' || *text == ' ' || *text == '\n')
		return false;
	for (size_t at = 0, length; at < n; at += length) {
		uint32_t code;
		length = utf8_sequence(text + at, n - at, &code);
		if (length == 0 || (code != '\n' && !yaml_char_plain(code)) || (code == ' ' && text[at + 1] == '\n'))
			return false;
	}
	return true;
}

static void quoted_out(FILE *to, const char *text)
{
	struct json_out out = { 0 };

	json_out_string(&out, text);
	AUTO_FREE char *quoted = json_out_take(&out);
	fputs(quoted ? quoted : "\"\"", to);
}

static void block_out(FILE *to, const char *text, int indent)
{
	fputs("|\n", to);
	while (*text) {
		size_t n = strcspn(text, "\n");
		if (n)
			fprintf(to, "%*s%.*s", indent, "", (int)n, text);
		fputc('\n', to);
		text += n + 1;
	}
}

static void text_out(FILE *to, const struct value *value, int indent)
{
	static const char *const yes[] = { "yes", "on", NULL }, *const no[] = { "no", "off", NULL };

	if (value->plain && !value->quoted && (is_word_of(value->text, yes) || is_word_of(value->text, no)))
		fprintf(to, "%s\n", is_word_of(value->text, yes) ? "true" : "false");
	else if (plain_safe(value->text))
		fprintf(to, "%s\n", value->text);
	else if (block_safe(value->text))
		block_out(to, value->text, indent);
	else {
		quoted_out(to, value->text);
		fputc('\n', to);
	}
}

// Behind "key:" or "-": what fits goes on that line, the rest below, @indent deep.
static void value_out(FILE *to, const struct value *value, int indent, bool in_list)
{
	switch (value->type) {
	case VALUE_NULL:
		fputs(" null\n", to);
		return;
	case VALUE_BOOL:
		fprintf(to, " %s\n", value->boolean ? "true" : "false");
		return;
	case VALUE_NUMBER:
		fprintf(to, " %s\n", value->text);
		return;
	case VALUE_STRING:
		fputc(' ', to);
		text_out(to, value, indent);
		return;
	case VALUE_ARRAY:
	case VALUE_OBJECT:
		break;
	}
	if (value->n == 0) {
		fputs(value->type == VALUE_ARRAY ? " []\n" : " {}\n", to);
		return;
	}
	if (!in_list && indent >= 0)
		fputc('\n', to);
	for (size_t i = 0; i < value->n; i++) {
		if (in_list && i == 0)
			fputc(' ', to);
		else
			fprintf(to, "%*s", indent < 0 ? 0 : indent, "");
		if (value->type == VALUE_ARRAY)
			fputc('-', to);
		else if (plain_safe(value->keys[i]))
			fprintf(to, "%s:", value->keys[i]);
		else {
			quoted_out(to, value->keys[i]);
			fputc(':', to);
		}
		value_out(to, &value->items[i], (indent < 0 ? 0 : indent) + 2, value->type == VALUE_ARRAY);
	}
}

char *tree_to_yaml(const struct value *value)
{
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);

	if (!to)
		return NULL;
	value_out(to, value, -1, false);
	if (fclose(to) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
