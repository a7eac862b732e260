// JSON text to value: json-check.c has said yes, jsmn cuts it into tokens, here they become the tree.
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "base/file.h"
#include "base/json-check.h"
#include "base/utf8.h"
#include "base/value-build.h"

#include <errno.h>
#include <limits.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#define JSMN_STATIC
#define JSMN_PARENT_LINKS // linear time
#include <jsmn.h>
#pragma GCC diagnostic pop

// A cap on memory: a byte of "[1,1,..." costs many bytes of tree. A list of 5,000 Kubernetes nodes has about 1.5 million.
enum { MAX_TOKENS = 4 << 20 };

struct builder {
	const char *text;
	const jsmntok_t *tokens;
	size_t i;              // next token
	size_t at;             // offset that line and column belong to
	uint32_t line, column;
	struct diag *reterr;
};

static void move_to(struct builder *b, size_t at)
{
	for (; b->at < at; b->at++) {
		if (b->text[b->at] == '\n')
			b->line++, b->column = 1;
		else if (((uint8_t)b->text[b->at] & 0xc0) != 0x80)
			b->column++;
	}
}

static unsigned hex4(const char *text)
{
	unsigned unit = 0;

	for (int i = 0; i < 4; i++)
		unit = unit << 4 | (unsigned)(text[i] <= '9' ? text[i] - '0' : (text[i] | 0x20) - 'a' + 10);
	return unit;
}

// One escape that json_check() accepted; returns the bytes it takes after the backslash.
static size_t unescape(const char *text, char *ret, size_t *ret_n)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

	if (*text != 'u') {
		*ret = to[strchr(from, *text) - from];
		*ret_n = 1;
		return 1;
	}
	uint32_t code = hex4(text + 1);
	size_t length = 5;
	if (code >= 0xd800 && code <= 0xdbff) {
		code = 0x10000 + ((code - 0xd800) << 10) + (hex4(text + 7) - 0xdc00);
		length = 11;
	}
	*ret_n = utf8_encode(code, ret);
	return length;
}

// The text of a token, without its escapes when it is a string.
static char *token_text(const struct builder *b, const jsmntok_t *token)
{
	size_t n = (size_t)(token->end - token->start), n_out = 0;
	const char *from = b->text + token->start;
	char *text = malloc(n + 1);

	if (!text)
		return NULL;
	for (size_t i = 0; i < n;) {
		if (from[i] == '\\' && token->type == JSMN_STRING) {
			size_t n_bytes;
			i += 1 + unescape(from + i + 1, text + n_out, &n_bytes);
			n_out += n_bytes;
		} else {
			text[n_out++] = from[i++];
		}
	}
	text[n_out] = '\0';
	return text;
}

static int build(struct builder *b, struct value *ret);

static int refuse_repeated(struct builder *b, const struct value *object)
{
	ptrdiff_t i = value_repeated_key(object);
	char where[32];

	if (i == -1)
		return 0;
	if (i < 0)
		return -ENOMEM;
	(void)snprintf(where, sizeof(where), "%u:%u", object->items[i].key_line, object->items[i].key_column); // always fits
	return diag_set(b->reterr, -EINVAL, where, "JSON: an object must not repeat the key \"%s\"", object->keys[i]);
}

static int build_members(struct builder *b, size_t n, struct value *ret)
{
	int r;

	if (n == 0)
		return 0;
	ret->items = calloc(n, sizeof(*ret->items));
	if (ret->type == VALUE_OBJECT)
		ret->keys = calloc(n, sizeof(*ret->keys));
	if (!ret->items || (ret->type == VALUE_OBJECT && !ret->keys))
		return -ENOMEM;
	ret->n = n; // members not yet built are zero, which frees well
	for (size_t i = 0; i < n; i++) {
		if (ret->type == VALUE_OBJECT) {
			move_to(b, (size_t)b->tokens[b->i].start - 1); // its quote
			ret->items[i].key_line = b->line;
			ret->items[i].key_column = b->column;
			if (!(ret->keys[i] = token_text(b, &b->tokens[b->i++])))
				return -ENOMEM;
		}
		if ((r = build(b, &ret->items[i])) < 0)
			return r;
	}
	return ret->type == VALUE_OBJECT ? refuse_repeated(b, ret) : 0;
}

static int build(struct builder *b, struct value *ret)
{
	const jsmntok_t *token = &b->tokens[b->i++];
	char first = b->text[token->start];

	move_to(b, (size_t)token->start - (token->type == JSMN_STRING));
	ret->line = b->line;
	ret->column = b->column;
	if (token->type == JSMN_OBJECT || token->type == JSMN_ARRAY) {
		ret->type = token->type == JSMN_OBJECT ? VALUE_OBJECT : VALUE_ARRAY;
		return build_members(b, (size_t)token->size, ret);
	}
	ret->text = token_text(b, token);
	if (!ret->text)
		return -ENOMEM;
	if (token->type == JSMN_STRING) {
		ret->type = VALUE_STRING;
		ret->quoted = true;
	} else if (first == 't' || first == 'f') {
		ret->type = VALUE_BOOL;
		ret->boolean = first == 't';
	} else {
		ret->type = first == 'n' ? VALUE_NULL : VALUE_NUMBER;
	}
	return 0;
}

int json_parse(const char *text, size_t n_text, size_t max_bytes, struct value **ret, struct diag *reterr)
{
	size_t n_tokens;
	jsmn_parser parser;

	if (max_bytes == 0)
		max_bytes = JSON_MAX_BYTES;
	if (n_text > max_bytes || n_text > INT_MAX)
		return diag_set(reterr, -E2BIG, "", "JSON: must not be longer than %zu bytes, not %zu", max_bytes, n_text);
	int r = json_check(text, n_text, MAX_TOKENS, &n_tokens, reterr);
	if (r < 0)
		return r;
	AUTO_FREE jsmntok_t *tokens = calloc(n_tokens, sizeof(*tokens));
	CLEANUP(value_freep) struct value *value = calloc(1, sizeof(*value));
	if (!tokens || !value)
		return diag_set(reterr, -ENOMEM, "", "JSON: no memory");
	jsmn_init(&parser);
	if (jsmn_parse(&parser, text, n_text, tokens, (unsigned)n_tokens) != (int)n_tokens)
		return diag_set(reterr, -EINVAL, "", "JSON: the tokeniser and the grammar check disagree");
	struct builder b = { .text = text, .tokens = tokens, .line = 1, .column = 1, .reterr = reterr };
	r = build(&b, value);
	if (r == -ENOMEM)
		return diag_set(reterr, r, "", "JSON: no memory");
	if (r < 0)
		return r;
	*ret = TAKE_PTR(value);
	return 0;
}

int json_load(const char *path, size_t max_bytes, struct value **ret, struct diag *reterr)
{
	AUTO_FREE char *text = NULL;
	size_t n;
	int r = file_read(path, max_bytes ? max_bytes : JSON_MAX_BYTES, &text, &n, reterr);

	if (r < 0)
		return r;
	r = json_parse(text, n, max_bytes, ret, reterr);
	if (r < 0)
		diag_prefix(reterr, path);
	return r;
}
