// New settings, a new payload or a restart, node by node: drain, give, wait until it runs with them
// and is Ready, uncordon, the next one; stop at the first failure. Servers before workers, as
// Kubernetes' version skew policy asks (no kubelet newer than its API server); who is not Ready
// comes before who is, so that a mended setting reaches the node that a wrong one broke. Pure: the
// record and facts in, what to do next out. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/store.h"

enum { ROLLOUT_TIMEOUT_SEC = 900, ROLLOUT_MAX_TIMEOUT_SEC = 86400 };
enum rollout_state { ROLLOUT_RUNNING, ROLLOUT_STOPPED, ROLLOUT_FAILED, ROLLOUT_DONE };
enum rollout_step {
	ROLLOUT_STEP_PICK,
	ROLLOUT_STEP_DRAIN,
	ROLLOUT_STEP_APPLY,
	ROLLOUT_STEP_UNCORDON
};
enum rollout_job { ROLLOUT_JOB_NONE, ROLLOUT_JOB_GOES_ON, ROLLOUT_JOB_FAILED, ROLLOUT_JOB_DONE };

// A node that could have its turn, in the order of the list (servers by number, workers by number).
struct rollout_candidate {
	bool outdated, is_server, ready;
};
// Index of the next one; SIZE_MAX: none is left.
size_t rollout_next(const struct rollout_candidate *candidates, size_t n);

struct rollout_facts {
	int64_t now_sec;
	bool has_node;	  // PICK: somebody is left. Later: the node is still of the cluster
	const char *name; // of that node
	bool is_server, ready, voter, silent;
	const char *sentence;	    // its own words; may be NULL
	bool has_other_server;	    // somebody could drain it
	const char *unready_server; // other than the node, that is not up (PICK, DRAIN); or NULL
	int64_t restart, wanted_restart; // that it reports (-1: none); that it was given
	bool payload_fits;
	enum rollout_job job;
	const char *job_sentence, *job_server; // may be NULL
};

enum rollout_action {
	ROLLOUT_WAIT,
	ROLLOUT_TAKE,	  // begin with the node that was found: has_node
	ROLLOUT_DRAIN,	  // make the job
	ROLLOUT_APPLY,	  // give it the newest settings and the number of this rollout
	ROLLOUT_UNCORDON, // make the job
	ROLLOUT_NEXT,	  // this one is done
	ROLLOUT_SKIP,	  // it left the cluster
	ROLLOUT_END,
	ROLLOUT_FAIL
};
/* What to do in a running @rollout. *ret_sentence: what is going on, or why it failed; the caller
 * frees; NULL when memory ran out. */
enum rollout_action rollout_decide(
	const struct rollout *rollout, const struct rollout_facts *facts, char **ret_sentence);
const char *rollout_state_name(int64_t state); // running, stopped, failed, done
const char *rollout_step_name(int64_t step);   // pick, drain, apply, uncordon
