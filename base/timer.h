// Timers of an event loop that are set again and again. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

// @timer goes off once, @delay_usec from now; the time that it had is forgotten. 0, or negative errno of sd-event.
int timer_arm(sd_event_source *timer, uint64_t delay_usec);
/* The same for a timer that may not be there yet: *timer NULL is made, of CLOCK_BOOTTIME, and stays the caller's to unref.
 * @accuracy_usec, @handler and @user are those of the first call. */
int timer_arm_new(sd_event *event, sd_event_source **timer, uint64_t delay_usec, uint64_t accuracy_usec,
	sd_event_time_handler_t handler, void *user);
