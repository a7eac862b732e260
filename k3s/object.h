// One live Kubernetes object against the one a stage wants: is it ready, and where does it live in the API? Pure.
// Source: kubectl rollout status and kstatus for the rules per kind; Kubernetes API discovery (APIResourceList).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/manifest.h"

/* Is this live object ready? Deployment: updated and available replicas (@one_is_enough: one of them, for a network's
 * operator that spreads over nodes which are not there yet); StatefulSet, DaemonSet: ready; CRD: Established; Job:
 * Complete; Namespace: Active; PersistentVolume: it could be, is or was bound; Flux objects: Ready; others: a Ready condition they have, else they exist.
 * @live NULL: it is not there yet. @sentence says what is missing, "" when ready. */
bool object_ready(const struct manifest_object *wanted, const struct value *live, bool one_is_enough,
	char sentence[static 512]);
/* Stage 25-storage: of what runs pods only the object counts. A provisioner's pod may wait for a node, a network or an image
 * that come later, and Flux needs nothing but the class: that wait was a deadlock. */
bool object_is_workload(const struct manifest_object *wanted);
bool object_exists(const struct manifest_object *wanted, const struct value *live, char sentence[static 512]);
/* Stage 20-cni: a DaemonSet's pod on @node is what counts. @pods: PodList of the DaemonSet's namespace. */
bool object_is_daemon_set(const struct manifest_object *wanted);
bool daemon_set_ready_here(const struct manifest_object *wanted, const struct value *pods, const char *node,
	char sentence[static 512]);
/* Was @live (an object, or the PodList of daemon_set_ready_here()) made before @wall_sec? Then it may still be as an
 * older file said. What does not say when it was made was not. */
bool object_predates(const struct manifest_object *wanted, const struct value *live, int64_t wall_sec);
/* API path of @wanted, with the resource list of its group and version (APIResourceList) from discovery.
 * -ENOENT: the kind is not served (yet); -EINVAL: a name that cannot stand in a path. Caller frees. */
int object_path(const struct manifest_object *wanted, const struct value *resource_list, char **ret);
// "/api/v1" or "/apis/GROUP/VERSION"; caller frees.
char *object_discovery_path(const char *api_version);
