// A process that outlives the one that changes the network, and undoes the change when that one is killed or when nobody
// confirms in time. It is forked before the journal is written, so it needs neither systemd nor D-Bus, is in the same
// network namespace, and there is no moment without it. A person who logs out or whose connection breaks does not end it:
// it has a session of its own. What ends it as well (a control group that is killed, a power cut) is what the journal is
// for: the next start undoes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/trial.h"

struct guard {
	pid_t pid;
	int pipe_fd;
};
enum { // exit status of the guard
	GUARD_IDLE = 0, // nothing was to be done: confirmed, or undone by somebody else
	GUARD_UNDONE,
	GUARD_FAILED,
	GUARD_KILLED, // not by itself: it has undone nothing
};
/* @lock_fd is held by both from now on, until one of them unlocks it. @deadline_usec 0: undo only when the caller dies. */
int guard_start(const struct trial *trial, int lock_fd, uint64_t deadline_usec, struct guard *ret, struct diag *reterr);
void guard_applied(struct guard *guard); // the change is made: from now on only the deadline counts
int guard_end(struct guard *guard); // nothing is left to guard; its exit status
// Has it ended? Its exit status, or -1.
int guard_ended(struct guard *guard, bool wait);
