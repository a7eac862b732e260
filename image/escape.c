// SPDX-License-Identifier: Apache-2.0
#include "image/escape.h"

static bool known_begins(const char *behind_brace, const struct words *known)
{
	const char *name = behind_brace + (*behind_brace == '#');
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	AUTO_FREE char *copy = strndup(name, n);

	return copy && n > 0 && words_has(known, copy);
}

char *escape_text(const char *text, const struct words *known)
{
	char *escaped = malloc(2 * strlen(text) + 1), *to = escaped;

	while (escaped && *text) {
		if (*text == '$' && text[1] == '$') {
			memcpy(to, "$$$$", 4);
			to += 4;
			text += 2;
			continue;
		}
		if (*text == '$' && text[1] == '{' && !known_begins(text + 2, known))
			*to++ = '$';
		*to++ = *text++;
	}
	if (escaped)
		*to = '\0';
	return escaped;
}
