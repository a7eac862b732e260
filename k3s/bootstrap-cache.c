// Keeping and re-checking the last verified artifact.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/bootstrap-cache.h"
#include "base/crypto.h"
#include "base/file.h"
#include <dirent.h>
#include <errno.h>

enum { MAX_KEYS = 16 };

static int pin_compare(const void *a, const void *b)
{
	return memcmp(a, b, SHA256_BYTES);
}

int bootstrap_keys_hash(const char *const *key_pems, size_t n_keys, char ret[static 65], struct diag *reterr)
{
	uint8_t pins[MAX_KEYS][SHA256_BYTES], hash[SHA256_BYTES];

	if (n_keys == 0 || n_keys > MAX_KEYS)
		return diag_set(reterr, -EINVAL, "signing keys", "there must be 1-%d, not %zu", MAX_KEYS, n_keys);
	for (size_t i = 0; i < n_keys; i++)
		if (public_key_pem_pin(key_pems[i], pins[i]) < 0)
			return diag_set(reterr, -EINVAL, "signing keys", "key %zu is no PEM public key", i + 1);
	qsort(pins, n_keys, SHA256_BYTES, pin_compare);
	sha256(pins, n_keys * SHA256_BYTES, hash);
	hex_encode(hash, sizeof(hash), ret);
	return 0;
}

int bootstrap_layer(const char *manifest, size_t n, struct oci_layer *ret, struct diag *reterr)
{
	struct oci_manifest parsed;
	int r = oci_manifest_parse(manifest, n, &parsed, reterr);

	if (r < 0)
		return r;
	if (!str_equal(parsed.config_type, OCI_TYPE_FLUX_CONFIG) || parsed.n_layers != 1 ||
		!str_equal(parsed.layers[0].media_type, OCI_TYPE_FLUX_CONTENT))
		r = diag_set(reterr, -EBADMSG, "bootstrap", "is no Flux artifact with one layer of manifests");
	else if (parsed.layers[0].size > BOOTSTRAP_LAYER_MAX)
		r = diag_set(reterr, -EBADMSG, "bootstrap", "its layer is larger than %d bytes", BOOTSTRAP_LAYER_MAX);
	if (r == 0) {
		*ret = parsed.layers[0];
		ret->annotations = NULL; // belongs to the document
	}
	oci_manifest_done(&parsed);
	return r;
}

static char *cache_path(const char *folder, const char *digest, const char *what)
{
	return str_format("%s/%s.%s", folder, digest + strlen("sha256:"), what);
}

static bool bytes_are(const char *bytes, size_t n, const char *digest)
{
	char text[PIN_TEXT];
	uint8_t hash[SHA256_BYTES];

	sha256(bytes, n, hash);
	pin_format(hash, text);
	return str_equal(text, digest);
}

int bootstrap_cache_load(const char *folder, const char *digest, const char *keys_hash, char **ret, size_t *ret_n)
{
	char *manifest_path AUTO_FREE = cache_path(folder, digest, "manifest");
	char *layer_path AUTO_FREE = cache_path(folder, digest, "layer");
	char *keys_path AUTO_FREE = cache_path(folder, digest, "keys");
	char *manifest AUTO_FREE = NULL, *layer AUTO_FREE = NULL, *keys AUTO_FREE = NULL;
	struct oci_layer wanted;
	size_t n_manifest = 0, n_layer = 0;

	if (!manifest_path || !layer_path || !keys_path)
		return -ENOENT;
	if (file_read(keys_path, SHA256_HEX, &keys, NULL, NULL) < 0 || !str_equal(keys, keys_hash) ||
		file_read(manifest_path, OCI_MANIFEST_MAX, &manifest, &n_manifest, NULL) < 0 ||
		!bytes_are(manifest, n_manifest, digest) || bootstrap_layer(manifest, n_manifest, &wanted, NULL) < 0 ||
		file_read(layer_path, BOOTSTRAP_LAYER_MAX, &layer, &n_layer, NULL) < 0 ||
		!bytes_are(layer, n_layer, wanted.digest))
		return -ENOENT;
	*ret = TAKE_PTR(layer);
	*ret_n = n_layer;
	return 0;
}

static void dir_closep(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir); // read only
}

static void others_drop(const char *folder, const char *hex)
{
	DIR *dir CLEANUP(dir_closep) = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *path AUTO_FREE = NULL;

		if (strspn(entry->d_name, "0123456789abcdef") != SHA256_HEX || entry->d_name[SHA256_HEX] != '.' ||
			strncmp(entry->d_name, hex, SHA256_HEX) == 0)
			continue;
		path = str_format("%s/%s", folder, entry->d_name);
		if (path)
			(void)file_remove(path); // an old artifact that stays costs a little room, no more
	}
}

int bootstrap_cache_save(const char *folder, const char *digest, const char *keys_hash, const char *manifest,
	size_t n_manifest, const char *layer, size_t n_layer, struct diag *reterr)
{
	char *manifest_path AUTO_FREE = cache_path(folder, digest, "manifest");
	char *layer_path AUTO_FREE = cache_path(folder, digest, "layer");
	char *keys_path AUTO_FREE = cache_path(folder, digest, "keys");
	int r = file_make_folders(folder, 0700);

	if (!manifest_path || !layer_path || !keys_path)
		return -ENOMEM;
	if (r < 0)
		return diag_set(reterr, r, folder, "cannot be made: %s", strerror(-r));
	r = file_write_atomic(manifest_path, manifest, n_manifest, 0600, reterr);
	if (r == 0)
		r = file_write_atomic(layer_path, layer, n_layer, 0600, reterr);
	if (r == 0) // last: it says that the two others are good
		r = file_write_atomic(keys_path, keys_hash, strlen(keys_hash), 0600, reterr);
	if (r == 0)
		others_drop(folder, digest + strlen("sha256:"));
	return r;
}
