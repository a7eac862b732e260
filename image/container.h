// A container image of a few static files: as an OCI layout entry, or as a tar that `docker load`, `ctr images import`
// and K3s' images folder take. One layer, deterministic.
// Source: OCI image specification 1.1; moby "Docker image specification v1.2" (manifest.json of docker save).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/oci.h"
#include <sys/types.h>

struct container_file {
	const char *path;   // in the image, absolute: "/pause"
	const char *source; // file on disk; NULL: an empty folder
	mode_t mode;        // 0755
};
struct container_request {
	const struct container_file *files;
	size_t n_files;
	const char *const *entrypoint; // NULL-terminated
	const char *const *environment; // NULL-terminated "NAME=value"; may be NULL
	const char *user;         // "65534:65534"; may be NULL
	const char *architecture; // "amd64"
	int64_t created_sec;
};
// Into an OCI layout (made when missing) as NAME:TAG.
int container_pack_layout(const struct container_request *request, const char *layout, const char *name, const char *tag,
	char ret_digest[static OCI_DIGEST_TEXT], struct diag *reterr);
// As a docker-save tar at @path that carries @reference ("registry/name:tag") as its name.
int container_pack_tar(const struct container_request *request, const char *path, const char *reference,
	struct diag *reterr);
