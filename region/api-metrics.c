// /metrics in Prometheus' text format: counts only, nothing that names a machine.
// SPDX-License-Identifier: Apache-2.0
#include "region/api.h"

#include "base/time.h"

#include <errno.h>

int api_metrics(struct region *region, struct request *request)
{
	char *text = NULL;
	size_t n = 0, n_waiting = 0;
	int64_t n_pending = 0;
	for (const struct request *waiting = region->waiting; waiting; waiting = waiting->next)
		n_waiting++;
	int r = store_enrolment_count(region->store, NULL, &n_pending);
	int64_t n_nodes = store_node_count(region->store);
	FILE *f = r < 0 || n_nodes < 0 ? NULL : open_memstream(&text, &n);
	if (!f)
		return r < 0 ? r : -ENOMEM;
	fprintf(f,
		"# HELP hearth_region_nodes Nodes that are not revoked.\n# TYPE "
		"hearth_region_nodes gauge\nhearth_region_nodes %lld\n",
		(long long)n_nodes);
	fprintf(f,
		"# HELP hearth_region_pending Machines waiting for approval.\n# TYPE "
		"hearth_region_pending gauge\n"
		"hearth_region_pending %lld\n",
		(long long)n_pending);
	fprintf(f,
		"# HELP hearth_region_long_polls Requests that wait for a change.\n# TYPE "
		"hearth_region_long_polls gauge\n"
		"hearth_region_long_polls %zu\n",
		n_waiting);
	fprintf(f,
		"# HELP hearth_region_requests_total Requests handled.\n# TYPE "
		"hearth_region_requests_total counter\n"
		"hearth_region_requests_total %llu\n",
		(unsigned long long)region->n_requests);
	fprintf(f,
		"# HELP hearth_region_refused_total Requests refused for who asked.\n# TYPE "
		"hearth_region_refused_total counter\n"
		"hearth_region_refused_total %llu\n",
		(unsigned long long)region->n_refused);
	fprintf(f,
		"# HELP hearth_region_uptime_seconds Since start.\n# TYPE "
		"hearth_region_uptime_seconds gauge\n"
		"hearth_region_uptime_seconds %llu\n",
		(unsigned long long)((time_boot_usec() - region->started_usec) / USEC_PER_SEC));
	if (fclose(f) != 0) {
		free(text);
		return -ENOMEM;
	}
	return request_answer_bytes(request, 200, "text/plain; version=0.0.4", text, n);
}
