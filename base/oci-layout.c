// An OCI image layout on disk (OCI image spec 1.1, image-layout.md): blobs by digest, index.json with the tags.
// SPDX-License-Identifier: Apache-2.0
#include "base/oci.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { COPY_BYTES = 128 << 10, INDEX_MAX_BYTES = 4 << 20 };
#define REF_NAME "org.opencontainers.image.ref.name"

static int fail(struct diag *reterr, int error, const char *path, const char *what)
{
	return diag_set(reterr, error, path, "%s: %s", what, strerror(-error));
}

static int write_once(const char *folder, const char *name, const char *text, struct diag *reterr)
{
	AUTO_FREE char *path = str_format("%s/%s", folder, name);

	if (!path)
		return fail(reterr, -ENOMEM, folder, "cannot be made");
	return file_exists(path) ? 0 : file_write_atomic(path, text, strlen(text), 0644, reterr);
}

int oci_layout_init(const char *folder, struct diag *reterr)
{
	AUTO_FREE char *blobs = str_format("%s/blobs/sha256", folder);
	int r = blobs ? file_make_folders(blobs, 0755) : -ENOMEM;

	if (r < 0)
		return fail(reterr, r, folder, "cannot be made");
	r = write_once(folder, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", reterr);
	if (r < 0)
		return r;
	return write_once(folder, "index.json",
		"{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_INDEX "\",\"manifests\":[]}", reterr);
}

static char *blob_path(const char *folder, const char *digest)
{
	return str_format("%s/blobs/sha256/%s", folder, digest + strlen("sha256:"));
}

int oci_layout_add_blob(const char *folder, const void *bytes, size_t n, char ret_digest[static OCI_DIGEST_TEXT],
	struct diag *reterr)
{
	uint8_t hash[SHA256_BYTES];

	sha256(bytes, n, hash);
	pin_format(hash, ret_digest);
	AUTO_FREE char *path = blob_path(folder, ret_digest);
	if (!path)
		return fail(reterr, -ENOMEM, folder, "a blob cannot be added");
	return file_exists(path) ? 0 : file_write_atomic(path, bytes, n, 0644, reterr);
}

static int copy_hashed(int from_fd, int to_fd, uint8_t ret_hash[static 32], uint64_t *ret_size)
{
	CLEANUP(sha256_stream_freep) struct sha256_stream *stream = sha256_stream_new();
	AUTO_FREE char *buffer = malloc(COPY_BYTES);
	uint64_t size = 0;

	if (!stream || !buffer)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(from_fd, buffer, COPY_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		sha256_stream_add(stream, buffer, (size_t)n);
		size += (uint64_t)n;
		for (ssize_t done = 0; done < n;) {
			ssize_t written = write(to_fd, buffer + done, (size_t)(n - done));
			if (written < 0 && errno != EINTR)
				return -errno;
			done += written > 0 ? written : 0;
		}
	}
	sha256_stream_end(stream, ret_hash);
	*ret_size = size;
	return 0;
}

int oci_layout_add_blob_file(const char *folder, const char *path, char ret_digest[static OCI_DIGEST_TEXT],
	uint64_t *ret_size, struct diag *reterr)
{
	AUTO_CLOSE int from_fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t hash[SHA256_BYTES];
	uint64_t size = 0;

	if (from_fd < 0)
		return fail(reterr, -errno, path, "cannot be opened");
	AUTO_FREE char *temp = str_format("%s/blobs/sha256/.new-XXXXXX", folder);
	if (!temp)
		return fail(reterr, -ENOMEM, folder, "a blob cannot be added");
	AUTO_CLOSE int to_fd = mkostemp(temp, O_CLOEXEC);
	if (to_fd < 0)
		return fail(reterr, -errno, folder, "a blob cannot be added");
	int r = copy_hashed(from_fd, to_fd, hash, &size);
	if (r == 0) {
		pin_format(hash, ret_digest);
		AUTO_FREE char *name = blob_path(folder, ret_digest);
		if (!name)
			r = -ENOMEM;
		else if (fchmod(to_fd, 0644) < 0 || fsync(to_fd) < 0 || rename(temp, name) < 0)
			r = -errno;
	}
	if (r < 0) {
		(void)unlink(temp); // nobody refers to it
		return fail(reterr, r, path, "cannot be added as a blob");
	}
	if (ret_size)
		*ret_size = size;
	return 0;
}

static char *index_with(const struct value *index, const char *ref_name, const char *digest, const char *media_type,
	uint64_t size)
{
	const struct value *manifests = value_find(index, "manifests");
	struct json_out out = { 0 };

	json_out_object_begin(&out);
	json_out_member_int(&out, "schemaVersion", 2);
	json_out_member(&out, "mediaType", OCI_TYPE_INDEX);
	json_out_key(&out, "manifests");
	json_out_array_begin(&out);
	for (size_t i = 0; manifests && manifests->type == VALUE_ARRAY && i < manifests->n; i++) {
		const struct value *name = value_path(&manifests->items[i], "annotations", REF_NAME, NULL);
		if (!str_equal(value_text(name), ref_name))
			json_out_value(&out, &manifests->items[i]);
	}
	json_out_object_begin(&out);
	json_out_member(&out, "mediaType", media_type);
	json_out_member(&out, "digest", digest);
	json_out_member_int(&out, "size", (int64_t)size);
	json_out_key(&out, "annotations");
	json_out_object_begin(&out);
	json_out_member(&out, REF_NAME, ref_name);
	json_out_object_end(&out);
	json_out_object_end(&out);
	json_out_array_end(&out);
	json_out_object_end(&out);
	return json_out_take(&out);
}

int oci_layout_tag(const char *folder, const char *name, const char *tag, const char *digest, const char *media_type,
	uint64_t size, struct diag *reterr)
{
	CLEANUP(value_freep) struct value *index = NULL;

	if (!oci_name_valid(name) || !oci_tag_valid(tag) || !oci_digest_valid(digest))
		return diag_set(reterr, -EINVAL, folder, "a tag must be NAME:TAG with a digest, not \"%s:%s\" with \"%s\"", name,
			tag, digest);
	AUTO_FREE char *path = str_format("%s/index.json", folder), *ref_name = str_format("%s:%s", name, tag);
	if (!path || !ref_name)
		return fail(reterr, -ENOMEM, folder, "cannot be tagged");
	// Two writers must not lose each other's tags; the lock goes with the descriptor.
	AUTO_CLOSE int lock_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock_fd < 0 || flock(lock_fd, LOCK_EX) < 0)
		return fail(reterr, -errno, folder, "cannot be locked");
	int r = json_load(path, INDEX_MAX_BYTES, &index, reterr);
	if (r < 0)
		return r;
	AUTO_FREE char *text = index_with(index, ref_name, digest, media_type, size);
	if (!text)
		return fail(reterr, -ENOMEM, folder, "cannot be tagged");
	return file_write_atomic(path, text, strlen(text), 0644, reterr);
}
