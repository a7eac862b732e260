// What PUT /v1/cluster may change: the first server hands over what others need to join, any server
// that is of the cluster renews the administrator's kubeconfig. And which one is asked to. Pure.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "region/admission.h"

enum hand_over_verdict {
	HAND_OVER_ALL,	      // CA, token, kubeconfig
	HAND_OVER_KUBECONFIG, // all else is as it was
	HAND_OVER_REFUSED,    // not by this node: not-first-server
	HAND_OVER_DIFFERS,    // it runs another cluster: cluster-known
};
struct hand_over_question {
	const char *name;		       // of the node that asks
	bool first;			       // it is the server that makes or made the cluster
	const struct admission_server *server; // as a server that was admitted; NULL: it is none
	bool handed_over, ever_ready;	       // the cluster
	const char *known_ca_hash, *ca_hash;   // stored, and of the node
	bool same;			       // CA and token are those that are stored
};
/* *ret_sentence (the caller frees; NULL: no memory) for HAND_OVER_REFUSED and HAND_OVER_DIFFERS,
 * else NULL. */
enum hand_over_verdict hand_over_decide(
	const struct hand_over_question *question, char **ret_sentence);
/* The server that is to hand over its kubeconfig anew: an index, SIZE_MAX when there is none. It is
 * Ready, heard, votes, and its own certificates do not end soon (@certificates_end): it has no
 * better one then. @first (an index or SIZE_MAX) before others. */
size_t hand_over_renewer(const struct admission_server *servers, const bool *certificates_end,
	size_t n_servers, size_t first);
