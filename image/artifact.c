// A folder of manifests as a Flux artifact. Which folders make sense is k3s/stages.h's business.
// SPDX-License-Identifier: Apache-2.0
#include "image/artifact.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/time.h"
#include "image/tar-bytes.h"
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 8 };

static int visible(const struct dirent *entry)
{
	return !str_equal(entry->d_name, ".") && !str_equal(entry->d_name, "..");
}

// Plain strcmp: the order must not depend on the locale.
static int name_compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int folder_add(struct tar *tar, const char *folder, const char *inside, unsigned depth, struct diag *reterr);

static int one_add(struct tar *tar, const char *folder, const char *inside, const char *name, unsigned depth,
	struct diag *reterr)
{
	char *source AUTO_FREE = str_format("%s/%s", folder, name);
	char *path AUTO_FREE = *inside ? str_format("%s/%s", inside, name) : strdup(name);
	struct stat st;
	int r;

	if (!source || !path)
		return -ENOMEM;
	if (lstat(source, &st) < 0)
		return diag_set(reterr, -errno, source, "cannot be read: %s", strerror(errno));
	if (S_ISREG(st.st_mode))
		return tar_add_file(tar, path, 0644, source, reterr);
	if (!S_ISDIR(st.st_mode))
		return diag_set(reterr, -EINVAL, source, "must be a regular file or a folder");
	if (depth == MAX_DEPTH)
		return diag_set(reterr, -EINVAL, source, "folders may nest %d deep", MAX_DEPTH);
	r = tar_add_folder(tar, path, 0755, reterr);
	return r < 0 ? r : folder_add(tar, source, path, depth + 1, reterr);
}

static int folder_add(struct tar *tar, const char *folder, const char *inside, unsigned depth, struct diag *reterr)
{
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, visible, name_compare), r = 0;

	if (n < 0)
		return diag_set(reterr, -errno, folder, "cannot be read: %s", strerror(errno));
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = one_add(tar, folder, inside, entries[i]->d_name, depth, reterr);
		free(entries[i]);
	}
	free(entries);
	return r;
}

static char *config_json(const struct artifact_request *request, const char *diff_id)
{
	struct json_out out = {0};
	char created[32];

	json_out_object_begin(&out);
	json_out_member(&out, "created", time_format_utc(request->created_sec, created));
	json_out_member(&out, "architecture", "");
	json_out_member(&out, "os", "");
	json_out_key(&out, "config");
	json_out_object_begin(&out);
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

static char *manifest_json(const struct artifact_request *request, const char *config_digest, size_t config_size,
	const char *layer_digest, size_t layer_size)
{
	struct json_out out = {0};
	char created[32];

	json_out_object_begin(&out);
	json_out_member_int(&out, "schemaVersion", 2);
	json_out_member(&out, "mediaType", OCI_TYPE_MANIFEST);
	json_out_key(&out, "config");
	descriptor_out(&out, OCI_TYPE_FLUX_CONFIG, config_digest, config_size);
	json_out_key(&out, "layers");
	json_out_array_begin(&out);
	descriptor_out(&out, OCI_TYPE_FLUX_CONTENT, layer_digest, layer_size);
	json_out_array_end(&out);
	json_out_key(&out, "annotations");
	json_out_object_begin(&out);
	json_out_member(&out, "org.opencontainers.image.created", time_format_utc(request->created_sec, created));
	if (request->source)
		json_out_member(&out, "org.opencontainers.image.source", request->source);
	if (request->revision)
		json_out_member(&out, "org.opencontainers.image.revision", request->revision);
	json_out_object_end(&out);
	json_out_object_end(&out);
	return json_out_take(&out);
}

static int artifact_store(const struct artifact_request *request, const struct bytes *plain,
	const struct bytes *packed, char ret_digest[static OCI_DIGEST_TEXT], struct diag *reterr)
{
	char diff_id[PIN_TEXT], layer[OCI_DIGEST_TEXT], config[OCI_DIGEST_TEXT];
	char *config_text AUTO_FREE = NULL, *manifest AUTO_FREE = NULL;
	uint8_t hash[SHA256_BYTES];
	int r;

	sha256(plain->data, plain->n, hash);
	pin_format(hash, diff_id);
	config_text = config_json(request, diff_id);
	if (!config_text)
		return -ENOMEM;
	r = oci_layout_init(request->layout, reterr);
	if (r == 0)
		r = oci_layout_add_blob(request->layout, packed->data, packed->n, layer, reterr);
	if (r == 0)
		r = oci_layout_add_blob(request->layout, config_text, strlen(config_text), config, reterr);
	if (r < 0)
		return r;
	manifest = manifest_json(request, config, strlen(config_text), layer, packed->n);
	if (!manifest)
		return -ENOMEM;
	r = oci_layout_add_blob(request->layout, manifest, strlen(manifest), ret_digest, reterr);
	if (r < 0)
		return r;
	return oci_layout_tag(request->layout, request->name, request->tag, ret_digest, OCI_TYPE_MANIFEST,
		strlen(manifest), reterr);
}

int artifact_pack(const struct artifact_request *request, char ret_digest[static OCI_DIGEST_TEXT], struct diag *reterr)
{
	struct bytes plain CLEANUP(bytes_done) = {0}, packed CLEANUP(bytes_done) = {0};
	struct tar *tar CLEANUP(tar_freep) = NULL;
	int r;

	if (!oci_name_valid(request->name) || !oci_tag_valid(request->tag))
		return diag_set(reterr, -EINVAL, "name", "\"%s:%s\" is no repository and tag", request->name,
			request->tag);
	r = tar_new(&tar);
	if (r == 0)
		r = folder_add(tar, request->folder, "", 0, reterr);
	if (r == 0)
		r = tar_end(tar, &plain, reterr);
	if (r == 0)
		r = gzip_bytes(&plain, &packed, reterr);
	return r < 0 ? r : artifact_store(request, &plain, &packed, ret_digest, reterr);
}
