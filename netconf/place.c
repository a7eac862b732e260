// Where in which document something is declared.
// SPDX-License-Identifier: Apache-2.0
#include "netconf/place.h"

#include <stdarg.h>

const char *place_text(const struct place *place, char buffer[static DIAG_WHERE_MAX])
{
	const char *file = place->file ? place->file : "";
	if (!place->line)
		(void)snprintf(buffer, DIAG_WHERE_MAX, "%s", file);
	else // a long path is cut, its line is not
		(void)snprintf(buffer, DIAG_WHERE_MAX, "%.*s%s%u:%u", DIAG_WHERE_MAX - 24, file, *file ? ":" : "", place->line,
			place->column);
	return buffer;
}

int place_refuse(struct diag *reterr, int error, const struct place *place, const char *format, ...)
{
	char where[DIAG_WHERE_MAX], message[DIAG_MESSAGE_MAX];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return diag_set(reterr, error, place_text(place, where), "%s", message);
}
