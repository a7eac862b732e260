// Building the one error text for a person.
// SPDX-License-Identifier: Apache-2.0
#include "base/diag.h"
#include "base/utf8.h"

#include <ctype.h>
#include <stdarg.h>

// Cut text that filled its buffer at the start of a character, with "..." behind.
static void cut(char *text, size_t size)
{
	size_t at = size - 4;

	while (at > 0 && ((uint8_t)text[at] & 0xc0) == 0x80)
		at--;
	memcpy(text + at, "...", 4);
}

// Values come from outside and messages go to terminals: no control character (C0, DEL, C1) and no broken UTF-8.
static void sanitise(char *text)
{
	size_t n = strlen(text);

	for (size_t at = 0; at < n;) {
		uint32_t code = 0;
		size_t length = utf8_sequence(text + at, n - at, &code);
		if (length == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0)) {
			length = length ? length : 1;
			memset(text + at, '?', length);
		}
		at += length;
	}
}

int diag_set(struct diag *reterr, int error, const char *where, const char *format, ...)
{
	if (!reterr)
		return error;
	// The arguments may point into @reterr itself.
	struct diag diag;
	va_list args;

	if (snprintf(diag.where, sizeof(diag.where), "%s", where ? where : "") >= (int)sizeof(diag.where))
		cut(diag.where, sizeof(diag.where));
	va_start(args, format);
	if (vsnprintf(diag.message, sizeof(diag.message), format, args) >= (int)sizeof(diag.message))
		cut(diag.message, sizeof(diag.message));
	va_end(args);
	sanitise(diag.where);
	sanitise(diag.message);
	*reterr = diag;
	return error;
}

void diag_prefix(struct diag *diag, const char *prefix)
{
	if (!diag || !prefix || !*prefix)
		return;
	char where[DIAG_WHERE_MAX];
	const char *separator = ".";

	if (!*diag->where || *diag->where == '[')
		separator = "";
	else if (isdigit((unsigned char)*diag->where) || strchr(prefix, '/'))
		separator = ":";
	if (snprintf(where, sizeof(where), "%s%s%s", prefix, separator, diag->where) >= (int)sizeof(where))
		cut(where, sizeof(where));
	sanitise(where);
	memcpy(diag->where, where, sizeof(where));
}

const char *diag_text(const struct diag *diag)
{
	static _Thread_local char text[DIAG_WHERE_MAX + DIAG_MESSAGE_MAX + 2];

	if (*diag->where)
		(void)snprintf(text, sizeof(text), "%s: %s", diag->where, diag->message); // always fits
	else
		(void)snprintf(text, sizeof(text), "%s", diag->message);
	return text;
}
