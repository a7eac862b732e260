// A Helm chart's archive (NAME-VERSION.tgz): its name, version and default values. Nothing is rendered here.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/value.h"

// As base64 in a HelmChart it must stay below what etcd takes for one object (1.5 MiB, --max-request-bytes).
enum { CHART_MAX_BYTES = 1 << 20 };

struct chart {
	char *name, *version;
	struct value *values; // values.yaml of the chart itself
	char *bytes;          // the archive as it was read
	size_t n;
};
struct chart *chart_free(struct chart *chart);
DEFINE_CLEANUP(chart)
// -EBADMSG: no gzipped tar, or no chart in it; -E2BIG; -EINVAL: its YAML.
int chart_parse(const char *bytes, size_t n, const char *name, struct chart **ret, struct diag *reterr);
int chart_load(const char *path, struct chart **ret, struct diag *reterr);

/* Major * 1000 + minor of "1.16.5", "v1.20.0-rc.1"; -1 when it is no version. */
int chart_version_number(const char *version);
