// SPDX-License-Identifier: Apache-2.0
#include "base/timer.h"
#include <time.h>

int timer_arm(sd_event_source *timer, uint64_t delay_usec)
{
	int r = sd_event_source_set_time_relative(timer, delay_usec);

	return r < 0 ? r : sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

int timer_arm_new(sd_event *event, sd_event_source **timer, uint64_t delay_usec, uint64_t accuracy_usec,
	sd_event_time_handler_t handler, void *user)
{
	return *timer ? timer_arm(*timer, delay_usec)
		      : sd_event_add_time_relative(event, timer, CLOCK_BOOTTIME, delay_usec, accuracy_usec, handler, user);
}
