// Where in which document something is declared, for errors that look at more than the line they stand on. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"
#include "base/value.h"

struct place {
	const char *file; // borrowed; NULL: a document without a name, or none at all
	uint32_t line, column; // from 1; 0: there is no such place
};
// "file:line:column", "line:column" without a file, the file alone without a line.
const char *place_text(const struct place *place, char buffer[static DIAG_WHERE_MAX]);
// diag_set() with @place as where.
int place_refuse(struct diag *reterr, int error, const struct place *place, const char *format, ...) PRINTF_LIKE(4, 5);
