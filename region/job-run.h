// Jobs in the store: made, given to a server, ended by what that one says. Which server is decided
// in job.h. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/job.h"
#include "region/membership.h"

int job_make(struct region *region, const char *kind, const struct node *node,
	char ret_id[static ID_TEXT]);
/* Remove what is to be done about node @node_id except its removal from the cluster; NULL: every
 * job. */
int jobs_forget(struct region *region, const char *node_id);
// Give each job to a server that can do it. *ret_changed is set when one changed hands.
int jobs_place(struct region *region, const struct membership *membership, bool *ret_changed);
// Keep what server @node says of its jobs. *ret_changed is set when one ended.
int jobs_take(struct region *region, const struct node *node, const struct member_report *report,
	bool *ret_changed);

// What people ask for. -ENOENT, -EALREADY with a sentence.
/* Do a failed job again, under a new id: a server that knows the old one does nothing for it. */
int job_retry(struct region *region, const char *actor, const char *id, char ret_id[static ID_TEXT],
	struct diag *reterr);
int job_drop(struct region *region, const char *actor, const char *id, struct diag *reterr);
