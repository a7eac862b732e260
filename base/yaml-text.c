// SPDX-License-Identifier: Apache-2.0
#include "base/yaml-text.h"
#include "base/utf8.h"
#include "base/yaml.h"

#include <errno.h>

enum { MAX_TAG_DIRECTIVES = 256 }; // libyaml compares each %TAG with all before it

size_t yaml_text_mark_bytes(const char *text, size_t n_text)
{
	return n_text >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

bool yaml_char_plain(uint32_t code)
{
	return code >= 0x20 && (code < 0x7f || code > 0x9f) && code != 0x2028 && code != 0x2029 && code != 0xfeff && code != 0xfffe &&
	       code != 0xffff;
}

uint32_t yaml_text_line(const char *text, size_t at)
{
	uint32_t line = 1;

	for (size_t i = 0; i < at; i++)
		line += text[i] == '\n';
	return line;
}

bool yaml_text_tab_indents(const char *text, size_t n_text, size_t index, size_t column)
{
	size_t at = yaml_text_mark_bytes(text, n_text);

	for (; index > 0 && at < n_text; index--)
		do
			at++;
		while (at < n_text && ((uint8_t)text[at] & 0xc0) == 0x80);
	if (at >= n_text || text[at] != '\t' || column > at)
		return false;
	for (size_t i = 1; i <= column; i++)
		if (text[at - i] != ' ')
			return false;
	return true;
}

// Does a line of libyaml's begin at @at? NEL, LS and PS end lines, too.
static bool begins_line(const char *text, size_t at)
{
	return at == 0 || text[at - 1] == '\n' || text[at - 1] == '\r' || (at >= 2 && memcmp(text + at - 2, "\xc2\x85", 2) == 0) ||
	       (at >= 3 && (memcmp(text + at - 3, "\xe2\x80\xa8", 3) == 0 || memcmp(text + at - 3, "\xe2\x80\xa9", 3) == 0));
}

static bool has_many_tag_directives(const char *text, size_t n_text)
{
	const char *end = text + n_text, *at = text;
	size_t n = 0;

	for (; n <= MAX_TAG_DIRECTIVES && (at = memchr(at, '%', (size_t)(end - at))); at++)
		n += end - at >= 4 && memcmp(at, "%TAG", 4) == 0 && begins_line(text, (size_t)(at - text));
	return n > MAX_TAG_DIRECTIVES;
}

int yaml_text_check(const char *text, size_t n_text, const char *name, struct diag *reterr)
{
	size_t at;

	if (memchr(text, '\0', n_text))
		return diag_set(reterr, -EINVAL, name, "must be text; it contains a NUL byte");
	if (has_many_tag_directives(text, n_text))
		return diag_set(reterr, -EINVAL, name, "there must not be more than %d %%TAG", MAX_TAG_DIRECTIVES);
	if (utf8_valid(text, n_text, &at))
		return 0;
	AUTO_FREE char *where = str_format("%s:%u", name, yaml_text_line(text, at));
	return diag_set(reterr, -EINVAL, where, "must be valid UTF-8, not byte 0x%02x", (uint8_t)text[at]);
}
