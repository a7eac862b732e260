// SPDX-License-Identifier: Apache-2.0
#include "agent/clock.h"
#include "base/time.h"
#include <errno.h>
#include <time.h>

enum { STEP_OVER_MSEC = 2000 }; // NTP slews what is below; more than this breaks certificates and logs

enum clock_verdict clock_decide(const struct clock_facts *facts, int64_t *ret_msec, struct diag *reterr)
{
	if (!facts->has_region_time) {
		if (facts->now_msec >= facts->floor_msec || facts->k3s_started)
			return CLOCK_KEEP;
		*ret_msec = facts->floor_msec;
		return CLOCK_STEP;
	}
	if (facts->region_msec < facts->floor_msec) {
		char region[32], floor[32];
		(void)diag_set(reterr, -ERANGE, "", "the region says %s, which is before %s, a time this node has already seen",
			time_format_utc(facts->region_msec / 1000, region), time_format_utc(facts->floor_msec / 1000, floor));
		return CLOCK_REFUSE;
	}
	int64_t off = facts->region_msec - facts->now_msec;
	if (facts->k3s_started || (off <= STEP_OVER_MSEC && off >= -STEP_OVER_MSEC))
		return CLOCK_KEEP;
	*ret_msec = facts->region_msec;
	return CLOCK_STEP;
}

int clock_step(int64_t wall_msec)
{
	struct timespec ts = { .tv_sec = wall_msec / 1000, .tv_nsec = wall_msec % 1000 * 1000000 };
	return clock_settime(CLOCK_REALTIME, &ts) < 0 ? -errno : 0;
}
