// Which links of the kernel show as declarations, and why the others do not. Pure; internal to show*.c.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/kernel.h"

/* For each link of @kernel, in its order: NULL when it is shown, else why not: a phrase, or "" for what needs no words.
 * Whoever is shown has its parent and its master shown, too. @ret_why has room for kernel->n_links. */
void show_choose_links(const struct kernel *kernel, const char *ret_why[]);

// An address that stays as it is: not from a lease, an advertisement or the kernel itself, and netplan can say it.
bool show_is_static(const struct kernel_address *address);
// Did a person, a boot script or Hearth make what has this rtm_protocol? Not the kernel, a lease or a routing program.
bool show_is_configured(uint8_t protocol);
