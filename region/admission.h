// Who may join the cluster now, by which server, and the one sentence for who has to wait; and
// whether a server may leave. Pure: facts in, decision out (docs/cluster.md, "What follows from
// it"). SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/util.h"

// A server that was admitted and is still of the cluster. Texts are borrowed.
struct admission_server {
	const char *name;
	bool ready, silent;   // reports ready and is not quarantined; was not heard for a while
	bool quarantined;     // never ready; the sentence says why
	bool voter, joined;   // votes in etcd; did so at any time since it was admitted
	const char *sentence; // its own words; may be NULL
};

// A node that left and is being removed from the cluster (a job forget-node).
struct admission_leaving {
	const char *name;
	const char *server; // who removes it; NULL while nobody can
	bool was_server, failed;
	bool same_machine;	    // as the one who asks, whatever names they have
	const char *job, *sentence; // of a failed one
};

struct admission_question {
	const char *cluster, *name;
	bool is_server, durable;
	const char *first; // name of the server that makes or made the cluster; NULL: none yet
	bool handed_over, ever_ready;
	const struct admission_server *servers; // without the one who asks
	size_t n_servers;
	const struct admission_leaving *leaving;
	size_t n_leaving;
};

/* May this node join? The first server itself does not ask.
 * true, or false with a sentence (the caller frees; NULL when memory ran out). The sentence has no
 * numbers that run: an assignment that differs is a new one. */
bool admission_decide(const struct admission_question *question, char **ret_sentence);
/* The server to join by: an index, SIZE_MAX when there is none. A Ready voter that is heard, else a
 * Ready one, else any; @first (a name, may be NULL) before others of its kind. */
size_t admission_join_by(
	const struct admission_server *servers, size_t n_servers, const char *first);

struct quorum {
	size_t n_voters; // members of etcd that vote
	size_t n_needed; // that is more than half of them
	size_t n_left;	 // voters that are Ready and heard, without the one that leaves
};
/* May @leaving (an index) be cut off without etcd losing its majority? Who does not vote may always
 * go. The members of now count: the one that leaves is silent before it is removed, and so are the
 * @n_removed that left before and are still members of etcd. */
bool admission_may_leave(const struct admission_server *servers, size_t n_servers, size_t n_removed,
	size_t leaving, struct quorum *ret);
