// SPDX-License-Identifier: Apache-2.0
#include "agent/timesyncd.h"

char *timesyncd_drop_in(const char *const *servers, size_t n_servers)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	if (!out)
		return NULL;
	// An empty assignment drops what was set before: Debian's own servers are no part of an air gap.
	fputs("[Time]\nFallbackNTP=\nNTP=\nNTP=", out);
	for (size_t i = 0; i < n_servers; i++)
		fprintf(out, "%s%s", i ? " " : "", servers[i]);
	fputc('\n', out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
