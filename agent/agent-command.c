// Commands of K3s that this server's hearthd has to have run: the order goes to hearth-k3s, a unit of its own, and its answer
// comes back. Also which snapshots of etcd lie here, as the region wants to know it.
// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include <errno.h>

#define COMMAND_UNIT "hearth-k3s.service"

enum { COMMAND_AGAIN_SEC = 5, COMMAND_MAX_STARTS = 3, LOOK_AGAIN_SEC = 60 };

static void on_service_changed(struct service *service, void *user)
{
	agent_kick(user);
}

// Its answer to @id: JOB_RUNNING when there is none yet.
static enum job_state answer_to(const struct agent *a, const char *id, char ret_sentence[static K3S_COMMAND_SENTENCE_MAX])
{
	struct k3s_command_answer answer CLEANUP(k3s_command_answer_done) = { 0 };
	char *text AUTO_FREE = NULL;
	size_t n = 0;
	if (file_read(root_path(a->options.root, RUN_K3S_COMMAND_DONE).text, K3S_COMMAND_MAX_BYTES, &text, &n, NULL) < 0 ||
		k3s_command_answer_parse(text, n, &answer, NULL) < 0 || !str_equal(answer.id, id))
		return JOB_RUNNING;
	(void)snprintf(ret_sentence, K3S_COMMAND_SENTENCE_MAX, "%s", answer.sentence);
	return answer.done ? JOB_DONE : JOB_FAILED;
}

static bool is_ordered(const struct agent *a, const char *id)
{
	struct k3s_command command CLEANUP(k3s_command_done) = { 0 };
	char *text AUTO_FREE = NULL;
	size_t n = 0;
	bool same = file_read(root_path(a->options.root, RUN_K3S_COMMAND).text, K3S_COMMAND_MAX_BYTES, &text, &n, NULL) == 0 &&
		    k3s_command_parse(text, n, &command, NULL) == 0 && str_equal(command.id, id);
	if (text)
		crypto_wipe(text, n);
	return same;
}

static void start(struct agent *a, const struct k3s_command *wanted)
{
	char *text = k3s_command_format(wanted);
	struct root_path path = root_path(a->options.root, RUN_K3S_COMMAND);
	int r = text ? file_write_volatile(path.text, text, strlen(text), 0600, NULL) : -ENOMEM;
	if (text)
		crypto_wipe(text, strlen(text));
	free(text);
	a->command_asked_usec = time_boot_usec();
	if (r < 0 || service_start(a->command_service, NULL, NULL) < 0)
		log_debug(COMMAND_UNIT " cannot be started"); // tried again
	else
		a->n_command_starts++;
}

// hearth-k3s answers whatever happens to the command: one that ends again and again without (who is killed for its memory) will.
static bool is_hopeless(struct agent *a, const struct k3s_command *wanted)
{
	if (!str_equal(a->command_id, wanted->id)) {
		(void)snprintf(a->command_id, sizeof(a->command_id), "%s", wanted->id);
		a->n_command_starts = 0;
	}
	return a->n_command_starts >= COMMAND_MAX_STARTS;
}

static bool may_start(const struct agent *a)
{
	return !a->command_asked_usec || time_boot_usec() - a->command_asked_usec >= COMMAND_AGAIN_SEC * USEC_PER_SEC;
}

enum job_state agent_command_do(struct agent *a, const struct k3s_command *wanted,
	char ret_sentence[static K3S_COMMAND_SENTENCE_MAX])
{
	struct k3s_command_line line CLEANUP(k3s_command_line_done) = { 0 };
	struct diag diag = { 0 };
	enum job_state answered = answer_to(a, wanted->id, ret_sentence);
	sd_bus *bus = agent_bus_get(a->bus);
	if (answered != JOB_RUNNING) {
		a->snapshots_usec = 0;
		// What was ordered may hold a secret, and nobody needs it any more.
		if (is_ordered(a, wanted->id))
			(void)unlink(root_path(a->options.root, RUN_K3S_COMMAND).text); // in memory; the next order replaces it
		return answered;
	}
	if (k3s_command_check(wanted, &diag) < 0) { // hearth-k3s would not know whom to answer
		(void)snprintf(ret_sentence, K3S_COMMAND_SENTENCE_MAX, "K3s cannot be told: %s; the region's admin can mend it",
			diag_text(&diag));
		return JOB_FAILED;
	}
	(void)snprintf(ret_sentence, K3S_COMMAND_SENTENCE_MAX, "waiting for systemd");
	if (k3s_command_line(wanted, "k3s", "", &line) < 0 ||
		(!a->command_service && (!bus || service_new(bus, COMMAND_UNIT, on_service_changed, a, &a->command_service) < 0)))
		return JOB_RUNNING;
	switch (service_state(a->command_service)) {
	case SERVICE_MISSING:
		(void)snprintf(ret_sentence, K3S_COMMAND_SENTENCE_MAX, "the image of this node has no unit for commands of K3s: whoever "
			"builds the image can mend it");
		return JOB_FAILED;
	case SERVICE_ACTIVATING:
	case SERVICE_ACTIVE:
	case SERVICE_DEACTIVATING:
		(void)snprintf(ret_sentence, K3S_COMMAND_SENTENCE_MAX, is_ordered(a, wanted->id) ? "%s is running" :
			"%s waits for the end of another command of K3s", line.name);
		return JOB_RUNNING;
	case SERVICE_INACTIVE:
	case SERVICE_FAILED:
		(void)snprintf(ret_sentence, K3S_COMMAND_SENTENCE_MAX, "%s is being started", line.name);
		if (!may_start(a))
			return JOB_RUNNING;
		if (is_hopeless(a, wanted)) {
			(void)unlink(root_path(a->options.root, RUN_K3S_COMMAND).text); // as above
			(void)snprintf(ret_sentence, K3S_COMMAND_SENTENCE_MAX, "%s was begun %d times and hearth-k3s ended without a word "
				"each time (too little memory?); the platform team can tell", line.name, COMMAND_MAX_STARTS);
			return JOB_FAILED;
		}
		start(a, wanted);
		return JOB_RUNNING;
	case SERVICE_UNKNOWN:
		break;
	}
	return JOB_RUNNING;
}

bool agent_command_is_known(const struct agent *a, const char *id)
{
	char sentence[K3S_COMMAND_SENTENCE_MAX];
	return is_ordered(a, id) || answer_to(a, id, sentence) != JOB_RUNNING;
}

void agent_command_forget_bus(struct agent *a)
{
	a->command_service = service_free(a->command_service);
}

const char *agent_snapshots_folder(const struct agent *a)
{
	return snapshots_folder(a->assignment->overrides, a->assignment->node_overrides);
}

void agent_snapshots_act(struct agent *a)
{
	uint64_t now_usec = time_boot_usec();
	if (!a->assignment || !a->assignment->server) {
		a->n_snapshots = 0;
		return;
	}
	if (a->snapshots_usec && now_usec - a->snapshots_usec < LOOK_AGAIN_SEC * USEC_PER_SEC)
		return;
	a->snapshots_usec = now_usec;
	a->n_snapshots = snapshots_look(root_path(a->options.root, agent_snapshots_folder(a)).text, a->snapshots);
}
