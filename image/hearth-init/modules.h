// Kernel modules: modules.dep and modules.alias of stage 1 are the list of what it carries.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>

void modules_open(void); // or gives up
// One that is built into the kernel is not in modules.dep: what needs it will say so.
void module_want(const char *name);
// Load drivers for every device of @bus that was not looked at before; was there any?
bool modules_coldplug(const char *bus);
