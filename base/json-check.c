// Recursive descent over RFC 8259's grammar; nothing is built here. Besides the grammar these are refused: invalid
// UTF-8, lone surrogates, U+0000 in strings (C strings end there), too much depth.
// SPDX-License-Identifier: Apache-2.0
#include "base/json-check.h"
#include "base/json.h"
#include "base/utf8.h"

#include <errno.h>

struct scan {
	const char *text;
	size_t n, at, n_tokens, max_tokens;
	struct diag *reterr;
};

// Line and column of an offset; only errors need it, so it may be slow.
static int refuse(struct scan *scan, const char *rule)
{
	size_t line = 1, column = 1;
	char where[48], found[32];

	for (size_t i = 0; i < scan->at; i++) {
		if (scan->text[i] == '\n')
			line++, column = 1;
		else if (((uint8_t)scan->text[i] & 0xc0) != 0x80)
			column++;
	}
	(void)snprintf(where, sizeof(where), "%zu:%zu", line, column); // always fits
	size_t length = utf8_sequence(scan->text + scan->at, scan->n - scan->at, NULL);
	if (scan->at >= scan->n)
		(void)snprintf(found, sizeof(found), "the end"); // always fits
	else if (length == 0 || (uint8_t)scan->text[scan->at] < 0x20)
		(void)snprintf(found, sizeof(found), "byte 0x%02x", (uint8_t)scan->text[scan->at]); // always fits
	else
		(void)snprintf(found, sizeof(found), "\"%.*s\"", (int)length, scan->text + scan->at); // always fits
	return diag_set(scan->reterr, -EINVAL, where, "JSON: %s, not %s", rule, found);
}

static int peek(const struct scan *scan)
{
	return scan->at < scan->n ? (uint8_t)scan->text[scan->at] : -1;
}

static void skip_space(struct scan *scan)
{
	for (int c = peek(scan); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = peek(scan))
		scan->at++;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static int check_digits(struct scan *scan)
{
	if (!is_digit(peek(scan)))
		return refuse(scan, "a digit is needed here");
	while (is_digit(peek(scan)))
		scan->at++;
	return 0;
}

static int check_number(struct scan *scan)
{
	int r;

	if (peek(scan) == '-')
		scan->at++;
	if (peek(scan) == '0') {
		scan->at++;
		if (is_digit(peek(scan)))
			return refuse(scan, "a number must not begin with 0");
	} else if ((r = check_digits(scan)) < 0) {
		return r;
	}
	if (peek(scan) == '.') {
		scan->at++;
		if ((r = check_digits(scan)) < 0)
			return r;
	}
	if (peek(scan) == 'e' || peek(scan) == 'E') {
		scan->at++;
		if (peek(scan) == '+' || peek(scan) == '-')
			scan->at++;
		return check_digits(scan);
	}
	return 0;
}

static int check_hex4(struct scan *scan, unsigned *ret)
{
	unsigned unit = 0;

	for (int i = 0; i < 4; i++) {
		int c = peek(scan);
		if (is_digit(c))
			unit = unit << 4 | (unsigned)(c - '0');
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			unit = unit << 4 | (unsigned)((c | 0x20) - 'a' + 10);
		else
			return refuse(scan, "\\u must be followed by four hex digits");
		scan->at++;
	}
	*ret = unit;
	return 0;
}

static int check_escape(struct scan *scan)
{
	unsigned unit, low;
	int r, c = peek(scan);

	if (c != 'u') {
		if (c <= 0 || !strchr("\"\\/bfnrt", c))
			return refuse(scan, "a backslash must be followed by one of \"\\/bfnrtu");
		scan->at++;
		return 0;
	}
	scan->at++;
	if ((r = check_hex4(scan, &unit)) < 0)
		return r;
	if (unit == 0)
		return refuse(scan, "U+0000 is not allowed in a text before this");
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return refuse(scan, "the low surrogate before this has no high one");
	if (unit < 0xd800 || unit > 0xdbff)
		return 0;
	if (scan->n - scan->at < 2 || memcmp(scan->text + scan->at, "\\u", 2) != 0)
		return refuse(scan, "a high surrogate must be followed by \\u and the low one");
	scan->at += 2;
	if ((r = check_hex4(scan, &low)) < 0)
		return r;
	if (low < 0xdc00 || low > 0xdfff)
		return refuse(scan, "a high surrogate must be followed by a low one before this");
	return 0;
}

static int check_string(struct scan *scan)
{
	scan->at++; // the opening quote
	for (;;) {
		int c = peek(scan), r;
		if (c < 0)
			return refuse(scan, "a text must end with a quote");
		if (c < 0x20)
			return refuse(scan, "control characters in a text must be escaped");
		if (c == '"') {
			scan->at++;
			return 0;
		}
		if (c == '\\') {
			scan->at++;
			if ((r = check_escape(scan)) < 0)
				return r;
			continue;
		}
		size_t length = utf8_sequence(scan->text + scan->at, scan->n - scan->at, NULL);
		if (length == 0)
			return refuse(scan, "text must be valid UTF-8");
		scan->at += length;
	}
}

static int check_word(struct scan *scan, const char *word)
{
	size_t n = strlen(word);

	if (scan->n - scan->at < n || memcmp(scan->text + scan->at, word, n) != 0)
		return refuse(scan, "a value must be an object, array, text, number, true, false or null");
	scan->at += n;
	return 0;
}

static int check_value(struct scan *scan, unsigned depth);

static int count_token(struct scan *scan)
{
	if (++scan->n_tokens > scan->max_tokens)
		return diag_set(scan->reterr, -E2BIG, "", "JSON: there must not be more than %zu values and keys",
			scan->max_tokens);
	return 0;
}

static int check_member(struct scan *scan, bool in_object, unsigned depth)
{
	int r;

	skip_space(scan);
	if (in_object) {
		if (peek(scan) != '"')
			return refuse(scan, "an object's key must be a text in quotes");
		if ((r = count_token(scan)) < 0 || (r = check_string(scan)) < 0)
			return r;
		skip_space(scan);
		if (peek(scan) != ':')
			return refuse(scan, "a key must be followed by a colon");
		scan->at++;
		skip_space(scan);
	}
	return check_value(scan, depth);
}

static int check_members(struct scan *scan, bool in_object, unsigned depth)
{
	int r, end = in_object ? '}' : ']';

	if (depth > JSON_MAX_DEPTH)
		return refuse(scan, "objects and arrays must not be nested deeper than 64");
	scan->at++; // the opening bracket
	skip_space(scan);
	if (peek(scan) == end) {
		scan->at++;
		return 0;
	}
	for (;;) {
		if ((r = check_member(scan, in_object, depth)) < 0)
			return r;
		skip_space(scan);
		int c = peek(scan);
		if (c == end) {
			scan->at++;
			return 0;
		}
		if (c != ',')
			return refuse(scan, in_object ? "an object's member must be followed by , or }" :
							"an array's member must be followed by , or ]");
		scan->at++;
	}
}

static int check_value(struct scan *scan, unsigned depth)
{
	int r = count_token(scan);

	if (r < 0)
		return r;
	switch (peek(scan)) {
	case '{':
		return check_members(scan, true, depth + 1);
	case '[':
		return check_members(scan, false, depth + 1);
	case '"':
		return check_string(scan);
	case 't':
		return check_word(scan, "true");
	case 'f':
		return check_word(scan, "false");
	case 'n':
		return check_word(scan, "null");
	case '-':
	case '0' ... '9':
		return check_number(scan);
	default:
		return refuse(scan, "a value must be an object, array, text, number, true, false or null");
	}
}

int json_check(const char *text, size_t n_text, size_t max_tokens, size_t *ret_n_tokens, struct diag *reterr)
{
	struct scan scan = { .text = text, .n = n_text, .max_tokens = max_tokens, .reterr = reterr };

	if (n_text >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		return diag_set(reterr, -EINVAL, "1:1", "JSON: must not begin with a byte order mark");
	skip_space(&scan);
	int r = check_value(&scan, 0);
	if (r < 0)
		return r;
	skip_space(&scan);
	if (scan.at < scan.n)
		return refuse(&scan, "nothing may follow the value");
	*ret_n_tokens = scan.n_tokens;
	return 0;
}
