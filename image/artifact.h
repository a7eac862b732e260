// A folder as a Flux OCI artifact in an OCI layout: deterministic tar.gz (sorted names, fixed times and owners), config,
// manifest with annotations. Same folder and @created give the same digest. Source: fluxcd/pkg oci, "OCI artifacts".
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/oci.h"

struct artifact_request {
	const char *folder;       // what goes in: regular files and folders, nothing else
	const char *layout;       // OCI layout folder, made when missing
	const char *name, *tag;   // "hearth/bootstrap", "v1"
	int64_t created_sec;      // seconds since 1970
	const char *source, *revision; // annotations org.opencontainers.image.source and .revision; may be NULL
};
int artifact_pack(const struct artifact_request *request, char ret_digest[static OCI_DIGEST_TEXT], struct diag *reterr);
