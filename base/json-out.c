// Writing JSON: a growing text, commas by themselves. A failure is kept and shown by json_out_take().
// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "base/utf8.h"
#include "base/yaml.h"

#include <inttypes.h>
#include <math.h>

static void add(struct json_out *out, const char *bytes, size_t n)
{
	if (out->failed)
		return;
	if (n + 1 > out->n_alloc - out->n) {
		size_t n_alloc = (out->n + n + 1) * 2;
		if (n_alloc < 256)
			n_alloc = 256;
		char *text = realloc(out->text, n_alloc);
		if (!text) {
			out->failed = true;
			return;
		}
		out->text = text;
		out->n_alloc = n_alloc;
	}
	memcpy(out->text + out->n, bytes, n);
	out->n += n;
	out->text[out->n] = '\0';
}

// Every value begins here: a comma when one stands before it in the same object or array.
static void begin(struct json_out *out)
{
	if (out->comma)
		add(out, ",", 1);
	out->comma = true;
}

static void open_bracket(struct json_out *out, const char *bracket)
{
	begin(out);
	add(out, bracket, 1);
	out->comma = false;
}

static void close_bracket(struct json_out *out, const char *bracket)
{
	add(out, bracket, 1);
	out->comma = true;
}

void json_out_object_begin(struct json_out *out)
{
	open_bracket(out, "{");
}

void json_out_object_end(struct json_out *out)
{
	close_bracket(out, "}");
}

void json_out_array_begin(struct json_out *out)
{
	open_bracket(out, "[");
}

void json_out_array_end(struct json_out *out)
{
	close_bracket(out, "]");
}

// Besides what JSON wants: what is written here is read as YAML, too.
static bool is_escaped(uint32_t code)
{
	if (code >= 0x20 && code < 0x7f) // nearly all
		return code == '"' || code == '\\';
	return !yaml_char_plain(code);
}

static void add_string(struct json_out *out, const char *text)
{
	static const char escaped[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	size_t n = strlen(text), clean = 0; // [clean, at) needs no change

	add(out, "\"", 1);
	for (size_t at = 0; at < n;) {
		uint32_t code = 0;
		size_t length = utf8_sequence(text + at, n - at, &code);
		if (length > 0 && !is_escaped(code)) {
			at += length;
			continue;
		}
		add(out, text + clean, at - clean);
		const char *special = code < 0x80 ? strchr(escaped, (int)code) : NULL;
		char escape[8];
		if (length == 0)
			add(out, "\xef\xbf\xbd", 3);
		else if (special)
			add(out, escape, (size_t)snprintf(escape, sizeof(escape), "\\%c", letters[special - escaped]));
		else
			add(out, escape, (size_t)snprintf(escape, sizeof(escape), "\\u%04x", code));
		at += length > 0 ? length : 1;
		clean = at;
	}
	add(out, text + clean, n - clean);
	add(out, "\"", 1);
}

void json_out_key(struct json_out *out, const char *key)
{
	begin(out);
	add_string(out, key);
	add(out, ":", 1);
	out->comma = false;
}

void json_out_string(struct json_out *out, const char *text)
{
	if (!text) {
		json_out_null(out);
		return;
	}
	begin(out);
	add_string(out, text);
}

void json_out_raw(struct json_out *out, const char *json)
{
	begin(out);
	add(out, json, strlen(json));
}

void json_out_int(struct json_out *out, int64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRId64, number); // always fits
	json_out_raw(out, text);
}

void json_out_double(struct json_out *out, double number)
{
	char text[336]; // DBL_MAX has 309 digits before the point

	if (!isfinite(number)) { // JSON has no word for it
		json_out_null(out);
		return;
	}
	(void)snprintf(text, sizeof(text), "%.3f", number); // always fits
	json_out_raw(out, text);
}

void json_out_bool(struct json_out *out, bool boolean)
{
	json_out_raw(out, boolean ? "true" : "false");
}

void json_out_null(struct json_out *out)
{
	json_out_raw(out, "null");
}

void json_out_value(struct json_out *out, const struct value *value)
{
	if (!value) {
		json_out_null(out);
		return;
	}
	switch (value->type) {
	case VALUE_NULL:
		json_out_null(out);
		return;
	case VALUE_BOOL:
		json_out_bool(out, value->boolean);
		return;
	case VALUE_NUMBER:
		json_out_raw(out, value->text);
		return;
	case VALUE_STRING:
		json_out_string(out, value->text);
		return;
	case VALUE_ARRAY:
		json_out_array_begin(out);
		for (size_t i = 0; i < value->n; i++)
			json_out_value(out, &value->items[i]);
		json_out_array_end(out);
		return;
	case VALUE_OBJECT:
		json_out_object_begin(out);
		for (size_t i = 0; i < value->n; i++) {
			json_out_key(out, value->keys[i]);
			json_out_value(out, &value->items[i]);
		}
		json_out_object_end(out);
		return;
	}
}

void json_out_member(struct json_out *out, const char *key, const char *text)
{
	json_out_key(out, key);
	json_out_string(out, text);
}

void json_out_member_int(struct json_out *out, const char *key, int64_t number)
{
	json_out_key(out, key);
	json_out_int(out, number);
}

void json_out_member_bool(struct json_out *out, const char *key, bool boolean)
{
	json_out_key(out, key);
	json_out_bool(out, boolean);
}

char *json_out_take(struct json_out *out)
{
	char *text = out->failed ? NULL : out->text ? TAKE_PTR(out->text) : strdup("");

	json_out_done(out);
	return text;
}

void json_out_done(struct json_out *out)
{
	free(out->text);
	*out = (struct json_out){ 0 };
}
