// The k3s library's watch of Flux as a program, for tests/integration/flux: flux-tool KUBECONFIG. Each change of what it
// sees is one line: "READY of N | SENTENCE | WARNING".
// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"
#include "k3s/flux-watch.h"
#include "k3s/kubeconfig.h"

static struct flux_watch *watch;

static void on_changed(void *user)
{
	const struct flux *picture = flux_watch_picture(watch);
	const char *problem = flux_watch_problem(watch);
	char sentence[FLUX_SENTENCE_MAX], warning[FLUX_SENTENCE_MAX], line[3 * FLUX_SENTENCE_MAX];
	static char last[3 * FLUX_SENTENCE_MAX];

	if (problem) {
		snprintf(line, sizeof(line), "problem | %s", problem);
	} else if (picture) {
		flux_sentence(picture, time_wall_msec() / 1000, sentence);
		flux_suspended(picture, warning);
		snprintf(line, sizeof(line), "%zu of %zu | %s | %s", picture->n_ready, picture->n, sentence, warning);
	} else {
		return;
	}
	if (!str_equal(line, last))
		puts(line);
	(void)fflush(stdout); // the script reads it while we run
	memcpy(last, line, sizeof(last));
}

// A script is less patient than a cluster.
static int on_second(sd_event_source *source, uint64_t usec, void *user)
{
	flux_watch_hurry(watch);
	(void)sd_event_source_set_time_relative(source, USEC_PER_SEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int main(int argc, char *argv[])
{
	struct kubeconfig *config CLEANUP(kubeconfig_freep) = NULL;
	struct kube *kube CLEANUP(kube_freep) = NULL;
	sd_event *event = NULL;
	struct diag diag = {0};
	int r = argc == 2 ? kubeconfig_load(argv[1], &config, &diag) : -1;

	if (r == 0)
		r = sd_event_new(&event);
	if (r >= 0)
		r = kube_new(event, config, &kube, &diag);
	if (r >= 0)
		r = flux_watch_new(event, kube, on_changed, NULL, &watch);
	if (r >= 0)
		r = sd_event_add_time_relative(event, NULL, CLOCK_BOOTTIME, USEC_PER_SEC, 0, on_second, NULL);
	if (r >= 0)
		r = sd_event_loop(event);
	fprintf(stderr, "flux-tool: %s\n", diag_text(&diag));
	flux_watch_free(watch);
	sd_event_unref(event);
	return 1;
}
