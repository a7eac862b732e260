// Confirm or roll back: a network is applied on trial, and stands only once somebody confirms it. Before the first change
// the state that was is written down (journal.h); whoever finds a journal that nobody waits for undoes the change. So
// after a kill or a power cut at any moment the machine has the last confirmed network or the new one.
//
// In the folder: `journal` while something is on trial, `tried` the document on trial, `confirmed` the last one that was
// confirmed, `keys/` copies of the WireGuard keys the journal's document needs. Whether a network proves itself is the
// caller's to decide, and so is keeping the deadline: nothing here waits.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "netconf/journal.h"
#include "netconf/network.h"

#define TRIAL_CONFIRMED "confirmed-network"
#define TRIAL_TRIED "tried-network"
#define TRIAL_KEYS "keys"
enum { TRIAL_MAX_DOCUMENT = 16 << 20, TRIAL_MAX_SEC = 86400 };

struct trial;
/* What touches the machine. trial_kernel is the real one; tests have their own. */
struct trial_steps {
	/* Fill in @ret what was: before, strangers, files, resolv. May write key copies into the folder. */
	int (*remember)(const struct trial *trial, struct network *tried, struct journal *ret, struct diag *reterr);
	/* What @network would change; *ret is plan_free()d. 1: nothing, it is what is there already. */
	int (*plan)(const struct trial *trial, struct network *network, struct plan **ret, struct diag *reterr);
	/* @plan: of this very network, made under this very lock. */
	int (*apply)(const struct trial *trial, struct network *network, struct plan *plan, struct diag *reterr);
	/* Make the state of @journal so again; it may be half there. 1: done, but for what reterr says; -EBADMSG: nobody could
	 * ever, the journal says no network. */
	int (*restore)(const struct trial *trial, const struct journal *journal, struct diag *reterr);
};
extern const struct trial_steps trial_kernel;

struct trial { // all borrowed
	const char *folder;  // NULL: trial_default_folder()
	const char *who;     // "hearth-net"
	const char *boot_id; // NULL: the kernel's
	const struct netconf_options *options; // NULL: all defaults
	const struct trial_steps *steps;       // NULL: trial_kernel
	/* What was before and cannot be made so again is tried again by the caller, who has another network in the end: the last
	 * confirmed one never comes in its place, so that no two take turns. */
	bool has_other;
	/* A stored document becomes a network. NULL: netconf_decode() of it. An agent that lays documents over what it knows
	 * of first contact does that here; "" is then first contact alone. */
	int (*decode)(const char *document, struct network **ret, void *user, struct diag *reterr);
	void *user;
};
// On STATE of a Hearth node, else in /var/lib/hearth.
const char *trial_default_folder(void);
const char *trial_folder(const struct trial *trial);
int trial_decode(const struct trial *trial, const char *document, struct network **ret, struct diag *reterr);

/* One at a time: whoever changes the network or the journal holds the lock. Every function below takes @lock_fd as the
 * proof. -EWOULDBLOCK: somebody has it (after @wait_usec). The kernel opens the lock when the holder dies. */
int trial_lock(const struct trial *trial, uint64_t wait_usec, int *ret_lock_fd, struct diag *reterr);
// Who has the lock, for a sentence: "hearthd (process 412)"; the caller frees. NULL: nobody, or it cannot be told.
char *trial_lock_holder(const struct trial *trial);

enum trial_standing {
	TRIAL_NONE,    // nothing on trial
	TRIAL_WAITS,   // somebody still waits for its confirmation
	TRIAL_STALE,   // it is over: to be undone
	TRIAL_DAMAGED, // the journal cannot be read
};
/* What is on trial, without a change to anything; @ret_journal (may be NULL) is filled with WAITS and STALE. Whether the
 * program of a journal without a deadline still lives tells the lock: who holds it here is not that program. */
enum trial_standing trial_look(const struct trial *trial, uint64_t now_usec, struct journal *ret_journal);

/* Undo what is stale, and plan @network: *ret is the plan to hand on. 1: nothing has to change. -EBUSY: another one is on
 * trial. */
int trial_prepare(const struct trial *trial, int lock_fd, struct network *network, struct plan **ret, struct diag *reterr);
/* Put @document (of which @network and @plan were made) on trial until @deadline_usec (CLOCK_BOOTTIME; 0: for as long as
 * this program holds the lock). When it returns 0 the change is made and journalled. A failure: undone, unless reterr says
 * that this failed as well; without a deadline it is a person's order, and as much as can stand stands, the last confirmed
 * network remaining it. */
int trial_begin(const struct trial *trial, int lock_fd, const char *document, struct network *network,
	struct plan *plan, uint64_t deadline_usec, struct diag *reterr);
/* What is on trial is the confirmed network from now on. -ENOENT: nothing is on trial; -ETIME: too late, it is undone
 * (soon); or its journal is damaged: nothing says what was tried, and it was undone as by trial_revert(). What has no deadline
 * can be confirmed by trial_stand() alone. */
int trial_confirm(const struct trial *trial, int lock_fd, uint64_t now_usec, struct diag *reterr);
/* The same for the one that began it without a deadline, still under the lock that it began it with: to anybody else such a
 * journal is of a program that was killed while it changed the network. */
int trial_stand(const struct trial *trial, int lock_fd, struct diag *reterr);
/* @document is the confirmed one, without a trial: it is what stands. Written only when it differs. */
int trial_keep(const struct trial *trial, int lock_fd, const char *document, struct diag *reterr);
/* Undo now: what was before is there again, or, after a power cut or with a damaged journal, the last confirmed network.
 * 1: undone, and reterr says what is not as it was, if anything; 0: it was confirmed already, only the journal was left.
 * -ENOENT: nothing is on trial, and never anything else. -ENODATA: the journal is damaged and no network was ever confirmed, so
 * that what there is stays. After another failure the journal stays: call again. */
int trial_revert(const struct trial *trial, int lock_fd, struct diag *reterr);
/* The same for who tries again soon: when what was before cannot be made so again, the last confirmed network does not come
 * in its place, so that the two do not take turns. */
int trial_try_revert(const struct trial *trial, int lock_fd, struct diag *reterr);
/* It cannot be undone for good, and the caller takes care of the network: what there is stays, and nobody undoes it any more. */
int trial_abandon(const struct trial *trial, int lock_fd, struct diag *reterr);
/* At a start: undo what is stale. After a power cut, when the kernel has nothing any more, or with a damaged journal (which
 * is set aside), that is to apply the last confirmed network. 1: undone, reterr says what and why; 0: nothing to do. */
int trial_recover(const struct trial *trial, int lock_fd, uint64_t now_usec, struct diag *reterr);
/* The same at a boot where nobody else applies a network: without anything to undo the last confirmed one is applied, if there
 * is one and nothing waits for its confirmation. 1 and 0 as trial_recover(). */
int trial_boot(const struct trial *trial, int lock_fd, uint64_t now_usec, struct diag *reterr);
// The last confirmed document; NULL: there is none. The caller frees.
char *trial_confirmed(const struct trial *trial);
