// What stage 1 says, on every console, and its bad end: one sentence and a reboot a minute later.
// SPDX-License-Identifier: Apache-2.0
#pragma once

enum { MAX_TEXT = 512 }; // of a sentence, a path, a name

void consoles_open(void); // those the kernel itself writes to; /dev and /sys are mounted
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void give_up(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
