// Watches Flux: asks the API for all objects of Flux' kinds every FLUX_WATCH_SEC, page by page, and keeps the last whole
// picture (flux.h). Kinds that are not served are no error: that Flux may not be there. Whether to watch at all is the
// caller's business.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "k3s/flux.h"
#include "k3s/kube.h"

enum {
	FLUX_WATCH_SEC = 10,
	FLUX_WATCH_PAGE = 20,        // objects per question: an inventory of thousands makes one object large
	FLUX_WATCH_PATIENCE_SEC = 60, // so long an API that does not answer leaves the last picture as it is
};

struct flux_watch;
/* @event and @kube are borrowed and outlive the watch. @on_changed: another picture, or another problem; from the event
 * loop. The first round begins at once. */
int flux_watch_new(sd_event *event, struct kube *kube, void (*on_changed)(void *user), void *user,
	struct flux_watch **ret);
struct flux_watch *flux_watch_free(struct flux_watch *watch); // not from inside on_changed
DEFINE_CLEANUP(flux_watch)
void flux_watch_hurry(struct flux_watch *watch); // ask now, unless a round is under way
const struct flux *flux_watch_picture(const struct flux_watch *watch); // NULL before the first round is through; borrowed
// Why there is no picture, or none that is younger than FLUX_WATCH_PATIENCE_SEC; NULL: it is fresh.
const char *flux_watch_problem(const struct flux_watch *watch);
