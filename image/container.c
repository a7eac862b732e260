// Container images of a few static files.
// SPDX-License-Identifier: Apache-2.0
#include "image/container.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/time.h"
#include "image/tar-bytes.h"
#include <errno.h>

#define TYPE_CONFIG "application/vnd.oci.image.config.v1+json"
#define TYPE_LAYER "application/vnd.oci.image.layer.v1.tar+gzip"

enum { MAX_FOLDERS = 64 };

struct folders {
	size_t n;
	char *paths[MAX_FOLDERS];
};

static void folders_done(struct folders *folders)
{
	for (size_t i = 0; i < folders->n; i++)
		free(folders->paths[i]);
}

// Each folder once, before what is in it.
static int folder_once(struct tar *tar, struct folders *folders, const char *path, size_t n, mode_t mode,
	struct diag *reterr)
{
	char *name;

	for (size_t i = 0; i < folders->n; i++)
		if (strlen(folders->paths[i]) == n && strncmp(folders->paths[i], path, n) == 0)
			return 0;
	if (folders->n == MAX_FOLDERS)
		return diag_set(reterr, -E2BIG, path, "an image may have at most %d folders", MAX_FOLDERS);
	name = strndup(path, n);
	if (!name)
		return -ENOMEM;
	folders->paths[folders->n++] = name;
	return tar_add_folder(tar, name, mode, reterr);
}

static int layer_make(const struct container_request *request, struct bytes *ret, struct diag *reterr)
{
	struct folders folders CLEANUP(folders_done) = {0};
	struct tar *tar CLEANUP(tar_freep) = NULL;
	int r = tar_new(&tar);

	for (size_t i = 0; i < request->n_files && r == 0; i++) {
		const struct container_file *file = &request->files[i];
		const char *path = file->path + 1;

		if (*file->path != '/' || !*path || path[strlen(path) - 1] == '/')
			return diag_set(reterr, -EINVAL, file->path, "must be an absolute path");
		for (const char *slash = strchr(path, '/'); slash && r == 0; slash = strchr(slash + 1, '/'))
			r = folder_once(tar, &folders, path, (size_t)(slash - path), 0755, reterr);
		if (r == 0 && file->source)
			r = tar_add_file(tar, path, file->mode, file->source, reterr);
		else if (r == 0)
			r = folder_once(tar, &folders, path, strlen(path), file->mode, reterr);
	}
	return r < 0 ? r : tar_end(tar, ret, reterr);
}

static void list_out(struct json_out *out, const char *key, const char *const *list)
{
	if (!list)
		return;
	json_out_key(out, key);
	json_out_array_begin(out);
	for (size_t i = 0; list[i]; i++)
		json_out_string(out, list[i]);
	json_out_array_end(out);
}

static char *config_json(const struct container_request *request, const char *diff_id)
{
	struct json_out out = {0};
	char created[32];

	json_out_object_begin(&out);
	json_out_member(&out, "created", time_format_utc(request->created_sec, created));
	json_out_member(&out, "architecture", request->architecture);
	json_out_member(&out, "os", "linux");
	json_out_key(&out, "config");
	json_out_object_begin(&out);
	if (request->user)
		json_out_member(&out, "User", request->user);
	list_out(&out, "Env", request->environment);
	list_out(&out, "Entrypoint", request->entrypoint);
	json_out_member(&out, "WorkingDir", "/");
	json_out_object_end(&out);
	json_out_key(&out, "rootfs");
	json_out_object_begin(&out);
	json_out_member(&out, "type", "layers");
	json_out_key(&out, "diff_ids");
	json_out_array_begin(&out);
	json_out_string(&out, diff_id);
	json_out_array_end(&out);
	json_out_object_end(&out);
	json_out_object_end(&out);
	return json_out_take(&out);
}

static void descriptor_out(struct json_out *out, const char *media_type, const char *digest, size_t size)
{
	json_out_object_begin(out);
	json_out_member(out, "mediaType", media_type);
	json_out_member(out, "digest", digest);
	json_out_member_int(out, "size", (int64_t)size);
	json_out_object_end(out);
}

static char *manifest_json(const char *config_digest, size_t config_size, const char *layer_digest, size_t layer_size)
{
	struct json_out out = {0};

	json_out_object_begin(&out);
	json_out_member_int(&out, "schemaVersion", 2);
	json_out_member(&out, "mediaType", OCI_TYPE_MANIFEST);
	json_out_key(&out, "config");
	descriptor_out(&out, TYPE_CONFIG, config_digest, config_size);
	json_out_key(&out, "layers");
	json_out_array_begin(&out);
	descriptor_out(&out, TYPE_LAYER, layer_digest, layer_size);
	json_out_array_end(&out);
	json_out_object_end(&out);
	return json_out_take(&out);
}

static void digest_of(const struct bytes *bytes, char ret[static PIN_TEXT])
{
	uint8_t hash[SHA256_BYTES];

	sha256(bytes->data, bytes->n, hash);
	pin_format(hash, ret);
}

int container_pack_layout(const struct container_request *request, const char *layout, const char *name, const char *tag,
	char ret_digest[static OCI_DIGEST_TEXT], struct diag *reterr)
{
	struct bytes plain CLEANUP(bytes_done) = {0}, packed CLEANUP(bytes_done) = {0};
	char diff_id[PIN_TEXT], layer[OCI_DIGEST_TEXT], config[OCI_DIGEST_TEXT];
	char *config_text AUTO_FREE = NULL, *manifest AUTO_FREE = NULL;
	int r;

	if (!oci_name_valid(name) || !oci_tag_valid(tag))
		return diag_set(reterr, -EINVAL, "name", "\"%s:%s\" is no repository and tag", name, tag);
	r = layer_make(request, &plain, reterr);
	if (r == 0)
		r = gzip_bytes(&plain, &packed, reterr);
	if (r < 0)
		return r;
	digest_of(&plain, diff_id);
	config_text = config_json(request, diff_id);
	if (!config_text)
		return -ENOMEM;
	r = oci_layout_init(layout, reterr);
	if (r == 0)
		r = oci_layout_add_blob(layout, packed.data, packed.n, layer, reterr);
	if (r == 0)
		r = oci_layout_add_blob(layout, config_text, strlen(config_text), config, reterr);
	if (r < 0)
		return r;
	manifest = manifest_json(config, strlen(config_text), layer, packed.n);
	if (!manifest)
		return -ENOMEM;
	r = oci_layout_add_blob(layout, manifest, strlen(manifest), ret_digest, reterr);
	if (r < 0)
		return r;
	return oci_layout_tag(layout, name, tag, ret_digest, OCI_TYPE_MANIFEST, strlen(manifest), reterr);
}

static char *docker_manifest_json(const char *config_name, const char *layer_name, const char *reference)
{
	struct json_out out = {0};

	json_out_array_begin(&out);
	json_out_object_begin(&out);
	json_out_member(&out, "Config", config_name);
	json_out_key(&out, "RepoTags");
	json_out_array_begin(&out);
	json_out_string(&out, reference);
	json_out_array_end(&out);
	json_out_key(&out, "Layers");
	json_out_array_begin(&out);
	json_out_string(&out, layer_name);
	json_out_array_end(&out);
	json_out_object_end(&out);
	json_out_array_end(&out);
	return json_out_take(&out);
}

int container_pack_tar(const struct container_request *request, const char *path, const char *reference,
	struct diag *reterr)
{
	struct bytes plain CLEANUP(bytes_done) = {0}, image CLEANUP(bytes_done) = {0};
	struct tar *tar CLEANUP(tar_freep) = NULL;
	char diff_id[PIN_TEXT], config_digest[PIN_TEXT];
	char *config AUTO_FREE = NULL, *config_name AUTO_FREE = NULL, *layer_name AUTO_FREE = NULL;
	char *manifest AUTO_FREE = NULL;
	struct oci_reference parsed;
	int r = oci_reference_parse(reference, &parsed, reterr);

	if (r == 0)
		r = layer_make(request, &plain, reterr);
	if (r < 0)
		return r;
	digest_of(&plain, diff_id);
	config = config_json(request, diff_id);
	if (!config)
		return -ENOMEM;
	digest_of(&(struct bytes){.data = config, .n = strlen(config)}, config_digest);
	config_name = str_format("%s.json", config_digest + strlen("sha256:"));
	layer_name = str_format("%s.tar", diff_id + strlen("sha256:"));
	manifest = config_name && layer_name ? docker_manifest_json(config_name, layer_name, reference) : NULL;
	if (!manifest)
		return -ENOMEM;
	r = tar_new(&tar);
	if (r == 0)
		r = tar_add_bytes(tar, "manifest.json", 0644, manifest, strlen(manifest), reterr);
	if (r == 0)
		r = tar_add_bytes(tar, config_name, 0644, config, strlen(config), reterr);
	if (r == 0)
		r = tar_add_bytes(tar, layer_name, 0644, plain.data, plain.n, reterr);
	if (r == 0)
		r = tar_end(tar, &image, reterr);
	return r < 0 ? r : file_write_atomic(path, image.data, image.n, 0644, reterr);
}
