// Time inside Hearth is uint64_t microseconds on CLOCK_BOOTTIME; UINT64_MAX is never. Wall time only where the world
// wants it (certificates, hello, audit), as int64_t milliseconds since 1970.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

#define USEC_PER_SEC UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_NEVER UINT64_MAX

uint64_t time_boot_usec(void);
int64_t time_wall_msec(void);
// "2026-11-22T23:00:00Z" for seconds since 1970; returns @buffer.
const char *time_format_utc(int64_t wall_sec, char buffer[static 32]);
// 0; -EINVAL unless exactly that form.
int time_parse_utc(const char *text, int64_t *ret_wall_sec);
/* Exponential backoff with full jitter: a random delay in [0, min(cap_usec, base_usec << attempt)]. */
uint64_t time_backoff_usec(unsigned attempt, uint64_t base_usec, uint64_t cap_usec);
