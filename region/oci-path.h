// What a request to /v2 names (OCI distribution spec 1.1, read-only part), and where it is in an
// index. Pure. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/oci.h"
#include "base/value.h"

enum oci_kind { OCI_ROOT, OCI_MANIFEST, OCI_BLOB, OCI_TAGS, OCI_REFERRERS };
struct oci_path {
	enum oci_kind kind;
	char name[OCI_NAME_MAX + 1];
	char reference[OCI_TAG_MAX + 1]; // tag or digest; digest for blobs and referrers
	bool is_digest;
};
// Parse what follows "/v2/". -EINVAL: no such resource.
int oci_path_parse(const char *text, struct oci_path *ret);
// Descriptor of NAME:TAG in the index of a layout, or NULL.
const struct value *oci_index_find(const struct value *index, const char *name, const char *tag);
// The tag of a descriptor when it belongs to repository @name, or NULL.
const char *oci_index_tag(const struct value *descriptor, const char *name);
// The media type of a manifest's own bytes, parsed: its mediaType, or what its members tell.
const char *oci_manifest_type(const struct value *manifest);
