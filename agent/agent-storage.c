// The cluster's StorageClass and volumes beside the bootstrap, and what a person has to know of them.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include <errno.h>

enum { ADVICE_EVERY_SEC = 60 };

static void give_to_bootstrap(struct agent *a)
{
	const struct assignment_storage *storage = a->assignment->storage;
	struct stage_extras *extras CLEANUP(stage_extras_freep) = NULL;
	if (!a->storage_stale || !a->bootstrap)
		return;
	if (storage_render(storage->wanted ? &storage->cluster : NULL, &extras, NULL) == 0 &&
		bootstrap_set_extras(a->bootstrap, extras) == 0)
		a->storage_stale = false; // else memory ran out: tried again
}

static void on_nodes(const struct kube_answer *answer, void *user)
{
	struct agent *a = user;
	struct value *volumes CLEANUP(value_freep) = NULL;
	char sentence[512];
	a->storage_asking = false;
	if (answer->error == 0 && a->persistent_volumes &&
		json_parse(a->persistent_volumes, strlen(a->persistent_volumes), 0, &volumes, NULL) == 0) {
		storage_advice(volumes, answer->object, sentence);
		str_set(&a->storage_sentence, sentence[0] ? sentence : NULL);
	}
	str_set(&a->persistent_volumes, NULL);
	agent_kick(a);
}

static void on_volumes(const struct kube_answer *answer, void *user)
{
	struct agent *a = user;
	struct json_out out = { 0 };
	a->storage_asking = false;
	if (answer->error < 0)
		return; // asked again in a minute
	json_out_value(&out, answer->object);
	free(a->persistent_volumes);
	a->persistent_volumes = json_out_take(&out);
	a->storage_asking = a->persistent_volumes && kube_get(a->kube, "/api/v1/nodes", on_nodes, a) >= 0;
}

void agent_storage_act(struct agent *a)
{
	const struct bootstrap_status *status = a->bootstrap ? bootstrap_status(a->bootstrap) : NULL;
	uint64_t now_usec = time_boot_usec();
	give_to_bootstrap(a);
	if (!status || !status->holder || status->stage <= STAGE_STORAGE || !a->assignment->storage->wanted) {
		str_set(&a->storage_sentence, NULL); // another server knows, or nobody has to
		return;
	}
	if (a->storage_asking || (a->storage_asked_usec && now_usec - a->storage_asked_usec < ADVICE_EVERY_SEC * USEC_PER_SEC))
		return;
	a->storage_asked_usec = now_usec;
	a->storage_asking = kube_get(a->kube, "/api/v1/persistentvolumes?labelSelector=hearth.openova.io%2Fvolume", on_volumes, a) >= 0;
}
