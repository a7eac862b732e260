// SPDX-License-Identifier: Apache-2.0
#include "image/chart.h"
#include "base/file.h"
#include "base/yaml.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>

enum { MEMBER_MAX_BYTES = 2 << 20, MAX_MEMBERS = 20000 };

struct chart *chart_free(struct chart *chart)
{
	if (!chart)
		return NULL;
	free(chart->name);
	free(chart->version);
	free(chart->bytes);
	value_free(chart->values);
	free(chart);
	return NULL;
}

static void archive_donep(struct archive **archive)
{
	(void)archive_read_free(*archive); // reading: nothing can be lost
}

// FOLDER/@file, not deeper: charts below charts/ are others.
static bool is_member(const char *path, const char *file)
{
	const char *slash;

	if (str_starts(path, "./"))
		path += 2;
	slash = strchr(path, '/');
	return slash && str_equal(slash + 1, file);
}

static int member_parse(struct archive *archive, const char *name, const char *file, struct value **into,
	struct diag *reterr)
{
	AUTO_FREE char *where = str_format("%s: %s", name, file), *text = malloc(MEMBER_MAX_BYTES + 1);
	size_t n = 0;
	ssize_t got = 0;

	if (!where || !text)
		return -ENOMEM;
	if (*into)
		return diag_set(reterr, -EBADMSG, name, "holds %s twice", file);
	while (n <= MEMBER_MAX_BYTES && (got = archive_read_data(archive, text + n, MEMBER_MAX_BYTES + 1 - n)) > 0)
		n += (size_t)got;
	if (got < 0)
		return diag_set(reterr, -EBADMSG, name, "%s cannot be read: the archive is damaged", file);
	return yaml_parse(text, n, MEMBER_MAX_BYTES, where, into, reterr);
}

static int members_read(struct archive *archive, const char *name, struct value **description, struct value **values,
	struct diag *reterr)
{
	struct archive_entry *entry;
	size_t n = 0;
	int rc = 0, got;

	while (rc == 0 && (got = archive_read_next_header(archive, &entry)) == ARCHIVE_OK) {
		const char *path = archive_entry_pathname(entry);
		if (++n > MAX_MEMBERS)
			return diag_set(reterr, -E2BIG, name, "holds more than %d files", MAX_MEMBERS);
		if (path && is_member(path, "Chart.yaml"))
			rc = member_parse(archive, name, "Chart.yaml", description, reterr);
		else if (path && is_member(path, "values.yaml"))
			rc = member_parse(archive, name, "values.yaml", values, reterr);
	}
	if (rc == 0 && got != ARCHIVE_EOF)
		return diag_set(reterr, -EBADMSG, name, "must be a chart's archive (.tgz), and is none or damaged");
	return rc;
}

int chart_parse(const char *bytes, size_t n, const char *name, struct chart **ret, struct diag *reterr)
{
	CLEANUP(archive_donep) struct archive *archive = archive_read_new();
	CLEANUP(chart_freep) struct chart *chart = calloc(1, sizeof(*chart));
	CLEANUP(value_freep) struct value *description = NULL;
	const char *text;
	int rc;

	if (!archive || !chart)
		return -ENOMEM;
	if (n > CHART_MAX_BYTES)
		return diag_set(reterr, -E2BIG, name, "a chart may have %d bytes", CHART_MAX_BYTES);
	(void)archive_read_support_filter_gzip(archive); // what is missing shows when the archive is opened
	(void)archive_read_support_format_tar(archive);
	if (archive_read_open_memory(archive, bytes, n) != ARCHIVE_OK)
		return diag_set(reterr, -EBADMSG, name, "must be a chart's archive (.tgz), and is none or damaged");
	rc = members_read(archive, name, &description, &chart->values, reterr);
	if (rc < 0)
		return rc;
	text = value_text(value_find(description, "name"));
	if (text)
		chart->name = strdup(text);
	text = value_text(value_find(description, "version"));
	if (text)
		chart->version = strdup(text);
	if (!chart->name || !chart->version)
		return diag_set(reterr, -EBADMSG, name, "holds no Chart.yaml with name and version");
	chart->bytes = malloc(n ? n : 1);
	if (!chart->bytes)
		return -ENOMEM;
	memcpy(chart->bytes, bytes, n);
	chart->n = n;
	*ret = TAKE_PTR(chart);
	return 0;
}

int chart_load(const char *path, struct chart **ret, struct diag *reterr)
{
	AUTO_FREE char *bytes = NULL;
	size_t n = 0;
	int rc = file_read(path, CHART_MAX_BYTES, &bytes, &n, reterr);

	return rc < 0 ? rc : chart_parse(bytes, n, path, ret, reterr);
}

int chart_version_number(const char *version)
{
	unsigned major, minor;

	if (!version)
		return -1;
	if (sscanf(version + (*version == 'v'), "%3u.%3u.", &major, &minor) != 2 || major > 99 || minor > 999)
		return -1;
	return (int)(major * 1000 + minor);
}
