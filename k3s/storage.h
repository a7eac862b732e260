// A cluster's choice of storage as stage files: the default StorageClass and, for `static`, one local PersistentVolume per
// volume that a node has made; for `local-path`, the provisioner K3s itself ships. Pure. They are laid in 25-storage beside
// what the bootstrap artifact has there, before Flux starts. Sources: kubernetes.io "Storage Classes", "local" volumes;
// K3s' manifests/local-storage.yaml for the names of the objects.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "k3s/stages.h"

enum { STORAGE_MAX_VOLUMES = 256, STORAGE_NAME_MAX = 254 }; // of a cluster: every volume is one object, one question per walk

enum storage_kind { STORAGE_STATIC, STORAGE_LOCAL_PATH };

struct storage_volume { // texts borrowed
	const char *node, *name, *path;
	uint64_t bytes;
};
struct storage {
	enum storage_kind kind;
	const char *class_name;
	size_t n_volumes; // local-path: none
	struct storage_volume volumes[STORAGE_MAX_VOLUMES];
};

// A DNS label or subdomain in lower case, as Kubernetes wants of names.
bool storage_name_valid(const char *name);
/* "hearth-NODE-VOLUME" to @ret. -EINVAL when that is no name of a PersistentVolume. */
int storage_volume_name(const struct storage_volume *volume, char ret[static STORAGE_NAME_MAX]);
/* The stage files of @storage (NULL: none), to be freed by stage_extras_free(). -EINVAL with a diag: two volumes would have
 * one name, or a name, path or size is none. */
int storage_render(const struct storage *storage, struct stage_extras **ret, struct diag *reterr);

/* What a person has to know of the volumes of a running cluster, "" nothing: those whose claim was deleted (Released:
 * nobody gets them before a person decides) and those whose node is no longer in the cluster. @volumes: PersistentVolumeList,
 * @nodes: NodeList or NULL. */
void storage_advice(const struct value *volumes, const struct value *nodes, char sentence[static 512]);
#define STORAGE_LABEL "hearth.openova.io/volume" // of every PersistentVolume we lay
