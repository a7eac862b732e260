// What differs between a document and the kernel, link by link, as a person reads it. It is the plan seen as a difference:
// where the plan changes nothing, nothing differs, and what is not ours is not in it. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/plan.h"

/* As a unified diff: "-" the kernel has it, "+" the document wants it. "" when nothing differs. Declared ports that are
 * not there are named, though no plan can change that.
 *   kernel  of which @plan was made, sorted (netconf_plan() leaves it in plan->kernel)
 * NULL: out of memory; the caller frees. */
char *diff_text(const struct network *network, const struct kernel *kernel, const struct plan *plan);
// The same for programs: [{"link", "side": "kernel" or "document", "what"}].
char *diff_json(const struct network *network, const struct kernel *kernel, const struct plan *plan);
