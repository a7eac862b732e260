// What the two programs that touch disks share: running the tools that do, and which device the machine was booted from.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

// Run @argv (found in PATH) to its end, with our own streams. Its exit status, or negative errno; -EIO: a signal ended it.
int disk_program_run(const char *const argv[]);
// Device of the boot medium as hearth-init noted it ("/dev/sr0"), "" when there is none.
void disk_boot_device(char *ret, size_t n);
