// SPDX-License-Identifier: Apache-2.0
#include "image/k3s-release.h"

#include "base/file.h"
#include "image/build.h"
#include "image/fetch.h"
#include "image/k3s-payload.h"

#include <errno.h>

enum { CA_MAX_BYTES = 1 << 20, MAX_MIRRORS = 16, MAX_STALL_SEC = 3600 };

static void file_done(struct k3s_file *file)
{
	words_done(&file->urls);
	free(file->path);
	free(file->sha256);
}

void k3s_release_done(struct k3s_release *release)
{
	file_done(&release->binary);
	file_done(&release->images);
	free(release->version);
	free(release->ca);
	*release = (struct k3s_release){ 0 };
}

static int take(const struct value *map, const char *key, char **into, struct diag *reterr)
{
	const struct value *value = value_find(map, key);
	const char *text;
	int rc = value ? value_string(value, key, &text, reterr) : 0;

	if (rc < 0 || !value)
		return rc;
	if (!*text || strpbrk(text, "\n\r"))
		return diag_set(reterr, -EINVAL, key, "must be one line that is not empty");
	char *copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*into);
	*into = copy;
	return 0;
}

static void text_drop(char **text)
{
	free(*text);
	*text = NULL;
}

/* A url in the place of the base's file or the reverse: that is gone, with the hash that was its. Both in one map stay, to
 * be refused. Returns whether so. */
static bool kind_change(const struct value *map, struct k3s_file *file)
{
	bool url = value_find(map, "url"), path = value_find(map, "file");

	if (url == path || (url ? !file->path : !file->urls.n))
		return false;
	words_done(&file->urls);
	text_drop(&file->path);
	text_drop(&file->sha256);
	return true;
}

// url, mirrors, file and sha256 of one of the two.
static int file_take(const struct value *map, struct k3s_file *file, struct diag *reterr)
{
	const struct value *mirrors = value_find(map, "mirrors");
	AUTO_FREE char *url = NULL;
	int rc = take(map, "url", &url, reterr);

	if (rc == 0)
		rc = take(map, "file", &file->path, reterr);
	if (rc == 0)
		rc = take(map, "sha256", &file->sha256, reterr);
	if (rc < 0)
		return rc;
	if (url) {
		words_done(&file->urls);
		rc = words_add(&file->urls, url);
	}
	if (rc < 0 || !mirrors)
		return rc;
	if (!url || mirrors->type != VALUE_ARRAY || mirrors->n > MAX_MIRRORS)
		return diag_set(reterr, -EINVAL, "mirrors", "must be a list of at most %d URLs beside url", MAX_MIRRORS);
	for (size_t i = 0; i < mirrors->n && rc == 0; i++) {
		const char *mirror;
		rc = value_string(&mirrors->items[i], "mirrors", &mirror, reterr);
		if (rc == 0)
			rc = words_add(&file->urls, mirror);
	}
	return rc;
}

int k3s_release_read(const struct value *map, struct k3s_release *release, struct diag *reterr)
{
	static const char *const keys[] = { "version", "url", "mirrors", "file", "sha256", "ca", "images", NULL };
	static const char *const image_keys[] = { "url", "mirrors", "file", "sha256", NULL };
	const struct value *images = value_find(map, "images");
	int rc = map->type == VALUE_OBJECT ? value_only_keys(map, "k3s", keys, reterr) :
					     diag_set(reterr, -EINVAL, "k3s", "must be a map");

	if (rc == 0 && kind_change(map, &release->binary))
		text_drop(&release->version); // of the file that is gone
	if (rc == 0)
		rc = take(map, "version", &release->version, reterr);
	if (rc == 0)
		rc = take(map, "ca", &release->ca, reterr);
	if (rc == 0)
		rc = file_take(map, &release->binary, reterr);
	if (rc < 0 || !images)
		return rc;
	if (images->type != VALUE_OBJECT)
		return diag_set(reterr, -EINVAL, "k3s.images", "must be a map");
	rc = value_only_keys(images, "k3s.images", image_keys, reterr);
	if (rc == 0)
		(void)kind_change(images, &release->images); // images have no version of their own
	return rc < 0 ? rc : file_take(images, &release->images, reterr);
}

static int file_check(const struct k3s_file *file, const char *what, struct diag *reterr)
{
	uint8_t hash[SHA256_BYTES];

	if (file->path && file->urls.n)
		return diag_set(reterr, -EINVAL, what, "is a file or a URL, not both");
	if (file->urls.n && !file->sha256)
		return diag_set(reterr, -EINVAL, what, "is fetched, so its SHA-256 must be named");
	if (!file->urls.n && !file->path && file->sha256)
		return diag_set(reterr, -EINVAL, what, "has a SHA-256, but neither a URL nor a file");
	if (file->sha256 && (strlen(file->sha256) != SHA256_HEX || hex_decode(file->sha256, hash, sizeof(hash)) < 0))
		return diag_set(reterr, -EINVAL, what, "its SHA-256 must be 64 lower-case hex digits, not \"%s\"", file->sha256);
	for (size_t i = 0; i < file->urls.n; i++)
		if (!str_starts(file->urls.items[i], "https://") && !str_starts(file->urls.items[i], "http://"))
			return diag_set(reterr, -EINVAL, what, "must be at https:// or http://, not \"%s\"", file->urls.items[i]);
	return 0;
}

int k3s_release_check(const struct k3s_release *release, struct diag *reterr)
{
	int rc = file_check(&release->binary, "k3s", reterr);

	if (rc == 0)
		rc = file_check(&release->images, "k3s.images", reterr);
	if (rc < 0)
		return rc;
	if (release->binary.urls.n && !release->version)
		return diag_set(reterr, -EINVAL, "k3s", "is fetched, so its version must be named");
	if (!k3s_release_wanted(release) && (release->images.path || release->images.urls.n || release->version))
		return diag_set(reterr, -EINVAL, "k3s", "has images or a version, but no binary");
	if (release->stall_sec > MAX_STALL_SEC)
		return diag_set(reterr, -EINVAL, "stall", "must be at most %d seconds", MAX_STALL_SEC);
	return 0;
}

// A local file whose hash was named has to have it.
static int local_check(const struct k3s_file *file, struct diag *reterr)
{
	char hex[SHA256_HEX + 1];
	int rc = file->sha256 ? sha256_file(file->path, hex, reterr) : 0;

	if (rc < 0 || !file->sha256 || str_equal(hex, file->sha256))
		return rc;
	return diag_set(reterr, -EBADMSG, file->path, "must have the SHA-256 %s, but has %s: refused", file->sha256, hex);
}

// Where the file lies now; *ret_path stays NULL when there is none.
static int file_get(const struct k3s_release *release, const struct k3s_file *file, const char *cache, const char *ca,
	char **ret_path, struct diag *reterr)
{
	if (file->path) {
		int rc = local_check(file, reterr);
		return rc < 0 ? rc : (*ret_path = strdup(file->path)) ? 0 : -ENOMEM;
	}
	if (!file->urls.n)
		return 0;
	const char *slash = strrchr(file->urls.items[0], '/');
	AUTO_FREE char *folder = str_format("%s/k3s-%.16s", cache, file->sha256);
	AUTO_FREE char *name = slash && slash[1] ? strndup(slash + 1, strcspn(slash + 1, "?#")) : strdup("k3s");
	AUTO_FREE char *path = folder && name ? str_format("%s/%s", folder, *name ? name : "k3s") : NULL;
	int rc = path ? file_make_folders(folder, 0755) : -ENOMEM;

	if (rc == 0)
		rc = fetch_file(&(struct fetch_from){ .urls = &file->urls, .ca_pem = ca, .stall_sec = release->stall_sec },
			file->sha256, path, reterr);
	if (rc == 0)
		rc = cache_prune(cache, "k3s-", folder, reterr);
	if (rc == 0)
		*ret_path = TAKE_PTR(path);
	return rc;
}

int k3s_release_payload(const struct k3s_release *release, const char *cache, const char *folder, struct diag *reterr)
{
	AUTO_FREE char *k3s = NULL, *images = NULL, *ca = NULL;
	int rc = release->ca ? file_read(release->ca, CA_MAX_BYTES, &ca, NULL, reterr) : 0;

	if (rc == 0)
		rc = file_get(release, &release->binary, cache, ca, &k3s, reterr);
	if (rc == 0)
		rc = file_get(release, &release->images, cache, ca, &images, reterr);
	// Which release it is, is known only of a file whose hash was named.
	return rc < 0 ? rc : k3s_payload_from_file(k3s, release->version,
		release->binary.sha256 ? "k3s-release" : "k3s-binary", images, folder, reterr);
}
