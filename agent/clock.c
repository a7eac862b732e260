// SPDX-License-Identifier: Apache-2.0
#include "agent/clock.h"
#include "base/time.h"
#include <errno.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

enum {
	STEP_OVER_MSEC = 2000,      // what is below is slewed; more than this breaks certificates and logs
	FLOOR_TOLERANCE_MSEC = 2000, // between two hellos the floor moves on by our own oscillator, which may be fast
	SLEW_OVER_MSEC = 20,
	SLEW_MAX_MSEC = 2000000, // adjtime() takes a bit more; the next hello says the rest
};

enum clock_verdict clock_decide(const struct clock_facts *facts, int64_t *ret_msec, struct diag *reterr)
{
	if (!facts->has_region_time) {
		if (facts->now_msec >= facts->floor_msec || facts->k3s_started)
			return CLOCK_KEEP;
		*ret_msec = facts->floor_msec;
		return CLOCK_STEP;
	}
	if (facts->region_msec < facts->floor_msec - FLOOR_TOLERANCE_MSEC) {
		char region[32], floor[32];
		(void)diag_set(reterr, -ERANGE, "", "the region says %s, which is before %s, a time this node has already seen",
			time_format_utc(facts->region_msec / 1000, region), time_format_utc(facts->floor_msec / 1000, floor));
		return CLOCK_REFUSE;
	}
	int64_t off = facts->region_msec - facts->now_msec;
	if (facts->k3s_started || (off <= STEP_OVER_MSEC && off >= -STEP_OVER_MSEC))
		return CLOCK_KEEP;
	*ret_msec = facts->region_msec > facts->floor_msec ? facts->region_msec : facts->floor_msec;
	return CLOCK_STEP;
}

int64_t clock_slew_by(const struct clock_facts *facts)
{
	int64_t target, off = facts->region_msec - facts->now_msec;
	int64_t enough = facts->error_msec > SLEW_OVER_MSEC ? facts->error_msec : SLEW_OVER_MSEC;
	if (!facts->has_region_time || facts->ntp_synchronised || clock_decide(facts, &target, NULL) != CLOCK_KEEP)
		return 0;
	if (off >= -enough && off <= enough)
		return 0;
	return off > SLEW_MAX_MSEC ? SLEW_MAX_MSEC : off < -SLEW_MAX_MSEC ? -SLEW_MAX_MSEC : off;
}

int clock_slew(int64_t msec)
{
	struct timeval delta = { .tv_sec = msec / 1000, .tv_usec = msec % 1000 * 1000 };
	return adjtime(&delta, NULL) < 0 ? -errno : 0;
}

bool clock_is_synchronised(void)
{
	struct timex timex = { 0 }; // no modes: only read
	return adjtimex(&timex) >= 0 && !(timex.status & STA_UNSYNC);
}

int clock_step(int64_t wall_msec)
{
	struct timespec ts = { .tv_sec = wall_msec / 1000, .tv_nsec = wall_msec % 1000 * 1000000 };
	return clock_settime(CLOCK_REALTIME, &ts) < 0 ? -errno : 0;
}
