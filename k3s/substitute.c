// The substitution language: a recursive descent over the text, evaluated while it is read. Two differences to Flux:
// names and case mapping are ASCII, and comments are seen too (Flux substitutes after kustomize has dropped them).
// SPDX-License-Identifier: Apache-2.0
#include "k3s/substitute.h"
#include "base/manifest.h"
#include "base/yaml.h"
#include "k3s/glob.h"
#include <errno.h>
#include <limits.h>

#define SWITCH_KEY "kustomize.toolkit.fluxcd.io/substitute"

enum { MAX_NESTING = 16 };

struct buffer {
	char *text;
	size_t n, n_alloc;
};

struct reader {
	const char *text;
	size_t n, at;
	const struct value *variables;
	struct diag *reterr;
	unsigned nesting;
};

static int buffer_add(struct buffer *buffer, const char *text, size_t n)
{
	if (buffer->n + n + 1 > buffer->n_alloc) {
		size_t size = (buffer->n + n + 1) * 2;
		char *grown;

		if (buffer->n + n > SUBSTITUTE_MAX_BYTES)
			return -E2BIG;
		grown = realloc(buffer->text, size);
		if (!grown)
			return -ENOMEM;
		buffer->text = grown;
		buffer->n_alloc = size;
	}
	memcpy(buffer->text + buffer->n, text, n);
	buffer->n += n;
	buffer->text[buffer->n] = '\0';
	return 0;
}

static const char *buffer_text(const struct buffer *buffer)
{
	return buffer->text ? buffer->text : "";
}

static void buffer_done(struct buffer *buffer)
{
	free(buffer->text);
	*buffer = (struct buffer){0};
}
#define AUTO_BUFFER CLEANUP(buffer_done)

static int bad(const struct reader *reader, const char *rule)
{
	size_t line = 1;
	char where[32];

	for (size_t i = 0; i < reader->at && i < reader->n; i++)
		line += reader->text[i] == '\n';
	snprintf(where, sizeof(where), "line %zu", line);
	return diag_set(reader->reterr, -EINVAL, where, "substitution: %s", rule);
}

static char peek(const struct reader *reader, size_t ahead)
{
	return reader->at + ahead < reader->n ? reader->text[reader->at + ahead] : '\0';
}

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// The variable's value without newlines, "" when it is not defined.
static int variable_add(const struct reader *reader, const char *name, size_t n_name, struct buffer *out)
{
	char *key AUTO_FREE = strndup(name, n_name);
	const struct value *value;
	const char *text = NULL;
	int r = 0;

	if (!key)
		return -ENOMEM;
	value = value_find(reader->variables, key);
	if (value && value->type != VALUE_NULL)
		text = value->text; // a number or bool as it was written
	while (text && *text && r == 0) {
		size_t n = strcspn(text, "\n");

		r = buffer_add(out, text, n);
		text += n + (text[n] == '\n');
	}
	return r;
}

static int expression(struct reader *reader, struct buffer *out);

enum stop { STOP_BRACE, STOP_COLON, STOP_SLASH };

static bool stops(char c, enum stop stop)
{
	switch (stop) {
	case STOP_BRACE:
		return c == '}';
	case STOP_COLON:
		return c == ':' || c == '}';
	case STOP_SLASH:
		return c == '/';
	}
	return true;
}

// One argument: a nested ${...}, or text up to @stop or the next ${. With @escapes also \/ \\ and $$.
static int argument(struct reader *reader, enum stop stop, bool escapes, struct buffer *out)
{
	size_t begin = reader->at;
	int r;

	if (peek(reader, 0) == '$' && peek(reader, 1) == '{') {
		reader->at += 2;
		return expression(reader, out);
	}
	while (reader->at < reader->n) {
		char c = peek(reader, 0), next = peek(reader, 1);

		if (c == '$' && next == '{')
			break;
		if (escapes && ((c == '$' && next == '$') || (c == '\\' && (next == '/' || next == '\\')))) {
			reader->at++;
			c = next;
		} else if (stops(c, stop)) {
			break;
		}
		r = buffer_add(out, &c, 1);
		if (r < 0)
			return r;
		reader->at++;
	}
	return reader->at > begin ? 0 : bad(reader, "an argument is missing");
}

static int close_brace(struct reader *reader)
{
	if (peek(reader, 0) != '}')
		return bad(reader, "the closing } is missing");
	reader->at++;
	return 0;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

// ${var,} ${var,,} ${var^} ${var^^}
static int casing(struct reader *reader, struct buffer *value, struct buffer *out)
{
	char first = peek(reader, 0), second = peek(reader, 1);
	bool both = second == ',' || second == '^';

	reader->at += both ? 2 : 1;
	if (!both || first == second)
		for (size_t i = 0; i < value->n && (both || i == 0); i++)
			value->text[i] = first == ',' ? lower(value->text[i]) : upper(value->text[i]);
	if (close_brace(reader) < 0)
		return -EINVAL;
	return buffer_add(out, buffer_text(value), value->n);
}

// ${var:=word} ${var:-word} ${var:?word} ${var:+word} ${var=word}: all mean "word when var is empty", as in Flux.
static int defaulting(struct reader *reader, const struct buffer *value, struct buffer *out)
{
	struct buffer word AUTO_BUFFER = {0};
	int r;

	reader->at += peek(reader, 0) == ':' ? 2 : 1;
	while (peek(reader, 0) != '}') {
		if (reader->at >= reader->n)
			return bad(reader, "the closing } is missing");
		r = argument(reader, STOP_BRACE, false, &word);
		if (r < 0)
			return r;
	}
	reader->at++;
	if (value->n > 0)
		return buffer_add(out, value->text, value->n);
	return buffer_add(out, buffer_text(&word), word.n);
}

static bool parse_int(const char *text, int64_t *ret)
{
	const char *digits = text + (*text == '-' || *text == '+');
	char *end;

	if (*digits < '0' || *digits > '9')
		return false;
	errno = 0;
	*ret = strtoll(text, &end, 10);
	return errno == 0 && !*end && *ret > -INT_MAX && *ret < INT_MAX;
}

// ${var:position} ${var:position:length}
static int substring(struct reader *reader, const struct buffer *value, struct buffer *out)
{
	struct buffer position AUTO_BUFFER = {0}, length AUTO_BUFFER = {0};
	int64_t size = (int64_t)value->n, from, count = size, to;
	bool has_length;
	int r;

	reader->at++;
	r = argument(reader, STOP_COLON, false, &position);
	if (r < 0)
		return r;
	has_length = peek(reader, 0) == ':';
	if (has_length) {
		while (peek(reader, 0) == ':')
			reader->at++;
		r = argument(reader, STOP_BRACE, false, &length);
		if (r < 0)
			return r;
	}
	r = close_brace(reader);
	if (r < 0)
		return r;
	if (!parse_int(buffer_text(&position), &from) ||
		(has_length && !parse_int(buffer_text(&length), &count)))
		return buffer_add(out, buffer_text(value), value->n);
	if (from < 0)
		from = size + from < 0 ? 0 : size + from;
	to = !has_length ? size : count < 0 ? size + count : from + count;
	if (to > size)
		to = size;
	if (from >= size || to <= from)
		return 0;
	return buffer_add(out, value->text + from, (size_t)(to - from));
}

static size_t utf8_length(const char *text, size_t n)
{
	unsigned char c = (unsigned char)*text;
	size_t want = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	return want < n ? want : n;
}

// Replace @old by @new at most @times; an empty @old matches before every character and at the end.
static int replace(const struct buffer *value, const struct buffer *old, const struct buffer *new, size_t times,
	struct buffer *out)
{
	const char *text = buffer_text(value);
	size_t at = 0;
	int r = 0;

	for (; times > 0 && r == 0; times--) {
		const char *hit = old->n ? memmem(text + at, value->n - at, old->text, old->n) : text + at;
		size_t n_copy = old->n ? 0 : utf8_length(text + at, value->n - at);

		if (!hit)
			break;
		r = buffer_add(out, text + at, (size_t)(hit - text) - at);
		if (r == 0)
			r = buffer_add(out, buffer_text(new), new->n);
		at = (size_t)(hit - text) + old->n;
		if (old->n == 0) {
			if (at >= value->n)
				return r;
			if (r == 0)
				r = buffer_add(out, text + at, n_copy);
			at += n_copy;
		}
	}
	return r < 0 ? r : buffer_add(out, text + at, value->n - at);
}

// ${var/old/new} ${var//old/new} ${var/#old/new} ${var/%old/new}
static int replacing(struct reader *reader, const struct buffer *value, struct buffer *out)
{
	struct buffer old AUTO_BUFFER = {0}, new AUTO_BUFFER = {0};
	char mode = peek(reader, 1);
	bool special = mode == '/' || mode == '#' || mode == '%', has_new;
	const char *text = buffer_text(value);
	int r;

	reader->at += special ? 2 : 1;
	if (peek(reader, 0) != '/') {
		r = argument(reader, STOP_SLASH, true, &old);
		if (r < 0)
			return r;
	}
	if (peek(reader, 0) != '/')
		return bad(reader, "the second / of a replacement is missing");
	while (peek(reader, 0) == '/')
		reader->at++;
	has_new = peek(reader, 0) != '}';
	if (has_new) {
		r = argument(reader, STOP_BRACE, true, &new);
		if (r < 0)
			return r;
	}
	r = close_brace(reader);
	if (r < 0)
		return r;
	if (!special)
		return replace(value, &old, &new, 1, out);
	if (mode == '/')
		return replace(value, &old, &new, SIZE_MAX, out);
	if (!has_new || old.n > value->n)
		return buffer_add(out, text, value->n);
	if (mode == '#') {
		if (memcmp(text, buffer_text(&old), old.n) != 0)
			return buffer_add(out, text, value->n);
		return replace(value, &old, &new, 1, out);
	}
	if (memcmp(text + value->n - old.n, buffer_text(&old), old.n) != 0)
		return buffer_add(out, text, value->n);
	r = buffer_add(out, text, value->n - old.n);
	return r < 0 ? r : buffer_add(out, buffer_text(&new), new.n);
}

// ${var#pattern} ${var##pattern} ${var%pattern} ${var%%pattern}
static int trimming(struct reader *reader, const struct buffer *value, struct buffer *out)
{
	struct buffer pattern AUTO_BUFFER = {0};
	const char *text = buffer_text(value);
	char mode = peek(reader, 0);
	bool longest = peek(reader, 1) == mode;
	size_t n = value->n;
	int r;

	reader->at += longest ? 2 : 1;
	r = argument(reader, STOP_BRACE, false, &pattern);
	if (r == 0)
		r = close_brace(reader);
	if (r < 0)
		return r;
	for (size_t i = 1; i <= n; i++) {
		size_t cut = longest ? n + 1 - i : i;
		int hit = glob_match(pattern.text, pattern.n, mode == '#' ? text : text + n - cut, cut);

		if (hit < 0)
			break; // a bad pattern leaves the value alone
		if (hit)
			return buffer_add(out, mode == '#' ? text + cut : text, n - cut);
	}
	return buffer_add(out, text, n);
}

// Behind "${": everything up to the matching "}".
static int expression_inner(struct reader *reader, struct buffer *out)
{
	struct buffer value AUTO_BUFFER = {0};
	bool length = peek(reader, 0) == '#';
	size_t begin;
	char number[32], next;
	int r;

	reader->at += length;
	begin = reader->at;
	while (reader->at < reader->n && is_name(peek(reader, 0)))
		reader->at++;
	if (reader->at == begin)
		return bad(reader, "${ needs a variable name (write $${ for a literal ${)");
	r = variable_add(reader, reader->text + begin, reader->at - begin, &value);
	if (r < 0)
		return r;
	if (length) {
		r = close_brace(reader);
		snprintf(number, sizeof(number), "%zu", value.n);
		return r < 0 ? r : buffer_add(out, number, strlen(number));
	}
	next = peek(reader, 1);
	switch (peek(reader, 0)) {
	case ':':
		if (next == '=' || next == '-' || next == '?' || next == '+')
			return defaulting(reader, &value, out);
		return substring(reader, &value, out);
	case '=':
		return defaulting(reader, &value, out);
	case ',':
	case '^':
		return casing(reader, &value, out);
	case '/':
		return replacing(reader, &value, out);
	case '#':
	case '%':
		return trimming(reader, &value, out);
	default:
		r = close_brace(reader);
		return r < 0 ? r : buffer_add(out, buffer_text(&value), value.n);
	}
}

static int expression(struct reader *reader, struct buffer *out)
{
	int r;

	if (reader->nesting == MAX_NESTING)
		return bad(reader, "expressions are nested too deeply");
	reader->nesting++;
	r = expression_inner(reader, out);
	reader->nesting--;
	return r;
}

static int substitute(const char *text, size_t n, const struct value *variables, struct buffer *out,
	struct diag *reterr)
{
	struct reader reader = {.text = text, .n = n, .variables = variables, .reterr = reterr};
	int r = 0;

	while (reader.at < n && r == 0) {
		const char *dollar = memchr(text + reader.at, '$', n - reader.at);
		size_t n_plain = (dollar ? (size_t)(dollar - text) : n) - reader.at;

		r = buffer_add(out, text + reader.at, n_plain);
		reader.at += n_plain;
		if (!dollar || r < 0)
			break;
		if (peek(&reader, 1) == '{') {
			reader.at += 2;
			r = expression(&reader, out);
		} else {
			r = buffer_add(out, "$", 1);
			reader.at += peek(&reader, 1) == '$' ? 2 : 1;
		}
	}
	if (r == -E2BIG)
		return diag_set(reterr, r, "", "substitution: the text would be longer than %d bytes",
			SUBSTITUTE_MAX_BYTES);
	return r;
}

int substitute_text(const char *text, size_t n, const struct value *variables, char **ret, struct diag *reterr)
{
	struct buffer out AUTO_BUFFER = {0};
	int r = buffer_add(&out, "", 0);

	if (r == 0)
		r = substitute(text, n, variables, &out, reterr);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(out.text);
	return 0;
}

static bool switched_off(const struct value *document)
{
	static const char *const places[] = {"labels", "annotations"};

	for (size_t i = 0; i < N_ELEMENTS(places); i++)
		if (str_equal(value_text(value_find(value_path(document, "metadata", places[i], NULL), SWITCH_KEY)),
			    "disabled"))
			return true;
	return false;
}

int substitute_manifest(const char *text, size_t n, const char *name, const struct value *variables, char **ret,
	struct diag *reterr)
{
	struct buffer out AUTO_BUFFER = {0};
	size_t cursor = 0, copied = 0, n_document, number = 0;
	const char *document;
	int r = buffer_add(&out, "", 0);

	if (r < 0)
		return r;
	if (!variables || variables->type != VALUE_OBJECT || variables->n == 0) {
		r = buffer_add(&out, text, n);
		if (r == 0)
			*ret = TAKE_PTR(out.text);
		return r;
	}
	r = substitute_check_variables(variables, reterr);
	if (r < 0)
		return r;
	while (manifest_split(text, n, &cursor, &document, &n_document) > 0) {
		char *where AUTO_FREE = str_format("%s (document %zu)", name, ++number);
		struct value *value CLEANUP(value_freep) = NULL;
		size_t begin = (size_t)(document - text);

		if (!where)
			return -ENOMEM;
		r = yaml_parse(document, n_document, MANIFEST_MAX_BYTES, where, &value, reterr);
		if (r == 0)
			r = buffer_add(&out, text + copied, begin - copied);
		if (r < 0)
			return r;
		r = switched_off(value) ? buffer_add(&out, document, n_document)
					: substitute(document, n_document, variables, &out, reterr);
		if (r < 0) {
			diag_prefix(reterr, where);
			return r;
		}
		copied = begin + n_document;
	}
	*ret = TAKE_PTR(out.text);
	return 0;
}

int substitute_check_variables(const struct value *variables, struct diag *reterr)
{
	if (!variables || variables->type == VALUE_NULL)
		return 0;
	if (variables->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "variables", "must be an object of strings");
	for (size_t i = 0; i < variables->n; i++) {
		const char *name = variables->keys[i];
		size_t n = strlen(name), n_good = 0;

		while (n_good < n && is_name(name[n_good]))
			n_good++;
		if (n == 0 || n_good < n || (*name >= '0' && *name <= '9'))
			return diag_set(reterr, -EINVAL, "variables",
				"a name must match ^[_a-zA-Z][_a-zA-Z0-9]*$, not \"%s\"", name);
		if (variables->items[i].type == VALUE_ARRAY || variables->items[i].type == VALUE_OBJECT)
			return diag_set(reterr, -EINVAL, "variables", "%s must be a string", name);
	}
	return 0;
}
