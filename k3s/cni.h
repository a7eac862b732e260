// The lab's and demo's own cluster network: bridge + host-local on the node's pod range, loopback, portmap. Pure.
// Masquerading is not left to the bridge plugin: its ipMasq would hide the pod's address from every pod on another
// node. Instead the agent puts cni_masquerade_rules() into its table `inet hearth`: only what leaves pod and mesh
// ranges is masqueraded, so pod-to-pod traffic crosses WireGuard with its own addresses.
// Source: containernetworking CNI specification 1.0.0; cni.dev plugin references.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

#define CNI_CONFLIST_PATH "/etc/cni/net.d/10-hearth.conflist"
#define CNI_BRIDGE "hearth-cni0"

/* The conflist. @pod_cidr: IPv4 or IPv6 range of this node (one). @cluster_pod_cidr: the cluster's range, which it must
 * lie in. @mtu 1280-9000. -EINVAL with a diag; -ERANGE pod_cidr outside the cluster's. Caller frees. */
int cni_conflist_render(const char *pod_cidr, const char *cluster_pod_cidr, unsigned mtu, char **ret,
	struct diag *reterr);
/* One nft chain for table `inet hearth`, in nft syntax ("chain pod-masquerade { type nat hook postrouting ... }"), IPv4
 * or IPv6 by the range's family. Caller frees. */
int cni_masquerade_rules(const char *pod_cidr, const char *cluster_pod_cidr, const char *mesh_cidr, char **ret,
	struct diag *reterr);
