// The trial of an artifact while it is laid: was it entirely ready, does it still get further, or is it given up for the
// last one that was ready? Pure; bootstrap.c walks, keeps the notes and lays what this says.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "k3s/bootstrap-cache.h"
#include "k3s/stage-walk.h"

struct bootstrap_trial {
	unsigned come_back_sec;           // nothing more is ready for so long: given up; 0: never
	char last_ready[OCI_DIGEST_TEXT]; // the last one that this server saw entirely ready, "" none
	char learned[OCI_DIGEST_TEXT];    // the last one that was, as the Lease says, "" it does not
	// of the one that is walked
	enum stage_id furthest;
	size_t furthest_at;   // objects
	uint64_t stuck_usec;  // how long nothing went on
	uint64_t walked_usec; // the end of the last walk that counts, 0: it did not
};
enum bootstrap_verdict {
	BOOTSTRAP_OPEN,
	BOOTSTRAP_PROVEN, // entirely ready, and last_ready was another one until now: here, or by the Lease's word as well
	BOOTSTRAP_STUCK,  // to be given up
};

// Another artifact is walked from now on.
void bootstrap_trial_begin(struct bootstrap_trial *trial);
/* A walk has ended. Only time in which this server lays and the artifact itself is waited for counts: others see what the
 * holder laid, which may be another artifact. An object more that is ready is progress, too.
 *   used    digest of the artifact that was walked, "" there is none
 *   wanted  of the one that should be laid: another one is never given up
 * BOOTSTRAP_PROVEN sets last_ready; with BOOTSTRAP_STUCK there is one to come back to. */
enum bootstrap_verdict bootstrap_trial_step(struct bootstrap_trial *trial, const struct stage_walk_result *result,
	const char *used, const char *wanted, uint64_t now_usec);
/* The Lease says @digest. Who may write it is not known for sure, so it counts for little: that one is not given up, it is
 * the first choice of what comes back, and what is seen ready under another server is known to be its. What was seen ready
 * here stays known, and is never given up for it. false: no news. Anything but a digest is "". */
bool bootstrap_trial_learn(struct bootstrap_trial *trial, const char *digest);
/* What comes back when @wanted cannot be had, is refused or is given up: NULL when nothing else was ever ready. The Lease's
 * before our own: this server may have been away. */
const char *bootstrap_trial_other(const struct bootstrap_trial *trial, const char *wanted);

// The note of what was given up: the digest and the hash of what was given to it.
void bootstrap_given_up_note(const char *wanted, const char *variables_hash, char ret[static BOOTSTRAP_NOTE_MAX]);
// @note says that this very one was given up, and that still counts: it was ready nowhere since, and there is another one.
bool bootstrap_trial_is_given_up(const struct bootstrap_trial *trial, const char *note, const char *wanted,
	const char *variables_hash);
