// Work inside the cluster that a region gives a healthy server: take a node out of the cluster, empty it, open it again.
// Pure: a job says which question to ask the API next and takes the answer. Asking and waiting is the caller's business.
// Every step may be done twice: a caller that was restarted begins the job again from its start.
// Source: kubernetes.io "API-initiated Eviction", "Safely Drain a Node"; k3s pkg/etcd (managed-etcd-controller) and
// pkg/nodepassword for what hangs on a Node.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

enum job_kind {
	JOB_FORGET_NODE, // delete the Node (K3s takes its etcd member away), wait until it is gone, delete its node password
	JOB_DRAIN,       // cordon, then evict its pods; those of DaemonSets, static ones and finished ones stay
	JOB_UNCORDON,
	JOB_ETCD_SNAPSHOT, // by a command of K3s (k3s/command.h)
	JOB_ROTATE_TOKEN,  // the same
};
bool job_is_command(enum job_kind kind); // not asked of the API: no struct job is made of it
const char *job_kind_text(enum job_kind kind); // "forget-node", ...
int job_kind_parse(const char *text, enum job_kind *ret); // -EINVAL

enum job_state { JOB_RUNNING, JOB_DONE, JOB_FAILED };
const char *job_state_text(enum job_state state); // "running", "done", "failed"

struct job;
/* @node is copied; @self is this node's own name: it cannot forget itself. @created_sec (since 1970; 0: unknown) is when
 * the job was made: a Node that was registered later is not the one that is to be forgotten. -EINVAL: a command's. */
int job_new(enum job_kind kind, const char *node, const char *self, int64_t created_sec, struct job **ret);
struct job *job_free(struct job *job);
DEFINE_CLEANUP(job)

// What the API is to be asked. Borrowed until the next call on the job.
struct job_question {
	const char *method, *path;
	const char *body; // JSON or NULL; of a PATCH: a JSON merge patch
};
/* The next question; false when there is none: the job is over (job_state), or it waits: *ret_wait_sec > 0, ask again
 * then. */
bool job_next(struct job *job, struct job_question *ret, unsigned *ret_wait_sec);

struct job_answer {
	int status;                 // HTTP; 0: the API could not be reached
	const struct value *object; // of a 2xx, else the Status object or NULL
	const char *problem;        // for a person, when it was no 2xx
};
void job_take(struct job *job, const struct job_answer *answer);

enum job_state job_state(const struct job *job);
const char *job_sentence(const struct job *job); // what it waits for, or why it failed; "" when done
