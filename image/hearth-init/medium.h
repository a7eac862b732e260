// The medium this machine was booted from: the block device with an ISO 9660 file system of our volume label and root.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "image/hearth-init/say.h"

// Wait for it, loading drivers meanwhile, and mount it at /run/hearth/medium; or give up with what was seen.
void medium_wait(char ret_device[static MAX_TEXT]);
