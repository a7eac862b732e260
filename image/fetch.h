// Fetching one public file to disk: resumed where it stopped, with progress, and refused unless it has the SHA-256 that
// was asked for. A file that is there with that hash is not fetched again.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

/* @sha256_hex: 64 lower-case digits. What has come so far lies in PATH.part; a finished file with another hash is
 * removed. -EBADMSG another hash; else what http_perform() says, -EPROTO another HTTP status than 200 and 206. */
int fetch_file(const char *url, const char *sha256_hex, const char *path, struct diag *reterr);
