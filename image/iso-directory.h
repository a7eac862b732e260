// Finding one file in an ISO 9660 file system: where its bytes lie, nothing else. Reads untrusted images: every length
// and offset is checked, loops are bounded. Source: ECMA-119 (4th edition) 8.4, 9.1; SUSP 1.12 and RRIP 1.12 for names.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

struct iso_source { // where the image's bytes come from, so that tests and the fuzzer need no file
	int (*read)(void *user, uint64_t offset, void *ret, size_t n); // 0, or negative errno when not all of them are there
	void *user;
};
struct iso_extent {
	uint64_t offset, size; // bytes
};
/* @path: components of the ISO, "hearth/seed.yaml": Rock Ridge names first, else the ISO name without ";1", whatever its case.
 * 0; -ENOENT; -EINVAL no ISO 9660 or a damaged one; -ENOTSUP the file is stored in several extents. */
int iso_find(const struct iso_source *source, const char *path, struct iso_extent *ret, struct diag *reterr);
