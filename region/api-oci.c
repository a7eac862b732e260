// /v2: a read-only OCI registry over one layout folder that holds many repositories (base/oci.h).
// SPDX-License-Identifier: Apache-2.0
#include "region/api.h"

#include "base/file.h"
#include "region/oci-path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { MAX_MANIFEST = 4 << 20, MAX_INDEX = 16 << 20 };

static int answer_missing(struct request *request, const char *code, const char *what)
{
	struct json_out out = { 0 };
	json_out_object_begin(&out);
	json_out_key(&out, "errors");
	json_out_array_begin(&out);
	json_out_object_begin(&out);
	json_out_member(&out, "code", code);
	json_out_member(&out, "message", what);
	json_out_object_end(&out);
	json_out_array_end(&out);
	json_out_object_end(&out);
	return request_answer_json(request, 404, &out);
}

static int open_blob(const struct region *region, const char *digest, uint64_t *ret_size)
{
	AUTO_FREE char *path =
		str_format("%s/blobs/sha256/%s", region->layout_dir, digest + strlen("sha256:"));
	struct stat st;
	if (!path)
		return -ENOMEM;
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -ENOENT;
	*ret_size = (uint64_t)st.st_size;
	return TAKE_FD(fd);
}

static int load_index(const struct region *region, struct value **ret)
{
	AUTO_FREE char *path = str_format("%s/index.json", region->layout_dir);
	return path ? json_load(path, MAX_INDEX, ret, NULL) : -ENOMEM;
}

static int load_manifest(const struct region *region, const char *digest, char **ret_text,
	size_t *ret_n, struct value **ret)
{
	AUTO_FREE char *path =
		str_format("%s/blobs/sha256/%s", region->layout_dir, digest + strlen("sha256:"));
	AUTO_FREE char *text = NULL;
	size_t n;
	int r = path ? file_read(path, MAX_MANIFEST, &text, &n, NULL) : -ENOMEM;
	if (r < 0 || (r = json_parse(text, n, MAX_MANIFEST, ret, NULL)) < 0)
		return r;
	if (ret_text)
		*ret_text = TAKE_PTR(text);
	*ret_n = n;
	return 0;
}

static int answer_manifest(
	struct region *region, struct request *request, const struct oci_path *path)
{
	CLEANUP(value_freep) struct value *index = NULL, *manifest = NULL;
	AUTO_FREE char *text = NULL;
	const char *digest = path->reference;
	size_t n;
	if (!path->is_digest) {
		if (load_index(region, &index) < 0)
			return answer_missing(
				request, "NAME_UNKNOWN", "this region serves no content");
		digest = value_text(
			value_find(oci_index_find(index, path->name, path->reference), "digest"));
		if (!digest || !oci_digest_valid(digest))
			return answer_missing(request, "MANIFEST_UNKNOWN", "there is no such tag");
	}
	if (load_manifest(region, digest, &text, &n, &manifest) < 0 ||
		manifest->type != VALUE_OBJECT || !value_find(manifest, "schemaVersion"))
		return answer_missing(request, "MANIFEST_UNKNOWN", "there is no such manifest");
	int r = request_answer_bytes(request, 200, oci_manifest_type(manifest), TAKE_PTR(text), n);
	request_answer_header(request, "Docker-Content-Digest", digest);
	return r;
}

static int answer_blob(struct region *region, struct request *request, const struct oci_path *path)
{
	uint64_t size;
	int fd = open_blob(region, path->reference, &size);
	if (fd < 0)
		return answer_missing(request, "BLOB_UNKNOWN", "there is no such blob");
	int r = request_answer_file(request, fd, size, "application/octet-stream");
	request_answer_header(request, "Docker-Content-Digest", path->reference);
	return r;
}

static int answer_tags(struct region *region, struct request *request, const struct oci_path *path)
{
	CLEANUP(value_freep) struct value *index = NULL;
	struct json_out out = { 0 };
	size_t n = 0;
	const struct value *manifests =
		load_index(region, &index) < 0 ? NULL : value_find(index, "manifests");
	json_out_object_begin(&out);
	json_out_member(&out, "name", path->name);
	json_out_key(&out, "tags");
	json_out_array_begin(&out);
	for (size_t i = 0; manifests && i < manifests->n; i++) {
		const char *tag = oci_index_tag(&manifests->items[i], path->name);
		if (tag) {
			json_out_string(&out, tag);
			n++;
		}
	}
	json_out_array_end(&out);
	json_out_object_end(&out);
	if (n)
		return request_answer_json(request, 200, &out);
	json_out_done(&out);
	return answer_missing(request, "NAME_UNKNOWN", "there is no such repository");
}

static void put_referrer(const struct region *region, const struct value *descriptor,
	const char *subject, struct json_out *out)
{
	CLEANUP(value_freep) struct value *manifest = NULL;
	const char *digest = value_text(value_find(descriptor, "digest"));
	size_t n;
	if (!digest || !oci_digest_valid(digest) ||
		load_manifest(region, digest, NULL, &n, &manifest) < 0 ||
		!str_equal(value_text(value_path(manifest, "subject", "digest", NULL)), subject))
		return;
	const char *type = value_text(value_find(manifest, "artifactType"));
	json_out_object_begin(out);
	json_out_member(out, "mediaType", oci_manifest_type(manifest));
	json_out_member(out, "digest", digest);
	json_out_member_int(out, "size", (int64_t)n);
	json_out_member(out, "artifactType",
		type ? type : value_text(value_path(manifest, "config", "mediaType", NULL)));
	if (value_find(manifest, "annotations")) {
		json_out_key(out, "annotations");
		json_out_value(out, value_find(manifest, "annotations"));
	}
	json_out_object_end(out);
}

static int answer_referrers(
	struct region *region, struct request *request, const struct oci_path *path)
{
	CLEANUP(value_freep) struct value *index = NULL;
	struct json_out out = { 0 };
	const struct value *manifests =
		load_index(region, &index) < 0 ? NULL : value_find(index, "manifests");
	json_out_object_begin(&out);
	json_out_member_int(&out, "schemaVersion", 2);
	json_out_member(&out, "mediaType", OCI_TYPE_INDEX);
	json_out_key(&out, "manifests");
	json_out_array_begin(&out);
	for (size_t i = 0; manifests && i < manifests->n; i++)
		put_referrer(region, &manifests->items[i], path->reference, &out);
	json_out_array_end(&out);
	json_out_object_end(&out);
	char *text = json_out_take(&out);
	return request_answer_bytes(request, 200, OCI_TYPE_INDEX, text, text ? strlen(text) : 0);
}

int api_oci(struct region *region, struct request *request)
{
	struct oci_path path;
	int r = -EINVAL;
	if (oci_path_parse(request->path + strlen("/v2/"), &path) < 0)
		return answer_missing(request, "NAME_INVALID", "there is no such resource");
	if (path.kind != OCI_ROOT && !region->layout_dir)
		return answer_missing(request, "NAME_UNKNOWN",
			"this region serves no content (hearth-region serve --layout)");
	switch (path.kind) {
	case OCI_ROOT:
		r = request_answer_bytes(request, 200, "application/json", strdup("{}"), 2);
		break;
	case OCI_MANIFEST:
		r = answer_manifest(region, request, &path);
		break;
	case OCI_BLOB:
		r = answer_blob(region, request, &path);
		break;
	case OCI_TAGS:
		r = answer_tags(region, request, &path);
		break;
	case OCI_REFERRERS:
		r = answer_referrers(region, request, &path);
		break;
	}
	request_answer_header(request, "Docker-Distribution-Api-Version", "registry/2.0");
	return r;
}
