// SPDX-License-Identifier: Apache-2.0
#include "region/clock.h"

#include "base/time.h"

#include <errno.h>

const int64_t clock_build_sec = HEARTH_BUILD_SEC;

int clock_check(int64_t now_sec, int64_t build_sec, int64_t last_sec, int64_t accepted_sec,
	struct diag *reterr)
{
	char now[32], other[32];
	if (now_sec < build_sec)
		return diag_set(reterr, -ESTALE, "clock",
			"it is %s, but this program was built at %s: set the clock",
			time_format_utc(now_sec, now), time_format_utc(build_sec, other));
	if (last_sec == 0 || (now_sec - last_sec <= CLOCK_MAX_GAP_SEC &&
				     last_sec - now_sec <= CLOCK_MAX_GAP_SEC))
		return 0;
	if (accepted_sec && now_sec >= accepted_sec - 60 && now_sec <= accepted_sec + 3600)
		return 0;
	return diag_set(reterr, -ESTALE, "clock",
		"it is %s, more than 30 days from %s, when this region last ran: set the clock, or "
		"if it is right run "
		"hearth-region clock accept",
		time_format_utc(now_sec, now), time_format_utc(last_sec, other));
}
