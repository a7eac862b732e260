// Whether and how the clock is set (DESIGN 5): a pure rule, and the step itself.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

enum clock_verdict {
	CLOCK_KEEP, // near enough, or K3s already ran in this boot
	CLOCK_STEP, // set it to ret_msec
	CLOCK_REFUSE, // below the floor: the diag says so
};
struct clock_facts {
	int64_t now_msec;         // our clock
	int64_t floor_msec;       // max(image build time, last region time in STATE)
	bool has_region_time;     // a hello's time is there
	int64_t region_msec;      // ... corrected by half the round trip
	bool k3s_started;         // K3s was started in this boot
	int64_t error_msec;       // what region_msec may be wrong by: half the round trip
	bool ntp_synchronised;    // NTP holds our clock
};
/* Without a region's time the clock is stepped to the floor when it is below it, else kept. */
enum clock_verdict clock_decide(const struct clock_facts *facts, int64_t *ret_msec, struct diag *reterr);
/* Where no NTP server keeps the time the clock is slewed towards the region's: by how much, 0: leave it (near enough, or
 * it is stepped or refused anyhow). */
int64_t clock_slew_by(const struct clock_facts *facts);
// adjtime(3): half a millisecond in a second, so an hour moves it by 1.8 s; the rest of an earlier one is dropped.
int clock_slew(int64_t msec);
bool clock_is_synchronised(void); // by NTP: adjtimex(2) without STA_UNSYNC
// clock_settime(CLOCK_REALTIME). Returns 0 or -errno (-EPERM in tests without the right).
int clock_step(int64_t wall_msec);
