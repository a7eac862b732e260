// YAML text to value by libfyaml's event parser (its document API costs several times the memory). What the events mean
// for Hearth is decided here: plain scalars get JSON's types, aliases become copies within a limit, the rest is refused.
// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"
#include "base/file.h"
#include "base/utf8.h"
#include "base/value-build.h"
#include "base/yaml-quoted.h"

#include <errno.h>
#include <libfyaml.h>
#include <strings.h>

// Values in all, and anchors: caps on memory ("a: &a [..], b: &b [*a, *a], ..." grows without end).
enum { MAX_VALUES = 1 << 20, MAX_ANCHORS = 256 };

struct frame { // an object or array under construction
	struct value value;
	size_t n_alloc;
	char *key;    // object: the key whose value comes next
	char *anchor; // NULL: none
};
struct anchor {
	char *name;
	struct value value; // a copy of its own: the tree moves while it grows
};
struct builder {
	const char *name;
	const char *input;
	size_t n_input;
	struct fy_diag *fy_diag;
	struct fy_parser *parser;
	size_t n_frames, n_values, n_anchors;
	struct frame frames[YAML_MAX_DEPTH];
	struct anchor anchors[MAX_ANCHORS];
	struct value *document; // the finished one
	struct diag *reterr;
};

static struct builder *builder_free(struct builder *b)
{
	for (size_t i = 0; i < b->n_frames; i++) {
		value_done(&b->frames[i].value);
		free(b->frames[i].key);
		free(b->frames[i].anchor);
	}
	for (size_t i = 0; i < b->n_anchors; i++) {
		free(b->anchors[i].name);
		value_done(&b->anchors[i].value);
	}
	value_free(b->document);
	if (b->parser)
		fy_parser_destroy(b->parser);
	if (b->fy_diag)
		fy_diag_destroy(b->fy_diag);
	free(b);
	return NULL;
}
DEFINE_CLEANUP(builder)

static int refuse_at(struct builder *b, uint32_t line, uint32_t column, const char *rule)
{
	AUTO_FREE char *where = str_format("%s:%u:%u", b->name, line, column);

	return diag_set(b->reterr, -EINVAL, where, "%s", rule);
}

static bool is_quoted(struct fy_token *scalar)
{
	return scalar && fy_scalar_token_get_style(scalar) != FYSS_PLAIN;
}

// From 1. libfyaml counts from 0 and points behind a quote and behind the * of an alias.
static void get_position(struct fy_event *event, uint32_t *ret_line, uint32_t *ret_column)
{
	const struct fy_mark *mark = fy_event_start_mark(event);
	struct fy_token *scalar = event->type == FYET_SCALAR ? event->scalar.value : NULL;
	enum fy_scalar_style style = scalar ? fy_scalar_token_get_style(scalar) : FYSS_ANY;
	bool behind = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED || event->type == FYET_ALIAS;

	*ret_line = mark ? (uint32_t)mark->line + 1 : 1;
	*ret_column = mark ? (uint32_t)mark->column + 1 : 1;
	if (behind && *ret_column > 1)
		--*ret_column;
}

static int refuse(struct builder *b, struct fy_event *event, const char *rule)
{
	uint32_t line, column;

	get_position(event, &line, &column);
	return refuse_at(b, line, column, rule);
}

// JSON's number grammar; the text is NUL-terminated.
static bool is_number(const char *text)
{
	const char *p = text + (*text == '-');
	size_t n = strspn(p, "0123456789");

	if (n == 0 || (n > 1 && *p == '0'))
		return false;
	p += n;
	if (*p == '.') {
		n = strspn(++p, "0123456789");
		if (n == 0)
			return false;
		p += n;
	}
	if (*p == 'e' || *p == 'E') {
		p++;
		p += *p == '+' || *p == '-';
		n = strspn(p, "0123456789");
		if (n == 0)
			return false;
		p += n;
	}
	return *p == '\0';
}

// In any case. The first letter decides for nearly all of a document's many thousand scalars.
static bool is_word(const char *text, const char *word)
{
	return (*text | 0x20) == *word && strcasecmp(text, word) == 0;
}

static void set_plain_type(struct value *value)
{
	const char *text = value->text;

	value->plain = true;
	value->type = VALUE_STRING;
	if (*text == '\0' || strcmp(text, "~") == 0 || is_word(text, "null")) {
		value->type = VALUE_NULL;
	} else if (is_word(text, "true") || is_word(text, "false")) {
		value->type = VALUE_BOOL;
		value->boolean = (*text | 0x20) == 't';
	} else if (is_number(text)) {
		value->type = VALUE_NUMBER;
	}
}

static char *token_text(struct fy_token *token)
{
	size_t n = 0;
	const char *text = token ? fy_token_get_text(token, &n) : "";

	if (!text || memchr(text, '\0', n)) // "\0" in double quotes; a C string would end there
		return NULL;
	return strndup(text, n);
}

static int copy_value(struct builder *b, const struct value *from, struct value *ret)
{
	int r;

	if (++b->n_values > MAX_VALUES)
		return -E2BIG;
	*ret = *from;
	ret->n = 0;
	ret->items = NULL;
	ret->keys = NULL;
	ret->text = NULL;
	if (from->text && !(ret->text = strdup(from->text)))
		return -ENOMEM;
	if (from->n == 0)
		return 0;
	ret->items = calloc(from->n, sizeof(*ret->items));
	if (from->keys)
		ret->keys = calloc(from->n, sizeof(*ret->keys));
	if (!ret->items || (from->keys && !ret->keys))
		return -ENOMEM;
	ret->n = from->n;
	for (size_t i = 0; i < from->n; i++) {
		if (from->keys && !(ret->keys[i] = strdup(from->keys[i])))
			return -ENOMEM;
		if ((r = copy_value(b, &from->items[i], &ret->items[i])) < 0)
			return r;
	}
	return 0;
}

static int remember_anchor(struct builder *b, char *name_take, const struct value *value)
{
	AUTO_FREE char *name = name_take;
	struct anchor *anchor = NULL;

	for (size_t i = 0; i < b->n_anchors && !anchor; i++)
		if (strcmp(b->anchors[i].name, name) == 0)
			anchor = &b->anchors[i]; // YAML: the latest one counts
	if (anchor) {
		value_done(&anchor->value);
		anchor->value = (struct value){ 0 };
	} else if (b->n_anchors == MAX_ANCHORS) {
		return refuse_at(b, value->line, value->column, "there must not be more than 256 anchors");
	} else {
		anchor = &b->anchors[b->n_anchors++];
		*anchor = (struct anchor){ .name = TAKE_PTR(name) };
	}
	return copy_value(b, value, &anchor->value);
}

// Put a finished value where it belongs. *value_take is empty afterwards, also after failure.
static int attach(struct builder *b, struct value *value_take)
{
	if (b->n_frames == 0) {
		b->document = malloc(sizeof(*b->document));
		if (!b->document) {
			value_done(value_take);
			return -ENOMEM;
		}
		*b->document = *value_take;
		return 0;
	}
	struct frame *frame = &b->frames[b->n_frames - 1];
	struct value *parent = &frame->value;
	if (parent->n == frame->n_alloc) {
		size_t n_alloc = frame->n_alloc ? frame->n_alloc * 2 : 4;
		struct value *items = realloc(parent->items, n_alloc * sizeof(*items));
		if (items)
			parent->items = items;
		char **keys = NULL;
		if (items && parent->type == VALUE_OBJECT) {
			keys = realloc(parent->keys, n_alloc * sizeof(*keys));
			if (keys)
				parent->keys = keys;
		}
		if (!items || (parent->type == VALUE_OBJECT && !keys)) {
			value_done(value_take);
			return -ENOMEM;
		}
		frame->n_alloc = n_alloc;
	}
	if (parent->type == VALUE_OBJECT)
		parent->keys[parent->n] = TAKE_PTR(frame->key);
	parent->items[parent->n++] = *value_take;
	return 0;
}

static bool wants_key(const struct builder *b)
{
	return b->n_frames > 0 && b->frames[b->n_frames - 1].value.type == VALUE_OBJECT &&
		!b->frames[b->n_frames - 1].key;
}

// NULL: it holds U+0000, or there is no memory; libfyaml has refused wrong escapes.
static char *scalar_text(const struct builder *b, struct fy_token *token)
{
	enum fy_scalar_style style = token ? fy_scalar_token_get_style(token) : FYSS_PLAIN;
	const struct fy_mark *start, *end;
	AUTO_FREE char *text = NULL;
	size_t n = 0;

	if (style != FYSS_SINGLE_QUOTED && style != FYSS_DOUBLE_QUOTED)
		return token_text(token);
	start = fy_token_start_mark(token); // behind the first quote, and the last one
	end = fy_token_end_mark(token);
	if (!start || !end || start->input_pos > end->input_pos || end->input_pos > b->n_input)
		return token_text(token);
	if (yaml_unquote(b->input + start->input_pos, end->input_pos - start->input_pos, style == FYSS_DOUBLE_QUOTED, &text, &n) < 0 ||
		memchr(text, '\0', n))
		return NULL;
	return TAKE_PTR(text);
}

static int on_scalar(struct builder *b, struct fy_event *event)
{
	struct value value = { 0 };
	int r;

	if (event->scalar.tag)
		return refuse(b, event, "tags (!x) are not supported");
	AUTO_FREE char *text = scalar_text(b, event->scalar.value);
	if (!text)
		return refuse(b, event, "a text must not contain U+0000");
	if (wants_key(b)) {
		if (event->scalar.anchor)
			return refuse(b, event, "a key must not have an anchor");
		b->frames[b->n_frames - 1].key = TAKE_PTR(text);
		return 0;
	}
	get_position(event, &value.line, &value.column);
	value.text = TAKE_PTR(text);
	if (is_quoted(event->scalar.value)) {
		value.type = VALUE_STRING;
		value.quoted = true;
	} else {
		set_plain_type(&value);
	}
	if (event->scalar.anchor) {
		char *name = token_text(event->scalar.anchor);
		r = name ? remember_anchor(b, name, &value) : -ENOMEM;
		if (r < 0) {
			value_done(&value);
			return r;
		}
	}
	return attach(b, &value);
}

static int on_begin(struct builder *b, struct fy_event *event, enum value_type type, struct fy_token *anchor,
	struct fy_token *tag)
{
	if (tag)
		return refuse(b, event, "tags (!x) are not supported");
	if (wants_key(b))
		return refuse(b, event, "a key must be a single word or text");
	if (b->n_frames == YAML_MAX_DEPTH)
		return refuse(b, event, "objects and lists must not be nested deeper than 64");
	struct frame *frame = &b->frames[b->n_frames++];
	*frame = (struct frame){ .value.type = type };
	get_position(event, &frame->value.line, &frame->value.column);
	if (anchor && !(frame->anchor = token_text(anchor)))
		return -ENOMEM;
	return 0;
}

static int on_end(struct builder *b)
{
	struct frame *frame = &b->frames[b->n_frames - 1];
	int r;

	if (frame->value.type == VALUE_OBJECT) {
		ptrdiff_t i = value_repeated_key(&frame->value);
		if (i == -2)
			return -ENOMEM;
		if (i >= 0) {
			const struct value *item = &frame->value.items[i];
			AUTO_FREE char *rule = str_format("the key \"%s\" must not be repeated", frame->value.keys[i]);
			return rule ? refuse_at(b, item->line, item->column, rule) : -ENOMEM;
		}
	}
	if (frame->anchor && (r = remember_anchor(b, TAKE_PTR(frame->anchor), &frame->value)) < 0)
		return r;
	struct value value = frame->value;
	b->n_frames--;
	return attach(b, &value);
}

static int on_alias(struct builder *b, struct fy_event *event)
{
	AUTO_FREE char *name = token_text(event->alias.anchor);

	if (wants_key(b))
		return refuse(b, event, "a key must not be an alias");
	for (size_t i = 0; name && i < b->n_anchors; i++) {
		if (strcmp(b->anchors[i].name, name) != 0)
			continue;
		struct value value = { 0 };
		int r = copy_value(b, &b->anchors[i].value, &value);
		if (r < 0) {
			value_done(&value);
			return r;
		}
		return attach(b, &value);
	}
	return refuse(b, event, "an alias must name a finished anchor before it");
}

static int on_event(struct builder *b, struct fy_event *event)
{
	if (event->type != FYET_ALIAS && ++b->n_values > MAX_VALUES)
		return -E2BIG;
	switch (event->type) {
	case FYET_DOCUMENT_START:
		if (b->document)
			return refuse(b, event, "there must be only one document in the file");
		return 0;
	case FYET_SCALAR:
		return on_scalar(b, event);
	case FYET_SEQUENCE_START:
		return on_begin(b, event, VALUE_ARRAY, event->sequence_start.anchor, event->sequence_start.tag);
	case FYET_MAPPING_START:
		return on_begin(b, event, VALUE_OBJECT, event->mapping_start.anchor, event->mapping_start.tag);
	case FYET_SEQUENCE_END:
	case FYET_MAPPING_END:
		return on_end(b);
	case FYET_ALIAS:
		return on_alias(b, event);
	case FYET_NONE:
	case FYET_STREAM_START:
	case FYET_STREAM_END:
	case FYET_DOCUMENT_END:
		return 0;
	}
	return 0;
}

static int refuse_syntax(struct builder *b)
{
	void *iterator = NULL;
	const struct fy_diag_error *error = fy_diag_errors_iterate(b->fy_diag, &iterator);

	if (!error || !error->msg)
		return diag_set(b->reterr, -EINVAL, b->name, "is not valid YAML");
	AUTO_FREE char *where = str_format("%s:%d:%d", b->name, error->line, error->column);
	size_t n = strcspn(error->msg, "\n");
	return diag_set(b->reterr, -EINVAL, where, "YAML: %.*s", (int)n, error->msg);
}

static int parse_events(struct builder *b, const char *text, size_t n_text)
{
	const struct fy_diag_cfg diag_config = { .level = FYET_ERROR, .module_mask = UINT32_MAX };
	// A closing bracket at the left edge is against the letter of YAML, but Kubernetes' and netplan's parsers take it.
	struct fy_parse_cfg config = { .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE |
			FYPCF_DEFAULT_VERSION_1_2 | FYPCF_SLOPPY_FLOW_INDENTATION };

	config.diag = b->fy_diag = fy_diag_create(&diag_config);
	if (!b->fy_diag)
		return -ENOMEM;
	fy_diag_set_collect_errors(b->fy_diag, true);
	b->parser = fy_parser_create(&config);
	if (!b->parser || fy_parser_set_string(b->parser, text, n_text) < 0)
		return -ENOMEM;
	for (;;) {
		struct fy_event *event = fy_parser_parse(b->parser);
		if (!event)
			return fy_parser_get_stream_error(b->parser) ? refuse_syntax(b) : 0;
		int r = on_event(b, event);
		fy_parser_event_free(b->parser, event);
		if (r < 0)
			return r;
	}
}

static int check_text(const char *text, size_t n_text, const char *name, struct diag *reterr)
{
	size_t at;

	if (memchr(text, '\0', n_text))
		return diag_set(reterr, -EINVAL, name, "must be text; it contains a NUL byte");
	if (utf8_valid(text, n_text, &at))
		return 0;
	uint32_t line = 1;
	for (size_t i = 0; i < at; i++)
		line += text[i] == '\n';
	AUTO_FREE char *where = str_format("%s:%u", name, line);
	return diag_set(reterr, -EINVAL, where, "must be valid UTF-8, not byte 0x%02x", (uint8_t)text[at]);
}

int yaml_parse(const char *text, size_t n_text, size_t max_bytes, const char *name, struct value **ret,
	struct diag *reterr)
{
	if (max_bytes == 0)
		max_bytes = YAML_MAX_BYTES;
	if (n_text > max_bytes)
		return diag_set(reterr, -E2BIG, name, "must not be longer than %zu bytes, not %zu", max_bytes, n_text);
	int r = check_text(text, n_text, name, reterr);
	if (r < 0)
		return r;
	CLEANUP(builder_freep) struct builder *b = calloc(1, sizeof(*b));
	if (!b)
		return diag_set(reterr, -ENOMEM, name, "no memory");
	b->name = name;
	b->input = text;
	b->n_input = n_text;
	b->reterr = reterr;
	r = parse_events(b, text, n_text);
	if (r == -ENOMEM)
		return diag_set(reterr, r, name, "no memory");
	if (r == -E2BIG)
		return diag_set(reterr, r, name, "there must not be more than %d values, aliases resolved", MAX_VALUES);
	if (r < 0)
		return r;
	if (!b->document || b->document->type == VALUE_NULL) { // an empty file
		value_free(b->document);
		b->document = calloc(1, sizeof(*b->document));
		if (!b->document)
			return diag_set(reterr, -ENOMEM, name, "no memory");
		b->document->type = VALUE_OBJECT;
		b->document->line = b->document->column = 1;
	}
	*ret = TAKE_PTR(b->document);
	return 0;
}

int yaml_load(const char *path, size_t max_bytes, struct value **ret, struct diag *reterr)
{
	AUTO_FREE char *text = NULL;
	size_t n;
	int r = file_read(path, max_bytes ? max_bytes : YAML_MAX_BYTES, &text, &n, reterr);

	return r < 0 ? r : yaml_parse(text, n, max_bytes, path, ret, reterr);
}
