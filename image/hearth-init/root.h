// The root file: a loop device over it, dm-verity over that, EROFS and a tmpfs overlay on top.
// SPDX-License-Identifier: Apache-2.0
#pragma once

void root_mount(const char *path); // at /root.d/root, or gives up
void mount_or_give_up(const char *what, const char *where, const char *type, unsigned long flags, const char *data);
