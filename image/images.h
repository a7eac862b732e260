// Which container images a bootstrap needs, and which of them a folder has (air gap).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "image/bundle.h"
#include "image/words.h"

/* Images of every workload of @bundle, and of the charts in its HelmCharts by their values (what a chart computes is not
 * seen), in full form and without digest: docker.io/library/busybox:1.37. Sorted, each once. */
int images_of_bundle(const struct bundle *bundle, struct words *ret);
/* What @folder has: an OCI layout (index.json), or archives by docker save, skopeo or K3s (.tar, .tar.gz, .tar.zst, ...). */
int images_of_folder(const char *folder, struct words *ret, struct diag *reterr);
// "busybox" -> "docker.io/library/busybox:latest"; a digest goes away when there is a tag. Caller frees.
char *image_full_name(const char *name);
