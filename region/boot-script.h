// What firmware gets: the iPXE script and the initrd that carries the seed (a cpio archive, newc).
// Pure. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

#define BOOT_CMDLINE "rootfstype=ramfs console=tty0 console=ttyS0,115200 quiet"

/* The script. @root: the initrd with the root file, "root.img" or "root.cpio"; NULL for none.
 * @cmdline: kernel arguments; NULL for BOOT_CMDLINE. @name: the node's name when the MAC is known,
 * or NULL. The caller frees; NULL without memory. */
char *boot_script(const char *root, const char *cmdline, const char *name);
// cpio archive with hearth/seed.yaml. The caller frees; NULL without memory.
char *boot_seed_cpio(const char *seed, size_t *ret_n);
