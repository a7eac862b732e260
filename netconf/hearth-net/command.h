// The subcommands of hearth-net and what they share.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/plan.h"
#include "netconf/trial.h"

enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_UNDONE = 3,     // try: it failed, or nobody confirmed it in time, and it was undone
	EXIT_NOT_UNDONE = 4, // ... and that failed: the journal is still there; or it is damaged and nothing was ever confirmed
	EXIT_NO_TRIAL = 5,   // confirm, revert: nothing is on trial
	EXIT_PARTLY = 6,     // apply: some changes failed, the others stand
};
struct arguments {
	const char *file; // NULL: netplan's folders
	bool json, boot;
	uint64_t timeout_sec;
	struct netconf_options options;
	struct trial trial;
};

int run_plan(const struct arguments *arguments);
int run_diff(const struct arguments *arguments);
int run_show(const struct arguments *arguments);
int run_apply(const struct arguments *arguments);
int run_try(const struct arguments *arguments);
int run_confirm(const struct arguments *arguments);
int run_revert(const struct arguments *arguments);
int run_recover(const struct arguments *arguments);

/* document.c: the document the arguments name, decoded and validated. ret_text (may be NULL): the text of the one file that
 * they name, NULL when there may be several; the caller frees. */
int load_network(const struct arguments *arguments, struct network **ret, char **ret_text, struct diag *reterr);
