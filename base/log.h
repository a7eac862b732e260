// Log lines of programs: to the journal when systemd runs us, to stderr otherwise ("<prog>: text").
// Libraries do not log. Never key material, tokens or codes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"
#include <syslog.h>

void log_open(const char *program); // borrowed; a string literal
void log_set_level(int max_priority); // LOG_DEBUG ... LOG_ERR; LOG_INFO at start
void log_write(int priority, const char *format, ...) PRINTF_LIKE(2, 3);

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_notice(...) log_write(LOG_NOTICE, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERR, __VA_ARGS__)
