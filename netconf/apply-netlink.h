// A plan's changes become netlink messages, sent in acknowledged batches.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/plan.h"

/* Do every change of @plan that concerns the kernel, in order. A change that fails does not stop those behind it; the
 * first failure is returned, with the change's sentence and the kernel's own words in reterr. What was to be removed
 * and is gone already is success. */
int apply_netlink(struct plan *plan, struct diag *reterr);
