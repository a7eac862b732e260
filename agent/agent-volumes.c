// This node's local volumes: what the assignment wants goes to hearth-volumes, which makes and mounts them as a unit of its
// own; its answer goes into the status. As early as the assignment is known: a pod that waits for a volume costs more.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "agent/volumes-exchange.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include <errno.h>

#define VOLUMES_UNIT "hearth-volumes.service"

enum { ASK_AGAIN_SEC = 30, RUN_AGAIN_SEC = 3 }; // a disk may be plugged in; the unit may have been killed

static void on_service_changed(struct service *service, void *user)
{
	agent_kick(user);
}

// 1: another wish than before, 0: the same, negative errno.
static int tell(struct agent *a)
{
	char *text AUTO_FREE = volumes_wanted_format(a->assignment, a->durable), *now AUTO_FREE = NULL;
	struct root_path path = root_path(a->options.root, RUN_VOLUMES_WANTED);
	if (!text)
		return -ENOMEM;
	if (str_equal(text, a->volumes_wanted))
		return 0;
	if (file_read(path.text, VOLUMES_MAX_BYTES, &now, NULL, NULL) < 0 || !str_equal(now, text)) {
		int r = file_write_volatile(path.text, text, strlen(text), 0644, NULL);
		if (r < 0)
			return r;
	}
	free(a->volumes_wanted);
	a->volumes_wanted = TAKE_PTR(text);
	return 1;
}

static void read_answer(struct agent *a)
{
	struct volumes_answer answer CLEANUP(volumes_answer_done) = { 0 };
	char *text AUTO_FREE = NULL;
	struct json_out out = { 0 };
	size_t n = 0;
	a->volumes_answered = false;
	if (file_read(root_path(a->options.root, RUN_VOLUMES).text, VOLUMES_MAX_BYTES, &text, &n, NULL) < 0 ||
		volumes_answer_parse(text, n, a->volumes_wanted, &answer, NULL) < 0)
		return;
	json_out_value(&out, answer.volumes);
	free(a->volumes_json);
	a->volumes_json = json_out_take(&out);
	a->n_volumes_waiting = answer.n_waiting;
	a->volumes_answered = true;
	if (answer.n_sentences > 1) {
		char *both AUTO_FREE = str_format("%.500s (and %u more of this node's volumes: see volumes in its status)",
			answer.sentence, answer.n_sentences - 1);
		str_set(&a->volumes_sentence, both);
	} else {
		str_set(&a->volumes_sentence, answer.n_sentences ? answer.sentence : NULL);
	}
}

static void start(struct agent *a)
{
	uint64_t now_usec = time_boot_usec();
	uint64_t wait_sec = a->volumes_answered ? ASK_AGAIN_SEC : RUN_AGAIN_SEC;
	enum service_state state = service_state(a->volumes_service);
	if (state == SERVICE_MISSING) {
		str_set(&a->volumes_sentence, "this image has no unit for local volumes: whoever builds the image can mend it");
		return;
	}
	if ((state != SERVICE_INACTIVE && state != SERVICE_FAILED) ||
		(a->volumes_asked_usec && now_usec - a->volumes_asked_usec < wait_sec * USEC_PER_SEC))
		return;
	if (state == SERVICE_FAILED)
		str_set(&a->volumes_sentence, service_sentence(a->volumes_service));
	a->volumes_asked_usec = now_usec;
	if (service_start(a->volumes_service, NULL, NULL) < 0)
		log_debug(VOLUMES_UNIT " cannot be started"); // tried again
}

void agent_volumes_act(struct agent *a)
{
	if (a->options.without_network || !a->assignment || !a->state_known)
		return;
	if (!a->assignment->storage->n_volumes && !a->volumes_wanted &&
		!file_exists(root_path(a->options.root, STATE_VOLUMES).text))
		return; // none, and there never were any
	int r = tell(a);
	if (r < 0)
		return; // /run is full: tried again
	if (r > 0)
		a->volumes_looked = false, a->volumes_asked_usec = 0;
	if (!a->volumes_looked)
		read_answer(a);
	a->volumes_looked = true;
	if (a->volumes_answered && a->n_volumes_waiting == 0)
		return;
	sd_bus *bus = agent_bus_get(a->bus);
	if (!a->volumes_service && (!bus || service_new(bus, VOLUMES_UNIT, on_service_changed, a, &a->volumes_service) < 0))
		return;
	start(a);
}

void agent_volumes_forget_bus(struct agent *a)
{
	a->volumes_service = service_free(a->volumes_service);
}
