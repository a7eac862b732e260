// Fetching one file by its SHA-256 from a list of places: resumed, shown, verified, and refused when it is another one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"
#include "image/words.h"

struct fetch_from {
	const struct words *urls; // the first one, then its mirrors, in order
	const char *ca_pem;       // NULL: the system's CAs
	unsigned stall_sec;       // no byte for so long and the next place is asked; 0: 60
};
/* @path is there with that content afterwards, or not at all; @path.part is what an attempt left to go on from. A place
 * that does not answer, answers with an error or has another file is named on stderr, and the next one is asked.
 * -EBADMSG: the last one had another file, nothing of it is kept; else the error of the last place. */
int fetch_file(const struct fetch_from *from, const char *sha256_hex, const char *path, struct diag *reterr);
