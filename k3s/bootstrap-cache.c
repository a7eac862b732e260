// Keeping and re-checking verified artifacts.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/bootstrap-cache.h"
#include "base/crypto.h"
#include "base/file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

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
		r = diag_set(reterr, -EFBIG, "bootstrap", "its layer has %llu bytes and may have %d: nothing of it was fetched",
			(unsigned long long)parsed.layers[0].size, BOOTSTRAP_LAYER_MAX);
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

char *bootstrap_cache_layer(const char *folder, const char *digest)
{
	return cache_path(folder, digest, "layer");
}

static bool file_is(const char *path, const char *digest)
{
	int fd AUTO_CLOSE = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char found[OCI_DIGEST_TEXT];

	return fd >= 0 && oci_file_digest(fd, found) == 0 && str_equal(found, digest);
}

int bootstrap_cache_check(const char *folder, const char *digest, const char *keys_hash)
{
	char *manifest_path AUTO_FREE = cache_path(folder, digest, "manifest");
	char *layer_path AUTO_FREE = cache_path(folder, digest, "layer");
	char *keys_path AUTO_FREE = cache_path(folder, digest, "keys");
	char *manifest AUTO_FREE = NULL, *keys AUTO_FREE = NULL;
	struct oci_layer wanted;
	size_t n_manifest = 0;

	if (!manifest_path || !layer_path || !keys_path)
		return -ENOENT;
	if (file_read(keys_path, SHA256_HEX, &keys, NULL, NULL) < 0 || !str_equal(keys, keys_hash) ||
		file_read(manifest_path, OCI_MANIFEST_MAX, &manifest, &n_manifest, NULL) < 0 ||
		!bytes_are(manifest, n_manifest, digest) || bootstrap_layer(manifest, n_manifest, &wanted, NULL) < 0 ||
		!file_is(layer_path, wanted.digest))
		return -ENOENT;
	return 0;
}

static void dir_closep(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir); // read only
}

static bool is_of_one(const char *name, const char *const digests[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (oci_digest_valid(digests[i]) && strncmp(name, digests[i] + strlen("sha256:"), SHA256_HEX) == 0)
			return true;
	return false;
}

void bootstrap_cache_keep(const char *folder, const char *const digests[], size_t n)
{
	DIR *dir CLEANUP(dir_closep) = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *path AUTO_FREE = NULL;

		if (strspn(entry->d_name, "0123456789abcdef") != SHA256_HEX || entry->d_name[SHA256_HEX] != '.' ||
			is_of_one(entry->d_name, digests, n))
			continue;
		path = str_format("%s/%s", folder, entry->d_name);
		if (path)
			(void)file_remove(path); // an old artifact that stays costs a little room, no more
	}
}

int bootstrap_cache_save(const char *folder, const char *digest, const char *keys_hash, const char *manifest,
	size_t n_manifest, struct diag *reterr)
{
	char *manifest_path AUTO_FREE = cache_path(folder, digest, "manifest");
	char *keys_path AUTO_FREE = cache_path(folder, digest, "keys");
	int r;

	if (!manifest_path || !keys_path)
		return -ENOMEM;
	r = file_write_atomic(manifest_path, manifest, n_manifest, 0600, reterr);
	if (r == 0) // last: it says that manifest and layer are good
		r = file_write_atomic(keys_path, keys_hash, strlen(keys_hash), 0600, reterr);
	return r;
}

static const char *const note_names[] = {[BOOTSTRAP_NOTE_READY] = "ready", [BOOTSTRAP_NOTE_BROKEN] = "broken",
	[BOOTSTRAP_NOTE_TAG] = "tag"};

int bootstrap_note_write(const char *folder, enum bootstrap_note note, const char *text)
{
	char *path AUTO_FREE = str_format("%s/%s", folder, note_names[note]);

	if (!path)
		return -ENOMEM;
	return text ? file_write_atomic(path, text, strlen(text), 0600, NULL) : file_remove(path);
}

void bootstrap_note_read(const char *folder, enum bootstrap_note note, char ret[static BOOTSTRAP_NOTE_MAX])
{
	char *path AUTO_FREE = str_format("%s/%s", folder, note_names[note]), *text AUTO_FREE = NULL;

	*ret = '\0';
	if (path && file_read(path, BOOTSTRAP_NOTE_MAX - 1, &text, NULL, NULL) == 0)
		snprintf(ret, BOOTSTRAP_NOTE_MAX, "%s", text);
}

// What tells a tag from another one, and from one of another repository.
static void tag_hash(const char *repository, const char *tag, char ret[static 65])
{
	uint8_t hashes[2][SHA256_BYTES], hash[SHA256_BYTES];

	sha256(repository, strlen(repository), hashes[0]);
	sha256(tag, strlen(tag), hashes[1]);
	sha256(hashes, sizeof(hashes), hash);
	hex_encode(hash, sizeof(hash), ret);
}

void bootstrap_tag_note(const char *folder, const char *repository, const char *tag, const char *digest)
{
	char hash[65], note[BOOTSTRAP_NOTE_MAX], before[BOOTSTRAP_NOTE_MAX];

	if (!*folder)
		return;
	tag_hash(repository, tag, hash);
	snprintf(note, sizeof(note), "%s %s", digest, hash);
	bootstrap_note_read(folder, BOOTSTRAP_NOTE_TAG, before);
	if (!str_equal(note, before)) // without it that hearthd goes on with the last one that was ready
		(void)bootstrap_note_write(folder, BOOTSTRAP_NOTE_TAG, note);
}

void bootstrap_tag_noted(const char *folder, const char *repository, const char *tag, char ret[static OCI_DIGEST_TEXT])
{
	char hash[65], note[BOOTSTRAP_NOTE_MAX];

	if (!*folder)
		return;
	tag_hash(repository, tag, hash);
	bootstrap_note_read(folder, BOOTSTRAP_NOTE_TAG, note);
	if (strlen(note) != OCI_DIGEST_TEXT + 64 || note[OCI_DIGEST_TEXT - 1] != ' ' ||
		!str_equal(note + OCI_DIGEST_TEXT, hash))
		return;
	note[OCI_DIGEST_TEXT - 1] = '\0';
	if (oci_digest_valid(note))
		memcpy(ret, note, OCI_DIGEST_TEXT);
}
