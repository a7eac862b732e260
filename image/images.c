// SPDX-License-Identifier: Apache-2.0
#include "image/images.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/json.h"
#include "base/yaml.h"
#include "image/chart.h"
#include "image/tree.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>

enum { INDEX_MAX_BYTES = 4 << 20, MAX_DEPTH = 32 };

char *image_full_name(const char *name)
{
	const char *at = strchr(name, '@');
	AUTO_FREE char *plain = strndup(name, at ? (size_t)(at - name) : strlen(name));
	const char *slash = plain ? strchr(plain, '/') : NULL, *last, *tag, *host = "docker.io/", *library = "";

	if (!plain)
		return NULL;
	last = strrchr(plain, '/');
	tag = strchr(last ? last : plain, ':');
	// the first part is a host when it looks like one: a dot, a port, or localhost
	if (slash && (memchr(plain, '.', (size_t)(slash - plain)) || memchr(plain, ':', (size_t)(slash - plain)) ||
			     str_starts(plain, "localhost/")))
		host = "";
	else if (!slash)
		library = "library/";
	return str_format("%s%s%s%s", host, library, plain, tag ? "" : at ? at : ":latest");
}

static int image_add(struct words *words, const char *name)
{
	AUTO_FREE char *full = image_full_name(name);

	if (!full)
		return -ENOMEM;
	return words_has(words, full) ? 0 : words_add(words, full);
}

// `image:` beside `name:` anywhere in a workload: its containers.
static int containers_walk(const struct value *value, unsigned depth, struct words *words)
{
	const char *image = value_text(value_find(value, "image"));
	int rc = image && *image && value_find(value, "name") ? image_add(words, image) : 0;

	for (size_t i = 0; depth < MAX_DEPTH && i < value->n && rc == 0; i++)
		rc = containers_walk(&value->items[i], depth + 1, words);
	return rc;
}

// By the key that charts have for it, or the one of Cilium's clustermesh.
static bool is_switched_off(const struct value *value)
{
	return str_equal(tree_scalar(value_find(value, "enabled")), "false") ||
		str_equal(tree_scalar(value_find(value, "useAPIServer")), "false");
}

// {repository, tag} anywhere in a chart's values, but not below something that is switched off.
static int values_walk(const struct value *value, unsigned depth, struct words *words)
{
	const char *repository = tree_scalar(value_find(value, "repository")), *tag = tree_scalar(value_find(value, "tag"));
	int rc = 0;

	if (is_switched_off(value))
		return 0;
	if (repository && *repository && tag && *tag) {
		// Cilium's chart makes operator-aws, -azure, ... of this one; without a cloud it is -generic
		bool operator = str_equal(repository, "quay.io/cilium/operator");
		AUTO_FREE char *image = str_format("%s%s:%s", repository, operator ? "-generic" : "", tag);
		rc = image ? image_add(words, image) : -ENOMEM;
	}
	for (size_t i = 0; depth < MAX_DEPTH && i < value->n && rc == 0; i++)
		rc = values_walk(&value->items[i], depth + 1, words);
	return rc;
}

static int helm_chart_images(const struct value *document, struct words *words)
{
	const char *content = value_text(value_path(document, "spec", "chartContent", NULL));
	const char *own = value_text(value_path(document, "spec", "valuesContent", NULL));
	CLEANUP(chart_freep) struct chart *chart = NULL;
	CLEANUP(value_freep) struct value *values = NULL;
	AUTO_FREE uint8_t *bytes = NULL;
	size_t n = 0;
	int rc;

	if (!content || base64_decode(content, &bytes, &n) < 0 || chart_parse((char *)bytes, n, "chart", &chart, NULL) < 0 ||
		!chart->values)
		return 0; // K3s fetches it: nothing is known of it here
	if (own && yaml_parse(own, strlen(own), 0, "valuesContent", &values, NULL) == 0) {
		rc = tree_merge(chart->values, values);
		if (rc < 0)
			return rc;
	}
	return values_walk(chart->values, 0, words);
}

int images_of_bundle(const struct bundle *bundle, struct words *ret)
{
	static const char *const workloads[] = { "Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "Job", "CronJob", "Pod" };
	int rc = 0;

	for (size_t i = 0; i < bundle->n && rc == 0; i++) {
		const struct manifest_object *object = bundle->objects[i].object;
		for (size_t j = 0; j < N_ELEMENTS(workloads) && rc == 0; j++)
			if (str_equal(object->kind, workloads[j]))
				rc = containers_walk(object->document, 0, ret);
		if (rc == 0 && bundle_is(&bundle->objects[i], "helm.cattle.io", "HelmChart"))
			rc = helm_chart_images(object->document, ret);
	}
	words_sort(ret);
	return rc;
}

// ---- folders

static int index_names(const struct value *index, struct words *words)
{
	static const char *const keys[] = { "io.containerd.image.name", "org.opencontainers.image.ref.name" };
	const struct value *manifests = value_find(index, "manifests");
	int rc = 0;

	for (size_t i = 0; manifests && manifests->type == VALUE_ARRAY && i < manifests->n; i++)
		for (size_t k = 0; k < N_ELEMENTS(keys) && rc == 0; k++) {
			const char *name = value_text(value_find(value_find(&manifests->items[i], "annotations"), keys[k]));
			if (name && *name)
				rc = image_add(words, name);
		}
	return rc;
}

static int docker_names(const struct value *list, struct words *words)
{
	int rc = 0;

	for (size_t i = 0; list->type == VALUE_ARRAY && i < list->n; i++) {
		const struct value *tags = value_find(&list->items[i], "RepoTags");
		for (size_t j = 0; tags && tags->type == VALUE_ARRAY && j < tags->n && rc == 0; j++)
			if (value_text(&tags->items[j]))
				rc = image_add(words, value_text(&tags->items[j]));
	}
	return rc;
}

static int names_parse(const char *text, size_t n, bool index, struct words *words)
{
	CLEANUP(value_freep) struct value *document = NULL;

	if (json_parse(text, n, INDEX_MAX_BYTES, &document, NULL) < 0)
		return 0; // a layer's own file of that name
	return index ? index_names(document, words) : docker_names(document, words);
}

static void archive_donep(struct archive **archive)
{
	(void)archive_read_free(*archive); // reading: nothing can be lost
}

static int archive_names(const char *path, struct words *words, struct diag *reterr)
{
	CLEANUP(archive_donep) struct archive *archive = archive_read_new();
	AUTO_FREE char *text = malloc(INDEX_MAX_BYTES + 1);
	struct archive_entry *entry;
	int got, rc = 0;

	if (!archive || !text)
		return -ENOMEM;
	(void)archive_read_support_filter_all(archive); // what is missing shows when the archive is opened
	(void)archive_read_support_format_tar(archive);
	if (archive_read_open_filename(archive, path, 1 << 16) != ARCHIVE_OK)
		return diag_set(reterr, -EBADMSG, path, "is no archive of images: %s", archive_error_string(archive));
	while (rc == 0 && (got = archive_read_next_header(archive, &entry)) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);
		bool index = str_equal(name, "index.json");
		ssize_t n;
		if (!index && !str_equal(name, "manifest.json"))
			continue;
		n = archive_read_data(archive, text, INDEX_MAX_BYTES);
		if (n > 0)
			rc = names_parse(text, (size_t)n, index, words);
	}
	if (rc == 0 && got != ARCHIVE_EOF)
		return diag_set(reterr, -EBADMSG, path, "is damaged: %s", archive_error_string(archive));
	return rc;
}

int images_of_folder(const char *folder, struct words *ret, struct diag *reterr)
{
	AUTO_FREE char *index = str_format("%s/index.json", folder), *text = NULL;
	DIR *dir;
	size_t n = 0;
	int rc = index ? 0 : -ENOMEM;

	if (rc == 0 && file_exists(index)) {
		rc = file_read(index, INDEX_MAX_BYTES, &text, &n, reterr);
		return rc < 0 ? rc : names_parse(text, n, true, ret);
	}
	dir = rc == 0 ? opendir(folder) : NULL;
	if (!dir)
		return diag_set(reterr, -errno, folder, "cannot be read: %s", strerror(errno));
	for (struct dirent *entry; rc == 0 && (entry = readdir(dir));) {
		AUTO_FREE char *path = str_format("%s/%s", folder, entry->d_name);
		if (!path)
			rc = -ENOMEM;
		else if (strstr(entry->d_name, ".tar") || strstr(entry->d_name, ".tgz"))
			rc = archive_names(path, ret, reterr);
	}
	(void)closedir(dir); // read only
	return rc;
}
