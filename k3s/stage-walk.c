// The walk itself: laying, discovery, and one question after the other to the API. What an object's answer means is
// object.c's, what the folder looks like stages.c's.
// SPDX-License-Identifier: Apache-2.0
#include "k3s/stage-walk.h"
#include "base/time.h"
#include "k3s/object.h"
#include <errno.h>
#include <stdarg.h>

struct watch { // one object of one stage
	enum stage_id stage;
	const struct manifest_object *object;
	const struct stage_file *file; // that lays it
	char *path; // in the API, NULL until its kind is served
};

struct stage_walk {
	struct kube *kube;
	struct lease *lease;
	const struct stages *stages;
	const char *self, *manifests_folder;
	unsigned prune_sec;
	void (*on_end)(const struct stage_walk_result *result, void *user);
	void *user;

	struct stage_walk_result result;
	uint64_t began_usec;
	struct stage_state states[N_STAGES];
	size_t n_watches, at;
	struct watch *watches;
	bool under_way;
	bool addons_taken; // since we hold the Lease: what holders before us laid is known
};

static void sentence_set(struct stage_walk *walk, const char *format, ...) PRINTF_LIKE(2, 3);
static void sentence_set(struct stage_walk *walk, const char *format, ...)
{
	va_list args;

	memset(walk->result.sentence, 0, sizeof(walk->result.sentence)); // to the end: results are compared as bytes
	va_start(args, format);
	vsnprintf(walk->result.sentence, sizeof(walk->result.sentence), format, args);
	va_end(args);
}

/* Another server holds the Lease, or this walk is by the holder. Without one nobody says that what is there is this
 * artifact: a moment after start, no more. */
static bool someone_lays(const struct stage_walk *walk)
{
	const char *holder = lease_holder(walk->lease);

	return walk->result.holder || (*holder && !str_equal(holder, walk->self));
}

static void walk_end(struct stage_walk *walk)
{
	walk->result.someone_lays = someone_lays(walk);
	// Files of ours beside those of the holder would make two K3s apply against each other.
	if (!walk->result.holder && walk->result.someone_lays)
		(void)stage_files_leave(walk->manifests_folder); // tried again at the next walk
	walk->under_way = false;
	walk->result.at = walk->at;
	walk->result.took_usec = time_boot_usec() - walk->began_usec;
	walk->on_end(&walk->result, walk->user);
}

static void walk_wait(struct stage_walk *walk, enum stage_id stage, int error, const char *sentence)
{
	walk->result.stage = stage;
	walk->result.error = error;
	if (walk->result.holder)
		sentence_set(walk, "stage %s: %.800s", stage_folder(stage), sentence);
	else if (someone_lays(walk))
		sentence_set(walk, "stage %s (laid by %.100s): %.700s", stage_folder(stage),
			lease_holder(walk->lease), sentence);
	else
		sentence_set(walk, "stage %s (no server holds the Lease yet): %.700s", stage_folder(stage),
			sentence);
	walk_end(walk);
}

static void walk_on(struct stage_walk *walk);

// An API that is away or busy says nothing about the artifact: only a refusal is an error of the walk.
static void walk_api_error(struct stage_walk *walk, const struct kube_answer *answer)
{
	bool refused = answer->error == -EACCES || answer->error == -EINVAL || answer->error == -EBADMSG;

	walk->result.not_its_own = !refused;
	walk_wait(walk, walk->watches[walk->at].stage, refused ? answer->error : 0, diag_text(answer->diag));
}

// Discovery of one group and version: it gives the path of every object of it that has none yet.
static void on_discovery(const struct kube_answer *answer, void *user)
{
	struct stage_walk *walk = user;
	const struct watch *now = &walk->watches[walk->at];
	char sentence[512];
	int now_error = 0;

	if (answer->error < 0 && answer->error != -ENOENT) {
		walk_api_error(walk, answer);
		return;
	}
	for (size_t i = walk->at; i < walk->n_watches; i++) {
		struct watch *watch = &walk->watches[i];
		int r = 0;

		if (!watch->path && str_equal(watch->object->api_version, now->object->api_version))
			r = object_path(watch->object, answer->object, &watch->path);
		if (r < 0)
			watch->path = NULL; // its kind is not served yet: asked again when its turn comes
		if (watch == now && r == -EINVAL)
			now_error = r; // it never will have one
	}
	if (now_error < 0) {
		snprintf(sentence, sizeof(sentence), "%.40s: its name or namespace is none that Kubernetes takes: \"%.100s\"",
			now->object->kind, now->object->name);
		walk_wait(walk, now->stage, now_error, sentence);
		return;
	}
	if (!now->path) {
		snprintf(sentence, sizeof(sentence), "%s %s: the API does not serve %s yet", now->object->kind,
			now->object->name, now->object->api_version);
		walk_wait(walk, now->stage, 0, sentence);
		return;
	}
	walk_on(walk);
}

static bool judged_by_pod(const struct watch *watch)
{
	return watch->stage == STAGE_CNI && object_is_daemon_set(watch->object);
}

/* An object that is older than its file may be ready as the file before said: until K3s has surely looked at the folder
 * nothing is known of what this one says, and the next stage has to wait. */
static bool watch_settles(const struct stage_walk *walk, const struct watch *watch, const struct value *live)
{
	int64_t now_sec = time_wall_msec() / 1000, written_sec;

	return walk->result.holder &&
	       stage_file_written(walk->manifests_folder, watch->file, &written_sec) == 0 &&
	       now_sec >= written_sec && now_sec - written_sec < walk->prune_sec / 2 &&
	       object_predates(watch->object, live, written_sec);
}

static void on_object(const struct kube_answer *answer, void *user)
{
	struct stage_walk *walk = user;
	const struct watch *watch = &walk->watches[walk->at];
	char sentence[512];
	bool ready;

	if (answer->error < 0 && answer->error != -ENOENT) {
		walk_api_error(walk, answer);
		return;
	}
	if (judged_by_pod(watch))
		ready = daemon_set_ready_here(watch->object, answer->object, walk->self, sentence);
	else if (watch->stage == STAGE_STORAGE && object_is_workload(watch->object))
		ready = object_exists(watch->object, answer->object, sentence);
	else
		ready = object_ready(watch->object, answer->object, watch->stage == STAGE_CNI, sentence);
	if (ready && watch_settles(walk, watch, answer->object)) {
		snprintf(sentence, sizeof(sentence), "%.40s %.60s: K3s has not looked at the new %s yet",
			watch->object->kind, watch->object->name, watch->file->name);
		ready = false;
	}
	if (!ready) {
		walk_wait(walk, watch->stage, 0, sentence);
		return;
	}
	walk->at++;
	walk_on(walk);
}

static int watch_ask(struct stage_walk *walk, const struct watch *watch)
{
	char *path AUTO_FREE = NULL;

	if (!watch->path) {
		path = object_discovery_path(watch->object->api_version);
		return path ? kube_get(walk->kube, path, on_discovery, walk) : -ENOMEM;
	}
	if (judged_by_pod(watch)) {
		path = str_format("/api/v1/namespaces/%s/pods?fieldSelector=spec.nodeName%%3D%s",
			watch->object->namespace ? watch->object->namespace : "default", walk->self);
		return path ? kube_get(walk->kube, path, on_object, walk) : -ENOMEM;
	}
	return kube_get(walk->kube, watch->path, on_object, walk);
}

static void stage_lay(struct stage_walk *walk, enum stage_id id, struct diag *reterr, int *ret_error)
{
	int r = 0;

	if (walk->result.holder && !lease_held(walk->lease)) { // a walk may take longer than the Lease lasts
		walk->result.holder = false;
		r = diag_set(reterr, -ESTALE, "", "the Lease went to another server, or could not be renewed; who holds it goes on");
	} else if (walk->result.holder) {
		r = stage_files_apply(walk->manifests_folder, walk->stages, id, walk->prune_sec, reterr);
	}
	*ret_error = r < 0 ? r : 0;
	walk->states[id].laid = r >= 0;
}

// Go on until a request is under way or the walk is over.
static void walk_on(struct stage_walk *walk)
{
	for (;;) {
		struct diag diag = {0};
		const struct watch *watch;
		enum stage_id id;
		int r;

		switch (stages_next(walk->stages, walk->states, &id)) {
		case STAGE_NEXT_LAY:
			if (walk->stages->of[id].blocked) {
				walk->result.not_its_own = true;
				walk_wait(walk, id, 0, walk->stages->of[id].blocked);
				return;
			}
			stage_lay(walk, id, &diag, &r);
			if (r < 0) { // a lost Lease says nothing of the artifact
				walk->result.not_its_own = r == -ESTALE;
				walk_wait(walk, id, r == -ESTALE ? 0 : r, diag_text(&diag));
				return;
			}
			continue;
		case STAGE_NEXT_WAIT:
			break;
		case STAGE_NEXT_DONE:
			walk->result.stage = N_STAGES;
			walk->result.error = 0;
			sentence_set(walk, "%s",
				someone_lays(walk) ? "" : "every stage is ready; the Lease " STAGE_WALK_LEASE
							  " has no holder yet");
			walk_end(walk);
			return;
		}
		watch = walk->at < walk->n_watches ? &walk->watches[walk->at] : NULL;
		if (!watch || watch->stage != id) {
			walk->states[id].ready = true;
			continue;
		}
		r = watch_ask(walk, watch);
		if (r < 0)
			walk_wait(walk, id, r, strerror(-r));
		return;
	}
}

/* What an older artifact laid, by us or by another server, and this one does not have: its Addon is still there, and an
 * emptied file of its name makes K3s prune what it applied. */
static void on_addons(const struct kube_answer *answer, void *user)
{
	struct stage_walk *walk = user;
	const struct value *items = value_find(answer->object, "items");
	struct diag diag = {0};
	int r = 0;

	walk->addons_taken = answer->error == 0 || answer->error == -ENOENT; // else at the next walk
	for (size_t i = 0; r == 0 && lease_held(walk->lease) && items && items->type == VALUE_ARRAY && i < items->n; i++) {
		const char *name = value_text(value_path(&items->items[i], "metadata", "name", NULL));

		if (name && stage_addon_is_left(walk->stages, name))
			r = stage_files_empty(walk->manifests_folder, name, &diag);
	}
	if (r < 0) {
		walk->addons_taken = false;
		walk_wait(walk, STAGE_CRDS, r, diag_text(&diag));
		return;
	}
	walk_on(walk);
}

void stage_walk_start(struct stage_walk *walk)
{
	if (walk->under_way)
		return;
	walk->under_way = true;
	walk->began_usec = time_boot_usec();
	walk->at = 0;
	memset(walk->states, 0, sizeof(walk->states));
	walk->result.not_its_own = false;
	walk->result.holder = lease_held(walk->lease);
	walk->addons_taken = walk->addons_taken && walk->result.holder;
	if (!walk->result.holder || walk->addons_taken || kube_get(walk->kube, STAGE_WALK_ADDONS, on_addons, walk) < 0)
		walk_on(walk);
}

static void watches_add(struct stage_walk *walk, enum stage_id stage, const struct stage_file *file,
	const struct manifest *manifest)
{
	for (size_t o = 0; o < manifest->n; o++)
		walk->watches[walk->n_watches++] =
			(struct watch){.stage = stage, .object = &manifest->objects[o], .file = file};
}

static int watches_make(struct stage_walk *walk)
{
	size_t n = 0;

	for (size_t s = 0; s < N_STAGES; s++)
		for (size_t f = 0; f < walk->stages->of[s].n_files; f++) {
			const struct stage_file *file = &walk->stages->of[s].files[f];

			n += file->manifest->n + (file->waits ? file->waits->n : 0);
		}
	walk->watches = calloc(n ? n : 1, sizeof(*walk->watches));
	if (!walk->watches)
		return -ENOMEM;
	for (size_t s = 0; s < N_STAGES; s++)
		for (size_t f = 0; f < walk->stages->of[s].n_files; f++) {
			const struct stage_file *file = &walk->stages->of[s].files[f];

			watches_add(walk, (enum stage_id)s, file, file->manifest);
			if (file->waits)
				watches_add(walk, (enum stage_id)s, file, file->waits);
		}
	return 0;
}

int stage_walk_new(const struct stage_walk_config *config, struct stage_walk **ret)
{
	struct stage_walk *walk CLEANUP(stage_walk_freep) = calloc(1, sizeof(*walk));
	int r;

	if (!walk)
		return -ENOMEM;
	*walk = (struct stage_walk){.kube = config->kube, .lease = config->lease, .stages = config->stages,
		.self = config->self, .manifests_folder = config->manifests_folder, .prune_sec = config->prune_sec,
		.on_end = config->on_end, .user = config->user};
	r = watches_make(walk);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(walk);
	return 0;
}

struct stage_walk *stage_walk_free(struct stage_walk *walk)
{
	if (!walk)
		return NULL;
	kube_forget(walk->kube, walk);
	for (size_t i = 0; i < walk->n_watches; i++)
		free(walk->watches[i].path);
	free(walk->watches);
	free(walk);
	return NULL;
}
