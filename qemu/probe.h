// Which accelerator QEMU may use on this machine. /dev/kvm existing proves nothing (nested hosts emulate half a CPU), so
// a tiny guest has to run on it: it enters 64-bit mode, uses SSE2 and, where CPUID claims it, BMI2, and says so.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

struct lab_accel {
	const char *accel, *cpu; // for QEMU's options, static
	const char *why;         // for a person, static
};

/* The probe's answer. It is kept in @cache_folder for the running kernel (a new boot of the host asks again).
 * 0; negative errno when not even TCG's QEMU can be started. */
int lab_accel_find(const char *cache_folder, struct lab_accel *ret, struct diag *reterr);

// The 512 bytes of the guest's boot sector.
enum { PROBE_SECTOR_BYTES = 512, PROBE_EXIT = (0x2a << 1) | 1 };
void probe_sector(uint8_t ret[static PROBE_SECTOR_BYTES]);
