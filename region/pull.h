// The pull credential of /v2: basic authentication for containerd and other clients without a
// certificate. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/region.h"

// Is @authorization (the header, or NULL) "Basic" with the cluster's pull credential? Compared in
// constant time.
bool pull_credential_fits(const struct region *region, const char *authorization);
