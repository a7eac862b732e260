// What an object of a stage installs, and its stage has to wait for: annotation hearth.openova.io/waits-for, a list of
// "APIVERSION KIND NAMESPACE/NAME" with commas between. A HelmChart is there at once; what it installs is not. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/manifest.h"

#define STAGE_WAITS_FOR "hearth.openova.io/waits-for"
enum { STAGE_MAX_WAITS = 16 };

/* 0, and a manifest of objects without documents in *ret, or NULL there when @object names none; -EINVAL. */
int stage_waits_parse(const struct manifest_object *object, struct manifest **ret, struct diag *reterr);
