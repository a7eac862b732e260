// Which of networkd's files wait while the kernel has not all of a plan: what was there before is there still, and goes on with
// the leases and router advertisements that it has.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/plan.h"

// Would networkd give up what a link of the file @before asks for, when that becomes @after?
bool lease_file_gives_up(const char *before, const char *after);

struct lease_files { // as they are now
	struct config_files files;
	struct kernel *kernel; // its links
};
void lease_files_done(struct lease_files *now);
int lease_files_read(const char *networkd_folder, struct lease_files *ret, struct diag *reterr);
/* Has @change of one of networkd's files to wait? Every removal has, and what gives up a lease, unless its link is a port in the
 * kernel already, where it is of no use. */
bool lease_files_keep(const struct lease_files *now, const struct change *change);
