// YAML text to value by libyaml's events (a document of its own would cost several times the memory). What the events mean
// for Hearth is decided here: plain scalars get JSON's types, aliases become copies within a limit, the rest is refused.
// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"
#include "base/file.h"
#include "base/json.h"
#include "base/value-build.h"
#include "base/yaml-text.h"

#include <errno.h>
#include <strings.h>
#include <yaml.h>

// Values in all, and anchors: caps on memory ("a: &a [..], b: &b [*a, *a], ..." grows without end).
enum { MAX_VALUES = 1 << 20, MAX_ANCHORS = 256 };

struct frame { // an object or array under construction
	struct value value;
	size_t n_alloc;
	char *key;    // object: the key whose value comes next
	uint32_t key_line, key_column;
	char *anchor; // NULL: none
};
struct anchor {
	char *name;
	struct value value; // a copy of its own: the tree moves while it grows
};
struct builder {
	const char *name;
	yaml_parser_t parser;
	size_t n_frames, n_values, n_anchors;
	struct frame frames[YAML_MAX_DEPTH];
	struct anchor anchors[MAX_ANCHORS];
	struct value *document; // the finished one
	struct diag json; // why the text is no JSON; nothing was said when it does not look like it
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
	yaml_parser_delete(&b->parser);
	free(b);
	return NULL;
}
DEFINE_CLEANUP(builder)

static int refuse_at(struct builder *b, uint32_t line, uint32_t column, const char *rule)
{
	AUTO_FREE char *where = str_format("%s:%u:%u", b->name, line, column);

	return diag_set(b->reterr, -EINVAL, where, "%s", rule);
}

static int refuse(struct builder *b, const yaml_event_t *event, const char *rule)
{
	return refuse_at(b, (uint32_t)event->start_mark.line + 1, (uint32_t)event->start_mark.column + 1, rule);
}

static void set_position(struct value *value, const yaml_event_t *event)
{
	value->line = (uint32_t)event->start_mark.line + 1; // libyaml counts from 0
	value->column = (uint32_t)event->start_mark.column + 1;
}

// How many digits; strspn() would first make a table of all bytes.
static size_t n_digits(const char *text)
{
	size_t n = 0;

	while (text[n] >= '0' && text[n] <= '9')
		n++;
	return n;
}

// JSON's number grammar; the text is NUL-terminated.
static bool is_number(const char *text)
{
	const char *p = text + (*text == '-');
	size_t n = n_digits(p);

	if (n == 0 || (n > 1 && *p == '0'))
		return false;
	p += n;
	if (*p == '.') {
		n = n_digits(++p);
		if (n == 0)
			return false;
		p += n;
	}
	if (*p == 'e' || *p == 'E') {
		p++;
		p += *p == '+' || *p == '-';
		n = n_digits(p);
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

static int remember_anchor(struct builder *b, const char *name, const struct value *value)
{
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
		anchor = &b->anchors[b->n_anchors];
		*anchor = (struct anchor){ .name = strdup(name) };
		if (!anchor->name)
			return -ENOMEM;
		b->n_anchors++;
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
	struct value *item = &parent->items[parent->n];
	*item = *value_take;
	item->key_line = frame->key_line; // 0 in an array
	item->key_column = frame->key_column;
	if (parent->type == VALUE_OBJECT)
		parent->keys[parent->n] = TAKE_PTR(frame->key);
	parent->n++;
	return 0;
}

static bool wants_key(const struct builder *b)
{
	return b->n_frames > 0 && b->frames[b->n_frames - 1].value.type == VALUE_OBJECT &&
		!b->frames[b->n_frames - 1].key;
}

static int on_scalar(struct builder *b, yaml_event_t *event)
{
	bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	const char *anchor = (const char *)event->data.scalar.anchor;
	char *text = (char *)event->data.scalar.value;
	size_t n = event->data.scalar.length;
	struct value value = { 0 };
	int r;

	if (event->data.scalar.tag || (is_plain && !event->data.scalar.plain_implicit)) // the latter: a lone "!"
		return refuse(b, event, "tags (!x) are not supported");
	if (memchr(text, '\0', n)) // "\0" in double quotes; a C string would end there
		return refuse(b, event, "a text must not contain U+0000");
	if (wants_key(b) && anchor)
		return refuse(b, event, "a key must not have an anchor");
	if (wants_key(b) && is_plain && strcmp(text, "<<") == 0) // YAML 1.1's readers merge, some of them in other orders
		return refuse(b, event, "merge keys (<<) are not supported; write the keys out");
	event->data.scalar.value = NULL; // taken: libyaml's allocator is malloc()
	if (wants_key(b)) {
		struct frame *frame = &b->frames[b->n_frames - 1];
		frame->key = text;
		frame->key_line = (uint32_t)event->start_mark.line + 1;
		frame->key_column = (uint32_t)event->start_mark.column + 1;
		return 0;
	}
	set_position(&value, event);
	value.text = text;
	if (is_plain) {
		set_plain_type(&value);
	} else {
		value.type = VALUE_STRING;
		value.quoted = true;
	}
	if (anchor && (r = remember_anchor(b, anchor, &value)) < 0) {
		value_done(&value);
		return r;
	}
	return attach(b, &value);
}

static int on_begin(struct builder *b, const yaml_event_t *event, enum value_type type, const yaml_char_t *anchor,
	const yaml_char_t *tag)
{
	if (tag)
		return refuse(b, event, "tags (!x) are not supported");
	if (wants_key(b))
		return refuse(b, event, "a key must be a single word or text");
	if (b->n_frames == YAML_MAX_DEPTH)
		return refuse(b, event, "objects and lists must not be nested deeper than 64");
	struct frame *frame = &b->frames[b->n_frames++];
	*frame = (struct frame){ .value.type = type };
	set_position(&frame->value, event);
	if (anchor && !(frame->anchor = strdup((const char *)anchor)))
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
			return rule ? refuse_at(b, item->key_line, item->key_column, rule) : -ENOMEM;
		}
	}
	if (frame->anchor && (r = remember_anchor(b, frame->anchor, &frame->value)) < 0)
		return r;
	free(frame->anchor);
	struct value value = frame->value;
	b->n_frames--;
	return attach(b, &value);
}

static int on_alias(struct builder *b, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;

	if (wants_key(b))
		return refuse(b, event, "a key must not be an alias");
	for (size_t i = 0; i < b->n_anchors; i++) {
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

static int on_event(struct builder *b, yaml_event_t *event)
{
	if (event->type != YAML_ALIAS_EVENT && ++b->n_values > MAX_VALUES)
		return -E2BIG;
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->document)
			return refuse(b, event, "there must be only one document in the file");
		return 0;
	case YAML_SCALAR_EVENT:
		return on_scalar(b, event);
	case YAML_SEQUENCE_START_EVENT:
		return on_begin(b, event, VALUE_ARRAY, event->data.sequence_start.anchor, event->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return on_begin(b, event, VALUE_OBJECT, event->data.mapping_start.anchor, event->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_end(b);
	case YAML_ALIAS_EVENT:
		return on_alias(b, event);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	}
	return 0;
}

static int refuse_syntax(struct builder *b, const char *text, size_t n_text)
{
	const yaml_parser_t *parser = &b->parser;
	AUTO_FREE char *rule = NULL;

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (parser->error == YAML_READER_ERROR) { // a character that YAML does not allow; it has no mark
		AUTO_FREE char *where = str_format("%s:%u", b->name, yaml_text_line(text, parser->problem_offset));
		return diag_set(b->reterr, -EINVAL, where, "YAML: %s", parser->problem);
	}
	if (*b->json.message && strstr(parser->problem, "invalid Unicode character escape")) {
		// libyaml stops at the first surrogate, also where JSON's reader has gone on
		diag_prefix(&b->json, b->name);
		if (b->reterr)
			*b->reterr = b->json;
		return -EINVAL;
	}
	if (yaml_text_tab_indents(text, n_text, parser->problem_mark.index, parser->problem_mark.column))
		rule = str_format("YAML: a line must be indented with blanks, not with a tab");
	else if (parser->context)
		rule = str_format("YAML: %s, %s that begins at %zu:%zu", parser->problem, parser->context,
			parser->context_mark.line + 1, parser->context_mark.column + 1);
	else
		rule = str_format("YAML: %s", parser->problem);
	return rule ? refuse_at(b, (uint32_t)parser->problem_mark.line + 1, (uint32_t)parser->problem_mark.column + 1, rule) : -ENOMEM;
}

static int parse_events(struct builder *b, const char *text, size_t n_text)
{
	yaml_event_type_t type = YAML_NO_EVENT;

	yaml_parser_set_input_string(&b->parser, (const unsigned char *)text, n_text);
	while (type != YAML_STREAM_END_EVENT) {
		yaml_event_t event;
		if (!yaml_parser_parse(&b->parser, &event))
			return refuse_syntax(b, text, n_text);
		type = event.type;
		int r = on_event(b, &event);
		yaml_event_delete(&event);
		if (r < 0)
			return r;
	}
	return 0;
}

// How often is @value there, itself and all in it? They become what plain scalars of YAML are on the way.
static size_t adopt(struct value *value)
{
	size_t n = 1;

	value->plain = value->type != VALUE_ARRAY && value->type != VALUE_OBJECT && !value->quoted;
	for (size_t i = 0; i < value->n; i++)
		n += adopt(&value->items[i]);
	return n;
}

/* JSON is YAML, but libyaml refuses some of it (pairs of surrogates, DEL, long keys) and takes some for line ends: what is JSON
 * is read as such, as Kubernetes does. *ret stays when it is not JSON; only running into a limit is an error. */
static int parse_json(struct builder *b, const char *text, size_t n_text, size_t max_bytes, struct value **ret)
{
	size_t at = yaml_text_mark_bytes(text, n_text), begin = at;
	struct value *value = NULL;

	while (begin < n_text && strchr(" \t\r\n", text[begin])) // no NUL bytes, they were refused
		begin++;
	if (begin == n_text || (text[begin] != '{' && text[begin] != '[') ||
		json_parse(text + at, n_text - at, max_bytes, &value, &b->json) < 0)
		return 0;
	if (adopt(value) > MAX_VALUES) {
		value_free(value);
		return -E2BIG;
	}
	*ret = value;
	return 0;
}

int yaml_parse(const char *text, size_t n_text, size_t max_bytes, const char *name, struct value **ret,
	struct diag *reterr)
{
	if (max_bytes == 0)
		max_bytes = YAML_MAX_BYTES;
	if (n_text > max_bytes)
		return diag_set(reterr, -E2BIG, name, "must not be longer than %zu bytes, not %zu", max_bytes, n_text);
	int r = yaml_text_check(text, n_text, name, reterr);
	if (r < 0)
		return r;
	CLEANUP(builder_freep) struct builder *b = calloc(1, sizeof(*b));
	if (!b || !yaml_parser_initialize(&b->parser))
		return diag_set(reterr, -ENOMEM, name, "no memory");
	b->name = name;
	b->reterr = reterr;
	r = parse_json(b, text, n_text, max_bytes, &b->document);
	if (r == 0 && !b->document)
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
