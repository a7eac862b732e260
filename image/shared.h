// Are the shared libraries that an image's programs need in it? A recipe may leave out one that something else needs; the node
// would say so only when it runs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

/* Every program of the root @tar (an ELF file with a loader), by what ld.so(8) would look for: the loader, its libraries, theirs,
 * and so on, in the folders of DT_RUNPATH or DT_RPATH and those that Debian's ld.so.conf has. What a program opens by itself
 * (dlopen) is not known here, so files that are only opened are not looked at.
 * 0; -ENOENT: where is the program, the message names the library; -EINVAL: an ELF file that is none; -EIO; -ENOMEM. */
int shared_check(const char *tar, struct diag *reterr);
