// SPDX-License-Identifier: Apache-2.0
#include "k3s/bootstrap-trial.h"
#include "base/time.h"

void bootstrap_trial_begin(struct bootstrap_trial *trial)
{
	trial->furthest = STAGE_CRDS;
	trial->furthest_at = 0;
	trial->stuck_usec = trial->walked_usec = 0;
}

static void progress_note(struct bootstrap_trial *trial, const struct stage_walk_result *result, bool counts,
	uint64_t now_usec)
{
	if (result->holder && (result->stage > trial->furthest || result->at > trial->furthest_at)) {
		if (result->stage > trial->furthest)
			trial->furthest = result->stage;
		if (result->at > trial->furthest_at)
			trial->furthest_at = result->at;
		trial->stuck_usec = 0;
	} else if (counts && trial->walked_usec) {
		trial->stuck_usec += now_usec - trial->walked_usec;
	}
	trial->walked_usec = counts ? now_usec : 0;
}

static bool may_be_given_up(const struct bootstrap_trial *trial, const char *digest)
{
	return trial->come_back_sec && !str_equal(digest, trial->last_ready) && !str_equal(digest, trial->learned) &&
	       (*trial->last_ready || *trial->learned);
}

enum bootstrap_verdict bootstrap_trial_step(struct bootstrap_trial *trial, const struct stage_walk_result *result,
	const char *used, const char *wanted, uint64_t now_usec)
{
	bool counts = result->error == 0 && result->holder && !result->not_its_own;

	progress_note(trial, result, counts, now_usec);
	if (!*used || str_equal(used, trial->last_ready)) // no artifact is none to come back to
		return BOOTSTRAP_OPEN;
	if (result->stage == N_STAGES) {
		if (!result->holder && !(result->someone_lays && str_equal(used, trial->learned)))
			return BOOTSTRAP_OPEN; // what an older artifact laid may be what was seen
		memcpy(trial->last_ready, used, OCI_DIGEST_TEXT);
		return BOOTSTRAP_PROVEN;
	}
	if (counts && str_equal(used, wanted) && may_be_given_up(trial, wanted) &&
		trial->stuck_usec >= trial->come_back_sec * USEC_PER_SEC)
		return BOOTSTRAP_STUCK;
	return BOOTSTRAP_OPEN;
}

bool bootstrap_trial_learn(struct bootstrap_trial *trial, const char *digest)
{
	char learned[OCI_DIGEST_TEXT] = "";

	if (oci_digest_valid(digest))
		memcpy(learned, digest, OCI_DIGEST_TEXT);
	if (str_equal(learned, trial->learned))
		return false;
	memcpy(trial->learned, learned, OCI_DIGEST_TEXT);
	return true;
}

const char *bootstrap_trial_other(const struct bootstrap_trial *trial, const char *wanted)
{
	if (*trial->learned && !str_equal(trial->learned, wanted))
		return trial->learned;
	return *trial->last_ready && !str_equal(trial->last_ready, wanted) ? trial->last_ready : NULL;
}

void bootstrap_given_up_note(const char *wanted, const char *variables_hash, char ret[static BOOTSTRAP_NOTE_MAX])
{
	snprintf(ret, BOOTSTRAP_NOTE_MAX, "%s %s", wanted, variables_hash);
}

bool bootstrap_trial_is_given_up(const struct bootstrap_trial *trial, const char *note, const char *wanted,
	const char *variables_hash)
{
	char given_up[BOOTSTRAP_NOTE_MAX];

	bootstrap_given_up_note(wanted, variables_hash, given_up);
	return may_be_given_up(trial, wanted) && str_equal(note, given_up);
}
