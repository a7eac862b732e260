// A plan's changes become netlink messages, sent in acknowledged batches.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/plan.h"

/* Do every change of @plan that concerns the kernel, in order. A change that fails does not stop those behind it; all of
 * them are in plan->outcome, the first one is returned and in reterr. But after a failure nothing is taken away: what was to
 * go may be all that is left. What was to be removed and is gone already is success.
 *   ret_again  set when the kernel has to be read and planned for once more: a link that was to be made is there, one had
 *              to go down for its new MAC and lost routes by it, or the source of an IPv6 route is not usable yet. NULL: no
 *              such second time; then the first and the last are failures */
int apply_netlink(struct plan *plan, bool *ret_again, struct diag *reterr);
/* A setting of a link that netlink does not carry: /proc/sys/net/@family/conf/@name/@setting. It is read-only in some
 * containers, and without IPv6 half of it is not there. */
int apply_conf(const char *family, const char *name, const char *setting, char digit);
/* Whose things are, once they are as they shall be. What the kernel refuses of it is let be. Negative: it does not answer. */
int apply_marks(const struct plan *plan, struct diag *reterr);
