// What a Kubernetes Node object says about the node: Ready or why not, its pod range, addresses, labels. Pure.
// Source: k8s.io/api/core/v1 NodeStatus.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

struct node_readiness {
	char name[254];
	bool ready;
	char sentence[512];     // why it is not Ready, or "" when it is
	bool network_unready;   // not Ready because there is no CNI yet ("cni plugin not initialized")
	char pod_cidr[64];      // "" not allocated yet
	char internal_ip[64];   // first InternalIP, ""
	char kubelet_version[64], runtime_version[64];
	bool unschedulable;
	bool has_etcd, etcd_voter; // a server's: K3s' own condition EtcdIsVoter was there, and is True
	char etcd_name[254];       // its etcd member
	char etcd_message[256];    // of the condition, when it is no voter
	int64_t heartbeat_sec;     // wall time of this node when its kubelet last reported Ready or not, 0 unknown
};
// -EINVAL when @node is no Node object.
int node_readiness_from(const struct value *node, struct node_readiness *ret, struct diag *reterr);
// The first label of @wanted (object of strings) that @node does not carry with that value, or NULL; borrowed key.
const char *node_label_missing(const struct value *node, const struct value *wanted);
/* podCIDR of every Node of a NodeList as a JSON object text {"NAME": "CIDR"}; nodes without one are left out.
 * @ret_n: how many are in it. Caller frees; NULL when @list is no NodeList or memory ran out. */
char *node_list_pod_cidrs(const struct value *list, size_t *ret_n);

enum { NODE_LIST_SEC = 5, NODE_LIST_QUIET_SEC = 60, NODE_LIST_BUSY_SEC = 120, NODE_LIST_PAUSES = 10 };
/* How long after one list of all Nodes the next one is asked for: thousands of Nodes are megabytes. Soon for a while after
 * something new (@since_news_usec), and while one that belongs there is @missing; never more often than the API can bear. */
uint64_t node_list_pause_usec(uint64_t since_news_usec, bool missing, uint64_t took_usec);
