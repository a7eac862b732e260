// One round: discovery of each group, then the lists of the kinds it serves, page by page. Kustomizations come first, then
// Helm releases, then sources: what a Kustomization has applied before it became Ready is then in the lists after it.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/flux-watch.h"
#include "base/time.h"
#include "base/timer.h"
#include <ctype.h>
#include <errno.h>

static const struct {
	size_t n;
	enum flux_kind kinds[6];
} groups[] = { // of one API group and version each
	{1, {FLUX_KUSTOMIZATION}},
	{1, {FLUX_HELM_RELEASE}},
	{6, {FLUX_HELM_CHART, FLUX_HELM_REPOSITORY, FLUX_EXTERNAL_ARTIFACT, FLUX_OCI_REPOSITORY, FLUX_GIT_REPOSITORY,
		    FLUX_BUCKET}},
};
enum { CONTINUE_MAX = 4096, STARTS_MAX = 3 };

struct flux_watch {
	struct kube *kube;
	sd_event_source *timer;
	void (*on_changed)(void *user);
	void *user;

	// the round under way
	struct flux *flux;
	size_t group, at;          // in groups[], and in its kinds
	bool served[N_FLUX_KINDS]; // of the groups asked so far
	unsigned n_starts;         // a list may grow too old between two pages: begun anew

	struct flux *picture;
	uint64_t picture_usec, since_usec; // when it was whole; when the watch began
	char problem[512];
};

const struct flux *flux_watch_picture(const struct flux_watch *watch)
{
	return watch->picture;
}

const char *flux_watch_problem(const struct flux_watch *watch)
{
	uint64_t good_usec = watch->picture ? watch->picture_usec : watch->since_usec;

	if (!watch->problem[0] || (watch->picture && time_boot_usec() - good_usec < FLUX_WATCH_PATIENCE_SEC * USEC_PER_SEC))
		return NULL;
	return watch->problem;
}

static void round_end(struct flux_watch *watch, const char *problem)
{
	int r;

	watch->flux = flux_free(watch->flux);
	snprintf(watch->problem, sizeof(watch->problem), "%s", problem ? problem : "");
	r = timer_arm(watch->timer, FLUX_WATCH_SEC * USEC_PER_SEC);
	if (r < 0)
		snprintf(watch->problem, sizeof(watch->problem), "there is no timer to ask again: %s", strerror(-r));
	watch->on_changed(watch->user);
}

static void round_fail(struct flux_watch *watch, int error, const struct diag *diag)
{
	round_end(watch, diag && diag->message[0] ? diag_text(diag) : strerror(-error));
}

static void on_page(const struct kube_answer *answer, void *user);

static int page_ask(struct flux_watch *watch, const char *more)
{
	enum flux_kind kind = groups[watch->group].kinds[watch->at];
	char *path AUTO_FREE = str_format("/apis/%s/%s?limit=%d%s%s", flux_kind_api(kind), flux_kind_plural(kind),
		FLUX_WATCH_PAGE, more ? "&continue=" : "", more ? more : "");

	return path ? kube_get(watch->kube, path, on_page, watch) : -ENOMEM;
}

static void on_discovery(const struct kube_answer *answer, void *user);

static int discovery_ask(struct flux_watch *watch)
{
	char *path AUTO_FREE = str_format("/apis/%s", flux_kind_api(groups[watch->group].kinds[0]));

	return path ? kube_get(watch->kube, path, on_discovery, watch) : -ENOMEM;
}

static void picture_take(struct flux_watch *watch)
{
	struct diag diag = {0};
	int r = flux_arrange(watch->flux, &diag);

	if (r < 0) {
		round_fail(watch, r, &diag);
		return;
	}
	flux_free(watch->picture);
	watch->picture = TAKE_PTR(watch->flux);
	watch->picture_usec = time_boot_usec();
	round_end(watch, NULL);
}

// Ask for the next kind that is served, else for the next group, else the picture is whole.
static void round_on(struct flux_watch *watch)
{
	int r = 0;

	while (watch->at < groups[watch->group].n && !watch->served[groups[watch->group].kinds[watch->at]])
		watch->at++;
	if (watch->at < groups[watch->group].n) {
		r = page_ask(watch, NULL);
	} else if (watch->group + 1 < N_ELEMENTS(groups)) {
		watch->group++;
		watch->at = 0;
		r = discovery_ask(watch);
	} else {
		picture_take(watch);
	}
	if (r < 0)
		round_fail(watch, r, NULL);
}

static void round_start(struct flux_watch *watch)
{
	int r;

	flux_free(watch->flux);
	watch->flux = flux_new();
	watch->group = watch->at = 0;
	memset(watch->served, 0, sizeof(watch->served));
	r = watch->flux ? discovery_ask(watch) : -ENOMEM;
	if (r < 0)
		round_fail(watch, r, NULL);
}

static void on_discovery(const struct kube_answer *answer, void *user)
{
	struct flux_watch *watch = user;
	const struct value *resources = value_find(answer->object, "resources");

	if (answer->error < 0 && answer->error != -ENOENT) {
		round_fail(watch, answer->error, answer->diag);
		return;
	}
	for (size_t k = 0; k < groups[watch->group].n; k++)
		for (size_t i = 0; resources && resources->type == VALUE_ARRAY && i < resources->n; i++)
			if (str_equal(value_text(value_find(&resources->items[i], "name")),
				    flux_kind_plural(groups[watch->group].kinds[k])))
				watch->served[groups[watch->group].kinds[k]] = true;
	round_on(watch);
}

// The token of the next page goes into a query as it is: anything else than base64 is refused.
static bool token_fits(const char *token)
{
	size_t n = strlen(token);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)token[i]) && !strchr("-_=", token[i]))
			return false;
	return n > 0 && n <= CONTINUE_MAX;
}

static void on_page(const struct kube_answer *answer, void *user)
{
	struct flux_watch *watch = user;
	enum flux_kind kind = groups[watch->group].kinds[watch->at];
	const char *more = value_text(value_path(answer->object, "metadata", "continue", NULL));
	struct diag diag = {0};
	int r;

	if (answer->status == 410 && watch->n_starts < STARTS_MAX) { // the snapshot of the pages before was compacted
		watch->n_starts++;
		round_start(watch);
		return;
	}
	if (answer->error == -ENOENT) { // its CRD went away since discovery
		watch->at++;
		round_on(watch);
		return;
	}
	if (answer->error < 0) {
		round_fail(watch, answer->error, answer->diag);
		return;
	}
	r = flux_add(watch->flux, kind, answer->object, &diag);
	if (r == 0 && more && *more) {
		r = token_fits(more) ? page_ask(watch, more)
				     : diag_set(&diag, -EBADMSG, flux_kind_plural(kind), "the API names no usable next page");
		if (r == 0)
			return;
	}
	if (r < 0) {
		round_fail(watch, r, &diag);
		return;
	}
	watch->at++;
	round_on(watch);
}

void flux_watch_hurry(struct flux_watch *watch)
{
	if (!watch->flux)
		(void)sd_event_source_set_time_relative(watch->timer, 0); // when it cannot be set the old time stands
}

static int on_timer(sd_event_source *source, uint64_t usec, void *user)
{
	struct flux_watch *watch = user;

	watch->n_starts = 0;
	round_start(watch);
	return 0;
}

int flux_watch_new(sd_event *event, struct kube *kube, void (*on_changed)(void *user), void *user, struct flux_watch **ret)
{
	struct flux_watch *watch CLEANUP(flux_watch_freep) = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	*watch = (struct flux_watch){.kube = kube, .on_changed = on_changed, .user = user, .since_usec = time_boot_usec()};
	r = sd_event_add_time_relative(event, &watch->timer, CLOCK_BOOTTIME, 0, 0, on_timer, watch);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(watch);
	return 0;
}

struct flux_watch *flux_watch_free(struct flux_watch *watch)
{
	if (!watch)
		return NULL;
	kube_forget(watch->kube, watch);
	sd_event_source_disable_unref(watch->timer);
	flux_free(watch->flux);
	flux_free(watch->picture);
	free(watch);
	return NULL;
}
