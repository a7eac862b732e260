// What an ELF file says that it needs: its dynamic section, for 64 bit, little endian (elf(5), ld.so(8)). Bytes are untrusted.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"
#include "image/words.h"

enum { ELF_MAX_NEEDED = 256 }; // libraries of one file; systemd's have about 20

struct elf_needs {
	struct words libraries; // DT_NEEDED, in their order
	char *loader;           // PT_INTERP: it is a program; NULL: a library, or a program that needs none
	char *run_path;         // DT_RUNPATH, else DT_RPATH: folders with ":" between them; NULL: none
	bool is_inherited;      // it is DT_RPATH: of a program it counts for its libraries, too
	bool is_foreign;        // of 32 bit or big endian: firmware, a boot loader's module; nothing of it was read
};

bool elf_is(const void *bytes, size_t n);
/* Of a program or library. One of another kind (a kernel module, an object) needs nothing.
 * 0; -EINVAL with a diag: what it says is not inside of it; -ENOMEM. */
int elf_needs_read(const void *bytes, size_t n, struct elf_needs *ret, struct diag *reterr);
void elf_needs_done(struct elf_needs *needs);
