// SPDX-License-Identifier: Apache-2.0
#include "region/oci-path.h"

#include <errno.h>

static const struct {
	const char *word;
	enum oci_kind kind;
} kinds[] = { { "/manifests/", OCI_MANIFEST }, { "/blobs/", OCI_BLOB },
	{ "/referrers/", OCI_REFERRERS }, { "/tags/list", OCI_TAGS } };

// The last occurrence: a repository may be called a/blobs/b.
static const char *find_last(const char *text, const char *word)
{
	const char *found = NULL;
	for (const char *at = text; (at = strstr(at, word)); at++)
		found = at;
	return found;
}

int oci_path_parse(const char *text, struct oci_path *ret)
{
	struct oci_path path = { .kind = OCI_ROOT };
	const char *at = NULL, *rest = NULL;
	if (!*text) {
		*ret = path;
		return 0;
	}
	for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
		const char *found = find_last(text, kinds[i].word);
		if (found && (!at || found > at)) {
			at = found;
			rest = found + strlen(kinds[i].word);
			path.kind = kinds[i].kind;
		}
	}
	if (!at || (size_t)(at - text) >= sizeof(path.name) ||
		strlen(rest) >= sizeof(path.reference))
		return -EINVAL;
	memcpy(path.name, text, (size_t)(at - text));
	memcpy(path.reference, rest, strlen(rest));
	path.is_digest = oci_digest_valid(path.reference);
	if (!oci_name_valid(path.name))
		return -EINVAL;
	if (path.kind == OCI_TAGS	    ? path.reference[0] != '\0'
		: path.kind == OCI_MANIFEST ? !path.is_digest && !oci_tag_valid(path.reference)
					    : !path.is_digest)
		return -EINVAL;
	*ret = path;
	return 0;
}

const char *oci_index_tag(const struct value *descriptor, const char *name)
{
	const char *ref = value_text(
		value_path(descriptor, "annotations", "org.opencontainers.image.ref.name", NULL));
	size_t n = strlen(name);
	return ref && strncmp(ref, name, n) == 0 && ref[n] == ':' && oci_tag_valid(ref + n + 1)
		       ? ref + n + 1
		       : NULL;
}

const struct value *oci_index_find(const struct value *index, const char *name, const char *tag)
{
	const struct value *manifests = value_find(index, "manifests");
	for (size_t i = 0; manifests && manifests->type == VALUE_ARRAY && i < manifests->n; i++) {
		const char *own = oci_index_tag(&manifests->items[i], name);
		if (own && str_equal(own, tag))
			return &manifests->items[i];
	}
	return NULL;
}

const char *oci_manifest_type(const struct value *manifest)
{
	const char *type = value_text(value_find(manifest, "mediaType"));
	if (type && strlen(type) < 128 && strchr(type, '/'))
		return type;
	return value_find(manifest, "manifests") ? OCI_TYPE_INDEX : OCI_TYPE_MANIFEST;
}
