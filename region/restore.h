// A cluster goes back to a snapshot of etcd: everybody's K3s is stopped, one server restores, the
// others join it again by the rules of admission. Pure: the record and facts in, what to do next
// out. Source: docs.k3s.io "k3s etcd-snapshot", Restoring Snapshots, Multiple Servers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/json.h"
#include "region/store.h"

enum restore_state {
	RESTORE_STOPPING,
	RESTORE_RUNNING,
	RESTORE_DONE,
	RESTORE_FAILED,
	RESTORE_UNDONE // a person gave it up: the others go on with what they had
};
enum { RESTORE_MAX_SENTENCE = 1024 };

// What a server says of its part ("k3sRestore" of its status); texts are borrowed.
struct restore_report {
	int64_t number;
	const char *state, *sentence; // stopping, stopped, restoring, restored, failed
};
// Shape and limits; 0, -EINVAL with the rule.
int restore_report_check(const struct value *body, struct diag *reterr);
// Of a status that was checked. false: it says nothing of restore @number.
bool restore_report_find(const struct value *status, int64_t number, struct restore_report *ret);

struct restore_facts {
	const char *name;	      // of the server that restores; NULL: it is none any more
	bool silent;		      // it was not heard for a while
	struct restore_report report; // state NULL: it said nothing of this restore yet
	int64_t away_sec;    // not 0: since it was ordered the region was away for so long
	const char *running; // another server that is heard and did not stop its K3s yet; or NULL
};
enum restore_action { RESTORE_WAIT, RESTORE_BEGIN, RESTORE_END, RESTORE_FAIL };
/* What to do in a @restore that stops or runs. *ret_sentence: what is going on, or why it failed;
 * the caller frees; NULL when memory ran out. */
enum restore_action restore_decide(
	const struct restore *restore, const struct restore_facts *facts, char **ret_sentence);
const char *restore_state_name(int64_t state); // stopping, running, done, failed, undone
// Nobody is admitted, no job and no rollout goes on: it is neither done nor undone.
bool restore_holds(const struct restore *restore);
