// Jobs of an assignment against an API, for tests/integration/jobs: prints { ID: { state, sentence } } at every change and
// ends when none is running. jobs-tool KUBECONFIG ASSIGNMENT.json SECONDS
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/file.h"
#include "base/time.h"
#include <errno.h>

static struct agent agent;
static char *told;

static int on_look(sd_event_source *source, uint64_t usec, void *user)
{
	struct json_out out = { 0 };
	agent_jobs_act(&agent); // as each tick does
	agent_jobs_to_json(&agent, &out);
	char *now = json_out_take(&out);
	if (!str_equal(now, told)) {
		puts(now);
		(void)fflush(stdout); // the script reads it while we run
	}
	free(told);
	told = now;
	if (!strstr(now, "\"running\""))
		return sd_event_exit(agent.event, 0);
	int r = sd_event_source_set_time_relative(source, 50 * USEC_PER_MSEC);
	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *user)
{
	return sd_event_exit(agent.event, 3);
}

int main(int argc, char *argv[])
{
	struct kubeconfig *config CLEANUP(kubeconfig_freep) = NULL;
	char *text AUTO_FREE = NULL;
	size_t n = 0;
	struct diag diag = { 0 };
	if (argc != 4)
		return 2;
	agent.from_seed = true; // no region that could have given the jobs to another one
	int r = sd_event_default(&agent.event);
	if (r >= 0)
		r = file_read(argv[2], ASSIGNMENT_MAX_BYTES, &text, &n, &diag);
	if (r >= 0)
		r = assignment_decode(text, n, &agent.assignment, &diag);
	if (r >= 0)
		r = kubeconfig_load(argv[1], &config, &diag);
	if (r >= 0)
		r = kube_new(agent.event, config, &agent.kube, &diag);
	if (r >= 0)
		r = sd_event_add_time_relative(agent.event, NULL, CLOCK_BOOTTIME, 0, 0, on_look, NULL);
	if (r >= 0)
		r = sd_event_add_time_relative(agent.event, NULL, CLOCK_BOOTTIME, strtoull(argv[3], NULL, 10) * USEC_PER_SEC, 0,
			on_timeout, NULL);
	if (r >= 0)
		r = sd_event_loop(agent.event);
	if (r < 0)
		fprintf(stderr, "jobs-tool: %s\n", diag.message[0] ? diag_text(&diag) : strerror(-r));
	agent_jobs_done(&agent);
	kube_free(agent.kube);
	assignment_free(agent.assignment);
	sd_event_unref(agent.event);
	free(told);
	return r < 0 ? 1 : r;
}
