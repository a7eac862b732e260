// Strict JSON, RFC 8259 to the letter: our checker validates, then jsmn tokenises. Refused besides bad grammar:
// duplicate keys, depth over 64, U+0000 in strings, lone surrogates, invalid UTF-8, a byte order mark.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

enum { JSON_MAX_DEPTH = 64, JSON_MAX_BYTES = 16 << 20 };

/* Parse exactly one JSON text. @max_bytes: refuse longer input (0: JSON_MAX_BYTES).
 * 0; -EINVAL grammar; -E2BIG too long; -ENOMEM. reterr.where is "line:column". */
int json_parse(const char *text, size_t n_text, size_t max_bytes, struct value **ret, struct diag *reterr);
int json_load(const char *path, size_t max_bytes, struct value **ret, struct diag *reterr);

// Writing: json_out_*() never fail visibly until json_out_take(), which gives NULL when memory ran out.
struct json_out {
	char *text;
	size_t n, n_alloc;
	bool failed, comma;
};
void json_out_object_begin(struct json_out *out);
void json_out_object_end(struct json_out *out);
void json_out_array_begin(struct json_out *out);
void json_out_array_end(struct json_out *out);
void json_out_key(struct json_out *out, const char *key);
void json_out_string(struct json_out *out, const char *text); // NULL becomes null; invalid UTF-8 becomes U+FFFD
void json_out_int(struct json_out *out, int64_t number);
void json_out_double(struct json_out *out, double number); // three decimals, no exponent
void json_out_bool(struct json_out *out, bool boolean);
void json_out_null(struct json_out *out);
void json_out_value(struct json_out *out, const struct value *value); // NULL becomes null
void json_out_raw(struct json_out *out, const char *json);            // an already valid JSON text
// key and value in one call
void json_out_member(struct json_out *out, const char *key, const char *text);
void json_out_member_int(struct json_out *out, const char *key, int64_t number);
void json_out_member_bool(struct json_out *out, const char *key, bool boolean);
// The text, NUL-terminated; the caller frees. Resets @out.
char *json_out_take(struct json_out *out);
void json_out_done(struct json_out *out);
