// What systemd-timesyncd is told about the NTP servers of the assignment, as text. agent-time.c writes it.
// Source: timesyncd.conf(5).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

/* A drop-in that names these servers (checked: single words) and no other. NULL: out of memory. Freed by the caller. */
char *timesyncd_drop_in(const char *const *servers, size_t n_servers);
