// OCI names and digests, and reading and writing OCI image layouts on disk (OCI distribution and image spec 1.1).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/diag.h"

enum { OCI_DIGEST_TEXT = 7 + 64 + 1, OCI_NAME_MAX = 255, OCI_TAG_MAX = 128 };

// "sha256:" + 64 lower-case hex; the only algorithm we take. false otherwise.
bool oci_digest_valid(const char *digest);
bool oci_name_valid(const char *name); // [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/...)*
bool oci_tag_valid(const char *tag);   // [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}

struct oci_reference { // [oci://]registry[:port]/name[:tag][@digest]
	char registry[256], name[OCI_NAME_MAX + 1], tag[OCI_TAG_MAX + 1], digest[OCI_DIGEST_TEXT];
};
int oci_reference_parse(const char *text, struct oci_reference *ret, struct diag *reterr);

#define OCI_TYPE_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define OCI_TYPE_INDEX "application/vnd.oci.image.index.v1+json"
#define OCI_TYPE_FLUX_CONFIG "application/vnd.cncf.flux.config.v1+json"
#define OCI_TYPE_FLUX_CONTENT "application/vnd.cncf.flux.content.v1.tar+gzip"

/* A layout folder as Hearth uses it: oci-layout, blobs/sha256/HEX, and index.json whose manifests have the annotations
 * org.opencontainers.image.ref.name = "NAME:TAG" (one layout serves many repositories). */
int oci_layout_init(const char *folder, struct diag *reterr);
int oci_layout_add_blob(const char *folder, const void *bytes, size_t n, char ret_digest[static OCI_DIGEST_TEXT],
	struct diag *reterr);
int oci_layout_add_blob_file(const char *folder, const char *path, char ret_digest[static OCI_DIGEST_TEXT],
	uint64_t *ret_size, struct diag *reterr);
int oci_layout_tag(const char *folder, const char *name, const char *tag, const char *digest, const char *media_type,
	uint64_t size, struct diag *reterr);
