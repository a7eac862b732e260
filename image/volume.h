// The volume label by which stage 1 knows the medium it was booted from: one per root file.
// Source: ECMA-119 8.4.6 (32 d-characters).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/crypto.h"

enum { VOLUME_TEXT = 33 };
// "HEARTH_" + the first 16 digits of the root file's SHA-256, upper case.
void volume_label(const char root_sha256[static SHA256_HEX], char ret[static VOLUME_TEXT]);
