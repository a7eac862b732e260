// Can the region's own clock be right? Pure. A region with a wrong clock would hand it to every
// node (DESIGN 5). SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

enum { CLOCK_MAX_GAP_SEC = 30 * 86400 };

extern const int64_t clock_build_sec; // when this program was built, seconds since 1970

/* @last_sec: last time in the database, 0 for none. @accepted_sec: a person said at that time that
 * the clock is right, 0 for none; it covers one hour from then. 0, or -ESTALE with a sentence. */
int clock_check(int64_t now_sec, int64_t build_sec, int64_t last_sec, int64_t accepted_sec,
	struct diag *reterr);
