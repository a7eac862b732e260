// Quoted scalars.
// SPDX-License-Identifier: Apache-2.0
#include "base/yaml-quoted.h"
#include "base/utf8.h"
#include <ctype.h>
#include <errno.h>

struct unquote {
	const char *raw, *end;
	char *to;
};

static void skip_blanks(struct unquote *u)
{
	while (u->raw < u->end && (*u->raw == ' ' || *u->raw == '\t'))
		u->raw++;
}

// A line break and the blanks behind it are gone; false when there is none.
static bool take_break(struct unquote *u)
{
	if (u->raw == u->end || (*u->raw != '\n' && *u->raw != '\r'))
		return false;
	u->raw += *u->raw == '\r' && u->raw + 1 < u->end && u->raw[1] == '\n' ? 2 : 1;
	skip_blanks(u);
	return true;
}

static int take_hex(struct unquote *u, int n_digits, uint32_t *ret)
{
	uint32_t code = 0;

	for (; n_digits > 0; n_digits--, u->raw++) {
		if (u->raw == u->end || !isxdigit((unsigned char)*u->raw))
			return -EINVAL;
		code = code << 4 | (uint32_t)(*u->raw <= '9' ? *u->raw - '0' : (*u->raw | 0x20) - 'a' + 10);
	}
	*ret = code;
	return 0;
}

// JSON writes what is above U+FFFF as two \u.
static int take_low_surrogate(struct unquote *u, uint32_t *code)
{
	uint32_t low;

	if (u->end - u->raw < 6 || u->raw[0] != '\\' || u->raw[1] != 'u')
		return -EINVAL;
	u->raw += 2;
	if (take_hex(u, 4, &low) < 0 || low < 0xdc00 || low > 0xdfff)
		return -EINVAL;
	*code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
	return 0;
}

// What stands behind a backslash.
static int take_escape(struct unquote *u)
{
	static const struct {
		char letter;
		uint32_t code;
	} letters[] = {{'0', 0}, {'a', 7}, {'b', 8}, {'t', 9}, {'\t', 9}, {'n', 10}, {'v', 11}, {'f', 12}, {'r', 13}, {'e', 27},
		{' ', ' '}, {'"', '"'}, {'/', '/'}, {'\\', '\\'}, {'N', 0x85}, {'_', 0xa0}, {'L', 0x2028}, {'P', 0x2029}};
	char letter = u->raw < u->end ? *u->raw : '\0';
	int n_digits = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
	uint32_t code = UINT32_MAX;

	u->raw++;
	if (n_digits && take_hex(u, n_digits, &code) < 0)
		return -EINVAL;
	if (n_digits == 4 && code >= 0xd800 && code <= 0xdbff && take_low_surrogate(u, &code) < 0)
		return -EINVAL;
	for (size_t i = 0; !n_digits && i < N_ELEMENTS(letters); i++)
		if (letters[i].letter == letter)
			code = letters[i].code;
	if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return -EINVAL;
	u->to += utf8_encode(code, u->to);
	return 0;
}

int yaml_unquote(const char *raw, size_t n, bool is_double, char **ret, size_t *ret_n)
{
	struct unquote u = {raw, raw + n, NULL};
	AUTO_FREE char *text = malloc(2 * n + 1); // \L is two bytes and becomes three
	char *kept; // blanks before this were escaped

	if (!text)
		return -ENOMEM;
	u.to = kept = text;
	while (u.raw < u.end) {
		if (is_double && *u.raw == '\\') {
			u.raw++;
			if (take_break(&u)) // the line goes on as if there were none
				while (take_break(&u))
					*u.to++ = '\n';
			else if (take_escape(&u) < 0)
				return -EINVAL;
			kept = u.to;
			continue;
		}
		if (take_break(&u)) {
			size_t n_empty = 0;

			while (u.to > kept && (u.to[-1] == ' ' || u.to[-1] == '\t'))
				u.to--;
			while (take_break(&u))
				n_empty++;
			if (!n_empty)
				*u.to++ = ' ';
			for (; n_empty; n_empty--)
				*u.to++ = '\n';
			kept = u.to;
			continue;
		}
		u.raw += !is_double && *u.raw == '\'' && u.raw + 1 < u.end;
		*u.to++ = *u.raw++;
	}
	*u.to = '\0';
	*ret_n = (size_t)(u.to - text);
	*ret = TAKE_PTR(text);
	return 0;
}
